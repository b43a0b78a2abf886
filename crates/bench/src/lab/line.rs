//! Packets on their way in one direction: what an impairment lets through, until it is due.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use serde::Serialize;

use super::impair::{Fate, Impairment};

/// A queue of packets in order of the moment they are due, which is the order they came in.
#[derive(Debug)]
pub(super) struct Line<T> {
    impairment: Impairment,
    queue: VecDeque<(Instant, usize, T)>,
    bytes: usize,
    carried: Carried,
}

/// What went along a line, and whether the line itself was in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Packets that came.
    pub packets: u64,
    /// Those that the path dropped.
    pub dropped: u64,
    /// Those that were dropped because more than [`Carried::BYTES_MAX`] were on their way: a fault of
    /// the measurement, and none should be.
    pub overflowed: u64,
    /// Packets that came out over 1 ms after their time: the machine was busy.
    pub late: u64,
    /// The worst of these, us.
    pub late_us_max: u64,
}

impl<T> Line<T> {
    pub(super) fn new(impairment: Impairment) -> Line<T> {
        Line { impairment, queue: VecDeque::new(), bytes: 0, carried: Carried::default() }
    }

    /// Takes a packet; `bytes` is its length, IP header and all.
    pub(super) fn send(&mut self, now: Instant, bytes: usize, packet: T) {
        self.carried.packets += 1;
        match self.impairment.offer(now, bytes) {
            Fate::Drop => self.carried.dropped += 1,
            Fate::Deliver(_) if self.bytes + bytes > Carried::BYTES_MAX => {
                self.carried.overflowed += 1;
            }
            Fate::Deliver(at) => {
                self.bytes += bytes;
                self.queue.push_back((at, bytes, packet));
            }
        }
    }

    /// The next packet whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<T> {
        if self.next_at()? > now {
            return None;
        }
        let (at, bytes, packet) = self.queue.pop_front()?;
        self.bytes -= bytes;
        let late_us = (now - at).as_micros() as u64;
        self.carried.late += u64::from(late_us > LATE_US);
        self.carried.late_us_max = self.carried.late_us_max.max(late_us);
        Some(packet)
    }

    /// When the next packet is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.queue.front().map(|(at, ..)| *at)
    }

    pub(super) fn carried(&self) -> Carried {
        self.carried
    }
}

impl Carried {
    /// What may be on its way in one direction: twice the 8 MiB that a QUIC client of ours grants.
    pub const BYTES_MAX: usize = 16 << 20;

    /// Both directions together.
    pub fn and(self, other: Carried) -> Carried {
        Carried {
            packets: self.packets + other.packets,
            dropped: self.dropped + other.dropped,
            overflowed: self.overflowed + other.overflowed,
            late: self.late + other.late,
            late_us_max: self.late_us_max.max(other.late_us_max),
        }
    }
}

/// Waits until something can be read, a packet is due, or it is time to look whether it is all over.
pub(super) fn wait(fds: &mut [PollFd<'_>], next_at: Option<Instant>) -> io::Result<()> {
    let wait = next_at.map_or(LOOK_EACH, |at| at.saturating_duration_since(Instant::now()));
    let wait = wait.min(LOOK_EACH);
    let wait = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
    match poll(fds, Some(&wait)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The earlier of two.
pub(super) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

/// How long whoever ends a bridge or a relay waits for it. Under a second: see `wait`.
const LOOK_EACH: Duration = Duration::from_millis(20);
const LATE_US: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::impair::{Direction, Path};

    #[test]
    fn packets_come_out_at_their_time_and_in_order() {
        let (now, ms) = (Instant::now(), Duration::from_millis);
        let mut line = Line::new(Path::clean(ms(50)).impairment(Direction::Down, 1, now));
        line.send(now, 100, 'a');
        line.send(now + ms(1), 100, 'b');
        assert_eq!(line.next_at(), Some(now + ms(25)));
        assert_eq!(line.due(now + ms(24)), None);
        assert_eq!(line.due(now + ms(25)), Some('a'));
        assert_eq!(line.due(now + ms(25)), None);
        assert_eq!(line.due(now + ms(30)), Some('b'));
        let carried = line.carried();
        assert_eq!((carried.packets, carried.late, carried.late_us_max), (2, 1, 4000));
    }

    #[test]
    fn a_line_holds_no_more_than_its_bound() {
        let now = Instant::now();
        let clean = Path::clean(Duration::from_secs(1));
        let mut line = Line::new(clean.impairment(Direction::Down, 1, now));
        for _ in 0..Carried::BYTES_MAX / 1024 + 5 {
            line.send(now, 1024, ());
        }
        assert_eq!((line.carried().overflowed, line.carried().dropped), (5, 0));
    }
}
