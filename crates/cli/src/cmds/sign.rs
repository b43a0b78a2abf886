//! `thalweg sign`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use clap::builder::TypedValueParser;
use serde_json::json;
use thalweg_access::{Network, SESSIONS_MAX, Scheme};
use thalweg_console::urls::{PlayUrls, PushUrls, RtcUrl, Signer, Signing, Wish};
use thalweg_wire::rtmp::address::{host_of, name_of};

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
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[group(id = "more")]
struct More {
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
    /// Or strong, as the API says.
    #[value(alias = "strong")]
    Hmac,
}

pub(crate) async fn run(args: &Args, setup: &setup::Args) -> Result<ExitCode> {
    let app = check_name(&args.app, &args.stream)?;
    if args.expires < Duration::from_secs(1) {
        bail!("--expires: the URLs would be over before anyone could use them; the least is 1s");
    }
    let signing = args.signing()?;
    let setup = Setup::load(setup).await?;
    if let Some(path) = &setup.made_in {
        let path = path.display();
        show::note(format_args!(
            "made new keys in {path}: a server with other keys will refuse these URLs"
        ));
    }
    let (host, account) = (args.host.clone(), args.account.clone());
    let More { not_before, from, max, rtc } = args.more;
    let now = show::now_unix_s();
    let wish = Wish {
        app,
        host,
        account,
        signing,
        not_before_unix_s: now.saturating_add(not_before.unwrap_or_default().as_secs()),
        sign_play: args.sign_play || max.is_some() || rtc,
        from,
        sessions_max: max,
        rtc,
        ..Wish::new(&args.stream, now, args.expires)
    };
    let sheet = Sheet::new(&setup, &wish)?;
    let has_bounds = More { rtc: false, ..args.more }.is_any();
    if has_bounds && !sheet.play.must_sign {
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
/// All URLs of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) push: PushUrls,
    pub(crate) play: PlayUrls,
    /// `txTime` of the signatures.
    expires_unix_s: u64,
    /// When strong signatures begin to be good, if there is one.
    not_before_unix_s: Option<u64>,
    /// Whether that is still to come.
    is_early: bool,
}

impl Sheet {
    /// Makes the URLs that a server with this setup accepts.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn new(setup: &Setup, wish: &Wish) -> Result<Sheet> {
        let places = setup.places();
        let signer = Signer { policy: &setup.policy, places: &places };
        let (push, play) = (signer.push(wish)?, signer.play(wish)?);
        let is_strong = push.is_strong || play.is_strong;
        Ok(Sheet {
            push,
            play,
            expires_unix_s: wish.expires_unix_s,
            not_before_unix_s: is_strong.then_some(wish.not_before_unix_s),
            is_early: wish.not_before_unix_s > show::now_unix_s(),
        })
    }

    fn print(&self) {
        let from = match self.not_before_unix_s {
            Some(unix_s) if self.is_early => format!("from {} ", show::moment(unix_s)),
            _ => String::new(),
        };
        let until = |unix_s| format!("       good {from}until {}", show::moment(unix_s));
        let also = |url: &String| show::line(format_args!("       {url}"));
        let Sheet { push, play, .. } = self;
        show::line(format_args!("push   {}", push.rtmp));
        also(&push.ws);
        [&push.rtmps, &push.wss].into_iter().flatten().for_each(also);
        show::line(until(push.until_unix_s));
        show::line(format_args!("OBS    Server      {}", push.server));
        show::line(format_args!("       Stream Key  {}", push.key));
        show::line(format_args!("play   {}", play.rtmp));
        [&play.flv, &play.ws].into_iter().for_each(also);
        [&play.rtmps, &play.https_flv, &play.wss].into_iter().flatten().for_each(also);
        if let Some(unix_s) = play.until_unix_s {
            show::line(until(unix_s));
        }
        if let Some(rtc @ RtcUrl { url, until_unix_s, viewers_max, .. }) = &play.rtc {
            show::line(format_args!("rtc    {url}"));
            show::line(format_args!(
                "       for those who talk back: low delay over UDP, {viewers_max} viewers at most"
            ));
            show::line(format_args!("       {}", command(rtc)));
            show::line(until(*until_unix_s));
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let Sheet { push, play, .. } = self;
        let mut all = json!({
            "push": push.rtmp,
            "push_ws": push.ws,
            "obs": { "server": push.server, "stream_key": push.key },
            "play": {
                "rtmp": play.rtmp,
                "http_flv": play.flv,
                "ws_flv": play.ws,
                "rtc": play.rtc.as_ref().map(|rtc| &rtc.url),
            },
            "play_is_signed": play.until_unix_s.is_some(),
            "expires_unix_s": self.expires_unix_s,
        });
        if let Some(unix_s) = self.not_before_unix_s {
            all["not_before_unix_s"] = unix_s.into();
        }
        if let Some(rtmps) = &push.rtmps {
            all["secure"] = json!({
                "push": rtmps,
                "push_ws": push.wss,
                "play": {
                    "rtmps": play.rtmps,
                    "https_flv": play.https_flv,
                    "wss_flv": play.wss,
                },
            });
        }
        all
    }
}

/// What shows a URL of RTC mode.
pub(crate) fn command(rtc: &RtcUrl) -> String {
    let port = rtc.port.map(|port| format!(" --udp-port {port}")).unwrap_or_default();
    format!("thalweg play --mode rtc{port} \"{}\"", rtc.url)
}

/// As many as a token can say.
fn sessions() -> impl TypedValueParser<Value = u32> {
    clap::value_parser!(u32).range(1..=i64::from(SESSIONS_MAX))
}
