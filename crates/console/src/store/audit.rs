//! What was done, settings, and what is forgotten.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::database::next_number;
use super::row::{self, Fields, number};
use super::sql::SqlStore;
use super::{Prune, Result, page};
use crate::model::{Audit, Page, Part};

pub(super) async fn add(store: &SqlStore, audit: &Audit) -> Result<()> {
    let mut step = store.database.write().await?;
    let id = next_number(&mut step, "audit").await?;
    sqlx::query(
        "INSERT INTO audits (id, at, who, peer, account, what, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(number(id))
    .bind(number(audit.at))
    .bind(row::text(&audit.who))
    .bind(row::text(&audit.peer))
    .bind(audit.account.as_deref())
    .bind(row::text(&audit.what))
    .bind(row::text(&audit.detail))
    .execute(&mut *step)
    .await?;
    Ok(step.commit().await?)
}

pub(super) async fn list(
    store: &SqlStore,
    account: Option<&str>,
    page: Page,
) -> Result<Part<Audit>> {
    let filter = if account.is_some() { OF_ACCOUNT } else { "" };
    let queries = page::queries("audits", filter, "id DESC", page);
    let [mut count, mut items] = queries.map(|sql| sqlx::query(AssertSqlSafe(sql)));
    if let Some(account) = account {
        (count, items) = (count.bind(account), items.bind(account));
    }
    page::part(store, count, items, audit).await
}

fn audit(row: &AnyRow) -> Result<Audit> {
    Ok(Audit {
        id: row.number("id")?,
        at: row.number("at")?,
        who: row.text("who")?,
        peer: row.text("peer")?,
        account: row.maybe_text("account")?,
        what: row.text("what")?,
        detail: row.text("detail")?,
    })
}

pub(super) async fn setting(store: &SqlStore, name: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT json FROM settings WHERE name = $1")
        .bind(name)
        .fetch_optional(store.database.reader())
        .await?;
    row.map(|row| row.text("json")).transpose()
}

pub(super) async fn put_setting(store: &SqlStore, name: &str, json: &str) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query(
        "INSERT INTO settings (name, json) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET json = excluded.json",
    )
    .bind(name)
    .bind(json)
    .execute(&mut *step)
    .await?;
    Ok(step.commit().await?)
}

pub(super) async fn prune(store: &SqlStore, before: Prune) -> Result<()> {
    let mut step = store.database.write().await?;
    for (sql, moment) in FORGET {
        sqlx::query(*sql).bind(number(moment(before))).execute(&mut *step).await?;
    }
    Ok(step.commit().await?)
}

/// What forgets, and which moment it is told.
type Forget = (&'static str, fn(Prune) -> u64);

pub(super) const FORGET: &[Forget] = &[
    ("DELETE FROM minutes WHERE at < $1", |before| before.minutes),
    ("DELETE FROM minutes_of_account WHERE at < $1", |before| before.minutes),
    ("DELETE FROM minutes_of_all WHERE at < $1", |before| before.minutes),
    ("DELETE FROM gaps WHERE to_s <= $1", |before| before.minutes),
    ("DELETE FROM publications WHERE ended_ms < $1", |before| ms(before.publications)),
    // Nobody sees these any more; they go with the history of their streams.
    ("DELETE FROM forbids WHERE until < $1", |before| before.publications),
    ("DELETE FROM deliveries WHERE made_ms < $1 AND state <> 'pending'", |before| {
        ms(before.deliveries)
    }),
    ("DELETE FROM audits WHERE at < $1", |before| before.audits),
];

fn ms(s: u64) -> u64 {
    s.saturating_mul(1000)
}

/// Which rows a list has.
pub(super) const OF_ACCOUNT: &str = "WHERE account = $1";
