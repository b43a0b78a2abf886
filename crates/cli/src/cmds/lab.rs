//! `thalweg lab`

mod before;
pub(crate) mod end;
mod plan;
mod trial;

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use thalweg_bench::lab::report::{self, Row};
use thalweg_bench::lab::{Carried, Cell, Figures, Namespaces, Run, Schedule};

use crate::show;
use crate::signals::told_to_stop;
use plan::{Plan, WayName};
use trial::{Network, Trial};

/// See what a stream comes to on a bad network.
///
/// Starts a server and a publisher in one network of their own and a viewer in another, joins the two by
/// a path with delay, loss, outages or a bottleneck, and says how late the pictures were and how many
/// were missing: by RTMP-UDP, and by RTMP over TCP on the same path with the same chance. That takes
/// root: without it UDP goes through a relay on this machine, and TCP is not run. Nothing leaves the
/// machine, and nothing of it stays but the runs.
///
/// Cells: loss-N (N per cent of the packets, each for itself), burst-20 (20 %, 5 in a row), outage (40 ms
/// of nothing after each 160 ms), rate (3 Mbit/s, and 1.2 for a fifth of the time), narrow (3 Mbit/s all
/// the time); all in both directions. docs/ref/lab.md says how it is done and what the columns mean.
///
/// The whole table: `thalweg lab --rtt 50,100,200 --gop 1,2`. A first look: `thalweg lab --quick`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Kinds of trouble, with commas between. Without this: loss-0, loss-1, loss-5, loss-10, burst-20,
    /// outage, rate.
    #[arg(long, value_delimiter = ',', value_name = "CELLS")]
    cells: Vec<Cell>,
    /// Ms there and back.
    #[arg(long, value_delimiter = ',', default_value = "50", value_name = "MS",
          value_parser = clap::value_parser!(u64).range(0..=2000))]
    rtt: Vec<u64>,
    /// Seconds from key frame to key frame.
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=10))]
    gop: Vec<u64>,
    /// How often each is run, with other chances. Without this 5.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: Option<u64>,
    /// How long each run measures. Without this 30; the goals are for that.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// How the stream goes: rtmp-udp, rtmp-cubic and rtmp-bbr, the last two over TCP.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "rtmp-udp,rtmp-cubic,rtmp-bbr",
        value_name = "WAYS"
    )]
    ways: Vec<WayName>,
    /// The server's congestion control for RTMP-UDP: live, bbr or cubic.
    #[arg(long, value_delimiter = ',', default_value = "live", value_name = "NAMES",
          value_parser = plan::cc)]
    cc: Vec<thalweg_bench::lab::Cc>,
    /// Rate of the stream's pictures, kbit/s; 128 of sound come to that.
    #[arg(long, value_name = "KBIT", default_value_t = Schedule::KBPS,
          value_parser = clap::value_parser!(u64).range(100..=20_000))]
    kbps: u64,
    /// A greedy flow of TCP on the same path, with this congestion control of the kernel's: cubic or bbr.
    #[arg(long, value_name = "NAME", value_parser = plan::kernel_cc)]
    beside: Option<thalweg_bench::lab::Cc>,
    /// Keep every run in this file, a line of JSON each, after those that are there. Without this:
    /// bench/runs/DATE-MACHINE/lab.jsonl.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Say the table as JSON.
    #[arg(long)]
    json: bool,
    /// Two minutes instead of an hour: loss-0, loss-5 and burst-20, 1 seed, 10 seconds.
    #[arg(long)]
    quick: bool,
    /// Use the relay even where networks could be made.
    #[arg(long)]
    relay: bool,
    /// Run nothing: put the path of --cells and --rtt before this UDP port of a server on this machine, until
    /// Ctrl-C. Says on which port it listens, which the server has to name: `udp.public_port`.
    #[arg(long, value_name = "IP:PORT", conflicts_with_all = ["gop", "ways", "cc", "kbps", "beside", "out", "quick"])]
    before: Option<SocketAddr>,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if let Some(server) = args.before {
        return before::stand(&args, server).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    // On a thread of its own, which undoes what it has made when it is told to stop.
    let mut lab = tokio::task::spawn_blocking(move || Lab::new(&args)?.run(&told));
    tokio::select! {
        done = &mut lab => return done?,
        () = told_to_stop() => stop.store(true, Ordering::Relaxed),
    }
    lab.await?
}

/// All that is to be run, and what came of it so far.
struct Lab {
    trials: Vec<Trial>,
    network: Network,
    out: Out,
    as_json: bool,
    runs: Vec<Run>,
    bar: ProgressBar,
}

impl Lab {
    fn new(args: &Args) -> Result<Lab> {
        let trials = Plan::of(args).trials();
        let network = match args.relay {
            true => Network::Relay("needs two networks, not --relay".to_owned()),
            false => network(),
        };
        let out = Out::open(args.out.as_deref(), &network)?;
        let shown = std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(trials.len() as u64), target);
        bar.set_style(ProgressStyle::with_template("{bar:30} {pos} of {len}: {msg}")?);
        Ok(Lab { trials, network, out, as_json: args.json, runs: Vec::new(), bar })
    }

    fn run(mut self, stop: &AtomicBool) -> Result<ExitCode> {
        let all = self.trials.len();
        show::note(format_args!("{all} runs, kept in {}", self.out.path.display()));
        let began = Instant::now();
        let mut work = Duration::ZERO;
        for (i, trial) in std::mem::take(&mut self.trials).into_iter().enumerate() {
            // The time of those that could not be run says nothing about the others'.
            let done = self.runs.iter().filter(|r| r.outcome.is_ok()).count() as u32;
            let each = work.checked_div(done).unwrap_or_else(|| trial.estimate());
            let left = humantime::format_duration(Duration::from_secs(
                (each * (all - i) as u32).as_secs(),
            ));
            self.bar.set_message(format!("{trial}; about {left} left"));
            let at = began.elapsed();
            let Some(done) = trial.run(&self.network, stop) else { break };
            if done.outcome.is_ok() {
                work += began.elapsed() - at;
            }
            self.out.append(&trial, &done)?;
            let words = words(&done.outcome);
            self.bar.suspend(|| {
                show::note(format_args!("{} of {all}: {trial}: {words}", i + 1));
            });
            self.bar.inc(1);
            self.runs.push(trial.with(done.outcome));
        }
        self.bar.finish_and_clear();
        self.report(all)
    }

    /// What there is, even when it was told to stop half-way.
    fn report(&self, all: usize) -> Result<ExitCode> {
        let rows = report::rows(&self.runs);
        match self.as_json {
            true => show::line(serde_json::to_string_pretty(&rows)?),
            false => show::line(report::table(&rows)),
        }
        if self.runs.len() < all {
            show::note(format_args!("stopped after {} of {all} runs", self.runs.len()));
            return Ok(ExitCode::FAILURE);
        }
        let is_ours = |row: &&Row| row.way.starts_with("rtmp-udp");
        let missed = rows.iter().filter(is_ours).any(|row| row.is_met == Some(false));
        Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// What there is to run in. Says so when that is not all.
fn network() -> Network {
    // Making them is the only test that tells.
    match Namespaces::new() {
        Ok(_) => Network::Namespaces,
        Err(why) => {
            show::note(format_args!("no networks of our own, only a relay of UDP: {why}"));
            Network::Relay(format!("needs CAP_NET_ADMIN ({why})"))
        }
    }
}

/// A run in a line.
fn words(outcome: &Result<Figures, String>) -> String {
    let figures = match outcome {
        Ok(figures) => figures,
        Err(why) => return format!("not run: {why}"),
    };
    let delays = figures.video.map_or("nothing came".to_owned(), |d| {
        format!("p50 {:.0} p95 {:.0} p99 {:.0} max {:.0} ms", d.p50, d.p95, d.p99, d.max)
    });
    let Figures { lost, undecodable, late, frames, .. } = figures;
    let beside = figures.beside_kbit_per_s.map_or(String::new(), |beside| {
        format!("; {:.0} kbit/s, {beside:.0} beside it", figures.kbit_per_s)
    });
    format!("{delays}, {lost} lost, {undecodable} undecodable, {late} late of {frames}{beside}")
}

/// The file of runs.
struct Out {
    file: File,
    path: PathBuf,
    machine: String,
    command: String,
    network: &'static str,
}

/// A run as it is kept.
#[derive(Serialize)]
struct Record<'a> {
    date: String,
    machine: &'a str,
    program: &'static str,
    command: &'a str,
    network: &'static str,
    cell: String,
    rtt_ms: u64,
    gop_s: u64,
    seed: u64,
    seconds: u64,
    way: String,
    kbps: u64,
    beside: Option<&'static str>,
    not_run: Option<&'a str>,
    figures: Option<&'a Figures>,
    publisher: Option<thalweg_bench::lab::ends::Sent>,
    path: Option<Carried>,
}

impl Out {
    fn open(path: Option<&Path>, network: &Network) -> Result<Out> {
        let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let day = date.split('T').next().unwrap_or_default();
        let usual = || PathBuf::from(format!("bench/runs/{day}-{}/lab.jsonl", machine_name()));
        let path = path.map_or_else(usual, Path::to_owned);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        let command: Vec<String> = std::env::args().skip(1).collect();
        let command = format!("thalweg {}", command.join(" "));
        let network = if matches!(network, Network::Relay(_)) { "relay" } else { "namespaces" };
        Ok(Out { file, path, machine: machine(), command, network })
    }

    /// At once, so that what ends the lab does not take it along.
    fn append(&mut self, trial: &Trial, done: &trial::Done) -> Result<()> {
        let record = Record {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            machine: &self.machine,
            program: PROGRAM,
            command: &self.command,
            network: self.network,
            cell: trial.cell.to_string(),
            rtt_ms: trial.rtt_ms,
            gop_s: trial.gop_s,
            seed: trial.seed,
            seconds: trial.seconds,
            way: trial.way.to_string(),
            kbps: trial.kbps,
            beside: trial.beside.map(thalweg_bench::lab::Cc::name),
            not_run: done.outcome.as_ref().err().map(String::as_str),
            figures: done.outcome.as_ref().ok(),
            publisher: done.sent,
            path: done.carried,
        };
        let line = serde_json::to_string(&record)?;
        writeln!(self.file, "{line}").with_context(|| self.path.display().to_string())
    }
}

/// For the name of a folder, as in `2026-11-22-virtual-2core`.
fn machine_name() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let is_virtual = cpu("flags").is_some_and(|flags| flags.contains(" hypervisor"));
    format!("{}{cores}core", if is_virtual { "virtual-" } else { "" })
}

/// What a reader of a table wants to know of it.
fn machine() -> String {
    let model = cpu("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {model}, Linux {}", machine_name(), kernel.trim())
}

/// A line about the first processor.
fn cpu(name: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

const PROGRAM: &str = if cfg!(debug_assertions) {
    concat!(env!("CARGO_PKG_VERSION"), " debug")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " release")
};
