//! A greedy flow of TCP beside the stream: bytes without end, as fast as its congestion control lets them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_congestion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::schedule::Window;
use super::way::Cc;
use crate::process::monotonic_ns;

/// Sends to whoever comes, with this congestion control, until it is to stop. Calls `ready` with the
/// address.
///
/// # Errors
/// When there is no such port or congestion control.
pub async fn send(
    at: SocketAddr,
    cc: Cc,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = TcpListener::bind(at).await?;
    // Of what it accepts as well.
    set_tcp_congestion(&listener, cc.name())?;
    ready(listener.local_addr()?);
    let sending = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let bytes = vec![0; BUFFER_BYTES];
            // Until the other side has had enough.
            while stream.write_all(&bytes).await.is_ok() {}
        }
    };
    tokio::select! {
        over = sending => over,
        () = stop => Ok(()),
    }
}

/// Takes from a sender until a window is over; answers what came in it, kbit/s.
///
/// # Errors
/// When the connection cannot be had, or fails.
pub async fn take(from: SocketAddr, window: &Window) -> io::Result<f64> {
    let mut stream = TcpStream::connect(from).await?;
    let (mut buffer, mut bytes) = (vec![0; BUFFER_BYTES], 0);
    let over = Duration::from_nanos(window.ns.end.saturating_sub(monotonic_ns()));
    let taking = async {
        loop {
            let n = stream.read(&mut buffer).await?;
            if n == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            if window.ns.contains(&monotonic_ns()) {
                bytes += n as u64;
            }
        }
    };
    match tokio::time::timeout(over, taking).await {
        Ok(Err::<(), _>(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(window.kbit_per_s(bytes)),
    }
}

const BUFFER_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_greedy_flow_counts_what_comes_in_the_window() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let at = ([127, 0, 0, 1], 0).into();
        let sending = tokio::spawn(async move {
            let ready = |at| tell.send(at).expect("told");
            send(at, Cc::Cubic, ready, std::future::pending()).await
        });
        let now = monotonic_ns();
        let window = Window { video: 0..1, audio: 0..1, gop: 1, ns: now..now + 200_000_000 };
        let kbit_per_s = take(told.await.unwrap(), &window).await.unwrap();
        assert!(kbit_per_s > 1000.0, "{kbit_per_s}");
        sending.abort();
    }
}
