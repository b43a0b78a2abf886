//! How far the peer's clock is from ours (section 6, CLOCK).
//!
//! Of several exchanges, the one with the shortest round trip knows best: half of a round trip is the
//! most by which its answer can be wrong.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::control::ClockResponse;

/// When to ask, and what the answers come to.
#[derive(Debug)]
pub struct Clock {
    asked: u32,
    ask_at: Instant,
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    rtt_us: u64,
    offset_us: i64,
}

impl Clock {
    /// A clock that asks at once.
    pub fn new(now: Instant) -> Self {
        Clock { asked: 0, ask_at: now, samples: VecDeque::new() }
    }

    /// When to ask next.
    pub fn poll_timeout(&self) -> Instant {
        self.ask_at
    }

    /// The number of the question to ask now, if it is time: five quickly, then one each five seconds.
    pub fn poll_question(&mut self, now: Instant) -> Option<u32> {
        if now < self.ask_at {
            return None;
        }
        self.asked += 1;
        self.ask_at = now + if self.asked < QUICK { QUICK_PAUSE } else { PAUSE };
        Some(self.asked)
    }

    /// An answer, and our clock when it came, microseconds. One that cannot be is ignored.
    pub fn handle_response(&mut self, response: ClockResponse, came_us: u64, now: Instant) {
        let ClockResponse { id, asked_us, came_us: there_us, answered_us } = response;
        let (Some(whole), Some(there)) =
            (came_us.checked_sub(asked_us), answered_us.checked_sub(there_us))
        else {
            return;
        };
        let Some(rtt_us) = whole.checked_sub(there).filter(|_| id <= self.asked) else { return };
        let (Ok(asked), Ok(there_at)) = (i64::try_from(asked_us), i64::try_from(there_us)) else {
            return;
        };
        let Some(offset_us) = there_at.checked_sub(asked.saturating_add((rtt_us / 2) as i64))
        else {
            return;
        };
        self.samples.retain(|s| now.saturating_duration_since(s.at) < SPAN);
        self.samples.push_back(Sample { at: now, rtt_us, offset_us });
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// What to add to our clock to get the peer's, microseconds.
    pub fn offset_us(&self) -> Option<i64> {
        self.samples.iter().min_by_key(|s| s.rtt_us).map(|s| s.offset_us)
    }
}

const QUICK: u32 = 5;
const QUICK_PAUSE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(5);
/// Clocks drift: an exchange is worth something for so long.
const SPAN: Duration = Duration::from_secs(30);
/// Of 30 s, and the quick ones.
const SAMPLES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: u32, asked_us: u64, there_us: u64) -> ClockResponse {
        ClockResponse { id, asked_us, came_us: there_us, answered_us: there_us + 100 }
    }

    #[test]
    fn the_shortest_round_trip_knows_best() {
        let now = Instant::now();
        let mut clock = Clock::new(now);
        assert_eq!(clock.poll_question(now), Some(1));
        assert_eq!(clock.offset_us(), None);
        // There it is one second later; 20 ms each way, then 20 there and 180 back.
        clock.handle_response(answer(1, 1_000, 1_021_000), 41_100, now);
        assert_eq!(clock.offset_us(), Some(1_000_000));
        clock.handle_response(answer(1, 50_000, 1_070_000), 250_100, now);
        assert_eq!(clock.offset_us(), Some(1_000_000));
        let later = now + Duration::from_secs(31);
        clock.handle_response(answer(1, 50_000, 2_070_000), 90_100, later);
        assert_eq!(clock.offset_us(), Some(2_000_000), "the old ones are forgotten");
    }

    #[test]
    fn it_asks_five_times_and_then_seldom() {
        let start = Instant::now();
        let mut clock = Clock::new(start);
        let asked: Vec<u64> = (0..30_000)
            .step_by(100)
            .filter(|ms| clock.poll_question(start + Duration::from_millis(*ms)).is_some())
            .collect();
        assert_eq!(asked, [0, 200, 400, 600, 800, 5800, 10_800, 15_800, 20_800, 25_800]);
    }

    #[test]
    fn answers_that_cannot_be_change_nothing() {
        let now = Instant::now();
        let mut clock = Clock::new(now);
        clock.poll_question(now);
        for (response, came_us) in [
            (answer(1, 500, 600), 400),
            (answer(2, 500, 600), 900),
            (answer(1, 500, 600), 550),
            (ClockResponse { id: 1, asked_us: 0, came_us: u64::MAX, answered_us: u64::MAX }, 10),
        ] {
            clock.handle_response(response, came_us, now);
            assert_eq!(clock.offset_us(), None, "{response:?}");
        }
    }
}
