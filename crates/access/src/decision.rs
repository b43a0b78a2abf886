//! The decision.

use std::sync::Arc;

use crate::policy::{Action, Domain, Policy};
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
    let credential = signed.is_ok().then(|| format!("account {}", account.bizid));
    Ok(Allow { account: Arc::clone(&account.bizid), credential })
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
