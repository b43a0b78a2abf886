//! One RTMP connection: a session of `wire` over a socket.

use std::io;
use std::time::{Duration, Instant};

use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::{Event, Output, Purpose, Session};
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::{Address, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::target::connect;

#[derive(Debug)]
pub(crate) struct Connection {
    session: Session,
    stream: TcpStream,
    unsent: Vec<u8>,
    sent: usize,
    buffer: Box<[u8]>,
}

impl Connection {
    /// Connects and asks; answers when the server has said yes.
    pub(crate) async fn open(purpose: Purpose, address: Address) -> Result<Self, Error> {
        let stream = connect(&address.host, address.port).await?;
        let to = format!("{}:{}", address.host, address.port);
        let limits = Limits { message_bytes_max: MESSAGE_BYTES_MAX, ..Limits::default() };
        let (seed, now) = (u64::from(stream.local_addr()?.port()), Instant::now());
        let session = Session::new(purpose, address, Style::Simple, &limits, seed, now);
        let buffer = vec![0; READ_BYTES].into();
        let mut connection = Connection { session, stream, unsent: Vec::new(), sent: 0, buffer };
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
                ready = self.stream.writable(), if self.sent < self.unsent.len() => {
                    ready?;
                    self.write_some()?;
                }
                ready = self.stream.readable() => {
                    ready?;
                    self.read_some()?;
                }
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
            if let Err(error) = self.stream.readable().await {
                return error.into();
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
                Output::Timeout(_) if self.sent == self.unsent.len() => {
                    // What the server has said meanwhile: perhaps that it is over.
                    if !self.read_some()? {
                        return Ok(());
                    }
                }
                Output::Timeout(_) => {
                    tokio::select! {
                        ready = self.stream.writable() => { ready?; self.write_some()?; }
                        ready = self.stream.readable() => { ready?; self.read_some()?; }
                    }
                }
            }
        }
    }

    fn write_some(&mut self) -> Result<(), Error> {
        match self.stream.try_write(&self.unsent[self.sent..]) {
            Ok(n) => self.sent += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        if self.sent == self.unsent.len() {
            self.unsent.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// Reads what is there, and answers whether anything was.
    fn read_some(&mut self) -> Result<bool, Error> {
        match self.stream.try_read(&mut self.buffer) {
            Ok(0) => Err(Error::Closed),
            Ok(n) => Ok(self.session.handle_bytes(&self.buffer[..n]).map(|()| true)?),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.into()),
        }
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
