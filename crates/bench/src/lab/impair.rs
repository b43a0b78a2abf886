//! What a path does to packets, one direction at a time. Pure: time is an argument, chance has a seed.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::dice::Dice;

/// A path between two ends: the same in both directions, with a chance of its own in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// There and back, without any queue. Each direction takes half of it.
    pub rtt: Duration,
    /// What is lost, apart from what a full queue drops.
    pub loss: Loss,
    /// Where it is narrow; `None` for a path as fast as the machine.
    pub bottleneck: Option<Bottleneck>,
}

/// How packets get lost. Shares are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Each packet for itself.
    Random {
        /// Of all packets.
        share: f64,
    },
    /// Several in a row, after Gilbert: in a burst all are lost, between bursts none.
    Bursts {
        /// Of all packets.
        share: f64,
        /// Packets of a burst, in the mean.
        packets_mean: f64,
    },
    /// Everything, for a while; both times are exponentially distributed.
    Outages {
        /// How long nothing gets through, in the mean.
        dark_mean: Duration,
        /// How long everything does.
        light_mean: Duration,
    },
}

/// A narrow place with a queue before it that drops what comes when it is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bottleneck {
    /// What it carries, with IP headers.
    pub bits_per_s: u64,
    /// What it carries in the time of `narrow`.
    pub narrow_bits_per_s: u64,
    /// From when to when, counted from the path's beginning.
    pub narrow: Range<Duration>,
    /// The longest that a packet waits.
    pub queue_max: Duration,
}

/// Of the two ways along a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From server to viewer.
    Down,
    /// Back.
    Up,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Drop,
    /// It comes out at this moment, never before one that was offered earlier.
    Deliver(Instant),
}

/// One direction of a path. The same seed and the same packets at the same times have the same fates.
#[derive(Debug, Clone)]
pub struct Impairment {
    path: Path,
    began: Instant,
    dice: Dice,
    /// In a burst, or in an outage.
    is_dark: bool,
    /// When an outage, or the time between two, is over.
    until: Option<Instant>,
    /// When the narrow place has sent all that was let in.
    free_at: Option<Instant>,
}

impl Path {
    /// A path that only takes its time.
    pub fn clean(rtt: Duration) -> Path {
        Path { rtt, loss: Loss::Random { share: 0.0 }, bottleneck: None }
    }

    /// One direction of it. What changes over time counts from `began`, which may still be to come.
    pub fn impairment(&self, direction: Direction, seed: u64, began: Instant) -> Impairment {
        let seed = seed.wrapping_mul(2).wrapping_add(u64::from(direction == Direction::Up));
        let (path, dice) = (self.clone(), Dice::new(seed));
        Impairment { path, began, dice, is_dark: false, until: None, free_at: None }
    }
}

impl Impairment {
    /// Takes a packet of so many bytes, IP header and all.
    pub fn offer(&mut self, now: Instant, bytes: usize) -> Fate {
        let is_lost = self.loses(now);
        let Some(sent_at) = self.through_bottleneck(now, bytes) else { return Fate::Drop };
        if is_lost { Fate::Drop } else { Fate::Deliver(sent_at + self.path.rtt / 2) }
    }

    fn loses(&mut self, now: Instant) -> bool {
        match self.path.loss {
            Loss::Random { share } => self.dice.falls(share),
            Loss::Bursts { share, packets_mean } => {
                let end = 1.0 / packets_mean.max(1.0);
                let begin = (end * share / (1.0 - share).max(f64::EPSILON)).min(1.0);
                let turns = self.dice.falls(if self.is_dark { end } else { begin });
                self.is_dark ^= turns;
                self.is_dark
            }
            Loss::Outages { dark_mean, light_mean } => {
                let mut until = *self.until.get_or_insert_with(|| now + self.dice.time(light_mean));
                while until <= now {
                    self.is_dark = !self.is_dark;
                    let mean = if self.is_dark { dark_mean } else { light_mean };
                    // Not nothing: a mean of 0 would never get past now.
                    until += self.dice.time(mean).max(OUTAGE_MIN);
                }
                self.until = Some(until);
                self.is_dark
            }
        }
    }

    /// When the narrow place has sent it. `None` when the queue before it is full.
    fn through_bottleneck(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(bottleneck) = &self.path.bottleneck else { return Some(now) };
        let start = self.free_at.map_or(now, |at| at.max(now));
        if start - now > bottleneck.queue_max {
            return None;
        }
        let rate = bottleneck.rate(start.saturating_duration_since(self.began));
        let free_at = start + Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        self.free_at = Some(free_at);
        Some(free_at)
    }
}

impl Bottleneck {
    fn rate(&self, at: Duration) -> u64 {
        let is_narrow = self.narrow.contains(&at);
        (if is_narrow { self.narrow_bits_per_s } else { self.bits_per_s }).max(1)
    }
}

const OUTAGE_MIN: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const BYTES: usize = 1500;

    /// One direction of a path of 50 ms.
    fn impairment(loss: Loss, bottleneck: Option<Bottleneck>, seed: u64) -> (Impairment, Instant) {
        let began = Instant::now();
        let path = Path { rtt: 50 * MS, loss, bottleneck };
        (path.impairment(Direction::Down, seed, began), began)
    }

    /// Fates of packets that come each so often.
    fn fates(loss: Loss, each: Duration, packets: u32, seed: u64) -> Vec<bool> {
        let (mut one, began) = impairment(loss, None, seed);
        (0..packets).map(|i| one.offer(began + each * i, BYTES) == Fate::Drop).collect()
    }

    fn share(fates: &[bool]) -> f64 {
        fates.iter().filter(|lost| **lost).count() as f64 / fates.len() as f64
    }

    fn mean_run(fates: &[bool]) -> f64 {
        let runs = fates.chunk_by(|a, b| a == b).filter(|run| run[0]);
        fates.iter().filter(|lost| **lost).count() as f64 / runs.count().max(1) as f64
    }

    #[test]
    fn a_clean_path_takes_half_of_its_rtt() {
        let (mut one, began) = impairment(Loss::Random { share: 0.0 }, None, 1);
        for i in 0..1000 {
            let now = began + MS * i;
            assert_eq!(one.offer(now, BYTES), Fate::Deliver(now + 25 * MS));
        }
    }

    #[test]
    fn what_is_lost_is_as_much_and_as_long_as_was_said() {
        let random = Loss::Random { share: 0.05 };
        let bursts = Loss::Bursts { share: 0.2, packets_mean: 5.0 };
        let outages = Loss::Outages { dark_mean: 40 * MS, light_mean: 160 * MS };
        for seed in 1..=5 {
            let lost = fates(random, MS, 100_000, seed);
            assert!((0.045..0.055).contains(&share(&lost)), "{}", share(&lost));
            assert!(mean_run(&lost) < 1.1);
            let lost = fates(bursts, MS, 100_000, seed);
            assert!((0.18..0.22).contains(&share(&lost)), "{}", share(&lost));
            assert!((4.5..5.5).contains(&mean_run(&lost)), "{}", mean_run(&lost));
            let lost = fates(outages, MS, 400_000, seed);
            assert!((0.17..0.23).contains(&share(&lost)), "{}", share(&lost));
            assert!((36.0..44.0).contains(&mean_run(&lost)), "{} ms", mean_run(&lost));
        }
    }

    #[test]
    fn the_same_seed_has_the_same_fates_and_each_direction_its_own() {
        let loss = Loss::Bursts { share: 0.2, packets_mean: 5.0 };
        assert_eq!(fates(loss, MS, 1000, 7), fates(loss, MS, 1000, 7));
        assert_ne!(fates(loss, MS, 1000, 7), fates(loss, MS, 1000, 8));
        let path = Path { loss, ..Path::clean(50 * MS) };
        let began = Instant::now();
        let of = |direction| {
            let mut one = path.impairment(direction, 7, began);
            (0..1000).map(|i| one.offer(began + MS * i, BYTES)).collect::<Vec<_>>()
        };
        assert_ne!(of(Direction::Down), of(Direction::Up));
    }

    fn bottleneck() -> Bottleneck {
        Bottleneck {
            bits_per_s: 3_000_000,
            narrow_bits_per_s: 1_200_000,
            narrow: 10_000 * MS..16_000 * MS,
            queue_max: 300 * MS,
        }
    }

    #[test]
    fn a_bottleneck_carries_its_rate_and_no_more() {
        let (mut one, began) = impairment(Loss::Random { share: 0.0 }, Some(bottleneck()), 1);
        // 6 Mbit/s, for 30 s.
        let mut delivered = Vec::new();
        for i in 0..15_000 {
            let now = began + 2 * MS * i;
            if let Fate::Deliver(at) = one.offer(now, BYTES) {
                // The queue, its last packet, and the way.
                assert!(at - now <= (300 + 10 + 25) * MS, "{:?}", at - now);
                delivered.push(at - 25 * MS - began);
            }
        }
        assert!(delivered.is_sorted(), "in order");
        let carried = |from: u32, to: u32| {
            let range = MS * from..MS * to;
            let packets = delivered.iter().filter(|at| range.contains(at)).count();
            packets as f64 * BYTES as f64 * 8.0
                / range.end.saturating_sub(range.start).as_secs_f64()
        };
        for (from, to, rate) in [(1000, 9000, 3e6), (10_100, 15_900, 1.2e6), (16_100, 30_000, 3e6)]
        {
            let carried = carried(from, to);
            assert!((carried / rate - 1.0).abs() < 0.02, "{carried} from {from} to {to} ms");
        }
    }

    #[test]
    fn what_comes_before_time_begins_does_not_wait_for_it() {
        let now = Instant::now();
        let path = Path { bottleneck: Some(bottleneck()), ..Path::clean(50 * MS) };
        let mut early = path.impairment(Direction::Down, 1, now + 1000 * MS);
        let Fate::Deliver(at) = early.offer(now, BYTES) else { panic!("dropped") };
        assert!(at < now + 50 * MS);
    }

    #[test]
    fn a_bottleneck_that_is_wide_enough_holds_nothing_back() {
        let (mut one, began) = impairment(Loss::Random { share: 0.0 }, Some(bottleneck()), 1);
        for i in 0..100 {
            let now = began + 10 * MS * i;
            assert_eq!(one.offer(now, BYTES), Fate::Deliver(now + (4 + 25) * MS));
        }
    }
}
