//! One server a store. What a server knows of accounts it has read at its start; a second one would not see what
//! the first changes, would tell the same callbacks, and would end the first one's publications as those of
//! a crash.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;

use sqlx::{AnyConnection, Connection};

use super::database::Database;
use super::row::Fields;
use super::{Place, Result, StoreError, vault};

/// That a store is this server's, until it is dropped. However a server ends, its claim ends with it.
#[derive(Debug)]
pub struct Claim {
    /// The folder's: its keys and certificates are one server's too. The system takes it back from a process that ends.
    _file: File,
    /// The database's, where others can come to it. It takes it back from a connection that ends.
    _connection: Option<AnyConnection>,
}

/// Claims a store for a server. Whoever only looks into it, or copies it, need not.
///
/// # Errors
/// [`StoreError::Unavailable`] when another server has it.
pub async fn claim(place: &Place) -> Result<Claim> {
    let file = lock_file(place)?;
    let connection = match &place.url {
        Some(url) => Some(lock_database(url).await?),
        None => None,
    };
    Ok(Claim { _file: file, _connection: connection })
}

fn lock_file(place: &Place) -> Result<File> {
    let path = place.data_dir.join("thalweg.lock");
    let at = |e: &std::io::Error| vault::unavailable("lock", &path, e);
    vault::make_folder(&place.data_dir).map_err(|e| at(&e))?;
    let file = File::options().create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(|e| at(&e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(taken()),
        Err(TryLockError::Error(e)) => Err(at(&e)),
    }
}

async fn lock_database(url: &str) -> Result<AnyConnection> {
    let mut connection = Database::connect(url).await?;
    let row = sqlx::query("SELECT CASE WHEN pg_try_advisory_lock($1) THEN 1 ELSE 0 END AS is_ours")
        .bind(LOCK)
        .fetch_one(&mut connection)
        .await?;
    if row.number("is_ours")? == 1 {
        return Ok(connection);
    }
    let _ = connection.close().await;
    Err(taken())
}

fn taken() -> StoreError {
    StoreError::Unavailable(
        "another server is running on it: a store is for one at a time. Stop that one first"
            .to_owned(),
    )
}

/// The number of a server's lock among those of a database: "thalwegs" in ASCII.
const LOCK: i64 = 0x7468_616c_7765_6773;
