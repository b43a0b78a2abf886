//! Media on its way in: accepts and reads streams, and gives the receiver what they bring.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use thalweg_wire::error::Misbehaved;
use thalweg_wire::rtmp_udp::media::{Header, StreamReader};
use thalweg_wire::rtmp_udp::receiver::{Arrived, Receiver};
use thalweg_wire::rtmp_udp::sender::QUEUE_BYTES_MAX;
use web_transport_quinn::{ReadError, RecvStream};

use crate::alarm::Alarm;
use crate::session::{Lost, Session};

/// One session's incoming media.
pub struct Inflow {
    session: Session,
    receiver: Receiver,
    body_bytes_max: usize,
    accepting: Option<BoxFuture<'static, Result<RecvStream, Lost>>>,
    readings: FuturesUnordered<BoxFuture<'static, Result<Read, Lost>>>,
    /// Bytes of messages that are not whole, of all streams.
    unfinished: Arc<AtomicUsize>,
    alarm: Alarm,
}

/// A stream that is read.
struct Reading {
    stream: RecvStream,
    reader: StreamReader,
    /// What came and is not yet taken apart.
    rest: Bytes,
    unfinished: Part,
}

/// What one stream has of the bytes that all may make us keep. Dropping it gives that back.
struct Part {
    of: Arc<AtomicUsize>,
    bytes: usize,
    max: usize,
}

/// What a stream has brought.
enum Read {
    /// A message of a burst; there may be more.
    Part(Header, Bytes, Reading),
    /// A message, or the end of a burst.
    Last(Option<(Header, Bytes)>),
    /// The sender has given it up; its header had come, or not.
    Reset(Option<Header>),
}

impl std::fmt::Debug for Inflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflow").field("readings", &self.readings.len()).finish_non_exhaustive()
    }
}

impl Inflow {
    /// Receives messages of at most so many bytes.
    pub fn new(session: Session, receiver: Receiver, body_bytes_max: usize) -> Self {
        Inflow {
            session,
            receiver,
            body_bytes_max,
            accepting: None,
            readings: FuturesUnordered::new(),
            unfinished: Arc::default(),
            alarm: Alarm::default(),
        }
    }

    /// The rules: configuration and patience go in here.
    pub fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The next frame whose turn has come. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`Lost`]: the connection is over, or the peer has broken the protocol.
    pub async fn next(&mut self) -> Result<Arrived, Lost> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, Lost>> {
        loop {
            if let Some(arrived) = self.receiver.poll_frame() {
                return Poll::Ready(Ok(arrived));
            }
            let accepted = self.poll_accept(cx)?;
            let read = self.poll_readings(cx)?;
            if !accepted && !read && !self.poll_timer(cx) {
                return Poll::Pending;
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        let session = &self.session;
        let accepting = self.accepting.get_or_insert_with(|| {
            let session = session.clone();
            Box::pin(async move { session.accept_media().await })
        });
        let Poll::Ready(accepted) = accepting.as_mut().poll(cx) else { return Ok(false) };
        self.accepting = None;
        let reader = StreamReader::new(self.body_bytes_max);
        let max = UNFINISHED_BYTES_MIN.max(2 * self.body_bytes_max);
        let unfinished = Part { of: Arc::clone(&self.unfinished), bytes: 0, max };
        let reading = Reading { stream: accepted?, reader, rest: Bytes::new(), unfinished };
        self.readings.push(Box::pin(reading.read()));
        Ok(true)
    }

    fn poll_readings(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        let Poll::Ready(Some(read)) = self.readings.poll_next_unpin(cx) else { return Ok(false) };
        let now = Instant::now();
        match read? {
            Read::Part(header, body, reading) => {
                self.receiver.handle_media(header, body, now)?;
                self.readings.push(Box::pin(reading.read()));
            }
            Read::Last(Some((header, body))) => self.receiver.handle_media(header, body, now)?,
            Read::Reset(Some(header)) => self.receiver.handle_reset(&header, now)?,
            Read::Last(None) | Read::Reset(None) => {}
        }
        Ok(true)
    }

    /// Whether the receiver's time has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        if self.alarm.poll(self.receiver.poll_timeout(), cx).is_pending() {
            return false;
        }
        self.receiver.handle_timeout(Instant::now());
        true
    }
}

impl Reading {
    /// Reads up to the end of the next message.
    async fn read(mut self) -> Result<Read, Lost> {
        loop {
            let mut input = &self.rest[..];
            let message = self.reader.read(&mut input)?;
            let taken = self.rest.len() - input.len();
            self.rest = self.rest.split_off(taken);
            self.unfinished.set(self.reader.held_bytes())?;
            if let Some((header, body)) = message {
                return Ok(Read::Part(header, body, self));
            }
            match self.stream.read_chunk(READ_BYTES_MAX, true).await {
                Ok(Some(chunk)) => self.rest = chunk.bytes,
                Ok(None) => return Ok(Read::Last(self.reader.finish()?)),
                Err(ReadError::Reset(_) | ReadError::InvalidReset(_)) => {
                    return Ok(Read::Reset(self.reader.header()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Part {
    fn set(&mut self, bytes: usize) -> Result<(), Lost> {
        self.of.fetch_add(bytes, Relaxed);
        let all = self.of.fetch_sub(self.bytes, Relaxed) - self.bytes;
        self.bytes = bytes;
        if all > self.max {
            return Err(Lost::Protocol(Misbehaved::TooManyUnfinished(self.max).into()));
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Relaxed);
    }
}

/// What a peer may have begun and not ended: four times what a sender of ours has on its way, since
/// buffers double as they grow; two of the longest messages where those are longer.
const UNFINISHED_BYTES_MIN: usize = 4 * QUEUE_BYTES_MAX;
/// Read at one time.
const READ_BYTES_MAX: usize = 64 << 10;
