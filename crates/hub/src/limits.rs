//! Every bound of the hub, with its unit and the sum behind it.

use std::time::Duration;

use crate::takeover::TakeOver;

/// What the hub keeps, and for how long.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Streams at one time; those that are published and those that are only waited for are counted
    /// apart, so that no crowd keeps a publisher out. Default 10 000.
    pub streams_max: usize,
    /// What a stream's log keeps.
    pub retain: Retain,
    /// How long viewers wait for a publisher that has left. Default 30 s.
    pub republish_wait: Duration,
    /// Who may take a stream over from its publisher.
    pub take_over: TakeOver,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            streams_max: 10_000,
            retain: Retain::default(),
            republish_wait: Duration::from_secs(30),
            take_over: TakeOver::SameCredential,
        }
    }
}

/// How much of a stream its log keeps. Whatever is over any of the first three goes, oldest first,
/// of whatever kind it is.
#[derive(Debug, Clone, Copy)]
pub struct Retain {
    /// Bytes of payload. Default 32 MiB: six seconds at 40 Mbit/s.
    pub bytes_max: u64,
    /// Frames. Default 8192: at 100 a second, of video and sound, 80 seconds.
    pub frames_max: usize,
    /// Media time, ms. Default 30 000: a key frame interval longer than that is a mistake.
    pub span_max_ms: u64,
    /// Media time that newcomers may want, ms: frames older than the newest key frame of this age
    /// go. Default 6000: the deepest start, 5000, and a second for the slow.
    pub want_ms: u64,
}

impl Default for Retain {
    fn default() -> Self {
        Retain { bytes_max: 32 << 20, frames_max: 8192, span_max_ms: 30_000, want_ms: 6000 }
    }
}

/// How far behind the head a viewer may fall before it jumps.
///
/// What the viewer was behind when it started or last jumped is added to both, until it has been
/// level with the head once.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// Media time, ms.
    pub max_ms: u64,
    /// Payload bytes.
    pub max_bytes: u64,
}

impl Lag {
    /// For viewers who tolerate seconds: 5 s, 8 MiB.
    pub const LIVE: Lag = Lag { max_ms: 5000, max_bytes: 8 << 20 };
    /// For viewers who talk back: 1 s, 4 MiB.
    pub const RTC: Lag = Lag { max_ms: 1000, max_bytes: 4 << 20 };
}
