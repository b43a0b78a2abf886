//! How even a publisher's frames come.

use std::time::{Duration, Instant};

/// The longest time between two frames of late. Whoever looks once a second misses none.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    last: Option<Instant>,
    /// When the span began that is counted now; the one before lasted until then.
    began: Option<Instant>,
    longest: Duration,
    longest_before: Duration,
}

impl Gaps {
    pub(crate) fn frame(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else {
            self.began = Some(now);
            return;
        };
        let age = self.age(now);
        if age >= SPAN {
            self.longest_before = if age < 2 * SPAN { self.longest } else { Duration::ZERO };
            (self.longest, self.began) = (Duration::ZERO, Some(now));
        }
        self.longest = self.longest.max(now.saturating_duration_since(last));
    }

    /// The longest that ended in the last second at least, two at most, or that has not ended; `None` before the
    /// first frame.
    pub(crate) fn longest(&self, now: Instant) -> Option<Duration> {
        let open = now.saturating_duration_since(self.last?);
        let age = self.age(now);
        let ended = [(self.longest, 2 * SPAN), (self.longest_before, SPAN)];
        let ended = ended.into_iter().filter(|(_, until)| age < *until).map(|(gap, _)| gap);
        Some(ended.fold(open, Duration::max))
    }

    fn age(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began))
    }
}

const SPAN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Frames at these times, ms, and a look each second: what it sees, ms.
    fn looks(frames: impl IntoIterator<Item = u64>, seconds: u64) -> Vec<u64> {
        let start = Instant::now();
        let mut frames = frames.into_iter().peekable();
        let mut gaps = Gaps::default();
        let look = |second| {
            while let Some(at) = frames.next_if(|at| *at <= second * 1000) {
                gaps.frame(start + ms(at));
            }
            gaps.longest(start + ms(second * 1000)).map_or(0, |gap| gap.as_millis() as u64)
        };
        (1..=seconds).map(look).collect()
    }

    #[test]
    fn a_gap_between_two_looks_is_seen_and_soon_forgotten() {
        let frames = (0..6000).step_by(40).filter(|at| !(2100..2800).contains(at));
        let seen = looks(frames, 6);
        assert_eq!((seen[0], seen[1]), (40, 40));
        assert_eq!(seen[2], 720, "it began and ended between the second and the third");
        assert!(seen[3] == 40 || seen[3] == 720, "{seen:?}");
        assert_eq!((seen[4], seen[5]), (40, 40));
    }

    #[test]
    fn one_that_lasts_grows_and_is_told_whole_when_it_ends() {
        let frames = (0..9000).step_by(40).filter(|at| !(1010..4990).contains(at));
        let seen = looks(frames, 8);
        assert_eq!(seen[..4], [40, 1000, 2000, 3000]);
        assert_eq!(seen[4], 4000);
        assert_eq!(seen[7], 40);
    }

    #[test]
    fn before_the_first_frame_there_is_none() {
        assert_eq!(Gaps::default().longest(Instant::now()), None);
    }
}
