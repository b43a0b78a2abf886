//! HOT PATH of encrypted viewers. A socket whose bytes are encrypted on their way.
//!
//! Budget: a write costs one encryption of the shared buffer, an allocation a record of 16 KiB, and a
//! system call for each 64 KiB. What the kernel does not take at once waits here, and no more is taken
//! until it is gone: a viewer that does not read holds [`CIPHER_BYTES_MAX`] and what encryption adds.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustls::{ServerConfig, ServerConnection, Writer};
use tokio::net::TcpStream;

use crate::socket::Socket;

/// A TLS connection, shaken hands on.
pub(crate) struct TlsSocket {
    tcp: TcpStream,
    /// The driver reads while a pump writes; each holds it for one call.
    session: Mutex<Session>,
}

struct Session {
    connection: ServerConnection,
    /// Bytes that are decrypted and not yet read: there is something to read although the system
    /// says nothing of it.
    unread: usize,
}

/// The TCP socket, as the library wants to read and write it.
struct Raw<'a>(&'a TcpStream);

impl Read for Raw<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Socket::try_read(self.0, buf)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Socket::try_write(self.0, buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Socket::try_write_vectored(self.0, bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsSocket {
    /// Shakes hands, for as long as the peer takes. A peer that says something wrong is told so.
    pub(super) async fn accept(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsSocket> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(CIPHER_BYTES_MAX));
        let (mut session, mut received) = (Session { connection, unread: 0 }, 0);
        while session.connection.is_handshaking() {
            tcp.readable().await?;
            match session.receive(&tcp) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) if received + n > HANDSHAKE_BYTES_MAX => {
                    return Err(io::Error::other("a handshake of over 8 KiB"));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    let _ = session.send(&tcp);
                    return Err(e);
                }
                Ok(n) => received += n,
            }
            while session.send(&tcp)? == Sent::Part {
                poll_fn(|cx| tcp.poll_write_ready(cx)).await?;
            }
        }
        Ok(TlsSocket { tcp, session: Mutex::new(session) })
    }

    /// Whether HTTP/2 was agreed upon.
    pub(crate) fn is_http2(&self) -> bool {
        self.session().connection.alpn_protocol() == Some(b"h2")
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `write` encrypt as much as it will, again and again while the system takes all of that.
    /// Nothing, if some of what was encrypted before has still to go.
    fn write_while_sent(
        &self,
        mut write: impl FnMut(Writer<'_>, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut session = self.session();
        let mut taken = 0;
        while session.send(&self.tcp)? == Sent::All {
            match write(session.connection.writer(), taken)? {
                0 => return Ok(taken),
                n => taken += n,
            }
        }
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }
}

impl Socket for TlsSocket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.session().unread > 0 {
            return Poll::Ready(Ok(()));
        }
        self.tcp.poll_read_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_write_ready(cx)
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session();
        // A pump may wait for the session, so a peer whose records hold nothing does not keep it.
        for _ in 0..RECORDS_A_READ {
            match session.connection.reader().read(buf) {
                // It closed without saying so: its last words may be lacking, which the protocol
                // inside notices if it matters.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
                Ok(n) => {
                    session.unread = session.unread.saturating_sub(n);
                    return Ok(n);
                }
            }
            let received = session.receive(&self.tcp);
            // An alert, a ticket, an answer to a change of keys.
            let sent = session.send(&self.tcp);
            received?;
            sent?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_while_sent(|mut writer, taken| writer.write(&buf[taken..]))
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut bufs = bufs.to_vec();
        let mut rest = bufs.as_mut_slice();
        let mut gone = 0;
        self.write_while_sent(|mut writer, taken| {
            IoSlice::advance_slices(&mut rest, taken - gone);
            gone = taken;
            writer.write_vectored(rest)
        })
    }

    fn may_write(&self) -> bool {
        self.tcp.may_write()
    }

    fn flush(&self) -> io::Result<()> {
        match self.session().send(&self.tcp)? {
            Sent::All => Ok(()),
            Sent::Part => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn close_write(&self) -> io::Result<()> {
        let mut session = self.session();
        session.connection.send_close_notify();
        session.send(&self.tcp)?;
        Socket::close_write(&self.tcp)
    }
}

impl Drop for TlsSocket {
    /// Says that this is the end and no accident, if there is room for that.
    fn drop(&mut self) {
        let mut session = self.session();
        session.connection.send_close_notify();
        let _ = session.send(&self.tcp);
    }
}

impl std::fmt::Debug for TlsSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TlsSocket").field(&self.tcp).finish()
    }
}

/// How much of what was encrypted the socket took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    All,
    Part,
}

impl Session {
    /// Takes in what has come, 0 at the end.
    fn receive(&mut self, tcp: &TcpStream) -> io::Result<usize> {
        let n = self.connection.read_tls(&mut Raw(tcp))?;
        let state = self.connection.process_new_packets();
        let state = state.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        self.unread = state.plaintext_bytes_to_read();
        Ok(n)
    }

    /// Sends what is encrypted, as far as the socket takes it.
    fn send(&mut self, tcp: &TcpStream) -> io::Result<Sent> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Raw(tcp)) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Part),
                Err(e) => return Err(e),
            }
        }
        Ok(Sent::All)
    }
}

/// Of one handshake. A browser's first message has about two thousand bytes. All connections of a full
/// server at once, 10 000, may so make us keep 80 MiB.
const HANDSHAKE_BYTES_MAX: usize = 8 << 10;
/// Reads of 4 KiB from the system before one has to bring something: an ordinary record has 16 KiB.
const RECORDS_A_READ: usize = 8;
/// Encrypted bytes that may wait for a socket; more is encrypted only when the system has taken those.
/// What waits beyond it waits in the log, like that of any viewer whose socket is full. If all 10 000
/// viewers of a full server are slow, this is 640 MiB.
const CIPHER_BYTES_MAX: usize = 64 << 10;
