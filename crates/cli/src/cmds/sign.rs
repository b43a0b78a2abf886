//! `thalweg sign`

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::json;
use thalweg_access::{
    Account, Action, Domain, Expiry, Query, Request, Scheme, SignedQuery, decide,
};
use thalweg_wire::rtmp::address::{host_of, name_of};
use thalweg_wire::rtmp::{self, Address};

use crate::setup::{self, Setup};
use crate::show;

/// Make the URLs of a stream: one to push to, and those to watch it.
///
/// The push URL is signed with this server's key and good until it expires. Play URLs are signed
/// when this server asks for that, or with --sign-play.
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
    /// Hash of the signature. The vendor's back ends make md5.
    #[arg(long, default_value = "md5")]
    scheme: SchemeArg,
    /// Sign the play URLs even if nobody asks.
    #[arg(long)]
    sign_play: bool,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemeArg {
    Md5,
    Sha256,
}

pub(crate) fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    check_name(&args.app, &args.stream)?;
    if args.expires < Duration::from_secs(1) {
        bail!("--expires: the URLs would be over before anyone could use them; the least is 1s");
    }
    let setup = Setup::load(setup)?;
    if setup.keys.has_made() {
        let path = setup.keys.path().display();
        show::note(format_args!(
            "made new keys in {path}: a server with other keys will refuse these URLs"
        ));
    }
    let scheme = match args.scheme {
        SchemeArg::Md5 => Scheme::Md5,
        SchemeArg::Sha256 => Scheme::Sha256,
    };
    let (app, host, account) = (args.app.clone(), args.host.clone(), args.account.clone());
    let usual = Wish::new(&args.stream, args.expires);
    let wish = Wish { app, host, account, scheme, sign_play: args.sign_play, ..usual };
    let sheet = Sheet::new(&setup, &wish)?;
    if args.json {
        show::line(sheet.to_json());
    } else {
        sheet.print();
    }
    Ok(ExitCode::SUCCESS)
}

fn check_name(app: &str, stream: &str) -> Result<()> {
    let in_app: Vec<&str> = app.split('/').filter(|s| !s.is_empty()).collect();
    if in_app.is_empty() {
        bail!("--app: an app has a name, such as live");
    }
    if let Some((path, name)) = stream.rsplit_once('/') {
        bail!("a stream name has no slash: `thalweg sign {name} --app {path}`");
    }
    name_of(&[&in_app[..], &[stream]].concat()).map(|_| ()).map_err(Into::into)
}

/// What URLs are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) stream: String,
    pub(crate) app: String,
    pub(crate) expires_in: Duration,
    pub(crate) host: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) scheme: Scheme,
    pub(crate) sign_play: bool,
}

impl Wish {
    pub(crate) fn new(stream: &str, expires_in: Duration) -> Wish {
        Wish {
            stream: stream.to_owned(),
            app: "live".to_owned(),
            expires_in,
            host: None,
            account: None,
            scheme: Scheme::Md5,
            sign_play: false,
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
    /// `txTime` of the signatures.
    expires_unix_s: u64,
    /// When the push URL is refused; that is later where there are seconds of validity.
    pub(crate) push_until_unix_s: u64,
    /// The same of the play URLs, if they are signed.
    play_until_unix_s: Option<u64>,
    push_address: Address,
}

impl Sheet {
    /// Makes the URLs that a server with this setup accepts.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn new(setup: &Setup, wish: &Wish) -> Result<Sheet> {
        let account = wish.account_of(setup)?;
        let now = show::now_unix_s();
        let expires_unix_s = now.saturating_add(wish.expires_in.as_secs());
        let sign = |action| Signed::new(setup, account, action, wish, expires_unix_s);
        let (push, play) = (sign(Action::Push)?, sign(Action::Play)?);
        let http = Address { port: setup.config.public_http_port(), ..play.address.clone() };
        Ok(Sheet {
            push: url(&push.address),
            obs_server: push.address.tc_url(),
            obs_key: push.address.name_and_query(),
            play_rtmp: url(&play.address),
            play_flv: flv_url(&http),
            expires_unix_s,
            push_until_unix_s: push.until_unix_s.unwrap_or(expires_unix_s),
            play_until_unix_s: play.until_unix_s,
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
        let until = |unix_s| format!("       good until {}", show::moment(unix_s));
        show::line(format_args!("push   {}", self.push));
        show::line(until(self.push_until_unix_s));
        show::line(format_args!("OBS    Server      {}", self.obs_server));
        show::line(format_args!("       Stream Key  {}", self.obs_key));
        show::line(format_args!("play   {}", self.play_rtmp));
        show::line(format_args!("       {}", self.play_flv));
        if let Some(unix_s) = self.play_until_unix_s {
            show::line(until(unix_s));
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "push": self.push,
            "obs": { "server": self.obs_server, "stream_key": self.obs_key },
            "play": { "rtmp": self.play_rtmp, "http_flv": self.play_flv },
            "play_is_signed": self.play_until_unix_s.is_some(),
            "expires_unix_s": self.expires_unix_s,
        })
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

/// An address that a server with this setup accepts.
struct Signed {
    address: Address,
    /// When it is refused, if it is signed.
    until_unix_s: Option<u64>,
}

impl Signed {
    fn new(
        setup: &Setup,
        account: &Account,
        action: Action,
        wish: &Wish,
        expires_unix_s: u64,
    ) -> Result<Signed> {
        let own = setup.policy.host_for(account, action, &setup.config.public_host);
        let Some(host) = wish.host.as_deref().or(own) else {
            let (name, bizid) = (action.name(), &account.bizid);
            bail!("no URL can mean account {bizid}: give it a {name} domain with a host");
        };
        let domain = account.signing_domain(action, host);
        let is_wanted = |d: &&Domain| d.auth || action == Action::Push || wish.sign_play;
        let domain = domain.filter(is_wanted);
        let expiry = Expiry { unix_s: expires_unix_s };
        let sign = |d: &Domain| SignedQuery::new(&d.keys.main, wish.scheme, &wish.stream, expiry);
        let signed = Signed {
            address: Address {
                host: host.to_owned(),
                port: setup.config.public_rtmp_port(),
                app: wish.app.clone(),
                stream: wish.stream.clone(),
                query: domain.map(sign).map(|q| q.text).unwrap_or_default(),
            },
            until_unix_s: domain.map(|d| expires_unix_s.saturating_add(d.validity_s)),
        };
        signed.check(setup, action)?;
        Ok(signed)
    }

    fn check(&self, setup: &Setup, action: Action) -> Result<()> {
        let Address { host, app, stream, query, .. } = &self.address;
        let (query, peer) = (Query::new(query), None);
        let request = Request { action, host, app, stream, query, peer };
        match decide(&setup.policy, &request, show::now_unix_s()) {
            Ok(_) => Ok(()),
            Err(reason) => {
                bail!("a {} of {app}/{stream} would be refused: {reason}", action.name())
            }
        }
    }
}

fn url(address: &Address) -> String {
    format!("{}/{}", address.tc_url(), address.name_and_query())
}

fn flv_url(address: &Address) -> String {
    let Address { app, stream, query, port, .. } = address;
    // Without its port, which has another default here.
    let host = Address { port: rtmp::PORT, ..address.clone() }.authority();
    let port = if *port == 80 { String::new() } else { format!(":{port}") };
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("http://{host}{port}/{app}/{stream}.flv{query}")
}
