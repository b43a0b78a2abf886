//! `thalweg demo`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use thalweg_access::PolicyHandle;
use thalweg_server::LoadError;
use thalweg_wire::rtmp::address::host_of;
use tokio::sync::watch;

use crate::clock;
use crate::cmds::serve::{load, run_server};
use crate::cmds::sign::{Sheet, Wish};
use crate::setup::{self, Setup};
use crate::show;
use crate::signals::told_to_stop;

/// Start a server with a running clock, and print URLs to watch and to push to.
///
/// Needs nothing else: no configuration, no ffmpeg. What it prints can be opened in VLC, ffplay or
/// OBS. Its keys are those of `thalweg serve` in this folder: thalweg-data/keys.toml, made if
/// missing. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Host in the printed URLs: set it to this machine's address to watch from another one.
    #[arg(long, value_name = "HOST", value_parser = host_of)]
    public_host: Option<String>,
    /// Port for RTMP, if it is not the configured one: 1935.
    #[arg(long, value_name = "PORT")]
    rtmp_port: Option<u16>,
    /// Port for HTTP, if it is not the configured one: 8080.
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// Port for the operator's HTTP, if it is not the configured one: 8081.
    #[arg(long, value_name = "PORT")]
    operator_port: Option<u16>,
}

pub(crate) async fn run(args: Args, setup: &setup::Args) -> Result<ExitCode> {
    let mut setup = Setup::load(setup)?;
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
    let server = load(setup.config.clone(), &policy).map_err(advise)?;
    // Port 0 asks the system for any: from here on it is known which.
    setup.config.rtmp.listen = Some(server.rtmp_address()?);
    setup.config.http.listen = Some(server.http_address()?);
    setup.config.operator.listen = server.operator_address()?;

    let clock = Sheet::new(&setup, &Wish::new("clock", CLOCK_VALID))?;
    let yours = Sheet::new(&setup, &Wish::new("demo", YOURS_VALID))?;
    print_welcome(&setup, &clock, &yours);
    let own_url = clock.push_to(reachable(server.rtmp_address()?));
    let (stop, stopped) = watch::channel(false);
    let clock = tokio::spawn(run_clock(own_url, stopped));
    run_server(server, async {
        told_to_stop().await;
        // Before the server, which would send it away.
        stop.send_replace(true);
        let _ = tokio::time::timeout(CLOCK_END, clock).await;
    })
    .await;
    Ok(ExitCode::SUCCESS)
}

/// Says how to choose another port where there is no configuration.
fn advise(error: LoadError) -> anyhow::Error {
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
        other @ (LoadError::Listen { .. } | LoadError::Certificate(_)) => other.into(),
    }
}

/// `rtmp.listen` is `--rtmp-port`.
fn option_for(key: &str) -> String {
    format!("--{}-port", key.split('.').next().unwrap_or_default())
}

fn print_welcome(setup: &Setup, clock: &Sheet, yours: &Sheet) {
    let operator = setup.config.operator.listen;
    show::line("Thalweg demo\n");
    show::line("Watch the clock (VLC: Media > Open Network Stream; or ffplay URL):");
    show::line(format_args!("  {}\n  {}\n", clock.play_rtmp, clock.play_flv));
    show::line("Anyone who reaches this machine can watch; to push, a URL must be signed.\n");
    show::line("Push a stream of your own:");
    show::line(format_args!("  {}", yours.push));
    show::line(format_args!("  (good until {})", show::moment(yours.push_until_unix_s)));
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
    loop {
        let mut listener = stopped.clone();
        let stop = async {
            let _ = listener.wait_for(|stop| *stop).await;
        };
        match clock::publish(&url, stop).await {
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

const CLOCK_VALID: Duration = Duration::from_secs(10 * 365 * 86_400);
const YOURS_VALID: Duration = Duration::from_secs(86_400);
/// How long the clock may take to end.
const CLOCK_END: Duration = Duration::from_secs(1);
const CLOCK_PAUSE: Duration = Duration::from_secs(1);
