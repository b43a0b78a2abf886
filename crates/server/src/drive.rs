//! HOT PATH. Runs a session over a socket.
//!
//! Budget: bytes are read into a buffer of the thread and copied once, into the message they belong
//! to. A connection that waits holds no buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use thalweg_wire::Error;
use thalweg_wire::rtmp::command::Status;
use thalweg_wire::rtmp::server::{Event, Output, Session};
use tokio::time::Sleep;

use crate::clock::now;
use crate::gate::Held;
use crate::socket::{Socket, say_last};

/// A session and its socket.
#[derive(Debug)]
pub struct Driver {
    session: Session,
    socket: Arc<dyn Socket>,
    /// Bytes the session has given out and the socket has not yet taken.
    unsent: Unsent,
    /// Who takes what the session has to say, if not the socket.
    diverted: bool,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Counts what a stranger makes us keep.
    held: Option<Held>,
}

/// What a driver hands out.
#[derive(Debug)]
pub enum Step {
    /// Something happened.
    Event(Event),
    /// What the session has to say, while its output is diverted.
    Say(Vec<u8>),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Closed,
    /// The network failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Something was wrong with what the peer said.
    #[error("{0}")]
    Protocol(#[from] Error),
    /// Strangers hold too much.
    #[error("the server is full: strangers hold too many unfinished messages")]
    Full,
}

#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Driver {
    /// Drives `session` over `socket`, and counts what a stranger holds.
    pub fn new(session: Session, socket: Arc<dyn Socket>, held: Held) -> Self {
        let (unsent, held) = (Unsent::default(), Some(held));
        Driver { session, socket, unsent, diverted: false, timer: None, held }
    }

    /// The peer is a stranger no more: what it holds is its own affair, within its own bounds.
    pub fn let_in(&mut self) {
        self.held = None;
    }

    /// The next thing that happens. Everything the session has to say goes out first.
    ///
    /// # Errors
    /// [`Ended`]. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Step, Ended> {
        poll_fn(|cx| self.poll_step(cx)).await
    }

    /// The next event of a session whose output is not diverted.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn next_event(&mut self) -> Result<Event, Ended> {
        loop {
            if let Step::Event(event) = self.next().await? {
                return Ok(event);
            }
        }
    }

    /// An event that is there already.
    pub fn take_event(&mut self) -> Option<Event> {
        match self.session.poll_output() {
            Output::Transmit(bytes) => {
                self.unsent.push(bytes);
                self.take_event()
            }
            Output::Event(event) => Some(event),
            Output::Timeout(_) => None,
        }
    }

    /// Grants what the session asked.
    ///
    /// # Errors
    /// What the bytes held back meanwhile turn out to be.
    pub fn accept(&mut self) -> Result<(), Ended> {
        Ok(self.session.accept(now())?)
    }

    /// Refuses what the session asked.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn reject(&mut self, why: &Status) -> Result<(), Ended> {
        Ok(self.session.reject(now(), why)?)
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The socket.
    pub fn socket(&self) -> &Arc<dyn Socket> {
        &self.socket
    }

    /// Gives the writing side away: from now on what the session has to say is a
    /// [`Step::Say`]. Answers what is not yet sent.
    pub fn divert(&mut self) -> Vec<u8> {
        while let Output::Transmit(bytes) = self.session.poll_output() {
            self.unsent.push(bytes);
        }
        self.diverted = true;
        std::mem::take(&mut self.unsent).rest()
    }

    /// Takes the writing side back, with what was still to be written.
    pub fn undivert(&mut self, unsaid: Vec<u8>) {
        self.diverted = false;
        self.unsent.push(unsaid);
    }

    /// Ends what the session runs, tells the peer why, and waits until it has read that, for a
    /// moment at most.
    pub async fn farewell(&mut self, why: &Status) {
        self.session.end(now(), why);
        self.linger().await;
    }

    /// Sends what is still to be said, then waits for the peer to close, for a moment at most.
    pub async fn linger(&mut self) {
        while let Output::Transmit(bytes) = self.session.poll_output() {
            self.unsent.push(bytes);
        }
        say_last(&*self.socket, self.unsent.next()).await;
    }

    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, Ended>> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) if self.diverted => {
                    return Poll::Ready(Ok(Step::Say(bytes)));
                }
                Output::Transmit(bytes) => self.unsent.push(bytes),
                Output::Event(event) => return Poll::Ready(Ok(Step::Event(event))),
                Output::Timeout(at) => {
                    if let Poll::Ready(Err(e)) = self.poll_flush(cx) {
                        return Poll::Ready(Err(e.into()));
                    }
                    std::task::ready!(self.poll_input(cx, at))?;
                }
            }
        }
    }

    /// Waits for bytes or for the session's time, and gives them to the session.
    fn poll_input(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<Result<(), Ended>> {
        // Time first: a peer that never stops sending must not outlive its deadline.
        if at.is_some_and(|at| at <= now()) {
            self.timer = None;
            return Poll::Ready(self.session.handle_timeout(now()).map_err(Ended::Protocol));
        }
        // A peer that asks without reading our answers is not read from.
        if self.unsent.len() < UNSENT_BYTES_MAX {
            while self.socket.poll_readable(cx)?.is_ready() {
                let read = with_scratch(|buf| -> io::Result<_> {
                    let n = self.socket.try_read(buf)?;
                    Ok((n, self.session.handle_bytes(now(), &buf[..n])))
                });
                match read {
                    Ok((0, _)) => return Poll::Ready(Err(Ended::Closed)),
                    Ok((_, Err(error))) => return Poll::Ready(Err(error.into())),
                    Ok((_, Ok(()))) => return Poll::Ready(self.count_held()),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    Err(e) => return Poll::Ready(Err(e.into())),
                }
            }
        }
        self.poll_timer(cx, at).map(Ok)
    }

    fn count_held(&mut self) -> Result<(), Ended> {
        let bytes = self.session.held_bytes();
        let fits = self.held.as_mut().is_none_or(|held| held.set(bytes));
        if fits { Ok(()) } else { Err(Ended::Full) }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, at: Option<Instant>) -> Poll<()> {
        let Some(at) = at else {
            self.timer = None;
            return Poll::Pending;
        };
        let (set, sleep) =
            self.timer.get_or_insert_with(|| (at, Box::pin(tokio::time::sleep_until(at.into()))));
        loop {
            // A later deadline is set only when the earlier one has passed: most move with every
            // message, and to move a timer costs more than to read one.
            if at < *set {
                *set = at;
                sleep.as_mut().reset(at.into());
            }
            std::task::ready!(sleep.as_mut().poll(cx));
            if *set >= at {
                self.timer = None;
                return Poll::Ready(());
            }
            *set = at;
            sleep.as_mut().reset(at.into());
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_all = self.unsent.is_empty();
            let wrote = match is_all {
                true => self.socket.flush(),
                false => self.socket.try_write(self.unsent.next()).map(|n| self.unsent.advance(n)),
            };
            match wrote {
                Ok(()) if is_all => return Poll::Ready(Ok(())),
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    std::task::ready!(self.socket.poll_writable(cx))?;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl Unsent {
    fn push(&mut self, bytes: Vec<u8>) {
        if self.is_empty() {
            *self = Unsent { bytes, sent: 0 };
        } else {
            self.bytes.extend_from_slice(&bytes);
        }
    }

    fn next(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.is_empty() {
            *self = Unsent::default();
        }
    }

    fn rest(self) -> Vec<u8> {
        if self.sent == 0 { self.bytes } else { self.next().to_vec() }
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Runs `work` on a buffer that belongs to the thread.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
    }
    SCRATCH.with_borrow_mut(|buf| work(buf))
}

/// Read at one time: a key frame of a 2 Mbit/s stream.
const READ_BYTES: usize = 64 << 10;
/// Answers that may wait for a peer to read them.
const UNSENT_BYTES_MAX: usize = 64 << 10;
