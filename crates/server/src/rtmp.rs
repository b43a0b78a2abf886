//! RTMP: accept, who is it, may it, hub, egress.

use std::net::SocketAddr;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;
use std::time::Duration;

use thalweg_access::{Action, Query, Reason, Way};
use thalweg_hub::{Filter, Leave, Protocol, Subscription, Watching};
use thalweg_wire::media::Kind;
use thalweg_wire::rtmp::address::{Address, BadAddress};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp::server::{Event, Session};
use tokio::sync::oneshot;

use crate::cause::Cause;
use crate::clock::now;
use crate::context::{Context, Denial, Permit, Terms};
use crate::drive::{Driver, Ended, Step};
use crate::egress::{Done, End, Form, Handle, OnDone, Seat};
use crate::gate::Place;
use crate::publishing::{Publishing, take_seat};
use crate::socket::Socket;
use crate::viewing::Viewing;

/// Serves one RTMP connection until it ends.
pub(crate) async fn serve(
    ctx: Arc<Context>,
    socket: Arc<dyn Socket>,
    peer: SocketAddr,
    place: Place,
) {
    let session = Session::new(ctx.config.get().session_limits(), seed(), now());
    let driver = Driver::new(session, socket, place.hold());
    // Whoever comes while the server stops is let in to be told so.
    let stopping = ctx.is_stopping().then_some(Reason::Stopping);
    let mut connection = Connection { ctx, driver, peer, place, agent: String::new() };
    while connection.next(stopping).await.is_continue() {}
}

/// A connection. Whatever it does breaks when it is over.
///
/// Every viewer has one, and the future that runs it: what that keeps over an `await` is what a
/// viewer costs.
struct Connection {
    ctx: Arc<Context>,
    driver: Driver,
    peer: SocketAddr,
    place: Place,
    /// What the peer calls itself.
    agent: String,
}

type Flow = ControlFlow<()>;

/// Connecting.
impl Connection {
    /// Does the next thing that the peer asks for.
    async fn next(&mut self, stopping: Option<Reason>) -> Flow {
        let event = tokio::select! {
            event = self.driver.next_event() => event,
            () = self.ctx.stopped(), if stopping.is_none() => return self.say_stopping().await,
        };
        match event {
            Ok(Event::Connect(connect)) => {
                self.agent = Context::agent(&connect.flash_ver);
                self.connect(stopping).await
            }
            Ok(Event::Publish(address)) => self.publish(address).await,
            Ok(Event::Play(address)) => self.play(address).await,
            Ok(other) => {
                tracing::debug!(peer = %self.peer, event = ?other, "ignored");
                Continue(())
            }
            Err(ended) => self.end(ended).await,
        }
    }

    async fn connect(&mut self, stopping: Option<Reason>) -> Flow {
        // A server that is full may still have a place for a publisher; that shows only later.
        let refusal = self.place.refusal().filter(|reason| *reason != Reason::Full);
        if let Some(reason) = stopping.or(refusal) {
            let denial = Denial::from(reason);
            self.ctx.refused("connect", self.peer, None, &denial);
            let status = Status::error(code::CONNECT_REJECTED, denial.words);
            return self.reject(&status.with_reason(reason.code())).await;
        }
        match self.driver.accept() {
            Ok(()) => Continue(()),
            Err(ended) => self.end(ended).await,
        }
    }

    /// Asks the policy, and remembers what was asked for the log.
    fn ask(
        &self,
        action: Action,
        address: Result<Address, BadAddress>,
    ) -> (Result<(Permit, Address), Denial>, String) {
        match address {
            Err(bad) => (Err(bad.into()), String::new()),
            Ok(address) => {
                let url = address.to_string();
                let permit = self.ctx.decide(action, Way::Tcp, &address, self.peer.ip(), None);
                (permit.map(|permit| (permit, address)), url)
            }
        }
    }

    /// Asks the account's own back end, if it wants to be asked. Breaks when the peer goes away
    /// meanwhile.
    async fn ask_remote(
        &mut self,
        action: Action,
        permit: &Permit,
        address: &Address,
    ) -> ControlFlow<(), Result<(), Denial>> {
        let peer = self.peer.ip();
        let Some(asking) = self.ctx.question(permit, action, address, peer, NAME) else {
            return Continue(Ok(()));
        };
        let ended = tokio::select! {
            said = asking => return Continue(said),
            // Nothing happens while a question is open but that the peer goes away.
            event = self.driver.next_event() => event.err(),
        };
        if let Some(ended) = ended {
            // Apart: every viewer has this future.
            let _ = Box::pin(self.end(ended)).await;
        }
        Break(())
    }

    /// The peer has shown that it belongs here.
    fn let_in(&mut self) {
        self.place.let_in();
        self.driver.let_in();
    }

    async fn refuse(&mut self, action: Action, url: &str, denial: &Denial) -> Flow {
        self.ctx.refused(action.name(), self.peer, Some(url), denial);
        self.reject(&denial.to_status(action)).await
    }

    /// Says no and closes: a client that was refused has nothing more to ask.
    async fn reject(&mut self, status: &Status) -> Flow {
        if self.driver.reject(status).is_ok() {
            self.driver.linger().await;
        }
        Break(())
    }

    async fn say_stopping(&mut self) -> Flow {
        let status = Status::error(code::CONNECT_APP_SHUTDOWN, Reason::Stopping.sentence());
        self.driver.farewell(&status).await;
        Break(())
    }

    /// The connection has ended. Who misbehaved is told how, if it still listens.
    async fn end(&mut self, ended: Ended) -> Flow {
        let peer = self.peer;
        match ended {
            Ended::Closed | Ended::Io(_) => tracing::debug!(%peer, %ended, "connection ends"),
            Ended::Full => {
                let words = ended.to_string();
                let denial = Denial { reason: Reason::Full, words };
                self.ctx.refused("connect", peer, None, &denial);
                let status = Status::error(code::CONNECT_REJECTED, denial.words);
                self.driver.farewell(&status.with_reason(denial.reason.code())).await;
            }
            Ended::Protocol(error) => {
                self.ctx.metrics.protocol_error();
                let error = error.to_string();
                tracing::info!(%peer, error, "connection cut");

                let status = Status::error(code::CONNECT_CLOSED, error);
                self.driver.farewell(&status).await;
            }
        }
        Break(())
    }
}

/// Publishing.
impl Connection {
    async fn publish(&mut self, address: Result<Address, BadAddress>) -> Flow {
        let (granted, url) = self.ask(Action::Push, address);
        let granted = match granted {
            Ok((permit, address)) => {
                let said = self.ask_remote(Action::Push, &permit, &address).await?;
                said.map(|()| (permit, address))
            }
            Err(denial) => Err(denial),
        };
        let (publication, address) = match granted.and_then(|(permit, address)| {
            let seat = take_seat(&self.ctx, &mut self.place, permit, self.peer, &self.agent);
            Ok((seat?, address))
        }) {
            Ok(seated) => seated,
            Err(denial) => return self.refuse(Action::Push, &url, &denial).await,
        };
        self.let_in();
        if let Err(ended) = self.driver.accept() {
            return self.end(ended).await;
        }
        let (ctx, agent) = (&self.ctx, &self.agent);
        let mut publishing = Publishing::new(ctx, publication, NAME, self.peer, agent, &address);
        drop(address);
        let cause = self.run_publication(&mut publishing).await;
        publishing.over(&cause);
        match cause {
            Cause::Peer(_) => Continue(()),
            Cause::Connection(ended) => self.end(ended).await,
            Cause::Seat(leave) => self.dismiss(leave).await,
        }
    }

    /// Appends what comes until either side ends it.
    async fn run_publication(&mut self, publishing: &mut Publishing) -> Cause {
        // Apart, so that a viewer's future is not as large as a publisher's.
        let mut must_leave = Box::pin(publishing.must_leave());
        loop {
            let event = tokio::select! {
                biased;
                leave = &mut must_leave => return Cause::Seat(leave),
                event = self.driver.next_event() => event,
            };
            let mut event = match event {
                Ok(event) => Some(event),
                Err(ended) => return Cause::Connection(ended),
            };
            publishing.note_chunk_bytes(self.driver.session().peer_chunk_bytes());
            while let Some(e) = event {
                match e {
                    Event::Frame(frame) => {
                        if let Err(leave) = publishing.append(frame) {
                            return Cause::Seat(leave);
                        }
                    }
                    Event::Ended(by) => return Cause::Peer(by),
                    // A publisher has nothing else to say that means anything here. Questions
                    // cannot come: the session asks none while it publishes.
                    Event::Connect(_)
                    | Event::Publish(_)
                    | Event::Play(_)
                    | Event::Pause(_)
                    | Event::Receive(..)
                    | Event::Ignored(_) => {}
                }
                event = self.driver.take_event();
            }
        }
    }

    /// Sends a publisher away.
    async fn dismiss(&mut self, leave: Leave) -> Flow {
        let code = match leave {
            Leave::Replaced { .. } => code::PUBLISH_REPLACED,
            Leave::Stopping => code::CONNECT_APP_SHUTDOWN,
            Leave::Gone | Leave::Kicked { .. } | Leave::Closed => code::PUBLISH_FAILED,
        };
        self.driver.farewell(&Status::error(code, leave.to_string())).await;
        Break(())
    }
}

/// Playing.
impl Connection {
    async fn play(&mut self, address: Result<Address, BadAddress>) -> Flow {
        let (granted, url) = self.ask(Action::Play, address);
        let granted = match self.place.refusal() {
            Some(reason) => Err(reason.into()),
            None => granted,
        };
        let granted = match granted {
            Ok((permit, address)) => {
                let said = self.ask_remote(Action::Play, &permit, &address).await?;
                said.map(|()| (permit, address))
            }
            Err(denial) => Err(denial),
        };
        let (mut permit, terms) = match granted {
            Ok((permit, address)) => {
                let terms = self.ctx.terms(&permit, Query::new(&address.query));
                (permit, terms)
            }
            Err(denial) => return self.refuse(Action::Play, &url, &denial).await,
        };
        if permit.is_signed() {
            self.let_in();
        }
        let (ctx, agent) = (Arc::clone(&self.ctx), self.agent.clone());
        let subscription = tokio::select! {
            subscription = ctx.subscribe(&mut permit, Protocol::Rtmp, self.peer, &agent) => {
                subscription
            }
            // Nothing happens while a question is open but that the peer goes away.
            event = self.driver.next_event() => {
                // Its place among those who use this URL is free at once.
                drop(permit);
                return match event {
                    Ok(_) => Break(()),
                    Err(ended) => self.end(ended).await,
                };
            }
        };
        drop(agent);
        let (subscription, watching) = match subscription {
            Ok(subscribed) => subscribed,
            Err(denial) => {
                // Being told takes a moment, in which it is no session of its URL any more.
                drop(permit);
                return self.refuse(Action::Play, &url, &denial).await;
            }
        };
        self.let_in();
        if let Err(ended) = self.driver.accept() {
            return self.end(ended).await;
        }
        self.watch(permit, subscription, watching, terms).await
    }

    /// Watches until either side ends it.
    async fn watch(
        &mut self,
        permit: Permit,
        subscription: Subscription,
        watching: Watching,
        terms: Terms,
    ) -> Flow {
        let Some(stream_id) = self.driver.session().playing() else {
            // What came while the question was open has already ended the play.
            return Continue(());
        };
        let (tell, ended) = oneshot::channel();
        let viewing = Viewing::new(&self.ctx, permit, watching);
        let seat = Seat {
            socket: Arc::clone(self.driver.socket()),
            subscription,
            form: Form::Rtmp { stream_id },
            greeting: self.driver.divert(),
            depth: terms.depth,
            flush: terms.flush,
            watch_peer: false,
            orders: Some(viewing.orders()),
            done: OnDone::new(move |done| {
                let _ = tell.send(done);
            }),
        };
        let (ctx, handle) = (Arc::clone(&self.ctx), self.ctx.egress.seat(seat).await);
        let (outcome, done) = self.run_play(&handle, ended).await;
        drop(handle);
        viewing.over(&ctx, done.as_ref());
        if let Err(ended) = outcome {
            return self.end(ended).await;
        }
        // A message that was cut cannot be followed by another.
        let Some(Done { why, unsaid: Some(unsaid), .. }) = done else {
            return Break(());
        };
        self.driver.undivert(unsaid);
        match why {
            End::Dismissed => Continue(()),
            End::StreamEnded => self.say_stream_ended().await,
            End::SentAway(away) => {
                self.driver.farewell(&Denial::from(away).to_status(Action::Play)).await;
                Break(())
            }
            End::PeerGone | End::TooSlow => Break(()),
        }
    }

    /// Speaks with a viewer while a pump feeds it.
    ///
    /// What it asks of the pump costs that some work, and the others on it some time. So it is not
    /// read from for a moment after each time: one that asks without end waits for itself.
    async fn run_play(
        &mut self,
        handle: &Handle,
        mut over: oneshot::Receiver<Done>,
    ) -> (Result<(), Ended>, Option<Done>) {
        let mut filter = Filter::ALL;
        loop {
            let step = tokio::select! {
                biased;
                done = &mut over => return (Ok(()), done.ok()),
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
                // What the peer asks next is for whoever comes after this: not one step further.
                Ok(Step::Event(Event::Ended(_))) => {
                    handle.dismiss().await;
                    return (Ok(()), over.await.ok());
                }
                // The session asks nothing, and takes no media, while it plays.
                Ok(Step::Event(
                    Event::Connect(_)
                    | Event::Publish(_)
                    | Event::Play(_)
                    | Event::Frame(_)
                    | Event::Ignored(_),
                )) => continue,
                Err(ended) => {
                    handle.dismiss().await;
                    let done = over.await.ok().map(|d| Done { why: End::PeerGone, ..d });
                    return (Err(ended), done);
                }
            }
            tokio::select! {
                done = &mut over => return (Ok(()), done.ok()),
                () = tokio::time::sleep(ASKING_PAUSE) => {}
            }
        }
    }

    async fn say_stream_ended(&mut self) -> Flow {
        let status = if self.ctx.is_stopping() {
            Status::error(code::CONNECT_APP_SHUTDOWN, Reason::Stopping.sentence())
        } else {
            Status::ok(code::PLAY_UNPUBLISH_NOTIFY, "the stream has ended")
        };
        self.driver.farewell(&status).await;
        Break(())
    }
}

/// Bytes of a handshake need only differ from one to the next.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(Duration::ZERO)
}

/// What this way is called in the log.
const NAME: &str = "rtmp";
/// Between two things that a viewer may ask of its pump: 20 a second.
const ASKING_PAUSE: Duration = Duration::from_millis(50);
