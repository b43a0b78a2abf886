//! What drivers and pumps need of a socket, and how ours are set up.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A stream of bytes both ways that never makes its caller wait.
///
/// All methods take `&self`: the driver reads while a pump writes.
pub trait Socket: Send + Sync + std::fmt::Debug {
    /// Ready when a read may succeed. Only the driver asks.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ready when a write may succeed. Only the driver asks.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Reads what is there; `WouldBlock` when nothing is, 0 at the end.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes what fits; `WouldBlock` when nothing does.
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;
    /// As `try_write`, of several pieces.
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Whether a write may succeed, as far as is known without asking the system.
    fn may_write(&self) -> bool;
    /// Sends on what a write has taken and the system has not; `WouldBlock` when it still does not
    /// take all of that. Sockets that keep nothing have nothing to do.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    /// Says that nothing more will be written.
    fn close_write(&self) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        // A read that has not filled the buffer has emptied the socket. Telling the runtime so, as
        // for a read that finds nothing, saves the call that would find nothing: one a message.
        let mut read = 0;
        let asked = self.try_io(Interest::READABLE, || {
            read = (&*SockRef::from(self)).read(buf)?;
            let is_emptied = read > 0 && read < buf.len();
            if is_emptied { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match asked {
            Err(error) if read == 0 => Err(error),
            _ => Ok(read),
        }
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        TcpStream::try_write(self, buf)
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        TcpStream::try_write_vectored(self, bufs)
    }

    fn may_write(&self) -> bool {
        // Looks only at what the runtime knows: the closure stands in for a write that succeeds.
        self.try_io(Interest::WRITABLE, || Ok(())).is_ok()
    }

    fn close_write(&self) -> io::Result<()> {
        SockRef::from(self).shutdown(std::net::Shutdown::Write)
    }
}

/// Sends the last of what is to be said, then waits for the peer to close, for a moment at most: a
/// connection closed too early takes its last words with it.
pub(crate) async fn say_last(socket: &dyn Socket, words: &[u8]) {
    let said = async {
        write_all(socket, words).await?;
        socket.close_write()?;
        loop {
            poll_fn(|cx| socket.poll_readable(cx)).await?;
            let mut unheard = [0; 1024];
            match socket.try_read(&mut unheard) {
                Ok(0) => return Ok::<_, io::Error>(()),
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, said).await;
}

/// Writes bytes, however long the socket takes.
pub(crate) async fn write_all(socket: &dyn Socket, mut bytes: &[u8]) -> io::Result<()> {
    loop {
        let wrote = match bytes {
            [] => socket.flush(),
            _ => socket.try_write(bytes).map(|n| bytes = bytes.get(n..).unwrap_or_default()),
        };
        match wrote {
            Ok(()) if bytes.is_empty() && socket.flush().is_ok() => return Ok(()),
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
            _ => poll_fn(|cx| socket.poll_writable(cx)).await?,
        }
    }
}

/// A socket as the HTTP library wants it, after bytes that were read from it already.
#[derive(Debug)]
pub(crate) struct Duplex {
    pub(crate) before: Bytes,
    pub(crate) socket: Arc<dyn Socket>,
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let n = self.before.len().min(buf.remaining());
            buf.put_slice(&self.before[..n]);
            self.before.advance(n);
            return Poll::Ready(Ok(()));
        }
        loop {
            // What is decrypted already does not make the system's socket readable.
            match self.socket.try_read(buf.initialize_unfilled()) {
                Ok(n) => {
                    buf.advance(n);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
            std::task::ready!(self.socket.poll_readable(cx))?;
        }
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.socket.poll_writable(cx))?;
            match self.socket.try_write(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                wrote => return Poll::Ready(wrote),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.socket.flush() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                flushed => return Poll::Ready(flushed),
            }
            std::task::ready!(self.socket.poll_writable(cx))?;
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(self.socket.close_write())
    }
}

/// Sets a fresh connection up.
///
/// Writes are gathered in our own code, where their delay is known, so Nagle's algorithm is off.
/// Keep-alive finds peers that are gone while nothing is sent to them; the user timeout finds
/// those that are gone, or do not read, while something is. What waits in the kernel is out of the
/// reach of the lag policy, so little may: the rest waits in the log, where it can be jumped over.
pub(crate) fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EACH)
        .with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    }
    Ok(())
}

/// Bytes that may wait in the kernel behind those on their way: a flush of 100 ms at 20 Mbit/s, so
/// that no ordinary write is cut by it.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 256 << 10;
/// How long a refused or dismissed peer may take to read why.
const LINGER: Duration = Duration::from_secs(2);
/// A peer that vanished is found after 20 + 3 x 5 = 35 s.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);
const KEEPALIVE_EACH: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;
/// Longer than the 20 s after which a viewer that reads too slowly is cut with a reason.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(30);
