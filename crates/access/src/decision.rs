//! The decision.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::policy::{Account, Action, Domain, Policy, Profile, Schemes};
use crate::query::Query;
use crate::reason::Reason;
use crate::sign::{Signature, Unsigned};
use crate::spent::Mark;
use crate::strong::{Purpose, StrongSignature, Subject};

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// To publish or to watch.
    pub action: Action,
    /// How it came.
    pub way: Way,
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
    /// The page it says it is on, as it says it; empty when it does not say. `None` when it came a way
    /// on which there are no pages, as RTMP is, or is only looked at.
    pub referer: Option<&'a str>,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TCP: RTMP, HTTP or a WebSocket.
    Tcp,
    /// Over UDP. A play takes a signature then, whatever its domain asks for.
    Udp,
}

/// What is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The account the stream belongs to.
    pub account: Arc<str>,
    /// Set when a valid signature was shown, compulsory or not. Two requests for one stream with
    /// the same credential come from holders of the same key.
    pub credential: Option<String>,
    /// Whether the credential is good enough to take a stream over from a publisher that is there.
    pub takes_over: bool,
    /// How a play is to be served.
    pub class: Class,
    /// Set when the URL says how many may use it at the same time: whoever serves them counts.
    pub session: Option<SessionCap>,
    /// How many may watch the stream over UDP at the same time: whoever serves them counts.
    pub udp_viewers_max: u32,
    /// Set when a signature of the vendor's was shown that would let push: for [`crate::Spent`].
    pub mark: Option<Mark>,
    /// Whether the account's own back end is to be asked now.
    pub ask_remote: bool,
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

/// Decides, all but what is known only from earlier requests: that is for [`crate::Spent`].
///
/// # Errors
/// The reason to refuse.
pub fn decide(policy: &Policy, request: &Request<'_>, now_unix_s: u64) -> Result<Allow, Reason> {
    let segment = request.app.split('/').next().unwrap_or_default();
    if RESERVED_APPS.contains(&segment) {
        return Err(Reason::ReservedApp);
    }
    let host = request.host();
    let account = policy.account_of(host);
    if policy.is_foreign(account, request.stream) {
        return Err(Reason::ForeignAccount);
    }
    account.standing.judge(policy.gate(), request.action)?;
    if request.is_udp_play() && account.udp_viewers_max == 0 {
        return Err(Reason::NotAllowed);
    }
    request.judge_lists(account)?;
    let compulsory = request.is_signature_compulsory(account, host);
    let check = Check { account, host, request, compulsory, now_unix_s };
    let shown = match Proof::find(request.query).and_then(|proof| check.proof(&proof)) {
        Err(reason) if compulsory => return Err(reason),
        shown => shown.ok(),
    };
    let is_signed = shown.is_some();
    let Shown { class, session, mark } = shown.unwrap_or(Shown::NOTHING);
    Ok(Allow {
        account: Arc::clone(&account.bizid),
        credential: is_signed.then(|| format!("account {}", account.bizid)),
        takes_over: is_signed,
        class,
        session,
        udp_viewers_max: account.udp_viewers_max,
        mark,
        ask_remote: account.remote.is_asked(request.action),
    })
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
    mark: Option<Mark>,
}

impl Shown {
    const NOTHING: Shown = Shown { class: Class::Live, session: None, mark: None };
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

    fn vendors(&self, signature: &Signature<'_>) -> Result<Shown, Reason> {
        let mut signed = self.vendors_by(signature, self.request.action);
        let takes_push_key = self.request.takes_push_key(self.account, self.compulsory);
        if takes_push_key && signed == Err(Reason::AuthBad) {
            signed = match self.vendors_by(signature, Action::Push) {
                // Where the push key makes no such signatures this is just one with a wrong key.
                Err(Reason::AuthWeak) => Err(Reason::AuthBad),
                signed => signed,
            };
        }
        signed?;
        let class = if self.request.is_rtc() { Class::Rtc } else { Class::Live };
        Ok(Shown { class, session: None, mark: self.mark(signature) })
    }

    /// What is to be remembered of a valid signature, or looked for. A play's is remembered if it
    /// would let push, at whatever domain.
    fn mark(&self, signature: &Signature<'_>) -> Option<Mark> {
        let Request { action, stream, .. } = *self.request;
        let of_push = || self.account.domains.iter().filter(|d| d.action == Action::Push);
        let lets_push = |d: &Domain| d.schemes == Schemes::Any && d.keys.verify(stream, signature);
        let is_shared = || self.account.profile == Profile::Vendor && of_push().any(lets_push);
        if action == Action::Play && !is_shared() {
            return None;
        }
        let validity_s = of_push().map(|d| d.validity_s).max().unwrap_or_default();
        Some(signature.mark(stream, validity_s))
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
        if self.request.is_udp_play() && token.purpose != Purpose::Udp {
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
        let session = token.sessions_max.map(cap);
        Ok(Shown { class: token.purpose.class(), session, mark: None })
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
    /// The host whose account it is about.
    pub(crate) fn host(&self) -> &'a str {
        self.query.get("vhost").filter(|h| !h.is_empty()).unwrap_or(self.host)
    }

    /// Whether the account's lists let this peer in, on the page it is on.
    fn judge_lists(&self, account: &Account) -> Result<(), Reason> {
        if !self.peer.is_none_or(|peer| account.addresses.admits(peer)) {
            return Err(Reason::AddressBarred);
        }
        if !self.referer.is_none_or(|page| account.referers.admits(page)) {
            return Err(Reason::RefererBarred);
        }
        Ok(())
    }

    pub(crate) fn is_udp_play(&self) -> bool {
        self.action == Action::Play && self.way == Way::Udp
    }

    pub(crate) fn is_signature_compulsory(&self, account: &Account, host: &str) -> bool {
        self.is_udp_play() || account.domains_for(self.action, host).iter().any(|d| d.auth)
    }

    /// Whether this is a play that a signature of the vendor's makes one of RTC mode: one over UDP,
    /// or with a `bizid`.
    pub(crate) fn is_rtc(&self) -> bool {
        let has_bizid = self.query.get("bizid").is_some_and(|id| !id.is_empty());
        self.action == Action::Play && (self.way == Way::Udp || has_bizid)
    }

    /// Whether the vendor's signature of this play may be by the push key as well. The vendor signs
    /// plays of RTC mode with it until a play key is set. Over TCP that only makes them faster: where
    /// a signature is asked for, it is the play key's.
    pub(crate) fn takes_push_key(&self, account: &Account, compulsory: bool) -> bool {
        let is_open = self.way == Way::Udp || !compulsory;
        account.profile == Profile::Vendor && self.is_rtc() && is_open
    }

    /// What a strong signature of an account's is made over.
    pub(crate) fn subject(&self, account: &'a str) -> Subject<'a> {
        Subject { account, app: self.app, stream: self.stream }
    }
}

/// First path segments that are the server's own.
pub(crate) const RESERVED_APPS: [&str; 8] =
    ["api", "console", "demo", "healthz", "metrics", "sdk", "ull", "weapp"];
