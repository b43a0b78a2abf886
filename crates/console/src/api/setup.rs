//! The first start: nobody can log in yet.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Peer, SameSite};
use crate::api::session::{self, Password};
use crate::api::{ApiError, users};
use crate::auth::hash_password;
use crate::console::{Console, now_unix_s};
use crate::model::{Role, User};

/// Whether somebody has to begin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    /// True while there is nobody who could log in.
    needed: bool,
}

/// Who begins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    /// What the program printed at its start.
    token: String,
    login: String,
    password: Password,
}

/// Whether there is nobody yet who could log in.
#[utoipa::path(get, path = "/api/v1/setup", responses((status = 200, body = SetupState)))]
pub(crate) async fn state(State(console): State<Console>) -> Answer<SetupState> {
    Ok(Json(SetupState { needed: console.setup().is_some() }))
}

/// Makes the first administrator, and a session.
#[utoipa::path(post, path = "/api/v1/setup", request_body = Begin, responses(
    (status = 200, body = session::Session),
    (status = 403, body = Refusal, description = "the token is wrong"),
    (status = 404, body = Refusal, description = "there is somebody already"),
    (status = 409, body = Refusal, description = "somebody else was faster"),
    (status = 429, body = Refusal, description = "too many tries; `Retry-After` says when"),
))]
pub(crate) async fn begin(
    State(console): State<Console>,
    Peer(peer): Peer,
    _: SameSite,
    body: Result<Body<Begin>, ApiError>,
) -> Result<Response, ApiError> {
    let Body(Begin { token, login, password }) = body?;
    let known = console.setup().clone();
    let known = known.ok_or_else(|| ApiError::not_found("setup any more: log in"))?;
    console.inner.passwords.take_try("", peer).map_err(session::slow_down)?;
    if !known.is(&token) {
        let words = "the token is not the one the program printed";
        return Err(ApiError::forbidden(words).at("token"));
    }
    let login = users::check_login(&login)?;
    let password_hash = hash_password(password.checked()?).await?;
    let now = now_unix_s();
    let (role, account, last_login) = (Role::Admin, None, Some(now));
    let user = User { login, password_hash, role, account, created: now, last_login };
    console.store().put_first_user(&user).await?;
    *console.setup() = None;
    let who = format!("user:{}", user.login);
    console.note_of(&who, peer, None, "setup", "the first administrator".to_owned()).await;
    session::open(&console, &user).await
}
