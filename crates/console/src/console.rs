//! What every request of the API needs.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use thalweg_hub::Hub;
use tokio::task::JoinSet;

use crate::auth::{NoHash, Passwords, SetupToken, Tokens, Who};
use crate::clock::{Clock, SystemClock};
use crate::graphs::Graphs;
use crate::health::Health;
use crate::hooks::journal::Journal;
use crate::hooks::outbox::{Outbox, Postman};
use crate::hooks::post::Post;
use crate::model::Audit;
use crate::register::{Books, Register};
use crate::remote::Remote;
use crate::statistics::Statistics;
use crate::store::{Store, StoreError};
use crate::urls::Places;

/// A console: one server's. Clones are the same.
#[derive(Debug, Clone)]
pub struct Console {
    pub(crate) inner: Arc<Inner>,
}

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) hub: Hub,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) register: Arc<Register>,
    pub(crate) places: Places,
    pub(crate) passwords: Passwords,
    pub(crate) tokens: Tokens,
    pub(crate) health: Health,
    pub(crate) postman: Postman,
    pub(crate) remote: Remote,
    pub(crate) graphs: Graphs,
    pub(crate) started: Instant,
    /// Users are changed one after the other: each change is of what was read just before.
    pub(crate) people: tokio::sync::Mutex<()>,
    /// Streams are forbidden and allowed one after the other: what is written down is what holds.
    pub(crate) forbids: tokio::sync::Mutex<()>,
    /// Makes the first administrator; gone when there is one.
    setup: Mutex<Option<SetupToken>>,
}

/// What goes on beside requests.
#[derive(Debug)]
pub struct Tasks {
    console: Console,
    journal: Journal,
    outbox: Outbox,
    statistics: Statistics,
}

/// Whom a console introduces to whom.
#[derive(Debug)]
pub struct Parts {
    /// The streams.
    pub hub: Hub,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The accounts.
    pub register: Arc<Register>,
    /// Where the server is reached.
    pub places: Places,
    /// Who delivers callbacks.
    pub post: Arc<dyn Post>,
    /// Who asks accounts' back ends: what came of that is among the metrics.
    pub remote: Remote,
    /// How many counts of a stream's minute wait in memory while the store does not work.
    pub counts_waiting_max: usize,
}

/// Why there is no console.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoConsole {
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandom,
}

impl From<NoHash> for NoConsole {
    fn from(_: NoHash) -> Self {
        NoConsole::NoRandom
    }
}

impl Console {
    /// A console of these parts, and what goes on beside it. Where nobody can log in yet it has a token
    /// for the first administrator.
    ///
    /// # Errors
    /// [`NoConsole`].
    pub async fn new(parts: Parts) -> Result<(Console, Tasks), NoConsole> {
        let Parts { hub, store, register, places, post, remote, counts_waiting_max } = parts;
        let is_new = !store.has_users().await?;
        let setup = match is_new {
            true => Some(SetupToken::new().ok_or(NoConsole::NoRandom)?),
            false => None,
        };
        let (health, clock) = (Health::default(), || Arc::new(SystemClock) as Arc<dyn Clock>);
        let outbox = Outbox::new(Arc::clone(&store), post, clock(), health.clone());
        let postman = outbox.postman();
        let kept = Arc::clone(&store);
        let journal = Journal::new(&hub, kept, clock(), health.clone(), postman.clone());
        let journal = journal.map_err(|_| NoConsole::NoRandom)?;
        let statistics = Statistics::new(&hub, Arc::clone(&store), clock(), health.clone())
            .keeping(counts_waiting_max);
        let inner = Inner {
            hub,
            store,
            register,
            places,
            passwords: Passwords::new().await?,
            tokens: Tokens::new()?,
            health,
            postman,
            remote,
            graphs: Graphs::default(),
            started: Instant::now(),
            people: tokio::sync::Mutex::default(),
            forbids: tokio::sync::Mutex::default(),
            setup: Mutex::new(setup),
        };
        let console = Console { inner: Arc::new(inner) };
        console.forbid_again().await?;
        let tasks = Tasks { console: console.clone(), journal, outbox, statistics };
        Ok((console, tasks))
    }

    /// The token for the first administrator, while there is none: to be printed.
    pub fn setup_token(&self) -> Option<SetupToken> {
        self.setup().clone()
    }

    /// Streams that were forbidden before a restart are so again.
    async fn forbid_again(&self) -> Result<(), StoreError> {
        let now = now_unix_s();
        for forbid in self.inner.store.forbids(None, now).await? {
            let key = forbid.stream.key();
            let left = Duration::from_secs(forbid.until.saturating_sub(now));
            if let Err(why) = self.inner.hub.kick(&key, left, Instant::now()) {
                tracing::error!(stream = %key, %why, "a forbidden stream is not");
            }
        }
        Ok(())
    }

    pub(crate) fn setup(&self) -> MutexGuard<'_, Option<SetupToken>> {
        self.inner.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn books(&self) -> Arc<Books> {
        self.inner.register.books()
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Writes down what somebody did. That it cannot be written is a problem of its own: what was done
    /// is done.
    pub(crate) async fn note(
        &self,
        who: &Who,
        account: Option<&str>,
        what: &str,
        detail: impl Into<String>,
    ) {
        unheard(self.note_before(who, account, what, detail).await);
    }

    /// Writes down that somebody is about to see a secret.
    ///
    /// # Errors
    /// When it cannot be written: then it is not shown.
    pub(crate) async fn note_before(
        &self,
        who: &Who,
        account: Option<&str>,
        what: &str,
        detail: impl Into<String>,
    ) -> Result<(), StoreError> {
        let Who { name, peer, .. } = who;
        self.write_down(name, *peer, account, what, detail.into()).await
    }

    /// The same of somebody who is no [`Who`].
    pub(crate) async fn note_of(
        &self,
        who: &str,
        peer: Option<IpAddr>,
        account: Option<&str>,
        what: &str,
        detail: String,
    ) {
        unheard(self.write_down(who, peer, account, what, detail).await);
    }

    async fn write_down(
        &self,
        who: &str,
        peer: Option<IpAddr>,
        account: Option<&str>,
        what: &str,
        detail: String,
    ) -> Result<(), StoreError> {
        let audit = Audit {
            id: 0,
            at: now_unix_s(),
            who: who.to_owned(),
            peer: peer.map(|p| p.to_string()).unwrap_or_default(),
            account: account.map(str::to_owned),
            what: what.to_owned(),
            detail: detail.chars().take(DETAIL_CHARS_MAX).collect(),
        };
        tracing::info!(who, what, account, detail = audit.detail, "console");
        self.store().add_audit(&audit).await
    }
}

/// What was done stays done, and the log has it.
fn unheard(written: Result<(), StoreError>) {
    if let Err(why) = written {
        tracing::error!(%why, "the audit could not be written");
    }
}

impl Tasks {
    /// Goes on until `stop`, and then until what has happened is written down, for some seconds at most.
    ///
    /// Each has a task of its own: what takes long in one, and a bug that ends one, is not the others' business.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) {
        let Tasks { console, journal, outbox, statistics } = self;
        let stop = stop.shared();
        let health = console.inner.health.clone();
        let graphs = async move { console.inner.graphs.run(&console.inner.hub).await };
        let written = async {
            tokio::join!(
                watched("history", &health, journal.run(stop.clone())),
                watched("statistics", &health, statistics.run(stop)),
            )
        };
        let beside = async {
            tokio::join!(
                watched("callbacks", &health, outbox.run()),
                watched("graphs", &health, graphs)
            );
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = written => {}
            () = beside => {}
        }
    }
}

/// A task of its own, which ends with this. One that a bug ends is complained of from then on.
async fn watched(
    part: &'static str,
    health: &Health,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let mut task = JoinSet::new();
    task.spawn(work);
    if let Some(Err(end)) = task.join_next().await
        && end.is_panic()
    {
        health.failed(part, now_unix_s(), "a bug ended it: start the server again, and report it");
    }
}

/// The time, UNIX seconds.
pub(crate) fn now_unix_s() -> u64 {
    SystemClock.now()
}

/// Of one entry of the audit.
const DETAIL_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_a_bug_ends_is_complained_of_and_the_others_go_on() {
        let health = Health::default();
        let (broken, whole) = tokio::join!(
            watched("graphs", &health, async { panic!("a bug") }),
            watched("history", &health, async {}),
        );
        assert_eq!((broken, whole), ((), ()));
        let ailments = health.ailments();
        assert_eq!(ailments.keys().copied().collect::<Vec<_>>(), ["graphs"]);
        assert!(ailments["graphs"].why.contains("a bug ended it"), "{ailments:?}");
    }
}
