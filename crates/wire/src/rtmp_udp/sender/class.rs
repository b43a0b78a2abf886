//! What a message is worth: how urgent it is, and for how long.

use std::time::Duration;

use super::{Header, Id};
use crate::media::Kind;

/// What a message is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Audio,
    /// What a viewer starts with: it takes its time, and says nothing about the path.
    Burst,
    Key,
    Data,
    Delta,
    Disposable,
}

impl Class {
    pub(super) fn of(header: &Header) -> Class {
        match header.kind {
            Kind::Audio => Class::Audio,
            Kind::Data => Class::Data,
            Kind::Video if header.flags.key => Class::Key,
            Kind::Video if header.flags.disposable => Class::Disposable,
            Kind::Video => Class::Delta,
        }
    }

    /// Whether it depends on pictures before it.
    pub(super) fn is_delta(self) -> bool {
        matches!(self, Class::Delta | Class::Disposable)
    }

    /// How urgent it is, 5 being most.
    pub(super) fn level(self) -> u8 {
        match self {
            Class::Audio => 5,
            Class::Key | Class::Burst => 4,
            Class::Data => 3,
            Class::Delta => 2,
            Class::Disposable => 1,
        }
    }

    /// Of the transport's streams: by urgency, then by age. No two have the same, because among equals a
    /// transport sends in turn, or the one it has begun; the control stream has [`CONTROL_PRIORITY`](super::CONTROL_PRIORITY).
    pub(super) fn priority(self, id: Id) -> i32 {
        let youth = (id % (1 << AGE_BITS)) as i32;
        (i32::from(self.level()) << AGE_BITS) + ((1 << AGE_BITS) - 1 - youth)
    }

    /// Urgency for an order that has the best first.
    pub(super) fn rank(self) -> u8 {
        u8::MAX - self.level()
    }

    /// D1: how long it is worth sending.
    pub(super) fn time(self, srtt: Duration) -> Duration {
        let ms = Duration::from_millis;
        match self {
            Class::Audio => ms(400),
            Class::Disposable => ms(250),
            Class::Delta | Class::Data => ms(800).max(8 * srtt),
            Class::Key => ms(1500).max(12 * srtt),
            Class::Burst => ms(4000).max(12 * srtt),
        }
    }
}

/// Of a priority: the age. Ids go round once in three weeks of 73 frames a second, for a moment in the
/// wrong order.
const AGE_BITS: u32 = 27;
