//! A copy of a store in one file, of one moment, while others write: the same for both databases.
//!
//! Lines of JSON. The first says what it is, one follows for each row, the last has the SHA-256 of all
//! before it. Secrets stay as encrypted as they are; the key is in the first line if that is wished.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{BASE64, HEXLOWER};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};

use super::files;
use super::migrate::{self, SCHEMA};
use super::open::{fits, key_check, now, wrong_key};
use super::vault::Vault;
use super::{Place, StoreError};

/// What a backup or a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many rows.
    pub rows: u64,
    /// When the backup was made, UNIX seconds.
    pub made: u64,
    /// Whether the key to its secrets is in it.
    pub has_key: bool,
}

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store does not play along.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error("{}: {error}", file.display())]
    #[expect(missing_docs, reason = "the names say it")]
    File { file: PathBuf, error: std::io::Error },
    /// It is not what a backup looks like, or not all of it.
    #[error("{} is no whole backup: {why}", file.display())]
    #[expect(missing_docs, reason = "the names say it")]
    NoBackup { file: PathBuf, why: String },
    /// It is one, but not for this place.
    #[error("{0}")]
    Refused(String),
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// How the file is written.
    pub(super) thalweg_backup: u64,
    /// Which program made it, for whoever reads this.
    pub(super) program: String,
    /// What its rows look like.
    pub(super) schema: u64,
    pub(super) made: u64,
    /// The key, in base 64, if it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trailer {
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// Copies a store into a new file that only its owner can read.
///
/// # Errors
/// When there is no store, it cannot be read, or there is such a file already.
pub async fn backup(place: &Place, file: &Path, with_key: bool) -> Result<Summary, BackupError> {
    let at = |error| BackupError::File { file: file.to_owned(), error };
    if file.exists() {
        return Err(is_there(file));
    }
    let database = place.database(false).await?;
    let schema = migrate::schema_of(&database).await?;
    if schema != SCHEMA {
        return Err(BackupError::Refused(format!(
            "the database has schema {schema}, this thalweg knows {SCHEMA}: back it up with the \
             thalweg that serves it"
        )));
    }
    let key = if with_key { Some(key_of(place, key_check(&database).await?)?) } else { None };
    let made = now();
    let header = Header {
        thalweg_backup: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        made,
        key,
    };

    // It gets its name when it is whole.
    let unfinished = file.with_added_extension("new");
    let mut out = Out::new(&unfinished).map_err(at)?;
    out.line(&header).map_err(at)?;
    let mut rows = 0;
    let mut step = database.read_much().await?;
    for table in TABLES {
        let mut all =
            sqlx::query(AssertSqlSafe(format!("SELECT * FROM {table}"))).fetch(&mut *step);
        while let Some(row) = all.try_next().await.map_err(StoreError::from)? {
            out.line(&json!({ "table": table, "row": values(&row)? })).map_err(at)?;
            rows += 1;
        }
    }
    step.commit().await.map_err(StoreError::from)?;
    database.close().await;
    out.finish(rows).map_err(at)?;
    match files::name(&unfinished, file) {
        Ok(()) => Ok(Summary { rows, made, has_key: with_key }),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(is_there(file)),
        Err(error) => Err(at(error)),
    }
}

fn is_there(file: &Path) -> BackupError {
    BackupError::Refused(format!(
        "{} is there already, and a backup overwrites nothing: choose another name, or move it away",
        file.display()
    ))
}

/// The key of a place, if it is the one of its database.
fn key_of(place: &Place, check: Option<Vec<u8>>) -> Result<String, BackupError> {
    let file = place.key_file();
    let vault = Vault::read(&file)?.ok_or_else(|| {
        BackupError::Refused(format!("{} is missing: there is no key to add", file.display()))
    })?;
    if !check.is_some_and(|check| fits(&vault, &check)) {
        return Err(wrong_key(&file).into());
    }
    Ok(BASE64.encode(vault.bytes()))
}

/// What a row has, without what it has not: that is what a new row has anyway.
fn values(row: &AnyRow) -> super::Result<Map<String, Value>> {
    let mut values = Map::new();
    for (i, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(i)?;
        if raw.is_null() {
            continue;
        }
        let value = match raw.type_info().kind() {
            AnyTypeInfoKind::Text => Value::from(row.try_get::<String, _>(i)?),
            AnyTypeInfoKind::Blob => {
                json!({ "base64": BASE64.encode(&row.try_get::<Vec<u8>, _>(i)?) })
            }
            kind if kind.is_integer() => Value::from(row.try_get::<i64, _>(i)?),
            _ => {
                let what = format!("{} is {}", column.name(), raw.type_info().name());
                return Err(StoreError::Damaged(what));
            }
        };
        values.insert(column.name().to_owned(), value);
    }
    Ok(values)
}

/// A file of lines, and what they sum up to.
struct Out {
    file: BufWriter<File>,
    sum: Context,
}

impl Out {
    fn new(path: &Path) -> std::io::Result<Out> {
        let _ = fs::remove_file(path);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Out { file: BufWriter::new(file), sum: Context::new(&SHA256) })
    }

    fn line(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.sum.update(&line);
        self.file.write_all(&line)
    }

    fn finish(mut self, rows: u64) -> std::io::Result<()> {
        let sha256 = HEXLOWER.encode(self.sum.clone().finish().as_ref());
        self.line(&Trailer { rows, sha256 })?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// The tables, those first that others refer to. `migrations` is the program's, not the store's.
pub(super) const TABLES: &[&str] = &[
    "meta",
    "counters",
    "accounts",
    "domains",
    "retired",
    "users",
    "sessions",
    "tokens",
    "forbids",
    "publications",
    "deliveries",
    "minutes",
    "minutes_of_account",
    "minutes_of_all",
    "gaps",
    "audits",
    "settings",
];

/// How a file is written. Another way would be another number.
pub(super) const FORMAT: u64 = 1;
