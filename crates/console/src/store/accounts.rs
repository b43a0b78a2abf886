//! Accounts and their domains.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use super::database::{Step, has_changed};
use super::open::now;
use super::row::{self, Fields, json, number, word};
use super::sql::SqlStore;
use super::vault::{Cell, Vault};
use super::{Result, StoreError, audit};
use crate::model::{Account, Callback, Domain, Remote, Secret};

pub(super) async fn all(store: &SqlStore) -> Result<Vec<Account>> {
    let mut step = store.database.read().await?;
    let rows = sqlx::query("SELECT * FROM accounts").fetch_all(&mut *step).await?;
    let of_all =
        sqlx::query("SELECT * FROM domains ORDER BY account, number").fetch_all(&mut *step).await?;
    step.commit().await?;

    let mut domains: HashMap<String, Vec<&AnyRow>> = HashMap::new();
    for row in &of_all {
        domains.entry(row.text("account")?).or_default().push(row);
    }
    let mut accounts = Vec::with_capacity(rows.len());
    for row in &rows {
        let of_it = domains.remove(&row.text("bizid")?).unwrap_or_default();
        let of_it: Result<Vec<Domain>> =
            of_it.into_iter().map(|d| domain(&store.vault, d)).collect();
        // The damage of one is none of the others' business.
        match of_it.and_then(|of_it| account(&store.vault, row, of_it)) {
            Ok(account) => accounts.push(account),
            Err(why) => tracing::error!(%why, "an account in the store is damaged"),
        }
    }
    accounts.sort_by_cached_key(|a| (!is_default(a), a.bizid.len(), a.bizid.clone()));
    Ok(accounts)
}

pub(super) async fn numbers(store: &SqlStore) -> Result<Vec<String>> {
    let rows = sqlx::query("SELECT bizid FROM accounts").fetch_all(store.database.reader()).await?;
    rows.iter().map(|row| row.text("bizid")).collect()
}

pub(super) async fn is_retired(store: &SqlStore, bizid: &str) -> Result<bool> {
    let row = sqlx::query("SELECT bizid FROM retired WHERE bizid = $1")
        .bind(bizid)
        .fetch_optional(store.database.reader())
        .await?;
    Ok(row.is_some())
}

pub(super) async fn one(store: &SqlStore, bizid: &str) -> Result<Option<Account>> {
    let mut step = store.database.read().await?;
    let row = sqlx::query("SELECT * FROM accounts WHERE bizid = $1")
        .bind(bizid)
        .fetch_optional(&mut *step)
        .await?;
    let rows = sqlx::query("SELECT * FROM domains WHERE account = $1 ORDER BY number")
        .bind(bizid)
        .fetch_all(&mut *step)
        .await?;
    step.commit().await?;
    let Some(row) = row else { return Ok(None) };
    let domains: Result<Vec<Domain>> = rows.iter().map(|row| domain(&store.vault, row)).collect();
    account(&store.vault, &row, domains?).map(Some)
}

pub(super) async fn put(store: &SqlStore, account: &Account) -> Result<u64> {
    let mut step = store.database.write().await?;
    let version = put_one(&mut step, &store.vault, account).await?;
    step.commit().await?;
    Ok(version)
}

pub(super) async fn put_first(store: &SqlStore, accounts: &[Account], default: &str) -> Result<()> {
    let mut step = store.database.write().await?;
    let there = sqlx::query("SELECT COUNT(*) AS n FROM accounts").fetch_one(&mut *step).await?;
    if there.number("n")? > 0 {
        return Err(StoreError::Conflict);
    }
    audit::write_setting(&mut step, DEFAULT_ACCOUNT, default).await?;
    for account in accounts {
        put_one(&mut step, &store.vault, account).await?;
    }
    Ok(step.commit().await?)
}

async fn put_one(step: &mut Step, vault: &Vault, account: &Account) -> Result<u64> {
    let version = account.version.saturating_add(1);
    let query = if account.version == 0 { sqlx::query(INSERT) } else { sqlx::query(UPDATE) };
    let sealed = |column, secret: &Secret| vault.seal(Cell { column, row: &account.bizid }, secret);
    let target = |column, url: &Option<String>| {
        url.as_ref().map(|url| sealed(column, &Secret::new(url))).transpose()
    };
    let remote = Remote { url: None, ..account.remote.clone() };
    let result = query
        .bind(&account.bizid)
        .bind(row::text(&account.name))
        .bind(word(account.subject)?)
        .bind(json(&account.category)?)
        .bind(i64::from(account.service))
        .bind(i64::from(account.live_pusher))
        .bind(i64::from(account.live_player))
        .bind(word(account.profile)?)
        .bind(i64::from(account.udp))
        .bind(i64::from(account.udp_viewers_max))
        .bind(sealed(API_KEY, &account.api_key)?)
        .bind(i64::from(account.old_api))
        .bind(json(&account.addresses)?)
        .bind(json(&account.referers)?)
        .bind(target(CALLBACK_TARGET, &account.callback.url)?)
        .bind(sealed(CALLBACK_KEY, &account.callback.key)?)
        .bind(i64::from(account.callback.anomalies))
        .bind(json(&remote)?)
        .bind(account.revoked_before.map(number))
        .bind(json(&account.revoked_streams)?)
        .bind(number(account.created))
        .bind(number(version))
        .bind(number(account.version))
        .bind(target(REMOTE_TARGET, &account.remote.url)?)
        .execute(&mut **step)
        .await?;
    if !has_changed(&result) {
        return Err(StoreError::Conflict);
    }
    put_domains(step, vault, account).await?;
    Ok(version)
}

async fn put_domains(step: &mut Step, vault: &Vault, account: &Account) -> Result<()> {
    sqlx::query("DELETE FROM domains WHERE account = $1")
        .bind(&account.bizid)
        .execute(&mut **step)
        .await?;
    for domain in &account.domains {
        let place = place(&account.bizid, domain.number);
        let sealed = |column, secret| vault.seal(Cell { column, row: &place }, secret);
        sqlx::query("INSERT INTO domains VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(&account.bizid)
            .bind(i64::from(domain.number))
            .bind(word(domain.action)?)
            .bind(domain.host.as_deref())
            .bind(sealed(MAIN, &domain.main)?)
            .bind(domain.backup.as_ref().map(|key| sealed(BACKUP, key)).transpose()?)
            .bind(i64::from(domain.auth))
            .bind(number(domain.validity_s))
            .bind(word(domain.schemes)?)
            .bind(number(domain.rotated))
            .execute(&mut **step)
            .await?;
    }
    Ok(())
}

pub(super) async fn remove(store: &SqlStore, bizid: &str) -> Result<bool> {
    let mut step = store.database.write().await?;
    let result = sqlx::query("DELETE FROM accounts WHERE bizid = $1")
        .bind(bizid)
        .execute(&mut *step)
        .await?;
    // Domains and sessions go with what they belong to.
    for of_it in [
        "DELETE FROM users WHERE account = $1",
        "DELETE FROM tokens WHERE account = $1",
        "DELETE FROM forbids WHERE account = $1",
        "DELETE FROM deliveries WHERE account = $1 AND state <> 'delivered'",
    ] {
        sqlx::query(of_it).bind(bizid).execute(&mut *step).await?;
    }
    if has_changed(&result) {
        sqlx::query("INSERT INTO retired (bizid, removed) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(bizid)
            .bind(number(now()))
            .execute(&mut *step)
            .await?;
    }
    step.commit().await?;
    Ok(has_changed(&result))
}

/// Encrypts the URLs that an older program left as they are.
pub(super) async fn seal_targets(store: &SqlStore) -> Result<()> {
    let open = sqlx::query(IN_THE_CLEAR).fetch_all(store.database.reader()).await?;
    if open.is_empty() {
        return Ok(());
    }
    // What was deleted is not only forgotten, but overwritten.
    store.database.overwrite(true).await?;
    let mut step = store.database.write().await?;
    for row in &open {
        let bizid = row.text("bizid")?;
        let sealed = |column, url: Option<String>| {
            let cell = Cell { column, row: &bizid };
            url.map(|url| store.vault.seal(cell, &Secret::new(url))).transpose()
        };
        let mut remote: Remote = row.json("remote")?;
        sqlx::query(SEAL)
            .bind(&bizid)
            .bind(sealed(CALLBACK_TARGET, row.maybe_text("callback_url")?)?)
            .bind(sealed(REMOTE_TARGET, remote.url.take())?)
            .bind(json(&remote)?)
            .execute(&mut *step)
            .await?;
    }
    step.commit().await?;
    store.database.overwrite(false).await
}

fn account(vault: &Vault, row: &AnyRow, domains: Vec<Domain>) -> Result<Account> {
    let bizid = row.text("bizid")?;
    let secret = |name: &str, column| vault.unseal(Cell { column, row: &bizid }, &row.bytes(name)?);
    let target = |name: &str, column| -> Result<Option<String>> {
        let Some(bytes) = row.maybe_bytes(name)? else { return Ok(None) };
        Ok(Some(vault.unseal(Cell { column, row: &bizid }, &bytes)?.reveal().to_owned()))
    };
    Ok(Account {
        name: row.text("name")?,
        subject: row.word("subject")?,
        category: row.json("category")?,
        service: row.flag("service")?,
        live_pusher: row.flag("live_pusher")?,
        live_player: row.flag("live_player")?,
        profile: row.word("profile")?,
        udp: row.flag("udp")?,
        udp_viewers_max: row.small("udp_viewers_max")?,
        api_key: secret("api_key", API_KEY)?,
        old_api: row.flag("old_api")?,
        addresses: row.json("addresses")?,
        referers: row.json("referers")?,
        callback: Callback {
            url: target("callback_target", CALLBACK_TARGET)?,
            key: secret("callback_key", CALLBACK_KEY)?,
            anomalies: row.flag("callback_anomalies")?,
        },
        remote: Remote { url: target("remote_target", REMOTE_TARGET)?, ..row.json("remote")? },
        revoked_before: row.maybe_number("revoked_before")?,
        revoked_streams: row.json("revoked_streams")?,
        domains,
        created: row.number("created")?,
        version: row.number("version")?,
        bizid,
    })
}

fn domain(vault: &Vault, row: &AnyRow) -> Result<Domain> {
    let (account, number) = (row.text("account")?, row.small("number")?);
    let place = place(&account, number);
    let secret = |column, bytes: &[u8]| vault.unseal(Cell { column, row: &place }, bytes);
    let backup = row.maybe_bytes("backup")?;
    Ok(Domain {
        number,
        action: row.word("action")?,
        host: row.maybe_text("host")?,
        main: secret(MAIN, &row.bytes("main")?)?,
        backup: backup.map(|bytes| secret(BACKUP, &bytes)).transpose()?,
        auth: row.flag("auth")?,
        validity_s: row.number("validity_s")?,
        schemes: row.word("schemes")?,
        rotated: row.number("rotated")?,
    })
}

/// Whether an account owns the hosts that nobody names.
fn is_default(account: &Account) -> bool {
    account.domains.iter().any(|d| d.host.is_none())
}

/// The key of a domain's row.
fn place(bizid: &str, number: u32) -> String {
    format!("{bizid}/{number}")
}

// One order of values for both. An account that is there already makes the first do nothing; one that
// was changed or removed meanwhile, the second. PostgreSQL wants each value used: a new one has no
// version before.
const INSERT: &str = "INSERT INTO accounts (bizid, name, subject, category, service, live_pusher,
        live_player, profile, udp, udp_viewers_max, api_key, old_api, addresses, referers,
        callback_target, callback_key, callback_anomalies, remote, revoked_before, revoked_streams,
        created, version, remote_target)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22, $24
    WHERE $23 = 0 AND NOT EXISTS (SELECT 1 FROM retired WHERE bizid = $1)
    ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE accounts SET name = $2, subject = $3, category = $4, service = $5,
        live_pusher = $6, live_player = $7, profile = $8, udp = $9, udp_viewers_max = $10,
        api_key = $11, old_api = $12, addresses = $13, referers = $14, callback_target = $15,
        callback_key = $16, callback_anomalies = $17, remote = $18, revoked_before = $19,
        revoked_streams = $20, created = $21, version = $22, remote_target = $24
    WHERE bizid = $1 AND version = $23";

/// Accounts as schema 1 had them: their URLs can be read by whoever reads the file.
const IN_THE_CLEAR: &str = "SELECT bizid, callback_url, remote FROM accounts
    WHERE callback_url IS NOT NULL OR remote NOT LIKE '%\"url\":null%'";
const SEAL: &str = "UPDATE accounts SET callback_url = NULL, remote = $4,
        callback_target = COALESCE($2, callback_target), remote_target = COALESCE($3, remote_target)
    WHERE bizid = $1";

/// The number of the default account: it stays, whoever is added.
pub(crate) const DEFAULT_ACCOUNT: &str = "default-account";

pub(super) const CALLBACK_TARGET: &str = "accounts.callback_target";
pub(super) const REMOTE_TARGET: &str = "accounts.remote_target";
pub(super) const API_KEY: &str = "accounts.api_key";
pub(super) const CALLBACK_KEY: &str = "accounts.callback_key";
pub(super) const MAIN: &str = "domains.main";
pub(super) const BACKUP: &str = "domains.backup";
