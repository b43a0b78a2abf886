//! HTTP-FLV: accept, who is it, may it, hub, egress.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use thalweg_access::{Action, Query, Reason, Way};
use thalweg_hub::{Filter, Protocol, Subscription, Watching};
use thalweg_wire::rtmp;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::name_of;

use crate::context::{Context, Denial, Permit, Terms};
use crate::egress::{Form, OnDone, Seat};
use crate::gate::Place;
use crate::http::{Answer, answer};
use crate::http_head::{Head, percent_decode};
use crate::socket::Socket;
use crate::viewing::Viewing;

/// Whether a request is for media.
pub(crate) fn is_media(head: &Head) -> bool {
    head.path.ends_with(SUFFIX)
}

/// Serves one request for media on a bare socket.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    socket: Arc<dyn Socket>,
    peer: SocketAddr,
    mut place: Place,
    head: Head,
) {
    let with_body = match head.method.as_str() {
        "GET" => true,
        "HEAD" => false,
        "OPTIONS" => return answer(&*socket, &Answer::options()).await,
        _ => return answer(&*socket, &Answer::method_not_allowed()).await,
    };
    let (granted, url) = tokio::select! {
        granted = grant(&ctx, peer, &mut place, &head, Protocol::HttpFlv, with_body) => granted,
        // Whoever hangs up while its stream is waited for waits no longer.
        () = hung_up(&*socket) => return,
    };
    let granted = match granted {
        Ok(granted) => granted,
        Err(denial) => {
            ctx.refused(Action::Play.name(), peer, Some(&url), &denial);
            let refusal = Answer::denial(&denial);
            let refusal = if with_body { refusal } else { refusal.without_body() };
            return answer(&*socket, &refusal).await;
        }
    };
    let Granted::Watch(watch) = granted else {
        return answer(&*socket, &Answer::media_head()).await;
    };
    let Watch { permit, subscription, watching, terms } = *watch;
    let viewing = Viewing::new(&ctx, permit, watching);
    let egress = Arc::clone(&ctx.egress);
    let seat = Seat {
        socket,
        subscription,
        form: Form::Flv,
        greeting: Answer::media_head().to_bytes(),
        depth: terms.depth,
        flush: terms.flush,
        watch_peer: true,
        orders: Some(viewing.orders()),
        // Nothing waits here while a pump feeds the viewer: its place at the gate and its line in
        // the log go with it.
        done: OnDone::new(move |done| {
            viewing.over(&ctx, Some(&done));
            drop(place);
        }),
    };
    egress.seat(seat).await.leave_alone();
}

/// What a request is granted.
pub(crate) enum Granted {
    /// The stream is live, which is all that was asked.
    Look,
    Watch(Box<Watch>),
}

/// How somebody watches.
pub(crate) struct Watch {
    pub(crate) permit: Permit,
    pub(crate) subscription: Subscription,
    pub(crate) watching: Watching,
    pub(crate) terms: Terms,
}

/// Decides about a request, and answers what it was for, for the log.
pub(crate) async fn grant(
    ctx: &Context,
    peer: SocketAddr,
    place: &mut Place,
    head: &Head,
    protocol: Protocol,
    with_body: bool,
) -> (Result<Granted, Denial>, String) {
    let url = format!("http://{}{}", head.host, head.path);
    let address = match address(head) {
        Ok(address) => address,
        Err(denial) => return (Err(denial), url),
    };
    let granted = async {
        if let Some(reason) = place.refusal() {
            return Err(reason.into());
        }
        let (ip, page) = (peer.ip(), Some(head.page.as_str()));
        let mut permit = ctx.decide(Action::Play, Way::Tcp, &address, ip, page)?;
        if let Some(asking) = ctx.question(&permit, Action::Play, &address, ip, protocol.name()) {
            asking.await?;
        }
        if !with_body {
            let is_live = ctx.hub.is_live(&permit.key);
            return if is_live { Ok(Granted::Look) } else { Err(Reason::NotFound.into()) };
        }
        if permit.is_signed() {
            place.let_in();
        }
        let agent = Context::agent(&head.agent);
        let (mut subscription, watching) =
            ctx.subscribe(&mut permit, protocol, peer, &agent).await?;
        place.let_in();
        let query = Query::new(&address.query);
        subscription.set_filter(filter(query));
        let terms = ctx.terms(&permit, query);
        Ok(Granted::Watch(Box::new(Watch { permit, subscription, watching, terms })))
    };
    (granted.await, url)
}

/// The stream a path names: `/{app}/{stream}.flv`, where the app may have several segments.
pub(crate) fn address(head: &Head) -> Result<Address, Denial> {
    let path = percent_decode(&head.path).ok_or(Reason::BadName)?;
    let path = path.strip_suffix(SUFFIX).ok_or(Reason::BadName)?;
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    let (app, stream) = name_of(&segments)?;
    let (host, query) = (head.host.clone(), head.query.clone());
    Ok(Address { host, port: rtmp::PORT, app, stream, query })
}

/// `?onlyAudio=1` and `?onlyVideo=1`.
fn filter(query: Query<'_>) -> Filter {
    let set = |name| query.get(name).is_some_and(|v| v == "1" || v == "true");
    match (set("onlyAudio"), set("onlyVideo")) {
        (true, false) => Filter { audio: true, video: false },
        (false, true) => Filter { audio: false, video: true },
        _ => Filter::ALL,
    }
}

pub(crate) async fn hung_up(socket: &dyn Socket) {
    let mut buf = [0; 256];
    loop {
        if poll_fn(|cx| socket.poll_readable(cx)).await.is_err() {
            return;
        }
        match socket.try_read(&mut buf) {
            Ok(0) => return,
            Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

const SUFFIX: &str = ".flv";
