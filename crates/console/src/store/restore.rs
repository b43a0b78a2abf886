//! Brings a backup back: all of it, or nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;

use super::backup::{BackupError, FORMAT, Header, Summary, TABLES, Trailer};
use super::claim::claim;
use super::database::Step;
use super::migrate::{self, SCHEMA};
use super::open::{fits, now};
use super::row::Fields;
use super::vault::{self, KeyBytes, Vault};
use super::{Place, StoreError, files};

type Result<T> = std::result::Result<T, BackupError>;

/// Fills a store with what a backup has. No server may be running on it: what it has read already it
/// would not read again.
///
/// # Errors
/// When the file is not whole, or the key that its secrets need is not there; when a server is running on
/// the store; without `replace`, when it has anything in it. Then nothing has been changed.
pub async fn restore(place: &Place, file: &Path, replace: bool) -> Result<Summary> {
    let backup = Backup::check(file)?;
    let key = backup.key(place)?;
    let _claim = claim(place).await?;
    let database = place.database(true).await?;
    migrate::migrate(&database, now()).await?;

    let mut step = database.write_much().await?;
    if !replace && let Some(table) = first_in_use(&mut step).await? {
        return Err(BackupError::Refused(format!(
            "the store has something in it already ({table}): with --replace it would be gone"
        )));
    }
    for table in TABLES.iter().rev() {
        execute(&mut step, format!("DELETE FROM {table}")).await?;
    }
    backup.insert(&mut step).await?;
    // The key is in its place before what needs it is. Were the power cut between the two, the old one
    // is beside it.
    let change = match key {
        Some(key) => put_key(&place.key_file(), &key)?,
        None => KeyChange::None,
    };
    if let Err(error) = step.commit().await {
        change.undo(&place.key_file());
        return Err(StoreError::from(error).into());
    }
    database.close().await;
    Ok(Summary { rows: backup.rows, made: backup.header.made, has_key: key.is_some() })
}

/// A table that has rows. What a new store has of itself does not count.
async fn first_in_use(step: &mut Step) -> Result<Option<&'static str>> {
    for table in TABLES.iter().filter(|table| !["meta", "counters"].contains(table)) {
        let sql =
            AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM (SELECT 1 FROM {table} LIMIT 1) t"));
        let row = sqlx::query(sql).fetch_one(&mut **step).await.map_err(StoreError::from)?;
        if row.number("n")? > 0 {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// A file that was read to its end, and is what it says.
struct Backup {
    file: PathBuf,
    header: Header,
    rows: u64,
    /// What its key decrypts.
    key_check: Vec<u8>,
}

/// A line between the first and the last.
#[derive(Deserialize)]
struct Line {
    table: String,
    row: Map<String, Value>,
}

impl Backup {
    fn check(file: &Path) -> Result<Backup> {
        let bad = |why: &str| no_backup(file, why);
        let mut lines = Lines::open(file)?;
        let first = lines.next()?.ok_or_else(|| bad("it is empty"))?;
        let header: Header =
            serde_json::from_slice(&first).map_err(|_| bad("its first line is another's"))?;
        if header.thalweg_backup > FORMAT || header.schema > SCHEMA {
            return Err(BackupError::Refused(format!(
                "{} was made by a newer thalweg ({}): restore it with that one",
                file.display(),
                header.program
            )));
        }
        let (mut last, mut sum) = (first, Context::new(&SHA256));
        let (mut rows, mut key_check) = (0u64, Vec::new());
        while let Some(line) = lines.next()? {
            sum.update(&last);
            last = line;
            rows += 1;
            // The only row of its table, and early.
            if key_check.is_empty() && last.windows(META.len()).any(|w| w == META) {
                key_check = key_check_of(&last).unwrap_or_default();
            }
        }
        let trailer: Trailer =
            serde_json::from_slice(&last).map_err(|_| bad("its end is missing"))?;
        let sha256 = HEXLOWER.encode(sum.finish().as_ref());
        // The trailer itself was counted too.
        if trailer.sha256 != sha256 || trailer.rows + 1 != rows {
            return Err(bad("its contents are not those that were written"));
        }
        Ok(Backup { file: file.to_owned(), header, rows: trailer.rows, key_check })
    }

    /// The key, if it is in the backup; else that of the place has to be the right one.
    fn key(&self, place: &Place) -> Result<Option<KeyBytes>> {
        let bad = || no_backup(&self.file, "its key is not that of its secrets");
        if let Some(text) = &self.header.key {
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| bad())?;
            let bytes = KeyBytes::try_from(bytes.as_slice()).map_err(|_| bad())?;
            return fits(&Vault::new(bytes)?, &self.key_check)
                .then_some(Some(bytes))
                .ok_or_else(bad);
        }
        let file = place.key_file();
        match Vault::read(&file)? {
            Some(vault) if fits(&vault, &self.key_check) => Ok(None),
            other => Err(BackupError::Refused(format!(
                "{} {}, and this backup was made without --with-key: put the key file of the server \
                 it was made on in its place first",
                file.display(),
                if other.is_some() { "is not the key of this backup" } else { "is missing" }
            ))),
        }
    }

    /// Writes every row, many with one statement.
    async fn insert(&self, step: &mut Step) -> Result<()> {
        let bad = |why: &str| no_backup(&self.file, why);
        let mut lines = Lines::open(&self.file)?;
        lines.next()?;
        let mut batch: Vec<Line> = Vec::new();
        for _ in 0..self.rows {
            let line = lines.next()?.ok_or_else(|| bad("it has become shorter"))?;
            let line: Line = serde_json::from_slice(&line).map_err(|_| bad("a row is none"))?;
            let is_name = |n: &String| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if !TABLES.contains(&line.table.as_str()) || !line.row.keys().all(is_name) {
                return Err(bad("a row is of no table"));
            }
            let fits = |b: &Line| b.table == line.table && b.row.keys().eq(line.row.keys());
            if batch.len() == BATCH || batch.first().is_some_and(|b| !fits(b)) {
                self.insert_batch(step, &batch).await?;
                batch.clear();
            }
            batch.push(line);
        }
        self.insert_batch(step, &batch).await
    }

    /// Rows of one table that have the same columns.
    async fn insert_batch(&self, step: &mut Step, batch: &[Line]) -> Result<()> {
        let Some(first) = batch.first() else { return Ok(()) };
        let columns: Vec<&str> = first.row.keys().map(String::as_str).collect();
        let rows: Vec<String> = (0..batch.len())
            .map(|row| {
                let values = (1..=columns.len()).map(|c| format!("${}", row * columns.len() + c));
                format!("({})", values.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let (table, columns, rows) = (&first.table, columns.join(", "), rows.join(", "));
        let sql = format!("INSERT INTO {table} ({columns}) VALUES {rows}");
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(batch.len() == BATCH);
        for value in batch.iter().flat_map(|line| line.row.values()) {
            let bad = || no_backup(&self.file, "a value is none");
            query = match value {
                Value::String(text) => query.bind(text.as_str()),
                Value::Number(number) => query.bind(number.as_i64().ok_or_else(bad)?),
                other => query.bind(bytes_of(other).ok_or_else(bad)?),
            };
        }
        query.execute(&mut **step).await.map_err(StoreError::from)?;
        Ok(())
    }
}

/// A file's lines, their ends included.
struct Lines {
    file: PathBuf,
    reader: BufReader<File>,
}

impl Lines {
    fn open(file: &Path) -> Result<Lines> {
        let reader = File::open(file).map_err(|e| at(file, e))?;
        Ok(Lines { file: file.to_owned(), reader: BufReader::new(reader) })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.reader).take(LINE_BYTES_MAX);
        bounded.read_until(b'\n', &mut line).map_err(|e| at(&self.file, e))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(no_backup(&self.file, "its last line has no end")),
        }
    }
}

async fn execute(step: &mut Step, sql: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(&mut **step).await.map_err(StoreError::from)?;
    Ok(())
}

/// What became of a key that was there.
pub(super) enum KeyChange {
    /// It is the one that is wanted.
    None,
    /// There was none.
    New,
    /// It is kept here.
    Kept(PathBuf),
}

impl KeyChange {
    /// Puts the old one back.
    pub(super) fn undo(self, file: &Path) {
        let undone = match self {
            KeyChange::None => Ok(()),
            KeyChange::New => fs::remove_file(file),
            KeyChange::Kept(old) => files::replace(&old, file),
        };
        if let Err(error) = undone {
            tracing::error!(%error, file = %file.display(), "the old key could not be put back");
        }
    }
}

/// Puts a key in its place, and keeps another that was there. At no moment is there none.
pub(super) fn put_key(file: &Path, key: &KeyBytes) -> Result<KeyChange> {
    let change = match fs::read(file) {
        Ok(old) if old == key => return Ok(KeyChange::None),
        Ok(_) => KeyChange::Kept(keep(file).map_err(|e| at(file, e))?),
        Err(error) if error.kind() == ErrorKind::NotFound => KeyChange::New,
        Err(error) => return Err(at(file, error)),
    };
    if let Err(error) = vault::replace_key(file, key) {
        if let KeyChange::Kept(old) = change {
            let _ = fs::remove_file(old);
        }
        return Err(error.into());
    }
    Ok(change)
}

/// Gives a key a second name that nothing has yet: `store.key.old`, `store.key.old.2`, ...
fn keep(file: &Path) -> std::io::Result<PathBuf> {
    let first = file.with_extension("key.old");
    let others = (2..KEPT_MAX).map(|n| file.with_extension(format!("key.old.{n}")));
    for old in std::iter::once(first).chain(others) {
        match fs::hard_link(file, &old) {
            Ok(()) => return Ok(old),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn key_check_of(line: &[u8]) -> Option<Vec<u8>> {
    let line: Line = serde_json::from_slice(line).ok()?;
    (line.table == "meta").then_some(())?;
    bytes_of(line.row.get("value")?)
}

fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    BASE64.decode(value.get("base64")?.as_str()?.as_bytes()).ok()
}

fn no_backup(file: &Path, why: &str) -> BackupError {
    BackupError::NoBackup { file: file.to_owned(), why: why.to_owned() }
}

fn at(file: &Path, error: std::io::Error) -> BackupError {
    BackupError::File { file: file.to_owned(), error }
}

/// Old keys beside one: who restores so often has to tidy up.
const KEPT_MAX: u32 = 1000;

/// How a row of `meta` is written.
const META: &[u8] = b"\"table\":\"meta\"";

/// How many rows a statement writes: an account's are the widest, 24 values, and SQLite takes 32766.
const BATCH: usize = 500;

/// The longest line: a delivery's body is some kilobytes, an account with 200 addresses and as many
/// pages of 2 KB half a megabyte.
const LINE_BYTES_MAX: u64 = 16 << 20;
