//! HTTP-FLV: accept, who is it, may it, hub, egress.

use std::net::SocketAddr;
use std::sync::Arc;

use thalweg_access::{Action, Query, Reason};
use thalweg_hub::{Depth, Filter, Protocol, Subscription};
use thalweg_wire::rtmp;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::name_of;
use tokio::net::TcpStream;

use crate::context::{Context, Denial, Permit};
use crate::egress::{Form, OnDone, Seat};
use crate::gate::Place;
use crate::http::{Answer, answer};
use crate::http_head::{Head, percent_decode};
use crate::rtmp::Viewing;

/// Whether a request is for media.
pub(crate) fn is_media(head: &Head) -> bool {
    head.path.ends_with(SUFFIX)
}

/// Serves one request for media on a bare socket.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    stream: TcpStream,
    peer: SocketAddr,
    mut place: Place,
    head: Head,
) {
    let with_body = match head.method.as_str() {
        "GET" => true,
        "HEAD" => false,
        "OPTIONS" => return answer(&stream, &Answer::options()).await,
        _ => return answer(&stream, &Answer::method_not_allowed()).await,
    };
    let granted = tokio::select! {
        granted = grant(&ctx, peer, &mut place, &head, with_body) => granted,
        // Whoever hangs up while its stream is waited for waits no longer.
        () = hung_up(&stream) => return,
    };
    let granted = match granted {
        Ok(granted) => granted,
        Err(denial) => {
            ctx.metrics.refused(Action::Play.name(), denial.reason);
            return answer(&stream, &Answer::denial(&denial)).await;
        }
    };
    if !with_body {
        return answer(&stream, &Answer::media_head()).await;
    }
    let viewing = Viewing::new(&ctx, granted.permit, Protocol::HttpFlv, peer);
    let seat = Seat {
        socket: Arc::new(stream),
        subscription: granted.subscription,
        form: Form::Flv,
        greeting: Answer::media_head().to_bytes(),
        depth: granted.depth,
        flush: ctx.flush(),
        watch_peer: true,
        // Nothing waits here while a pump feeds the viewer: its place at the gate and its line in
        // the log go with it.
        done: OnDone::new(move |done| {
            viewing.over(Some(done));
            drop(place);
        }),
    };
    ctx.egress.seat(seat).await.leave_alone();
}

struct Granted {
    permit: Permit,
    subscription: Subscription,
    depth: Depth,
}

async fn grant(
    ctx: &Context,
    peer: SocketAddr,
    place: &mut Place,
    head: &Head,
    with_body: bool,
) -> Result<Granted, Denial> {
    if let Some(reason) = place.refusal() {
        return Err(reason.into());
    }
    let address = address(head)?;
    let permit = ctx.decide(Action::Play, &address).inspect_err(|denial| {
        let reason = denial.reason.code();
        tracing::info!(%peer, action = "play", stream = %address, reason, "refused");
    })?;
    // From here on, not from when its stream begins: a class that waits is one address too.
    place.is_known();
    let query = Query::new(&address.query);
    let mut subscription = if with_body {
        ctx.subscribe(&permit, Protocol::HttpFlv).await?
    } else {
        ctx.look(&permit, Protocol::HttpFlv)?
    };
    subscription.set_filter(filter(query));
    Ok(Granted { depth: ctx.depth(query), permit, subscription })
}

/// The stream a path names: `/{app}/{stream}.flv`, where the app may have several segments.
fn address(head: &Head) -> Result<Address, Denial> {
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

async fn hung_up(stream: &TcpStream) {
    let mut buf = [0; 256];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut buf) {
            Ok(0) => return,
            Err(e) if e.kind() != std::io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

const SUFFIX: &str = ".flv";
