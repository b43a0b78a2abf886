//! The URLs of a stream: one to push to, and those to watch it.

use std::time::Duration;

use thalweg_access::{
    Account, Action, BadToken, Domain, Expiry, Network, Policy, Purpose, Query, Reason, Request,
    Scheme, Schemes, SignedQuery, Subject, Token, Way, decide,
};
use thalweg_wire::rtmp::{self, Address};

/// Where a server is reached, as its URLs say it.
#[derive(Debug, Clone)]
pub struct Places {
    /// The host in URLs, where the account has none of its own.
    pub host: String,
    /// Port of RTMP, and of RTMP with TLS.
    pub rtmp_port: u16,
    /// Port of HTTP.
    pub http_port: u16,
    /// Port of HTTPS, where TLS is spoken.
    pub https_port: Option<u16>,
    /// Where RTMP is served over UDP.
    pub udp: Option<UdpPlace>,
}

/// Where RTMP is served over UDP.
#[derive(Debug, Clone, Copy)]
pub struct UdpPlace {
    /// The port, where it is not RTMP's.
    pub other_port: Option<u16>,
}

/// How URLs are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// As the vendor does.
    Vendors(Scheme),
    /// With a token that says all of what is granted.
    Strong,
}

/// What URLs are wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Name of the stream.
    pub stream: String,
    /// The path before it.
    pub app: String,
    /// From when on they are to be good, UNIX seconds.
    pub not_before_unix_s: u64,
    /// Until when.
    pub expires_unix_s: u64,
    /// The host in them. `None`: the account's own, else the server's.
    pub host: Option<String>,
    /// Number of the account that signs. `None`: the one that the host belongs to.
    pub account: Option<String>,
    /// `None`: as the vendor does, where that is taken.
    pub signing: Option<Signing>,
    /// Whether play URLs are signed even if nobody asks.
    pub sign_play: bool,
    /// Strong: from where they may be used.
    pub from: Option<Network>,
    /// Strong: how many may use a play URL at the same time.
    pub sessions_max: Option<u32>,
    /// Strong: whether the play URLs are of RTC mode.
    pub rtc: bool,
}

/// Why there is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoUrl {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// Nobody could tell that it is this account's.
    #[error(
        "no URL can mean account {bizid}: its {action} domain has no host. Give it one, under Domains or by \
         PATCH /api/v1/accounts/{bizid}/domains/NUMBER with {{\"host\": ...}}"
    )]
    NoHost {
        /// The account's number.
        bizid: String,
        /// `push` or `play`.
        action: &'static str,
    },
    /// It would be refused.
    #[error("a {action} of {stream} would be refused: {reason}")]
    Refused {
        /// `push` or `play`.
        action: &'static str,
        /// App and name.
        stream: String,
        /// Why.
        reason: Reason,
    },
    /// It cannot be said in a token.
    #[error(transparent)]
    Token(#[from] BadToken),
}

/// URLs to push to.
#[derive(Debug, Clone)]
pub struct PushUrls {
    /// RTMP.
    pub rtmp: String,
    /// For pages.
    pub ws: String,
    /// The same with TLS.
    pub rtmps: Option<String>,
    /// For pages, with TLS.
    pub wss: Option<String>,
    /// What OBS calls Server.
    pub server: String,
    /// What OBS calls Stream Key.
    pub key: String,
    /// When they are refused, UNIX seconds; that is later than wished where there are seconds of
    /// validity.
    pub until_unix_s: u64,
    /// Whether they are signed with a token.
    pub is_strong: bool,
    address: Address,
}

/// URLs to watch with.
#[derive(Debug, Clone)]
pub struct PlayUrls {
    /// RTMP.
    pub rtmp: String,
    /// FLV over HTTP.
    pub flv: String,
    /// FLV over a WebSocket.
    pub ws: String,
    /// RTMP with TLS.
    pub rtmps: Option<String>,
    /// FLV over HTTPS.
    pub https_flv: Option<String>,
    /// FLV over a WebSocket with TLS.
    pub wss: Option<String>,
    /// For low delay, where the server lets somebody watch over UDP.
    pub rtc: Option<RtcUrl>,
    /// When they are refused, UNIX seconds, if they are signed.
    pub until_unix_s: Option<u64>,
    /// Whether they are signed with a token.
    pub is_strong: bool,
    /// Whether they would be refused without a signature.
    pub must_sign: bool,
}

/// A play URL for RTC mode, over UDP.
#[derive(Debug, Clone)]
pub struct RtcUrl {
    /// RTMP: it is the player that makes the difference.
    pub url: String,
    /// When it is refused, UNIX seconds.
    pub until_unix_s: u64,
    /// How many may watch a stream so.
    pub viewers_max: u32,
    /// The UDP port, where it is not the URL's.
    pub port: Option<u16>,
}

/// Makes URLs that a server with this policy, at these places, accepts.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Whose keys.
    pub policy: &'a Policy,
    /// Where.
    pub places: &'a Places,
}

impl Signer<'_> {
    /// URLs to push to.
    ///
    /// # Errors
    /// [`NoUrl`] when the server would not take them.
    pub fn push(&self, wish: &Wish) -> Result<PushUrls, NoUrl> {
        let signed = self.sign(Action::Push, Way::Tcp, wish)?;
        let Places { http_port, https_port, .. } = *self.places;
        Ok(PushUrls {
            rtmp: rtmp_url(&signed.address),
            ws: signed.over_http("ws", http_port),
            rtmps: https_port.map(|_| with_tls(&signed.address)),
            wss: https_port.map(|port| signed.over_http("wss", port)),
            server: signed.address.tc_url(),
            key: signed.address.name_and_query(),
            until_unix_s: signed.until_unix_s.unwrap_or(wish.expires_unix_s),
            is_strong: signed.is_strong,
            address: signed.address,
        })
    }

    /// URLs to watch with.
    ///
    /// # Errors
    /// [`NoUrl`] when the server would not take them.
    pub fn play(&self, wish: &Wish) -> Result<PlayUrls, NoUrl> {
        let signed = self.sign(Action::Play, Way::Tcp, wish)?;
        let Places { http_port, https_port, .. } = *self.places;
        Ok(PlayUrls {
            rtmp: rtmp_url(&signed.address),
            flv: signed.over_http("http", http_port),
            ws: signed.over_http("ws", http_port),
            rtmps: https_port.map(|_| with_tls(&signed.address)),
            https_flv: https_port.map(|port| signed.over_http("https", port)),
            wss: https_port.map(|port| signed.over_http("wss", port)),
            rtc: self.rtc(wish),
            until_unix_s: signed.until_unix_s,
            is_strong: signed.is_strong,
            must_sign: signed.must_sign,
        })
    }

    /// The URL for low delay. That nobody may watch over UDP, or not with such a signature, is no
    /// reason to sign nothing.
    fn rtc(&self, wish: &Wish) -> Option<RtcUrl> {
        let udp = self.places.udp?;
        let rtc = self.sign(Action::Play, Way::Udp, wish).ok()?;
        Some(RtcUrl {
            url: rtmp_url(&rtc.address),
            until_unix_s: rtc.until_unix_s.unwrap_or(wish.expires_unix_s),
            viewers_max: self.account(wish).ok()?.udp_viewers_max,
            port: udp.other_port,
        })
    }

    fn account(&self, wish: &Wish) -> Result<&Account, NoUrl> {
        match (&wish.host, &wish.account) {
            (_, Some(bizid)) => {
                self.policy.account(bizid).ok_or_else(|| NoUrl::NoAccount(bizid.clone()))
            }
            (Some(host), None) => Ok(self.policy.account_of(host)),
            (None, None) => Ok(self.policy.account_of(&self.places.host)),
        }
    }

    fn sign(&self, action: Action, way: Way, wish: &Wish) -> Result<Signed, NoUrl> {
        let account = self.account(wish)?;
        let own = self.policy.host_for(account, action, &self.places.host);
        let Some(host) = wish.host.as_deref().or(own) else {
            let (bizid, name) = (account.bizid.to_string(), action.name());
            return Err(NoUrl::NoHost { bizid, action: name });
        };
        let domain = account.signing_domain(action, host);
        let must_sign = domain.is_some_and(|d| d.auth);
        let is_wanted = action == Action::Push || way == Way::Udp || wish.sign_play;
        let domain = domain.filter(|d| d.auth || is_wanted);
        let signing = domain.map(|d| wish.signing_for(account, d));
        let (query, until_unix_s) = match (domain, signing) {
            (Some(d), Some(Signing::Vendors(scheme))) => {
                let expiry = Expiry { unix_s: wish.expires_unix_s };
                let signed = SignedQuery::new(&d.keys.main, scheme, &wish.stream, expiry);
                let bizid = match way {
                    Way::Tcp => String::new(),
                    Way::Udp => format!("bizid={}&", account.bizid),
                };
                (bizid + &signed.text, Some(wish.expires_unix_s.saturating_add(d.validity_s)))
            }
            (Some(d), Some(Signing::Strong)) => {
                (wish.strong(account, d, way)?.text, Some(wish.expires_unix_s))
            }
            _ => (String::new(), None),
        };
        let (host, port) = (host.to_owned(), self.places.rtmp_port);
        let (app, stream) = (wish.app.clone(), wish.stream.clone());
        let address = Address { host, port, app, stream, query };
        let is_strong = signing == Some(Signing::Strong);
        let signed = Signed { address, until_unix_s, is_strong, must_sign };
        self.check(&signed.address, action, way, wish)?;
        Ok(signed)
    }

    /// Whether the server lets it in, once it is good.
    fn check(&self, at: &Address, action: Action, way: Way, wish: &Wish) -> Result<(), NoUrl> {
        let Address { host, app, stream, query, .. } = at;
        let (query, peer, referer) = (Query::new(query), None, None);
        let request = Request { action, way, host, app, stream, query, peer, referer };
        match decide(self.policy, &request, wish.not_before_unix_s) {
            Ok(_) => Ok(()),
            Err(reason) => {
                let stream = format!("{app}/{stream}");
                Err(NoUrl::Refused { action: action.name(), stream, reason })
            }
        }
    }
}

/// An address that the server accepts.
struct Signed {
    address: Address,
    /// When it is refused, if it is signed.
    until_unix_s: Option<u64>,
    is_strong: bool,
    /// Whether it would be refused without a signature.
    must_sign: bool,
}

impl Signed {
    /// As FLV.
    fn over_http(&self, scheme: &str, port: u16) -> String {
        flv_url(scheme, &Address { port, ..self.address.clone() })
    }
}

impl Wish {
    /// The usual URLs of `live/{stream}`, good from `now_unix_s` on for a time.
    pub fn new(stream: &str, now_unix_s: u64, valid: Duration) -> Wish {
        Wish {
            stream: stream.to_owned(),
            app: USUAL_APP.to_owned(),
            not_before_unix_s: now_unix_s,
            expires_unix_s: now_unix_s.saturating_add(valid.as_secs()),
            host: None,
            account: None,
            signing: None,
            sign_play: false,
            from: None,
            sessions_max: None,
            rtc: false,
        }
    }

    /// As is wished, or as the vendor does; not where that would be refused.
    fn signing_for(&self, account: &Account, domain: &Domain) -> Signing {
        let is_revoked = account.revoked.before(&self.app, &self.stream).is_some();
        let usual = match domain.schemes {
            Schemes::Any if !is_revoked => Signing::Vendors(Scheme::Md5),
            Schemes::Any | Schemes::Strong => Signing::Strong,
        };
        self.signing.unwrap_or(usual)
    }

    fn strong(
        &self,
        account: &Account,
        domain: &Domain,
        way: Way,
    ) -> Result<SignedQuery, BadToken> {
        let purpose = match domain.action {
            Action::Push => Purpose::Push,
            Action::Play if self.rtc || way == Way::Udp => Purpose::Udp,
            Action::Play => Purpose::Play,
        };
        let token = Token {
            purpose,
            expires_unix_s: self.expires_unix_s,
            not_before_unix_s: Some(self.not_before_unix_s),
            from: self.from,
            sessions_max: self.sessions_max.filter(|_| purpose != Purpose::Push),
        };
        let (app, stream) = (self.app.as_str(), self.stream.as_str());
        let subject = Subject { account: &account.bizid, app, stream };
        SignedQuery::strong(&domain.keys.main, subject, &token)
    }
}

impl PushUrls {
    /// The RTMP URL, to another address instead of the server's name.
    pub fn to(&self, host: String, port: u16) -> String {
        // The host it was signed for decides whose key is asked.
        let query = format!("{}&vhost={}", self.address.query, self.address.host);
        rtmp_url(&Address { host, port, query, ..self.address.clone() })
    }
}

fn rtmp_url(address: &Address) -> String {
    format!("{}/{}", address.tc_url(), address.name_and_query())
}

/// An RTMP URL with TLS. Its port is always named: the usual one of rtmps is another.
fn with_tls(address: &Address) -> String {
    let bare = Address { port: rtmp::PORT, ..address.clone() }.authority();
    let path = rtmp_url(address);
    let path = path.splitn(4, '/').nth(3).unwrap_or_default();
    format!("rtmps://{bare}:{}/{path}", address.port)
}

/// A URL over HTTP or a WebSocket.
fn flv_url(scheme: &str, address: &Address) -> String {
    let Address { app, stream, query, port, .. } = address;
    // Without its port, which has another default here.
    let host = Address { port: rtmp::PORT, ..address.clone() }.authority();
    let usual = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
    let port = if *port == usual { String::new() } else { format!(":{port}") };
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{scheme}://{host}{port}/{app}/{stream}.flv{query}")
}

/// The vendor's.
const USUAL_APP: &str = "live";
