//! How many may come in: connections in all, and strangers by address and by what they hold.
//!
//! A stranger is a peer that has not yet been let in to anything. Whoever has shown a valid URL no
//! longer counts against its address: a school is one address. What strangers make us keep, bytes
//! of messages that are not whole, has one bound for all of them together, of which those of one
//! address have a part.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_access::Reason;

/// The counts.
#[derive(Debug)]
pub struct Gate {
    counts: Mutex<Counts>,
}

/// The caps.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateLimits {
    /// Connections at one time.
    pub connections_max: usize,
    /// Strangers of one address.
    pub strangers_max: usize,
    /// Bytes that all strangers may make us keep.
    pub strangers_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    limits: GateLimits,
    connections: usize,
    refusals: usize,
    /// Peers that were not even refused, since someone asked.
    unheard: u64,
    strangers: HashMap<IpAddr, Strangers>,
    strangers_bytes: usize,
}

/// The strangers of one address.
#[derive(Debug, Default)]
struct Strangers {
    connections: usize,
    /// What they make us keep.
    bytes: usize,
}

/// A connection's place. Dropping it leaves.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
    is_stranger: bool,
    /// Set when the peer is only let in to be told why it is not.
    refusal: Option<Reason>,
}

/// What one stranger makes us keep. Dropping it gives that back.
#[derive(Debug)]
pub struct Held {
    gate: Arc<Gate>,
    address: IpAddr,
    bytes: usize,
}

impl Gate {
    /// A gate with these caps.
    pub fn new(limits: GateLimits) -> Arc<Self> {
        Arc::new(Gate { counts: Mutex::new(Counts { limits, ..Counts::default() }) })
    }

    /// Other caps, for whoever comes from now on.
    pub fn set_limits(&self, limits: GateLimits) {
        self.counts().limits = limits;
    }

    /// Lets a peer in, or lets it in to be refused, or not at all: `None` when even those who
    /// are only to be told "no" are too many.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let address = group(peer);
        let mut counts = self.counts();
        let strangers = counts.strangers.get(&address).map_or(0, |s| s.connections);
        let refusal = if counts.connections >= counts.limits.connections_max {
            Some(Reason::Full)
        } else if strangers >= counts.limits.strangers_max {
            Some(Reason::TooMany)
        } else {
            None
        };
        if refusal.is_some() {
            if counts.refusals >= REFUSALS_MAX {
                counts.unheard += 1;
                return None;
            }
            counts.refusals += 1;
        } else {
            counts.connections += 1;
            counts.change(address, |s| s.connections += 1);
        }
        let is_stranger = refusal.is_none();
        Some(Place { gate: Arc::clone(self), address, is_stranger, refusal })
    }

    /// Connections let in, now.
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// Peers that were not let in even to be refused, since the last call.
    pub fn take_unheard(&self) -> u64 {
        std::mem::take(&mut self.counts().unheard)
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Why the peer is to be told no, if it is.
    pub fn refusal(&self) -> Option<Reason> {
        self.refusal
    }

    /// Begins to count what the peer makes us keep while it is a stranger.
    pub fn hold(&self) -> Held {
        Held { gate: Arc::clone(&self.gate), address: self.address, bytes: 0 }
    }

    /// Takes one of the places kept for publishers on a server that is full otherwise. Answers
    /// whether there was one.
    pub fn take_reserved(&mut self) -> bool {
        let gate = Arc::clone(&self.gate);
        let mut counts = gate.counts();
        let reserve = (counts.limits.connections_max / RESERVE_PART).max(RESERVE_MIN);
        let is_free = counts.connections < counts.limits.connections_max + reserve;
        if self.refusal == Some(Reason::Full) && is_free {
            counts.refusals -= 1;
            counts.connections += 1;
            self.refusal = None;
        }
        self.refusal.is_none()
    }

    /// The peer has been let in to something.
    pub fn let_in(&mut self) {
        if std::mem::take(&mut self.is_stranger) {
            self.gate.counts().change(self.address, |s| s.connections -= 1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        if self.refusal.is_some() {
            counts.refusals -= 1;
        } else {
            counts.connections -= 1;
        }
        if self.is_stranger {
            counts.change(self.address, |s| s.connections -= 1);
        }
    }
}

impl Held {
    /// Says how much it is now; false when all strangers together, or those of its address, hold
    /// too much.
    pub fn set(&mut self, bytes: usize) -> bool {
        if bytes == self.bytes {
            return true;
        }
        let before = self.bytes;
        self.bytes = bytes;
        let mut counts = self.gate.counts();
        let max = counts.limits.strangers_bytes_max;
        counts.strangers_bytes = counts.strangers_bytes + bytes - before;
        let mut of_address = 0;
        counts.change(self.address, |s| {
            s.bytes = s.bytes + bytes - before;
            of_address = s.bytes;
        });
        counts.strangers_bytes <= max && of_address <= max / ADDRESS_PART
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Counts {
    /// Changes the counts of an address; one without any is forgotten.
    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Strangers)) {
        let strangers = self.strangers.entry(address).or_default();
        change(strangers);
        if strangers.connections == 0 && strangers.bytes == 0 {
            self.strangers.remove(&address);
        }
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one
/// subscriber gets.
fn group(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Places kept for publishers beside those for everyone: one in sixteen, sixteen at least. A crowd
/// of viewers must not keep out what they came to see.
const RESERVE_PART: usize = 16;
const RESERVE_MIN: usize = 16;
/// Part of what all strangers may hold that those of one address may.
const ADDRESS_PART: usize = 4;
/// Peers let in only to be refused, at one time. Each costs a handshake and a few kilobytes.
const REFUSALS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(connections_max: usize, strangers_max: usize, strangers_bytes_max: usize) -> Arc<Gate> {
        Gate::new(GateLimits { connections_max, strangers_max, strangers_bytes_max })
    }

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn strangers_are_counted_by_address_and_known_peers_are_not() {
        let gate = gate(100, 2, 0);
        let mut first = gate.enter(v4(1)).unwrap();
        let _second = gate.enter(v4(1)).unwrap();
        assert_eq!(gate.enter(v4(1)).unwrap().refusal(), Some(Reason::TooMany));
        assert_eq!(gate.enter(v4(2)).unwrap().refusal(), None);
        first.let_in();
        assert_eq!(gate.enter(v4(1)).unwrap().refusal(), None);
    }

    #[test]
    fn a_full_server_still_says_so() {
        let gate = gate(3, 99, 0);
        let inside: Vec<_> = (0..3).map(|i| gate.enter(v4(i)).unwrap()).collect();
        let refused: Vec<_> = (0..REFUSALS_MAX).map(|_| gate.enter(v4(9)).unwrap()).collect();
        assert!(refused.iter().all(|p| p.refusal() == Some(Reason::Full)));
        assert!(gate.enter(v4(9)).is_none(), "but not to everyone at once");
        assert_eq!((gate.take_unheard(), gate.take_unheard()), (1, 0), "who are counted");
        drop((inside, refused));
        assert_eq!(gate.connections(), 0);
        assert!(gate.counts().strangers.is_empty());
    }

    #[test]
    fn a_full_server_has_places_for_publishers() {
        let gate = gate(2, 99, 0);
        let _viewers: Vec<_> = (0..2).map(|i| gate.enter(v4(i)).unwrap()).collect();
        let mut publishers: Vec<_> = (0..17).map(|i| gate.enter(v4(10 + i)).unwrap()).collect();
        let let_in = publishers.iter_mut().filter_map(|p| p.take_reserved().then_some(())).count();
        assert_eq!(let_in, RESERVE_MIN);
        drop(publishers);
        assert_eq!((gate.connections(), gate.counts().refusals), (2, 0));
    }

    #[test]
    fn one_ipv6_subscriber_is_one_address() {
        let gate = gate(100, 1, 0);
        let _one = gate.enter("2001:db8::1".parse().unwrap()).unwrap();
        let refused = |a: &str| gate.enter(a.parse().unwrap()).unwrap().refusal().is_some();
        assert!(refused("2001:db8::2"));
        assert!(!refused("2001:db8:0:1::2"));
        let _mapped = gate.enter("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert!(refused("192.0.2.1"));
    }

    #[test]
    fn what_strangers_hold_is_counted_over_all_of_them() {
        let gate = gate(100, 100, 1000);
        let places: Vec<_> = (0..5).map(|i| gate.enter(v4(i)).unwrap()).collect();
        let mut held: Vec<_> = places.iter().map(Place::hold).collect();
        assert!(held.iter_mut().take(4).all(|h| h.set(250)));
        assert!(!held[4].set(1), "one byte more than all may hold");
        held.remove(1);
        assert!(held[3].set(240));
        drop(held);
        assert_eq!(gate.counts().strangers_bytes, 0);
    }

    #[test]
    fn strangers_of_one_address_hold_no_more_than_their_part() {
        let gate = gate(100, 100, 1000);
        let places: Vec<_> = (0..3).map(|_| gate.enter(v4(1)).unwrap()).collect();
        let mut held: Vec<_> = places.iter().map(Place::hold).collect();
        assert!(held[0].set(200) && held[1].set(50));
        assert!(!held[2].set(1), "they have a quarter");
        let other = gate.enter(v4(2)).unwrap();
        assert!(other.hold().set(250), "which is nothing to another");
        drop((held, places));
        assert_eq!(gate.counts().strangers.len(), 1);
    }
}
