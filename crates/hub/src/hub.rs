//! All streams, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::events::Events;
use crate::limits::{Lag, Limits};
use crate::publication::{Leave, Publication, Publisher};
use crate::stats::{Protocol, Snapshot, StreamSnapshot, Totals};
use crate::stream::{Seated, Stream};
use crate::subscription::Subscription;
use crate::takeover::InUse;
use crate::viewers::Viewers;

/// Every stream of this server. Clones are the same hub.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Box<dyn Registry>,
    streams: Mutex<Streams>,
    viewers: Viewers,
    events: Events,
}

#[derive(Debug, Default)]
struct Streams {
    limits: Limits,
    /// Streams that nobody may publish, and until when.
    barred: BTreeMap<StreamKey, Instant>,
    by_key: BTreeMap<StreamKey, Arc<Stream>>,
    /// How many of them are or were published; the others are only waited for.
    published: usize,
    /// When they may next be searched for some that nobody would miss.
    search_at: Option<Instant>,
    /// What the streams that are gone came to.
    past: Totals,
    stopping: bool,
}

/// What a stream is: an account, an app, a name. Never a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// The account's number (`bizid`).
    pub account: Arc<str>,
    /// The path before the name. May contain `/`.
    pub app: Arc<str>,
    /// The stream's name.
    pub name: Arc<str>,
}

/// Gives out the epochs that tell a stream's publications apart, ever growing. In one process a
/// counter does; several servers that share streams will want a common one.
pub trait Registry: fmt::Debug + Send + Sync {
    /// The epoch of a publication that begins now.
    fn next_epoch(&self, key: &StreamKey) -> u64;
}

/// The registry of a server that stands alone.
#[derive(Debug, Default)]
pub struct InProcess(AtomicU64);

/// Why a stream cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// It has a publisher, who stays.
    #[error(transparent)]
    InUse(#[from] InUse),
    /// There are too many streams already.
    #[error("this server has its {0} streams: stop some, or raise streams_max")]
    TooManyStreams(usize),
    /// Its publisher was sent away, and nobody may take the seat for so long.
    #[error("an operator closed this stream: it may be published again in {} s", .0.as_secs() + 1)]
    Barred(Duration),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// More are barred than are remembered: how many, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} {1} are barred already: wait until some may come back")]
pub struct TooManyBarred(usize, &'static str);

impl TooManyBarred {
    /// Whether one more may be, of so many in all and so many of its account.
    pub(crate) fn check(all: usize, own: usize, what: &'static str) -> Result<(), TooManyBarred> {
        match () {
            () if own >= BARRED_PER_ACCOUNT_MAX => Err(TooManyBarred(BARRED_PER_ACCOUNT_MAX, what)),
            () if all >= BARRED_MAX => Err(TooManyBarred(BARRED_MAX, what)),
            () => Ok(()),
        }
    }
}

impl Hub {
    /// A hub without streams.
    pub fn new(limits: Limits, registry: impl Registry + 'static) -> Self {
        let streams = Mutex::new(Streams { limits, ..Streams::default() });
        let (registry, viewers, events) =
            (Box::new(registry), Viewers::default(), Events::default());
        Hub { inner: Arc::new(Inner { registry, streams, viewers, events }) }
    }

    /// Other limits, for streams that begin and peers that come from now on.
    pub fn set_limits(&self, limits: Limits) {
        self.streams().limits = limits;
    }

    /// What happens, for whoever has to tell others.
    pub fn events(&self) -> Events {
        self.inner.events.clone()
    }

    /// Sends a stream's publisher away, and lets none publish it for a time: one that could come
    /// back at once would. Answers whether there was a publisher.
    ///
    /// # Errors
    /// [`TooManyBarred`], and then nobody is sent away.
    pub fn kick(
        &self,
        key: &StreamKey,
        bar: Duration,
        now: Instant,
    ) -> Result<bool, TooManyBarred> {
        let mut streams = self.streams();
        streams.barred.retain(|_, until| *until > now);
        if !bar.is_zero() {
            if !streams.barred.contains_key(key) {
                let own = streams.barred.keys().filter(|k| k.account == key.account).count();
                TooManyBarred::check(streams.barred.len(), own, "streams")?;
            }
            streams.barred.insert(key.clone(), now + bar.min(BAR_MAX));
        }
        Ok(streams.by_key.get(key).is_some_and(|s| s.dismiss(Leave::Kicked { bar }, now)))
    }

    /// Lets a stream be published again. Answers whether it was barred.
    pub fn unbar(&self, key: &StreamKey) -> bool {
        self.streams().barred.remove(key).is_some()
    }

    /// The streams that nobody may publish, and for how long, in the order of their keys.
    pub fn barred(&self, now: Instant) -> Vec<(StreamKey, Duration)> {
        let streams = self.streams();
        let left = |until: &Instant| until.saturating_duration_since(now);
        let all = streams.barred.iter().map(|(key, until)| (key.clone(), left(until)));
        all.filter(|(_, left)| !left.is_zero()).collect()
    }

    /// Sends away whoever publishes a stream of an account; answers how many did.
    pub(crate) fn close_publishers(&self, account: &str, now: Instant) -> usize {
        let streams = self.streams();
        let of = streams.by_key.values().filter(|s| &*s.key().account == account);
        of.filter(|s| s.dismiss(Leave::Closed, now)).count()
    }

    pub(crate) fn viewers_inner(&self) -> &Viewers {
        &self.inner.viewers
    }

    /// Takes the seat of a stream's publisher. The caller has asked whether this peer may; here
    /// it is only decided between those who may.
    ///
    /// # Errors
    /// [`PublishError`] when someone else sits there and stays, or there is no room.
    pub fn publish(
        &self,
        key: &StreamKey,
        publisher: Publisher,
        now: Instant,
    ) -> Result<Publication, PublishError> {
        let mut streams = self.streams();
        let stream = self.stream_to_publish(&mut streams, key, now)?;
        let taken_by = Leave::Replaced { by: publisher.peer };
        {
            let state = &mut *stream.lock();
            if let Some(incumbent) = &state.publisher {
                let rule = streams.limits.take_over;
                rule.decide(&mut state.flapping, incumbent, &publisher, now)?;
            }
        }
        let epoch = self.inner.registry.next_epoch(key);
        let (leave, must_leave) = watch::channel(None);
        let seated = Seated { epoch, publisher, since: now, last_frame: now, leave };
        streams.published += usize::from(!stream.was_published());
        let end = stream.seat(seated, taken_by);
        Ok(Publication::new(stream, epoch, must_leave, end, now))
    }

    /// Whether a stream is published now. Makes nothing.
    pub fn is_live(&self, key: &StreamKey) -> bool {
        self.streams().by_key.get(key).is_some_and(|s| s.is_published())
    }

    /// One stream at this moment, if it is there.
    pub fn stream(&self, key: &StreamKey, now: Instant) -> Option<StreamSnapshot> {
        // As in a snapshot of all, nobody waits for the look.
        let stream = self.streams().by_key.get(key).cloned()?;
        Some(stream.snapshot(now))
    }

    /// Watches a stream, or waits for it: one that nobody publishes is held for as long as the
    /// subscription is.
    ///
    /// # Errors
    /// When there is no room for one more stream, or the server is stopping.
    pub fn subscribe(
        &self,
        key: &StreamKey,
        protocol: Protocol,
        lag: Lag,
        now: Instant,
    ) -> Result<Subscription, PublishError> {
        let mut streams = self.streams();
        if streams.stopping {
            return Err(PublishError::Stopping);
        }
        let max = streams.limits.streams_max;
        let waited_for = streams.by_key.len() - streams.published;
        if !streams.by_key.contains_key(key) && waited_for >= max {
            return Err(PublishError::TooManyStreams(max));
        }
        let stream = self.find_or_make(&mut streams, key, now);
        Ok(Subscription::new(stream, protocol, lag))
    }

    /// Lets waiting times run out: ends the streams whose publisher has not come back, and
    /// forgets those that nobody watches any more. Once a second is often enough.
    pub fn sweep(&self, now: Instant) {
        let mut streams = self.streams();
        let wait = streams.limits.republish_wait;
        streams.end_those(now, |stream| stream.is_over(wait, now));
    }

    /// Ends every stream and lets none begin: publishers are told to leave, viewers find their
    /// stream over.
    pub fn stop(&self) {
        let mut streams = self.streams();
        streams.stopping = true;
        streams.published = 0;
        for stream in std::mem::take(&mut streams.by_key).into_values() {
            stream.end(Leave::Stopping);
        }
    }

    /// Every stream at this moment, in the order of their keys.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        // The streams are looked at after the list is let go, so that nobody waits for a scrape.
        let (streams, mut totals): (Vec<_>, _) = {
            let streams = self.streams();
            (streams.by_key.values().cloned().collect(), streams.past)
        };
        let streams: Vec<_> = streams.iter().map(|s| s.snapshot(now)).collect();
        streams.iter().for_each(|s| totals.add(s));
        Snapshot { streams, totals }
    }

    /// The stream that a publisher asks for, if there is room for one more. Those that are only
    /// waited for do not count, so that no crowd of viewers keeps a publisher out; those whose
    /// publisher has left do, until their wait is over or their room is needed.
    fn stream_to_publish(
        &self,
        streams: &mut Streams,
        key: &StreamKey,
        now: Instant,
    ) -> Result<Arc<Stream>, PublishError> {
        if streams.stopping {
            return Err(PublishError::Stopping);
        }
        if let Some(until) = streams.barred.get(key).filter(|until| **until > now) {
            return Err(PublishError::Barred(until.saturating_duration_since(now)));
        }
        let is_counted = streams.by_key.get(key).is_some_and(|s| s.was_published());
        let max = streams.limits.streams_max;
        if !is_counted && streams.published >= max {
            streams.make_room(now);
            if streams.published >= max {
                return Err(PublishError::TooManyStreams(max));
            }
        }
        Ok(self.find_or_make(streams, key, now))
    }

    fn find_or_make(&self, streams: &mut Streams, key: &StreamKey, now: Instant) -> Arc<Stream> {
        if let Some(stream) = streams.by_key.get(key) {
            return Arc::clone(stream);
        }
        let stream = Arc::new(Stream::new(key.clone(), &streams.limits, now));
        streams.by_key.insert(key.clone(), Arc::clone(&stream));
        stream
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.inner.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// Ends the streams that have neither publisher nor viewers. The search looks at every stream,
    /// so it is done once a second at most, however many ask.
    fn make_room(&mut self, now: Instant) {
        if self.search_at.is_none_or(|at| at <= now) {
            self.search_at = Some(now + SEARCH_PAUSE);
            self.end_those(now, Stream::is_deserted);
        }
    }

    fn end_those(&mut self, now: Instant, which: impl Fn(&Stream) -> bool) {
        let Streams { by_key, past, published, .. } = self;
        by_key.retain(|_, stream| {
            let over = which(stream);
            if over {
                stream.end(Leave::Gone);
                past.add(&stream.snapshot(now));
                *published -= usize::from(stream.was_published());
            }
            !over
        });
    }
}

impl StreamKey {
    /// A key of its three parts.
    pub fn new(account: &str, app: &str, name: &str) -> Self {
        StreamKey { account: account.into(), app: app.into(), name: name.into() }
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.app, self.name)
    }
}

impl Registry for InProcess {
    fn next_epoch(&self, _key: &StreamKey) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Streams, and addresses of viewers, barred at one time: some 200 bytes each, 20 MB of either.
const BARRED_MAX: usize = 100_000;
/// Of one account: no customer takes the others' room.
const BARRED_PER_ACCOUNT_MAX: usize = 5_000;
/// Nobody is barred for longer: the vendor's most is 90 days, and a clock can only count so far.
pub(crate) const BAR_MAX: Duration = Duration::from_secs(366 * 86_400);
const SEARCH_PAUSE: Duration = Duration::from_secs(1);
