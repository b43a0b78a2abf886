//! `thalweg bench`

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thalweg_bench::media::Recording;
use thalweg_bench::profile::Protocol;
use thalweg_bench::{Media, Outcome, Profile, Target, floor, process, report, trial};
use thalweg_client::Trust;
use thalweg_server::tls::local::{Authority, names_for};

use crate::{files, show, trust};

/// Measure what viewers cost a server.
///
/// Starts a server of its own, publishes to it, has a crowd watch, and says what that cost: in
/// processor time and memory of the server, in delay, in time to the first picture; and whether every
/// picture came, whole. With --floor, the bare kernel does the same work in turn with it; with
/// --compare, another server does. All traffic stays where the URLs lead.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A profile that comes with the program, or a file of your own: see --list.
    #[arg(default_value = "fan-out-small")]
    profile: String,
    /// Say which profiles come with the program, and no more.
    #[arg(long)]
    list: bool,
    /// How often everything is done, in turn.
    #[arg(long, default_value_t = 1, value_name = "TIMES")]
    rounds: usize,
    /// Ms over which the own server, and the floor, gather writes.
    #[arg(long, default_value_t = 100, value_name = "MS")]
    flush: u64,
    /// Measure the bare kernel in the same rounds: what no server can be cheaper than.
    #[arg(long)]
    floor: bool,
    /// Viewers of each stream, instead of the profile's.
    #[arg(long, value_name = "NUMBER")]
    viewers: Option<usize>,
    /// How long to measure, instead of the profile's.
    #[arg(long, value_parser = show::time, value_name = "TIME")]
    duration: Option<Duration>,
    /// Publish this recording, over and over, instead of the test clock at the profile's rate.
    #[arg(long, value_name = "FLV")]
    file: Option<PathBuf>,
    /// Only by this protocol, instead of the profile's: rtmp, http-flv, ws-flv, rtmps or https-flv.
    #[arg(long, value_parser = protocol)]
    only: Option<Protocol>,
    /// Where to push to a server of yours, instead of one that is started. An n in braces stands for the
    /// number of the stream.
    #[arg(long, value_name = "URL")]
    push: Option<String>,
    /// Where to watch it by RTMP.
    #[arg(long, value_name = "URL", requires = "push")]
    rtmp: Option<String>,
    /// Where to watch it by HTTP-FLV.
    #[arg(long, value_name = "URL", requires = "push")]
    http_flv: Option<String>,
    /// Where to watch it by WS-FLV.
    #[arg(long, value_name = "URL", requires = "push")]
    ws_flv: Option<String>,
    /// Where to watch it by RTMPS.
    #[arg(long, value_name = "URL", requires = "push")]
    rtmps: Option<String>,
    /// Where to watch it by HTTPS-FLV.
    #[arg(long, value_name = "URL", requires = "push")]
    https_flv: Option<String>,
    #[command(flatten)]
    trust: trust::Args,
    /// Its process, to know what it uses.
    #[arg(long, requires = "push")]
    pid: Option<u32>,
    /// Another server in the same rounds: where to push to it and to watch it, by RTMP.
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// Its process.
    #[arg(long, value_name = "PID", requires = "compare")]
    compare_pid: Option<u32>,
    /// Core for the servers that are started. Without this, any.
    #[arg(long, value_name = "NUMBER")]
    server_core: Option<usize>,
    /// Core for publishers and viewers. Without this, any.
    #[arg(long, value_name = "NUMBER")]
    load_core: Option<usize>,
    /// Keep every round's outcome in this file, a line of JSON each.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Be the floor: for the program's own use.
    #[arg(long, hide = true)]
    be_floor: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if args.list {
        for (name, text) in Profile::KNOWN {
            let about = Profile::parse(text).map(|p| p.about).unwrap_or_default();
            show::line(format_args!("{name:<16}{about}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let profile = profile(&args)?;
    let files = profile.all() + profile.join_storm + profile.streams + profile.publish_storm;
    if let Err(allowed) = files::allow(files as u64 + FILES_BESIDE) {
        bail!("{files} connections want as many files, and only {allowed} may be open: ulimit -n");
    }
    // Not a thread of the runtime: which core it is on is its own affair.
    let bench = std::thread::spawn(move || {
        let media = media(&args, &profile)?;
        if args.be_floor {
            return be_floor(&media, Duration::from_millis(args.flush));
        }
        Bench::new(args, profile, media)?.run()
    });
    bench.join().unwrap_or_else(|_| bail!("lost to a bug"))
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let found = Protocol::ALL.into_iter().find(|p| p.name() == text);
    found.ok_or_else(|| Protocol::ALL.map(Protocol::name).join(", "))
}

fn profile(args: &Args) -> Result<Profile> {
    let known = Profile::KNOWN.iter().find(|(name, _)| *name == args.profile);
    let mut profile = match known {
        Some((_, text)) => Profile::parse(text)?,
        None => {
            let text = std::fs::read_to_string(&args.profile).with_context(|| {
                format!("{} is no profile (see --list) and no file", args.profile)
            })?;
            Profile::parse(&text).with_context(|| format!("in the profile {}", args.profile))?
        }
    };
    profile.viewers = args.viewers.unwrap_or(profile.viewers);
    profile.duration_s = args.duration.map_or(profile.duration_s, |d| d.as_secs());
    if let Some(only) = args.only {
        profile.protocols = vec![only];
    }
    profile.check()?;
    Ok(profile)
}

fn media(args: &Args, profile: &Profile) -> Result<Media> {
    let Some(path) = &args.file else {
        return Ok(Media::Clock(profile.kbps));
    };
    let recording = Recording::open(path).with_context(|| path.display().to_string())?;
    Ok(Media::Recording(Arc::new(recording)))
}

/// Everything that is measured, and what came of it so far.
struct Bench {
    args: Args,
    profile: Profile,
    media: Media,
    outcomes: Vec<Outcome>,
    bar: ProgressBar,
}

impl Bench {
    fn new(args: Args, profile: Profile, media: Media) -> Result<Bench> {
        let shown = std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        bar.set_style(ProgressStyle::with_template("{bar:30} {msg}")?);
        Ok(Bench { args, profile, media, outcomes: Vec::new(), bar })
    }

    fn run(mut self) -> Result<ExitCode> {
        show::note(format_args!("{}: {}", self.args.profile, self.profile.about));
        for round in 1..=self.args.rounds {
            for protocol in self.profile.protocols.clone() {
                self.measure_own(round, protocol)?;
                if let Some(url) = self.args.compare.clone().filter(|_| protocol == Protocol::Rtmp)
                {
                    let target = Target {
                        name: "compared".to_owned(),
                        push: Some(url.clone()),
                        rtmp: Some(url),
                        pid: self.args.compare_pid,
                        ..Target::default()
                    };
                    self.measure(round, protocol, &target)?;
                }
            }
            if self.args.floor {
                let floor = OwnFloor::start(&self.args)?;
                self.measure(round, Protocol::HttpFlv, &floor.target)?;
            }
        }
        self.bar.finish_and_clear();
        show::line(report::table(&self.outcomes, self.args.floor.then_some(FLOOR)));
        let is_well = self.outcomes.iter().all(|o| report::trouble(o).is_empty());
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn measure_own(&mut self, round: usize, protocol: Protocol) -> Result<()> {
        if let Some(push) = &self.args.push {
            let target = Target {
                name: "yours".to_owned(),
                push: Some(push.clone()),
                rtmp: self.args.rtmp.clone().or_else(|| Some(push.clone())),
                http_flv: self.args.http_flv.clone(),
                ws_flv: self.args.ws_flv.clone(),
                rtmps: self.args.rtmps.clone(),
                https_flv: self.args.https_flv.clone(),
                trust: self.args.trust.trust()?,
                pid: self.args.pid,
            };
            return self.measure(round, protocol, &target);
        }
        // A fresh one each time, so that its memory says something.
        let server = OwnServer::start(&self.args, &self.profile)?;
        self.measure(round, protocol, &server.target)
    }

    fn measure(&mut self, round: usize, protocol: Protocol, target: &Target) -> Result<()> {
        let (bar, rounds) = (&self.bar, self.args.rounds);
        let mut step = |what: &str, part: f64| {
            let (name, protocol) = (&target.name, protocol.name());
            bar.set_message(format!("round {round} of {rounds}: {name}, {protocol}: {what}"));
            bar.set_position((part * 1000.0) as u64);
        };
        let measure = || trial::run(&self.profile, &self.media, protocol, target, &mut step);
        let outcome = process::on_core(self.args.load_core, measure)
            .context("--load-core")?
            .with_context(|| format!("measuring {}", target.name))?;
        if let Some(path) = &self.args.json {
            append(path, &serde_json::to_string(&outcome)?)?;
        }
        let cpu = outcome.cpu_s_per_1000_viewer_s.map_or("?".to_owned(), |c| format!("{c:.3}"));
        self.bar.suspend(|| {
            show::note(format_args!(
                "round {round}: {}, {}: {cpu} CPU s /1000 viewer-s {}",
                target.name,
                protocol.name(),
                report::trouble(&outcome)
            ));
        });
        self.outcomes.push(outcome);
        Ok(())
    }
}

fn append(path: &Path, line: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| path.display().to_string())?;
    Ok(writeln!(file, "{line}")?)
}

/// A program of ours that ends with the measurement.
#[derive(Debug)]
struct Own(Child);

impl Own {
    /// Starts this program with other arguments, on a core.
    fn start(args: &[&str], core: Option<usize>, config: Option<&Path>) -> Result<Own> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        let started = process::on_core(core, || command.spawn()).context("--server-core")?;
        Ok(Own(started?))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server for this measurement, in a folder of its own, with nothing compulsory.
#[derive(Debug)]
struct OwnServer {
    target: Target,
    _process: Own,
    _folder: Folder,
}

impl OwnServer {
    fn start(args: &Args, profile: &Profile) -> Result<OwnServer> {
        let folder = Folder::new()?;
        let config = folder.0.join("thalweg.toml");
        let connections_max = profile.all() + profile.join_storm + profile.streams + 2000;
        let authority = Authority::open(&folder.0.join("authority"))?;
        authority.issue(&names_for("localhost"))?;
        std::fs::write(
            &config,
            format!(
                "rtmp.listen = \"127.0.0.1:0\"\nhttp.listen = \"127.0.0.1:0\"\n\
                 https.listen = \"127.0.0.1:0\"\n\
                 certificate = [{{ chain = \"authority/machine.pem\", key = \"authority/machine.key\" }}]\n\
                 operator.listen = \"127.0.0.1:0\"\nconsole.enabled = false\nplay.flush_ms = {}\n\
                 limits.connections_max = {connections_max}\n\
                 limits.strangers_per_address_max = {connections_max}\n\
                 [[account]]\nbizid = \"1\"\n[[account.domain]]\naction = \"push\"\nauth = false\n",
                args.flush
            ),
        )?;
        // It may log about every viewer, and nobody reads that: only where it listens.
        let mut process =
            Own::start(&["serve", "--log-format", "json"], args.server_core, Some(&config))?;
        let log = process.0.stderr.take().context("no log")?;
        let [rtmp, http, https] = listening(log)?;
        let trust = Trust::system().and(authority.certificate().as_bytes());
        let target = Target {
            name: "thalweg".to_owned(),
            push: Some(format!("rtmp://{rtmp}/live/s{{n}}")),
            rtmp: Some(format!("rtmp://{rtmp}/live/s{{n}}")),
            http_flv: Some(format!("http://{http}/live/s{{n}}.flv")),
            ws_flv: Some(format!("ws://{http}/live/s{{n}}.flv")),
            rtmps: Some(format!("rtmps://{rtmp}/live/s{{n}}")),
            https_flv: Some(format!("https://{https}/live/s{{n}}.flv")),
            trust: trust.map_err(|words| anyhow!(words))?,
            pid: Some(process.0.id()),
        };
        Ok(OwnServer { target, _process: process, _folder: folder })
    }
}

/// Reads a server's log until it says where it listens, and goes on reading in the background.
pub(super) fn listening(log: impl std::io::Read + Send + 'static) -> Result<[String; 3]> {
    let mut lines = BufReader::new(log).lines();
    let mut before = Vec::new();
    for line in &mut lines {
        let line = line?;
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if said["message"] == "listening" {
            let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
            let places = ["rtmp", "http", "https"].map(text);
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(places);
        }
        before.push(line);
    }
    bail!("the server did not start: {}", before.join("\n"))
}

/// The bare kernel, as a process of its own so that its use can be told from the load's.
#[derive(Debug)]
struct OwnFloor {
    target: Target,
    _process: Own,
}

impl OwnFloor {
    fn start(args: &Args) -> Result<OwnFloor> {
        let flush = args.flush.to_string();
        let mut arguments = vec!["bench", &args.profile, "--be-floor", "--flush", &flush];
        if let Some(file) = &args.file {
            arguments.extend(["--file", file.to_str().context("a file name that is no text")?]);
        }
        let mut process = Own::start(&arguments, args.server_core, None)?;
        let mut address = String::new();
        BufReader::new(process.0.stdout.take().context("no output")?).read_line(&mut address)?;
        let target = Target {
            name: FLOOR.to_owned(),
            http_flv: Some(format!("http://{}/s{{n}}.flv", address.trim())),
            pid: Some(process.0.id()),
            ..Target::default()
        };
        Ok(OwnFloor { target, _process: process })
    }
}

fn be_floor(media: &Media, batch: Duration) -> Result<ExitCode> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    show::line(listener.local_addr()?);
    floor::serve(listener, media, batch)?;
    Ok(ExitCode::SUCCESS)
}

/// A folder that goes away.
#[derive(Debug)]
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("thalweg-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const FILES_BESIDE: u64 = 64;
const FLOOR: &str = "floor";
