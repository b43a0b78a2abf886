//! Counts what streams came to, minute by minute.
//!
//! Two halves, one task. One looks at the hub every ten seconds and adds up what is new; the other
//! writes that into the store, as fast as that goes. Between them are minutes of streams, so many at
//! most. What finds no room is lost, and the store is told from when to when, once it works again.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thalweg_hub::{Hub, Snapshot, StreamKey, StreamSnapshot};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::clock::Clock;
use crate::health::Health;
use crate::model::{Minute, StreamId};
use crate::store::{Prune, Store};

/// Counts. [`Statistics::run`] is its task.
#[derive(Debug)]
pub struct Statistics {
    hub: Hub,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    health: Health,
    waiting: Mutex<Waiting>,
    waiting_max: usize,
    news: Notify,
    before: Before,
}

/// What is counted and not stored yet.
#[derive(Debug, Default)]
struct Waiting {
    minutes: BTreeMap<(u64, StreamId), Minute>,
    /// What got lost meanwhile: from when to when, UNIX seconds.
    gap: Option<(u64, u64)>,
}

/// What the streams' counters said at the last look.
#[derive(Debug, Default)]
struct Before {
    at: u64,
    counters: HashMap<StreamKey, (u64, u64)>,
}

impl Statistics {
    /// Statistics of that hub. What was counted before is not ours to count: a stream may be older.
    pub fn new(
        hub: &Hub,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        health: Health,
    ) -> Statistics {
        let (waiting, news) = (Mutex::default(), Notify::new());
        let before = Before::of(&hub.snapshot(std::time::Instant::now()), clock.now());
        let waiting_max = WAITING_MAX_USUAL;
        Statistics { hub: hub.clone(), store, clock, health, waiting, waiting_max, news, before }
    }

    /// With room for so many counts while the store does not work.
    pub fn keeping(self, waiting_max: usize) -> Statistics {
        Statistics { waiting_max, ..self }
    }

    /// Counts until `stop`, then writes what is left, for some seconds at most.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut before = std::mem::take(&mut self.before);
        let stopping = AtomicBool::new(false);
        let writing = self.write_all(&stopping);
        tokio::pin!(writing);
        let counting = async {
            let mut ticks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.look(&mut before);
            }
        };
        tokio::select! {
            () = &mut writing => {}
            () = counting => {}
            () = self.prune() => {}
            () = stop => {}
        }
        self.look(&mut before);
        stopping.store(true, Relaxed);
        self.news.notify_one();
        if timeout(GOODBYE_MAX, writing).await.is_err() {
            tracing::error!("the store does not work: the last minutes are not counted");
        }
    }

    /// Adds what is new since the last look to the minute in which that look was.
    fn look(&self, before: &mut Before) {
        let now = self.clock.now();
        let snapshot = self.hub.snapshot(std::time::Instant::now());
        let from = before.at.min(now);
        let new = minutes(&snapshot, before, now);
        let lost = self.waiting().add(&new, from, now, self.waiting_max);
        if lost > 0 {
            self.health.lost(PART, lost);
        }
        *before = Before::of(&snapshot, now);
        self.news.notify_one();
    }

    /// A write is never cut short: nobody would know whether it was done.
    async fn write_all(&self, stopping: &AtomicBool) {
        loop {
            self.news.notified().await;
            while !self.write_some().await {}
            if stopping.load(Relaxed) {
                return;
            }
        }
    }

    /// Writes as much as one statement takes. Answers whether nothing is left.
    async fn write_some(&self) -> bool {
        let batch = self.waiting().take();
        if batch.is_empty() {
            return self.write_gap().await;
        }
        if let Err(why) = self.patiently(self.store.add_minutes(&batch)).await {
            batch.iter().for_each(|minute| self.waiting().merge(minute));
            self.health.failed(PART, self.clock.now(), &why);
            sleep(STORE_PAUSE).await;
        }
        false
    }

    /// Says what is missing, after everything else is written.
    async fn write_gap(&self) -> bool {
        let Some((from, to)) = self.waiting().gap else {
            self.health.works(PART);
            return true;
        };
        if let Err(why) = self.patiently(self.store.mark_gap(from, to)).await {
            self.health.failed(PART, self.clock.now(), &why);
            sleep(STORE_PAUSE).await;
            return false;
        }
        let mut waiting = self.waiting();
        // It may have grown while it was written; the store knows a part of it then, and no harm done.
        if waiting.gap == Some((from, to)) {
            waiting.gap = None;
        }
        false
    }

    /// Waits for the store, and complains while it takes its time.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = crate::store::Result<T>>,
    ) -> Result<T, String> {
        self.health.patiently(PART, &*self.clock, work).await.map_err(|e| e.to_string())
    }

    /// Forgets what is old, once an hour.
    async fn prune(&self) {
        loop {
            let now = self.clock.now();
            let before = |days: u64| now.saturating_sub(days * DAY_S);
            let prune = Prune {
                minutes: before(MINUTES_DAYS),
                publications: before(PUBLICATIONS_DAYS),
                deliveries: before(DELIVERIES_DAYS),
                audits: before(AUDITS_DAYS),
            };
            if let Err(error) = self.store.prune(prune).await {
                tracing::warn!(%error, "what is old could not be forgotten: again in an hour");
            }
            sleep(PRUNE_EVERY).await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Before {
    fn of(snapshot: &Snapshot, at: u64) -> Before {
        let counters = snapshot.streams.iter().map(|s| (s.key.clone(), counters(s))).collect();
        Before { at, counters }
    }
}

impl Waiting {
    /// The oldest, as many as are written at one time.
    fn take(&mut self) -> Vec<Minute> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX
            && let Some((_, minute)) = self.minutes.pop_first()
        {
            batch.push(minute);
        }
        batch
    }

    /// Adds counts, as far as there is room. Answers how many found none.
    fn add(&mut self, minutes: &[Minute], from: u64, to: u64, waiting_max: usize) -> u64 {
        let mut lost = 0;
        for minute in minutes {
            let is_new = !self.minutes.contains_key(&(minute.at, minute.stream.clone()));
            if is_new && self.minutes.len() >= waiting_max {
                lost += 1;
            } else {
                self.merge(minute);
            }
        }
        if lost > 0 {
            let (first, last) = self.gap.unwrap_or((from, to));
            self.gap = Some((first.min(from), last.max(to)));
        }
        lost
    }

    fn merge(&mut self, minute: &Minute) {
        let place = self.minutes.entry((minute.at, minute.stream.clone()));
        place
            .and_modify(|m| {
                m.bytes_in += minute.bytes_in;
                m.bytes_out += minute.bytes_out;
                m.viewers_max = m.viewers_max.max(minute.viewers_max);
                m.live_s += minute.live_s;
            })
            .or_insert_with(|| minute.clone());
    }
}

/// What each stream came to between two looks; nothing of those that came to nothing.
fn minutes(snapshot: &Snapshot, before: &Before, now: u64) -> Vec<Minute> {
    let elapsed_s = now.saturating_sub(before.at).min(60);
    let at = before.at.min(now) / 60 * 60;
    let minute = |stream: &StreamSnapshot| {
        let (bytes_in, bytes_out) = counters(stream);
        let (in_before, out_before) = before.counters.get(&stream.key).copied().unwrap_or((0, 0));
        // A stream that ended and began anew counts from 0.
        let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        let uptime_s = stream.publisher.as_ref().map_or(0, |p| p.uptime.as_secs());
        let minute = Minute {
            at,
            stream: StreamId {
                account: stream.key.account.to_string(),
                app: stream.key.app.to_string(),
                name: stream.key.name.to_string(),
            },
            bytes_in: since(bytes_in, in_before),
            bytes_out: since(bytes_out, out_before),
            viewers_max: stream.viewers.iter().map(|(_, n)| n).sum(),
            live_s: uptime_s.min(elapsed_s) as u32,
        };
        let Minute { bytes_in, bytes_out, viewers_max, live_s, .. } = minute;
        let is_something = bytes_in + bytes_out + viewers_max + u64::from(live_s) > 0;
        is_something.then_some(minute)
    };
    snapshot.streams.iter().filter_map(minute).collect()
}

fn counters(stream: &StreamSnapshot) -> (u64, u64) {
    (stream.bytes_in, stream.bytes_out.iter().map(|(_, n)| n).sum())
}

/// So much is lost at most when the server is killed, and of a stream that ends.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Minutes of streams that wait for the store: a hundred streams for eight hours, two thousand for 25
/// minutes. With 200 bytes each 10 MB.
const WAITING_MAX_USUAL: usize = 50_000;
/// Minutes that are written at one time.
const BATCH_MAX: usize = 1000;
const STORE_PAUSE: Duration = Duration::from_secs(1);
const GOODBYE_MAX: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
const DAY_S: u64 = 86_400;
/// The vendor's month of statistics.
const MINUTES_DAYS: u64 = 30;
/// A quarter of a year of who published.
const PUBLICATIONS_DAYS: u64 = 90;
/// A month to try again what was given up.
const DELIVERIES_DAYS: u64 = 30;
/// A year of who changed what.
const AUDITS_DAYS: u64 = 365;
const PART: &str = "statistics";
