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

/// A moment as UNIX ms; one before 1970 is 1970.
pub fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}
