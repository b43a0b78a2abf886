//! Where a store is, and how it is opened.

use std::fmt;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::database::{Database, Step, has_changed};
use super::row::Fields;
use super::sql::SqlStore;
use super::vault::{self, Cell, Vault};
use super::{Result, Store, StoreError, accounts, migrate};
use crate::model::Secret;

/// Where a store is.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder with the key to its secrets, and with its database, if that is SQLite.
    pub data_dir: PathBuf,
    /// A PostgreSQL database: `postgres://user:password@host/name`. `None`: SQLite, in the folder.
    pub url: Option<String>,
}

/// Opens a store, and makes what is not there yet: folder, database, key.
///
/// # Errors
/// When the database cannot be reached, is newer than this program, or has another key.
pub async fn open(place: &Place) -> Result<Arc<dyn Store>> {
    let database = place.database(true).await?;
    migrate::migrate(&database, now()).await?;
    let vault = vault(&database, &place.key_file()).await?;
    let store = SqlStore { database, vault, notes: Arc::new(Semaphore::new(1)) };
    accounts::seal_targets(&store).await?;
    Ok(Arc::new(store))
}

impl Place {
    /// The SQLite database of a folder.
    pub fn folder(data_dir: impl Into<PathBuf>) -> Place {
        Place { data_dir: data_dir.into(), url: None }
    }

    /// Whether there is one, as far as can be told without asking a database.
    pub fn exists(&self) -> bool {
        self.url.is_some() || self.data_dir.join(SQLITE_FILE).exists()
    }

    /// Where the key to its secrets is.
    pub fn key_file(&self) -> PathBuf {
        self.data_dir.join("store.key")
    }

    /// Its database, as it is; if it is a file that is not there, it may be made.
    pub(super) async fn database(&self, may_make: bool) -> Result<Database> {
        if let Some(url) = &self.url {
            if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
                return Err(StoreError::Unavailable(
                    "a database's URL begins with postgres://".to_owned(),
                ));
            }
            return Database::postgres(url).await;
        }
        let file = self.data_dir.join(SQLITE_FILE);
        prepare(&self.data_dir, &file, may_make)
            .map_err(|e| vault::unavailable("open", &file, &e))?;
        vault::warn_if_open(&file);
        Database::sqlite(&file).await
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL has a password in it.
        let what = if self.url.is_some() { "PostgreSQL, " } else { "" };
        write!(f, "Place({what}{})", self.data_dir.display())
    }
}

/// A new file is made here: SQLite would let others read it, and gives its own mode to the files that
/// it makes beside it.
fn prepare(folder: &Path, file: &Path, may_make: bool) -> std::io::Result<()> {
    if may_make {
        vault::make_folder(folder)?;
    }
    fs::OpenOptions::new().append(true).create(may_make).mode(0o600).open(file).map(drop)
}

/// The key of a database. A new one is made only for a database that has none: nothing can be encrypted
/// in it.
async fn vault(database: &Database, file: &Path) -> Result<Vault> {
    let check = key_check(database).await?;
    let vault = Vault::read(file)?;
    match (check, vault) {
        (Some(check), Some(vault)) => {
            fits(&vault, &check).then_some(vault).ok_or_else(|| wrong_key(file))
        }
        (Some(_), None) => Err(StoreError::Damaged(format!(
            "{0} is missing, and nobody can read this database's keys without it: put it back, or \
             restore a backup that has it (made with thalweg backup --with-key)",
            file.display()
        ))),
        (None, vault) => {
            let vault = vault.map_or_else(|| Vault::make(file), Ok)?;
            put_key_check(database, &vault, file).await?;
            Ok(vault)
        }
    }
}

pub(super) fn wrong_key(file: &Path) -> StoreError {
    StoreError::Damaged(format!(
        "{} is not the key that this database was written with: put the right one in its place, or \
         restore a backup that has it (made with thalweg backup --with-key)",
        file.display()
    ))
}

/// Whether a key is the one that a check was made with.
pub(super) fn fits(vault: &Vault, check: &[u8]) -> bool {
    vault.unseal(CHECK, check).is_ok()
}

pub(super) async fn key_check(database: &Database) -> Result<Option<Vec<u8>>> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
        .bind(CHECK.row)
        .fetch_optional(database.reader())
        .await?;
    row.map(|row| row.bytes("value")).transpose()
}

async fn put_key_check(database: &Database, vault: &Vault, file: &Path) -> Result<()> {
    let mut step = database.write().await?;
    let result =
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(CHECK.row)
            .bind(vault.seal(CHECK, &Secret::new(CHECK_TEXT))?)
            .execute(&mut *step)
            .await?;
    step.commit().await?;
    if has_changed(&result) {
        return Ok(());
    }
    // Another was started on it at the same moment. In the same folder it has the same key.
    let check = key_check(database).await?;
    check.is_some_and(|check| fits(vault, &check)).then_some(()).ok_or_else(|| wrong_key(file))
}

/// Puts the check of another key in the place of the one that was there.
pub(super) async fn replace_key_check(step: &mut Step, vault: &Vault) -> Result<()> {
    sqlx::query("UPDATE meta SET value = $2 WHERE name = $1")
        .bind(CHECK.row)
        .bind(vault.seal(CHECK, &Secret::new(CHECK_TEXT))?)
        .execute(&mut **step)
        .await?;
    Ok(())
}

/// The time now, UNIX seconds.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The database of a folder.
const SQLITE_FILE: &str = "thalweg.db";

/// Something known, encrypted: it tells the right key from another.
const CHECK: Cell<'static> = Cell { column: "meta.value", row: "key-check" };
const CHECK_TEXT: &str = "thalweg";
