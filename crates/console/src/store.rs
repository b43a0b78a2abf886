//! What is remembered after a restart.
//!
//! [`Store`] is all that the console knows of it. Whatever takes a decision works on values that were
//! read before: nothing waits for a store but the person or the program that asked it something.

mod accounts;
mod audit;
mod backup;
mod claim;
mod database;
mod deliveries;
mod files;
mod migrate;
mod open;
mod page;
mod people;
#[cfg(test)]
mod plans;
mod publications;
mod rekey;
mod restore;
mod row;
mod sql;
mod statistics;
mod vault;

use std::fmt;

use async_trait::async_trait;

use crate::model::{
    Account, Audit, Delivery, DeliveryState, Forbid, Minute, Page, Part, Point, Publication,
    PublicationEnd, Session, StreamId, Token, User,
};

pub(crate) use accounts::DEFAULT_ACCOUNT;
pub use backup::{BackupError, Summary, backup};
pub use claim::{Claim, claim};
pub use open::{Place, open};
pub use rekey::{Rekeyed, rekey};
pub use restore::restore;

/// Accounts, people, publications, deliveries and counts. Every method either does all of it or
/// nothing, and has done it durably when it answers.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Every account with its domains, the default one first, then by the length and digits of `bizid`.
    /// One that cannot be read is left out.
    async fn accounts(&self) -> Result<Vec<Account>>;

    /// The numbers of all accounts, whether they can be read or not.
    async fn account_numbers(&self) -> Result<Vec<String>>;

    /// Whether there was an account of this number, and it was removed. Its number stays its own.
    async fn is_retired(&self, bizid: &str) -> Result<bool>;

    /// Writes the accounts that a new store begins with, and the setting that says which is the default
    /// one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one already.
    async fn put_first_accounts(&self, accounts: &[Account], default: &str) -> Result<()>;

    /// One of them.
    async fn account(&self, bizid: &str) -> Result<Option<Account>>;

    /// Writes an account and its domains: a new one if its version is 0, else over the one that has
    /// this version. Answers the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has been changed meanwhile, is there already, or is retired.
    async fn put_account(&self, account: &Account) -> Result<u64>;

    /// Removes an account, its domains, users and tokens, and what it would still be told. What it did
    /// stays in the history and the audit. Answers whether there was one.
    async fn remove_account(&self, bizid: &str) -> Result<bool>;

    /// Whether there is anybody with a password.
    async fn has_users(&self) -> Result<bool>;

    /// Everybody with a password, by login.
    async fn users(&self) -> Result<Vec<User>>;

    /// One of them.
    async fn user(&self, login: &str) -> Result<Option<User>>;

    /// Writes a user, new or not.
    async fn put_user(&self, user: &User) -> Result<()>;

    /// Removes a user and the user's sessions. Answers whether there was one.
    async fn remove_user(&self, login: &str) -> Result<bool>;

    /// Makes the very first user.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one already, however many ask at once.
    async fn put_first_user(&self, user: &User) -> Result<()>;

    /// Remembers a session, and forgets those that expired before `now`.
    async fn put_session(&self, session: &Session, now: u64) -> Result<()>;

    /// The session of a hash and its user, if it has not expired.
    async fn session(&self, hash: &[u8; 32], now: u64) -> Result<Option<(Session, User)>>;

    /// Ends a session.
    async fn remove_session(&self, hash: &[u8; 32]) -> Result<()>;

    /// Ends every session of a user but one.
    async fn remove_other_sessions(&self, login: &str, keep: &[u8; 32]) -> Result<()>;

    /// Every token, by id.
    async fn tokens(&self) -> Result<Vec<Token>>;

    /// The token of a hash, if it has not expired. Says when it was used, to the minute.
    async fn use_token(&self, hash: &[u8; 32], now: u64) -> Result<Option<Token>>;

    /// Writes a new token. Answers its id.
    async fn add_token(&self, token: &Token) -> Result<u64>;

    /// Takes a token back. Answers whether there was one.
    async fn remove_token(&self, id: u64) -> Result<bool>;

    /// Streams that may not be published at `now`, of one account or of all.
    async fn forbids(&self, account: Option<&str>, now: u64) -> Result<Vec<Forbid>>;

    /// Forbids a stream, or changes until when.
    async fn put_forbid(&self, forbid: &Forbid) -> Result<()>;

    /// Allows it again. Answers whether it was forbidden.
    async fn remove_forbid(&self, stream: &StreamId) -> Result<bool>;

    /// A publication began: remembers it and, in the same breath, what is to be delivered.
    async fn publication_began(&self, began: &Publication, tell: Option<&Delivery>) -> Result<()>;

    /// And ended. Answers whether it was there and open; else nothing is told either.
    async fn publication_ended(
        &self,
        sequence: &str,
        end: &PublicationEnd,
        tell: Option<&Delivery>,
    ) -> Result<bool>;

    /// Publications that have not ended, oldest first.
    async fn open_publications(&self) -> Result<Vec<Publication>>;

    /// Publications that began in `[from_ms, to_ms)`, newest first: of an account or of all, of one of
    /// its streams or of all.
    async fn publications(
        &self,
        account: Option<&str>,
        stream: Option<&StreamId>,
        from_ms: u64,
        to_ms: u64,
        page: Page,
    ) -> Result<Part<Publication>>;

    /// Whether a stream was ever published, as far as the history goes.
    async fn was_published(&self, stream: &StreamId) -> Result<bool>;

    /// Something else to deliver. Answers its id.
    async fn add_delivery(&self, delivery: &Delivery) -> Result<u64>;

    /// The oldest pending delivery of each account, whether it is due or not: what came later waits
    /// for it.
    async fn next_deliveries(&self) -> Result<Vec<Delivery>>;

    /// How many deliveries are pending, and when what the oldest of them tells happened, UNIX ms.
    async fn waiting_deliveries(&self) -> Result<(u64, Option<u64>)>;

    /// What came of a try: state, tries, due and outcome are written.
    async fn put_outcome(&self, delivery: &Delivery) -> Result<()>;

    /// One delivery.
    async fn delivery(&self, id: u64) -> Result<Option<Delivery>>;

    /// Deliveries, newest first.
    async fn deliveries(
        &self,
        account: Option<&str>,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Part<Delivery>>;

    /// Adds to the counts of minutes: bytes and seconds are added, the most viewers are the most.
    async fn add_minutes(&self, minutes: &[Minute]) -> Result<()>;

    /// Says that counts between two moments are missing.
    async fn mark_gap(&self, from: u64, to: u64) -> Result<()>;

    /// Points of `step_s` seconds in `[from, to)`, of one stream, of one account or of all; those in
    /// which nothing was counted are left out unless they are a gap.
    async fn points(
        &self,
        account: Option<&str>,
        stream: Option<&StreamId>,
        from: u64,
        to: u64,
        step_s: u64,
    ) -> Result<Vec<Point>>;

    /// Forgets minutes, publications that ended, deliveries that are over and audit rows from before
    /// these moments (UNIX seconds).
    async fn prune(&self, before: Prune) -> Result<()>;

    /// Writes down what somebody did.
    async fn add_audit(&self, audit: &Audit) -> Result<()>;

    /// What was done, newest first.
    async fn audits(&self, account: Option<&str>, page: Page) -> Result<Part<Audit>>;

    /// A setting's JSON.
    async fn setting(&self, name: &str) -> Result<Option<String>>;

    /// Writes one.
    async fn put_setting(&self, name: &str, json: &str) -> Result<()>;
}

/// Before which moments what is forgotten, UNIX seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Prune {
    pub minutes: u64,
    pub publications: u64,
    pub deliveries: u64,
    pub audits: u64,
}

/// What a store answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why a store cannot do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was faster. Read it again.
    #[error("it has been changed meanwhile: read it again")]
    Conflict,
    /// It cannot be reached, or not written: a full disk, a lock, a network. It may pass.
    #[error("the store does not work: {0}")]
    Unavailable(String),
    /// What is in it makes no sense, or cannot be decrypted with this key file.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}
