//! The accounts and the gate as they are now, and the policy they make.
//!
//! The store is the only source. What is in it is held here as well, so that nothing but a change waits
//! for it; a change is written down before it holds.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use thalweg_access::{PolicyHandle, PolicyReader, Preset};

use crate::model::Account;
use crate::policy::{BadField, GateSetting, policy};
use crate::remote::Remote;
use crate::store::{DEFAULT_ACCOUNT, Store, StoreError};

/// The accounts and the gate of a server.
#[derive(Debug)]
pub struct Register {
    store: Arc<dyn Store>,
    policy: PolicyHandle,
    /// Who asks accounts' own back ends has to know them.
    remote: OnceLock<Remote>,
    now: RwLock<Arc<Books>>,
    /// Numbers of accounts that are in the store, but cannot be read.
    damaged: Vec<String>,
    /// Changes are made one after the other.
    turn: tokio::sync::Mutex<()>,
}

/// All of it at one moment.
#[derive(Debug, Clone)]
pub struct Books {
    /// The default one first.
    pub accounts: Vec<Arc<Account>>,
    /// Where each is, by number.
    places: HashMap<String, usize>,
    /// Who is admitted.
    pub gate: GateSetting,
}

/// Why a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// A field is wrong.
    #[error(transparent)]
    Bad(#[from] BadField),
    /// It cannot be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in the store is no setting of ours.
    #[error("the gate in the store cannot be read: {0}")]
    Gate(String),
}

impl Register {
    /// Reads the store. Where it has no account yet, `first` are made: those of the configuration, or
    /// the one that everyone starts with.
    ///
    /// # Errors
    /// [`NoChange`] when the store cannot be used, or what is in it makes no policy.
    pub async fn open<E: From<NoChange>>(
        store: Arc<dyn Store>,
        first: impl FnOnce() -> Result<Vec<Account>, E>,
    ) -> Result<Register, E> {
        let gate = gate(&*store).await?;
        let mut damaged = store.account_numbers().await.map_err(NoChange::from)?;
        if damaged.is_empty() {
            let accounts = first()?;
            // Before they are written: what makes no policy must not be found there tomorrow.
            policy(&accounts, &gate).map_err(NoChange::from)?;
            let default = accounts.first().map(|a| json(&a.bizid)).unwrap_or_default();
            store.put_first_accounts(&accounts, &default).await.map_err(NoChange::from)?;
        }
        let mut accounts = store.accounts().await.map_err(NoChange::from)?;
        damaged.retain(|bizid| accounts.iter().all(|a| a.bizid != *bizid));
        let default = store.setting(DEFAULT_ACCOUNT).await.map_err(NoChange::from)?;
        let is_default = |bizid: &str| default == Some(json(bizid));
        if let Some(bizid) = damaged.iter().find(|bizid| is_default(bizid)) {
            // Hosts that nobody names would be another's.
            let why = format!("account {bizid}, the default one, cannot be read: restore a backup");
            return Err(NoChange::from(StoreError::Damaged(why)).into());
        }
        accounts.sort_by_key(|a| !is_default(&a.bizid));
        let books = Books::new(accounts.into_iter().map(Arc::new).collect(), gate);
        let policy = PolicyHandle::new(books.policy().map_err(NoChange::from)?);
        let turn = tokio::sync::Mutex::default();
        let (remote, now) = (OnceLock::new(), RwLock::new(Arc::new(books)));
        Ok(Register { store, policy, remote, now, damaged, turn })
    }

    /// Numbers of accounts that are in the store, but could not be read when it was opened. They are nobody:
    /// whoever comes with a URL of theirs is refused.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Tells who asks accounts' own back ends whom to ask, now and after each change. Once: the first
    /// stays.
    pub fn tell(&self, remote: Remote) {
        remote.set_accounts(self.books().accounts.iter().map(AsRef::as_ref));
        let _ = self.remote.set(remote);
    }

    /// What decisions are made of.
    pub fn reader(&self) -> PolicyReader {
        self.policy.reader()
    }

    /// All of it, now.
    pub fn books(&self) -> Arc<Books> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes an account: the one that has `version`, if that is said.
    ///
    /// # Errors
    /// [`NoChange`], and then nothing is changed.
    pub async fn change<E: From<NoChange>>(
        &self,
        bizid: &str,
        version: Option<u64>,
        edit: impl FnOnce(&mut Account, &Books) -> Result<(), E> + Send,
    ) -> Result<Arc<Account>, E> {
        let _turn = self.turn.lock().await;
        let books = self.books();
        let old = books.account(bizid).ok_or_else(|| NoChange::NoAccount(bizid.to_owned()))?;
        if version.is_some_and(|v| v != old.version) {
            return Err(NoChange::Store(StoreError::Conflict).into());
        }
        let mut new = (**old).clone();
        edit(&mut new, &books)?;
        let mut next = (*books).clone();
        next.put(Arc::new(new.clone()));
        // A policy that cannot be must not be written down.
        next.policy().map_err(NoChange::from)?;
        new.version = self.store.put_account(&new).await.map_err(NoChange::from)?;
        let new = Arc::new(new);
        next.put(Arc::clone(&new));
        self.hold(next)?;
        Ok(new)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`NoChange`], and then nothing is added.
    pub async fn add(&self, mut account: Account) -> Result<Arc<Account>, NoChange> {
        let _turn = self.turn.lock().await;
        let mut next = (*self.books()).clone();
        if next.account(&account.bizid).is_some() {
            let message = format!("there is an account {} already", account.bizid);
            return Err(BadField::new("bizid", message).into());
        }
        if self.damaged.contains(&account.bizid) {
            let message = format!("there is an account {}, which cannot be read", account.bizid);
            return Err(BadField::new("bizid", message).into());
        }
        if self.store.is_retired(&account.bizid).await? {
            let message = format!(
                "{} was the number of an account that was removed, and its history is still here: choose \
                 another",
                account.bizid
            );
            return Err(BadField::new("bizid", message).into());
        }
        if next.accounts.len() >= ACCOUNTS_MAX {
            return Err(BadField::new("bizid", format!("there are {ACCOUNTS_MAX} accounts")).into());
        }
        next.put(Arc::new(account.clone()));
        next.policy()?;
        account.version = self.store.put_account(&account).await?;
        let account = Arc::new(account);
        next.put(Arc::clone(&account));
        self.hold(next)?;
        Ok(account)
    }

    /// Removes an account that is not the default one.
    ///
    /// # Errors
    /// [`NoChange`], and then it stays.
    pub async fn remove(&self, bizid: &str) -> Result<(), NoChange> {
        let _turn = self.turn.lock().await;
        let books = self.books();
        if books.account(bizid).is_none() {
            return Err(NoChange::NoAccount(bizid.to_owned()));
        }
        if books.is_default(bizid) {
            let message = "this is the default account: hosts that nobody names are its own";
            return Err(BadField::new("bizid", message).into());
        }
        self.store.remove_account(bizid).await?;
        let left = books.accounts.iter().filter(|a| a.bizid != bizid).cloned().collect();
        self.hold(Books::new(left, books.gate.clone()))
    }

    /// Sets who is admitted. It holds from the next decision on.
    ///
    /// # Errors
    /// [`NoChange`], and then it stays as it was.
    pub async fn set_gate(&self, gate: GateSetting) -> Result<(), NoChange> {
        let _turn = self.turn.lock().await;
        let next = Books { gate, ..(*self.books()).clone() };
        next.policy()?;
        let json =
            serde_json::to_string(&next.gate).map_err(|why| NoChange::Gate(why.to_string()))?;
        self.store.put_setting(GATE, &json).await?;
        self.hold(next)
    }

    fn hold(&self, books: Books) -> Result<(), NoChange> {
        // Before the policy: what has to be asked must find somebody to ask.
        if let Some(remote) = self.remote.get() {
            remote.set_accounts(books.accounts.iter().map(AsRef::as_ref));
        }
        self.policy.replace(books.policy()?);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(books);
        Ok(())
    }
}

impl Books {
    fn new(accounts: Vec<Arc<Account>>, gate: GateSetting) -> Books {
        let places = accounts.iter().enumerate().map(|(i, a)| (a.bizid.clone(), i)).collect();
        Books { accounts, places, gate }
    }

    /// The account of a number.
    pub fn account(&self, bizid: &str) -> Option<&Arc<Account>> {
        self.places.get(bizid).map(|place| &self.accounts[*place])
    }

    /// Whether an account owns the hosts that nobody names.
    pub fn is_default(&self, bizid: &str) -> bool {
        self.accounts.first().is_some_and(|a| a.bizid == bizid)
    }

    /// Whether the gate admits an account; if not, what would help.
    ///
    /// # Errors
    /// The sentence for its owner.
    pub fn admits(&self, account: &Account) -> Result<(), String> {
        if self.gate.admits(account.subject, &account.category) {
            return Ok(());
        }
        let category = match &account.category.sub {
            _ if account.category.main.is_empty() => "(none yet)".to_owned(),
            Some(sub) => format!("{}/{sub}", account.category.main),
            None => account.category.main.clone(),
        };
        let admitted: Vec<&str> = self.gate.rows.iter().map(|r| r.main.as_str()).collect();
        Err(format!(
            "category {category} may not use live-pusher and live-player; these may: {}. Change the \
             account's category if it is wrong, or the gate's table",
            admitted.join(", ")
        ))
    }

    fn put(&mut self, account: Arc<Account>) {
        match self.places.get(&account.bizid) {
            Some(place) => self.accounts[*place] = account,
            None => {
                self.places.insert(account.bizid.clone(), self.accounts.len());
                self.accounts.push(account);
            }
        }
    }

    fn policy(&self) -> Result<thalweg_access::Policy, BadField> {
        policy(self.accounts.iter().map(AsRef::as_ref), &self.gate)
    }
}

/// The gate of a store; the first table where none was set.
async fn gate(store: &dyn Store) -> Result<GateSetting, NoChange> {
    match store.setting(GATE).await? {
        Some(json) => serde_json::from_str(&json).map_err(|why| NoChange::Gate(why.to_string())),
        None => Ok(GateSetting::of_preset(Preset::Seed)),
    }
}

/// A number, as the setting has it that says which account is the default one.
fn json(bizid: &str) -> String {
    serde_json::json!(bizid).to_string()
}

/// The name of the gate's setting.
const GATE: &str = "gate";
/// Accounts of a server: at some 4 KiB each, in memory and in the policy, 80 MB.
const ACCOUNTS_MAX: usize = 10_000;
