//! One stream over one path, once: everything is made for it, and gone after it.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use thalweg_access::{Key, Scheme};
use thalweg_bench::lab::ends::Sent;
use thalweg_bench::lab::{Bridge, Carried, Cc, Cell, Figures, Namespaces, Relay, Run, Side, Way};
use thalweg_bench::process::{monotonic_ns, put_first};

use super::end::{Began, Ready, Took, When};
use crate::cmds::bench::{Folder, listening};
use crate::show;

/// What is run.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) cell: Cell,
    pub(super) rtt_ms: u64,
    pub(super) gop_s: u64,
    pub(super) seed: u64,
    pub(super) seconds: u64,
    pub(super) way: Way,
    /// Of pictures.
    pub(super) kbps: u64,
    /// The congestion control of a greedy flow of TCP beside the stream.
    pub(super) beside: Option<Cc>,
}

/// What it is run in.
#[derive(Debug)]
pub(super) enum Network {
    /// Two networks of its own for each run: what the kernel remembers of a path is forgotten with it.
    Namespaces,
    /// A relay of UDP on loopback, and why there is no TCP.
    Relay(String),
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    /// Or why it was not run.
    pub(super) outcome: Result<Figures, String>,
    pub(super) sent: Option<Sent>,
    pub(super) carried: Option<Carried>,
}

impl Trial {
    /// Runs it. `None` when it was told to stop meanwhile.
    pub(super) fn run(&self, network: &Network, stop: &AtomicBool) -> Option<Done> {
        let done = match self.measure(network, stop) {
            Ok(done) => done,
            Err(error) => Done { outcome: Err(format!("{error:#}")), sent: None, carried: None },
        };
        (!stop.load(Ordering::Relaxed)).then_some(done)
    }

    /// What it came to, to be put into a table.
    pub(super) fn with(self, outcome: Result<Figures, String>) -> Run {
        let Trial { cell, rtt_ms, gop_s, seed, way, .. } = self;
        Run { cell, rtt_ms, gop_s, seed, way, outcome }
    }

    /// How long it takes at most, if all goes well.
    pub(super) fn estimate(&self) -> Duration {
        WARM_UP + Duration::from_secs(self.seconds + self.gop_s) + BESIDE
    }

    fn measure(&self, network: &Network, stop: &AtomicBool) -> Result<Done> {
        let place = Place::new(network, self.way)?;
        if let (Place::Loopback, Some(_)) = (&place, self.beside) {
            bail!("a flow beside it needs two networks");
        }
        let folder = Folder::new()?;
        let mut server = self.server(&place, &folder)?;
        let log = server.child.stderr.take().context("no log")?;
        let [rtmp, ..] = listening(log)?;
        let port = rtmp.rsplit(':').next().unwrap_or_default();

        let push = format!("rtmp://127.0.0.1:{port}/live/{STREAM}");
        let gop = format!("--gop={}", self.gop_s);
        let kbps = format!("--kbps={}", self.kbps);
        let mut publisher = End::start(&place, Side::Server, &["publish", &push, &gop, &kbps])?;
        let Began { began_ns } = serde_json::from_str(&publisher.line(START_MAX, stop)?)?;

        // The path is there from the viewer's first packet on; its time begins with what counts.
        let from_ns = monotonic_ns() + WARM_UP.as_nanos() as u64;
        let when = When { gop: self.gop_s, began_ns, from_ns, seconds: self.seconds };
        let path = place.join(self, port.parse()?, when.window().ns.start)?;
        let play = play_url(path.server());
        let mut arguments = vec!["view", &play];
        if matches!(self.way, Way::RtmpUdp(_)) {
            arguments.push("--udp");
        }
        let when = when.arguments();
        arguments.extend(when.iter().map(String::as_str));
        let mut flow = self.beside.map(|cc| Flow::start(&place, cc, &when, stop)).transpose()?;
        let mut viewer = End::start(&place, Side::Viewer, &arguments)?;
        let figures = viewer.line(self.estimate() + START_MAX, stop)?;
        let mut figures: Figures = serde_json::from_str(&figures)?;
        if let Some(flow) = &mut flow {
            let Took { kbit_per_s } = serde_json::from_str(&flow.taker.line(FINISH_MAX, stop)?)?;
            figures.beside_kbit_per_s = Some(kbit_per_s);
        }

        let sent = publisher.finish(stop)?;
        Ok(Done {
            outcome: Ok(figures),
            sent: Some(serde_json::from_str(&sent)?),
            carried: Some(path.stop()),
        })
    }

    fn server(&self, place: &Place, folder: &Folder) -> Result<End> {
        let listen = match place {
            Place::Namespaces(_) => "0.0.0.0:1935",
            Place::Loopback => "127.0.0.1:0",
        };
        let config = folder.0.join("thalweg.toml");
        std::fs::write(
            &config,
            format!(
                "rtmp.listen = \"{listen}\"\nhttp.listen = \"127.0.0.1:0\"\n\
                 operator.listen = \"127.0.0.1:0\"\nconsole.enabled = false\nplay.flush_ms = 0\nplay.cache_ms = 0\n{}\
                 [[account]]\nbizid = \"1\"\n\
                 [[account.domain]]\naction = \"push\"\nauth = false\n\
                 [[account.domain]]\naction = \"play\"\nkey = \"{KEY}\"\n",
                self.udp_config()
            ),
        )?;
        let config = config.to_str().context("a temporary folder whose name is no text")?;
        let arguments = ["serve", "--log-format", "json", "--config", config];
        End::start(place, Side::Server, &arguments)
    }

    /// The keys of the configuration that let a server speak RTMP-UDP with a congestion control.
    fn udp_config(&self) -> &'static str {
        match self.way {
            Way::RtmpUdp(Cc::Live) => "udp.congestion = \"live\"\n",
            Way::RtmpUdp(Cc::Bbr) => "udp.congestion = \"bbr\"\n",
            Way::RtmpUdp(Cc::Cubic) => "udp.congestion = \"cubic\"\n",
            Way::RtmpTcp(_) => "",
        }
    }
}

/// A greedy flow from server to viewer, over the same path.
struct Flow {
    _sender: End,
    taker: End,
}

impl Flow {
    fn start(place: &Place, cc: Cc, when: &[String], stop: &AtomicBool) -> Result<Flow> {
        let mut sender = End::start(place, Side::Server, &["greedy", cc.name()])?;
        let Ready { port } = serde_json::from_str(&sender.line(START_MAX, stop)?)?;
        let from = SocketAddr::from((Side::Server.address(), port)).to_string();
        let when = when.iter().map(String::as_str);
        let arguments: Vec<&str> = ["take", &from].into_iter().chain(when).collect();
        let taker = End::start(place, Side::Viewer, &arguments)?;
        Ok(Flow { _sender: sender, taker })
    }
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trial { cell, rtt_ms, gop_s, seed, way, .. } = self;
        write!(f, "{cell}, RTT {rtt_ms} ms, GOP {gop_s} s, seed {seed}, {way}")
    }
}

/// Where the programs of a run are.
enum Place {
    Namespaces(Namespaces),
    Loopback,
}

impl Place {
    fn new(network: &Network, way: Way) -> Result<Place> {
        let namespaces = match (network, way) {
            (Network::Namespaces, _) => Namespaces::new()?,
            (Network::Relay(_), Way::RtmpUdp(_)) => return Ok(Place::Loopback),
            (Network::Relay(why), Way::RtmpTcp(_)) => bail!("{why}"),
        };
        if let Way::RtmpTcp(cc) = way {
            let name = cc.name();
            namespaces
                .set_congestion_control(Side::Server, name)
                .with_context(|| format!("this kernel has no {name}: modprobe tcp_{name}"))?;
        }
        Ok(Place::Namespaces(namespaces))
    }

    /// A command on one of its sides.
    fn command(&self, side: Side, program: &Path) -> Command {
        match self {
            Place::Namespaces(namespaces) => namespaces.command(side, program),
            Place::Loopback => Command::new(program),
        }
    }

    /// Puts the path between server and viewer; its time begins at that moment.
    fn join(&self, trial: &Trial, port: u16, began_ns: u64) -> Result<Joint> {
        let began = Instant::now() + Duration::from_nanos(began_ns.saturating_sub(monotonic_ns()));
        let path = trial.cell.path(Duration::from_millis(trial.rtt_ms), trial.seconds);
        match self {
            Place::Namespaces(namespaces) => {
                let bridge = Bridge::start(namespaces, &path, trial.seed, began)?;
                Ok(Joint::Bridge(bridge, (Side::Server.address(), port).into()))
            }
            Place::Loopback => {
                let server = (Ipv4Addr::LOCALHOST, port).into();
                Ok(Joint::Relay(Relay::start_at(server, &path, trial.seed, began)?))
            }
        }
    }
}

/// The path at work.
enum Joint {
    Bridge(Bridge, SocketAddr),
    Relay(Relay),
}

impl Joint {
    /// Where a viewer finds the server.
    fn server(&self) -> SocketAddr {
        match self {
            Joint::Bridge(_, server) => *server,
            Joint::Relay(relay) => relay.address(),
        }
    }

    fn stop(self) -> Carried {
        match self {
            Joint::Bridge(bridge, _) => bridge.stop(),
            Joint::Relay(relay) => relay.stop(),
        }
    }
}

/// A program of ours on one side, that ends with the run.
struct End {
    child: Child,
    lines: Receiver<String>,
}

impl End {
    fn start(place: &Place, side: Side, arguments: &[&str]) -> Result<End> {
        let mut command = place.command(side, &std::env::current_exe()?);
        command.arg("lab-end").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start a program of our own")?;
        put_first(rustix::process::Pid::from_child(&child), true);
        let stdout = BufReader::new(child.stdout.take().context("no output")?);
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        Ok(End { child, lines })
    }

    /// Its next line.
    fn line(&mut self, within: Duration, stop: &AtomicBool) -> Result<String> {
        let until = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(LOOK_EACH) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => bail!("{}", self.last_words()),
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => bail!("stopped"),
                Err(RecvTimeoutError::Timeout) if Instant::now() > until => {
                    bail!("a program of the lab has said nothing for {} s", within.as_secs())
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Lets it finish, and hears its last line.
    fn finish(&mut self, stop: &AtomicBool) -> Result<String> {
        drop(self.child.stdin.take());
        self.line(FINISH_MAX, stop)
    }

    /// Why it has ended.
    fn last_words(&mut self) -> String {
        let mut words = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What is no text is not worth hearing.
            let _ = stderr.take(WORDS_BYTES_MAX).read_to_string(&mut words);
        }
        let words = words.trim().trim_start_matches("thalweg: ");
        if words.is_empty() {
            "a program of the lab ended without a word".into()
        } else {
            words.into()
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Signed, because RTMP-UDP asks for that; for RTMP it means that every frame is sent at once.
fn play_url(server: SocketAddr) -> String {
    let time = format!("{:X}", show::now_unix_s() + URL_GOOD_FOR.as_secs());
    let secret = Key::new(KEY).sign(Scheme::Md5, STREAM, &time);
    format!("rtmp://{server}/live/{STREAM}?bizid=1&txSecret={secret}&txTime={time}")
}

const STREAM: &str = "lab";
/// No secret: whoever could use it is this machine's.
const KEY: &str = "a-key-for-a-run-of-the-lab";
const URL_GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// Before what counts, for congestion controls to find their rate. At least: up to a GOP longer.
const WARM_UP: Duration = Duration::from_secs(2);
/// What a run takes besides: starting, a viewer's grace, stopping.
const BESIDE: Duration = Duration::from_secs(7);
const START_MAX: Duration = Duration::from_secs(10);
const FINISH_MAX: Duration = Duration::from_secs(5);
const LOOK_EACH: Duration = Duration::from_millis(50);
const WORDS_BYTES_MAX: u64 = 64 << 10;
