//! Publications, and streams that may not be published.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::database::has_changed;
use super::row::{self, Fields, number};
use super::sql::SqlStore;
use super::vault::{Cell, Vault};
use super::{Result, deliveries, page};
use crate::model::{Delivery, Forbid, Page, Part, Publication, PublicationEnd, StreamId};

pub(super) async fn began(
    store: &SqlStore,
    began: &Publication,
    tell: Option<&Delivery>,
) -> Result<()> {
    let mut step = store.database.write().await?;
    let cell = Cell { column: PARAMS, row: &began.sequence };
    let end = began.end.as_ref();
    sqlx::query(
        "INSERT INTO publications (sequence, account, app, name, peer, host, agent, protocol, params,
            began_ms, ended_ms, errcode, cause, bytes_in)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&began.sequence)
    .bind(&began.stream.account)
    .bind(&began.stream.app)
    .bind(&began.stream.name)
    .bind(row::text(&began.peer))
    .bind(row::text(&began.host))
    .bind(row::text(&began.agent))
    .bind(row::text(&began.protocol))
    .bind(store.vault.seal_whole(cell, began.params.as_ref())?)
    .bind(number(began.began_ms))
    .bind(end.map(|end| number(end.at_ms)))
    .bind(end.map(|end| i64::from(end.errcode)))
    .bind(end.map(|end| row::text(&end.cause)))
    .bind(end.and_then(|end| end.bytes_in).map(number))
    .execute(&mut *step)
    .await?;
    if let Some(delivery) = tell {
        deliveries::insert(&mut step, &store.vault, delivery).await?;
    }
    Ok(step.commit().await?)
}

pub(super) async fn ended(
    store: &SqlStore,
    sequence: &str,
    end: &PublicationEnd,
    tell: Option<&Delivery>,
) -> Result<bool> {
    let mut step = store.database.write().await?;
    let result = sqlx::query(
        "UPDATE publications SET ended_ms = $2, errcode = $3, cause = $4, bytes_in = $5
         WHERE sequence = $1 AND ended_ms IS NULL",
    )
    .bind(sequence)
    .bind(number(end.at_ms))
    .bind(i64::from(end.errcode))
    .bind(row::text(&end.cause))
    .bind(end.bytes_in.map(number))
    .execute(&mut *step)
    .await?;
    if !has_changed(&result) {
        return Ok(false);
    }
    if let Some(delivery) = tell {
        deliveries::insert(&mut step, &store.vault, delivery).await?;
    }
    step.commit().await?;
    Ok(true)
}

pub(super) async fn open(store: &SqlStore) -> Result<Vec<Publication>> {
    let rows = sqlx::query(OPEN).fetch_all(store.database.reader()).await?;
    rows.iter().map(|row| publication(&store.vault, row)).collect()
}

pub(super) async fn list(
    store: &SqlStore,
    account: Option<&str>,
    stream: Option<&StreamId>,
    from_ms: u64,
    to_ms: u64,
    page: Page,
) -> Result<Part<Publication>> {
    if is_of_another(account, stream) {
        return Ok(Part { items: Vec::new(), total: 0 });
    }
    let (filter, words) = match (stream, account) {
        (Some(of), _) => (OF_STREAM, vec![of.account.as_str(), &of.app, &of.name]),
        (None, Some(account)) => (OF_ACCOUNT, vec![account]),
        (None, None) => (OF_ALL, vec![]),
    };
    let [count, items] = page::queries("publications", filter, ORDER, page);
    let bound = |sql| sqlx::query(AssertSqlSafe(sql)).bind(number(from_ms)).bind(number(to_ms));
    let (mut count, mut items) = (bound(count), bound(items));
    for word in words {
        (count, items) = (count.bind(word), items.bind(word));
    }
    page::part(store, count, items, |row| publication(&store.vault, row)).await
}

pub(super) async fn was_published(store: &SqlStore, stream: &StreamId) -> Result<bool> {
    let row = sqlx::query(
        "SELECT 1 AS one FROM publications WHERE account = $1 AND app = $2 AND name = $3 LIMIT 1",
    )
    .bind(&stream.account)
    .bind(&stream.app)
    .bind(&stream.name)
    .fetch_optional(store.database.reader())
    .await?;
    Ok(row.is_some_and(|row| !row.is_empty()))
}

pub(super) async fn forbids(
    store: &SqlStore,
    account: Option<&str>,
    now: u64,
) -> Result<Vec<Forbid>> {
    let query = match account {
        Some(account) => sqlx::query(
            "SELECT * FROM forbids WHERE until > $1 AND account = $2 ORDER BY account, app, name",
        )
        .bind(number(now))
        .bind(account),
        None => sqlx::query("SELECT * FROM forbids WHERE until > $1 ORDER BY account, app, name")
            .bind(number(now)),
    };
    let rows = query.fetch_all(store.database.reader()).await?;
    let forbid = |row: &AnyRow| {
        Ok(Forbid {
            stream: stream_of(row)?,
            until: row.number("until")?,
            reason: row.text("reason")?,
        })
    };
    rows.iter().map(forbid).collect()
}

pub(super) async fn put_forbid(store: &SqlStore, forbid: &Forbid) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query(
        "INSERT INTO forbids (account, app, name, until, reason) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, app, name)
            DO UPDATE SET until = excluded.until, reason = excluded.reason",
    )
    .bind(&forbid.stream.account)
    .bind(&forbid.stream.app)
    .bind(&forbid.stream.name)
    .bind(number(forbid.until))
    .bind(row::text(&forbid.reason))
    .execute(&mut *step)
    .await?;
    Ok(step.commit().await?)
}

pub(super) async fn remove_forbid(store: &SqlStore, stream: &StreamId) -> Result<bool> {
    let mut step = store.database.write().await?;
    let result = sqlx::query("DELETE FROM forbids WHERE account = $1 AND app = $2 AND name = $3")
        .bind(&stream.account)
        .bind(&stream.app)
        .bind(&stream.name)
        .execute(&mut *step)
        .await?;
    step.commit().await?;
    Ok(has_changed(&result))
}

/// Whether somebody asks for an account's part of a stream that is another's.
pub(super) fn is_of_another(account: Option<&str>, stream: Option<&StreamId>) -> bool {
    matches!((account, stream), (Some(account), Some(stream)) if account != stream.account)
}

fn publication(vault: &Vault, row: &AnyRow) -> Result<Publication> {
    let sequence = row.text("sequence")?;
    let end = match row.maybe_number("ended_ms")? {
        Some(at_ms) => Some(PublicationEnd {
            at_ms,
            errcode: row.small("errcode")?,
            cause: row.text("cause")?,
            bytes_in: row.maybe_number("bytes_in")?,
        }),
        None => None,
    };
    let cell = Cell { column: PARAMS, row: &sequence };
    Ok(Publication {
        stream: stream_of(row)?,
        peer: row.text("peer")?,
        host: row.text("host")?,
        agent: row.text("agent")?,
        protocol: row.text("protocol")?,
        params: vault.unseal_if_whole(cell, &row.bytes("params")?),
        began_ms: row.number("began_ms")?,
        end,
        sequence,
    })
}

fn stream_of(row: &AnyRow) -> Result<StreamId> {
    Ok(StreamId { account: row.text("account")?, app: row.text("app")?, name: row.text("name")? })
}

// Which publications a list has, and in which order.
pub(super) const OF_ALL: &str = "WHERE began_ms >= $1 AND began_ms < $2";
pub(super) const OF_ACCOUNT: &str = "WHERE began_ms >= $1 AND began_ms < $2 AND account = $3";
pub(super) const OF_STREAM: &str =
    "WHERE began_ms >= $1 AND began_ms < $2 AND account = $3 AND app = $4 AND name = $5";
pub(super) const ORDER: &str = "began_ms DESC, sequence DESC";

pub(super) const OPEN: &str =
    "SELECT * FROM publications WHERE ended_ms IS NULL ORDER BY began_ms, sequence";

pub(super) const PARAMS: &str = "publications.params";
