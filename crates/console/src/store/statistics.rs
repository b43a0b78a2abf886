//! Counts by the minute, their sums, and where they lack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::Result;
use super::database::Step;
use super::publications::is_of_another;
use super::row::{Fields, number};
use super::sql::SqlStore;
use crate::model::{Minute, Point, StreamId};

pub(super) async fn add(store: &SqlStore, minutes: &[Minute]) -> Result<()> {
    let minutes = merge(minutes);
    if minutes.is_empty() {
        return Ok(());
    }
    let mut step = store.database.write().await?;
    for batch in minutes.chunks(BATCH) {
        insert(&mut step, batch).await?;
    }
    let changed: BTreeSet<u64> = minutes.iter().map(|m| m.at).collect();
    for at in changed {
        for sums in [SUMS_OF_ACCOUNTS, SUM_OF_ALL] {
            sqlx::query(sums).bind(number(at)).execute(&mut *step).await?;
        }
    }
    Ok(step.commit().await?)
}

/// One of each stream and minute: a statement may touch a row only once.
fn merge(minutes: &[Minute]) -> Vec<Minute> {
    let mut merged: BTreeMap<(&StreamId, u64), Minute> = BTreeMap::new();
    for minute in minutes {
        match merged.entry((&minute.stream, minute.at)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(minute.clone());
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let sum = entry.get_mut();
                sum.bytes_in = sum.bytes_in.saturating_add(minute.bytes_in);
                sum.bytes_out = sum.bytes_out.saturating_add(minute.bytes_out);
                sum.viewers_max = sum.viewers_max.max(minute.viewers_max);
                sum.live_s = sum.live_s.saturating_add(minute.live_s);
            }
        }
    }
    merged.into_values().collect()
}

async fn insert(step: &mut Step, minutes: &[Minute]) -> Result<()> {
    let mut sql = "INSERT INTO minutes (account, app, name, at, bytes_in, bytes_out, viewers_max, \
                   live_s) VALUES "
        .to_owned();
    for row in 0..minutes.len() {
        let first = row * 8 + 1;
        let comma = if row == 0 { "" } else { ", " };
        let _ = write!(sql, "{comma}(${first}");
        for value in first + 1..first + 8 {
            let _ = write!(sql, ", ${value}");
        }
        sql.push(')');
    }
    sql += " ON CONFLICT (account, app, name, at) DO UPDATE SET
        bytes_in = minutes.bytes_in + excluded.bytes_in,
        bytes_out = minutes.bytes_out + excluded.bytes_out,
        viewers_max = CASE WHEN minutes.viewers_max > excluded.viewers_max
            THEN minutes.viewers_max ELSE excluded.viewers_max END,
        live_s = minutes.live_s + excluded.live_s";
    // The last batch has a length of its own each time, and is not worth remembering.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(minutes.len() == BATCH);
    for minute in minutes {
        query = query
            .bind(&minute.stream.account)
            .bind(&minute.stream.app)
            .bind(&minute.stream.name)
            .bind(number(minute.at))
            .bind(number(minute.bytes_in))
            .bind(number(minute.bytes_out))
            .bind(number(minute.viewers_max))
            .bind(i64::from(minute.live_s));
    }
    query.execute(&mut **step).await?;
    Ok(())
}

pub(super) async fn mark_gap(store: &SqlStore, from: u64, to: u64) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query("INSERT INTO gaps (from_s, to_s) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(number(from))
        .bind(number(to))
        .execute(&mut *step)
        .await?;
    Ok(step.commit().await?)
}

pub(super) async fn points(
    store: &SqlStore,
    account: Option<&str>,
    stream: Option<&StreamId>,
    from: u64,
    to: u64,
    step_s: u64,
) -> Result<Vec<Point>> {
    let step_s = step_s.max(1);
    let mut step = store.database.read().await?;
    let gaps = sqlx::query("SELECT from_s, to_s FROM gaps WHERE from_s < $2 AND to_s > $1")
        .bind(number(from))
        .bind(number(to))
        .fetch_all(&mut *step)
        .await?;
    let mut points = BTreeMap::new();
    if !is_of_another(account, stream) {
        let query = match (stream, account) {
            (Some(stream), _) => {
                sqlx::query(OF_STREAM).bind(&stream.account).bind(&stream.app).bind(&stream.name)
            }
            (None, Some(account)) => sqlx::query(OF_ACCOUNT).bind(account),
            (None, None) => sqlx::query(OF_ALL),
        };
        let rows = query
            .bind(number(from))
            .bind(number(to))
            .bind(number(step_s))
            .fetch_all(&mut *step)
            .await?;
        for row in &rows {
            let point = point(row, from, step_s)?;
            points.insert(point.at, point);
        }
    }
    step.commit().await?;
    for gap in &gaps {
        let first = gap.number("from_s")?.max(from);
        let end = gap.number("to_s")?.min(to);
        let mut at = from + (first - from) / step_s * step_s;
        while at < end && points.len() < POINTS_MAX {
            points.entry(at).or_insert(Point { at, ..Point::default() }).gap = true;
            at = at.saturating_add(step_s);
        }
    }
    Ok(points.into_values().collect())
}

fn point(row: &AnyRow, from: u64, step_s: u64) -> Result<Point> {
    Ok(Point {
        at: from + row.number("step")? * step_s,
        bytes_in: row.number("bytes_in")?,
        bytes_out: row.number("bytes_out")?,
        viewers_max: row.number("viewers")?,
        streams_max: row.number("streams")?,
        gap: false,
    })
}

/// How many rows a statement writes: 8 values each, and SQLite takes 32766 of them.
const BATCH: usize = 500;

/// How many points a gap makes at most: as many minutes as two months have.
const POINTS_MAX: usize = 90_000;

/// The sums of what each account's streams came to in a minute. All accounts at once: of one, SQLite
/// would read all its minutes to find those of this.
pub(super) const SUMS_OF_ACCOUNTS: &str = "INSERT INTO minutes_of_account
        (account, at, bytes_in, bytes_out, viewers, streams)
    SELECT account, at, CAST(SUM(bytes_in) AS BIGINT), CAST(SUM(bytes_out) AS BIGINT),
        CAST(SUM(viewers_max) AS BIGINT), COUNT(CASE WHEN live_s > 0 THEN 1 END)
    FROM minutes WHERE at = $1 GROUP BY at, account
    ON CONFLICT (account, at) DO UPDATE SET bytes_in = excluded.bytes_in,
        bytes_out = excluded.bytes_out, viewers = excluded.viewers, streams = excluded.streams";

/// And of all.
pub(super) const SUM_OF_ALL: &str =
    "INSERT INTO minutes_of_all (at, bytes_in, bytes_out, viewers, streams)
    SELECT at, CAST(SUM(bytes_in) AS BIGINT), CAST(SUM(bytes_out) AS BIGINT),
        CAST(SUM(viewers) AS BIGINT), CAST(SUM(streams) AS BIGINT)
    FROM minutes_of_account WHERE at = $1 GROUP BY at
    ON CONFLICT (at) DO UPDATE SET bytes_in = excluded.bytes_in,
        bytes_out = excluded.bytes_out, viewers = excluded.viewers, streams = excluded.streams";

pub(super) const OF_STREAM: &str = "SELECT (at - $4) / $6 AS step,
        CAST(SUM(bytes_in) AS BIGINT) AS bytes_in, CAST(SUM(bytes_out) AS BIGINT) AS bytes_out,
        MAX(viewers_max) AS viewers, MAX(CASE WHEN live_s > 0 THEN 1 ELSE 0 END) AS streams
    FROM minutes WHERE account = $1 AND app = $2 AND name = $3 AND at >= $4 AND at < $5
    GROUP BY step";

pub(super) const OF_ACCOUNT: &str = "SELECT (at - $2) / $4 AS step,
        CAST(SUM(bytes_in) AS BIGINT) AS bytes_in, CAST(SUM(bytes_out) AS BIGINT) AS bytes_out,
        MAX(viewers) AS viewers, MAX(streams) AS streams
    FROM minutes_of_account WHERE account = $1 AND at >= $2 AND at < $3 GROUP BY step";

pub(super) const OF_ALL: &str = "SELECT (at - $1) / $3 AS step,
        CAST(SUM(bytes_in) AS BIGINT) AS bytes_in, CAST(SUM(bytes_out) AS BIGINT) AS bytes_out,
        MAX(viewers) AS viewers, MAX(streams) AS streams
    FROM minutes_of_all WHERE at >= $1 AND at < $2 GROUP BY step";
