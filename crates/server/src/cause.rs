//! Why a publication ended, in words and in the vendor's numbers.

use std::fmt;

use thalweg_hub::Leave;
use thalweg_wire::Error;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::rtmp::server::By;

use crate::drive::Ended;

/// Why a publication ended.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The publisher ended it, and stays.
    Peer(By),
    /// The connection has ended.
    Connection(Ended),
    /// The hub took the seat away.
    Seat(Leave),
}

impl Cause {
    /// The vendor's `errcode` of a push's end: 1 to 4 and 7 are its own; those above 100, which it
    /// calls internal, are ours.
    pub(crate) fn errcode(&self) -> u32 {
        match self {
            Cause::Peer(By::DeleteStream) => 1,
            Cause::Peer(By::CloseStream) => 2,
            Cause::Connection(Ended::Closed) => 3,
            Cause::Connection(Ended::Io(_)) => 4,
            Cause::Connection(Ended::Protocol(Error::Misbehaved(why))) => match why {
                Misbehaved::MessageTooLong { .. } => 7,
                Misbehaved::Silent | Misbehaved::NoMedia => 102,
                _ => 101,
            },
            Cause::Connection(Ended::Protocol(_) | Ended::Full) => 101,
            Cause::Seat(Leave::Replaced { .. }) => 103,
            Cause::Seat(Leave::Stopping) => 104,
            Cause::Seat(Leave::Gone) => 105,
            Cause::Seat(Leave::Kicked { .. }) => 106,
            Cause::Seat(Leave::Closed) => 107,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Peer(By::DeleteStream) => f.write_str("the publisher deleted its stream"),
            Cause::Peer(By::CloseStream) => f.write_str("the publisher closed its stream"),
            Cause::Connection(Ended::Closed) => f.write_str("the publisher closed the connection"),
            Cause::Connection(ended) => ended.fmt(f),
            Cause::Seat(leave) => leave.fmt(f),
        }
    }
}
