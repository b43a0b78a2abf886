//! Who gets a stream that is already being published.
//!
//! After a network failure the old publisher is often still there, half dead, when the real one
//! comes back. It must make way at once; but a stranger must not be able to push it out, and two
//! encoders that were given one URL must not push each other out for ever.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::publication::Publisher;
use crate::stream::{Moments, Seated};

/// When a second publisher may take a stream over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TakeOver {
    /// At once, if both came with the same credential.
    #[default]
    SameCredential,
    /// Only when the incumbent has sent nothing for [`STALE_AFTER`].
    StaleOnly,
    /// Not at all: the incumbent leaves, or its silence is cut.
    Never,
}

/// What a publisher has shown to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is. Two of the same may replace each other.
    pub of: String,
    /// Whether it is good enough to replace another publisher, or only to be replaced.
    pub takes_over: bool,
}

/// The stream has a publisher, who stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("in use by {by}{}", self.note())]
pub struct InUse {
    /// Address of the incumbent.
    pub by: SocketAddr,
    /// Set while two encoders seem to fight: for how long newcomers are refused.
    pub fenced_for: Option<Duration>,
}

impl InUse {
    fn note(&self) -> String {
        self.fenced_for.map_or_else(String::new, |left| {
            format!(
                "; two encoders seem to push the same stream, so it stays there for {} s more",
                left.as_secs().max(1)
            )
        })
    }
}

/// What a stream remembers of take-overs.
#[derive(Debug, Default)]
pub(crate) struct Flapping {
    recent: Moments,
    fenced_until: Option<Instant>,
}

impl TakeOver {
    /// Whether `newcomer` may replace `incumbent` now; if so, the take-over is counted.
    pub(crate) fn decide(
        self,
        flapping: &mut Flapping,
        incumbent: &Seated,
        newcomer: &Publisher,
        now: Instant,
    ) -> Result<(), InUse> {
        let refused = |fenced_for| Err(InUse { by: incumbent.publisher.peer, fenced_for });
        let same = match (&newcomer.credential, &incumbent.publisher.credential) {
            (Some(new), Some(old)) => new.of == old.of && new.takes_over,
            _ => false,
        };
        // A push without a credential never disturbs anything, however dead the incumbent looks.
        if !same || self == TakeOver::Never {
            return refused(None);
        }
        let stale = now.saturating_duration_since(incumbent.last_frame) >= STALE_AFTER;
        if stale {
            return Ok(());
        }
        if self == TakeOver::StaleOnly {
            return refused(None);
        }
        flapping.take_over(now).or_else(|left| refused(Some(left)))
    }
}

impl Flapping {
    /// Counts a take-over of a live publisher, or answers how long there may be none.
    fn take_over(&mut self, now: Instant) -> Result<(), Duration> {
        if let Some(until) = self.fenced_until {
            if now < until {
                return Err(until - now);
            }
            self.fenced_until = None;
            self.recent.clear();
        }
        while self.recent.front().is_some_and(|&t| now - t >= WINDOW) {
            self.recent.pop_front();
        }
        if self.recent.len() == TAKE_OVERS_MAX {
            self.fenced_until = Some(now + FENCE);
            return Err(FENCE);
        }
        self.recent.push_back(now);
        Ok(())
    }
}

/// An incumbent that has sent nothing for this long is no rival.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// So many take-overs in [`WINDOW`] are one encoder with a bad line; one more is two encoders.
const TAKE_OVERS_MAX: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);
const FENCE: Duration = Duration::from_secs(60);
