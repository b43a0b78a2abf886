//! A client and a server in memory, with a clock that is turned by hand.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thalweg_wire::Error;
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::{Address, Limits, client, server};

/// Two sessions that talk to each other.
#[derive(Debug)]
pub struct Pair {
    /// The client's side.
    pub client: client::Session,
    /// The server's side.
    pub server: server::Session,
    /// What happened at the client, not yet looked at.
    pub client_events: VecDeque<client::Event>,
    /// What happened at the server, not yet looked at.
    pub server_events: VecDeque<server::Event>,
    /// The time.
    pub now: Instant,
    /// Everything the client has sent.
    pub sent: Vec<u8>,
    /// Everything the server has sent.
    pub answered: Vec<u8>,
}

impl Pair {
    /// A client that wants `purpose` of `rtmp://host/live/room?q=1`.
    pub fn new(purpose: client::Purpose, style: Style) -> Self {
        let (now, limits) = (Instant::now(), Limits::default());
        let address = Address::from_url("rtmp://host/live/room?q=1").unwrap();
        Pair {
            client: client::Session::new(purpose, address, style, &limits, 1, now),
            server: server::Session::new(limits, 2, now),
            client_events: VecDeque::new(),
            server_events: VecDeque::new(),
            now,
            sent: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// Carries bytes both ways until both are still.
    ///
    /// # Errors
    /// What either side found wrong with the other.
    ///
    /// # Panics
    /// When they never stop talking.
    pub fn drive(&mut self) -> Result<(), Error> {
        for _ in 0..ROUNDS_MAX {
            let mut still = true;
            loop {
                match self.client.poll_output() {
                    client::Output::Transmit(bytes) => {
                        self.sent.extend_from_slice(&bytes);
                        self.server.handle_bytes(self.now, &bytes)?;
                        still = false;
                    }
                    client::Output::Event(event) => self.client_events.push_back(event),
                    client::Output::Timeout(_) => break,
                }
            }
            loop {
                match self.server.poll_output() {
                    server::Output::Transmit(bytes) => {
                        self.answered.extend_from_slice(&bytes);
                        self.client.handle_bytes(&bytes)?;
                        still = false;
                    }
                    server::Output::Event(event) => self.server_events.push_back(event),
                    server::Output::Timeout(_) => break,
                }
            }
            if still {
                return Ok(());
            }
        }
        panic!("the peers talk without end");
    }

    /// Drives, accepting whatever is asked, until nothing is.
    pub fn drive_accepting(&mut self) {
        self.drive().unwrap();
        while self.server.is_deciding() {
            self.server.accept(self.now).unwrap();
            self.drive().unwrap();
        }
    }

    /// Turns the clock and tells both sides.
    ///
    /// # Errors
    /// When a deadline of the server has passed.
    pub fn wait(&mut self, time: Duration) -> Result<(), Error> {
        self.now += time;
        self.server.handle_timeout(self.now)?;
        self.client.handle_timeout(self.now)
    }
}

const ROUNDS_MAX: usize = 100;
