//! `thalweg sign`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use clap::builder::TypedValueParser;
use serde_json::json;
use thalweg_access::{
    Account, Action, Domain, Expiry, Network, Purpose, Query, Request, SESSIONS_MAX, Scheme,
    Schemes, SignedQuery, Subject, Token, Way, decide,
};
use thalweg_wire::rtmp::address::{host_of, name_of};
use thalweg_wire::rtmp::{self, Address};

use crate::setup::{self, Setup};
use crate::show;

/// Make the URLs of a stream: one to push to, and those to watch it.
///
/// The push URL is signed with this server's key and good until it expires. Play URLs are signed
/// when this server asks for that, or with --sign-play. The one for low delay over UDP always is,
/// with the play key: whoever watches with it cannot push.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the stream.
    stream: String,
    /// App: the path before the name.
    #[arg(long, default_value = "live")]
    app: String,
    /// How long the URLs are good: 90m, 12h, 7d.
    #[arg(long, default_value = "24h", value_parser = show::time, value_name = "TIME")]
    expires: Duration,
    /// Host in the URLs. Without this: the account's own, else the configured one.
    #[arg(long, value_parser = host_of)]
    host: Option<String>,
    /// Number of the account that signs. Without this: the one that the host belongs to.
    #[arg(long, value_name = "BIZID", conflicts_with = "host")]
    account: Option<String>,
    /// Hash of the signature. The vendor's back ends make md5, and so does this where it counts;
    /// hmac signs the app too and can say all of what follows.
    #[arg(long)]
    scheme: Option<SchemeArg>,
    /// Sign the play URLs even if nobody asks.
    #[arg(long)]
    sign_play: bool,
    #[command(flatten)]
    more: More,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// What only the strong signature can say.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(id = "more")]
pub(crate) struct More {
    /// The URLs are not good yet, but in so long: 30m.
    #[arg(long, value_parser = show::time, value_name = "TIME", help_heading = "With hmac")]
    not_before: Option<Duration>,
    /// The URLs are good only from an address or a network: 192.0.2.0/24.
    #[arg(long, value_parser = Network::parse, value_name = "NETWORK", help_heading = "With hmac")]
    from: Option<Network>,
    /// So many may use a play URL at the same time. Signs the play URLs.
    #[arg(long, value_parser = sessions(), value_name = "N", help_heading = "With hmac")]
    max: Option<u32>,
    /// The play URLs are of RTC mode. Signs them.
    #[arg(long, help_heading = "With hmac")]
    rtc: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemeArg {
    Md5,
    Sha256,
    Hmac,
}

pub(crate) fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let app = check_name(&args.app, &args.stream)?;
    if args.expires < Duration::from_secs(1) {
        bail!("--expires: the URLs would be over before anyone could use them; the least is 1s");
    }
    let signing = args.signing()?;
    let setup = Setup::load(setup)?;
    if setup.keys.has_made() {
        let path = setup.keys.path().display();
        show::note(format_args!(
            "made new keys in {path}: a server with other keys will refuse these URLs"
        ));
    }
    let (host, account) = (args.host.clone(), args.account.clone());
    let usual = Wish::new(&args.stream, args.expires);
    let more = args.more.clone();
    let sign_play = args.sign_play || more.max.is_some() || more.rtc;
    let wish = Wish { app, host, account, signing, sign_play, more, ..usual };
    let sheet = Sheet::new(&setup, &wish)?;
    let has_bounds = More { rtc: false, ..wish.more.clone() }.is_any();
    if has_bounds && !sheet.must_sign_play {
        show::note(
            "to watch, this server asks for no signature: whoever leaves tw and sig out is let in all \
             the same (account.domain.auth)",
        );
    }
    if args.json {
        show::line(sheet.to_json());
    } else {
        sheet.print();
    }
    Ok(ExitCode::SUCCESS)
}

impl More {
    fn is_any(&self) -> bool {
        let More { not_before, from, max, rtc } = self;
        not_before.is_some() || from.is_some() || max.is_some() || *rtc
    }
}

impl Args {
    /// How to sign, if it is said.
    fn signing(&self) -> Result<Option<Signing>> {
        let is_more = self.more.is_any();
        if self.more.not_before.is_some_and(|wait| wait >= self.expires) {
            bail!("--not-before: the URLs would be over before they begin; see --expires");
        }
        match self.scheme {
            Some(SchemeArg::Md5 | SchemeArg::Sha256) if is_more => {
                bail!("--not-before, --from, --max and --rtc cannot be said with it: --scheme hmac")
            }
            Some(SchemeArg::Md5) => Ok(Some(Signing::Vendors(Scheme::Md5))),
            Some(SchemeArg::Sha256) => Ok(Some(Signing::Vendors(Scheme::Sha256))),
            Some(SchemeArg::Hmac) => Ok(Some(Signing::Strong)),
            None => Ok(is_more.then_some(Signing::Strong)),
        }
    }
}

/// The app as a server reads it, if both can be names.
fn check_name(app: &str, stream: &str) -> Result<String> {
    let in_app: Vec<&str> = app.split('/').filter(|s| !s.is_empty()).collect();
    if in_app.is_empty() {
        bail!("--app: an app has a name, such as live");
    }
    if let Some((path, name)) = stream.rsplit_once('/') {
        bail!("a stream name has no slash: `thalweg sign {name} --app {path}`");
    }
    Ok(name_of(&[&in_app[..], &[stream]].concat())?.0)
}

/// How URLs are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signing {
    Vendors(Scheme),
    Strong,
}

/// What URLs are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) stream: String,
    pub(crate) app: String,
    pub(crate) expires_in: Duration,
    pub(crate) host: Option<String>,
    pub(crate) account: Option<String>,
    /// Without this: as the vendor does, where that is taken.
    pub(crate) signing: Option<Signing>,
    pub(crate) sign_play: bool,
    pub(crate) more: More,
}

impl Wish {
    pub(crate) fn new(stream: &str, expires_in: Duration) -> Wish {
        Wish {
            stream: stream.to_owned(),
            app: "live".to_owned(),
            expires_in,
            host: None,
            account: None,
            signing: None,
            sign_play: false,
            more: More::default(),
        }
    }
}

/// All URLs of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) push: String,
    pub(crate) obs_server: String,
    pub(crate) obs_key: String,
    pub(crate) play_rtmp: String,
    pub(crate) play_flv: String,
    pub(crate) play_ws: String,
    /// For low delay, where the server lets somebody watch over UDP.
    pub(crate) play_rtc: Option<RtcUrl>,
    /// For pages.
    push_ws: String,
    /// The same with TLS, where the server has a certificate.
    pub(crate) secure: Option<SecureSheet>,
    /// `txTime` of the signatures.
    expires_unix_s: u64,
    /// When the push URL is refused; that is later where there are seconds of validity.
    pub(crate) push_until_unix_s: u64,
    /// The same of the play URLs, if they are signed.
    play_until_unix_s: Option<u64>,
    /// When strong signatures begin to be good, if there is one.
    not_before_unix_s: Option<u64>,
    /// Whether that is still to come.
    is_early: bool,
    /// Whether a play without a signature would be refused.
    must_sign_play: bool,
    push_address: Address,
}

/// A play URL for RTC mode, over UDP.
#[derive(Debug, Clone)]
pub(crate) struct RtcUrl {
    pub(crate) url: String,
    /// When it is refused.
    until_unix_s: u64,
    /// How many may watch a stream so.
    pub(crate) viewers_max: u32,
    /// The UDP port, where it is not the URL's.
    port: Option<u16>,
}

impl RtcUrl {
    /// What shows it.
    pub(crate) fn command(&self) -> String {
        let port = self.port.map(|port| format!(" --udp-port {port}")).unwrap_or_default();
        format!("thalweg play --mode rtc{port} \"{}\"", self.url)
    }
}

/// URLs with TLS.
#[derive(Debug, Clone)]
pub(crate) struct SecureSheet {
    pub(crate) push: String,
    pub(crate) push_ws: String,
    pub(crate) play_rtmp: String,
    pub(crate) play_flv: String,
    pub(crate) play_ws: String,
}

impl Sheet {
    /// Makes the URLs that a server with this setup accepts.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn new(setup: &Setup, wish: &Wish) -> Result<Sheet> {
        let account = wish.account_of(setup)?;
        let now = show::now_unix_s();
        let times = Times {
            not_before: now.saturating_add(wish.more.not_before.unwrap_or_default().as_secs()),
            expires: now.saturating_add(wish.expires_in.as_secs()),
        };
        let expires_unix_s = times.expires;
        let sign = |action, way| Signed::new(setup, account, action, way, wish, times);
        let (push, play) = (sign(Action::Push, Way::Tcp)?, sign(Action::Play, Way::Tcp)?);
        // The others would fail as well, but where nobody may watch over UDP, or not with such a
        // signature: that is no reason to sign nothing.
        let rtc = sign(Action::Play, Way::Udp).ok().filter(|_| setup.config.udp.enabled);
        let play_rtc = rtc.map(|rtc| RtcUrl {
            url: url(&rtc.address),
            until_unix_s: rtc.until_unix_s.unwrap_or(times.expires),
            viewers_max: account.udp_viewers_max,
            port: setup.config.other_udp_port(),
        });
        let over_http = |scheme, signed: &Signed, port| {
            flv_url(scheme, &Address { port, ..signed.address.clone() })
        };
        let (port, tls_port) = (setup.config.public_http_port(), setup.config.public_https_port());
        let secure = setup.config.has_certificate().then(|| SecureSheet {
            push: with_tls(&push.address),
            push_ws: over_http("wss", &push, tls_port),
            play_rtmp: with_tls(&play.address),
            play_flv: over_http("https", &play, tls_port),
            play_ws: over_http("wss", &play, tls_port),
        });
        Ok(Sheet {
            push: url(&push.address),
            obs_server: push.address.tc_url(),
            obs_key: push.address.name_and_query(),
            play_rtmp: url(&play.address),
            play_flv: over_http("http", &play, port),
            play_ws: over_http("ws", &play, port),
            play_rtc,
            push_ws: over_http("ws", &push, port),
            secure,
            expires_unix_s,
            push_until_unix_s: push.until_unix_s.unwrap_or(expires_unix_s),
            play_until_unix_s: play.until_unix_s,
            not_before_unix_s: (push.is_strong || play.is_strong).then_some(times.not_before),
            is_early: times.not_before > now,
            must_sign_play: play.must_sign,
            push_address: push.address,
        })
    }

    /// The push URL, to a server's address instead of its name.
    pub(crate) fn push_to(&self, server: SocketAddr) -> String {
        // The host it was signed for decides whose key is asked.
        let vhost = &self.push_address.host;
        let query = format!("{}&vhost={vhost}", self.push_address.query);
        let (host, port) = (server.ip().to_string(), server.port());
        url(&Address { host, port, query, ..self.push_address.clone() })
    }

    fn print(&self) {
        let from = match self.not_before_unix_s {
            Some(unix_s) if self.is_early => format!("from {} ", show::moment(unix_s)),
            _ => String::new(),
        };
        let until = |unix_s| format!("       good {from}until {}", show::moment(unix_s));
        show::line(format_args!("push   {}", self.push));
        show::line(format_args!("       {}", self.push_ws));
        if let Some(secure) = &self.secure {
            show::line(format_args!("       {}", secure.push));
            show::line(format_args!("       {}", secure.push_ws));
        }
        show::line(until(self.push_until_unix_s));
        show::line(format_args!("OBS    Server      {}", self.obs_server));
        show::line(format_args!("       Stream Key  {}", self.obs_key));
        show::line(format_args!("play   {}", self.play_rtmp));
        show::line(format_args!("       {}", self.play_flv));
        show::line(format_args!("       {}", self.play_ws));
        if let Some(secure) = &self.secure {
            show::line(format_args!("       {}", secure.play_rtmp));
            show::line(format_args!("       {}", secure.play_flv));
            show::line(format_args!("       {}", secure.play_ws));
        }
        if let Some(unix_s) = self.play_until_unix_s {
            show::line(until(unix_s));
        }
        if let Some(rtc @ RtcUrl { url, until_unix_s, viewers_max, .. }) = &self.play_rtc {
            show::line(format_args!("rtc    {url}"));
            show::line(format_args!(
                "       for those who talk back: low delay over UDP, {viewers_max} viewers at most"
            ));
            show::line(format_args!("       {}", rtc.command()));
            show::line(until(*until_unix_s));
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let mut all = json!({
            "push": self.push,
            "push_ws": self.push_ws,
            "obs": { "server": self.obs_server, "stream_key": self.obs_key },
            "play": {
                "rtmp": self.play_rtmp,
                "http_flv": self.play_flv,
                "ws_flv": self.play_ws,
                "rtc": self.play_rtc.as_ref().map(|rtc| &rtc.url),
            },
            "play_is_signed": self.play_until_unix_s.is_some(),
            "expires_unix_s": self.expires_unix_s,
        });
        if let Some(unix_s) = self.not_before_unix_s {
            all["not_before_unix_s"] = unix_s.into();
        }
        if let Some(secure) = &self.secure {
            all["secure"] = json!({
                "push": secure.push,
                "push_ws": secure.push_ws,
                "play": {
                    "rtmps": secure.play_rtmp,
                    "https_flv": secure.play_flv,
                    "wss_flv": secure.play_ws,
                },
            });
        }
        all
    }
}

impl Wish {
    /// The account that signs.
    fn account_of<'a>(&self, setup: &'a Setup) -> Result<&'a Account> {
        match (&self.host, &self.account) {
            (Some(host), _) => Ok(setup.policy.account_of(host)),
            (None, None) => Ok(setup.policy.account_of(&setup.config.public_host)),
            (None, Some(bizid)) => setup
                .policy
                .account(bizid)
                .with_context(|| format!("the configuration has no account {bizid}")),
        }
    }
}

/// When URLs are good.
#[derive(Debug, Clone, Copy)]
struct Times {
    not_before: u64,
    expires: u64,
}

/// An address that a server with this setup accepts.
struct Signed {
    address: Address,
    /// When it is refused, if it is signed.
    until_unix_s: Option<u64>,
    is_strong: bool,
    /// Whether it would be refused without a signature.
    must_sign: bool,
}

impl Signed {
    fn new(
        setup: &Setup,
        account: &Account,
        action: Action,
        way: Way,
        wish: &Wish,
        times: Times,
    ) -> Result<Signed> {
        let own = setup.policy.host_for(account, action, &setup.config.public_host);
        let Some(host) = wish.host.as_deref().or(own) else {
            let (name, bizid) = (action.name(), &account.bizid);
            bail!("no URL can mean account {bizid}: give it a {name} domain with a host");
        };
        let domain = account.signing_domain(action, host);
        let must_sign = domain.is_some_and(|d| d.auth);
        let is_wanted = action == Action::Push || way == Way::Udp || wish.sign_play;
        let domain = domain.filter(|d| d.auth || is_wanted);
        let signing = domain.map(|d| wish.signing_for(account, d));
        let is_strong = signing == Some(Signing::Strong);
        let (query, until_unix_s) = match (domain, signing) {
            (Some(d), Some(Signing::Vendors(scheme))) => {
                let expiry = Expiry { unix_s: times.expires };
                let signed = SignedQuery::new(&d.keys.main, scheme, &wish.stream, expiry);
                let bizid = match way {
                    Way::Tcp => String::new(),
                    Way::Udp => format!("bizid={}&", account.bizid),
                };
                (bizid + &signed.text, Some(times.expires.saturating_add(d.validity_s)))
            }
            (Some(d), Some(Signing::Strong)) => {
                (wish.strong(account, d, way, times)?.text, Some(times.expires))
            }
            _ => (String::new(), None),
        };
        let (host, port) = (host.to_owned(), setup.config.public_rtmp_port());
        let (app, stream) = (wish.app.clone(), wish.stream.clone());
        let address = Address { host, port, app, stream, query };
        let signed = Signed { address, until_unix_s, is_strong, must_sign };
        signed.check(setup, action, way, times)?;
        Ok(signed)
    }

    /// Whether the server lets it in, once it is good.
    fn check(&self, setup: &Setup, action: Action, way: Way, times: Times) -> Result<()> {
        let Address { host, app, stream, query, .. } = &self.address;
        let (query, peer, referer) = (Query::new(query), None, None);
        let request = Request { action, way, host, app, stream, query, peer, referer };
        match decide(&setup.policy, &request, times.not_before) {
            Ok(_) => Ok(()),
            Err(reason) => {
                bail!("a {} of {app}/{stream} would be refused: {reason}", action.name())
            }
        }
    }
}

impl Wish {
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
        times: Times,
    ) -> Result<SignedQuery> {
        let purpose = match domain.action {
            Action::Push => Purpose::Push,
            Action::Play if self.more.rtc || way == Way::Udp => Purpose::Udp,
            Action::Play => Purpose::Play,
        };
        let token = Token {
            purpose,
            expires_unix_s: times.expires,
            not_before_unix_s: Some(times.not_before),
            from: self.more.from,
            sessions_max: self.more.max.filter(|_| purpose != Purpose::Push),
        };
        let (app, stream) = (self.app.as_str(), self.stream.as_str());
        let subject = Subject { account: &account.bizid, app, stream };
        Ok(SignedQuery::strong(&domain.keys.main, subject, &token)?)
    }
}

fn url(address: &Address) -> String {
    format!("{}/{}", address.tc_url(), address.name_and_query())
}

/// An RTMP URL with TLS. Its port is always named: the usual one of rtmps is another.
fn with_tls(address: &Address) -> String {
    let bare = Address { port: rtmp::PORT, ..address.clone() }.authority();
    let path = url(address);
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

/// As many as a token can say.
fn sessions() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=i64::from(SESSIONS_MAX))
}
