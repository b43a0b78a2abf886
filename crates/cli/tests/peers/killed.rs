//! A server that is killed from one moment to the next while streams begin and end: what it acknowledged is there, and a
//! back end hears of each publication that it began, and then that it ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::console::Console;
use crate::common::{Running, Server, thalweg};

const ROUNDS: u64 = 3;
const STREAMS: u64 = 3;

#[test]
fn whatever_was_acknowledged_is_there_and_was_told_after_kills() {
    let told = Told::listen();
    let settings = "console.callback_allow = [\"127.0.0.0/8\"]\npublish.republish_wait_s = 1";
    let mut server = Server::with("killed", settings);
    let console = server.console();
    let callback = json!({ "callback": { "url": told.url } });
    assert_eq!(console.patch("/api/v1/accounts/1", &callback).0, 200);
    for round in 0..ROUNDS {
        let urls: Vec<String> =
            (0..STREAMS).map(|n| push_url(&console, &format!("r{round}-{n}"))).collect();
        let mut pushes: Vec<Running> = urls.iter().map(|url| push(url)).collect();
        let begun = told.count() + 1;
        wait_until("something began", || told.count() >= begun);
        // Some end, others begin, somebody changes something: and then.
        drop(pushes.pop());
        pushes.push(push(&urls[0]));
        let change = json!({ "name": format!("round {round}") });
        assert_eq!(console.patch("/api/v1/accounts/1", &change).0, 200);
        std::thread::sleep(Duration::from_millis(70 * round));
        server.kill_and_start_again();
        let (status, account) = console.get("/api/v1/accounts/1");
        assert_eq!(
            (status, &account["name"]),
            (200, &change["name"]),
            "somebody was told it is so"
        );
        drop(pushes);
    }
    let history = || -> Vec<Value> {
        let (_, body) = console.get("/api/v1/history?page_size=300");
        body["publications"].as_array().unwrap().clone()
    };
    wait_until("all that began has ended", || history().iter().all(|p| !p["ended"].is_null()));
    let history = history();
    assert!(history.len() as u64 >= ROUNDS, "{history:?}");
    let sequences = || history.iter().map(|p| p["sequence"].as_str().unwrap());
    wait_until("all of it was told", || {
        let told = told.events();
        sequences().all(|s| told.get(s).is_some_and(|events| events.contains(&0)))
    });
    let events = told.events();
    for sequence in sequences() {
        // What was under way when it was killed may be told twice: once more than the back end said 200 to.
        let told = &events[sequence];
        let end = told.iter().position(|event| *event == 0).unwrap();
        assert!(told[..end].contains(&1), "{sequence} ended before it began: {told:?}");
        assert!(told[end..].iter().all(|event| *event == 0), "{sequence} began again: {told:?}");
    }
    let unknown: Vec<_> = events.keys().filter(|s| !sequences().any(|known| known == *s)).collect();
    assert!(unknown.is_empty(), "told of and forgotten: {unknown:?}");
    let database = server.folder.path().join("data/thalweg.db");
    let check = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let said = Command::new("python3").args(["-c", check]).arg(database).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "ok");
}

fn push_url(console: &Console, name: &str) -> String {
    let (status, urls) = console.post("/api/v1/sign", &json!({ "account": "1", "name": name }));
    assert_eq!(status, 200, "{urls}");
    urls["push"]["rtmp"].as_str().unwrap().to_owned()
}

fn push(url: &str) -> Running {
    Running(thalweg().args(["push", "--quiet", url, "clock"]).spawn().unwrap())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(40), "{what}: it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A back end that says 200 to everything.
struct Told {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Told {
    fn listen() -> Told {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // One that is cut off by a kill is not heard.
                if let Some((body, mut stream)) = read(stream) {
                    heard.lock().unwrap().push(body);
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    );
                }
            }
        });
        Told { url, bodies }
    }

    fn count(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    /// What was heard of each publication, in order: 1 that it began, 0 that it ended.
    fn events(&self) -> BTreeMap<String, Vec<u64>> {
        let mut events = BTreeMap::<String, Vec<u64>>::new();
        for body in &*self.bodies.lock().unwrap() {
            let sequence = body["sequence"].as_str().unwrap().to_owned();
            events.entry(sequence).or_default().push(body["event_type"].as_u64().unwrap());
        }
        events
    }
}

fn read(stream: std::net::TcpStream) -> Option<(Value, std::net::TcpStream)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((serde_json::from_slice(&body).ok()?, reader.into_inner()))
}
