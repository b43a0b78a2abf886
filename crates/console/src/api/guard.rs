//! Who asks, and whether it may: what a handler takes as an argument before it does anything.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::api::ApiError;
use crate::api::session::slow_down;
use crate::auth::{Who, hash_of};
use crate::console::{Console, now_unix_s};
use crate::model::Role;

/// Anyone who is logged in or has a token.
pub(crate) struct Reader(pub(crate) Who);

/// Who may change accounts and streams.
pub(crate) struct Operator(pub(crate) Who);

/// Who may change accounts and streams of everybody.
pub(crate) struct OperatorOfAll(pub(crate) Who);

/// Who may do everything.
pub(crate) struct Admin(pub(crate) Who);

/// From where a request comes, if that is known.
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

/// That no page of another site has had a browser send this.
pub(crate) struct SameSite;

impl FromRequestParts<Console> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, ApiError> {
        let peer = peer(parts);
        let headers = &parts.headers;
        let now = now_unix_s();
        if let Some(secret) = bearer(headers) {
            let tokens = &console.inner.tokens;
            tokens.take(peer).map_err(slow_down)?;
            let Some(token) = console.store().use_token(&hash_of(secret), now).await? else {
                tokens.take_wrong(peer).map_err(slow_down)?;
                return Err(ApiError::unknown());
            };
            let (name, account) = (format!("token:{}", token.id), token.account);
            return Ok(Reader(Who { name, role: token.role, account, peer, session: None }));
        }
        let secret = cookie(headers).ok_or_else(ApiError::unknown)?;
        // The browser sends the cookie whoever asked it to send the request.
        if !parts.method.is_safe() {
            same_site(headers)?;
        }
        let found = console.store().session(&hash_of(secret), now).await?;
        let (session, user) = found.ok_or_else(ApiError::unknown)?;
        let name = format!("user:{}", user.login);
        let session = Some((user.login, session.hash));
        Ok(Reader(Who { name, role: user.role, account: user.account, peer, session }))
    }
}

impl OptionalFromRequestParts<Console> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Console,
    ) -> Result<Option<Self>, ApiError> {
        match <Reader as FromRequestParts<Console>>::from_request_parts(parts, console).await {
            Ok(reader) => Ok(Some(reader)),
            Err(why) if why.is_unknown() => Ok(None),
            Err(why) => Err(why),
        }
    }
}

impl FromRequestParts<Console> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, ApiError> {
        let who = reader(parts, console).await?;
        if who.role < Role::Operator {
            return Err(ApiError::forbidden("this takes the role operator"));
        }
        Ok(Operator(who))
    }
}

impl FromRequestParts<Console> for OperatorOfAll {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, ApiError> {
        let who = reader(parts, console).await?;
        if who.role < Role::Operator || who.account.is_some() {
            return Err(ApiError::forbidden("this takes the role operator, for all accounts"));
        }
        Ok(OperatorOfAll(who))
    }
}

impl FromRequestParts<Console> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, ApiError> {
        let who = reader(parts, console).await?;
        if who.role < Role::Admin || who.account.is_some() {
            return Err(ApiError::forbidden("this takes the role admin"));
        }
        Ok(Admin(who))
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Peer(peer(parts)))
    }
}

impl<S: Sync> FromRequestParts<S> for SameSite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        same_site(&parts.headers).map(|()| SameSite)
    }
}

impl Who {
    /// That it may look at things of an account. To whom it is none of his business there is none.
    pub(crate) fn must_see(&self, account: &str) -> Result<(), ApiError> {
        match self.sees(account) {
            true => Ok(()),
            false => Err(ApiError::not_found(format!("account {account}"))),
        }
    }

    /// The account that a list is limited to: the one asked for, or the one it belongs to.
    pub(crate) fn scope(&self, asked: Option<String>) -> Result<Option<String>, ApiError> {
        match (asked, &self.account) {
            (Some(asked), Some(own)) if asked != *own => {
                Err(ApiError::not_found(format!("account {asked}")))
            }
            (asked, own) => Ok(own.clone().or(asked)),
        }
    }
}

async fn reader(parts: &mut Parts, console: &Console) -> Result<Who, ApiError> {
    let Reader(who) =
        <Reader as FromRequestParts<Console>>::from_request_parts(parts, console).await?;
    Ok(who)
}

fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// The value of our cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let pairs = cookies.flat_map(|all| all.split(';')).filter_map(|one| one.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
}

/// What a browser says of who made it ask; one that says nothing has said whose page it is.
fn same_site(headers: &HeaderMap) -> Result<(), ApiError> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let refuse = || ApiError::new(FORBIDDEN, "foreign-site", "a page of another site asks");
    if header("sec-fetch-site".parse().unwrap_or(header::ORIGIN))
        .is_some_and(|s| s != "same-origin")
    {
        return Err(refuse());
    }
    let origin = header(header::ORIGIN).map(|o| o.split_once("://").map_or(o, |(_, host)| host));
    match origin {
        Some(origin) if Some(origin) != header(header::HOST) => Err(refuse()),
        _ => Ok(()),
    }
}

const FORBIDDEN: axum::http::StatusCode = axum::http::StatusCode::FORBIDDEN;
/// The cookie of a session. No `__Host-`: that takes https, and the operator's listener is plain on
/// loopback.
pub(crate) const SESSION_COOKIE: &str = "thalweg_session";
