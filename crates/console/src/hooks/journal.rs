//! Writes down what happens to publications, and with it what is to be told of it.
//!
//! Two halves, one task. One takes events from the hub as they come, so that none is missed; the other
//! writes them into the store, as fast as that goes. Between them is a bounded queue, where events wait
//! while the store does not work. What does not fit is lost and counted, and afterwards the store's open
//! publications are compared with the hub's streams.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sha2::{Digest, Sha256};
use thalweg_hub::events::{Anomalies, Batch, PublishBegan, PublishEnded};
use thalweg_hub::{Anomaly, Event, EventReader, Hub, StreamKey, What};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::clock::{Clock, unix_ms};
use crate::health::Health;
use crate::hooks::body::{self, Odd};
use crate::hooks::outbox::Postman;
use crate::model::{
    Account, Delivery, DeliveryState, Publication, PublicationEnd, Secret, StreamId,
};
use crate::store::{Store, StoreError};

/// The `errcode` of a publication that the server did not see end, because it had stopped itself
/// without saying goodbye.
pub const CRASHED: u32 = 108;
/// The one of a publication whose end was lost among too many others.
pub const END_LOST: u32 = 109;

/// Writes down what happens. [`Journal::run`] is its task.
#[derive(Debug)]
pub struct Journal {
    reader: EventReader,
    writer: Writer,
}

#[derive(Debug)]
struct Writer {
    hub: Hub,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    health: Health,
    postman: Postman,
    node: Arc<str>,
    /// Tells this run of the server from all others: epochs begin anew with each.
    run: [u8; 16],
    /// What the store has as not ended, by sequence.
    open: BTreeMap<String, Publication>,
    alive_at: Instant,
    look: Option<Look>,
}

/// After a loss: what seems to be wrong, and when to look whether it still is. What is on its way
/// through the queue puts itself right.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// Open in the store, but not live.
    dead: BTreeSet<String>,
    /// Live, but not in the store.
    missing: BTreeSet<String>,
}

impl Journal {
    /// A journal of that hub. What happens from here on is written, once [`Journal::run`] runs.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(
        hub: &Hub,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        health: Health,
        postman: Postman,
    ) -> io::Result<Journal> {
        let mut run = [0; 16];
        getrandom::fill(&mut run).map_err(io::Error::other)?;
        let events = hub.events();
        let writer = Writer {
            hub: hub.clone(),
            store,
            clock,
            health,
            postman,
            node: events.node(),
            run,
            open: BTreeMap::new(),
            alive_at: Instant::now(),
            look: None,
        };
        Ok(Journal { reader: events.reader(), writer })
    }

    /// Writes until `stop`, which comes when every publication has ended; then what is left, for some
    /// seconds at most.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Journal { reader, writer } = self;
        let (sender, entries) = mpsc::channel(QUEUE_MAX);
        let lost = AtomicU64::new(0);
        let health = writer.health.clone();
        let writing = writer.run(entries, &lost);
        tokio::pin!(writing);
        tokio::select! {
            () = &mut writing => return,
            () = take_in(reader, sender, &lost, &health, stop) => {}
        }
        if timeout(GOODBYE_MAX, writing).await.is_err() {
            tracing::error!("the store does not work: the last publications have no end in it yet");
        }
    }
}

/// Moves events from the hub to the queue.
async fn take_in(
    mut reader: EventReader,
    sender: mpsc::Sender<Arc<Event>>,
    lost: &AtomicU64,
    health: &Health,
    stop: impl Future<Output = ()> + Send,
) {
    // Said at once: whoever writes says that all is well again before it looks at what was lost.
    let lose = |count: u64| {
        lost.fetch_add(count, Relaxed);
        health.lost(PART, count);
    };
    let take = |batch: Batch| {
        if batch.missed > 0 {
            lose(batch.missed);
        }
        let is_ours = |e: &Arc<Event>| !matches!(e.what, What::PlayBegan(_) | What::PlayEnded(_));
        for event in batch.events.into_iter().filter(is_ours) {
            if sender.try_send(event).is_err() {
                lose(1);
            }
        }
    };
    tokio::pin!(stop);
    loop {
        tokio::select! {
            batch = reader.next() => take(batch),
            () = &mut stop => break,
        }
    }
    for _ in 0..GOODBYE_BATCHES_MAX {
        let Ok(batch) = timeout(QUIET, reader.next()).await else { return };
        take(batch);
    }
}

impl Writer {
    async fn run(mut self, mut entries: mpsc::Receiver<Arc<Event>>, lost: &AtomicU64) {
        self.end_what_a_crash_left().await;
        let mut wants_look = false;
        loop {
            let look_at = self.look.as_ref().map_or(self.alive_at, |l| l.at.min(self.alive_at));
            tokio::select! {
                event = entries.recv() => match event {
                    Some(event) => self.write(&event).await,
                    None => return,
                },
                () = sleep_until(look_at) => self.tend(entries.is_empty()).await,
            }
            let lost = lost.swap(0, Relaxed);
            if lost > 0 {
                tracing::error!(lost, "events were lost: what they began or ended is looked for");
                wants_look = true;
            }
            // What is in the queue still counts as what has happened.
            if wants_look && entries.is_empty() {
                wants_look = false;
                self.look = Some(self.first_look());
            }
        }
    }

    async fn write(&mut self, event: &Event) {
        match &event.what {
            What::PublishBegan(began) => {
                let publication = self.publication(began, unix_ms(event.at));
                self.begin(publication).await;
            }
            What::PublishEnded(ended) => {
                let sequence = self.sequence(&ended.key, ended.epoch);
                self.end(&sequence, how(ended, unix_ms(event.at))).await;
            }
            What::Anomalies(anomalies) => self.tell_anomalies(anomalies).await,
            What::PlayBegan(_) | What::PlayEnded(_) => {}
        }
    }

    async fn begin(&mut self, publication: Publication) {
        if self.open.contains_key(&publication.sequence) {
            return;
        }
        let at_ms = publication.began_ms;
        let told = self.account(&publication.stream).await.filter(|a| a.callback.url.is_some());
        let tell = told.map(|_| {
            let body = body::began(&publication, &self.node);
            delivery(&publication.stream, body::BEGAN, body, at_ms)
        });
        while let Err(error) =
            self.patiently(self.store.publication_began(&publication, tell.as_ref())).await
        {
            if !self.may_try_again(error).await {
                break;
            }
        }
        self.open.insert(publication.sequence.clone(), publication);
        self.written(tell.is_some());
    }

    async fn end(&mut self, sequence: &str, end: PublicationEnd) {
        // What is not open has ended already, or its beginning was lost.
        let Some(publication) = self.open.remove(sequence) else { return };
        let told = self.account(&publication.stream).await.filter(|a| a.callback.url.is_some());
        let tell = told.map(|_| {
            let body = body::ended(&publication, &end, &self.node);
            delivery(&publication.stream, body::ENDED, body, end.at_ms)
        });
        while let Err(error) =
            self.patiently(self.store.publication_ended(sequence, &end, tell.as_ref())).await
        {
            if !self.may_try_again(error).await {
                break;
            }
        }
        self.written(tell.is_some());
    }

    async fn tell_anomalies(&mut self, anomalies: &Anomalies) {
        let sequence = self.sequence(&anomalies.key, anomalies.epoch);
        let stream = stream_id(&anomalies.key);
        let wants = |a: &Account| a.callback.url.is_some() && a.callback.anomalies;
        if self.account(&stream).await.filter(wants).is_none() {
            return;
        }
        let host = self.open.get(&sequence).map_or("", |p| &p.host);
        let list: Vec<Odd> = anomalies.list.iter().map(odd).collect();
        let at_ms = unix_ms(anomalies.at);
        let body = body::anomalies(&stream, host, at_ms, anomalies.interval_ms, &list);
        let tell = delivery(&stream, body::ANOMALIES, body, at_ms);
        while let Err(error) = self.patiently(self.store.add_delivery(&tell)).await {
            if !self.may_try_again(error).await {
                break;
            }
        }
        self.written(true);
    }

    /// What an account says now. One that cannot be read is told nothing, but its history goes on.
    async fn account(&self, stream: &StreamId) -> Option<Account> {
        loop {
            match self.patiently(self.store.account(&stream.account)).await {
                Ok(account) => return account,
                Err(error) => {
                    if !self.may_try_again(error).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits for the store, and complains while it takes its time.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        self.health.patiently(PART, &*self.clock, work).await
    }

    /// Waits while the store does not work. Answers whether to try the same again.
    async fn may_try_again(&self, error: StoreError) -> bool {
        match error {
            StoreError::Unavailable(_) => {
                self.health.failed(PART, self.clock.now(), &error.to_string());
                sleep(STORE_PAUSE).await;
                true
            }
            // It was written, and the answer got lost.
            StoreError::Conflict => false,
            StoreError::Damaged(why) => {
                tracing::error!(%why, "a publication cannot be written down");
                false
            }
        }
    }

    fn written(&self, is_told: bool) {
        self.health.works(PART);
        if is_told {
            self.postman.ring();
        }
    }

    /// Publications that were open when the server last stopped have ended; nobody saw when. The last
    /// sign of life says it to some seconds.
    async fn end_what_a_crash_left(&mut self) {
        let open = loop {
            match self.store.open_publications().await {
                Ok(open) => break open,
                Err(error) => {
                    if !self.may_try_again(error).await {
                        return;
                    }
                }
            }
        };
        let alive_ms = match self.store.setting(ALIVE).await {
            Ok(Some(text)) => text.parse().unwrap_or(0),
            Ok(None) | Err(_) => 0,
        };
        for publication in open {
            let (sequence, at_ms) = (publication.sequence.clone(), publication.began_ms);
            self.open.insert(sequence.clone(), publication);
            let cause = "the server stopped without saying goodbye".to_owned();
            let at_ms = at_ms.max(alive_ms);
            let end = PublicationEnd { at_ms, errcode: CRASHED, cause, bytes_in: None };
            self.end(&sequence, end).await;
        }
    }

    async fn tend(&mut self, is_all_written: bool) {
        if self.alive_at <= Instant::now() {
            self.alive_at = Instant::now() + ALIVE_EVERY;
            if !self.open.is_empty() {
                self.sign_of_life().await;
            }
        }
        let Some(look) = self.look.take_if(|l| l.at <= Instant::now()) else { return };
        if is_all_written {
            self.second_look(&look).await;
        } else {
            // What is in the queue knows better.
            self.look = Some(Look { at: Instant::now() + SETTLE, ..look });
        }
    }

    /// Without it a crash is dated too early. Above all it finds out whether the store works, before
    /// something that matters is to be written.
    async fn sign_of_life(&self) {
        let now_ms = self.clock.now_ms().to_string();
        let written = self.store.put_setting(ALIVE, &now_ms);
        match self.patiently(written).await {
            Ok(()) => self.health.works(PART),
            Err(error) => self.health.failed(PART, self.clock.now(), &error.to_string()),
        }
    }

    fn first_look(&self) -> Look {
        let live = self.live();
        let is_open = |s: &&String| self.open.contains_key(*s);
        Look {
            at: Instant::now() + SETTLE,
            dead: self.open.keys().filter(|s| !live.contains_key(*s)).cloned().collect(),
            missing: live.keys().filter(|s| !is_open(s)).cloned().collect(),
        }
    }

    /// What is wrong still is put right: an end that got lost is made up, a beginning too.
    async fn second_look(&mut self, look: &Look) {
        for sequence in &look.dead {
            let cause = "nobody knows: its end was one event too many".to_owned();
            let at_ms = self.clock.now_ms();
            let end = PublicationEnd { at_ms, errcode: END_LOST, cause, bytes_in: None };
            self.end(sequence, end).await;
        }
        let live = self.live();
        for publication in live.into_values().filter(|p| look.missing.contains(&p.sequence)) {
            self.begin(publication).await;
        }
    }

    /// What the hub knows of the publications that go on, which is less than they said at their
    /// beginning.
    fn live(&self) -> BTreeMap<String, Publication> {
        let now_ms = self.clock.now_ms();
        let snapshot = self.hub.snapshot(std::time::Instant::now());
        let all = snapshot.streams.into_iter().filter_map(|stream| {
            let publisher = stream.publisher?;
            let sequence = self.sequence(&stream.key, publisher.epoch);
            let publication = Publication {
                sequence: sequence.clone(),
                stream: stream_id(&stream.key),
                peer: publisher.peer.ip().to_canonical().to_string(),
                host: String::new(),
                agent: publisher.agent.clone(),
                protocol: String::new(),
                params: Some(Secret::default()),
                began_ms: now_ms.saturating_sub(publisher.uptime.as_millis() as u64),
                end: None,
            };
            Some((sequence, publication))
        });
        all.collect()
    }

    fn publication(&self, began: &PublishBegan, at_ms: u64) -> Publication {
        Publication {
            sequence: self.sequence(&began.key, began.epoch),
            stream: stream_id(&began.key),
            peer: began.peer.ip().to_canonical().to_string(),
            host: began.host.to_string(),
            agent: began.agent.to_string(),
            protocol: began.protocol.to_owned(),
            params: Some(Secret::new(&*began.query)),
            began_ms: at_ms,
            end: None,
        }
    }

    /// A number of a publication that no other has, the same at its beginning and end: 62 bits, as a
    /// receiver's number has 63. Of a thousand million publications two have the same with a chance of
    /// one in nine; within the months that any are kept, of far fewer.
    fn sequence(&self, key: &StreamKey, epoch: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(self.run);
        hash.update(epoch.to_be_bytes());
        hash.update(key.to_string().as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.finalize()[..8]);
        (u64::from_be_bytes(head) >> 2).to_string()
    }
}

fn how(ended: &PublishEnded, at_ms: u64) -> PublicationEnd {
    let PublishEnded { errcode, cause, bytes_in, .. } = ended;
    PublicationEnd { at_ms, errcode: *errcode, cause: cause.clone(), bytes_in: Some(*bytes_in) }
}

fn delivery(stream: &StreamId, event: u32, body: Secret, at_ms: u64) -> Delivery {
    Delivery {
        id: 0,
        account: stream.account.clone(),
        event,
        stream: format!("{}/{}", stream.app, stream.name),
        body: Some(body),
        state: DeliveryState::Pending,
        tries: 0,
        due_ms: at_ms,
        outcome: String::new(),
        made_ms: at_ms,
    }
}

/// The first and the last are kept of each kind, and how bad the worst was.
fn odd(anomaly: &Anomaly) -> Odd {
    let Anomaly { kind, count, first_ms, last_ms, worst } = *anomaly;
    let worst = match kind {
        1..=4 | 6 | 7 => format!("{worst} ms at most"),
        5 => format!("{worst} bytes"),
        _ => String::new(),
    };
    let mut seen = vec![(first_ms, worst.clone())];
    if count > 1 {
        seen.push((last_ms, worst));
    }
    Odd { kind, count, seen }
}

fn stream_id(key: &StreamKey) -> StreamId {
    let StreamKey { account, app, name } = key;
    StreamId { account: account.to_string(), app: app.to_string(), name: name.to_string() }
}

/// Events that wait for the store: half an hour of four beginnings and ends a second. With 500 bytes
/// each 4 MB, with the longest URLs 20.
const QUEUE_MAX: usize = 8192;
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How often a sign of life is written while somebody publishes: so exact is a crash's moment, and so soon
/// a store that does not work is found out. A row each: 4 to 8 KB a time, 300 MB a day.
const ALIVE_EVERY: Duration = Duration::from_secs(2);
const ALIVE: &str = "journal.alive_ms";
/// What is on its way from the hub has long arrived after so much time.
const SETTLE: Duration = Duration::from_secs(2);
/// After the last event of a stopping server.
const QUIET: Duration = Duration::from_millis(250);
/// As many as the hub keeps: 65 536 events in parts of 1024.
const GOODBYE_BATCHES_MAX: usize = 64;
const GOODBYE_MAX: Duration = Duration::from_secs(5);
const PART: &str = "history";
