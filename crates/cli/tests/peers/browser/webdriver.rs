//! Chromium, remote controlled, and a server for the pages that it opens.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Folder, Running};

/// A browser with one window.
pub(super) struct Browser {
    port: u16,
    session: String,
    _driver: Running,
    _profile: Folder,
}

impl Browser {
    pub(super) fn open(name: &str) -> Browser {
        let profile = Folder::new(name);
        let mut command = Command::new("chromedriver");
        command.env("HOME", profile.path()).arg("--port=0").stdout(Stdio::piped());
        let mut driver = Running(command.spawn().unwrap());
        let mut lines = BufReader::new(driver.0.stdout.take().unwrap()).lines();
        let said = lines.find(|line| line.as_ref().unwrap().contains("successfully on port"));
        let said = said.unwrap().unwrap();
        let port = said.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=680,720",
        ];
        let options = json!({ "goog:chromeOptions": { "args": args } });
        let mut browser =
            Browser { port, session: String::new(), _driver: driver, _profile: profile };
        let wish = json!({ "capabilities": { "alwaysMatch": options } });
        let opened = browser.ask("POST", "", &wish);
        browser.session = format!("/{}", opened["sessionId"].as_str().unwrap());
        browser
    }

    pub(super) fn go(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// What an expression says on the page.
    pub(super) fn read(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.ask("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until the page's `seen.state` is one of these, and answers all that is seen.
    pub(super) fn wait_for(&self, states: &[&str], at_most: Duration) -> Value {
        let began = Instant::now();
        loop {
            let state = self.read("window.seen && seen.state");
            let state = state.as_str().unwrap_or_default();
            if states.contains(&state) {
                return self.read("seen");
            }
            let is_over = began.elapsed() > at_most || state.starts_with("failed");
            assert!(!is_over, "{state:?}, not {states:?}: {}", self.read(SUMMARY));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Keeps a picture of the page beside what the tests build.
    pub(super) fn photograph(&self, name: &str) {
        let picture = self.ask("GET", "/screenshot", &Value::Null);
        let picture = data_encoding::BASE64.decode(picture.as_str().unwrap().as_bytes()).unwrap();
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(file, picture).unwrap();
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, body) = self.exchange(method, path, body).unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{method} {path}: {status}{body}");
        serde_json::from_str::<Value>(&body).unwrap()["value"].take()
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<(String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} /session{}{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            self.session,
            body.len()
        );
        stream.write_all((head + &body).as_bytes())?;
        let mut answer = BufReader::new(stream);
        let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
        answer.read_line(&mut status)?;
        // The driver keeps the connection, whatever it is asked.
        while line != "\r\n" {
            line.clear();
            answer.read_line(&mut line)?;
            let value = line.to_ascii_lowercase();
            let value = value.strip_prefix("content-length:").map(|n| n.trim().parse());
            length = value.and_then(Result::ok).unwrap_or(length);
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

impl Drop for Browser {
    /// The driver would leave its browser behind.
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.exchange("DELETE", "", &Value::Null);
        }
    }
}

/// Serves the pages to this machine, from where they are secure, and answers the address.
pub(super) fn serve_pages() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A browser opens connections that it may need, and says nothing on them.
            std::thread::spawn(move || serve_page(stream.unwrap()));
        }
    });
    origin
}

fn serve_page(mut stream: TcpStream) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let _ = reader.read_line(&mut line);
    let path = line.split([' ', '?']).nth(1).unwrap_or_default();
    let page = PAGES.iter().find(|(name, ..)| *name == path);
    let (status, kind, text) = page
        .map_or(("404 Not Found", "text/plain", ""), |(_, kind, text)| ("200 OK", *kind, *text));
    // All of the head, or closing would cut the answer off.
    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {}
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let _ = stream.write_all((head + text).as_bytes());
}

/// What is seen, without hundreds of pictures.
const SUMMARY: &str = "window.seen && { ...seen, pictures: seen.pictures?.length }";
const PAGES: [(&str, &str, &str); 3] = [
    ("/play.html", "text/html", include_str!("play.html")),
    ("/publish.html", "text/html", include_str!("publish.html")),
    ("/rtmp_udp.js", "text/javascript", include_str!("rtmp_udp.js")),
];
