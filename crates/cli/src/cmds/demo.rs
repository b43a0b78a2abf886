//! `thalweg demo`

use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use thalweg_access::PolicyHandle;
use thalweg_client::source::clock::Clock;
use thalweg_client::{Error, Publisher};

use crate::cmds::serve::{load, run_server};
use crate::cmds::sign::{Sheet, Wish};
use crate::setup::Setup;
use crate::show;

/// Start a server with a running clock, and print URLs to watch and to push to.
///
/// Needs nothing else: no configuration, no ffmpeg. What it prints can be opened in VLC, ffplay or
/// OBS. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Host in the printed URLs: set it to this machine's address to watch from another one.
    #[arg(long, value_name = "HOST")]
    public_host: Option<String>,
    /// Port for RTMP.
    #[arg(long, value_name = "PORT")]
    rtmp_port: Option<u16>,
    /// Port for HTTP.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Port for the operator's HTTP, on 127.0.0.1.
    #[arg(long, value_name = "PORT")]
    operator_port: Option<u16>,
}

pub(crate) async fn run(args: Args, config: Option<&Path>) -> Result<ExitCode> {
    let mut setup = Setup::load(config)?;
    let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let config = &mut setup.config;
    config.rtmp.listen = args.rtmp_port.map(any).or(config.rtmp.listen);
    config.http.listen = args.http_port.map(any).or(config.http.listen);
    if let Some(port) = args.operator_port {
        config.operator.listen.set_port(port);
    }
    if let Some(host) = args.public_host {
        config.public_host = host;
    }
    let policy = PolicyHandle::new(setup.policy.clone());
    let server = load(setup.config.clone(), &policy)?;
    // Port 0 asks the system for any: from here on it is known which.
    setup.config.rtmp.listen = Some(server.rtmp_address()?);
    setup.config.http.listen = Some(server.http_address()?);
    setup.config.operator.listen = server.operator_address()?;

    let clock = Sheet::new(&setup, &Wish::new("clock", CLOCK_VALID));
    let yours = Sheet::new(&setup, &Wish::new("demo", YOURS_VALID));
    print_welcome(&setup, &clock, &yours);
    let own_url = clock.push_to("127.0.0.1", server.rtmp_address()?.port());
    let clock = tokio::spawn(run_clock(own_url));
    run_server(server).await;
    clock.abort();
    Ok(ExitCode::SUCCESS)
}

fn print_welcome(setup: &Setup, clock: &Sheet, yours: &Sheet) {
    let operator = setup.config.operator.listen;
    show::line("Thalweg demo\n");
    show::line("Watch the clock (VLC: Media > Open Network Stream; or ffplay URL):");
    show::line(format_args!("  {}\n  {}\n", clock.play_rtmp, clock.play_flv));
    show::line("Push a stream of your own:");
    show::line(format_args!("  {}", yours.push));
    show::line(format_args!("  (good until {})", show::moment(yours.expires_unix_s)));
    show::line(format_args!("  ffmpeg -re -i FILE -c copy -f flv \"{}\"", yours.push));
    show::line(format_args!("  OBS: Server {}", yours.obs_server));
    show::line(format_args!("       Stream Key {}\n", yours.obs_key));
    show::line("and watch it:");
    show::line(format_args!("  {}\n  {}\n", yours.play_rtmp, yours.play_flv));
    show::line("What is going on:");
    show::line(format_args!("  http://{operator}/api/v1/streams"));
    show::line(format_args!("  http://{operator}/metrics\n"));
    show::line("Ctrl-C ends the demo.\n");
}

/// Publishes the clock for ever, through the front door like anyone else.
async fn run_clock(url: String) {
    loop {
        if let Err(error) = publish_clock(&url).await {
            tracing::warn!(%error, "the clock stopped; it starts again");
        }
        tokio::time::sleep(CLOCK_PAUSE).await;
    }
}

/// Publishes the clock until something fails.
pub(crate) async fn publish_clock(url: &str) -> Result<(), Error> {
    let mut publisher = Publisher::connect(url).await?;
    let mut clock = Clock::new(SystemTime::now());
    loop {
        let (frame, due) = clock.next_frame();
        let now = SystemTime::now();
        match due.duration_since(now) {
            Ok(wait) => tokio::time::sleep(wait).await,
            // The machine slept, or its clock was set: what is shown would be wrong. Begin anew.
            Err(late) if late.duration() > CLOCK_LATE => return publisher.close().await,
            Err(_) => {}
        }
        publisher.send(&frame).await?;
    }
}

const CLOCK_VALID: Duration = Duration::from_secs(10 * 365 * 86_400);
const YOURS_VALID: Duration = Duration::from_secs(86_400);
const CLOCK_PAUSE: Duration = Duration::from_secs(1);
const CLOCK_LATE: Duration = Duration::from_secs(2);
