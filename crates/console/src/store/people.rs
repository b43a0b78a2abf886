//! Users, sessions and tokens.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::database::{Database, has_changed, next_number};
use super::row::{self, Fields, number, word};
use super::sql::SqlStore;
use super::vault::{Cell, Vault};
use super::{Result, StoreError};
use crate::model::{Session, Token, User};

pub(super) async fn has_users(store: &SqlStore) -> Result<bool> {
    let row = sqlx::query("SELECT login FROM users LIMIT 1")
        .fetch_optional(store.database.reader())
        .await?;
    Ok(row.is_some())
}

pub(super) async fn users(store: &SqlStore) -> Result<Vec<User>> {
    let rows = sqlx::query("SELECT * FROM users ORDER BY login")
        .fetch_all(store.database.reader())
        .await?;
    rows.iter().map(|row| user_of(&store.vault, row)).collect()
}

pub(super) async fn user(store: &SqlStore, login: &str) -> Result<Option<User>> {
    let row = sqlx::query("SELECT * FROM users WHERE login = $1")
        .bind(login)
        .fetch_optional(store.database.reader())
        .await?;
    row.map(|row| user_of(&store.vault, &row)).transpose()
}

pub(super) async fn put_user(store: &SqlStore, user: &User) -> Result<()> {
    let mut step = store.database.write().await?;
    insert_user(&store.vault, user)?.execute(&mut *step).await?;
    Ok(step.commit().await?)
}

pub(super) async fn put_first_user(store: &SqlStore, user: &User) -> Result<()> {
    let mut step = store.database.write().await?;
    // Whoever else is at this waits here, and then sees what we did.
    next_number(&mut step, "first-user").await?;
    let row: AnyRow =
        sqlx::query("SELECT COUNT(*) AS users FROM users").fetch_one(&mut *step).await?;
    if row.number("users")? > 0 {
        return Err(StoreError::Conflict);
    }
    insert_user(&store.vault, user)?.execute(&mut *step).await?;
    Ok(step.commit().await?)
}

pub(super) async fn remove_user(store: &SqlStore, login: &str) -> Result<bool> {
    let mut step = store.database.write().await?;
    // Sessions go with it.
    let result =
        sqlx::query("DELETE FROM users WHERE login = $1").bind(login).execute(&mut *step).await?;
    step.commit().await?;
    Ok(has_changed(&result))
}

pub(super) async fn put_session(store: &SqlStore, session: &Session, now: u64) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query("DELETE FROM sessions WHERE expires < $1")
        .bind(number(now))
        .execute(&mut *step)
        .await?;
    sqlx::query(
        "INSERT INTO sessions (hash, login, expires) VALUES ($1, $2, $3)
         ON CONFLICT (hash) DO UPDATE SET login = excluded.login, expires = excluded.expires",
    )
    .bind(session.hash.to_vec())
    .bind(&session.login)
    .bind(number(session.expires))
    .execute(&mut *step)
    .await?;
    Ok(step.commit().await?)
}

pub(super) async fn session(
    store: &SqlStore,
    hash: &[u8; 32],
    now: u64,
) -> Result<Option<(Session, User)>> {
    let row = sqlx::query(
        "SELECT users.*, sessions.expires FROM sessions JOIN users ON users.login = sessions.login
         WHERE sessions.hash = $1 AND sessions.expires > $2",
    )
    .bind(hash.to_vec())
    .bind(number(now))
    .fetch_optional(store.database.reader())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user = user_of(&store.vault, &row)?;
    let session =
        Session { hash: *hash, login: user.login.clone(), expires: row.number("expires")? };
    Ok(Some((session, user)))
}

pub(super) async fn remove_session(store: &SqlStore, hash: &[u8; 32]) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query("DELETE FROM sessions WHERE hash = $1")
        .bind(hash.to_vec())
        .execute(&mut *step)
        .await?;
    Ok(step.commit().await?)
}

pub(super) async fn remove_other_sessions(
    store: &SqlStore,
    login: &str,
    keep: &[u8; 32],
) -> Result<()> {
    let mut step = store.database.write().await?;
    sqlx::query("DELETE FROM sessions WHERE login = $1 AND hash <> $2")
        .bind(login)
        .bind(keep.to_vec())
        .execute(&mut *step)
        .await?;
    Ok(step.commit().await?)
}

pub(super) async fn tokens(store: &SqlStore) -> Result<Vec<Token>> {
    let rows =
        sqlx::query("SELECT * FROM tokens ORDER BY id").fetch_all(store.database.reader()).await?;
    rows.iter().map(token_of).collect()
}

pub(super) async fn use_token(
    store: &SqlStore,
    hash: &[u8; 32],
    now: u64,
) -> Result<Option<Token>> {
    let row =
        sqlx::query("SELECT * FROM tokens WHERE hash = $1 AND (expires IS NULL OR expires > $2)")
            .bind(hash.to_vec())
            .bind(number(now))
            .fetch_optional(store.database.reader())
            .await?;
    let Some(mut token) = row.map(|row| token_of(&row)).transpose()? else { return Ok(None) };
    let minute = now - now % 60;
    if token.last_used.is_none_or(|used| used < minute) && note_use(store, token.id, minute).await {
        token.last_used = Some(minute);
    }
    Ok(Some(token))
}

/// Writes down when a token was used; whether that is done by now. With a full disk or a locked database nobody could
/// look at what is wrong, if this were a reason to refuse, or to wait: it goes on by itself, one at a time.
async fn note_use(store: &SqlStore, id: u64, minute: u64) -> bool {
    let Ok(turn) = Arc::clone(&store.notes).try_acquire_owned() else { return false };
    let database = store.database.clone();
    let work = tokio::spawn(async move {
        let _turn = turn;
        let written = say_used(&database, id, minute).await;
        if let Err(error) = &written {
            tracing::warn!("token {id}: when it was used is lost: {error}");
        }
        written.is_ok()
    });
    matches!(tokio::time::timeout(NOTE_WAIT, work).await, Ok(Ok(true)))
}

async fn say_used(database: &Database, id: u64, minute: u64) -> Result<()> {
    let mut step = database.write().await?;
    sqlx::query("UPDATE tokens SET last_used = $2 WHERE id = $1")
        .bind(number(id))
        .bind(number(minute))
        .execute(&mut *step)
        .await?;
    Ok(step.commit().await?)
}

pub(super) async fn add_token(store: &SqlStore, token: &Token) -> Result<u64> {
    let mut step = store.database.write().await?;
    let id = next_number(&mut step, "token").await?;
    sqlx::query(
        "INSERT INTO tokens (id, hash, name, role, account, created, expires, last_used)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(number(id))
    .bind(token.hash.to_vec())
    .bind(row::text(&token.name))
    .bind(word(token.role)?)
    .bind(token.account.as_deref())
    .bind(number(token.created))
    .bind(token.expires.map(number))
    .bind(token.last_used.map(number))
    .execute(&mut *step)
    .await?;
    step.commit().await?;
    Ok(id)
}

pub(super) async fn remove_token(store: &SqlStore, id: u64) -> Result<bool> {
    let mut step = store.database.write().await?;
    let result = sqlx::query("DELETE FROM tokens WHERE id = $1")
        .bind(number(id))
        .execute(&mut *step)
        .await?;
    step.commit().await?;
    Ok(has_changed(&result))
}

fn insert_user(vault: &Vault, user: &User) -> Result<Query<'static, Any, AnyArguments>> {
    let cell = Cell { column: PASSWORD_HASH, row: &user.login };
    Ok(sqlx::query(
        "INSERT INTO users (login, password_hash, role, account, created, last_login)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (login) DO UPDATE SET password_hash = excluded.password_hash,
            role = excluded.role, account = excluded.account, created = excluded.created,
            last_login = excluded.last_login",
    )
    .bind(user.login.clone())
    .bind(vault.seal(cell, &user.password_hash)?)
    .bind(word(user.role)?)
    .bind(user.account.clone())
    .bind(number(user.created))
    .bind(user.last_login.map(number)))
}

fn user_of(vault: &Vault, row: &AnyRow) -> Result<User> {
    let login = row.text("login")?;
    let cell = Cell { column: PASSWORD_HASH, row: &login };
    Ok(User {
        password_hash: vault.unseal(cell, &row.bytes("password_hash")?)?,
        role: row.word("role")?,
        account: row.maybe_text("account")?,
        created: row.number("created")?,
        last_login: row.maybe_number("last_login")?,
        login,
    })
}

fn token_of(row: &AnyRow) -> Result<Token> {
    Ok(Token {
        id: row.number("id")?,
        hash: row.hash("hash")?,
        name: row.text("name")?,
        role: row.word("role")?,
        account: row.maybe_text("account")?,
        created: row.number("created")?,
        expires: row.maybe_number("expires")?,
        last_used: row.maybe_number("last_used")?,
    })
}

/// How long somebody waits for a note that is not his business: far longer than it takes when all is well.
const NOTE_WAIT: Duration = Duration::from_millis(100);
pub(super) const PASSWORD_HASH: &str = "users.password_hash";
