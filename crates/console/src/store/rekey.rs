//! Another key for the secrets of a store: everything that the old one encrypts, or nothing.

use std::path::PathBuf;

use sqlx::any::AnyArguments;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row};

use super::backup::BackupError;
use super::claim::claim;
use super::database::Step;
use super::migrate::{self, SCHEMA};
use super::open::{self, fits, key_check, wrong_key};
use super::restore::{KeyChange, put_key};
use super::row::Fields;
use super::vault::{Cell, Vault};
use super::{Place, StoreError, accounts, deliveries, people, publications};

type Result<T> = std::result::Result<T, BackupError>;

/// What [`rekey`] has done.
#[derive(Debug)]
pub struct Rekeyed {
    /// How many were encrypted anew.
    pub secrets: u64,
    /// Where the old key is.
    pub old_key: PathBuf,
}

/// Encrypts a store's secrets with a new key, and keeps the old one beside it: backups that were made before
/// need it. No server may be running on it. What cannot be decrypted stays as it is.
///
/// # Errors
/// When a server is running on it, its key is not there, or it cannot be written. Then nothing has been
/// changed.
pub async fn rekey(place: &Place) -> Result<Rekeyed> {
    let _claim = claim(place).await?;
    let database = place.database(false).await?;
    let schema = migrate::schema_of(&database).await?;
    if schema != SCHEMA {
        let words = format!("the database has schema {schema}, this thalweg knows {SCHEMA}");
        return Err(BackupError::Refused(words));
    }
    let file = place.key_file();
    let check = key_check(&database).await?;
    let old = Vault::read(&file)?.filter(|old| check.is_some_and(|check| fits(old, &check)));
    let vaults = Vaults { old: old.ok_or_else(|| wrong_key(&file))?, new: Vault::random()? };

    let mut step = database.write().await?;
    let mut secrets = 0;
    for cells in CELLS {
        secrets += cells.reseal(&mut step, &vaults).await?;
    }
    open::replace_key_check(&mut step, &vaults.new).await?;
    // As with a restore: the key is in its place before what needs it is.
    let change = put_key(&file, vaults.new.bytes())?;
    if let Err(error) = step.commit().await {
        change.undo(&file);
        return Err(StoreError::from(error).into());
    }
    database.close().await;
    let old_key = match change {
        KeyChange::Kept(old) => old,
        KeyChange::None | KeyChange::New => file,
    };
    Ok(Rekeyed { secrets, old_key })
}

struct Vaults {
    old: Vault,
    new: Vault,
}

/// A column of secrets.
struct Cells {
    table: &'static str,
    field: &'static str,
    /// What each is bound to.
    column: &'static str,
    /// What tells its rows apart.
    keys: &'static [Key],
}

/// A part of what tells a row apart.
enum Key {
    Text(&'static str),
    Number(&'static str),
}

impl Cells {
    /// Reads and writes all of them, a page at a time.
    async fn reseal(&self, step: &mut Step, vaults: &Vaults) -> super::Result<u64> {
        let Cells { table, field, keys, .. } = self;
        let names = keys.iter().map(Key::name).collect::<Vec<_>>().join(", ");
        let places = (1..=keys.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let read = |after: &str| {
            format!(
                "SELECT {names}, {field} AS sealed FROM {table} {after} ORDER BY {names} LIMIT {PAGE}"
            )
        };
        let next = read(&format!("WHERE ({names}) > ({places})"));
        let write = format!(
            "UPDATE {table} SET {field} = ${} WHERE ({names}) = ({places})",
            keys.len() + 1
        );
        let mut done = 0;
        let mut rows = sqlx::query(AssertSqlSafe(read(""))).fetch_all(&mut **step).await?;
        while let Some(last) = rows.last() {
            let after = self.at(AssertSqlSafe(next.clone()), last)?;
            for row in &rows {
                let Some(sealed) = self.resealed(row, vaults)? else { continue };
                let query = self.at(AssertSqlSafe(write.clone()), row)?.bind(sealed);
                query.execute(&mut **step).await?;
                done += 1;
            }
            rows = after.fetch_all(&mut **step).await?;
        }
        Ok(done)
    }

    /// A statement whose first values tell where a row is.
    fn at<'q>(
        &self,
        sql: AssertSqlSafe<String>,
        row: &AnyRow,
    ) -> super::Result<Query<'q, Any, AnyArguments>> {
        let mut query = sqlx::query(sql);
        for key in self.keys {
            query = match key {
                Key::Text(name) => query.bind(row.text(name)?),
                Key::Number(name) => query.bind(row.try_get::<i64, _>(name)?),
            };
        }
        Ok(query)
    }

    /// A cell under the new key; `None` if there is nothing in it, or nothing that can be read.
    fn resealed(
        &self,
        row: &AnyRow,
        Vaults { old, new }: &Vaults,
    ) -> super::Result<Option<Vec<u8>>> {
        let Some(sealed) = row.maybe_bytes("sealed")? else { return Ok(None) };
        let parts: super::Result<Vec<String>> = self
            .keys
            .iter()
            .map(|key| match key {
                Key::Text(name) => row.text(name),
                Key::Number(name) => Ok(row.number(name)?.to_string()),
            })
            .collect();
        let cell = Cell { column: self.column, row: &parts?.join("/") };
        old.unseal_if_whole(cell, &sealed).map(|secret| new.seal(cell, &secret)).transpose()
    }
}

impl Key {
    fn name(&self) -> &'static str {
        match self {
            Key::Text(name) | Key::Number(name) => name,
        }
    }
}

/// Every column that is encrypted, but for the check of the key itself.
const CELLS: &[Cells] = &[
    cells("accounts", "api_key", accounts::API_KEY, ACCOUNT),
    cells("accounts", "callback_key", accounts::CALLBACK_KEY, ACCOUNT),
    cells("accounts", "callback_target", accounts::CALLBACK_TARGET, ACCOUNT),
    cells("accounts", "remote_target", accounts::REMOTE_TARGET, ACCOUNT),
    cells("domains", "main", accounts::MAIN, DOMAIN),
    cells("domains", "backup", accounts::BACKUP, DOMAIN),
    cells("users", "password_hash", people::PASSWORD_HASH, &[Key::Text("login")]),
    cells("publications", "params", publications::PARAMS, &[Key::Text("sequence")]),
    cells("deliveries", "body", deliveries::BODY, &[Key::Number("id")]),
];

const ACCOUNT: &[Key] = &[Key::Text("bizid")];
const DOMAIN: &[Key] = &[Key::Text("account"), Key::Number("number")];

const fn cells(
    table: &'static str,
    field: &'static str,
    column: &'static str,
    keys: &'static [Key],
) -> Cells {
    Cells { table, field, column, keys }
}

/// Rows in memory at one time: with a kilobyte each, a tenth of a megabyte.
const PAGE: usize = 100;
