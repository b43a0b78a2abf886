//! The right to write to a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use thalweg_wire::media::Frame;
use thalweg_wire::time::Dts;
use tokio::sync::watch;

use crate::log::Seq;
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
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The seat was lost before; who sits there now is told above.
    #[error("no longer the publisher of this stream")]
    Gone,
}

/// The seat of a stream's publisher. Dropping it unpublishes.
#[derive(Debug)]
pub struct Publication {
    stream: Arc<Stream>,
    epoch: u64,
    leave: watch::Receiver<Option<Leave>>,
    rebase: Rebase,
    now: Instant,
}

/// How a publisher's time becomes the stream's.
#[derive(Debug)]
enum Rebase {
    /// The stream's first publication: time is as it came.
    Keep,
    /// A later one, before its first media: that continues at this time.
    ContinueAt(Dts),
    /// A later one: add this.
    Add(Dts),
}

impl Publication {
    pub(crate) fn new(
        stream: Arc<Stream>,
        epoch: u64,
        leave: watch::Receiver<Option<Leave>>,
        now: Instant,
    ) -> Self {
        let end = stream.lock().log.end();
        let rebase = match end {
            None => Rebase::Keep,
            Some((dts, last)) => {
                let gap = now.saturating_duration_since(last).as_millis() as Dts;
                Rebase::ContinueAt(dts.saturating_add(gap.max(GAP_MIN_MS)))
            }
        };
        Publication { stream, epoch, leave, rebase, now }
    }

    /// Appends a frame to the stream's log.
    ///
    /// # Errors
    /// When the seat is lost: the publisher must go.
    pub fn append(&mut self, mut frame: Frame, now: Instant) -> Result<(), Leave> {
        self.now = now;
        frame.dts = self.rebase.apply(&frame);
        self.stream.append(self.epoch, frame, now).map_err(|_| self.why())
    }

    /// Waits until the publisher must leave.
    pub async fn must_leave(&mut self) -> Leave {
        match self.leave.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Leave::Gone),
            Err(_) => Leave::Gone,
        }
    }

    /// The stream written to.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Tells this publication from all others of this stream: a newer one is greater.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number the next frame will get.
    pub fn head(&self) -> Seq {
        self.stream.head()
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

impl Rebase {
    fn apply(&mut self, frame: &Frame) -> Dts {
        match *self {
            Rebase::Keep => frame.dts,
            // Headers are often stamped 0 before media that is not.
            Rebase::ContinueAt(at) if !frame.is_media() => at,
            Rebase::ContinueAt(at) => {
                *self = Rebase::Add(at.saturating_sub(frame.dts));
                at
            }
            Rebase::Add(offset) => frame.dts.saturating_add(offset),
        }
    }
}

/// Between the last frame of one publication and the first of the next: a frame at 25 a second.
const GAP_MIN_MS: Dts = 40;
