//! A store that does not work while much is counted: no frame is lost, an operator is told within seconds, and
//! what could not be counted is marked. Its disk is full, or another program has the database locked.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use thalweg_client::source::flv;
use thalweg_wire::media::Kind;

use crate::common::console::Console;
use crate::common::{Running, Server, kill, thalweg, wait_child};

#[test]
fn on_a_full_disk_media_go_on_and_the_gap_is_marked() {
    SHORT.tell(&Server::behind("outage-full", SETTINGS, on_a_small_disk), full);
}

#[test]
fn with_the_database_locked_media_go_on_and_the_gap_is_marked() {
    SHORT.tell(&Server::with("outage-locked", SETTINGS), locked);
}

#[test]
#[ignore = "a measurement of a minute and a half: make long"]
fn for_a_minute_on_a_full_disk() {
    LONG.tell(&Server::behind("outage-full-long", SETTINGS, on_a_small_disk), full);
}

#[test]
#[ignore = "a measurement of a minute and a half: make long"]
fn for_a_minute_with_the_database_locked() {
    LONG.tell(&Server::with("outage-locked-long", SETTINGS), locked);
}

/// How a story goes.
struct Story {
    /// How long the store does not work at least; it goes on until something is lost.
    outage: Duration,
    /// How soon an operator is told.
    told_within: Duration,
    /// Whether somebody watches over UDP too. What is late there is left out, on a busy machine as well.
    over_udp: bool,
}

/// A bound that ends a hang, whatever else the machine does.
const SHORT: Story =
    Story { outage: Duration::ZERO, told_within: Duration::from_secs(20), over_udp: false };
/// What is promised.
const LONG: Story =
    Story { outage: Duration::from_secs(60), told_within: Duration::from_secs(5), over_udp: true };

/// There is room for ten seconds of what the crowd comes to.
const SETTINGS: &str = "play.wait_s = 12\n\
                        limits.strangers_per_address_max = 10000\n\
                        limits.counts_waiting_max = 2000";

impl Story {
    fn tell(&self, server: &Server, break_it: impl FnOnce(&Server) -> Broken) {
        let console = server.console();
        let sign = json!({ "account": "1", "name": "clock" });
        let (status, urls) = console.post("/api/v1/sign", &sign);
        assert_eq!(status, 200, "{urls}");
        let url = |pointer: &str| urls.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let push = thalweg().args(["push", "--quiet", &url("/push/rtmp"), "clock"]).spawn();
        let _push = Running(push.unwrap());
        server.wait_for(|line| line["message"] == "publish begins");
        let udp = self.over_udp.then_some("rtc");
        let doors = ["rtmp", "flv", "ws"].into_iter().chain(udp);
        let viewers: Vec<_> =
            doors.map(|door| Viewer::start(server, door, &url(&format!("/play/{door}")))).collect();

        let crowd = Crowd::default();
        std::thread::scope(|s| {
            let _over = Over(&crowd.is_over);
            let (crowd, port) = (&crowd, server.http_port as u16);
            s.spawn(move || crowd.come(port));
            // Before the journal of a new database has grown to where it begins anew, in room it has.
            std::thread::sleep(Duration::from_secs(5));
            let (began, from) = (Instant::now(), unix_s());
            let broken = break_it(server);
            let told = wait_for(&console, |codes| codes.contains(&"store"), self.told_within);
            wait_for(&console, |codes| codes.contains(&"statistics-gap"), Duration::from_secs(60));
            std::thread::sleep(self.outage.saturating_sub(began.elapsed()));
            let lost = lost(&console);
            assert!(lost > 0);
            drop(broken);
            let lasted = began.elapsed();
            let is_well = |codes: &[&str]| !codes.iter().any(|c| *c != "callbacks-failing");
            let healed = wait_for(&console, is_well, Duration::from_secs(30));
            let (asked, to) = (crowd.asked.load(Relaxed), unix_s());
            let stored = assert_marked(&console, from, to, asked.saturating_sub(lost));
            println!(
                "told after {:.1} s; {asked} counts, 200 a second, {lost} of them lost in an outage of \
                 {:.0} s, {stored} stored; well again after {:.1} s",
                told.as_secs_f64(),
                lasted.as_secs_f64(),
                healed.as_secs_f64(),
            );
        });
        for viewer in viewers {
            viewer.assert_whole();
        }
    }
}

/// What ends an outage when it is dropped.
enum Broken {
    Full(PathBuf),
    Locked(Child),
}

impl Drop for Broken {
    fn drop(&mut self) {
        match self {
            Broken::Full(file) => std::fs::remove_file(file).unwrap(),
            Broken::Locked(other) => {
                kill(other);
                let _ = other.wait();
            }
        }
    }
}

/// A file system of 16 MB for the data, which goes away with the program that is started on it.
fn on_a_small_disk(data: &str) -> Vec<String> {
    let mount = "mkdir -p \"$1\" && mount -t tmpfs -o size=16m,mode=0700 none \"$1\" && shift && \
                 exec \"$@\"";
    ["unshare", "--mount", "sh", "-c", mount, "sh", data].map(str::to_owned).to_vec()
}

/// Fills that file system. It is seen by the server alone, and by whoever looks through its eyes.
fn full(server: &Server) -> Broken {
    let data = server.folder.file("data");
    let path = PathBuf::from(format!("/proc/{}/root{data}/filler", server.pid()));
    let mut file = File::create(&path).unwrap();
    for size in [1 << 16, 1] {
        let error = loop {
            if let Err(error) = file.write_all(&vec![7; size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }
    Broken::Full(path)
}

/// Another program begins to write into the database, and does not end.
fn locked(server: &Server) -> Broken {
    let script = "import sqlite3, sys, time\n\
                  database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n\
                  database.execute('BEGIN EXCLUSIVE')\n\
                  print('locked', flush=True)\n\
                  time.sleep(600)";
    let file = server.folder.file("data/thalweg.db");
    let mut other =
        Command::new("python3").args(["-c", script, &file]).stdout(Stdio::piped()).spawn().unwrap();
    let mut word = [0; 6];
    other.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"locked");
    Broken::Locked(other)
}

/// People who ask for streams that are not there, each for another one: 200 a second, and each of them is
/// a count of a stream's minute. They stay until they have been seen.
#[derive(Default)]
struct Crowd {
    asked: AtomicU64,
    is_over: AtomicBool,
}

impl Crowd {
    fn come(&self, port: u16) {
        // There are 2200 of them at a time.
        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum;
        setrlimit(Resource::Nofile, files).unwrap();
        let mut inside: VecDeque<(Instant, TcpStream)> = VecDeque::new();
        let began = Instant::now();
        while !self.is_over.load(Relaxed) {
            let asked = self.asked.load(Relaxed);
            let due = began + Duration::from_millis(asked * 1000 / CROWD_PER_S);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            while inside.front().is_some_and(|(since, _)| since.elapsed() > STAY) {
                inside.pop_front();
            }
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let head = format!("GET /live/nobody-{asked}.flv HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            inside.push_back((Instant::now(), stream));
            self.asked.store(asked + 1, Relaxed);
        }
    }
}

/// However it ends: a story that fails does not wait for its crowd.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Waits until what an operator is told is this. Answers how long that took.
fn wait_for(console: &Console, holds: impl Fn(&[&str]) -> bool, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let (status, overview) = console.get("/api/v1/overview");
        assert_eq!(status, 200, "{overview}");
        let problems = overview["problems"].as_array().unwrap();
        let codes: Vec<&str> = problems.iter().map(|p| p["code"].as_str().unwrap()).collect();
        if holds(&codes) {
            return began.elapsed();
        }
        assert!(began.elapsed() < within, "after {within:?} an operator is told {problems:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How many counts are lost, as the operator is told.
fn lost(console: &Console) -> u64 {
    let (_, overview) = console.get("/api/v1/overview");
    let problems = overview["problems"].as_array().unwrap().iter();
    let of_gap = problems.filter(|p| p["code"] == "statistics-gap");
    let words = of_gap.map(|p| p["message"].as_str().unwrap()).collect::<String>();
    let words: Vec<&str> = words.split(' ').collect();
    let at = words.iter().position(|word| *word == "counts").unwrap();
    words[at - 1].parse().unwrap()
}

/// That the graph says where counts are missing, and that so many are there that are not lost. Answers how
/// many.
fn assert_marked(console: &Console, from: u64, to: u64, counts: u64) -> u64 {
    // Of the last ten seconds nobody has looked at the streams yet, and some ask while this is asked.
    let least = counts.saturating_sub(12 * CROWD_PER_S);
    let span = format!("from={}&to={}&step=60", (from - 60) / 60 * 60, to + 60);
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, graph) = console.get(&format!("/api/v1/statistics?account=1&{span}"));
        assert_eq!(status, 200, "{graph}");
        let points = graph["points"].as_array().unwrap();
        let gaps = points.iter().filter(|p| p["gap"] == true).map(|p| p["at"].as_u64().unwrap());
        let is_marked = gaps.clone().count() > 0;
        assert!(gaps.into_iter().all(|at| at + 60 > from && at <= to), "{graph}");
        let stored: u64 = points.iter().map(|p| p["viewers_max"].as_u64().unwrap()).sum();
        if is_marked && stored >= least {
            return stored;
        }
        assert!(Instant::now() < end, "{stored} of {least} counts, and gaps as in {graph}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Somebody who watches the clock all the time, and keeps what comes.
struct Viewer {
    door: &'static str,
    child: Child,
    file: String,
    since: Instant,
}

impl Viewer {
    fn start(server: &Server, door: &'static str, url: &str) -> Viewer {
        let file = server.folder.file(&format!("{door}.flv"));
        let mode = if door == "rtc" { "rtc" } else { "live" };
        let arguments = ["play", "--quiet", "--mode", mode, "-o", &file, url];
        let child = thalweg().args(arguments).spawn().unwrap();
        server.wait_for(|line| line["message"] == "play begins");
        Viewer { door, child, file, since: Instant::now() }
    }

    /// Every frame that was sent is there, to the end.
    fn assert_whole(mut self) {
        let watched_ms = self.since.elapsed().as_millis() as i64;
        kill(&self.child);
        assert!(wait_child(&mut self.child, Duration::from_secs(15)).success());
        let kept = std::fs::read(&self.file).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
        runtime.block_on(async {
            let mut reader = flv::Reader::new(&kept[..]);
            while let Some(frame) = reader.next_frame().await.unwrap() {
                match frame.kind {
                    Kind::Video if frame.is_media() => pictures.push(frame.dts),
                    Kind::Audio if frame.is_media() => sounds.push(frame.dts),
                    _ => {}
                }
            }
        });
        for (what, times, step) in [("picture", pictures, 40), ("sound", sounds, 32)] {
            let door = self.door;
            let last = times.last().copied().unwrap_or_default();
            assert!(last + 5000 > watched_ms, "{door}: the last {what} is of {last} ms");
            // A file begins with time 0, whatever came a little before.
            let times: Vec<i64> = times.into_iter().filter(|dts| *dts > 0).collect();
            for pair in times.windows(2) {
                let [before, after] = [pair[0], pair[1]];
                assert_eq!(after - before, step, "{door}: a {what} is missing after {before} ms");
            }
        }
    }
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// So many counts come to the statistics.
const CROWD_PER_S: u64 = 200;
/// Streams are looked at every ten seconds.
const STAY: Duration = Duration::from_secs(11);
