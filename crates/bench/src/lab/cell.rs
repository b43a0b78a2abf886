//! Cells of the table: paths with a name, and how well the stream is to do on them.

use std::str::FromStr;
use std::time::Duration;

use super::impair::{Bottleneck, Loss, Path};

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// So many per cent of the packets are lost, each for itself: `loss-5`.
    Loss(u8),
    /// 20 % in bursts of 5 packets, in the mean: `burst-20`.
    Burst,
    /// 40 ms of nothing, after each 160 ms, in the mean: `outage`.
    Outage,
    /// 3 Mbit/s, and 1.2 Mbit/s for a fifth of the time; a queue of 300 ms; 0.5 % lost: `rate`.
    Rate,
    /// 3 Mbit/s all the time, a queue of 300 ms, and nothing lost but what finds it full: `narrow`. Not
    /// one of the table: it is for a stream that has a greedy flow beside it.
    Narrow,
}

/// What is asked of a cell, with an RTT of 50 ms and a key frame each second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// 99 of 100 pictures come within so long, ms.
    pub p99_ms: f64,
    /// Most pictures in 30 s that cannot be decoded.
    pub undecodable: Option<u64>,
    /// Most frames of sound that are lost, per cent.
    pub audio_lost_percent: Option<f64>,
}

impl Cell {
    /// Those of the table.
    pub const ALL: [Cell; 7] = [
        Cell::Loss(0),
        Cell::Loss(1),
        Cell::Loss(5),
        Cell::Loss(10),
        Cell::Burst,
        Cell::Outage,
        Cell::Rate,
    ];
    /// The worst loss that can be asked for, per cent.
    pub const LOSS_MAX: u8 = 50;

    /// The path, for a measurement of so many seconds: the rate falls when a third of it is over.
    pub fn path(self, rtt: Duration, seconds: u64) -> Path {
        let loss = match self {
            Cell::Loss(percent) => Loss::Random { share: f64::from(percent) / 100.0 },
            Cell::Burst => Loss::Bursts { share: 0.2, packets_mean: 5.0 },
            Cell::Outage => Loss::Outages {
                dark_mean: Duration::from_millis(40),
                light_mean: Duration::from_millis(160),
            },
            Cell::Rate => Loss::Random { share: 0.005 },
            Cell::Narrow => Loss::Random { share: 0.0 },
        };
        let part = |of_30: u64| Duration::from_millis(seconds * 1000 * of_30 / 30);
        let narrow = if self == Cell::Rate { part(10)..part(16) } else { part(0)..part(0) };
        let bottleneck = matches!(self, Cell::Rate | Cell::Narrow).then_some(Bottleneck {
            bits_per_s: 3_000_000,
            narrow_bits_per_s: 1_200_000,
            narrow,
            queue_max: Duration::from_millis(300),
        });
        Path { rtt, loss, bottleneck }
    }

    /// The goal, if there is one for these conditions.
    pub fn goal(self, rtt_ms: u64, gop_s: u64) -> Option<Goal> {
        let (p99_ms, undecodable, audio_lost_percent) = match self {
            Cell::Loss(0..=1) => (100.0, Some(0), None),
            Cell::Loss(2..=5) => (150.0, Some(0), None),
            Cell::Loss(6..=10) => (210.0, Some(3), None),
            Cell::Burst => (400.0, Some(60), None),
            Cell::Rate => (400.0, None, Some(2.0)),
            Cell::Loss(_) | Cell::Outage | Cell::Narrow => return None,
        };
        let goal = Goal { p99_ms, undecodable, audio_lost_percent };
        Some(goal).filter(|_| (rtt_ms, gop_s) == (50, 1))
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Loss(percent) => write!(f, "loss-{percent}"),
            Cell::Burst => f.write_str("burst-20"),
            Cell::Outage => f.write_str("outage"),
            Cell::Rate => f.write_str("rate"),
            Cell::Narrow => f.write_str("narrow"),
        }
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Cell, String> {
        let loss = text.strip_prefix("loss-").and_then(|n| n.parse().ok());
        match (text, loss) {
            (_, Some(percent)) if percent <= Cell::LOSS_MAX => Ok(Cell::Loss(percent)),
            ("burst-20", _) => Ok(Cell::Burst),
            ("outage", _) => Ok(Cell::Outage),
            ("rate", _) => Ok(Cell::Rate),
            ("narrow", _) => Ok(Cell::Narrow),
            _ => Err(format!(
                "a cell is loss-N, with N per cent from 0 to {}, burst-20, outage, rate or narrow",
                Cell::LOSS_MAX
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cells_name_is_read_as_that_cell() {
        for cell in Cell::ALL.into_iter().chain([Cell::Narrow]) {
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
        for bad in ["", "loss", "loss-51", "loss--1", "loss-x", "burst-30"] {
            assert!(Cell::from_str(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_rate_falls_in_the_same_part_of_any_run() {
        let narrow = |s| Cell::Rate.path(Duration::ZERO, s).bottleneck.map(|b| b.narrow);
        let s = Duration::from_secs;
        assert_eq!(narrow(30), Some(s(10)..s(16)));
        assert_eq!(narrow(15), Some(s(5)..s(8)));
        let always = Cell::Narrow.path(Duration::ZERO, 30).bottleneck;
        assert!(always.is_some_and(|b| b.narrow.is_empty()));
    }
}
