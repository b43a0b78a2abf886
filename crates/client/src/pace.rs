//! Sending frames at the pace they were recorded at.

use std::time::{Duration, Instant};

use thalweg_wire::time::Dts;

/// Says when a frame is due.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    origin: Option<(Instant, Dts)>,
}

impl Pace {
    /// A pace that begins with the first frame it is asked about.
    pub fn new() -> Self {
        Pace::default()
    }

    /// When a frame of this time is due. A clock that leaps by over ten seconds begins anew.
    pub fn due(&mut self, dts: Dts, now: Instant) -> Instant {
        let (begin, zero) = *self.origin.get_or_insert((now, dts));
        let offset = dts - zero;
        let due = match u64::try_from(offset) {
            Ok(ms) => begin + Duration::from_millis(ms),
            Err(_) => begin,
        };
        if due > now + LEAP || offset < -(LEAP.as_millis() as Dts) {
            self.origin = Some((now, dts));
            return now;
        }
        due
    }

    /// Waits until a frame is due.
    pub async fn wait(&mut self, dts: Dts) {
        let due = self.due(dts, Instant::now());
        tokio::time::sleep_until(due.into()).await;
    }
}

const LEAP: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_due_at_their_distance() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let ms = Duration::from_millis;
        assert_eq!(pace.due(5000, now), now);
        assert_eq!(pace.due(5040, now), now + ms(40));
        assert_eq!(pace.due(4990, now), now, "before the first is at once");
        assert_eq!(pace.due(5080, now + ms(500)), now + ms(80), "late is late");
    }

    #[test]
    fn a_leap_begins_anew() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        pace.due(0, now);
        assert_eq!(pace.due(3_600_000, now), now);
        assert_eq!(pace.due(3_600_040, now), now + Duration::from_millis(40));
        assert_eq!(pace.due(0, now), now);
    }
}
