//! The decision.

use std::sync::Arc;

use crate::policy::{Account, Action, Domain, Policy};
use crate::query::Query;
use crate::reason::Reason;
use crate::sign::{Signature, Unsigned};

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// To publish or to watch.
    pub action: Action,
    /// Host of the URL; a `vhost` parameter is asked first.
    pub host: &'a str,
    /// App of the URL.
    pub app: &'a str,
    /// Stream name, as it stands in the URL, without `.flv`.
    pub stream: &'a str,
    /// The URL's parameters.
    pub query: Query<'a>,
}

/// What is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The account the stream belongs to.
    pub account: Arc<str>,
    /// Set when a valid signature was shown, compulsory or not. Two requests for one stream with
    /// the same credential come from holders of the same key.
    pub credential: Option<String>,
    /// How a play is to be served.
    pub class: Class,
}

/// How a play is served: by what its URL has shown, because the lower delay is a cost that others
/// share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// For viewers who tolerate seconds.
    Live,
    /// For viewers who talk back.
    Rtc,
}

impl Class {
    /// `live` or `rtc`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Live => "live",
            Class::Rtc => "rtc",
        }
    }
}

/// Decides.
///
/// # Errors
/// The reason to refuse.
pub fn decide(policy: &Policy, request: &Request<'_>, now_unix_s: u64) -> Result<Allow, Reason> {
    let segment = request.app.split('/').next().unwrap_or_default();
    if RESERVED_APPS.contains(&segment) {
        return Err(Reason::ReservedApp);
    }
    let host = request.query.get("vhost").filter(|h| !h.is_empty()).unwrap_or(request.host);
    let account = policy.account_of(host);
    if policy.is_foreign(account, request.stream) {
        return Err(Reason::ForeignAccount);
    }
    let domains = account.domains_for(request.action, host);
    let signed = verify(&domains, request, now_unix_s);
    let compulsory = domains.iter().any(|d| d.auth);
    if compulsory && let Err(reason) = signed {
        return Err(reason);
    }
    let class = match request.action {
        Action::Play if is_rtc(account, host, request, signed, now_unix_s) => Class::Rtc,
        Action::Play | Action::Push => Class::Live,
    };
    let is_signed = signed.is_ok() || class == Class::Rtc;
    let credential = is_signed.then(|| format!("account {}", account.bizid));
    Ok(Allow { account: Arc::clone(&account.bizid), credential, class })
}

/// Whether a play URL is one of RTC mode: it has a `bizid`, and a valid signature even where none
/// is asked for. The vendor signs these with the push key until a play key is set, so either will
/// do.
fn is_rtc(
    account: &Account,
    host: &str,
    request: &Request<'_>,
    signed: Result<(), Reason>,
    now_unix_s: u64,
) -> bool {
    let push = || account.domains_for(Action::Push, host);
    request.query.get("bizid").is_some_and(|id| !id.is_empty())
        && (signed.is_ok() || verify(&push(), request, now_unix_s).is_ok())
}

/// Whether one of the domains' keys signed this, and it has not expired.
fn verify(domains: &[&Domain], request: &Request<'_>, now_unix_s: u64) -> Result<(), Reason> {
    let signature = Signature::find(request.query).map_err(|e| match e {
        Unsigned::NoSecret | Unsigned::NoTime => Reason::AuthMissing,
        Unsigned::SecretMalformed | Unsigned::TimeMalformed => Reason::AuthMalformed,
    })?;
    // The signature first: a wrong one is not told whether its time would have been good.
    let signed_by = |d: &&&Domain| d.keys.verify(request.stream, &signature);
    let validity_s = domains.iter().filter(signed_by).map(|d| d.validity_s).max();
    let validity_s = validity_s.ok_or(Reason::AuthBad)?;
    if signature.expiry.unix_s.saturating_add(validity_s) < now_unix_s {
        return Err(Reason::AuthExpired);
    }
    Ok(())
}

/// First path segments that are the server's own.
pub(crate) const RESERVED_APPS: [&str; 8] =
    ["api", "console", "demo", "healthz", "metrics", "sdk", "ull", "weapp"];
