//! What programs have instead of a password.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Admin;
use crate::api::lists::Path;
use crate::api::{ApiError, users};
use crate::auth::new_secret;
use crate::console::{Console, now_unix_s};
use crate::model::{self, Role};

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
}

/// A token, without what makes it good.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    id: u64,
    name: String,
    role: Role,
    /// The one account it may use; null: all.
    account: Option<String>,
    created: u64,
    expires: Option<u64>,
    last_used: Option<u64>,
}

/// What is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: Role,
    #[serde(default)]
    account: Option<String>,
    /// Until when, UNIX seconds; null: until it is taken back.
    #[serde(default)]
    expires: Option<u64>,
}

/// A token, this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Made {
    id: u64,
    token: String,
}

/// All tokens.
#[utoipa::path(get, path = "/api/v1/tokens", responses(
    (status = 200, body = Tokens), (status = 403, body = Refusal),
))]
pub(crate) async fn list(State(console): State<Console>, _: Admin) -> Answer<Tokens> {
    let tokens = console.store().tokens().await?.into_iter().map(Token::from).collect();
    Ok(Json(Tokens { tokens }))
}

/// Makes a token, which is shown this once.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = NewToken, responses(
    (status = 201, body = Made), (status = 400, body = Refusal),
))]
pub(crate) async fn add(
    State(console): State<Console>,
    Admin(who): Admin,
    body: Result<Body<NewToken>, ApiError>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let Body(NewToken { name, role, account, expires }) = body?;
    users::check_account(&console, account.as_deref(), role)?;
    let name = name.trim().to_owned();
    if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
        return Err(ApiError::bad("name", format!("1 to {NAME_CHARS_MAX} characters")));
    }
    let now = now_unix_s();
    if expires.is_some_and(|at| at <= now) {
        return Err(ApiError::bad("expires", "that is over already"));
    }
    if console.store().tokens().await?.len() >= TOKENS_MAX {
        return Err(ApiError::bad("name", format!("there are {TOKENS_MAX} tokens already")));
    }
    let (token, hash) = new_secret("tw_")?;
    let (created, last_used) = (now, None);
    let new = model::Token { id: 0, hash, name, role, account, created, expires, last_used };
    let id = console.store().add_token(&new).await?;
    console.note(&who, new.account.as_deref(), "token.add", format!("{id} {}", new.name)).await;
    Ok((StatusCode::CREATED, Json(Made { id, token })))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", params(("id" = u64, Path)), responses(
    (status = 204), (status = 404, body = Refusal),
))]
pub(crate) async fn remove(
    State(console): State<Console>,
    Admin(who): Admin,
    Path(id): Path<u64>,
) -> Result<StatusCode, ApiError> {
    let none = || ApiError::not_found(format!("token {id}"));
    let all = console.store().tokens().await?;
    let token = all.into_iter().find(|token| token.id == id).ok_or_else(none)?;
    if !console.store().remove_token(id).await? {
        return Err(none());
    }
    let detail = format!("{id} {}", token.name);
    console.note(&who, token.account.as_deref(), "token.remove", detail).await;
    Ok(StatusCode::NO_CONTENT)
}

impl From<model::Token> for Token {
    fn from(token: model::Token) -> Self {
        let model::Token { id, name, role, account, created, expires, last_used, hash: _ } = token;
        Token { id, name, role, account, created, expires, last_used }
    }
}

const NAME_CHARS_MAX: usize = 100;
/// Tokens of a server.
const TOKENS_MAX: usize = 10_000;
