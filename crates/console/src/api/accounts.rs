//! Accounts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiError;
use crate::api::body::Body;
use crate::api::domains::{Domain, checked_host};
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Admin, Operator, OperatorOfAll, Reader};
use crate::api::lists::{Paging, Path, searched};
use crate::auth::{Who, new_key};
use crate::clock;
use crate::console::{Console, now_unix_s};
use crate::hooks::target::Target;
use crate::model::{
    self, AddressRules, Callback, Category, Profile, RefererRules, Remote, Role, Secret,
    SubjectType,
};
use crate::policy::BadField;
use crate::redact;
use crate::register::Books;

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    total: usize,
}

/// An account, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    bizid: String,
    name: String,
    /// Whether it owns every host that nobody names.
    is_default: bool,
    subject: SubjectType,
    category: Category,
    eligible: Eligible,
    /// Whether the service is opened.
    service: bool,
    /// Whether it may push.
    live_pusher: bool,
    /// Whether its streams may be watched.
    live_player: bool,
    profile: Profile,
    udp: bool,
    udp_viewers_max: u32,
    /// Whether the old API answers for it.
    old_api: bool,
    addresses: AddressRules,
    referers: RefererRules,
    callback: CallbackView,
    remote: Remote,
    revoked_before: Option<u64>,
    /// By `app/name`.
    revoked_streams: BTreeMap<String, u64>,
    domains: Vec<Domain>,
    created: u64,
    version: u64,
}

/// Whether the gate admits an account.
#[derive(Debug, Serialize, ToSchema)]
struct Eligible {
    admitted: bool,
    /// If not, why, and which categories are.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Who is told what happens, without the key. Whoever may only look sees no query of a URL: customers keep
/// secrets there.
#[derive(Debug, Serialize, ToSchema)]
struct CallbackView {
    url: Option<String>,
    anomalies: bool,
    /// Whether it has a key of its own; else it is the API key.
    has_key: bool,
}

/// Which accounts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Part of a name or number.
    #[param(max_length = 100)]
    query: Option<String>,
}

/// What is wanted of an account, or is to be different.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    /// Only of a new one: 1 to 20 digits.
    #[schema(pattern = "^[0-9]{1,20}$")]
    bizid: Option<String>,
    /// Only of a new one: the host in its URLs to push. Without one no URL can mean it.
    #[schema(max_length = 253)]
    push_host: Option<String>,
    /// Only of a new one: the host in its URLs to watch.
    #[schema(max_length = 253)]
    play_host: Option<String>,
    /// Only of one that is there: the version that was read.
    version: Option<u64>,
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    subject: Option<SubjectType>,
    category: Option<Category>,
    service: Option<bool>,
    live_pusher: Option<bool>,
    live_player: Option<bool>,
    profile: Option<Profile>,
    udp: Option<bool>,
    #[schema(maximum = 1000)]
    udp_viewers_max: Option<u32>,
    old_api: Option<bool>,
    addresses: Option<AddressRules>,
    referers: Option<RefererRules>,
    callback: Option<CallbackChange>,
    remote: Option<RemoteChange>,
    /// Whether what is live and would not be let in any more is cut at once.
    #[serde(default)]
    cut: bool,
}

/// Who is to be told what happens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackChange {
    /// Null: nobody.
    #[serde(default, with = "double")]
    #[schema(value_type = Option<String>)]
    url: Option<Option<String>>,
    anomalies: Option<bool>,
    /// A key of its own; empty: the API key; null: as it is.
    #[schema(max_length = 128)]
    key: Option<String>,
}

/// Who is to be asked before somebody pushes or watches. What is not said stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoteChange {
    /// Null: nobody.
    #[serde(default, with = "double")]
    #[schema(value_type = Option<String>)]
    url: Option<Option<String>>,
    push: Option<bool>,
    play: Option<bool>,
    play_if_unreachable: Option<bool>,
}

/// Which URLs are no longer good.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    /// Those made before this moment, UNIX seconds; now if it is not said.
    #[serde(default)]
    before: Option<u64>,
    /// Of this stream, `app/name`; of all if it is not said.
    #[serde(default)]
    stream: Option<String>,
    /// Takes it back.
    #[serde(default)]
    undo: bool,
}

/// A key, for whoever may see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    api_key: String,
}

/// Accounts: those of a query, or all.
#[utoipa::path(get, path = "/api/v1/accounts", params(Which, Paging), responses(
    (status = 200, body = Accounts), (status = 401, body = Refusal),
))]
pub(crate) async fn list(
    State(console): State<Console>,
    Reader(who): Reader,
    which: Result<Query<Which>, QueryRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Answer<Accounts> {
    let (Query(which), page) = (which?, paging?.page()?);
    let query = searched(which.query)?;
    let books = console.books();
    let fits = |a: &&Arc<model::Account>| {
        who.sees(&a.bizid) && (a.bizid.contains(&query) || a.name.to_lowercase().contains(&query))
    };
    let found: Vec<_> = books.accounts.iter().filter(fits).collect();
    let total = found.len();
    let accounts = page.of(found).into_iter().map(|a| Account::of(&books, a, &who)).collect();
    Ok(Json(Accounts { accounts, total }))
}

/// Makes an account, with a domain to push and one to play for every host, and keys of its own.
#[utoipa::path(post, path = "/api/v1/accounts", request_body = AccountChange, responses(
    (status = 201, body = Account), (status = 400, body = Refusal),
    (status = 409, body = Refusal, description = "the gate does not admit it"),
))]
pub(crate) async fn add(
    State(console): State<Console>,
    OperatorOfAll(who): OperatorOfAll,
    body: Result<Body<AccountChange>, ApiError>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let Body(wanted) = body?;
    let bizid = wanted.bizid.clone().ok_or_else(|| ApiError::bad("bizid", "it needs a number"))?;
    if wanted.name.is_none() {
        return Err(ApiError::bad("name", "it needs a name"));
    }
    let mut account = model::Account::new(&bizid, now_unix_s(), new_key)?;
    let hosts = [("push_host", &wanted.push_host), ("play_host", &wanted.play_host)];
    for (domain, (field, host)) in account.domains.iter_mut().zip(hosts) {
        domain.host = checked_host(host.clone()).map_err(|why| why.at(field))?;
    }
    wanted.apply(&mut account, &console.books(), &who)?;
    let account = console.inner.register.add(account).await?;
    console.note(&who, Some(&bizid), "account.add", &account.name).await;
    Ok((StatusCode::CREATED, Json(Account::of(&console.books(), &account, &who))))
}

/// One account.
#[utoipa::path(get, path = "/api/v1/accounts/{bizid}", params(("bizid" = String, Path)), responses(
    (status = 200, body = Account), (status = 404, body = Refusal),
))]
pub(crate) async fn show(
    State(console): State<Console>,
    Reader(who): Reader,
    Path(bizid): Path<String>,
) -> Answer<Account> {
    who.must_see(&bizid)?;
    let account = find(&console, &bizid)?;
    Ok(Json(Account::of(&console.books(), &account, &who)))
}

/// Changes an account. What is not said stays.
#[utoipa::path(patch, path = "/api/v1/accounts/{bizid}", params(("bizid" = String, Path)),
    request_body = AccountChange, responses(
    (status = 200, body = Account), (status = 400, body = Refusal), (status = 404, body = Refusal),
    (status = 409, body = Refusal, description = "changed meanwhile, or the gate does not admit it"),
))]
pub(crate) async fn change(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(bizid): Path<String>,
    body: Result<Body<AccountChange>, ApiError>,
) -> Answer<Account> {
    let Body(change) = body?;
    who.must_see(&bizid)?;
    if change.bizid.as_ref().is_some_and(|b| *b != bizid) {
        return Err(ApiError::bad("bizid", "a number cannot change: make another account"));
    }
    for (field, host) in [("push_host", &change.push_host), ("play_host", &change.play_host)] {
        if host.is_some() {
            let words =
                format!("hosts are of domains: PATCH /api/v1/accounts/{bizid}/domains/{{number}}");
            return Err(ApiError::bad(field, words));
        }
    }
    let (version, cut) = (change.version, change.cut);
    let mut words = String::new();
    let edit = |account: &mut model::Account, books: &Books| {
        let old = account.clone();
        change.apply(account, books, &who)?;
        words = differences(&old, account);
        Ok::<_, ApiError>(())
    };
    let account = console.inner.register.change(&bizid, version, edit).await?;
    console.note(&who, Some(&bizid), "account.change", words).await;
    if cut {
        let (push, play) = (!may(&console, &account, true), !may(&console, &account, false));
        let (pushes, plays) = console.inner.hub.dismiss_account(&bizid, push, play, Instant::now());
        let detail = format!("{pushes} publishers, {plays} viewers");
        console.note(&who, Some(&bizid), "account.cut", detail).await;
    }
    Ok(Json(Account::of(&console.books(), &account, &who)))
}

/// Removes an account that is not the default one. What is live of it is cut.
#[utoipa::path(delete, path = "/api/v1/accounts/{bizid}", params(("bizid" = String, Path)), responses(
    (status = 204), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn remove(
    State(console): State<Console>,
    Admin(who): Admin,
    Path(bizid): Path<String>,
) -> Result<StatusCode, ApiError> {
    let name = find(&console, &bizid)?.name.clone();
    // Its people go with it: nobody is made one of them meanwhile.
    let _turn = console.inner.people.lock().await;
    console.inner.register.remove(&bizid).await?;
    console.inner.hub.dismiss_account(&bizid, true, true, Instant::now());
    console.note(&who, Some(&bizid), "account.remove", name).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the API key.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/api-key/reveal",
    params(("bizid" = String, Path)), responses(
    (status = 200, body = ApiKey), (status = 403, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn reveal_api_key(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(bizid): Path<String>,
) -> Answer<ApiKey> {
    who.must_see(&bizid)?;
    let account = find(&console, &bizid)?;
    console.note_before(&who, Some(&bizid), "api-key.reveal", "").await?;
    Ok(Json(ApiKey { api_key: account.api_key.reveal().to_owned() }))
}

/// Makes another API key. The old one is good for nothing from now on.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/api-key/rotate",
    params(("bizid" = String, Path)), responses(
    (status = 200, body = ApiKey), (status = 403, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn rotate_api_key(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(bizid): Path<String>,
) -> Answer<ApiKey> {
    who.must_see(&bizid)?;
    let key = new_key()?;
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        account.api_key = key.clone();
        Ok(())
    };
    console.inner.register.change(&bizid, None, edit).await?;
    console.note(&who, Some(&bizid), "api-key.rotate", "").await;
    Ok(Json(ApiKey { api_key: key.reveal().to_owned() }))
}

/// Refuses URLs that were made before a moment, or takes that back.
#[utoipa::path(post, path = "/api/v1/accounts/{bizid}/revoke", params(("bizid" = String, Path)),
    request_body = Revoke, responses(
    (status = 200, body = Account), (status = 400, body = Refusal), (status = 404, body = Refusal),
))]
pub(crate) async fn revoke(
    State(console): State<Console>,
    Operator(who): Operator,
    Path(bizid): Path<String>,
    body: Result<Body<Revoke>, ApiError>,
) -> Answer<Account> {
    let Body(Revoke { before, stream, undo }) = body?;
    who.must_see(&bizid)?;
    let moment = (!undo).then(|| before.unwrap_or_else(now_unix_s));
    if stream
        .as_ref()
        .is_some_and(|s| !(3..=STREAM_CHARS_MAX).contains(&s.len()) || !s.contains('/'))
    {
        return Err(ApiError::bad("stream", "app and name: live/room"));
    }
    let which = stream.as_deref().unwrap_or("all URLs");
    let detail = match moment {
        Some(moment) => format!("{which}: those from before {}", clock::moment(moment)),
        None => format!("{which}: taken back"),
    };
    let edit = |account: &mut model::Account, _: &Books| -> Result<(), ApiError> {
        match (stream, moment) {
            (None, moment) => account.revoked_before = moment,
            (Some(stream), None) => drop(account.revoked_streams.remove(&stream)),
            (Some(stream), Some(moment)) => {
                if account.revoked_streams.len() >= REVOKED_MAX {
                    let words = format!("{REVOKED_MAX} streams are: revoke all of the account's");
                    return Err(ApiError::bad("stream", words));
                }
                account.revoked_streams.insert(stream, moment);
            }
        }
        Ok(())
    };
    edited(&console, &who, &bizid, "urls.revoke", detail, edit).await
}

/// Edits an account, writes down who did it, and answers how it is now.
pub(crate) async fn edited(
    console: &Console,
    who: &Who,
    bizid: &str,
    what: &'static str,
    detail: String,
    edit: impl FnOnce(&mut model::Account, &Books) -> Result<(), ApiError> + Send,
) -> Answer<Account> {
    let account = console.inner.register.change(bizid, None, edit).await?;
    console.note(who, Some(bizid), what, detail).await;
    Ok(Json(Account::of(&console.books(), &account, who)))
}

/// The account of a number.
pub(crate) fn find(console: &Console, bizid: &str) -> Result<Arc<model::Account>, ApiError> {
    let books = console.books();
    let found = books.account(bizid).cloned();
    found.ok_or_else(|| ApiError::not_found(format!("account {bizid}")))
}

/// Whether an account may push, or be watched, as far as it depends on what it is.
fn may(console: &Console, account: &model::Account, push: bool) -> bool {
    let switch = if push { account.live_pusher } else { account.live_player };
    console.books().admits(account).is_ok() && account.service && switch
}

/// What has become different, from what to what; of what may be secret only that it has.
fn differences(old: &model::Account, new: &model::Account) -> String {
    let category = |c: &Category| match &c.sub {
        _ if c.main.is_empty() => "none".to_owned(),
        Some(sub) => format!("{}/{sub}", c.main),
        None => c.main.clone(),
    };
    let kind = |subject: SubjectType| format!("{subject:?}").to_lowercase();
    let profile = |profile: Profile| format!("{profile:?}").to_lowercase();
    let said = |a: &model::Account| {
        [
            ("name", a.name.clone()),
            ("subject", kind(a.subject)),
            ("category", category(&a.category)),
            ("service", a.service.to_string()),
            ("live_pusher", a.live_pusher.to_string()),
            ("live_player", a.live_player.to_string()),
            ("profile", profile(a.profile)),
            ("udp", a.udp.to_string()),
            ("udp_viewers_max", a.udp_viewers_max.to_string()),
            ("old_api", a.old_api.to_string()),
        ]
    };
    let mut words: Vec<String> = Vec::new();
    for ((name, old), (_, new)) in said(old).into_iter().zip(said(new)) {
        if old != new {
            words.push(format!("{name} {old} -> {new}"));
        }
    }
    for (name, differs) in [
        ("addresses", old.addresses != new.addresses),
        ("referers", old.referers != new.referers),
        ("callback", old.callback != new.callback),
        ("remote", old.remote != new.remote),
    ] {
        if differs {
            words.push(name.to_owned());
        }
    }
    words.join(", ")
}

impl AccountChange {
    fn apply(self, account: &mut model::Account, books: &Books, who: &Who) -> Result<(), ApiError> {
        let is_new = account.version == 0;
        let of_operator = self.subject.is_some()
            || self.category.is_some()
            || self.profile.is_some()
            || self.service.is_some()
            || self.udp_viewers_max.is_some()
            || self.old_api.is_some();
        if of_operator && who.account.is_some() {
            return Err(ApiError::forbidden(
                "to change subject, category, service, profile, caps and the old API takes an operator of all \
                 accounts",
            ));
        }
        if let Some(name) = self.name {
            account.name = checked_name(&name)?;
        }
        let opens = |old: bool, new: Option<bool>| new == Some(true) && (is_new || !old);
        let is_opening = [
            (opens(account.live_pusher, self.live_pusher), "live_pusher"),
            (opens(account.live_player, self.live_player), "live_player"),
        ];
        account.subject = self.subject.unwrap_or(account.subject);
        account.category = self.category.unwrap_or_else(|| account.category.clone());
        account.service = self.service.unwrap_or(account.service);
        account.live_pusher = self.live_pusher.unwrap_or(account.live_pusher);
        account.live_player = self.live_player.unwrap_or(account.live_player);
        account.profile = self.profile.unwrap_or(account.profile);
        account.udp = self.udp.unwrap_or(account.udp);
        account.udp_viewers_max = self.udp_viewers_max.unwrap_or(account.udp_viewers_max);
        account.old_api = self.old_api.unwrap_or(account.old_api);
        account.addresses = self.addresses.unwrap_or_else(|| account.addresses.clone());
        account.referers = self.referers.unwrap_or_else(|| account.referers.clone());
        if let Some(callback) = self.callback {
            account.callback = callback.checked(&account.callback)?;
        }
        if let Some(remote) = self.remote {
            account.remote = remote.checked(&account.remote)?;
        }
        if let Some((_, field)) = is_opening.into_iter().find(|(opens, _)| *opens) {
            books.admits(account).map_err(|why| {
                let admitted = books.gate.rows.iter().map(|r| r.main.clone()).collect();
                ApiError::not_eligible(why, admitted).at(field)
            })?;
        }
        Ok(())
    }
}

impl CallbackChange {
    fn checked(self, old: &Callback) -> Result<Callback, ApiError> {
        let url = self.url.unwrap_or_else(|| old.url.clone());
        check_url("callback", url.as_deref())?;
        if self.key.as_ref().is_some_and(|k| k.len() > KEY_CHARS_MAX) {
            return Err(ApiError::bad(
                "callback",
                format!("a key has at most {KEY_CHARS_MAX} characters"),
            ));
        }
        let key = self.key.map_or_else(|| old.key.clone(), Secret::new);
        Ok(Callback { url, anomalies: self.anomalies.unwrap_or(old.anomalies), key })
    }
}

impl RemoteChange {
    fn checked(self, old: &Remote) -> Result<Remote, BadField> {
        let remote = Remote {
            url: self.url.unwrap_or_else(|| old.url.clone()),
            push: self.push.unwrap_or(old.push),
            play: self.play.unwrap_or(old.play),
            play_if_unreachable: self.play_if_unreachable.unwrap_or(old.play_if_unreachable),
        };
        check_url("remote", remote.url.as_deref())?;
        // Without this, whoever forgets the URL would let everybody in.
        if remote.url.is_none() && (remote.push || remote.play) {
            return Err(BadField::new("remote", "there is nobody to ask without a URL"));
        }
        Ok(remote)
    }
}

fn checked_name(name: &str) -> Result<String, BadField> {
    let name = name.trim();
    match (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
    {
        true => Ok(name.to_owned()),
        false => Err(BadField::new("name", format!("1 to {NAME_CHARS_MAX} characters"))),
    }
}

/// Where it leads is looked at when something is sent there.
fn check_url(field: &'static str, url: Option<&str>) -> Result<(), BadField> {
    let Some(url) = url else { return Ok(()) };
    Target::parse(url).map(drop).map_err(|why| BadField::new(field, why.to_string()))
}

impl Account {
    pub(crate) fn of(books: &Books, a: &model::Account, who: &Who) -> Account {
        let message = books.admits(a).err();
        let url = |url: &Option<String>| {
            let shown = |url: &String| match who.role {
                Role::ReadOnly => redact::target(url),
                Role::Operator | Role::Admin => url.clone(),
            };
            url.as_ref().map(shown)
        };
        Account {
            bizid: a.bizid.clone(),
            name: a.name.clone(),
            is_default: books.is_default(&a.bizid),
            subject: a.subject,
            category: a.category.clone(),
            eligible: Eligible { admitted: message.is_none(), message },
            service: a.service,
            live_pusher: a.live_pusher,
            live_player: a.live_player,
            profile: a.profile,
            udp: a.udp,
            udp_viewers_max: a.udp_viewers_max,
            old_api: a.old_api,
            addresses: a.addresses.clone(),
            referers: a.referers.clone(),
            callback: CallbackView {
                url: url(&a.callback.url),
                anomalies: a.callback.anomalies,
                has_key: !a.callback.key.is_empty(),
            },
            remote: Remote { url: url(&a.remote.url), ..a.remote.clone() },
            revoked_before: a.revoked_before,
            revoked_streams: a.revoked_streams.clone(),
            domains: a.domains.iter().map(Domain::of).collect(),
            created: a.created,
            version: a.version,
        }
    }
}

/// Reads a field that may be absent, null, or there.
pub(crate) mod double {
    use serde::{Deserialize, Deserializer};

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(d).map(Some)
    }
}

const NAME_CHARS_MAX: usize = 100;
const KEY_CHARS_MAX: usize = 128;
/// `app/name` of the longest names there are.
const STREAM_CHARS_MAX: usize = 512;
/// Streams of an account whose URLs are revoked one by one.
const REVOKED_MAX: usize = 1000;
