//! One stream: its log, its publisher, and everyone who wants to hear of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thalweg_wire::media::Frame;
use thalweg_wire::time::Dts;
use tokio::sync::{Notify, watch};

use crate::bell::Bell;
use crate::hub::StreamKey;
use crate::limits::Limits;
use crate::log::{Log, Seq};
use crate::publication::{Leave, Publisher};
use crate::stats::{Counters, Meter};
use crate::takeover::Flapping;

/// A stream, shared by its publisher, its viewers and the hub.
#[derive(Debug)]
pub struct Stream {
    key: StreamKey,
    /// Counts that viewers add to without the lock.
    pub(crate) counters: Counters,
    state: Mutex<State>,
    life: watch::Sender<Life>,
    ended: AtomicBool,
    /// Tells a publisher that can make key frames that one is wanted.
    pub(crate) key_wanted: Notify,
}

/// Where a stream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// No publisher yet, or none any more: one may come.
    Waiting,
    /// Published, under this epoch.
    Live(u64),
    /// Over. Nobody comes back to this one.
    Ended,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) meter: Meter,
    pub(crate) flapping: Flapping,
    pub(crate) publisher: Option<Seated>,
    /// Since when nobody publishes.
    pub(crate) vacant_since: Instant,
    /// Whether anybody ever has.
    was_published: bool,
    bells: Vec<Arc<Bell>>,
}

/// The publisher in the seat.
#[derive(Debug)]
pub(crate) struct Seated {
    pub(crate) epoch: u64,
    pub(crate) publisher: Publisher,
    pub(crate) since: Instant,
    pub(crate) last_frame: Instant,
    pub(crate) leave: watch::Sender<Option<Leave>>,
}

impl Stream {
    pub(crate) fn new(key: StreamKey, limits: &Limits, now: Instant) -> Self {
        Stream {
            key,
            counters: Counters::default(),
            state: Mutex::new(State {
                log: Log::new(limits.retain),
                meter: Meter::default(),
                flapping: Flapping::default(),
                publisher: None,
                vacant_since: now,
                was_published: false,
                bells: Vec::new(),
            }),
            life: watch::Sender::new(Life::Waiting),
            ended: AtomicBool::new(false),
            key_wanted: Notify::new(),
        }
    }

    /// What the stream is called.
    pub fn key(&self) -> &StreamKey {
        &self.key
    }

    /// Where the stream is in its life, now and as it changes.
    pub fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Whether the stream is over. Cheap.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The number the next frame will get.
    pub fn head(&self) -> Seq {
        self.lock().log.head()
    }

    /// Copies the frames from `from` to the head into `out`, and answers the head. The log is
    /// locked once; payloads are shared, not copied.
    ///
    /// Frames that are gone already are left out: the first copied is then a later one, and who
    /// reads on from `from` is late and has to use [`Subscription`](crate::Subscription).
    pub fn copy_from(&self, from: Seq, out: &mut Vec<Frame>) -> Seq {
        let state = self.lock();
        if from >= state.log.first() {
            out.extend(state.log.from(from).map(|(_, e)| e.frame.clone()));
        }
        state.log.head()
    }

    /// When the frame with this number came, if it is here.
    pub fn came_at(&self, seq: Seq) -> Option<Instant> {
        self.lock().log.get(seq).map(|e| e.at)
    }

    /// Asks the publisher for a key frame. Most cannot make one when they are asked, and do not hear
    /// it; how often one that can is asked is its own session's affair.
    pub fn ask_key(&self) {
        self.key_wanted.notify_one();
    }

    /// Lets a bell ring for every append it is wound for, and when the stream ends.
    pub fn hang(&self, bell: Arc<Bell>) {
        self.lock().bells.push(bell);
    }

    /// Takes a bell down again.
    pub fn take_down(&self, bell: &Arc<Bell>) {
        self.lock().bells.retain(|b| !Arc::ptr_eq(b, bell));
    }

    pub(crate) fn append(&self, epoch: u64, frame: Frame, now: Instant) -> Result<(), Leave> {
        let mut state = self.lock();
        let seated = state.publisher.as_mut().filter(|p| p.epoch == epoch);
        let Some(seated) = seated else {
            return Err(Leave::Gone);
        };
        seated.last_frame = now;
        state.meter.count(&frame, now);
        state.log.append(frame, now);
        state.bells.iter().for_each(|bell| bell.strike());
        Ok(())
    }

    /// Puts a publisher into the seat; whoever sat there is told to leave. Answers where the log
    /// ended before: the latest time of any media, and when the last frame came.
    pub(crate) fn seat(&self, seated: Seated, taken_by: Leave) -> Option<(Dts, Instant)> {
        let epoch = seated.epoch;
        let mut state = self.lock();
        let end = state.log.end();
        state.was_published = true;
        state.log.begin_publication();
        state.meter.restart();
        if let Some(old) = state.publisher.replace(seated) {
            old.leave.send_replace(Some(taken_by));
        }
        self.life.send_replace(Life::Live(epoch));
        end
    }

    /// Empties the seat if `epoch` still sits in it.
    pub(crate) fn vacate(&self, epoch: u64, now: Instant) {
        let mut state = self.lock();
        if state.publisher.as_ref().is_some_and(|p| p.epoch == epoch) {
            state.publisher = None;
            state.vacant_since = now;
            self.life.send_if_modified(|life| {
                let was_live = matches!(life, Life::Live(_));
                *life = if was_live { Life::Waiting } else { *life };
                was_live
            });
        }
    }

    /// Tells the publisher to leave, and answers whether there was one. Its viewers wait for another.
    pub(crate) fn dismiss(&self, why: Leave, now: Instant) -> bool {
        let mut state = self.lock();
        let Some(old) = state.publisher.take() else { return false };
        old.leave.send_replace(Some(why));
        state.vacant_since = now;
        self.life.send_replace(Life::Waiting);
        true
    }

    /// Ends the stream: its publisher is told to leave, its viewers find it over.
    pub(crate) fn end(&self, why: Leave) {
        let mut state = self.lock();
        if let Some(old) = state.publisher.take() {
            old.leave.send_replace(Some(why));
        }
        self.ended.store(true, Ordering::Release);
        self.life.send_replace(Life::Ended);
        state.bells.iter().for_each(|bell| bell.strike());
    }

    /// Whether there is nothing to wait for: its publisher has been gone for `wait`, or there has
    /// never been one and nobody watches.
    pub(crate) fn is_over(&self, wait: Duration, now: Instant) -> bool {
        let state = self.lock();
        if state.publisher.is_some() {
            false
        } else if state.was_published {
            now.saturating_duration_since(state.vacant_since) >= wait
        } else {
            self.counters.viewers_all() == 0
        }
    }

    /// Whether nobody publishes and nobody watches it.
    pub(crate) fn is_deserted(&self) -> bool {
        self.lock().publisher.is_none() && self.counters.viewers_all() == 0
    }

    /// Whether anybody ever has published it.
    pub(crate) fn was_published(&self) -> bool {
        self.lock().was_published
    }

    pub(crate) fn is_published(&self) -> bool {
        self.lock().publisher.is_some()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held has left a log that is whole: every change to it is made
        // by calls that do not panic half-way. Better a stream that goes on than a dead one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moments, oldest first, no more than are needed.
pub(crate) type Moments = VecDeque<Instant>;
