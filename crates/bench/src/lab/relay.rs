//! A bad path for UDP alone, on loopback: for those who may not make a network, and for tests.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use super::impair::{Direction, Path};
use super::line::{Carried, Line, earlier, wait};

/// A relay at work, on a thread of its own, until dropped. Its clients share one path.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Carried>>,
}

impl Relay {
    /// Most clients at a time; what others send is dropped. Five times the viewers a stream may have.
    pub const CLIENTS_MAX: usize = 50;

    /// Puts a path before a server: whoever sends to [`address`](Self::address) talks to the server.
    ///
    /// # Errors
    /// When no socket or thread can be had.
    pub fn start(to: SocketAddr, path: &Path, seed: u64) -> io::Result<Relay> {
        Relay::start_at(to, path, seed, Instant::now())
    }

    /// The same, for a path whose time begins at another moment.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(to: SocketAddr, path: &Path, seed: u64, began: Instant) -> io::Result<Relay> {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        front.set_nonblocking(true)?;
        let (address, over) = (front.local_addr()?, Arc::new(AtomicBool::new(false)));
        let mut work = Work {
            front,
            to,
            clients: Vec::new(),
            up: Line::new(path.impairment(Direction::Up, seed, began)),
            down: Line::new(path.impairment(Direction::Down, seed, began)),
            buffer: vec![0; DATAGRAM_BYTES_MAX].into(),
        };
        let told = Arc::clone(&over);
        let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
            while !told.load(Ordering::Relaxed) && work.turn().is_ok() {}
            work.up.carried().and(work.down.carried())
        })?;
        Ok(Relay { address, over, thread: Some(thread) })
    }

    /// Where clients send.
    pub fn address(&self) -> SocketAddr {
        self.address
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

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

struct Work {
    front: UdpSocket,
    to: SocketAddr,
    clients: Vec<Client>,
    /// Packets and the number of the client whose they are.
    up: Line<(usize, Box<[u8]>)>,
    down: Line<(usize, Box<[u8]>)>,
    buffer: Box<[u8]>,
}

/// A client, and the socket that stands for it before the server.
struct Client {
    address: SocketAddr,
    back: UdpSocket,
}

impl Work {
    /// Waits for something to do, and does it.
    fn turn(&mut self) -> io::Result<()> {
        let sockets = [&self.front].into_iter().chain(self.clients.iter().map(|c| &c.back));
        let mut fds: Vec<_> = sockets.map(|s| PollFd::new(s, PollFlags::IN)).collect();
        wait(&mut fds, earlier(self.up.next_at(), self.down.next_at()))?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>();
        let from_clients = ready.remove(0);
        self.deliver();
        if from_clients {
            self.read_clients()?;
        }
        for (n, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
            self.read_server(n);
        }
        Ok(())
    }

    /// What cannot be sent is lost, as on any path.
    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some((n, packet)) = self.up.due(now) {
            let _ = self.clients[n].back.send(&packet);
        }
        while let Some((n, packet)) = self.down.due(now) {
            let _ = self.front.send_to(&packet, self.clients[n].address);
        }
    }

    fn read_clients(&mut self) -> io::Result<()> {
        while let Ok((bytes, from)) = self.front.recv_from(&mut self.buffer) {
            let n = match self.clients.iter().position(|c| c.address == from) {
                Some(n) => n,
                None if self.clients.len() == Relay::CLIENTS_MAX => continue,
                None => {
                    self.clients.push(Client::new(from, self.to)?);
                    self.clients.len() - 1
                }
            };
            let packet = (n, Box::from(&self.buffer[..bytes]));
            self.up.send(Instant::now(), bytes + HEADER_BYTES, packet);
        }
        Ok(())
    }

    fn read_server(&mut self, n: usize) {
        // A port where nobody listens answers with an error: on a path that is silence.
        while let Ok(bytes) = self.clients[n].back.recv(&mut self.buffer) {
            let packet = (n, Box::from(&self.buffer[..bytes]));
            self.down.send(Instant::now(), bytes + HEADER_BYTES, packet);
        }
    }
}

impl Client {
    fn new(address: SocketAddr, to: SocketAddr) -> io::Result<Client> {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let back = UdpSocket::bind(any)?;
        back.set_nonblocking(true)?;
        back.connect(to)?;
        Ok(Client { address, back })
    }
}

const DATAGRAM_BYTES_MAX: usize = 65_535;
/// IPv4 and UDP.
const HEADER_BYTES: usize = 20 + 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lab::impair::Loss;

    /// A server that says everything again, until it is told to stop.
    fn echo() -> (SocketAddr, JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 100];
            while let Ok((n, from)) = socket.recv_from(&mut buffer)
                && n > 0
            {
                socket.send_to(&buffer[..n], from).unwrap();
            }
        });
        (address, thread)
    }

    fn client(to: SocketAddr) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    #[test]
    fn every_client_gets_its_own_answers_after_the_paths_time() {
        let (server, thread) = echo();
        let relay = Relay::start(server, &Path::clean(Duration::from_millis(40)), 1).unwrap();
        let (one, other) = (client(relay.address()), client(relay.address()));
        let began = Instant::now();
        let mut buffer = [0; 100];
        for (socket, words) in [(&one, "one"), (&other, "other")] {
            socket.send(words.as_bytes()).unwrap();
        }
        for (socket, words) in [(&one, "one"), (&other, "other")] {
            let n = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], words.as_bytes());
        }
        assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());
        assert_eq!(relay.stop().packets, 4);
        client(server).send(b"").unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn what_a_path_loses_does_not_come() {
        let (server, thread) = echo();
        let path = Path { loss: Loss::Random { share: 0.5 }, ..Path::clean(Duration::ZERO) };
        let relay = Relay::start(server, &path, 1).unwrap();
        let one = client(relay.address());
        one.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        for _ in 0..100 {
            one.send(b"is anyone there?").unwrap();
        }
        let answers = std::iter::from_fn(|| one.recv(&mut [0; 100]).ok()).count();
        assert!((5..60).contains(&answers), "a quarter comes back: {answers}");
        let carried = relay.stop();
        assert!(carried.dropped > 40, "{carried:?}");
        client(server).send(b"").unwrap();
        thread.join().unwrap();
    }
}
