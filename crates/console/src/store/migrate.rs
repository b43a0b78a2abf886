//! Brings a database to what this program knows, step by step. A step that was released is never changed:
//! what is to be different is another step.

use sqlx::any::AnyRow;

use super::database::{Database, Kind, Step};
use super::row::{self, Fields};
use super::{Result, StoreError};

/// What the newest step makes. A backup has this number too.
pub(super) const SCHEMA: u64 = STEPS.len() as u64;

/// The steps, for SQLite and for PostgreSQL; the first makes schema 1. Each gives a column that it adds
/// a default: rows of an older backup do not have it.
const STEPS: &[(&str, &str)] = &[
    (
        include_str!("../../migrations/sqlite/0001_first.sql"),
        include_str!("../../migrations/postgres/0001_first.sql"),
    ),
    (
        include_str!("../../migrations/sqlite/0002_targets.sql"),
        include_str!("../../migrations/postgres/0002_targets.sql"),
    ),
];

/// Takes the steps that a database lacks, each in a transaction.
pub(super) async fn migrate(database: &Database, now: u64) -> Result<()> {
    take(database, STEPS, now).await
}

async fn take(database: &Database, steps: &[(&'static str, &'static str)], now: u64) -> Result<()> {
    loop {
        let mut step = database.write_much().await?;
        let at = usize::try_from(schema(&mut step, database.kind).await?).unwrap_or(usize::MAX);
        if at > steps.len() {
            return Err(StoreError::Unavailable(format!(
                "it was made by a newer thalweg (its schema is {at}, this one knows {}): start that \
                 one, or restore a backup that this one made",
                steps.len()
            )));
        }
        let Some((sqlite, postgres)) = steps.get(at) else { return Ok(()) };
        let sql = match database.kind {
            Kind::Sqlite => *sqlite,
            Kind::Postgres => *postgres,
        };
        sqlx::raw_sql(sql).execute(&mut *step).await?;
        sqlx::query("INSERT INTO migrations (version, applied) VALUES ($1, $2)")
            .bind(row::number(at as u64 + 1))
            .bind(row::number(now))
            .execute(&mut *step)
            .await?;
        step.commit().await?;
    }
}

/// The schema of a database that is only looked at.
pub(super) async fn schema_of(database: &Database) -> Result<u64> {
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM migrations")
        .fetch_one(database.reader())
        .await
        .map_err(|e| StoreError::Unavailable(format!("it is no store of thalweg: {e}")))?;
    row.number("version")
}

/// The schema that a database has; 0: none yet.
async fn schema(step: &mut Step, kind: Kind) -> Result<u64> {
    if kind == Kind::Postgres {
        // Of two servers that start at once, one migrates.
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut **step).await?;
    }
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS migrations \
         (version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)",
    )
    .execute(&mut **step)
    .await?;
    let row: AnyRow = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM migrations")
        .fetch_one(&mut **step)
        .await?;
    row.number("version")
}

/// The number of our lock among those of a server: "thalweg" in ASCII.
const LOCK: i64 = 0x0074_6861_6c77_6567;
