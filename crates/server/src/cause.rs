//! Why a publication ended, in words and in the vendor's numbers.

use std::fmt;

use thalweg_hub::Leave;
use thalweg_wire::Error;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::rtmp::server::By;

use crate::drive::Ended;
use crate::rtmp::Over;

/// Why a publication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    DeleteStream,
    CloseStream,
    PeerClosed,
    Network(String),
    MessageTooLong(String),
    Misbehaved(String),
    Silent(String),
    Left(Leave),
}

impl Cause {
    /// The vendor's `errcode` of a push's end: 1 to 4 and 7 are its own; those above 100, which it
    /// calls internal, are ours.
    pub(crate) fn errcode(&self) -> u32 {
        match self {
            Cause::DeleteStream => 1,
            Cause::CloseStream => 2,
            Cause::PeerClosed => 3,
            Cause::Network(_) => 4,
            Cause::MessageTooLong(_) => 7,
            Cause::Misbehaved(_) => 101,
            Cause::Silent(_) => 102,
            Cause::Left(Leave::Replaced { .. }) => 103,
            Cause::Left(Leave::Stopping) => 104,
            Cause::Left(Leave::Gone) => 105,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::DeleteStream => f.write_str("the publisher deleted its stream"),
            Cause::CloseStream => f.write_str("the publisher closed its stream"),
            Cause::PeerClosed => f.write_str("the publisher closed the connection"),
            Cause::Network(words)
            | Cause::MessageTooLong(words)
            | Cause::Misbehaved(words)
            | Cause::Silent(words) => f.write_str(words),
            Cause::Left(leave) => leave.fmt(f),
        }
    }
}

impl From<&Over> for Cause {
    fn from(over: &Over) -> Self {
        match over {
            Over::Peer(By::DeleteStream) => Cause::DeleteStream,
            Over::Peer(By::CloseStream) => Cause::CloseStream,
            Over::Connection(ended) => ended.into(),
            Over::Seat(leave) => Cause::Left(*leave),
        }
    }
}

impl From<&Ended> for Cause {
    fn from(ended: &Ended) -> Self {
        let words = ended.to_string();
        match ended {
            Ended::Closed => Cause::PeerClosed,
            Ended::Io(_) => Cause::Network(words),
            Ended::Protocol(Error::Misbehaved(Misbehaved::MessageTooLong { .. })) => {
                Cause::MessageTooLong(words)
            }
            Ended::Protocol(Error::Misbehaved(Misbehaved::Silent | Misbehaved::NoMedia)) => {
                Cause::Silent(words)
            }
            Ended::Protocol(_) | Ended::Full => Cause::Misbehaved(words),
        }
    }
}
