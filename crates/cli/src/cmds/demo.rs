//! `thalweg demo`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use thalweg_client::Trust;
use thalweg_client::rtc::Options;
use thalweg_console::demo::{Demo, Link};
use thalweg_console::urls::{PlayUrls, Wish};
use thalweg_server::config::UdpCertificate;
use thalweg_server::tls::local::{Authority, names_for};
use thalweg_server::{Config, LoadError};
use thalweg_wire::rtmp::address::host_of;
use tokio::sync::watch;

use crate::clock;
use crate::cmds::serve::{CLOCK, House};
use crate::cmds::sign::{Sheet, command};
use crate::outlet::{Mode, Route};
use crate::setup::{self, Setup};
use crate::show;
use crate::signals::told_to_stop;

/// Start a server with a running clock, and print URLs to watch and to push to.
///
/// Needs nothing else: no configuration, no ffmpeg. What it prints can be opened in VLC, ffplay or
/// OBS. Its accounts are those of `thalweg serve` in this folder: thalweg-data, made if
/// missing; where no account is configured, its own has the vendor's profile. With --lan the URLs are for every machine of the room, and those with TLS have a
/// certificate of this machine's own authority. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For the other machines of the room: their URLs, https and rtmps as well, a QR code for phones,
    /// and the authority to trust, kept in thalweg-data/authority.
    #[arg(long)]
    lan: bool,
    /// Host in the printed URLs: set it to this machine's address to watch from another one.
    #[arg(long, value_name = "HOST", value_parser = host_of)]
    public_host: Option<String>,
    /// Port for RTMP, if it is not the configured one: 1935.
    #[arg(long, value_name = "PORT")]
    rtmp_port: Option<u16>,
    /// UDP port for RTMP, if it is not the one of RTMP over TCP.
    #[arg(long, value_name = "PORT")]
    udp_port: Option<u16>,
    /// Port for HTTP, if it is not the configured one: 8080.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Port for HTTPS, if it is not the configured one: 8443.
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// Port for the operator's HTTP, if it is not the configured one: 8081.
    #[arg(long, value_name = "PORT")]
    operator_port: Option<u16>,
}

pub(crate) async fn run(args: Args, setup: &setup::Args) -> Result<ExitCode> {
    let mut setup = Setup::load_for_demo(setup).await?;
    let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let config = &mut setup.config;
    config.rtmp.listen = args.rtmp_port.map(any).or(config.rtmp.listen);
    config.udp.listen = args.udp_port.map(any).or(config.udp.listen);
    config.http.listen = args.http_port.map(any).or(config.http.listen);
    config.https.listen = args.https_port.map(any).or(config.https.listen);
    if let Some(port) = args.operator_port {
        config.operator.listen.set_port(port);
    }
    match args.public_host {
        Some(host) => config.public_host = host,
        None if args.lan => config.public_host = lan_address()?.to_string(),
        None => {}
    }
    // A certificate that was paid for is better than one of our own.
    let authority = match args.lan && !config.has_certificate() {
        true => Some(Authority::open(&config.data_dir.join("authority"))?),
        false => None,
    };
    if let Some(authority) = &authority {
        config.certificates = vec![authority.issue(&names_for(&config.public_host))?];
        // Browsers take QUIC from a public authority, or by hash.
        config.udp.certificate = UdpCertificate::SelfSigned;
    }
    let house = House::new(setup).await.map_err(advise)?;
    let (setup, server) = (&house.setup, &house.server);

    let sheets = Sheets::new(setup);
    print_welcome(&house, &sheets);
    if args.lan {
        print_for_the_room(&setup.config, authority.as_ref());
    }
    let page = page(&house, sheets.as_ref().ok(), authority.as_ref());
    let (stop, stopped) = watch::channel(false);
    let clock = match &sheets {
        Ok(Sheets { clock, .. }) => {
            let front_door = reachable(server.rtmp_address()?);
            let own_url = clock.push.to(front_door.ip().to_string(), front_door.port());
            Some(tokio::spawn(run_clock(own_url, stopped)))
        }
        Err(_) => None,
    };
    let stop_all = async {
        told_to_stop().await;
        // Before the server, which would send it away.
        stop.send_replace(true);
        if let Some(clock) = clock {
            let _ = tokio::time::timeout(CLOCK_END, clock).await;
        }
    };
    house.run(Some(&page), stop_all).await;
    Ok(ExitCode::SUCCESS)
}

/// The URLs that are printed.
struct Sheets {
    clock: Sheet,
    /// Of a stream to push.
    yours: Sheet,
}

impl Sheets {
    /// # Errors
    /// When the account that everyone starts with may not be used so: the console can change that, and a
    /// demo without its console would leave nobody to change it back.
    fn new(setup: &Setup) -> Result<Sheets> {
        let now = show::now_unix_s();
        let clock = Sheet::new(setup, &Wish::new(CLOCK, now, CLOCK_VALID))?;
        let yours = Sheet::new(setup, &Wish::new("demo", now, YOURS_VALID))?;
        Ok(Sheets { clock, yours })
    }
}

/// Says how to choose another port where there is no configuration.
fn advise(error: anyhow::Error) -> anyhow::Error {
    let error = match error.downcast::<LoadError>() {
        Ok(error) => error,
        Err(other) => return other,
    };
    match error {
        LoadError::PortInUse { what, port, key } => anyhow::anyhow!(
            "port {port} for {what} is in use by another program: stop it, or choose another port \
             with {}",
            option_for(key)
        ),
        LoadError::PortTwice { port, one, other } => anyhow::anyhow!(
            "port {port} cannot be for two: choose another with {} or {}",
            option_for(one),
            option_for(other)
        ),
        other @ (LoadError::Listen { .. }
        | LoadError::Certificate(_)
        | LoadError::OwnCertificate(_)
        | LoadError::Udp(_)) => other.into(),
    }
}

/// `rtmp.listen` is `--rtmp-port`.
fn option_for(key: &str) -> String {
    format!("--{}-port", key.split('.').next().unwrap_or_default())
}

fn print_welcome(house: &House, sheets: &Result<Sheets>) {
    let operator = house.setup.config.operator.listen;
    show::line("Thalweg demo\n");
    match sheets {
        Ok(sheets) => print_sheets(sheets),
        Err(why) => print_without(house, why),
    }
    if let Some(page) = local_page(&house.setup.config) {
        show::line("Pages to watch and to push with, in a browser on this machine:");
        show::line(format_args!("  {page}\n"));
    }
    if let Some(url) = house.setup_url().or_else(|| house.console_url()) {
        show::line("Accounts, keys, URLs and streams, in a browser on this machine:");
        show::line(format_args!("  {url}\n"));
    }
    show::line(format_args!("What is counted: http://{operator}/metrics\n"));
    show::line("Ctrl-C ends the demo.\n");
}

fn print_sheets(Sheets { clock, yours }: &Sheets) {
    show::line("Watch the clock (VLC: Media > Open Network Stream; or ffplay URL):");
    print_play(&clock.play);
    show::line("");
    if let Some(rtc) = &clock.play.rtc {
        let max = rtc.viewers_max;
        show::line(format_args!("In under 400 ms, over UDP ({max} viewers a stream at most):"));
        show::line(format_args!("  {}", rtc.url));
        show::line(format_args!("  {}\n", command(rtc)));
    }
    show::line("Anyone who reaches this machine can watch; to push, a URL must be signed.\n");
    show::line("Push a stream of your own:");
    let push = &yours.push;
    show::line(format_args!("  {}", push.rtmp));
    if let Some(rtmps) = &push.rtmps {
        show::line(format_args!("  {rtmps}"));
    }
    show::line(format_args!("  (good until {})", show::moment(push.until_unix_s)));
    show::line(format_args!("  ffmpeg -re -i FILE -c copy -f flv \"{}\"", push.rtmp));
    show::line(format_args!("  OBS: Server {}", push.server));
    show::line(format_args!("       Stream Key {}\n", push.key));
    show::line("and watch it:");
    print_play(&yours.play);
    show::line("");
    if let Some(rtc) = &yours.play.rtc {
        show::line(
            "and in under 400 ms (not by the URL to push: that one would be of no more use to push):",
        );
        show::line(format_args!("  {}\n", command(rtc)));
    }
}

/// Says why there is no clock, and where that can be changed.
fn print_without(house: &House, why: &anyhow::Error) {
    let bizid = &house.setup.policy.account_of(&house.setup.config.public_host).bizid;
    show::line("There is no clock this time, and no URL to push to:");
    show::line(format_args!("  {why:#}"));
    show::line(match house.console_url() {
        Some(url) => format!(
            "Change that on the page of account {bizid} in the console (its category, its switches, its \
             domains), and start the demo again:\n  {url}#/accounts/{bizid}\n"
        ),
        None => format!("Change account {bizid} in the configuration, and start the demo again.\n"),
    });
}

fn print_play(play: &PlayUrls) {
    show::line(format_args!("  {}\n  {}", play.rtmp, play.flv));
    for url in [&play.rtmps, &play.https_flv].into_iter().flatten() {
        show::line(format_args!("  {url}"));
    }
}

/// What a phone in the room is pointed at, and what it has to trust for that.
fn print_for_the_room(config: &Config, authority: Option<&Authority>) {
    let host = bracketed(&config.public_host);
    let page = secure_page(config);
    show::line("On a phone in the room:");
    show::line(format_args!("  {page}\n"));
    // A code that cannot be made is no reason not to start.
    if let Ok(code) = QrCode::new(&page) {
        // Light is drawn and dark is left out: as most terminals are. Where colours are known to be
        // understood they are said, so that the others show it right as well.
        let (dark, light) = (Dense1x2::Light, Dense1x2::Dark);
        let code = code.render().dark_color(dark).light_color(light).build();
        for line in code.lines() {
            show::line(show::white_on_black(line));
        }
        show::line("");
    }
    if let Some(authority) = authority {
        let http = config.public_http_port();
        show::line("It warns until it trusts the authority of this machine:");
        show::line(format_args!("  http://{host}:{http}/demo/authority.crt"));
        show::line(format_args!("  {}", authority.path().display()));
        show::line(format_args!("  SHA-256 {}\n", authority.fingerprint()));
    }
}

/// The demo's pages, from this machine: a browser gives them camera and UDP without a certificate.
fn local_page(config: &Config) -> Option<String> {
    let at = config.http.listen?;
    let host = if at.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { at.ip() };
    let is_here = host.is_loopback();
    is_here.then(|| format!("http://{}/demo/", SocketAddr::new(host, at.port())))
}

/// The demo's pages by https.
fn secure_page(config: &Config) -> String {
    format!("https://{}:{}/demo/", bracketed(&config.public_host), config.public_https_port())
}

/// A host as it stands in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// What the pages show.
fn page(house: &House, sheets: Option<&Sheets>, authority: Option<&Authority>) -> Demo {
    let config = &house.setup.config;
    let clock = sheets.map(|sheets| &sheets.clock.play);
    Demo {
        // Where there is no clock, whoever looks for it is told so by the server.
        clock_path: match clock.and_then(|clock| clock.ws.splitn(4, '/').nth(3)) {
            Some(path) => format!("/{path}"),
            None => format!("/live/{CLOCK}.flv"),
        },
        watch: clock.map(links).unwrap_or_default(),
        secure: config.has_certificate().then(|| secure_page(config)),
        console: house.console_url(),
        fingerprint: authority.map(|a| a.fingerprint().to_owned()),
        authority: authority.map(|a| a.certificate().to_owned()),
    }
}

/// What to open in a player.
fn links(PlayUrls { rtmp, flv, rtmps, https_flv, .. }: &PlayUrls) -> Vec<Link> {
    let link = |name: &str, url: &String| Link { name: name.to_owned(), url: url.clone() };
    let urls = [
        ("RTMP", Some(rtmp)),
        ("HTTP-FLV", Some(flv)),
        ("RTMPS", rtmps.as_ref()),
        ("HTTPS-FLV", https_flv.as_ref()),
    ];
    urls.into_iter().filter_map(|(name, url)| Some(link(name, url?))).collect()
}

/// This machine's address in the room: the one it would send from. Nothing is sent.
fn lan_address() -> Result<IpAddr> {
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((ELSEWHERE, 9))?;
        Ok(socket.local_addr()?.ip())
    });
    found.context("this machine has no address in a network: give one with --public-host")
}

/// Where this machine reaches a listener of its own.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// Publishes the clock until the demo stops, through the front door like anyone else.
async fn run_clock(url: String, mut stopped: watch::Receiver<bool>) {
    let (mode, trust, options) = (Mode::Live, Trust::system(), Options::default());
    let route = Route { url, mode, trust, options };
    loop {
        let mut listener = stopped.clone();
        let stop = async {
            let _ = listener.wait_for(|stop| *stop).await;
        };
        match clock::publish(&route, stop).await {
            Ok(()) => return,
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(error, "the clock stopped; it starts again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(CLOCK_PAUSE) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// An address of no machine, for examples (RFC 5737).
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLOCK_VALID: Duration = Duration::from_secs(10 * 365 * 86_400);
const YOURS_VALID: Duration = Duration::from_secs(86_400);
/// How long the clock may take to end.
const CLOCK_END: Duration = Duration::from_secs(1);
const CLOCK_PAUSE: Duration = Duration::from_secs(1);
