//! People with a password.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::ApiError;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Admin;
use crate::api::lists::Path;
use crate::api::session::Password;
use crate::auth::hash_password;
use crate::console::{Console, now_unix_s};
use crate::model::{self, Role};

/// Everybody with a password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    users: Vec<User>,
}

/// Somebody with a password.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    login: String,
    role: Role,
    /// The one account it may use; null: all.
    account: Option<String>,
    created: u64,
    last_login: Option<u64>,
}

/// Who is to be let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    login: String,
    password: Password,
    role: Role,
    #[serde(default)]
    account: Option<String>,
}

/// What is to be different.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    #[serde(default)]
    role: Option<Role>,
    /// Null: all accounts.
    #[serde(default, with = "super::accounts::double")]
    #[schema(value_type = Option<String>)]
    account: Option<Option<String>>,
    #[serde(default)]
    password: Option<Password>,
}

/// Everybody with a password.
#[utoipa::path(get, path = "/api/v1/users", responses(
    (status = 200, body = Users), (status = 403, body = Refusal),
))]
pub(crate) async fn list(State(console): State<Console>, _: Admin) -> Answer<Users> {
    let users = console.store().users().await?.into_iter().map(User::from).collect();
    Ok(Json(Users { users }))
}

/// Lets somebody in.
#[utoipa::path(post, path = "/api/v1/users", request_body = NewUser, responses(
    (status = 201, body = User), (status = 400, body = Refusal), (status = 409, body = Refusal),
))]
pub(crate) async fn add(
    State(console): State<Console>,
    Admin(who): Admin,
    body: Result<Body<NewUser>, ApiError>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let Body(NewUser { login, password, role, account }) = body?;
    let login = check_login(&login)?;
    check_account(&console, account.as_deref(), role)?;
    let password_hash = hash_password(password.checked()?).await?;
    let _turn = console.inner.people.lock().await;
    if console.store().user(&login).await?.is_some() {
        return Err(ApiError::conflict(format!("there is a user {login} already")));
    }
    if console.store().users().await?.len() >= USERS_MAX {
        return Err(ApiError::bad("login", format!("there are {USERS_MAX} users already")));
    }
    let (created, last_login) = (now_unix_s(), None);
    let user = model::User { login, password_hash, role, account, created, last_login };
    console.store().put_user(&user).await?;
    console.note(&who, user.account.as_deref(), "user.add", &user.login).await;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Changes what somebody may do, or the password.
#[utoipa::path(patch, path = "/api/v1/users/{login}", params(("login" = String, Path)),
    request_body = UserChange, responses(
    (status = 200, body = User), (status = 400, body = Refusal), (status = 404, body = Refusal),
    (status = 409, body = Refusal, description = "nobody else is an administrator"),
))]
pub(crate) async fn change(
    State(console): State<Console>,
    Admin(who): Admin,
    Path(login): Path<String>,
    body: Result<Body<UserChange>, ApiError>,
) -> Answer<User> {
    let Body(change) = body?;
    let password = match change.password {
        Some(password) => Some(hash_password(password.checked()?).await?),
        None => None,
    };
    let _turn = console.inner.people.lock().await;
    let mut user = find(&console, &login).await?;
    let was_admin = is_admin(&user);
    user.role = change.role.unwrap_or(user.role);
    if let Some(account) = change.account {
        user.account = account;
    }
    check_account(&console, user.account.as_deref(), user.role)?;
    if was_admin && !is_admin(&user) {
        must_not_be_last(&console).await?;
    }
    let has_password = password.is_some();
    user.password_hash = password.unwrap_or(user.password_hash);
    console.store().put_user(&user).await?;
    if has_password {
        // Whoever has a session of the old password is out; no session has this hash.
        console.store().remove_other_sessions(&login, &[0; 32]).await?;
    }
    console.note(&who, user.account.as_deref(), "user.change", &login).await;
    Ok(Json(user.into()))
}

/// Lets somebody in no more.
#[utoipa::path(delete, path = "/api/v1/users/{login}", params(("login" = String, Path)), responses(
    (status = 204), (status = 404, body = Refusal), (status = 409, body = Refusal),
))]
pub(crate) async fn remove(
    State(console): State<Console>,
    Admin(who): Admin,
    Path(login): Path<String>,
) -> Result<StatusCode, ApiError> {
    let _turn = console.inner.people.lock().await;
    let user = find(&console, &login).await?;
    if is_admin(&user) {
        must_not_be_last(&console).await?;
    }
    console.store().remove_user(&login).await?;
    console.note(&who, user.account.as_deref(), "user.remove", &login).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A login as it is kept.
pub(crate) fn check_login(login: &str) -> Result<String, ApiError> {
    let login = login.trim().to_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    match (1..=LOGIN_CHARS_MAX).contains(&login.len()) && login.chars().all(fits) {
        true => Ok(login),
        false => Err(ApiError::bad(
            "login",
            format!("a login has 1 to {LOGIN_CHARS_MAX} letters, digits and . _ - @ +"),
        )),
    }
}

/// That an account is there, and that nobody is administrator of one only.
pub(crate) fn check_account(
    console: &Console,
    account: Option<&str>,
    role: Role,
) -> Result<(), ApiError> {
    let Some(bizid) = account else { return Ok(()) };
    if console.books().account(bizid).is_none() {
        return Err(ApiError::bad("account", format!("there is no account {bizid}")));
    }
    match role {
        Role::Admin => {
            Err(ApiError::bad("role", "an administrator is one of all accounts: choose operator"))
        }
        Role::Operator | Role::ReadOnly => Ok(()),
    }
}

async fn find(console: &Console, login: &str) -> Result<model::User, ApiError> {
    let user = console.store().user(login).await?;
    user.ok_or_else(|| ApiError::not_found(format!("user {login}")))
}

fn is_admin(user: &model::User) -> bool {
    user.role == Role::Admin && user.account.is_none()
}

async fn must_not_be_last(console: &Console) -> Result<(), ApiError> {
    match console.store().users().await?.iter().filter(|u| is_admin(u)).count() {
        0 | 1 => Err(ApiError::conflict("this is the last administrator: make another one first")),
        _ => Ok(()),
    }
}

impl From<model::User> for User {
    fn from(user: model::User) -> Self {
        let model::User { login, role, account, created, last_login, password_hash: _ } = user;
        User { login, role, account, created, last_login }
    }
}

const LOGIN_CHARS_MAX: usize = 64;
/// Users of a server.
const USERS_MAX: usize = 10_000;
