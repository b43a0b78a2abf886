//! A client and a server of RTMP-UDP in memory: their control streams, and a clock turned by hand.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thalweg_wire::Error;
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::client::{self, Wishes};
use thalweg_wire::rtmp_udp::server;

/// Two sessions that talk to each other.
#[derive(Debug)]
pub struct UdpPair {
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

impl UdpPair {
    /// A client that wants `purpose` of `rtmp://host/live/room?q=1`.
    pub fn new(purpose: Purpose) -> Self {
        UdpPair::wishing(purpose, &Wishes::default())
    }

    /// The same, for a viewer of wishes.
    pub fn wishing(purpose: Purpose, wishes: &Wishes) -> Self {
        let now = Instant::now();
        let address = Address::from_url("rtmp://host/live/room?q=1").unwrap();
        UdpPair {
            client: client::Session::new(purpose, &address, wishes, now),
            server: server::Session::new(now),
            client_events: VecDeque::new(),
            server_events: VecDeque::new(),
            now,
            sent: Vec::new(),
            answered: Vec::new(),
        }
    }

    /// One whose questions have all been answered with yes, and whose events are looked at.
    pub fn accepted(purpose: Purpose) -> Self {
        let mut pair = UdpPair::new(purpose);
        for _ in QUESTIONS {
            pair.drive().unwrap();
            pair.server.accept(SESSION).unwrap();
        }
        pair.drive().unwrap();
        pair
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

    /// Turns the clock and tells both sides.
    ///
    /// # Errors
    /// When a deadline has passed.
    pub fn wait(&mut self, time: Duration) -> Result<(), Error> {
        self.now += time;
        self.server.handle_timeout(self.now)?;
        self.client.handle_timeout(self.now)
    }
}

/// What a server of these calls a session.
pub const SESSION: &str = "0123456789abcdef0123456789abcdef";
/// What a client asks, one after the other.
const QUESTIONS: [&str; 2] = ["connect", "publish or play"];
const ROUNDS_MAX: usize = 100;
