//! What the stories need: a store in memory that can fail, a receiver that can lie, a clock.
#![allow(dead_code, reason = "each story needs a part of it")]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::Value;
use thalweg_console::clock::Clock;
use thalweg_console::hooks::post::{Message, Post, Undelivered};
use thalweg_console::model::{
    Account, AddressRules, Audit, Callback, Category, Delivery, DeliveryState, Forbid, Minute,
    Page, Part, Point, Profile, Publication, PublicationEnd, RefererRules, Remote, Secret, Session,
    StreamId, SubjectType, Token, User,
};
use thalweg_console::store::{Prune, Result, Store, StoreError};
use thalweg_hub::events::{PublishBegan, PublishEnded};
use thalweg_hub::{Hub, InProcess, Limits, StreamKey, What};
use tokio::time::Instant;

/// 2024-01-15 06:41:04 UTC, and as much more as tokio's time has gone on.
#[derive(Debug)]
pub(crate) struct TestClock(Instant);

pub(crate) const START_MS: u64 = 1_705_300_864_000;

impl TestClock {
    pub(crate) fn new() -> Arc<TestClock> {
        Arc::new(TestClock(Instant::now()))
    }

    /// Seconds since the story began.
    pub(crate) fn elapsed_s(&self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        START_MS + self.0.elapsed().as_millis() as u64
    }
}

pub(crate) fn hub() -> Hub {
    Hub::new(Limits::default(), InProcess::default())
}

pub(crate) fn at(clock: &TestClock) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(clock.now_ms())
}

pub(crate) fn key(account: &str, name: &str) -> StreamKey {
    StreamKey::new(account, "live", name)
}

pub(crate) fn begin(hub: &Hub, clock: &TestClock, key: &StreamKey, epoch: u64) {
    let began = PublishBegan {
        key: key.clone(),
        epoch,
        peer: "203.0.113.9:5000".parse().unwrap(),
        agent: "obs".into(),
        protocol: "rtmp",
        host: "push.example.com".into(),
        query: "txSecret=abc&txTime=65A5F1C0&user=7".into(),
    };
    hub.events().push(at(clock), What::PublishBegan(began));
}

pub(crate) fn end(hub: &Hub, clock: &TestClock, key: &StreamKey, epoch: u64) {
    let ended = PublishEnded {
        key: key.clone(),
        epoch,
        peer: "203.0.113.9:5000".parse().unwrap(),
        duration: Duration::from_secs(1),
        errcode: 1,
        cause: "the publisher deleted its stream".to_owned(),
        bytes_in: 1000,
    };
    hub.events().push(at(clock), What::PublishEnded(ended));
}

/// An account whose back end has a host of its own.
pub(crate) fn account(bizid: &str) -> Account {
    Account {
        bizid: bizid.to_owned(),
        name: "a school".to_owned(),
        subject: SubjectType::default(),
        category: Category::default(),
        service: true,
        live_pusher: true,
        live_player: true,
        profile: Profile::default(),
        udp: true,
        udp_viewers_max: 10,
        api_key: Secret::new("apikey"),
        old_api: false,
        addresses: AddressRules::default(),
        referers: RefererRules::default(),
        callback: Callback {
            url: Some(format!("https://b{bizid}.example.com/told?secret=s3cret")),
            key: Secret::new("callbackkey"),
            anomalies: false,
        },
        remote: Remote {
            url: Some(format!("https://b{bizid}.example.com/may")),
            push: true,
            play: true,
            play_if_unreachable: false,
        },
        revoked_before: None,
        revoked_streams: BTreeMap::new(),
        domains: Vec::new(),
        created: 0,
        version: 0,
    }
}

/// How a receiver takes a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    After(Duration, u16),
    Never,
}

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) at_s: u64,
    pub(crate) host: String,
    pub(crate) body: Value,
    pub(crate) text: String,
    pub(crate) signature: Option<String>,
}

/// Every back end there is. One without a script answers 200.
#[derive(Debug)]
pub(crate) struct Receivers {
    clock: Arc<TestClock>,
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    got: Mutex<Vec<Received>>,
    now: AtomicU64,
    most: AtomicU64,
}

impl Receivers {
    pub(crate) fn new(clock: &Arc<TestClock>) -> Arc<Receivers> {
        Arc::new(Receivers {
            clock: Arc::clone(clock),
            scripts: Mutex::default(),
            got: Mutex::default(),
            now: AtomicU64::new(0),
            most: AtomicU64::new(0),
        })
    }

    pub(crate) fn script(&self, host: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.scripts.lock().unwrap().insert(host.to_owned(), replies);
    }

    pub(crate) fn got(&self) -> Vec<Received> {
        self.got.lock().unwrap().clone()
    }

    /// What one back end was told: when, `event_type` and stream.
    pub(crate) fn told(&self, host: &str) -> Vec<(u64, u64, String)> {
        let of = |r: Received| {
            let stream = r.body["stream_id"].as_str().unwrap().to_owned();
            (r.at_s, r.body["event_type"].as_u64().unwrap(), stream)
        };
        self.got().into_iter().filter(|r| r.host == host).map(of).collect()
    }

    /// The most requests that were on their way at one time.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(SeqCst)
    }
}

#[async_trait]
impl Post for Receivers {
    async fn post(&self, message: &Message) -> std::result::Result<u16, Undelivered> {
        let host = message.target.host().to_string();
        let body = serde_json::from_str(&message.body).unwrap();
        let (text, signature) = (message.body.clone(), message.signature.clone());
        let at_s = self.clock.elapsed_s();
        self.got.lock().unwrap().push(Received { at_s, host: host.clone(), body, text, signature });
        let reply = self.scripts.lock().unwrap().get_mut(&host).and_then(VecDeque::pop_front);
        let count = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(count, SeqCst);
        let answer = match reply.unwrap_or(Reply::Status(200)) {
            Reply::Status(status) => Ok(status),
            Reply::After(pause, status) if pause < message.within => {
                tokio::time::sleep(pause).await;
                Ok(status)
            }
            Reply::After(..) | Reply::Never => {
                tokio::time::sleep(message.within).await;
                Err(Undelivered::Late(message.within))
            }
        };
        self.now.fetch_sub(1, SeqCst);
        answer
    }
}

/// A store that forgets everything when the story ends, and does not work when it is told not to.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) is_down: AtomicBool,
    pub(crate) is_stuck: AtomicBool,
    /// Whether what came of a try cannot be written, as on a full disk; all else can.
    pub(crate) is_full: AtomicBool,
    pub(crate) all: Mutex<All>,
}

#[derive(Debug, Default)]
pub(crate) struct All {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) publications: Vec<Publication>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) minutes: Vec<Minute>,
    pub(crate) gaps: Vec<(u64, u64)>,
    pub(crate) pruned: Vec<Prune>,
    pub(crate) settings: BTreeMap<String, String>,
}

impl Memory {
    pub(crate) fn with(accounts: &[&str]) -> Arc<Memory> {
        let memory = Memory::default();
        let all = accounts.iter().map(|a| (a.to_string(), account(a)));
        memory.all.lock().unwrap().accounts = all.collect();
        Arc::new(memory)
    }

    pub(crate) fn down(&self, is_down: bool) {
        self.is_down.store(is_down, SeqCst);
    }

    pub(crate) fn stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, SeqCst);
    }

    pub(crate) fn change(&self, bizid: &str, how: impl FnOnce(&mut Account)) {
        how(self.all.lock().unwrap().accounts.get_mut(bizid).unwrap());
    }

    pub(crate) fn find(&self, event: u32, name: &str) -> Delivery {
        let all = self.all.lock().unwrap();
        let is_it = |d: &&Delivery| d.event == event && d.stream == format!("live/{name}");
        all.deliveries.iter().find(is_it).unwrap().clone()
    }

    async fn work<T>(&self, work: impl FnOnce(&mut All) -> T) -> Result<T> {
        while self.is_stuck.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if self.is_down.load(SeqCst) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        Ok(work(&mut self.all.lock().unwrap()))
    }
}

impl All {
    fn deliver(&mut self, delivery: &Delivery) -> u64 {
        let id = self.deliveries.len() as u64 + 1;
        self.deliveries.push(Delivery { id, ..delivery.clone() });
        id
    }
}

fn absent<T>() -> Result<T> {
    Err(StoreError::Unavailable("not in this story".to_owned()))
}

#[async_trait]
impl Store for Memory {
    async fn accounts(&self) -> Result<Vec<Account>> {
        self.work(|all| all.accounts.values().cloned().collect()).await
    }
    async fn account(&self, bizid: &str) -> Result<Option<Account>> {
        self.work(|all| all.accounts.get(bizid).cloned()).await
    }
    async fn publication_began(&self, began: &Publication, tell: Option<&Delivery>) -> Result<()> {
        let is_new = self
            .work(|all| {
                if all.publications.iter().any(|p| p.sequence == began.sequence) {
                    return false;
                }
                all.publications.push(began.clone());
                tell.map(|d| all.deliver(d));
                true
            })
            .await?;
        if is_new { Ok(()) } else { Err(StoreError::Conflict) }
    }
    async fn publication_ended(
        &self,
        sequence: &str,
        end: &PublicationEnd,
        tell: Option<&Delivery>,
    ) -> Result<bool> {
        self.work(|all| {
            let is_it = |p: &&mut Publication| p.sequence == sequence && p.end.is_none();
            let Some(open) = all.publications.iter_mut().find(is_it) else { return false };
            open.end = Some(end.clone());
            tell.map(|d| all.deliver(d));
            true
        })
        .await
    }
    async fn open_publications(&self) -> Result<Vec<Publication>> {
        let open =
            |all: &mut All| all.publications.iter().filter(|p| p.end.is_none()).cloned().collect();
        self.work(open).await
    }
    async fn add_delivery(&self, delivery: &Delivery) -> Result<u64> {
        self.work(|all| all.deliver(delivery)).await
    }
    async fn next_deliveries(&self) -> Result<Vec<Delivery>> {
        self.work(|all| {
            let mut seen = BTreeSet::new();
            let is_pending = |d: &&Delivery| d.state == DeliveryState::Pending;
            let pending = all.deliveries.iter().filter(is_pending);
            pending.filter(|d| seen.insert(d.account.clone())).cloned().collect()
        })
        .await
    }
    async fn waiting_deliveries(&self) -> Result<(u64, Option<u64>)> {
        absent()
    }
    async fn put_outcome(&self, delivery: &Delivery) -> Result<()> {
        if self.is_full.load(SeqCst) {
            return Err(StoreError::Unavailable("the disk is full".to_owned()));
        }
        self.work(|all| all.deliveries[delivery.id as usize - 1] = delivery.clone()).await
    }
    async fn delivery(&self, id: u64) -> Result<Option<Delivery>> {
        self.work(|all| all.deliveries.get(id as usize - 1).cloned()).await
    }
    async fn add_minutes(&self, minutes: &[Minute]) -> Result<()> {
        self.work(|all| all.minutes.extend_from_slice(minutes)).await
    }
    async fn mark_gap(&self, from: u64, to: u64) -> Result<()> {
        self.work(|all| all.gaps.push((from, to))).await
    }
    async fn prune(&self, before: Prune) -> Result<()> {
        self.work(|all| all.pruned.push(before)).await
    }
    async fn setting(&self, name: &str) -> Result<Option<String>> {
        self.work(|all| all.settings.get(name).cloned()).await
    }
    async fn put_setting(&self, name: &str, json: &str) -> Result<()> {
        self.work(|all| all.settings.insert(name.to_owned(), json.to_owned())).await.map(drop)
    }

    // The rest is for people.
    async fn account_numbers(&self) -> Result<Vec<String>> {
        absent()
    }
    async fn is_retired(&self, _: &str) -> Result<bool> {
        absent()
    }
    async fn put_first_accounts(&self, _: &[Account], _: &str) -> Result<()> {
        absent()
    }
    async fn has_users(&self) -> Result<bool> {
        absent()
    }
    async fn put_account(&self, _: &Account) -> Result<u64> {
        absent()
    }
    async fn remove_account(&self, _: &str) -> Result<bool> {
        absent()
    }
    async fn users(&self) -> Result<Vec<User>> {
        absent()
    }
    async fn user(&self, _: &str) -> Result<Option<User>> {
        absent()
    }
    async fn put_user(&self, _: &User) -> Result<()> {
        absent()
    }
    async fn remove_user(&self, _: &str) -> Result<bool> {
        absent()
    }
    async fn put_first_user(&self, _: &User) -> Result<()> {
        absent()
    }
    async fn put_session(&self, _: &Session, _: u64) -> Result<()> {
        absent()
    }
    async fn session(&self, _: &[u8; 32], _: u64) -> Result<Option<(Session, User)>> {
        absent()
    }
    async fn remove_session(&self, _: &[u8; 32]) -> Result<()> {
        absent()
    }
    async fn remove_other_sessions(&self, _: &str, _: &[u8; 32]) -> Result<()> {
        absent()
    }
    async fn tokens(&self) -> Result<Vec<Token>> {
        absent()
    }
    async fn use_token(&self, _: &[u8; 32], _: u64) -> Result<Option<Token>> {
        absent()
    }
    async fn add_token(&self, _: &Token) -> Result<u64> {
        absent()
    }
    async fn remove_token(&self, _: u64) -> Result<bool> {
        absent()
    }
    async fn forbids(&self, _: Option<&str>, _: u64) -> Result<Vec<Forbid>> {
        absent()
    }
    async fn put_forbid(&self, _: &Forbid) -> Result<()> {
        absent()
    }
    async fn remove_forbid(&self, _: &StreamId) -> Result<bool> {
        absent()
    }
    async fn publications(
        &self,
        _: Option<&str>,
        _: Option<&StreamId>,
        _: u64,
        _: u64,
        _: Page,
    ) -> Result<Part<Publication>> {
        absent()
    }
    async fn was_published(&self, _: &StreamId) -> Result<bool> {
        absent()
    }
    async fn deliveries(
        &self,
        _: Option<&str>,
        _: Option<DeliveryState>,
        _: Page,
    ) -> Result<Part<Delivery>> {
        absent()
    }
    async fn points(
        &self,
        _: Option<&str>,
        _: Option<&StreamId>,
        _: u64,
        _: u64,
        _: u64,
    ) -> Result<Vec<Point>> {
        absent()
    }
    async fn add_audit(&self, _: &Audit) -> Result<()> {
        absent()
    }
    async fn audits(&self, _: Option<&str>, _: Page) -> Result<Part<Audit>> {
        absent()
    }
}
