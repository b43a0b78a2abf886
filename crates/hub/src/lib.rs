//! Live streams. A stream is a log, a viewer is a cursor.
//!
//! A publisher appends each frame once to the log of its stream; every viewer reads the same log
//! from a place of its own. There is no queue per viewer, so a viewer that reads slowly costs
//! nothing but its cursor, and being late means one thing: the cursor is too far behind the head.
//!
//! | to ... | start at |
//! |---|---|
//! | become the publisher of a stream | [`Hub::publish`], which gives a [`Publication`] |
//! | watch a stream | [`Hub::subscribe`], which gives a [`Subscription`] |
//! | see what is live | [`Hub::snapshot`], [`Hub::viewers`] |
//! | hear what happens | [`Hub::events`] |
//! | let waiting times run out | [`Hub::sweep`], once a second |
//!
//! Nothing here reads a clock: time is an argument. Nothing here knows a protocol.

mod anomalies;
mod bell;
pub mod events;
#[doc(hidden)]
pub mod fuzz;
mod gaps;
mod gop;
mod hub;
mod limits;
mod log;
mod publication;
mod stats;
mod stream;
mod subscription;
mod takeover;
mod viewers;

pub use anomalies::{Anomaly, REPORT_PAUSE};
pub use bell::Bell;
pub use events::{Event, EventReader, Events, What};
pub use gop::{ConfigSet, Depth};
pub use hub::{Hub, InProcess, PublishError, Registry, StreamKey, TooManyBarred};
pub use limits::{Lag, Limits, Retain};
pub use log::Seq;
pub use publication::{Leave, Publication, Publisher};
pub use stats::{
    AudioInfo, Protocol, PublisherSnapshot, Snapshot, StreamSnapshot, Totals, VideoInfo,
};
pub use stream::{Life, Stream};
pub use subscription::{Batch, Filter, Opening, Skipped, Subscription};
pub use takeover::{Credential, InUse, STALE_AFTER, TakeOver};
pub use viewers::{
    Away, NoEntry, Orders, Ticket, ViewerFilter, ViewerSnapshot, Watching, address_of,
};
