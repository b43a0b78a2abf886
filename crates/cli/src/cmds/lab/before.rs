//! A bad path before a server of one's own, for as long as somebody wants to look at it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use thalweg_bench::lab::{Cell, Relay};

use super::Args;
use crate::show;
use crate::signals::told_to_stop;

/// Passes UDP on to `to` until it is told to stop, an hour at most.
pub(super) async fn stand(args: &Args, to: SocketAddr) -> Result<ExitCode> {
    ensure!(
        args.cells.len() <= 1 && args.rtt.len() == 1,
        "a path has one of --cells, and one --rtt: name the one that is to stand before {to}"
    );
    ensure!(to.ip().is_loopback(), "{to} is not on this machine: the lab sends nothing elsewhere");
    let cell = args.cells.first().copied().unwrap_or(Cell::ALL[0]);
    let rtt_ms = args.rtt[0];
    let path = cell.path(Duration::from_millis(rtt_ms), args.seconds.unwrap_or(SECONDS));
    let relay = Relay::start(to, &path, args.seeds.unwrap_or(1))?;
    let address = relay.address();
    match args.json {
        true => show::line(serde_json::json!({ "address": address.to_string() })),
        false => show::line(format_args!("UDP {address} leads to {to}: {cell}, RTT {rtt_ms} ms")),
    }
    tokio::select! {
        () = told_to_stop() => {}
        () = tokio::time::sleep(TIME_MAX) => show::note("an hour is over"),
    }
    let carried = relay.stop();
    show::note(format_args!(
        "{} packets went through, {} were lost",
        carried.packets, carried.dropped
    ));
    Ok(ExitCode::SUCCESS)
}

/// What is forgotten ends by itself.
const TIME_MAX: Duration = Duration::from_secs(3600);
/// A cell that changes does so over this time, as in a run.
const SECONDS: u64 = 30;
