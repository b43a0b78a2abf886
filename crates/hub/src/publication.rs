//! The right to write to a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;
use tokio::sync::watch;

use crate::anomalies::Oddities;
use crate::events::Anomalies;
use crate::log::is_start;
use crate::stream::Stream;
use crate::takeover::Credential;

/// Who publishes.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Where from.
    pub peer: SocketAddr,
    /// What it has shown, if anything was asked.
    pub credential: Option<Credential>,
    /// What it calls itself.
    pub agent: String,
}

/// Why a publisher must leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Leave {
    /// A newer publisher took the stream over.
    #[error("replaced by a newer push from {by}")]
    Replaced {
        /// Its address.
        by: SocketAddr,
    },
    /// An operator sent it away.
    #[error("an operator closed this stream{}", note(*bar))]
    Kicked {
        /// How long nobody may publish it.
        bar: Duration,
    },
    /// The account may not publish any more.
    #[error("live streaming was closed for this account")]
    Closed,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The seat was lost before; who sits there now is told above.
    #[error("no longer the publisher of this stream")]
    Gone,
}

fn note(bar: Duration) -> String {
    match bar.as_secs() {
        0 => String::new(),
        s => format!("; it may be published again in {s} s"),
    }
}

/// The seat of a stream's publisher. Dropping it unpublishes.
#[derive(Debug)]
pub struct Publication {
    stream: Arc<Stream>,
    epoch: u64,
    leave: watch::Receiver<Option<Leave>>,
    rebase: Rebase,
    await_key: AwaitKey,
    oddities: Oddities,
    /// Payload bytes it has brought.
    bytes: u64,
    now: Instant,
}

/// Whether pictures are held back until one that can be decoded by itself.
#[derive(Debug, Clone, Copy)]
enum AwaitKey {
    No,
    /// Since the first that was held back, once there is one.
    Since(Option<Instant>),
}

/// How a publisher's time becomes the stream's.
#[derive(Debug)]
enum Rebase {
    /// The stream's first publication: time is as it came.
    Keep,
    /// A later one, before its first media: that continues at this time.
    ContinueAt(Dts),
    /// A later one: add the offset. The latest time of its media stands beside it.
    Add { offset: Dts, latest: Dts },
}

impl Publication {
    /// A publication of a stream whose log ended at `end`: time, and moment.
    pub(crate) fn new(
        stream: Arc<Stream>,
        epoch: u64,
        leave: watch::Receiver<Option<Leave>>,
        end: Option<(Dts, Instant)>,
        now: Instant,
    ) -> Self {
        let rebase = match end {
            None => Rebase::Keep,
            Some((dts, last)) => {
                let gap = now.saturating_duration_since(last).as_millis() as Dts;
                Rebase::ContinueAt(dts.saturating_add(gap.max(GAP_MIN_MS)))
            }
        };
        let await_key = end.map_or(AwaitKey::No, |_| AwaitKey::Since(None));
        let oddities = Oddities::new(now);
        Publication { stream, epoch, leave, rebase, await_key, oddities, bytes: 0, now }
    }

    /// Appends a frame to the stream's log.
    ///
    /// Pictures of a later publication begin with a key frame: before it, viewers of the one before
    /// would decode them against its pictures.
    ///
    /// # Errors
    /// When the seat is lost: the publisher must go.
    pub fn append(&mut self, mut frame: Frame, now: Instant) -> Result<(), Leave> {
        self.now = now;
        self.bytes += frame.payload.len() as u64;
        self.oddities.look(&frame, now);
        if frame.kind == Kind::Video && frame.is_media() && self.await_key.holds_back(&frame, now) {
            return Ok(());
        }
        frame.dts = self.rebase.apply(&frame);
        self.stream.append(self.epoch, frame, now).map_err(|_| self.why())
    }

    /// Takes note of the chunk size that the publisher has announced. Cheap when it is the same.
    pub fn note_chunk_bytes(&mut self, bytes: u32, now: Instant) {
        self.oddities.look_at_chunks(bytes, now);
    }

    /// Whether there is something odd that was not yet told. Cheap.
    pub fn is_odd(&self) -> bool {
        self.oddities.has_any()
    }

    /// What was odd since the last time, if anything was and it is time to say so: once in
    /// [`REPORT_PAUSE`](crate::REPORT_PAUSE), and at the end.
    pub fn anomalies(&mut self, is_end: bool, now: Instant, at: SystemTime) -> Option<Anomalies> {
        let (interval_ms, list) = self.oddities.take(is_end, now, at)?;
        Some(Anomalies { key: self.stream.key().clone(), epoch: self.epoch, at, interval_ms, list })
    }

    /// Payload bytes it has brought.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until the publisher must leave. May be polled while frames are appended.
    pub fn must_leave(&self) -> impl Future<Output = Leave> + Send + use<> {
        let mut leave = self.leave.clone();
        async move {
            match leave.wait_for(Option::is_some).await {
                Ok(why) => why.unwrap_or(Leave::Gone),
                Err(_) => Leave::Gone,
            }
        }
    }

    /// Waits until a viewer asks for a key frame.
    pub async fn key_wanted(&self) {
        self.stream.key_wanted.notified().await;
    }

    /// The stream written to.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Tells this publication from all others of this stream: a newer one is greater.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Ends the publication at a known time; a mere drop takes that of the last frame.
    pub fn close(mut self, now: Instant) {
        self.now = now;
    }

    fn why(&self) -> Leave {
        self.leave.borrow().unwrap_or(Leave::Gone)
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.stream.vacate(self.epoch, self.now);
    }
}

impl AwaitKey {
    fn holds_back(&mut self, frame: &Frame, now: Instant) -> bool {
        let AwaitKey::Since(since) = self else {
            return false;
        };
        let since = *since.get_or_insert(now);
        let holds = !is_start(frame) && now.saturating_duration_since(since) < KEY_WAIT;
        if !holds {
            *self = AwaitKey::No;
        }
        holds
    }
}

impl Rebase {
    fn apply(&mut self, frame: &Frame) -> Dts {
        match self {
            Rebase::Keep => frame.dts,
            Rebase::ContinueAt(at) if !frame.is_media() => *at,
            Rebase::ContinueAt(at) => {
                let latest = *at;
                *self = Rebase::Add { offset: latest.saturating_sub(frame.dts), latest };
                latest
            }
            Rebase::Add { offset, latest } => {
                let dts = frame.dts.saturating_add(*offset);
                if frame.is_media() {
                    *latest = dts;
                    return dts;
                }
                // Headers are often stamped 0, whenever they are repeated.
                let belongs = (*latest..=latest.saturating_add(HEADER_AHEAD_MAX_MS)).contains(&dts);
                if belongs { dts } else { *latest }
            }
        }
    }
}

/// Between the last frame of one publication and the first of the next: a frame at 25 a second.
const GAP_MIN_MS: Dts = 40;
/// A header further than this ahead of its media has a time that means nothing.
const HEADER_AHEAD_MAX_MS: Dts = 10_000;
/// A stream without key frames for so long has none; its pictures are let through.
const KEY_WAIT: Duration = Duration::from_secs(10);
