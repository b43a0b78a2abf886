//! The real program, in a folder of its own, on ports the system chose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    unreachable_pub,
    reason = "each file uses its part, and a helper that panics has said why"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

pub mod console;

pub use thalweg_testkit::folder::Folder;

/// The program under test.
pub fn thalweg() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    environment(&mut command);
    command
}

fn environment(command: &mut Command) -> &mut Command {
    command.env_remove("THALWEG_CONFIG").env("THALWEG_LOG_FORMAT", "json")
}

/// A server in a folder of its own.
pub struct Server {
    child: Child,
    pub folder: Folder,
    pub config: PathBuf,
    pub rtmp_port: u64,
    pub http_port: u64,
    pub operator_port: u64,
    log: mpsc::Receiver<Value>,
    /// What it says besides: where the first administrator begins.
    said: mpsc::Receiver<String>,
}

impl Server {
    pub fn start(name: &str) -> Server {
        Server::with(name, "")
    }

    /// Starts a server whose configuration has these lines too.
    pub fn with(name: &str, more: &str) -> Server {
        Server::behind(name, more, |_| Vec::new())
    }

    /// The same, started by another program: `behind` says which, and its arguments, for a folder of
    /// data.
    pub fn behind(name: &str, more: &str, behind: impl FnOnce(&str) -> Vec<String>) -> Server {
        let folder = Folder::new(name);
        let config = folder.path().join("first.toml");
        let data = folder.file("data");
        let text = |rtmp: u64, http: u64, operator: u64| {
            format!(
                "data_dir = {data:?}\n\
                 rtmp.listen = \"127.0.0.1:{rtmp}\"\n\
                 http.listen = \"127.0.0.1:{http}\"\n\
                 operator.listen = \"127.0.0.1:{operator}\"\n{more}\n"
            )
        };
        std::fs::write(&config, text(0, 0, 0)).unwrap();
        let words = [behind(&data), vec![env!("CARGO_BIN_EXE_thalweg").to_owned()]].concat();
        let (child, log, said) = serve(&words, &config);
        let listening = wait_for(&log, |line| line["message"] == "listening");
        let port = |name: &str| -> u64 {
            listening[name].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
        };
        let (rtmp_port, http_port, operator_port) = (port("rtmp"), port("http"), port("operator"));
        // What sign and check-url read knows the ports.
        let config = folder.path().join("thalweg.toml");
        std::fs::write(&config, text(rtmp_port, http_port, operator_port)).unwrap();
        Server { child, folder, config, rtmp_port, http_port, operator_port, log, said }
    }

    /// Ends it as a power cut does, and starts it anew on the same ports and data.
    pub fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let words = [env!("CARGO_BIN_EXE_thalweg").to_owned()];
        (self.child, self.log, self.said) = serve(&words, &self.config);
        self.wait_for(|line| line["message"] == "listening");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs the program with this server's configuration.
    pub fn run(&self, args: &[&str]) -> Output {
        thalweg().args(args).arg("--config").arg(&self.config).output().unwrap()
    }

    /// The URLs of a stream, as `sign --json` prints them.
    pub fn urls(&self, stream: &str) -> Urls {
        let output = self.run(&["sign", "--json", stream]);
        let urls: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |pointer: &str| urls.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let (push, rtmp, flv) = (text("/push"), text("/play/rtmp"), text("/play/http_flv"));
        Urls { push, rtmp, flv, rtc: text("/play/rtc") }
    }

    /// Its console, with a first administrator.
    pub fn console(&self) -> console::Console {
        console::Console::begin(self.operator_port, &self.setup_token())
    }

    /// What makes the first administrator, as the program prints it.
    pub fn setup_token(&self) -> String {
        let line = self.said.recv_timeout(Duration::from_secs(15)).unwrap();
        let (_, token) = line.split_once("token=").unwrap_or_else(|| panic!("no token: {line}"));
        token.trim().to_owned()
    }

    /// Waits for a line of the log.
    pub fn wait_for(&self, holds: impl Fn(&Value) -> bool) -> Value {
        wait_for(&self.log, holds)
    }

    /// Publishes the test clock until the answer is dropped.
    pub fn push_clock(&self, stream: &str) -> Running {
        let url = self.urls(stream).push;
        let child = thalweg().args(["push", "--quiet", &url, "clock"]).spawn().unwrap();
        self.wait_for(|line| line["message"] == "publish begins");
        Running(child)
    }

    pub fn terminate(&self) {
        kill(&self.child);
    }

    /// Has it read its files again.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    pub fn wait(mut self) -> std::process::ExitStatus {
        wait_child(&mut self.child, Duration::from_secs(15))
    }
}

/// A server of a configuration, its log and what it says besides.
fn serve(
    words: &[String],
    config: &Path,
) -> (Child, mpsc::Receiver<Value>, mpsc::Receiver<String>) {
    let mut child = environment(&mut Command::new(&words[0]))
        .args(&words[1..])
        .args(["serve", "--config"])
        .arg(config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (log, said) = (read_log(&mut child), read_lines(&mut child));
    (child, log, said)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URLs of a stream.
pub struct Urls {
    pub push: String,
    pub rtmp: String,
    pub flv: String,
    pub rtc: String,
}

/// A program that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A demo that runs.
pub struct Demo {
    pub process: Running,
    /// What it said until it ran.
    pub said: String,
    pub stdout: BufReader<ChildStdout>,
}

/// A demo in a folder, on ports the system chose.
pub fn demo_in(folder: &Folder) -> Demo {
    let mut child = thalweg()
        .args(["demo", "--rtmp-port", "0", "--http-port", "0", "--operator-port", "0"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (process, mut said) = (Running(child), String::new());
    while !said.ends_with("Ctrl-C ends the demo.\n") {
        assert!(stdout.read_line(&mut said).unwrap() > 0, "it ended early: {said}");
    }
    Demo { process, said, stdout }
}

/// Asks a process to stop, by its id.
pub fn kill(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

/// Waits for a process that is to end.
pub fn wait_child(child: &mut Child, at_most: Duration) -> std::process::ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > at_most {
            let _ = child.kill();
            panic!("still running after {at_most:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program to its end, within a time.
pub fn run_within(command: &mut Command, at_most: Duration) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let drain = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut out = Vec::new();
            let _ = std::io::Read::read_to_end(&mut pipe.unwrap(), &mut out);
            out
        })
    };
    let stdout = drain(child.stdout.take().map(|p| Box::new(p) as _));
    let stderr = drain(child.stderr.take().map(|p| Box::new(p) as _));
    let status = wait_child(&mut child, at_most);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn read_log(child: &mut Child) -> mpsc::Receiver<Value> {
    let (send, log) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            // Seen when the test fails.
            eprintln!("{line}");
            let _ = send.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
        }
    });
    log
}

fn read_lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (send, said) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    said
}

fn wait_for(log: &mpsc::Receiver<Value>, holds: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match log.recv_timeout(left) {
            Ok(line) if holds(&line) => return line,
            Ok(_) => {}
            Err(e) => panic!("the line did not come: {e}"),
        }
    }
}
