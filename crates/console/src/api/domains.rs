//! An account's domains and their keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::ApiError;
use crate::api::accounts::{Account, edited, find};
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::Operator;
use crate::api::lists::Path;
use crate::auth::{Who, new_key};
use crate::console::{Console, now_unix_s};
use crate::model::{self, Action, Schemes, Secret};
use crate::register::Books;

/// A domain, without its keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Domain {
    number: u32,
    action: Action,
    /// Null: every host that no other domain names.
    host: Option<String>,
    auth: bool,
    validity_s: u64,
    schemes: Schemes,
    /// The first four characters of the main key.
    main_hint: String,
    has_backup: bool,
    rotated: u64,
}

/// A domain that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDomain {
    action: Action,
    #[serde(default)]
    host: Option<String>,
    /// Usually to push, not to play.
    #[serde(default)]
    auth: Option<bool>,
    #[serde(default)]
    #[schema(maximum = 31_622_400)]
    validity_s: u64,
    #[serde(default)]
    schemes: Schemes,
    /// The main key, if it is not to be a new one.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 128)]
    key: Option<String>,
}

/// What is to be different.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainChange {
    /// Null: every host that no other domain names.
    #[serde(default, with = "super::accounts::double")]
    #[schema(value_type = Option<String>)]
    host: Option<Option<String>>,
    #[serde(default)]
    auth: Option<bool>,
    #[serde(default)]
    #[schema(maximum = 31_622_400)]
    validity_s: Option<u64>,
    #[serde(default)]
    schemes: Option<Schemes>,
}

/// How keys are to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    /// Whether URLs signed with the key that is replaced stay good.
    keep_backup: bool,
    /// The new main key, if it is not to be a random one.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 128)]
    key: Option<String>,
}

/// Keys, for whoever may see them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Keys {
    main: String,
    backup: Option<String>,
}

/// Adds a domain.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/domains", params(("bizid" = String, Path)),
    request_body = NewDomain, responses(
    (status = 201, body = Account), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn add(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(bizid): Path<String>,
    body: Result<Body<NewDomain>, ApiError>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let Body(wanted) = body?;
    who.must_see(&bizid)?;
    let NewDomain { action, host, auth, validity_s, schemes, key } = wanted;
    if host.is_some() {
        may_name_hosts(&who)?;
    }
    let main = chosen_or_new(key)?;
    let host = checked_host(host)?;
    check_validity(validity_s)?;
    let words = words(action, host.as_deref());
    let edit = |account: &mut model::Account, _: &Books| {
        if account.domains.len() >= DOMAINS_MAX {
            return Err(ApiError::bad("host", format!("an account has at most {DOMAINS_MAX}")));
        }
        if account.domains.iter().any(|d| d.action == action && d.host == host) {
            return Err(ApiError::bad("host", "there is such a domain already"));
        }
        let number = account.domains.iter().map(|d| d.number).max().unwrap_or(0) + 1;
        account.domains.push(model::Domain {
            number,
            action,
            host,
            main,
            backup: None,
            auth: auth.unwrap_or(action == Action::Push),
            validity_s,
            schemes,
            rotated: now_unix_s(),
        });
        Ok(())
    };
    let account = edited(&console, &who, &bizid, "domain.add", words, edit).await?;
    Ok((StatusCode::CREATED, account))
}

/// Changes a domain.
#[utoipa::path(patch, path = "/api/v1/accounts/{bizid}/domains/{number}",
    params(("bizid" = String, Path), ("number" = u32, Path)), request_body = DomainChange, responses(
    (status = 200, body = Account), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn change(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((bizid, number)): Path<(String, u32)>,
    body: Result<Body<DomainChange>, ApiError>,
) -> Answer<Account> {
    let Body(DomainChange { host, auth, validity_s, schemes }) = body?;
    who.must_see(&bizid)?;
    if host.is_some() {
        may_name_hosts(&who)?;
    }
    let host = host.map(checked_host).transpose()?;
    check_validity(validity_s.unwrap_or(0))?;
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        let domain = domain(account, number)?;
        if let Some(host) = host {
            domain.host = host;
        }
        domain.auth = auth.unwrap_or(domain.auth);
        domain.validity_s = validity_s.unwrap_or(domain.validity_s);
        domain.schemes = schemes.unwrap_or(domain.schemes);
        Ok(())
    };
    edited(&console, &who, &bizid, "domain.change", named(&console, &bizid, number), edit).await
}

/// Removes a domain. One for each action stays.
#[utoipa::path(delete, path = "/api/v1/accounts/{bizid}/domains/{number}",
    params(("bizid" = String, Path), ("number" = u32, Path)), responses(
    (status = 200, body = Account), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn remove(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((bizid, number)): Path<(String, u32)>,
) -> Answer<Account> {
    who.must_see(&bizid)?;
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        domain(account, number)?;
        account.domains.retain(|d| d.number != number);
        Ok(())
    };
    edited(&console, &who, &bizid, "domain.remove", named(&console, &bizid, number), edit).await
}

/// Shows a domain's keys.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/domains/{number}/reveal",
    params(("bizid" = String, Path), ("number" = u32, Path)), responses(
    (status = 200, body = Keys), (status = 403, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn reveal(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((bizid, number)): Path<(String, u32)>,
) -> Answer<Keys> {
    who.must_see(&bizid)?;
    let account = find(&console, &bizid)?;
    let domain = account.domains.iter().find(|d| d.number == number);
    let domain = domain.ok_or_else(|| ApiError::not_found(format!("domain {number}")))?;
    let detail = named(&console, &bizid, number);
    console.note_before(&who, Some(&bizid), "domain.reveal", detail).await?;
    Ok(Json(Keys::of(domain)))
}

/// Gives a domain a new main key. The one before becomes the backup, or is good for nothing.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/domains/{number}/rotate",
    params(("bizid" = String, Path), ("number" = u32, Path)), request_body = Rotate, responses(
    (status = 200, body = Keys), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn rotate(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((bizid, number)): Path<(String, u32)>,
    body: Result<Body<Rotate>, ApiError>,
) -> Answer<Keys> {
    let Body(Rotate { keep_backup, key }) = body?;
    who.must_see(&bizid)?;
    let main = chosen_or_new(key)?;
    let mut keys = None;
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        let domain = domain(account, number)?;
        let old = std::mem::replace(&mut domain.main, main);
        domain.backup = keep_backup.then_some(old);
        domain.rotated = now_unix_s();
        keys = Some(Keys::of(domain));
        Ok(())
    };
    console.inner.register.change(&bizid, None, edit).await?;
    let backup = if keep_backup { "with" } else { "without" };
    let detail = format!("{}, {backup} the old key as backup", named(&console, &bizid, number));
    console.note(&who, Some(&bizid), "domain.rotate", detail).await;
    keys.map(Json).ok_or_else(|| ApiError::not_found(format!("domain {number}")))
}

/// Drops a domain's backup key.
#[utoipa::path(delete, path = "/api/v1/accounts/{bizid}/domains/{number}/backup",
    params(("bizid" = String, Path), ("number" = u32, Path)), responses(
    (status = 200, body = Account), (status = 404, body = Refusal),
))]
pub(crate) async fn drop_backup(
    State(console): State<Console>,
    Operator(who): Operator,
    Path((bizid, number)): Path<(String, u32)>,
) -> Answer<Account> {
    who.must_see(&bizid)?;
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        domain(account, number)?.backup = None;
        Ok(())
    };
    edited(&console, &who, &bizid, "domain.drop-backup", named(&console, &bizid, number), edit)
        .await
}

/// What an operator knows a domain by: `push push.example.com`.
fn named(console: &Console, bizid: &str, number: u32) -> String {
    let books = console.books();
    let mut domains = books.account(bizid).into_iter().flat_map(|account| &account.domains);
    domains
        .find(|domain| domain.number == number)
        .map_or_else(|| number.to_string(), |domain| words(domain.action, domain.host.as_deref()))
}

fn words(action: Action, host: Option<&str>) -> String {
    let action = match action {
        Action::Push => "push",
        Action::Play => "play",
    };
    format!("{action} {}", host.unwrap_or("without a host"))
}

fn domain(account: &mut model::Account, number: u32) -> Result<&mut model::Domain, ApiError> {
    let domain = account.domains.iter_mut().find(|d| d.number == number);
    domain.ok_or_else(|| ApiError::not_found(format!("domain {number}")))
}

fn chosen_or_new(key: Option<String>) -> Result<Secret, ApiError> {
    let Some(key) = key else { return Ok(new_key()?) };
    // The vendor's are letters and digits; the shortest that may be is the policy's to say.
    match key.len() <= KEY_CHARS_MAX && key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => Ok(Secret::new(key)),
        false => Err(ApiError::bad("key", format!("at most {KEY_CHARS_MAX} letters and digits"))),
    }
}

/// A host says whose streams come and go there: an account that could name one would take them from who has it now.
fn may_name_hosts(who: &Who) -> Result<(), ApiError> {
    match who.account {
        None => Ok(()),
        Some(_) => Err(ApiError::forbidden(
            "to say which hosts are an account's takes an operator of all accounts",
        )),
    }
}

pub(crate) fn checked_host(host: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(host) = host.map(|h| h.trim().to_lowercase()).filter(|h| !h.is_empty()) else {
        return Ok(None);
    };
    let host = thalweg_wire::rtmp::address::host_of(&host);
    host.map(Some).map_err(|why| ApiError::bad("host", why.to_string()))
}

fn check_validity(validity_s: u64) -> Result<(), ApiError> {
    match validity_s <= VALIDITY_S_MAX {
        true => Ok(()),
        false => Err(ApiError::bad("validity_s", format!("0 to {VALIDITY_S_MAX}, a year"))),
    }
}

impl Domain {
    pub(crate) fn of(d: &model::Domain) -> Domain {
        Domain {
            number: d.number,
            action: d.action,
            host: d.host.clone(),
            auth: d.auth,
            validity_s: d.validity_s,
            schemes: d.schemes,
            main_hint: d.main.reveal().chars().take(4).collect(),
            has_backup: d.backup.is_some(),
            rotated: d.rotated,
        }
    }
}

impl Keys {
    fn of(domain: &model::Domain) -> Keys {
        let text = |secret: &Secret| secret.reveal().to_owned();
        Keys { main: text(&domain.main), backup: domain.backup.as_ref().map(text) }
    }
}

/// Of an account.
const DOMAINS_MAX: usize = 100;
const KEY_CHARS_MAX: usize = 128;
/// A year.
const VALIDITY_S_MAX: u64 = 366 * 86_400;
