//! What drivers and pumps need of a socket, and how ours are set up.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
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
pub(crate) async fn say_last(socket: &dyn Socket, mut words: &[u8]) {
    let said = async {
        while !words.is_empty() {
            poll_fn(|cx| socket.poll_writable(cx)).await?;
            match socket.try_write(words) {
                Ok(n) => words = words.get(n..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
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
