//! RTMP: accept, who is it, may it, hub, egress.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use thalweg_access::{Action, Query, Reason};
use thalweg_hub::{Filter, Leave, Protocol, Publication};
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp::address::{Address, BadAddress};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp::server::{Event, Session};
use tokio::sync::oneshot;

use crate::clock::now;
use crate::context::{Context, Denial, Permit};
use crate::drive::{Driver, Ended, Step};
use crate::egress::{Done, End, Form, Handle, OnDone, Seat};
use crate::gate::Place;
use crate::socket::Socket;

/// Serves one RTMP connection until it ends.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    socket: Arc<dyn Socket>,
    peer: SocketAddr,
    place: Place,
) {
    let session = Session::new(ctx.config.session_limits(), seed(), now());
    let driver = Driver::new(session, socket, place.hold());
    let mut connection = Connection { ctx, driver, peer, place };
    loop {
        let event = tokio::select! {
            event = connection.driver.next_event() => event,
            () = connection.ctx.stopped() => return connection.say_stopping().await,
        };
        let next = match event {
            Ok(Event::Connect(_)) => connection.connect().await,
            Ok(Event::Publish(address)) => connection.publish(address).await,
            Ok(Event::Play(address)) => connection.play(address).await,
            Ok(other) => {
                tracing::debug!(%peer, event = ?other, "ignored");
                Some(connection)
            }
            Err(ended) => connection.end(ended).await,
        };
        match next {
            Some(still_open) => connection = still_open,
            None => return,
        }
    }
}

/// A connection between two things it does. Doing one consumes it; what is still open comes back.
struct Connection {
    ctx: Arc<Context>,
    driver: Driver,
    peer: SocketAddr,
    place: Place,
}

impl Connection {
    async fn connect(mut self) -> Option<Self> {
        if let Some(reason) = self.place.refusal() {
            self.ctx.metrics.refused("connect", reason);
            let status =
                Status::error(code::CONNECT_REJECTED, reason.sentence()).with_reason(reason.code());
            return self.reject(&status).await;
        }
        match self.driver.accept() {
            Ok(()) => Some(self),
            Err(ended) => self.end(ended).await,
        }
    }

    async fn publish(mut self, address: Result<Address, BadAddress>) -> Option<Self> {
        let agent =
            self.driver.session().connect().map(|c| c.flash_ver.clone()).unwrap_or_default();
        let granted = self
            .granted(Action::Push, address)
            .and_then(|(permit, _)| self.ctx.publish(permit, self.peer, &agent));
        let publication = match granted {
            Ok(publication) => publication,
            Err(denial) => return self.refuse(Action::Push, &denial).await,
        };
        self.is_known();
        if let Err(ended) = self.driver.accept() {
            return self.end(ended).await;
        }
        let (stream, peer) = (publication.stream().key().clone(), self.peer);
        tracing::info!(%stream, %peer, agent, epoch = publication.epoch(), "publish begins");
        self.ctx.metrics.publish_began();
        let began = now();
        let (next, cause) = self.run_publication(publication).await;
        let seconds = began.elapsed().as_secs();
        tracing::info!(%stream, %peer, seconds, cause, "publish ends");
        next
    }

    /// Appends what comes until either side ends it; answers why.
    async fn run_publication(mut self, mut publication: Publication) -> (Option<Self>, String) {
        loop {
            let event = tokio::select! {
                biased;
                leave = publication.must_leave() => return self.dismiss(leave).await,
                event = self.driver.next_event() => event,
            };
            let mut event = match event {
                Ok(event) => Some(event),
                Err(ended) => {
                    publication.close(now());
                    let cause = ended.to_string();
                    return (self.end(ended).await, cause);
                }
            };
            while let Some(e) = event {
                match e {
                    Event::Frame(frame) => {
                        if let Err(leave) = publication.append(frame, now()) {
                            return self.dismiss(leave).await;
                        }
                    }
                    Event::Ended => {
                        publication.close(now());
                        return (Some(self), "the publisher unpublished".to_owned());
                    }
                    _ => {}
                }
                event = self.driver.take_event();
            }
        }
    }

    /// Sends a publisher away.
    async fn dismiss(self, leave: Leave) -> (Option<Self>, String) {
        let code = match leave {
            Leave::Replaced { .. } => code::PUBLISH_REPLACED,
            Leave::Stopping => code::CONNECT_APP_SHUTDOWN,
            Leave::Gone => code::PUBLISH_FAILED,
        };
        let cause = leave.to_string();
        self.driver.farewell(&Status::error(code, cause.clone())).await;
        (None, cause)
    }

    async fn play(mut self, address: Result<Address, BadAddress>) -> Option<Self> {
        let (permit, depth) = match self.granted(Action::Play, address) {
            Ok((permit, address)) => (permit, self.ctx.depth(Query::new(&address.query))),
            Err(denial) => return self.refuse(Action::Play, &denial).await,
        };
        // From here on, not from when its stream begins: a class that waits is one address too.
        self.is_known();
        let ctx = Arc::clone(&self.ctx);
        let subscription = tokio::select! {
            subscription = ctx.subscribe(&permit, Protocol::Rtmp) => subscription,
            // Nothing happens while a question is open but that the peer goes away.
            event = self.driver.next_event() => {
                return match event {
                    Ok(_) => None,
                    Err(ended) => self.end(ended).await,
                };
            }
        };
        let subscription = match subscription {
            Ok(subscription) => subscription,
            Err(denial) => return self.refuse(Action::Play, &denial).await,
        };
        if let Err(ended) = self.driver.accept() {
            return self.end(ended).await;
        }
        let Some(stream_id) = self.driver.session().playing() else {
            // What came while the question was open has already ended the play.
            return Some(self);
        };
        let (tell, ended) = oneshot::channel();
        let seat = Seat {
            socket: Arc::clone(self.driver.socket()),
            subscription,
            form: Form::Rtmp { stream_id },
            greeting: self.driver.divert(),
            depth,
            flush: ctx.flush(),
            watch_peer: false,
            done: OnDone::new(move |done| {
                let _ = tell.send(done);
            }),
        };
        let handle = ctx.egress.seat(seat).await;
        let viewing = Viewing::new(&ctx, permit, Protocol::Rtmp, self.peer);
        let (next, done) = self.run_play(&handle, ended).await;
        drop(handle);
        viewing.over(done);
        match done.map(|d| (d.why, d.clean)) {
            Some((End::Dismissed, true)) => next,
            Some((End::StreamEnded, true)) => {
                next?.say_stream_ended().await;
                None
            }
            _ => None,
        }
    }

    /// Speaks with a viewer while a pump feeds it.
    async fn run_play(
        mut self,
        handle: &Handle,
        mut ended: oneshot::Receiver<Done>,
    ) -> (Option<Self>, Option<Done>) {
        let mut filter = Filter::ALL;
        loop {
            let step = tokio::select! {
                biased;
                done = &mut ended => {
                    self.driver.undivert();
                    return (Some(self), done.ok());
                }
                step = self.driver.next() => step,
            };
            match step {
                Ok(Step::Say(bytes)) => handle.say(bytes).await,
                Ok(Step::Event(Event::Pause(pause))) => handle.pause(pause).await,
                Ok(Step::Event(Event::Receive(kind, wanted))) => {
                    match kind {
                        Kind::Audio => filter.audio = wanted,
                        Kind::Video => filter.video = wanted,
                        Kind::Data => {}
                    }
                    handle.set_filter(filter).await;
                }
                Ok(Step::Event(Event::Ended)) => handle.dismiss().await,
                Ok(Step::Event(_)) => {}
                Err(_) => {
                    handle.dismiss().await;
                    return (None, ended.await.ok().map(|d| Done { why: End::PeerGone, ..d }));
                }
            }
        }
    }

    fn is_known(&mut self) {
        self.place.is_known();
        self.driver.is_known();
    }

    /// What is asked of the policy, and the address it is asked for.
    fn granted(
        &self,
        action: Action,
        address: Result<Address, BadAddress>,
    ) -> Result<(Permit, Address), Denial> {
        let address = address?;
        match self.ctx.decide(action, &address) {
            Ok(permit) => Ok((permit, address)),
            Err(denial) => {
                let (peer, action, reason) = (self.peer, action.name(), denial.reason.code());
                tracing::info!(%peer, action, stream = %address, reason, "refused");
                Err(denial)
            }
        }
    }

    async fn refuse(self, action: Action, denial: &Denial) -> Option<Self> {
        self.ctx.metrics.refused(action.name(), denial.reason);
        self.reject(&denial.to_status(action)).await
    }

    /// Says no and closes: a client that was refused has nothing more to ask.
    async fn reject(mut self, status: &Status) -> Option<Self> {
        if self.driver.reject(status).is_ok() {
            self.driver.linger().await;
        }
        None
    }

    async fn say_stream_ended(self) {
        let status = if self.ctx.is_stopping() {
            Status::error(code::CONNECT_APP_SHUTDOWN, Reason::Stopping.sentence())
        } else {
            Status::ok(code::PLAY_UNPUBLISH_NOTIFY, "the stream has ended")
        };
        self.driver.farewell(&status).await;
    }

    async fn say_stopping(self) {
        let status = Status::error(code::CONNECT_APP_SHUTDOWN, Reason::Stopping.sentence());
        self.driver.farewell(&status).await;
    }

    /// The connection has ended. Who misbehaved is told how, if it still listens.
    async fn end(self, ended: Ended) -> Option<Self> {
        let peer = self.peer;
        match ended {
            Ended::Closed | Ended::Io(_) => tracing::debug!(%peer, %ended, "connection ends"),
            Ended::Full => {
                self.ctx.metrics.refused("connect", Reason::Full);
                tracing::warn!(%peer, %ended, "connection cut");
            }
            Ended::Protocol(error) => {
                self.ctx.metrics.protocol_error();
                tracing::info!(%peer, %error, "connection cut");
                let status = Status::error(code::CONNECT_CLOSED, error.to_string());
                self.driver.farewell(&status).await;
            }
        }
        None
    }
}

/// A play in the log, from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Viewing {
    permit: Permit,
    protocol: Protocol,
    peer: SocketAddr,
    began: Instant,
}

impl Viewing {
    pub(crate) fn new(ctx: &Context, permit: Permit, protocol: Protocol, peer: SocketAddr) -> Self {
        ctx.metrics.play_began(protocol);
        let stream = &permit.key;
        tracing::info!(%stream, %peer, protocol = protocol.name(), "play begins");
        Viewing { permit, protocol, peer, began: now() }
    }

    pub(crate) fn over(self, done: Option<Done>) {
        let cause = match done.map(|d| d.why) {
            Some(End::TooSlow) => "the viewer read too slowly",
            Some(End::StreamEnded) => "the stream ended",
            Some(End::Dismissed) => "the viewer stopped",
            Some(End::PeerGone) | None => "the viewer left",
        };
        let (stream, peer, protocol) = (&self.permit.key, self.peer, self.protocol.name());
        let bytes = done.map_or(0, |d| d.bytes);
        let seconds = self.began.elapsed().as_secs();
        tracing::info!(%stream, %peer, protocol, seconds, bytes, cause, "play ends");
    }
}

/// Bytes of a handshake need only differ: the time will do.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(now())
}
