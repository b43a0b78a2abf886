//! What acknowledgements show of a path.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Bytes acknowledged and lost, the older worth less.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    pub(super) acked: u64,
    pub(super) lost: u64,
    halved_at: Option<Instant>,
}

impl Recent {
    pub(super) fn fade(&mut self, now: Instant) {
        let halved_at = self.halved_at.get_or_insert(now);
        while now.saturating_duration_since(*halved_at) >= FADE {
            *halved_at += FADE;
            self.acked /= 2;
            self.lost /= 2;
            if self.acked == 0 && self.lost == 0 {
                *halved_at = now;
            }
        }
    }

    pub(super) fn lost_percent(&self) -> u64 {
        (100 * self.lost).checked_div(self.acked + self.lost).unwrap_or_default()
    }
}

/// Bytes acknowledged in the last tenth of a second, in buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct Delivered {
    /// When each bucket began, and its bytes; oldest first.
    buckets: VecDeque<(Instant, u64)>,
}

impl Delivered {
    pub(super) fn add(&mut self, now: Instant, bytes: u64) {
        match self.buckets.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < DELIVERED_BUCKET => {
                *sum += bytes;
            }
            _ => self.buckets.push_back((now, bytes)),
        }
        let is_old = |at: Instant| now.saturating_duration_since(at) >= DELIVERED_SPAN;
        while self.buckets.front().is_some_and(|(at, _)| is_old(*at)) {
            self.buckets.pop_front();
        }
    }

    /// What is carried in so long a time, at the rate of late.
    pub(super) fn bytes_in(&self, time: Duration) -> u64 {
        let sum: u64 = self.buckets.iter().map(|(_, bytes)| bytes).sum();
        let bytes = sum as f64 * time.as_secs_f64() / DELIVERED_SPAN.as_secs_f64();
        bytes as u64
    }
}

/// The least round trip of this moment: one that took longer may have been unlucky.
#[derive(Debug, Clone, Default)]
pub(super) struct Latest {
    /// When the moment began, and its least.
    moment: Option<(Instant, Duration)>,
}

impl Latest {
    pub(super) fn add(&mut self, now: Instant, rtt: Duration) {
        match &mut self.moment {
            Some((at, least)) if now.saturating_duration_since(*at) < MOMENT => {
                *least = rtt.min(*least);
            }
            moment => *moment = Some((now, rtt)),
        }
    }

    pub(super) fn least(&self) -> Option<Duration> {
        self.moment.map(|(_, rtt)| rtt)
    }
}

/// The least round trip of late, in buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct MinRtt {
    /// When each bucket began, and its least; oldest first.
    buckets: VecDeque<(Instant, Duration)>,
}

impl MinRtt {
    pub(super) fn add(&mut self, now: Instant, rtt: Duration) {
        let fresh = |at: Instant| now.saturating_duration_since(at);
        match self.buckets.back_mut() {
            Some((at, least)) if fresh(*at) < BUCKET => *least = rtt.min(*least),
            _ => self.buckets.push_back((now, rtt)),
        }
        while self.buckets.len() > 1
            && self.buckets.front().is_some_and(|(at, _)| fresh(*at) >= SPAN)
        {
            self.buckets.pop_front();
        }
    }

    pub(super) fn least(&self) -> Option<Duration> {
        self.buckets.iter().map(|(_, rtt)| *rtt).min()
    }

    /// The least of the younger half.
    pub(super) fn recent(&self, now: Instant) -> Option<Duration> {
        let is_young = |at: Instant| now.saturating_duration_since(at) < LOOK_EVERY;
        self.buckets.iter().filter(|(at, _)| is_young(*at)).map(|(_, rtt)| *rtt).min()
    }
}

/// Twice before the least round trip is forgotten.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
const DELIVERED_SPAN: Duration = Duration::from_millis(100);
const DELIVERED_BUCKET: Duration = Duration::from_millis(10);
const FADE: Duration = Duration::from_millis(500);
/// The least round trip is that of the last 10 s.
const SPAN: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(20);
const BUCKET: Duration = Duration::from_secs(1);
