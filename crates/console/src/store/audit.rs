//! What was done, settings, and what is forgotten.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::database::{Step, next_number};
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
    write_setting(&mut step, name, json).await?;
    Ok(step.commit().await?)
}

pub(super) async fn write_setting(step: &mut Step, name: &str, json: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO settings (name, json) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET json = excluded.json",
    )
    .bind(name)
    .bind(json)
    .execute(&mut **step)
    .await?;
    Ok(())
}

/// Forgets what is old, some at a time: whoever else has something to write has a turn in between.
pub(super) async fn prune(store: &SqlStore, before: Prune) -> Result<()> {
    for forget in FORGET {
        while some(store, forget, before).await? {}
    }
    Ok(())
}

/// Forgets the oldest rows of a table. Answers whether there may be more.
async fn some(store: &SqlStore, forget: &Forget, before: Prune) -> Result<bool> {
    let [last, delete] = forget.queries();
    let moment = number((forget.before)(before));
    let mut step = store.database.write().await?;
    let row = sqlx::query(AssertSqlSafe(last)).bind(moment).fetch_optional(&mut *step).await?;
    let last = row.map(|row| row.number("last")).transpose()?;
    let until = last.map_or(moment, |last| number(last.saturating_add(1)).min(moment));
    sqlx::query(AssertSqlSafe(delete)).bind(until).execute(&mut *step).await?;
    step.commit().await?;
    Ok(last.is_some())
}

/// Which rows of a table are old: those whose moment is before one, and of which something holds.
pub(super) struct Forget {
    table: &'static str,
    column: &'static str,
    and: &'static str,
    before: fn(Prune) -> u64,
}

impl Forget {
    /// What finds the moment of the last row of a batch, and what deletes all before another.
    pub(super) fn queries(&self) -> [String; 2] {
        let Forget { table, column, and, .. } = self;
        [
            format!(
                "SELECT {column} AS last FROM {table} WHERE {column} < $1 {and} ORDER BY {column} \
                 LIMIT 1 OFFSET {BATCH}"
            ),
            format!("DELETE FROM {table} WHERE {column} < $1 {and}"),
        ]
    }
}

const fn old(table: &'static str, column: &'static str, before: fn(Prune) -> u64) -> Forget {
    Forget { table, column, and: "", before }
}

pub(super) const FORGET: &[Forget] = &[
    old("minutes", "at", |before| before.minutes),
    old("minutes_of_account", "at", |before| before.minutes),
    old("minutes_of_all", "at", |before| before.minutes),
    old("gaps", "to_s", |before| before.minutes.saturating_add(1)),
    old("publications", "ended_ms", |before| ms(before.publications)),
    // Nobody sees these any more; they go with the history of their streams.
    old("forbids", "until", |before| before.publications),
    Forget {
        and: "AND state <> 'pending'",
        ..old("deliveries", "made_ms", |before| ms(before.deliveries))
    },
    old("audits", "at", |before| before.audits),
];

/// Rows that are forgotten at one time, and those of the same moment as the last: some 20 ms on a slow disk.
const BATCH: usize = 2000;

fn ms(s: u64) -> u64 {
    s.saturating_mul(1000)
}

/// Which rows a list has.
pub(super) const OF_ACCOUNT: &str = "WHERE account = $1";
