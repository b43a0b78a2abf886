//! `thalweg sign`

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::json;
use thalweg_access::{Account, Action, Domain, Expiry, Scheme, SignedQuery};
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::name_of;

use crate::setup::Setup;
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
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration, value_name = "TIME")]
    expires: Duration,
    /// Host in the URLs, if it is not the configured one.
    #[arg(long)]
    host: Option<String>,
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

pub(crate) fn run(args: &Args, config: Option<&Path>) -> Result<ExitCode> {
    let mut setup = Setup::load(config)?;
    if let Some(host) = &args.host {
        setup.config.public_host.clone_from(host);
    }
    let segments: Vec<&str> = args.app.split('/').chain([args.stream.as_str()]).collect();
    if let Err(error) = name_of(&segments) {
        bail!("{}/{}: {error}", args.app, args.stream);
    }
    let scheme = match args.scheme {
        SchemeArg::Md5 => Scheme::Md5,
        SchemeArg::Sha256 => Scheme::Sha256,
    };
    let (app, sign_play) = (args.app.clone(), args.sign_play);
    let wish = Wish { app, scheme, sign_play, ..Wish::new(&args.stream, args.expires) };
    let sheet = Sheet::new(&setup, &wish);
    if args.json {
        show::line(sheet.to_json());
    } else {
        sheet.print();
    }
    Ok(ExitCode::SUCCESS)
}

/// What URLs are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) stream: String,
    pub(crate) app: String,
    pub(crate) expires_in: Duration,
    pub(crate) scheme: Scheme,
    pub(crate) sign_play: bool,
}

impl Wish {
    pub(crate) fn new(stream: &str, expires_in: Duration) -> Wish {
        let (stream, app) = (stream.to_owned(), "live".to_owned());
        Wish { stream, app, expires_in, scheme: Scheme::Md5, sign_play: false }
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
    pub(crate) expires_unix_s: u64,
    push_address: Address,
    play_is_signed: bool,
}

impl Sheet {
    /// Makes the URLs that a server with this setup accepts.
    pub(crate) fn new(setup: &Setup, wish: &Wish) -> Sheet {
        let (config, host) = (&setup.config, &setup.config.public_host);
        let expires_unix_s = show::now_unix_s().saturating_add(wish.expires_in.as_secs());
        let account = setup.policy.account_of(host);
        let push_query = signature(account, Action::Push, host, wish, expires_unix_s);
        let play_query = signature(account, Action::Play, host, wish, expires_unix_s);
        let address = |query: Option<String>| Address {
            host: host.clone(),
            port: config.public_rtmp_port(),
            app: wish.app.clone(),
            stream: wish.stream.clone(),
            query: query.unwrap_or_default(),
        };
        let push_address = address(push_query);
        let play_address = address(play_query.clone());
        let http = Address { port: config.public_http_port(), ..play_address.clone() };
        let authority = match http.port {
            80 => Address { port: thalweg_wire::rtmp::PORT, ..http.clone() }.authority(),
            port => format!(
                "{}:{port}",
                Address { port: thalweg_wire::rtmp::PORT, ..http.clone() }.authority()
            ),
        };
        let suffix = play_query.as_ref().map_or_else(String::new, |q| format!("?{q}"));
        Sheet {
            push: url(&push_address),
            obs_server: push_address.tc_url(),
            obs_key: push_address.name_and_query(),
            play_rtmp: url(&play_address),
            play_flv: format!("http://{authority}/{}/{}.flv{suffix}", wish.app, wish.stream),
            expires_unix_s,
            push_address,
            play_is_signed: play_query.is_some(),
        }
    }

    /// The push URL, with another host and port.
    pub(crate) fn push_to(&self, host: &str, port: u16) -> String {
        // The host it was signed for decides whose key is asked.
        let vhost = &self.push_address.host;
        let query = format!("{}&vhost={vhost}", self.push_address.query);
        url(&Address { host: host.to_owned(), port, query, ..self.push_address.clone() })
    }

    fn print(&self) {
        let until = show::moment(self.expires_unix_s);
        show::line(format_args!("push   {}", self.push));
        show::line(format_args!("       good until {until}"));
        show::line(format_args!("OBS    Server      {}", self.obs_server));
        show::line(format_args!("       Stream Key  {}", self.obs_key));
        show::line(format_args!("play   {}", self.play_rtmp));
        show::line(format_args!("       {}", self.play_flv));
        if self.play_is_signed {
            show::line(format_args!("       good until {until}"));
        }
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "push": self.push,
            "obs": { "server": self.obs_server, "stream_key": self.obs_key },
            "play": { "rtmp": self.play_rtmp, "http_flv": self.play_flv },
            "play_is_signed": self.play_is_signed,
            "expires_unix_s": self.expires_unix_s,
        })
    }
}

fn url(address: &Address) -> String {
    format!("{}/{}", address.tc_url(), address.name_and_query())
}

/// The signed query for an action, if it is asked for there.
fn signature(
    account: &Account,
    action: Action,
    host: &str,
    wish: &Wish,
    expires_unix_s: u64,
) -> Option<String> {
    let domain: &Domain = account.signing_domain(action, host)?;
    let wanted = domain.auth || action == Action::Push || wish.sign_play;
    let expiry = Expiry { unix_s: expires_unix_s };
    wanted.then(|| SignedQuery::new(&domain.keys.main, wish.scheme, &wish.stream, expiry).text)
}
