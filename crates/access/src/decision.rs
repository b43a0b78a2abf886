//! The decision.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::policy::{Account, Action, Policy, Schemes};
use crate::query::Query;
use crate::reason::Reason;
use crate::sign::{Signature, Unsigned};
use crate::strong::{StrongSignature, Subject};

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
    /// Who asks. `None` when that is not known, as of a URL that is only looked at: then nobody is
    /// refused for it.
    pub peer: Option<IpAddr>,
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
    /// Set when the URL says how many may use it at the same time: whoever serves them counts.
    pub session: Option<SessionCap>,
}

/// How many sessions of a URL there may be.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionCap {
    /// What they have in common: the URL's signature, which is a secret.
    pub id: Arc<str>,
    /// How many.
    pub max: u32,
}

impl fmt::Debug for SessionCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionCap({} of a URL)", self.max)
    }
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
    let compulsory = account.domains_for(request.action, host).iter().any(|d| d.auth);
    let check = Check { account, host, request, compulsory, now_unix_s };
    let shown = match Proof::find(request.query).and_then(|proof| check.proof(&proof)) {
        Err(reason) if compulsory => return Err(reason),
        shown => shown.ok(),
    };
    let is_signed = shown.is_some();
    let Shown { class, session } = shown.unwrap_or(Shown::NOTHING);
    let credential = is_signed.then(|| format!("account {}", account.bizid));
    Ok(Allow { account: Arc::clone(&account.bizid), credential, class, session })
}

/// A signature of a URL, not yet verified.
enum Proof<'a> {
    Vendors(Signature<'a>),
    Strong(StrongSignature<'a>),
}

impl<'a> Proof<'a> {
    fn find(query: Query<'a>) -> Result<Self, Reason> {
        if let Some(strong) = StrongSignature::find(query) {
            return strong.map(Proof::Strong).map_err(|_| Reason::AuthMalformed);
        }
        Signature::find(query).map(Proof::Vendors).map_err(|e| match e {
            Unsigned::NoSecret | Unsigned::NoTime => Reason::AuthMissing,
            Unsigned::SecretMalformed | Unsigned::TimeMalformed => Reason::AuthMalformed,
        })
    }
}

/// What a valid signature has shown.
struct Shown {
    class: Class,
    session: Option<SessionCap>,
}

impl Shown {
    const NOTHING: Shown = Shown { class: Class::Live, session: None };
}

/// Verifies signatures, and after them what they say: a wrong one is not told whether the rest
/// would have been good.
struct Check<'a> {
    account: &'a Account,
    host: &'a str,
    request: &'a Request<'a>,
    compulsory: bool,
    now_unix_s: u64,
}

impl Check<'_> {
    fn proof(&self, proof: &Proof<'_>) -> Result<Shown, Reason> {
        match proof {
            Proof::Vendors(signature) => self.vendors(signature),
            Proof::Strong(signature) => self.strong(signature),
        }
    }

    /// With a `bizid`, a play URL is one of RTC mode. The vendor signs those with the push key until
    /// a play key is set, so where none is asked for either will do.
    fn vendors(&self, signature: &Signature<'_>) -> Result<Shown, Reason> {
        let Request { action, query, .. } = *self.request;
        let has_bizid = query.get("bizid").is_some_and(|id| !id.is_empty());
        let is_rtc = action == Action::Play && has_bizid;
        let mut signed = self.vendors_by(signature, action);
        if is_rtc && !self.compulsory {
            signed = match signed {
                Err(Reason::AuthBad) => self.vendors_by(signature, Action::Push),
                signed => signed,
            };
        }
        signed
            .map(|()| Shown { class: if is_rtc { Class::Rtc } else { Class::Live }, session: None })
    }

    /// Whether a key for that action made a signature, and it holds.
    fn vendors_by(&self, signature: &Signature<'_>, action: Action) -> Result<(), Reason> {
        let mut domains = self.account.domains_for(action, self.host);
        domains.retain(|d| d.schemes == Schemes::Any);
        if domains.is_empty() {
            return Err(Reason::AuthWeak);
        }
        let signers = domains.iter().filter(|d| d.keys.verify(self.request.stream, signature));
        let validity_s = signers.map(|d| d.validity_s).max().ok_or(Reason::AuthBad)?;
        if signature.expiry.unix_s.saturating_add(validity_s) < self.now_unix_s {
            return Err(Reason::AuthExpired);
        }
        self.not_revoked(None)
    }

    fn strong(&self, signature: &StrongSignature<'_>) -> Result<Shown, Reason> {
        let token = &signature.token;
        // The key is that of what the token is for, so that a URL used for something else is told so.
        let domains = self.account.domains_for(token.purpose.action(), self.host);
        let subject = self.request.subject(&self.account.bizid);
        if !domains.iter().any(|d| signature.is_by_either(&d.keys, subject)) {
            return Err(Reason::AuthBad);
        }
        if token.purpose.action() != self.request.action {
            return Err(Reason::WrongAction);
        }
        if token.expires_unix_s < self.now_unix_s {
            return Err(Reason::AuthExpired);
        }
        if token.not_before_unix_s.is_some_and(|n| n > self.now_unix_s) {
            return Err(Reason::AuthNotYet);
        }
        let is_inside = |peer| token.from.is_none_or(|network| network.contains(peer));
        if !self.request.peer.is_none_or(is_inside) {
            return Err(Reason::WrongAddress);
        }
        self.not_revoked(token.not_before_unix_s)?;
        let cap = |max| SessionCap { id: Arc::from(signature.sig), max };
        Ok(Shown { class: token.purpose.class(), session: token.sessions_max.map(cap) })
    }

    fn not_revoked(&self, made_unix_s: Option<u64>) -> Result<(), Reason> {
        let Request { app, stream, .. } = *self.request;
        match self.account.revoked.before(app, stream) {
            Some(before) if made_unix_s.is_none_or(|made| made < before) => Err(Reason::Revoked),
            _ => Ok(()),
        }
    }
}

impl<'a> Request<'a> {
    /// What a strong signature of an account's is made over.
    pub(crate) fn subject(&self, account: &'a str) -> Subject<'a> {
        Subject { account, app: self.app, stream: self.stream }
    }
}

/// First path segments that are the server's own.
pub(crate) const RESERVED_APPS: [&str; 8] =
    ["api", "console", "demo", "healthz", "metrics", "sdk", "ull", "weapp"];
