//! What is told to customers' back ends.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::database::{Step, next_number};
use super::row::{self, Fields, number, word};
use super::sql::SqlStore;
use super::vault::{Cell, Vault};
use super::{Result, page};
use crate::model::{Delivery, DeliveryState, Page, Part};

pub(super) async fn add(store: &SqlStore, delivery: &Delivery) -> Result<u64> {
    let mut step = store.database.write().await?;
    let id = insert(&mut step, &store.vault, delivery).await?;
    step.commit().await?;
    Ok(id)
}

/// Writes a delivery together with what it tells of.
pub(super) async fn insert(step: &mut Step, vault: &Vault, delivery: &Delivery) -> Result<u64> {
    let id = next_number(step, "delivery").await?;
    sqlx::query(
        "INSERT INTO deliveries (id, account, event, stream, body, state, tries, due_ms, outcome,
            made_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(number(id))
    .bind(&delivery.account)
    .bind(i64::from(delivery.event))
    .bind(&delivery.stream)
    .bind(vault.seal_whole(Cell { column: BODY, row: &id.to_string() }, delivery.body.as_ref())?)
    .bind(word(delivery.state)?)
    .bind(i64::from(delivery.tries))
    .bind(number(delivery.due_ms))
    .bind(row::text(&delivery.outcome))
    .bind(number(delivery.made_ms))
    .execute(&mut **step)
    .await?;
    sqlx::query(GIVE_UP)
        .bind(&delivery.account)
        .bind(LINE_IS_FULL)
        .bind(WAITING_MAX)
        .execute(&mut **step)
        .await?;
    Ok(id)
}

/// Gives up what stands before the newest so many of an account's line.
const GIVE_UP: &str = "UPDATE deliveries SET state = 'failed', outcome = $2
     WHERE id = (SELECT id FROM deliveries WHERE state = 'pending' AND account = $1
         ORDER BY id DESC LIMIT 1 OFFSET $3)";
const LINE_IS_FULL: &str = "given up: too many came after it while nobody answered";
/// Of one account: at some 2 KiB each, 10 MiB. A receiver that is dead takes in 20 an hour and old ones faster, so what
/// waits behind it has to end somewhere.
const WAITING_MAX: i64 = 5000;

pub(super) async fn next(store: &SqlStore) -> Result<Vec<Delivery>> {
    let rows = sqlx::query(NEXT).fetch_all(store.database.reader()).await?;
    rows.iter().map(|row| delivery(&store.vault, row)).collect()
}

pub(super) async fn waiting(store: &SqlStore) -> Result<(u64, Option<u64>)> {
    let mut step = store.database.read().await?;
    let count = sqlx::query(WAITING).fetch_one(&mut *step).await?.number("n")?;
    let oldest = sqlx::query(OLDEST).fetch_optional(&mut *step).await?;
    step.commit().await?;
    Ok((count, oldest.map(|row| row.number("made_ms")).transpose()?))
}

pub(super) async fn put_outcome(store: &SqlStore, delivery: &Delivery) -> Result<()> {
    let mut step = store.database.write().await?;
    // Its account may be gone meanwhile, and the delivery with it: then there is nothing to write.
    sqlx::query(
        "UPDATE deliveries SET state = $2, tries = $3, due_ms = $4, outcome = $5 WHERE id = $1",
    )
    .bind(number(delivery.id))
    .bind(word(delivery.state)?)
    .bind(i64::from(delivery.tries))
    .bind(number(delivery.due_ms))
    .bind(row::text(&delivery.outcome))
    .execute(&mut *step)
    .await?;
    Ok(step.commit().await?)
}

pub(super) async fn one(store: &SqlStore, id: u64) -> Result<Option<Delivery>> {
    let row = sqlx::query("SELECT * FROM deliveries WHERE id = $1")
        .bind(number(id))
        .fetch_optional(store.database.reader())
        .await?;
    row.map(|row| delivery(&store.vault, &row)).transpose()
}

pub(super) async fn list(
    store: &SqlStore,
    account: Option<&str>,
    state: Option<DeliveryState>,
    page: Page,
) -> Result<Part<Delivery>> {
    let state = state.map(word).transpose()?;
    let filter = match (account, &state) {
        (None, None) => "",
        (Some(_), None) => OF_ACCOUNT,
        (None, Some(_)) => OF_STATE,
        (Some(_), Some(_)) => OF_BOTH,
    };
    let queries = page::queries("deliveries", filter, "id DESC", page);
    let [mut count, mut items] = queries.map(|sql| sqlx::query(AssertSqlSafe(sql)));
    for word in account.into_iter().chain(state.as_deref()) {
        (count, items) = (count.bind(word), items.bind(word));
    }
    page::part(store, count, items, |row| delivery(&store.vault, row)).await
}

fn delivery(vault: &Vault, row: &AnyRow) -> Result<Delivery> {
    let id = row.number("id")?;
    let cell = Cell { column: BODY, row: &id.to_string() };
    Ok(Delivery {
        id,
        account: row.text("account")?,
        event: row.small("event")?,
        stream: row.text("stream")?,
        body: vault.unseal_if_whole(cell, &row.bytes("body")?),
        state: row.word("state")?,
        tries: row.small("tries")?,
        due_ms: row.number("due_ms")?,
        outcome: row.text("outcome")?,
        made_ms: row.number("made_ms")?,
    })
}

/// The heads of all queues.
pub(super) const NEXT: &str = "SELECT * FROM deliveries
    WHERE id IN (SELECT MIN(id) FROM deliveries WHERE state = 'pending' GROUP BY account)
    ORDER BY id";

pub(super) const WAITING: &str = "SELECT COUNT(*) AS n FROM deliveries WHERE state = 'pending'";
pub(super) const OLDEST: &str =
    "SELECT made_ms FROM deliveries WHERE state = 'pending' ORDER BY id LIMIT 1";

// Which deliveries a list has.
pub(super) const OF_ACCOUNT: &str = "WHERE account = $1";
pub(super) const OF_STATE: &str = "WHERE state = $1";
pub(super) const OF_BOTH: &str = "WHERE account = $1 AND state = $2";

pub(super) const BODY: &str = "deliveries.body";
