//! `thalweg lab-end`: the programs that the lab starts in its networks. Not for people.
//!
//! Whoever starts one holds its standard input; when that is closed, it ends, so that none outlives
//! a lab that was killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use thalweg_bench::lab::ends::{self, Transport};
use thalweg_bench::lab::{Cc, Schedule, Window, beside};
use tokio::io::AsyncReadExt;

use crate::{cmds, setup, show};

/// Be one of the programs that `thalweg lab` starts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    end: End,
}

#[derive(Debug, clap::Subcommand)]
enum End {
    /// The server: `thalweg serve`.
    Serve,
    /// The publisher.
    Publish {
        url: String,
        #[arg(long)]
        gop: u64,
        #[arg(long)]
        kbps: u64,
    },
    /// The viewer.
    View {
        url: String,
        #[arg(long)]
        udp: bool,
        #[command(flatten)]
        when: When,
    },
    /// Sends as much as there is room for.
    Greedy {
        #[arg(value_parser = super::plan::cc)]
        cc: Cc,
    },
    /// Takes what that sends.
    Take {
        from: SocketAddr,
        #[command(flatten)]
        when: When,
    },
}

/// Which part of which stream is watched.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct When {
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10))]
    pub(super) gop: u64,
    #[arg(long)]
    pub(super) began_ns: u64,
    #[arg(long)]
    pub(super) from_ns: u64,
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) seconds: u64,
}

/// The first line of a publisher: when its stream began.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Began {
    pub(super) began_ns: u64,
}

/// The first line of a greedy flow: where it is to be had.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub(super) port: u16,
}

/// The line of who takes it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Took {
    pub(super) kbit_per_s: f64,
}

impl When {
    pub(super) fn window(&self) -> Window {
        let When { gop: gop_s, began_ns, from_ns, seconds } = *self;
        // Which frames count does not depend on how large they are.
        Schedule { began_ns, gop_s, kbps: 0 }.window(from_ns, seconds)
    }

    /// As it is said to a viewer.
    pub(super) fn arguments(&self) -> Vec<String> {
        let When { gop, began_ns, from_ns, seconds } = self;
        let pairs =
            [("gop", gop), ("began-ns", began_ns), ("from-ns", from_ns), ("seconds", seconds)];
        pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect()
    }
}

pub(crate) async fn run(args: Args, setup: &setup::Args) -> Result<ExitCode> {
    match args.end {
        End::Serve => tokio::select! {
            served = cmds::serve::run(cmds::serve::Args {}, setup) => served,
            () = let_go() => Ok(ExitCode::FAILURE),
        },
        End::Publish { url, gop, kbps } => {
            let schedule = Schedule { began_ns: 0, gop_s: gop, kbps };
            let ready = |schedule: &Schedule| say(&Began { began_ns: schedule.began_ns });
            say(&ends::publish(&url, schedule, ready, let_go()).await?);
            Ok(ExitCode::SUCCESS)
        }
        End::View { url, udp, when } => {
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            let window = when.window();
            tokio::select! {
                figures = ends::view(transport, &url, &window) => say(&figures),
                () = let_go() => return Ok(ExitCode::FAILURE),
            }
            Ok(ExitCode::SUCCESS)
        }
        End::Greedy { cc } => {
            let ready = |at: SocketAddr| say(&Ready { port: at.port() });
            beside::send((Ipv4Addr::UNSPECIFIED, 0).into(), cc, ready, let_go()).await?;
            Ok(ExitCode::SUCCESS)
        }
        End::Take { from, when } => {
            let window = when.window();
            tokio::select! {
                kbit_per_s = beside::take(from, &window) => {
                    say(&Took { kbit_per_s: kbit_per_s? });
                }
                () = let_go() => return Ok(ExitCode::FAILURE),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Says something as a line of JSON.
fn say(what: &impl Serialize) {
    // All of it is numbers and words: there is nothing that could not be said.
    show::line(serde_json::to_string(what).unwrap_or_default());
}

/// Waits until nobody holds the standard input any more.
async fn let_go() {
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut [0; 64]).await.is_ok_and(|n| n > 0) {}
}
