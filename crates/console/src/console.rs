//! What every request of the API needs.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use thalweg_hub::Hub;

use crate::auth::{NoHash, Passwords, SetupToken, Who};
use crate::graphs::Graphs;
use crate::model::Audit;
use crate::problems::Problems;
use crate::register::{Books, Register};
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
    pub(crate) problems: Problems,
    pub(crate) graphs: Graphs,
    pub(crate) started: Instant,
    /// Makes the first administrator; gone when there is one.
    setup: Mutex<Option<SetupToken>>,
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
    /// What an operator has to look after.
    pub problems: Problems,
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
    /// A console of these parts. Where nobody can log in yet it has a token for the first
    /// administrator.
    ///
    /// # Errors
    /// [`NoConsole`].
    pub async fn new(parts: Parts) -> Result<Console, NoConsole> {
        let Parts { hub, store, register, places, problems } = parts;
        let is_new = store.users().await?.is_empty();
        let setup = match is_new {
            true => Some(SetupToken::new().ok_or(NoConsole::NoRandom)?),
            false => None,
        };
        let inner = Inner {
            hub,
            store,
            register,
            places,
            passwords: Passwords::new().await?,
            problems,
            graphs: Graphs::default(),
            started: Instant::now(),
            setup: Mutex::new(setup),
        };
        Ok(Console { inner: Arc::new(inner) })
    }

    /// The token for the first administrator, while there is none: to be printed.
    pub fn setup_token(&self) -> Option<SetupToken> {
        self.setup().clone()
    }

    /// Whatever goes on beside requests, without end: graphs are drawn, and streams that were forbidden
    /// before a restart are so again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self) -> Result<(), StoreError> {
        self.forbid_again().await?;
        self.inner.graphs.run(&self.inner.hub).await;
        Ok(())
    }

    async fn forbid_again(&self) -> Result<(), StoreError> {
        let now = now_unix_s();
        for forbid in self.inner.store.forbids(None, now).await? {
            let key = forbid.stream.key();
            let left = std::time::Duration::from_secs(forbid.until.saturating_sub(now));
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
        let Who { name, peer, .. } = who;
        self.note_of(name, *peer, account, what, detail.into()).await;
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
        if let Err(why) = self.store().add_audit(&audit).await {
            tracing::error!(%why, "the audit could not be written");
        }
    }
}

/// The time, UNIX seconds.
pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Of one entry of the audit.
const DETAIL_CHARS_MAX: usize = 500;
