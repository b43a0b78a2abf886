//! The store of a database. One method, one function of the room it belongs to.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::database::Database;
use super::vault::Vault;
use super::{Prune, Result, Store, accounts, audit, deliveries, people, publications, statistics};
use crate::model::{
    Account, Audit, Delivery, DeliveryState, Forbid, Minute, Page, Part, Point, Publication,
    PublicationEnd, Session, StreamId, Token, User,
};

/// A database and the key to its secrets.
pub(super) struct SqlStore {
    pub(super) database: Database,
    pub(super) vault: Vault,
    /// Whose turn it is to write what nobody waits for.
    pub(super) notes: Arc<Semaphore>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlStore({:?})", self.database.kind)
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn accounts(&self) -> Result<Vec<Account>> {
        accounts::all(self).await
    }

    async fn account_numbers(&self) -> Result<Vec<String>> {
        accounts::numbers(self).await
    }

    async fn is_retired(&self, bizid: &str) -> Result<bool> {
        accounts::is_retired(self, bizid).await
    }

    async fn put_first_accounts(&self, accounts: &[Account], default: &str) -> Result<()> {
        accounts::put_first(self, accounts, default).await
    }

    async fn account(&self, bizid: &str) -> Result<Option<Account>> {
        accounts::one(self, bizid).await
    }

    async fn put_account(&self, account: &Account) -> Result<u64> {
        accounts::put(self, account).await
    }

    async fn remove_account(&self, bizid: &str) -> Result<bool> {
        accounts::remove(self, bizid).await
    }

    async fn has_users(&self) -> Result<bool> {
        people::has_users(self).await
    }

    async fn users(&self) -> Result<Vec<User>> {
        people::users(self).await
    }

    async fn user(&self, login: &str) -> Result<Option<User>> {
        people::user(self, login).await
    }

    async fn put_user(&self, user: &User) -> Result<()> {
        people::put_user(self, user).await
    }

    async fn remove_user(&self, login: &str) -> Result<bool> {
        people::remove_user(self, login).await
    }

    async fn put_first_user(&self, user: &User) -> Result<()> {
        people::put_first_user(self, user).await
    }

    async fn put_session(&self, session: &Session, now: u64) -> Result<()> {
        people::put_session(self, session, now).await
    }

    async fn session(&self, hash: &[u8; 32], now: u64) -> Result<Option<(Session, User)>> {
        people::session(self, hash, now).await
    }

    async fn remove_session(&self, hash: &[u8; 32]) -> Result<()> {
        people::remove_session(self, hash).await
    }

    async fn remove_other_sessions(&self, login: &str, keep: &[u8; 32]) -> Result<()> {
        people::remove_other_sessions(self, login, keep).await
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        people::tokens(self).await
    }

    async fn use_token(&self, hash: &[u8; 32], now: u64) -> Result<Option<Token>> {
        people::use_token(self, hash, now).await
    }

    async fn add_token(&self, token: &Token) -> Result<u64> {
        people::add_token(self, token).await
    }

    async fn remove_token(&self, id: u64) -> Result<bool> {
        people::remove_token(self, id).await
    }

    async fn forbids(&self, account: Option<&str>, now: u64) -> Result<Vec<Forbid>> {
        publications::forbids(self, account, now).await
    }

    async fn put_forbid(&self, forbid: &Forbid) -> Result<()> {
        publications::put_forbid(self, forbid).await
    }

    async fn remove_forbid(&self, stream: &StreamId) -> Result<bool> {
        publications::remove_forbid(self, stream).await
    }

    async fn publication_began(&self, began: &Publication, tell: Option<&Delivery>) -> Result<()> {
        publications::began(self, began, tell).await
    }

    async fn publication_ended(
        &self,
        sequence: &str,
        end: &PublicationEnd,
        tell: Option<&Delivery>,
    ) -> Result<bool> {
        publications::ended(self, sequence, end, tell).await
    }

    async fn open_publications(&self) -> Result<Vec<Publication>> {
        publications::open(self).await
    }

    async fn publications(
        &self,
        account: Option<&str>,
        stream: Option<&StreamId>,
        from_ms: u64,
        to_ms: u64,
        page: Page,
    ) -> Result<Part<Publication>> {
        publications::list(self, account, stream, from_ms, to_ms, page).await
    }

    async fn was_published(&self, stream: &StreamId) -> Result<bool> {
        publications::was_published(self, stream).await
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Result<u64> {
        deliveries::add(self, delivery).await
    }

    async fn next_deliveries(&self) -> Result<Vec<Delivery>> {
        deliveries::next(self).await
    }

    async fn waiting_deliveries(&self) -> Result<(u64, Option<u64>)> {
        deliveries::waiting(self).await
    }

    async fn put_outcome(&self, delivery: &Delivery) -> Result<()> {
        deliveries::put_outcome(self, delivery).await
    }

    async fn delivery(&self, id: u64) -> Result<Option<Delivery>> {
        deliveries::one(self, id).await
    }

    async fn deliveries(
        &self,
        account: Option<&str>,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<Part<Delivery>> {
        deliveries::list(self, account, state, page).await
    }

    async fn add_minutes(&self, minutes: &[Minute]) -> Result<()> {
        statistics::add(self, minutes).await
    }

    async fn mark_gap(&self, from: u64, to: u64) -> Result<()> {
        statistics::mark_gap(self, from, to).await
    }

    async fn points(
        &self,
        account: Option<&str>,
        stream: Option<&StreamId>,
        from: u64,
        to: u64,
        step_s: u64,
    ) -> Result<Vec<Point>> {
        statistics::points(self, account, stream, from, to, step_s).await
    }

    async fn prune(&self, before: Prune) -> Result<()> {
        audit::prune(self, before).await
    }

    async fn add_audit(&self, audit: &Audit) -> Result<()> {
        audit::add(self, audit).await
    }

    async fn audits(&self, account: Option<&str>, page: Page) -> Result<Part<Audit>> {
        audit::list(self, account, page).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>> {
        audit::setting(self, name).await
    }

    async fn put_setting(&self, name: &str, json: &str) -> Result<()> {
        audit::put_setting(self, name, json).await
    }
}
