//! What the kernel alone costs: ready-made FLV written to every socket, and nothing else done.
//!
//! No server can be cheaper without sending less or less often.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use thalweg_wire::flv;

use crate::media::{Media, Source};

/// Serves whoever comes, whatever they ask, until the process ends: the media's frames, written
/// `batch` after the first of them came, or each at once.
///
/// # Errors
/// When no thread can be started to accept.
pub fn serve(listener: TcpListener, media: &Media, batch: Duration) -> io::Result<()> {
    let mut source = Source::new(media);
    let mut headers = flv::file_header(true, true).to_vec();
    let mut next = source.next_frame();
    while next.0.config {
        flv::write_tag(&mut headers, &next.0);
        next = source.next_frame();
    }
    let (send, arrivals) = mpsc::channel();
    let welcome = move || {
        for socket in listener.incoming().flatten() {
            // Whoever breaks off at once is no viewer.
            if let Ok(socket) = welcome(socket, &headers) {
                let _ = send.send(socket);
            }
        }
    };
    std::thread::Builder::new().name("accept".to_owned()).spawn(welcome)?;
    let mut floor = Floor { viewers: Vec::new(), arrivals, buffer: Vec::new() };
    let mut flush_at: Option<Instant> = None;
    loop {
        let (frame, wait) = next;
        let due = Instant::now() + wait;
        if let Some(at) = flush_at.filter(|at| *at <= due) {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            floor.write();
            flush_at = None;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        flv::write_tag(&mut floor.buffer, &source.stamp(&frame));
        if batch.is_zero() {
            floor.write();
        } else {
            flush_at.get_or_insert_with(|| Instant::now() + batch);
        }
        next = source.next_frame();
    }
}

/// Reads a request, answers it, and makes the socket ready for writes that do not wait.
fn welcome(mut socket: TcpStream, headers: &[u8]) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(HEAD_MAX))?;
    let _ = socket.read(&mut [0; 1024])?;
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n")?;
    socket.write_all(headers)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

struct Floor {
    viewers: Vec<TcpStream>,
    arrivals: mpsc::Receiver<TcpStream>,
    buffer: Vec<u8>,
}

impl Floor {
    /// One write a viewer. Whoever does not take it all is let go: a floor has no slow lane.
    fn write(&mut self) {
        self.viewers.extend(self.arrivals.try_iter());
        let buffer = &self.buffer;
        self.viewers.retain_mut(|socket| socket.write(buffer).is_ok_and(|n| n == buffer.len()));
        self.buffer.clear();
    }
}

const HEAD_MAX: Duration = Duration::from_millis(200);
