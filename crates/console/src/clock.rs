//! What time it is.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where moments come from, so that a test has its own. How long something takes is tokio's affair.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, UNIX ms.
    fn now_ms(&self) -> u64;

    /// Now, UNIX seconds.
    fn now(&self) -> u64 {
        self.now_ms() / 1000
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        unix_ms(SystemTime::now())
    }
}

/// A moment for people, in UTC: `2027-03-01 09:30:00 UTC`.
pub(crate) fn moment(unix_s: u64) -> String {
    // Days in eras of 400 years, which are all alike; a year begins in March, so that its last day is the one that
    // may be missing. What is beyond the year 9999 means for ever.
    if unix_s > END_OF_9999 {
        return "for ever".to_owned();
    }
    let (days, s) = (unix_s / 86_400 + 719_468, unix_s % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * march + 2) / 5 + 1, (march + 2) % 12 + 1);
    let year = era * 400 + year + u64::from(month <= 2);
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} UTC")
}

const END_OF_9999: u64 = 253_402_300_799;

/// A moment as UNIX ms; one before 1970 is 1970.
pub fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_by_people() {
        for (unix_s, want) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_705_300_864, "2024-01-15 06:41:04 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (END_OF_9999, "9999-12-31 23:59:59 UTC"),
            (u64::MAX, "for ever"),
        ] {
            assert_eq!(moment(unix_s), want);
        }
    }
}
