//! The console, as a program asks it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// Somebody who is logged in.
pub struct Console {
    port: u64,
    /// What shows who it is.
    pub cookie: String,
}

impl Console {
    /// Makes the first administrator of a server.
    pub fn begin(port: u64, token: &str) -> Console {
        let body = json!({ "token": token, "login": "anna", "password": PASSWORD });
        let answer =
            Console { port, cookie: String::new() }.ask("POST", "/api/v1/setup", Some(&body));
        let cookie = answer.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next());
        let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {answer}")).to_owned();
        Console { port, cookie }
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        parsed(&self.ask("GET", path, None))
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        parsed(&self.ask("POST", path, Some(body)))
    }

    pub fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        parsed(&self.ask("PATCH", path, Some(body)))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> String {
        let body = body.map(Value::to_string).unwrap_or_default();
        let (length, cookie) = (body.len(), &self.cookie);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\nCookie: {cookie}\r\n\r\n{body}",
            port = self.port,
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port as u16)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn parsed(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// The first administrator's.
pub const PASSWORD: &str = "quiet river, seven stones";
