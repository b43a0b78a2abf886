//! Accounts and their domains.

use std::collections::HashMap;

use sqlx::any::AnyRow;

use super::database::{Step, has_changed};
use super::row::{self, Fields, json, number, word};
use super::sql::SqlStore;
use super::vault::{Cell, Vault};
use super::{Result, StoreError};
use crate::model::{Account, Callback, Domain};

pub(super) async fn all(store: &SqlStore) -> Result<Vec<Account>> {
    let mut step = store.database.read().await?;
    let rows = sqlx::query("SELECT * FROM accounts").fetch_all(&mut *step).await?;
    let of_all =
        sqlx::query("SELECT * FROM domains ORDER BY account, number").fetch_all(&mut *step).await?;
    step.commit().await?;

    let mut domains: HashMap<String, Vec<Domain>> = HashMap::new();
    for row in &of_all {
        let (account, domain) = domain(&store.vault, row)?;
        domains.entry(account).or_default().push(domain);
    }
    let mut accounts = Vec::with_capacity(rows.len());
    for row in &rows {
        let of_it = domains.remove(&row.text("bizid")?).unwrap_or_default();
        accounts.push(account(&store.vault, row, of_it)?);
    }
    accounts.sort_by_cached_key(|a| (!is_default(a), a.bizid.len(), a.bizid.clone()));
    Ok(accounts)
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
    let domains: Result<Vec<Domain>> =
        rows.iter().map(|row| Ok(domain(&store.vault, row)?.1)).collect();
    account(&store.vault, &row, domains?).map(Some)
}

pub(super) async fn put(store: &SqlStore, account: &Account) -> Result<u64> {
    let version = account.version.saturating_add(1);
    let mut step = store.database.write().await?;
    let query = if account.version == 0 { sqlx::query(INSERT) } else { sqlx::query(UPDATE) };
    let sealed = |column, secret| store.vault.seal(Cell { column, row: &account.bizid }, secret);
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
        .bind(account.callback.url.as_deref())
        .bind(sealed(CALLBACK_KEY, &account.callback.key)?)
        .bind(i64::from(account.callback.anomalies))
        .bind(json(&account.remote)?)
        .bind(account.revoked_before.map(number))
        .bind(json(&account.revoked_streams)?)
        .bind(number(account.created))
        .bind(number(version))
        .bind(number(account.version))
        .execute(&mut *step)
        .await?;
    if !has_changed(&result) {
        return Err(StoreError::Conflict);
    }
    put_domains(&mut step, &store.vault, account).await?;
    step.commit().await?;
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
    step.commit().await?;
    Ok(has_changed(&result))
}

fn account(vault: &Vault, row: &AnyRow, domains: Vec<Domain>) -> Result<Account> {
    let bizid = row.text("bizid")?;
    let secret = |name: &str, column| vault.unseal(Cell { column, row: &bizid }, &row.bytes(name)?);
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
            url: row.maybe_text("callback_url")?,
            key: secret("callback_key", CALLBACK_KEY)?,
            anomalies: row.flag("callback_anomalies")?,
        },
        remote: row.json("remote")?,
        revoked_before: row.maybe_number("revoked_before")?,
        revoked_streams: row.json("revoked_streams")?,
        domains,
        created: row.number("created")?,
        version: row.number("version")?,
        bizid,
    })
}

/// A domain, and whose.
fn domain(vault: &Vault, row: &AnyRow) -> Result<(String, Domain)> {
    let (account, number) = (row.text("account")?, row.small("number")?);
    let place = place(&account, number);
    let secret = |column, bytes: &[u8]| vault.unseal(Cell { column, row: &place }, bytes);
    let backup = row.maybe_bytes("backup")?;
    let domain = Domain {
        number,
        action: row.word("action")?,
        host: row.maybe_text("host")?,
        main: secret(MAIN, &row.bytes("main")?)?,
        backup: backup.map(|bytes| secret(BACKUP, &bytes)).transpose()?,
        auth: row.flag("auth")?,
        validity_s: row.number("validity_s")?,
        schemes: row.word("schemes")?,
        rotated: row.number("rotated")?,
    };
    Ok((account, domain))
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
        callback_url, callback_key, callback_anomalies, remote, revoked_before, revoked_streams,
        created, version)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $21, $22
    WHERE $23 = 0
    ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE accounts SET name = $2, subject = $3, category = $4, service = $5,
        live_pusher = $6, live_player = $7, profile = $8, udp = $9, udp_viewers_max = $10,
        api_key = $11, old_api = $12, addresses = $13, referers = $14, callback_url = $15,
        callback_key = $16, callback_anomalies = $17, remote = $18, revoked_before = $19,
        revoked_streams = $20, created = $21, version = $22
    WHERE bizid = $1 AND version = $23";

const API_KEY: &str = "accounts.api_key";
const CALLBACK_KEY: &str = "accounts.callback_key";
const MAIN: &str = "domains.main";
const BACKUP: &str = "domains.backup";
