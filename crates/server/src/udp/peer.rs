//! One connection over UDP: who is it, may it. What it then does is [`play`](super::play) or
//! [`publish`](super::publish).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use thalweg_access::{Action, Reason, Way};
use thalweg_quic::{Control, Lost, Session as Connection, sleep_until};
use thalweg_wire::error::{Error, Misbehaved};
use thalweg_wire::rtmp::address::{Address, BadAddress};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::sender::Start;
use thalweg_wire::rtmp_udp::server::{Event, Output, Session};

use crate::clock::now;
use crate::context::{Context, Denial, Permit};
use crate::gate::{Held, Place};

/// A connection and its control stream.
pub(super) struct Peer {
    pub(super) ctx: Arc<Context>,
    pub(super) connection: Connection,
    control: Control,
    pub(super) talk: Session,
    pub(super) address: SocketAddr,
    pub(super) place: Place,
    /// Counts what a stranger makes us keep.
    held: Option<Held>,
    /// What the peer calls itself.
    pub(super) agent: String,
    /// What we call this session, 128 random bits: whoever knows it may take its seat.
    pub(super) name: Arc<str>,
    pub(super) wishes: Wishes,
}

/// What `connect` said of a play.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub(super) start: Start,
    pub(super) conceal: bool,
    pub(super) resume: Option<String>,
}

/// How a connection ends.
#[derive(Debug)]
pub(super) enum Over {
    /// It has ended itself.
    Lost(Lost),
    /// The peer ended what it did.
    Done,
    /// We end it: the code, and the words of a status that says it.
    Told(Close, Status),
    /// The peer broke the protocol, or was too slow.
    Fault(Error),
    /// A refusal, which has been said already.
    Refused(Close, String),
}

impl From<Lost> for Over {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Protocol(error) => Over::Fault(error),
            lost => Over::Lost(lost),
        }
    }
}

impl From<Error> for Over {
    fn from(error: Error) -> Self {
        Over::Fault(error)
    }
}

impl Peer {
    /// Waits for the control stream.
    pub(super) async fn greet(
        ctx: Arc<Context>,
        connection: Connection,
        address: SocketAddr,
        place: Place,
    ) -> Result<Peer, Lost> {
        let talk = Session::new(now());
        let control = Control::accept(&connection).await?;
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(|e| Lost::Transport(e.to_string()))?;
        let name = data_encoding::HEXLOWER.encode(&bits).into();
        let held = Some(place.hold());
        let (agent, wishes) = (String::new(), Wishes::default());
        Ok(Peer { ctx, connection, control, talk, address, place, held, agent, name, wishes })
    }

    /// Serves it until it ends, and says why.
    pub(super) async fn serve(mut self) {
        let over = self.run().await;
        self.end(over).await;
    }

    async fn run(&mut self) -> Over {
        loop {
            let event = match self.next_event().await {
                Ok(event) => event,
                Err(over) => return over,
            };
            let next = match event {
                Event::Connect(connect) => {
                    self.agent = Context::agent(&connect.flash_ver);
                    let (start, conceal) = (connect.start, connect.conceal);
                    self.wishes = Wishes { start, conceal, resume: connect.resume };
                    self.connect()
                }
                Event::Publish(address) => return self.publish(address).await,
                Event::Play(address) => return self.play(address).await,
                Event::ClockRequest { id, asked_us } => {
                    self.answer_clock(id, asked_us);
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(over) = next {
                return over;
            }
        }
    }

    fn connect(&mut self) -> Result<(), Over> {
        let stopping = self.ctx.is_stopping().then_some(Reason::Stopping);
        // A server that is full may still have a place for a publisher; that shows only later.
        let refusal = self.place.refusal().filter(|reason| *reason != Reason::Full);
        if let Some(reason) = stopping.or(refusal) {
            let denial = Denial::from(reason);
            self.ctx.refused("connect", self.address, None, &denial);
            let status = Status::error(code::CONNECT_REJECTED, denial.words.clone());
            let _ = self.talk.reject(&status.with_reason(reason.code()));
            return Err(Over::Refused(close_of(reason), denial.words));
        }
        Ok(self.talk.accept(&self.name)?)
    }

    /// Asks the policy, and remembers what was asked for the log.
    pub(super) fn ask(
        &self,
        action: Action,
        address: Result<Address, BadAddress>,
    ) -> (Result<(Permit, Address), Denial>, String) {
        match address {
            Err(bad) => (Err(bad.into()), String::new()),
            Ok(address) => {
                let (peer, url) = (self.address.ip(), address.to_string());
                let origin = self.connection.origin();
                let permit = self.ctx.decide(action, Way::Udp, &address, peer, origin);
                (permit.map(|permit| (permit, address)), url)
            }
        }
    }

    /// Asks the account's own back end, if it wants to be asked, unless the peer goes away meanwhile.
    pub(super) async fn ask_remote(
        &mut self,
        action: Action,
        permit: &Permit,
        address: &Address,
    ) -> Result<Result<(), Denial>, Over> {
        let (ctx, peer) = (Arc::clone(&self.ctx), self.address.ip());
        let Some(mut asking) = ctx.question(permit, action, address, peer, NAME) else {
            return Ok(Ok(()));
        };
        let connection = self.connection.clone();
        loop {
            tokio::select! {
                said = &mut asking => return Ok(said),
                // What is said meanwhile is kept for later: nothing is heard but that it goes away.
                event = self.next_event() => drop(event?),
                lost = connection.closed() => return Err(lost.into()),
            }
        }
    }

    /// The peer has shown that it belongs here.
    pub(super) fn let_in(&mut self) {
        self.place.let_in();
        self.held = None;
    }

    /// Says no.
    pub(super) fn refuse(&mut self, action: Action, url: &str, denial: Denial) -> Over {
        self.ctx.refused(action.name(), self.address, Some(url), &denial);
        // It was asked, so it can be refused.
        let _ = self.talk.reject(&denial.to_status(action));
        Over::Refused(close_of(denial.reason), denial.words)
    }

    /// The next thing the peer says. Everything we have to say goes out first. Cancelling loses
    /// nothing.
    pub(super) async fn next_event(&mut self) -> Result<Event, Over> {
        loop {
            let deadline = match self.talk.poll_output() {
                Output::Transmit(bytes) => {
                    self.push(&bytes)?;
                    continue;
                }
                Output::Event(event) => return Ok(event),
                Output::Timeout(at) => at,
            };
            tokio::select! {
                bytes = self.control.exchange() => match bytes? {
                    Some(bytes) => {
                        self.talk.handle_bytes(now(), &bytes)?;
                        self.count_held()?;
                    }
                    None => return Err(Over::Done),
                },
                lost = self.connection.second_control() => return Err(lost.into()),
                () = sleep_until(deadline) => self.talk.handle_timeout(now())?,
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Over> {
        if self.control.push(bytes) {
            return Ok(());
        }
        let words = "the peer does not read what it is told";
        Err(Over::Told(Close::TooSlow, Status::error(code::CONNECT_CLOSED, words)))
    }

    fn count_held(&mut self) -> Result<(), Over> {
        let bytes = self.talk.held_bytes();
        if self.held.as_mut().is_none_or(|held| held.set(bytes)) {
            return Ok(());
        }
        let words = "the server is full: strangers hold too many unfinished messages";
        Err(Over::Told(Close::Limit, Status::error(code::CONNECT_REJECTED, words)))
    }

    /// Our clock, for a peer that asks.
    pub(super) fn answer_clock(&mut self, id: u32, asked_us: u64) {
        let now_us = unix_us();
        self.talk.answer_clock(id, asked_us, now_us, now_us);
    }

    /// Says the last of it, and closes.
    async fn end(mut self, over: Over) {
        let address = self.address;
        let (close, words) = match over {
            Over::Lost(lost) => {
                tracing::debug!(peer = %address, %lost, "connection ends");
                return;
            }
            Over::Done => (Close::None, String::new()),
            Over::Refused(close, words) => (close, words),
            Over::Fault(error) => {
                let (close, error) = (close_for(&error), error.to_string());
                self.ctx.metrics.protocol_error();
                tracing::info!(peer = %address, code = close.name(), error, "connection cut");
                self.talk.end(&Status::error(code::CONNECT_CLOSED, error.clone()));
                (close, error)
            }
            Over::Told(close, status) => {
                let why = &status.description;
                tracing::info!(peer = %address, code = close.name(), why, "connection cut");
                self.talk.end(&status);
                (close, status.description)
            }
        };
        loop {
            match self.talk.poll_output() {
                // Whoever does not read this either is closed all the same.
                Output::Transmit(bytes) => drop(self.push(&bytes)),
                Output::Event(_) => {}
                Output::Timeout(_) => break,
            }
        }
        self.control.finish().await;
        self.connection.close(close, &words).await;
    }
}

/// What this way is called in the log.
pub(super) const NAME: &str = "rtmp-udp";

/// What a fault is as the code of a close.
fn close_for(error: &Error) -> Close {
    match error {
        Error::Misbehaved(Misbehaved::SlowCommand | Misbehaved::Silent | Misbehaved::NoMedia) => {
            Close::Timeout
        }
        Error::Misbehaved(Misbehaved::NotRtmpUdp | Misbehaved::NoCommonVersion(_)) => {
            Close::Version
        }
        Error::Misbehaved(_) | Error::Unsupported(_) => Close::Protocol,
        Error::Misused(_) => Close::Internal,
    }
}

/// What a reason is as the code of a close.
pub(super) fn close_of(reason: Reason) -> Close {
    Close::from_code(reason.close_code()).unwrap_or(Close::Internal)
}

/// UNIX time, microseconds.
pub(super) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}
