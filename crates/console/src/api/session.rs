//! Sessions of people.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::ApiError;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Peer, Reader, SESSION_COOKIE, SameSite};
use crate::auth::{NoHash, hash_password, new_secret};
use crate::console::{Console, now_unix_s};
use crate::model::{self, Role, User};

/// A password that somebody sends. `Debug` does not show it.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 10, max_length = 128)]
pub(crate) struct Password(String);

/// Who logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    login: String,
    password: Password,
}

/// A password and the one that takes its place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    old: Password,
    new: Password,
}

/// Who is logged in, and where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    user: Me,
    /// Of the program.
    version: &'static str,
    /// The host in printed URLs.
    public_host: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    login: String,
    role: Role,
    account: Option<String>,
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/v1/session", responses(
    (status = 200, body = Session), (status = 401, body = Refusal),
))]
pub(crate) async fn now(State(console): State<Console>, Reader(who): Reader) -> Answer<Session> {
    let login = who.session.map_or(who.name, |(login, _)| login);
    Ok(Json(Session::new(&console, login, who.role, who.account)))
}

/// Logs in.
#[utoipa::path(post, path = "/api/v1/session", request_body = LogIn, responses(
    (status = 200, body = Session),
    (status = 401, body = Refusal, description = "login or password is wrong"),
    (status = 429, body = Refusal),
))]
pub(crate) async fn log_in(
    State(console): State<Console>,
    Peer(peer): Peer,
    _: SameSite,
    body: Result<Body<LogIn>, ApiError>,
) -> Result<Response, ApiError> {
    let Body(LogIn { login, password }) = body?;
    let login = login.trim().to_lowercase();
    let passwords = &console.inner.passwords;
    passwords.take_try(&login, peer).map_err(slow_down)?;
    let user = console.store().user(&login).await?;
    let hash = user.as_ref().map(|u| &u.password_hash);
    let is_right = passwords.is_right(password.0, hash).await;
    // It took a while: what counts is who is there now, with this password.
    let _turn = console.inner.people.lock().await;
    let now = console.store().user(&login).await?;
    let is_same = |now: &User| user.as_ref().is_some_and(|u| u.password_hash == now.password_hash);
    let Some(mut user) = now.filter(|now| is_right && is_same(now)) else {
        let login: String = login.chars().filter(|c| !c.is_control()).take(64).collect();
        console.note_of("nobody", peer, None, "session.refused", login).await;
        let words = "login or password is wrong";
        return Err(ApiError::new(axum::http::StatusCode::UNAUTHORIZED, "wrong-password", words));
    };
    user.last_login = Some(now_unix_s());
    console.store().put_user(&user).await?;
    let who = format!("user:{}", user.login);
    console.note_of(&who, peer, user.account.as_deref(), "session.begin", String::new()).await;
    open(&console, &user).await
}

/// Logs out.
#[utoipa::path(delete, path = "/api/v1/session", responses((status = 204)))]
pub(crate) async fn log_out(
    State(console): State<Console>,
    Reader(who): Reader,
) -> Result<Response, ApiError> {
    if let Some((_, hash)) = who.session {
        console.store().remove_session(&hash).await?;
    }
    let gone = format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    Ok((axum::http::StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Changes one's password, and ends one's other sessions.
#[utoipa::path(put, path = "/api/v1/session/password", request_body = ChangePassword, responses(
    (status = 204), (status = 400, body = Refusal), (status = 429, body = Refusal),
))]
pub(crate) async fn change_password(
    State(console): State<Console>,
    Reader(who): Reader,
    body: Result<Body<ChangePassword>, ApiError>,
) -> Result<axum::http::StatusCode, ApiError> {
    let Body(ChangePassword { old, new }) = body?;
    let Some((login, hash)) = who.session.clone() else {
        return Err(ApiError::forbidden("a token has no password"));
    };
    let passwords = &console.inner.passwords;
    passwords.take_try(&login, who.peer).map_err(slow_down)?;
    let user = console.store().user(&login).await?.ok_or_else(ApiError::unknown)?;
    if !passwords.is_right(old.0, Some(&user.password_hash)).await {
        return Err(ApiError::bad("old", "this is not the password"));
    }
    let password_hash = hash_password(new.checked()?).await?;
    let _turn = console.inner.people.lock().await;
    let now = console.store().user(&login).await?.ok_or_else(ApiError::unknown)?;
    if now.password_hash != user.password_hash {
        return Err(ApiError::conflict("the password has been changed meanwhile"));
    }
    console.store().put_user(&User { password_hash, ..now }).await?;
    console.store().remove_other_sessions(&login, &hash).await?;
    console.note(&who, None, "session.password", "").await;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Makes a session of a user, and the answer that gives it to the browser.
pub(crate) async fn open(console: &Console, user: &User) -> Result<Response, ApiError> {
    let now = now_unix_s();
    let (secret, hash) = new_secret("")?;
    let session = model::Session { hash, login: user.login.clone(), expires: now + SESSION_S };
    console.store().put_session(&session, now).await?;
    let cookie = format!(
        "{SESSION_COOKIE}={secret}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict"
    );
    let body = Session::new(console, user.login.clone(), user.role, user.account.clone());
    Ok(([(header::SET_COOKIE, cookie)], Json(body)).into_response())
}

pub(crate) fn slow_down(seconds: u64) -> ApiError {
    ApiError::too_many(format!("too many tries: the next one in {seconds} s"), seconds)
}

impl Session {
    fn new(console: &Console, login: String, role: Role, account: Option<String>) -> Session {
        let public_host = console.inner.places.host.clone();
        let version = env!("CARGO_PKG_VERSION");
        Session { user: Me { login, role, account }, version, public_host }
    }
}

impl Password {
    /// One that may be chosen.
    pub(crate) fn checked(self) -> Result<String, ApiError> {
        match (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&self.0.chars().count()) {
            true => Ok(self.0),
            false => {
                let words = format!(
                    "a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"
                );
                Err(ApiError::bad("password", words))
            }
        }
    }
}

impl From<NoHash> for ApiError {
    fn from(_: NoHash) -> Self {
        let words = "the system has no random numbers";
        ApiError::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal", words)
    }
}

/// How long a session lasts: a working day.
const SESSION_S: u64 = 12 * 3600;
const PASSWORD_CHARS_MIN: usize = 10;
/// What is longer only takes longer to hash.
const PASSWORD_CHARS_MAX: usize = 128;
