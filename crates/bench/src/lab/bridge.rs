//! A bad path between two namespaces: reads packets on one side, writes them on the other in time.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::impair::{Direction, Path};
use super::line::{Carried, Line, earlier, wait};
use super::namespaces::Namespaces;
use crate::process::put_first;

/// A bridge at work, on a thread of its own, until dropped.
#[derive(Debug)]
pub struct Bridge {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Carried>>,
}

impl Bridge {
    /// Joins two namespaces by a path. What changes over the path's time counts from `began`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(ends: &Namespaces, path: &Path, seed: u64, began: Instant) -> io::Result<Bridge> {
        let [server, viewer] = ends.devices();
        let mut work = Work {
            server: server.try_clone()?,
            viewer: viewer.try_clone()?,
            down: Line::new(path.impairment(Direction::Down, seed, began)),
            up: Line::new(path.impairment(Direction::Up, seed, began)),
        };
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("bridge".to_owned()).spawn(move || {
            put_first(rustix::thread::gettid(), false);
            while !told.load(Ordering::Relaxed) && work.turn().is_ok() {}
            work.down.carried().and(work.up.carried())
        })?;
        Ok(Bridge { over, thread: Some(thread) })
    }

    /// Ends it and says what it has carried.
    pub fn stop(mut self) -> Carried {
        self.end()
    }

    fn end(&mut self) -> Carried {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.end();
    }
}

struct Work {
    server: File,
    viewer: File,
    down: Line<Box<[u8]>>,
    up: Line<Box<[u8]>>,
}

impl Work {
    /// Waits for something to do, and does it.
    fn turn(&mut self) -> io::Result<()> {
        let mut fds = [&self.server, &self.viewer].map(|file| PollFd::new(file, PollFlags::IN));
        wait(&mut fds, earlier(self.down.next_at(), self.up.next_at()))?;
        let [from_server, from_viewer] = fds.map(|fd| !fd.revents().is_empty());
        write(&mut self.down, &mut self.viewer);
        write(&mut self.up, &mut self.server);
        if from_server {
            read(&mut self.server, &mut self.down)?;
        }
        if from_viewer {
            read(&mut self.viewer, &mut self.up)?;
        }
        Ok(())
    }
}

/// Takes in what there is, but not for so long that what is due would wait.
fn read(file: &mut File, line: &mut Line<Box<[u8]>>) -> io::Result<()> {
    let mut buffer = [0; PACKET_BYTES_MAX];
    for _ in 0..PACKETS_A_TURN {
        match file.read(&mut buffer) {
            Ok(n) => {
                let packet = &buffer[..n];
                // IPv6 looks for neighbours of its own accord, at times that no seed knows.
                if packet.first().is_some_and(|first| first >> 4 == 4) {
                    line.send(Instant::now(), n, Box::from(packet));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// What the other side does not take is lost, as on any path.
fn write(line: &mut Line<Box<[u8]>>, file: &mut File) {
    while let Some(packet) = line.due(Instant::now()) {
        let _ = file.write(&packet);
    }
}

/// Over the devices' 1500.
const PACKET_BYTES_MAX: usize = 2048;
/// A key frame's; some 100 us.
const PACKETS_A_TURN: usize = 40;
