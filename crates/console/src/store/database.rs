//! Connections to a database: SQLite in a file, or PostgreSQL. Both take the same queries; what differs
//! between them is here and in the migrations.

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyQueryResult, AnyRow};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Connection, Transaction};

use super::{Result, StoreError};

/// A database: one connection that writes, several that read.
///
/// SQLite has one writer at a time anyway, and whoever waits for a connection waits in order. With
/// PostgreSQL the same is enough: what is written is little, a row a publication and a batch a minute.
#[derive(Debug, Clone)]
pub(super) struct Database {
    pub(super) kind: Kind,
    writer: AnyPool,
    readers: AnyPool,
}

/// Which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// Several statements: all of them, or none.
pub(super) type Step = Transaction<'static, Any>;

impl Database {
    /// The file, made if there is none. It has to be there already if others must not read it.
    pub(super) async fn sqlite(file: &Path) -> Result<Database> {
        let file = std::path::absolute(file)
            .map_err(|e| StoreError::Unavailable(format!("{}: {e}", file.display())))?;
        Database::open(Kind::Sqlite, &format!("sqlite://{}?mode=rwc", percent(&file))).await
    }

    /// A server's database, by URL.
    pub(super) async fn postgres(url: &str) -> Result<Database> {
        Database::open(Kind::Postgres, url).await
    }

    /// One connection of one's own to a server's database.
    pub(super) async fn connect(url: &str) -> Result<AnyConnection> {
        install_drivers();
        AnyConnection::connect(url).await.map_err(|e| unopened(&e))
    }

    async fn open(kind: Kind, url: &str) -> Result<Database> {
        install_drivers();
        if kind == Kind::Sqlite {
            // A pool would try for long what cannot be, and not say why.
            let first = async || -> std::result::Result<(), sqlx::Error> {
                let mut connection = AnyConnection::connect(url).await?;
                sqlx::raw_sql("PRAGMA schema_version").execute(&mut connection).await?;
                connection.close().await
            };
            first().await.map_err(|e| unopened(&e))?;
        }
        let writer = pool(kind, url, 1, &[kind.of_all(), kind.of_writer()].concat()).await?;
        let readers =
            pool(kind, url, READERS, &[kind.of_all(), kind.of_readers()].concat()).await?;
        Ok(Database { kind, writer, readers })
    }

    /// Begins to write.
    pub(super) async fn write(&self) -> Result<Step> {
        Ok(self.writer.begin_with(self.kind.begin_write()).await?)
    }

    /// Begins to write what may take as long as it takes: whole tables.
    pub(super) async fn write_much(&self) -> Result<Step> {
        let mut step = self.write().await?;
        self.take_time(&mut step).await?;
        Ok(step)
    }

    /// Begins to read whole tables.
    pub(super) async fn read_much(&self) -> Result<Step> {
        let mut step = self.read().await?;
        self.take_time(&mut step).await?;
        Ok(step)
    }

    async fn take_time(&self, step: &mut Step) -> Result<()> {
        if self.kind == Kind::Postgres {
            sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut **step).await?;
        }
        Ok(())
    }

    /// Begins to read: everything read in it is of one moment.
    pub(super) async fn read(&self) -> Result<Step> {
        Ok(self.readers.begin_with(self.kind.begin_read()).await?)
    }

    /// To read once.
    pub(super) fn reader(&self) -> &AnyPool {
        &self.readers
    }

    /// Whether what is deleted from here on is overwritten as well, and what is in the journal brought into
    /// its place. PostgreSQL does so by itself, some time.
    pub(super) async fn overwrite(&self, on: bool) -> Result<()> {
        let first = match (self.kind, on) {
            (Kind::Postgres, _) => return Ok(()),
            (Kind::Sqlite, true) => "PRAGMA secure_delete = ON",
            (Kind::Sqlite, false) => "PRAGMA secure_delete = OFF; PRAGMA wal_checkpoint(TRUNCATE)",
        };
        sqlx::raw_sql(first).execute(&self.writer).await?;
        Ok(())
    }

    /// Ends every connection. What was answered is safe without it.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn install_drivers() {
    // An error says that they are there already.
    let drivers = &[sqlx::sqlite::any::DRIVER, sqlx::postgres::any::DRIVER];
    let _ = sqlx::any::install_drivers(drivers);
}

async fn pool(kind: Kind, url: &str, connections: u32, first: &[&'static str]) -> Result<AnyPool> {
    let options: sqlx::any::AnyConnectOptions = url.parse().map_err(|e| unopened(&e))?;
    // A statement can be long, and its values are in no log.
    let options = options.disable_statement_logging();
    let first: Vec<&'static str> = first.to_vec();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN_MAX)
        // A connection to a file does not break; one over a network does while nobody looks.
        .test_before_acquire(kind == Kind::Postgres)
        // When a disk is full SQLite takes a step back by itself, and whoever counts steps is not told: what
        // hangs in the middle of one would take no other for ever.
        .before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        })
        .after_connect(move |connection, _| {
            let first = first.clone();
            Box::pin(async move {
                for statement in first {
                    sqlx::raw_sql(statement).execute(&mut *connection).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(|e| unopened(&e))
}

fn unopened(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Unavailable(format!(
            "it cannot be opened: nobody answers within {} s",
            TURN_MAX.as_secs()
        )),
        other => StoreError::Unavailable(format!("it cannot be opened: {other}")),
    }
}

impl Kind {
    fn begin_write(self) -> &'static str {
        match self {
            // Asks for the lock at once, not in the middle.
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN",
        }
    }

    fn begin_read(self) -> &'static str {
        match self {
            Kind::Sqlite => "BEGIN",
            Kind::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        }
    }

    /// What every connection is told first.
    fn of_all(self) -> &'static [&'static str] {
        match self {
            Kind::Sqlite => &["PRAGMA busy_timeout = 2000", "PRAGMA foreign_keys = ON"],
            // What a lock and a statement may take, in ms. The longest statements sum up a month of
            // minutes for a graph, and take a second or two. What moves whole tables says that it may
            // take longer.
            Kind::Postgres => &[
                "SET lock_timeout = 2000",
                "SET statement_timeout = 15000",
                "SET client_encoding = 'UTF8'",
            ],
        }
    }

    fn of_writer(self) -> &'static [&'static str] {
        match self {
            // FULL: what was answered survives a power cut, not only the end of this process.
            // A minute of ten thousand streams touches as many pages of 4 KiB: they are written once
            // if there is room for them until then.
            Kind::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA cache_size = -65536",
            ],
            Kind::Postgres => &["SET synchronous_commit = on"],
        }
    }

    fn of_readers(self) -> &'static [&'static str] {
        match self {
            Kind::Sqlite => &["PRAGMA query_only = ON"],
            Kind::Postgres => &[],
        }
    }
}

/// A path in a URL.
fn percent(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Database(e) if e.is_unique_violation() || e.is_foreign_key_violation() => {
                StoreError::Conflict
            }
            sqlx::Error::Database(e) if e.code().is_some_and(|c| is_damage(&c)) => {
                StoreError::Damaged(e.message().to_owned())
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound => StoreError::Damaged(error.to_string()),
            sqlx::Error::PoolTimedOut => {
                StoreError::Unavailable("it is too busy, or cannot be reached".to_owned())
            }
            _ => StoreError::Unavailable(error.to_string()),
        }
    }
}

/// SQLite's SQLITE_CORRUPT and SQLITE_NOTADB, with whatever is said besides in the higher bits;
/// PostgreSQL's data_corrupted and index_corrupted.
fn is_damage(code: &str) -> bool {
    let of_sqlite = code.parse::<u32>().is_ok_and(|c| matches!(c & 0xff, 11 | 26));
    of_sqlite && code.len() < 5 || matches!(code, "XX001" | "XX002")
}

/// Whether a statement changed anything.
pub(super) fn has_changed(result: &AnyQueryResult) -> bool {
    result.rows_affected() > 0
}

/// The next number of a counter. Whoever takes one after us waits until we are done.
pub(super) async fn next_number(step: &mut Step, counter: &str) -> Result<u64> {
    let row: AnyRow =
        sqlx::query("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value")
            .bind(counter)
            .fetch_one(&mut **step)
            .await?;
    super::row::Fields::number(&row, "value")
}

/// Connections that read: as many graphs and lists as are made at once; others wait their turn.
const READERS: u32 = 4;

/// How long whoever asks waits for a connection. The writer's has a queue: at 5 ms a write, as a slow
/// disk takes, a thousand streams that begin at once are through in 5 s.
const TURN_MAX: Duration = Duration::from_secs(5);
