//! HOT PATH of encrypted viewers. A socket whose bytes are encrypted on their way.
//!
//! Budget: a write costs one encryption of the shared buffer and one system call. What the kernel
//! does not take at once waits here, and no more is taken until it is gone: a viewer that does not
//! read holds [`CIPHER_BYTES_MAX`] and the record that was over it.

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
        let mut session = Session { connection, unread: 0 };
        while session.connection.is_handshaking() {
            tcp.readable().await?;
            match session.receive(&tcp) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => {
                    let _ = session.send(&tcp);
                    return Err(e);
                }
                Ok(_) => {}
            }
            while session.send(&tcp)? == Sent::Part {
                poll_fn(|cx| tcp.poll_write_ready(cx)).await?;
            }
        }
        Ok(TlsSocket { tcp, session: Mutex::new(session) })
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `write` encrypt something, if all that was encrypted before has gone.
    fn write_with(&self, write: impl FnOnce(Writer<'_>) -> io::Result<usize>) -> io::Result<usize> {
        let mut session = self.session();
        if session.send(&self.tcp)? == Sent::Part {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = write(session.connection.writer())?;
        session.send(&self.tcp)?;
        Ok(taken)
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
        loop {
            match session.connection.reader().read(buf) {
                // It closed without saying so: its last words may be lacking, which the protocol
                // inside notices if it matters.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
                Ok(n) => {
                    session.unread -= n;
                    return Ok(n);
                }
            }
            let received = session.receive(&self.tcp);
            // An alert, a ticket, an answer to a change of keys.
            let sent = session.send(&self.tcp);
            received?;
            sent?;
        }
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.write_with(|mut writer| writer.write(buf))
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_with(|mut writer| writer.write_vectored(bufs))
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

/// Encrypted bytes that may wait for a socket: 100 ms at 5 Mbit/s. What is more in one flush waits in
/// the log, like that of any viewer whose socket is full.
const CIPHER_BYTES_MAX: usize = 64 << 10;
