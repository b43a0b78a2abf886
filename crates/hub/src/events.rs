//! What happened, for whoever has to tell others: publications and plays, at their beginning and end.
//!
//! A bounded ring. Whoever pushes never waits: a reader that is too slow finds a gap, and how long it
//! is. Without a reader nothing is kept.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::anomalies::Anomaly;
use crate::hub::StreamKey;
use crate::stats::Protocol;

/// The log of one hub. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub struct Events {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ring: Mutex<Ring>,
    news: Notify,
    node: OnceLock<Arc<str>>,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    /// What they take, about.
    bytes: usize,
    /// The number of the next event.
    next: u64,
    /// The number that each reader wants next.
    readers: BTreeMap<u64, u64>,
    reader_ids: u64,
}

/// One thing that happened.
#[derive(Debug)]
pub struct Event {
    /// Counts up from 0, without holes.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug)]
#[expect(missing_docs, reason = "each variant's struct says it")]
pub enum What {
    PublishBegan(PublishBegan),
    PublishEnded(PublishEnded),
    PlayBegan(PlayBegan),
    PlayEnded(PlayEnded),
    Anomalies(Anomalies),
}

/// A publication begins.
pub struct PublishBegan {
    /// Of which stream.
    pub key: StreamKey,
    /// Which of its publications: the same at its end, and greater for each later one.
    pub epoch: u64,
    /// Where from.
    pub peer: SocketAddr,
    /// What the publisher calls itself.
    pub agent: Arc<str>,
    /// How it came: `rtmp`, `ws-flv` or `rtmp-udp`.
    pub protocol: &'static str,
    /// The host of its URL, as it was written.
    pub host: Arc<str>,
    /// The parameters of its URL, whole, as they were sent. They hold secrets.
    pub query: Arc<str>,
}

/// A publication ends.
#[derive(Debug)]
pub struct PublishEnded {
    /// Of which stream.
    pub key: StreamKey,
    /// Which of its publications.
    pub epoch: u64,
    /// Where from.
    pub peer: SocketAddr,
    /// How long it went on.
    pub duration: Duration,
    /// Why it ended, in the vendor's numbers (`docs/ref/log.md`).
    pub errcode: u32,
    /// Why it ended, in words.
    pub cause: String,
    /// Payload bytes it has brought.
    pub bytes_in: u64,
}

/// A play begins.
#[derive(Debug)]
pub struct PlayBegan {
    /// The viewer, as [`Hub::viewers`](crate::Hub::viewers) has it.
    pub id: u64,
    /// Of which stream.
    pub key: StreamKey,
    /// Where from.
    pub peer: SocketAddr,
    /// What the viewer calls itself.
    pub agent: Arc<str>,
    /// How it watches.
    pub protocol: Protocol,
}

/// A play ends.
#[derive(Debug)]
pub struct PlayEnded {
    /// The viewer.
    pub id: u64,
    /// Of which stream.
    pub key: StreamKey,
    /// Where from.
    pub peer: SocketAddr,
    /// How it watched.
    pub protocol: Protocol,
    /// How long it went on.
    pub duration: Duration,
    /// Bytes it was sent.
    pub bytes: u64,
    /// Why it ended, in words.
    pub cause: String,
}

/// What was odd about a publication, since the last time this was said of it.
#[derive(Debug)]
pub struct Anomalies {
    /// Of which stream.
    pub key: StreamKey,
    /// Which of its publications.
    pub epoch: u64,
    /// When this was summed up.
    pub at: SystemTime,
    /// Over how long, ms.
    pub interval_ms: u64,
    /// One a kind, by kind. Never empty.
    pub list: Vec<Anomaly>,
}

/// Events for one reader, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many were lost before these, because the reader was too slow.
    pub missed: u64,
    /// At least one, at most [`BATCH_MAX`].
    pub events: Vec<Arc<Event>>,
}

/// Reads what happens from when it was made on. Dropping it lets go of what is kept for it.
#[derive(Debug)]
pub struct EventReader {
    events: Events,
    id: u64,
}

impl Events {
    /// Says that something happened.
    pub fn push(&self, at: SystemTime, what: What) {
        let mut ring = self.ring();
        let number = ring.next;
        ring.next += 1;
        if ring.readers.is_empty() {
            return;
        }
        let event = Event { number, at, what };
        ring.bytes += event.bytes();
        ring.events.push_back(Arc::new(event));
        while ring.events.len() > EVENTS_MAX || ring.bytes > EVENTS_BYTES_MAX {
            ring.drop_first();
        }
        drop(ring);
        self.inner.news.notify_waiters();
    }

    /// A reader of what happens from now on.
    pub fn reader(&self) -> EventReader {
        let mut ring = self.ring();
        let (id, next) = (ring.reader_ids, ring.next);
        ring.reader_ids += 1;
        ring.readers.insert(id, next);
        drop(ring);
        EventReader { events: self.clone(), id }
    }

    /// What this server is called among others: `local`, unless it was named.
    pub fn node(&self) -> Arc<str> {
        self.inner.node.get().cloned().unwrap_or_else(|| Arc::from("local"))
    }

    /// Names this server, once: answers whether it has that name now.
    pub fn set_node(&self, name: &str) -> bool {
        &**self.inner.node.get_or_init(|| Arc::from(name)) == name
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.inner.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventReader {
    /// Waits for what happened since the last time. Cancelling loses nothing.
    pub async fn next(&mut self) -> Batch {
        let events = self.events.clone();
        loop {
            let mut news = std::pin::pin!(events.inner.news.notified());
            // What is pushed from here on wakes it: between a look and a wait nothing is lost.
            news.as_mut().enable();
            if let Some(batch) = self.try_next() {
                return batch;
            }
            news.await;
        }
    }

    /// What happened since the last time, if anything did.
    pub fn try_next(&mut self) -> Option<Batch> {
        let mut ring = self.events.ring();
        let first = ring.next - ring.events.len() as u64;
        let wanted = ring.readers.get(&self.id).copied()?;
        let begin = wanted.max(first);
        let skip = usize::try_from(begin - first).ok()?;
        let events: Vec<_> = ring.events.iter().skip(skip).take(BATCH_MAX).cloned().collect();
        if events.is_empty() {
            return None;
        }
        ring.readers.insert(self.id, begin + events.len() as u64);
        ring.forget_what_all_have();
        Some(Batch { missed: begin - wanted, events })
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let mut ring = self.events.ring();
        ring.readers.remove(&self.id);
        ring.forget_what_all_have();
    }
}

impl Ring {
    fn drop_first(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.bytes();
        }
    }

    fn forget_what_all_have(&mut self) {
        let wanted = self.readers.values().copied().min().unwrap_or(self.next);
        while self.events.front().is_some_and(|e| e.number < wanted) {
            self.drop_first();
        }
    }
}

impl Event {
    /// What it takes, about: the key's texts are its stream's.
    fn bytes(&self) -> usize {
        let texts = match &self.what {
            What::PublishBegan(e) => e.agent.len() + e.host.len() + e.query.len(),
            What::PublishEnded(e) => e.cause.len(),
            What::PlayBegan(e) => e.agent.len(),
            What::PlayEnded(e) => e.cause.len(),
            What::Anomalies(e) => e.list.len() * size_of::<Anomaly>(),
        };
        size_of::<Event>() + texts
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} of {} events)", self.events.len(), self.next)
    }
}

/// Queries stay out of logs.
impl fmt::Debug for PublishBegan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PublishBegan { key, epoch, peer, agent, protocol, host, query: _ } = self;
        f.debug_struct("PublishBegan")
            .field("key", key)
            .field("epoch", epoch)
            .field("peer", peer)
            .field("agent", agent)
            .field("protocol", protocol)
            .field("host", host)
            .finish_non_exhaustive()
    }
}

/// What a reader may leave lying: half a minute of a thousand viewers a second that come and go. With
/// some 250 bytes an event that is 16 MiB.
pub const EVENTS_MAX: usize = 65_536;
/// And if their URLs are long: twice that.
pub const EVENTS_BYTES_MAX: usize = 32 << 20;
/// What a reader gets at one time.
pub const BATCH_MAX: usize = 1024;
