//! Delivers what is to be told: of each account in the order in which it happened, accounts apart.
//!
//! What is to be told lies in the store, so a restart only delays it. What was told and could not be
//! noted any more is told again: a receiver knows it by `sequence` and `event_type`.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::health::Health;
use crate::hooks::body;
use crate::hooks::post::{Message, Post};
use crate::hooks::target::Target;
use crate::metrics::{Count, Text};
use crate::model::{Account, Delivery, DeliveryState};
use crate::store::{Store, StoreError};

/// Delivers. [`Outbox::run`] is its task.
#[derive(Debug)]
pub struct Outbox {
    store: Arc<dyn Store>,
    post: Arc<dyn Post>,
    clock: Arc<dyn Clock>,
    health: Health,
    bell: Arc<Notify>,
    told: Arc<Told>,
    /// Whether the last outcome could be written down: a full disk can still be read.
    is_writable: AtomicBool,
}

/// Tells the outbox that there is something new in the store, and has it try again what was given up.
#[derive(Debug, Clone)]
pub struct Postman {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
    told: Arc<Told>,
}

/// What came of the tries so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    delivered: Count,
    /// To be tried again.
    missed: Count,
    given_up: Count,
}

/// Why something is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryError {
    /// There is no such delivery.
    #[error("there is no such delivery: it may have been forgotten by now")]
    Unknown,
    /// It is not one that was given up.
    #[error("only what was given up can be tried again")]
    NotFailed,
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outbox {
    /// An outbox of that store.
    pub fn new(
        store: Arc<dyn Store>,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
        health: Health,
    ) -> Outbox {
        let is_writable = AtomicBool::new(true);
        let (bell, told) = (Arc::default(), Arc::default());
        Outbox { store, post, clock, health, bell, told, is_writable }
    }

    /// To be told of news.
    pub fn postman(&self) -> Postman {
        let Outbox { store, clock, bell, told, .. } = self;
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        Postman { store, clock, bell: Arc::clone(bell), told: Arc::clone(told) }
    }

    /// Delivers until it is dropped.
    pub async fn run(self) {
        let mut round = Round::default();
        loop {
            if round.is_over() {
                self.look(&mut round).await;
            }
            while round.busy.len() < IN_FLIGHT_MAX {
                let Some(delivery) = round.ready.pop_front() else { break };
                round.busy.insert(delivery.account.clone());
                round.tries.push(Box::pin(self.attempt(delivery)));
            }
            let pause_ms = round.pause_ms(self.clock.now_ms());
            tokio::select! {
                Some(account) = round.tries.next() => {
                    round.busy.remove(&account);
                    round.is_stale = true;
                }
                () = self.bell.notified() => round.is_stale = true,
                () = sleep(Duration::from_millis(pause_ms)) => round.is_stale = true,
            }
        }
    }

    /// Looks what may be tried: what is first in its account's line, is due, and is not being tried.
    async fn look(&self, round: &mut Round<'_>) {
        let now_ms = self.clock.now_ms();
        round.is_stale = false;
        round.next_due_ms = now_ms + LOOK_EVERY_MS;
        let first = match self.store.next_deliveries().await {
            Ok(first) => first,
            Err(error) => {
                self.health.failed(PART, now_ms / 1000, &error.to_string());
                round.next_due_ms = now_ms + STORE_PAUSE_MS;
                return;
            }
        };
        if self.is_writable.load(Relaxed) {
            self.health.works(PART);
        }
        for delivery in first {
            if round.busy.contains(&delivery.account) {
                continue;
            }
            // A due time further off than any pause was written by a clock that has been put back.
            if delivery.due_ms > now_ms && delivery.due_ms <= now_ms + RESEND_EVERY_MS {
                round.next_due_ms = round.next_due_ms.min(delivery.due_ms);
            } else {
                round.ready.push_back(delivery);
            }
        }
    }

    /// Tries once and notes what came of it. Answers whose turn it was.
    async fn attempt(&self, mut delivery: Delivery) -> String {
        let began_ms = self.clock.now_ms();
        let outcome = match self.store.account(&delivery.account).await {
            Ok(account) => self.send(account, &delivery, began_ms / 1000).await,
            Err(StoreError::Damaged(why)) => Outcome::Hopeless(why),
            Err(_) => {
                // Nothing was tried, nothing is noted; the line waits.
                sleep(Duration::from_millis(STORE_PAUSE_MS)).await;
                return delivery.account;
            }
        };
        note(&mut delivery, outcome, began_ms);
        let Delivery { account, event, stream, state, tries, outcome, .. } = &delivery;
        match state {
            DeliveryState::Delivered => {
                self.told.delivered.add(1);
                tracing::debug!(%account, event, %stream, tries, "callback delivered");
            }
            DeliveryState::Pending => {
                self.told.missed.add(1);
                tracing::warn!(%account, event, %stream, tries, %outcome, "callback not delivered: again");
            }
            DeliveryState::Failed => {
                self.told.given_up.add(1);
                tracing::error!(%account, event, %stream, tries, %outcome, "callback given up");
            }
        }
        // Until it is noted the line stands still: else the same would be sent again at once.
        while let Err(error) = self.store.put_outcome(&delivery).await {
            self.is_writable.store(false, Relaxed);
            self.health.failed(PART, self.clock.now(), &error.to_string());
            sleep(Duration::from_millis(STORE_PAUSE_MS)).await;
        }
        self.is_writable.store(true, Relaxed);
        self.health.works(PART);
        delivery.account
    }

    async fn send(&self, account: Option<Account>, delivery: &Delivery, now: u64) -> Outcome {
        let Some(account) = account else {
            return Outcome::Hopeless("the account is gone".to_owned());
        };
        let Some(url) = &account.callback.url else {
            return Outcome::Hopeless("the account has no callback URL any more".to_owned());
        };
        let target = match Target::parse(url) {
            Ok(target) => target,
            Err(error) => return Outcome::Hopeless(error.to_string()),
        };
        let key = signing_key(&account);
        let signed = delivery.body.as_ref().map(|body| body::signed(body.reveal(), key, now));
        let Some(Ok((body, signature))) = signed else {
            return Outcome::Hopeless(UNREADABLE.to_owned());
        };
        let message = Message { target, body, signature, within: ANSWER_WITHIN };
        match self.post.post(&message).await {
            Ok(200) => Outcome::Delivered,
            Ok(status) => Outcome::Missed(format!("answered {status} instead of 200")),
            Err(error) => Outcome::Missed(error.to_string()),
        }
    }
}

impl Postman {
    /// There may be something new.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// Has something tried again that was given up: at once, and before what came later. `account`
    /// is the one account whose deliveries the asker may touch.
    ///
    /// # Errors
    /// [`RetryError`].
    pub async fn retry(&self, id: u64, account: Option<&str>) -> Result<Delivery, RetryError> {
        let found = self.store.delivery(id).await?;
        let is_theirs = |d: &Delivery| account.is_none_or(|a| a == d.account);
        let mut delivery = found.filter(is_theirs).ok_or(RetryError::Unknown)?;
        if delivery.state != DeliveryState::Failed {
            return Err(RetryError::NotFailed);
        }
        delivery.state = DeliveryState::Pending;
        delivery.tries = 0;
        delivery.due_ms = self.clock.now_ms();
        self.store.put_outcome(&delivery).await?;
        self.ring();
        Ok(delivery)
    }
}

impl Told {
    pub(crate) fn write(&self, text: &mut Text) {
        text.family("callbacks", "counter", "Tries to deliver a callback, by what came of them");
        let Told { delivered, missed, given_up } = self;
        for (outcome, count) in
            [("delivered", delivered), ("missed", missed), ("given-up", given_up)]
        {
            text.sample("callbacks_total", &[("outcome", outcome)], count.get());
        }
    }
}

/// What an account's requests are signed with: the callback's own key, else the one of the API.
pub(crate) fn signing_key(account: &Account) -> &str {
    let own = &account.callback.key;
    if own.is_empty() { account.api_key.reveal() } else { own.reveal() }
}

/// What came of a try.
enum Outcome {
    Delivered,
    Missed(String),
    /// Another try would end the same.
    Hopeless(String),
}

/// Writes down what came of a try, and when the next one is.
fn note(delivery: &mut Delivery, outcome: Outcome, began_ms: u64) {
    delivery.tries += 1;
    delivery.due_ms = began_ms;
    // Behind a receiver that is dead for long a line grows: what is old is tried once.
    let is_old = began_ms.saturating_sub(delivery.made_ms) > OLD_AFTER_MS;
    let tries_max = if is_old { 1 } else { 1 + RESENDS };
    (delivery.state, delivery.outcome) = match outcome {
        Outcome::Delivered => (DeliveryState::Delivered, "answered 200".to_owned()),
        Outcome::Hopeless(why) => (DeliveryState::Failed, why),
        Outcome::Missed(why) if delivery.tries >= tries_max => (DeliveryState::Failed, why),
        Outcome::Missed(why) => {
            delivery.due_ms = began_ms + RESEND_EVERY_MS;
            (DeliveryState::Pending, why)
        }
    };
}

/// What was found in the store, and what is being tried.
#[derive(Default)]
struct Round<'a> {
    ready: VecDeque<Delivery>,
    tries: FuturesUnordered<BoxFuture<'a, String>>,
    busy: BTreeSet<String>,
    next_due_ms: u64,
    /// Whether the store may have something that was not there at the last look.
    is_stale: bool,
}

impl Round<'_> {
    /// Everybody who was found has had a turn, and there may be more. So an account with much to tell
    /// waits for the others after each try.
    fn is_over(&self) -> bool {
        self.ready.is_empty() && (self.is_stale || self.next_due_ms == 0)
    }

    /// How long to wait for something to happen by itself. While somebody who was found has had no
    /// turn yet, only the end of a try helps.
    fn pause_ms(&self, now_ms: u64) -> u64 {
        if self.ready.is_empty() {
            self.next_due_ms.saturating_sub(now_ms).max(1)
        } else {
            LOOK_EVERY_MS
        }
    }
}

impl fmt::Debug for Round<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Round({} ready, {} in flight)", self.ready.len(), self.busy.len())
    }
}

/// The vendor's: three more tries, ...
const RESENDS: u32 = 3;
/// ... a minute from the beginning of one to that of the next, ...
const RESEND_EVERY_MS: u64 = 60_000;
/// ... when there was no answer in so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Accounts that are told something at one time: a socket and some 100 KB each, at most.
const IN_FLIGHT_MAX: usize = 32;
/// A dead receiver takes in 20 events an hour; after a day there would be hundreds.
const OLD_AFTER_MS: u64 = 24 * 3600 * 1000;
/// How often the store is looked at although nobody rang: another process may have written to it.
const LOOK_EVERY_MS: u64 = 30_000;
/// How long a store that does not work is left alone.
const STORE_PAUSE_MS: u64 = 1000;
const PART: &str = "callbacks";
/// Damage of one row: the line behind it goes on.
const UNREADABLE: &str =
    "what was to be told cannot be read any more: its row in the store is damaged";
