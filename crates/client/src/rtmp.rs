//! One RTMP connection: a session of `wire` over a socket.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::Limits;
use thalweg_wire::rtmp::client::{Event, Output, Purpose, Session};
use thalweg_wire::rtmp::handshake::Style;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::error::Error;
use crate::target::RtmpTarget;
use crate::transport::{Transport, Trust, connect};

#[derive(Debug)]
pub(crate) struct Connection {
    session: Session,
    stream: Transport,
    unsent: Vec<u8>,
    sent: usize,
    /// Whether the transport may still keep some of what was sent.
    is_unflushed: bool,
    buffer: Box<[u8]>,
}

impl Connection {
    /// Connects and asks; answers when the server has said yes.
    pub(crate) async fn open(
        purpose: Purpose,
        target: RtmpTarget,
        trust: &Trust,
    ) -> Result<Self, Error> {
        let RtmpTarget { address, secure } = target;
        let stream = connect(&address.host, address.port, secure.then_some(trust)).await?;
        let to = format!("{}:{}", address.host, address.port);
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() };
        let (seed, now) = (u64::from(stream.local_port()?), Instant::now());
        let session = Session::new(purpose, address, Style::Simple, &limits, seed, now);
        let buffer = vec![0; READ_BYTES].into();
        let (unsent, sent, is_unflushed) = (Vec::new(), 0, false);
        let mut connection = Connection { session, stream, unsent, sent, is_unflushed, buffer };
        loop {
            match connection.next_event().await.map_err(|e| other_protocol(e, &to))? {
                Event::Started => return Ok(connection),
                Event::Refused(status) => return Err(Error::Refused(status)),
                Event::Ended(status) => return Err(Error::Ended(status)),
                Event::Status(_) | Event::Frame(_) => {}
            }
        }
    }

    /// The next event. Cancelling loses nothing.
    pub(crate) async fn next_event(&mut self) -> Result<Event, Error> {
        loop {
            let deadline = match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    self.unsent.extend_from_slice(&bytes);
                    continue;
                }
                Output::Event(event) => return Ok(event),
                Output::Timeout(at) => at,
            };
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                moved = poll_fn(|cx| self.poll_io(cx)) => moved?,
                () = timer => {
                    let now = Instant::now();
                    self.session.handle_timeout(now).map_err(|_| Error::NoAnswer)?;
                }
            }
        }
    }

    /// Sends one frame, and takes in what the server has said meanwhile.
    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        // Its end may have come in one piece with its beginning, and is still to be heard.
        if !self.session.is_running() {
            self.flush().await?;
        }
        self.session.send(frame)?;
        self.flush().await
    }

    /// Listens until the server ends it, and answers how. Cancelling loses nothing.
    pub(crate) async fn over(&mut self) -> Error {
        loop {
            if let Err(error) = self.flush().await {
                return error;
            }
            if let Err(error) = poll_fn(|cx| self.poll_io(cx)).await {
                return error;
            }
        }
    }

    /// Ends the stream, and waits until the server has read that, for a moment at most.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        self.session.close();
        let closed = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            while self.stream.read(&mut self.buffer).await? > 0 {}
            Ok(())
        };
        tokio::time::timeout(CLOSING, closed).await.unwrap_or(Ok(()))
    }

    async fn flush(&mut self) -> Result<(), Error> {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => self.unsent.extend_from_slice(&bytes),
                Output::Event(Event::Ended(status)) => return Err(Error::Ended(status)),
                Output::Event(_) => {}
                Output::Timeout(_) if self.unsent.is_empty() && !self.is_unflushed => {
                    // What the server has said meanwhile: perhaps that it is over.
                    let mut cx = Context::from_waker(Waker::noop());
                    match self.poll_io(&mut cx) {
                        Poll::Ready(moved) => moved?,
                        Poll::Pending => return Ok(()),
                    }
                }
                Output::Timeout(_) => poll_fn(|cx| self.poll_io(cx)).await?,
            }
        }
    }

    /// Writes and reads what can be; ready when anything has moved. Cancelling loses nothing.
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let wrote = self.poll_send(cx)?.is_ready();
        let mut buf = ReadBuf::new(&mut self.buffer);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf)? {
            Poll::Ready(()) if buf.filled().is_empty() => Poll::Ready(Err(Error::Closed)),
            Poll::Ready(()) => Poll::Ready(Ok(self.session.handle_bytes(buf.filled())?)),
            Poll::Pending if wrote => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready when anything was sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut sent = Poll::Pending;
        while self.sent < self.unsent.len() {
            let rest = &self.unsent[self.sent..];
            let Poll::Ready(n) = Pin::new(&mut self.stream).poll_write(cx, rest)? else {
                return sent;
            };
            self.sent += n;
            self.is_unflushed = true;
            sent = Poll::Ready(Ok(()));
        }
        self.unsent.clear();
        self.sent = 0;
        if self.is_unflushed && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.is_unflushed = false;
            sent = Poll::Ready(Ok(()));
        }
        sent
    }
}

/// Says it plainly when the port speaks another protocol.
fn other_protocol(error: Error, to: &str) -> Error {
    let Error::Protocol(thalweg_wire::Error::Misbehaved(why)) = &error else {
        return error;
    };
    let what = match why {
        Misbehaved::HttpOnRtmp => "HTTP",
        Misbehaved::TlsOnRtmp => "TLS",
        Misbehaved::NotRtmp(_) => "something",
        _ => return error,
    };
    Error::NotRtmp { to: to.to_owned(), what }
}

/// A client trusts its server with more than a server does its clients.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// How long a server may take to read the last of a stream.
const CLOSING: Duration = Duration::from_secs(2);
const READ_BYTES: usize = 64 << 10;
