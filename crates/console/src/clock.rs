//! What time it is.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// A moment for people: as [`utc`], and what is later than that has no end.
pub(crate) fn moment(unix_s: u64) -> String {
    utc(unix_s).unwrap_or_else(|| "for ever".to_owned())
}

/// A moment as `2027-03-01 09:30:00 UTC`; `None` after the year 9999.
pub fn utc(unix_s: u64) -> Option<String> {
    let time =
        UNIX_EPOCH.checked_add(Duration::from_secs(unix_s)).filter(|_| unix_s <= END_OF_9999)?;
    let text = humantime::format_rfc3339_seconds(time).to_string();
    Some(text.replace('T', " ").replace('Z', " UTC"))
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
