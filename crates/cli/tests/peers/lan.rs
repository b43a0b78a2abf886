//! A room: the demo with an authority of its own, and whoever trusts that.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::common::{Folder, Running, thalweg};

/// `demo --lan`, on this machine's own address.
pub(crate) struct Room {
    pub(crate) folder: Folder,
    /// Everything it printed.
    pub(crate) said: String,
    _demo: Running,
}

impl Room {
    pub(crate) fn open(name: &str) -> Room {
        let folder = Folder::new(name);
        let mut command = thalweg();
        command.args(["demo", "--lan", "--public-host", "127.0.0.1"]);
        for port in ["--rtmp-port", "--http-port", "--https-port", "--operator-port"] {
            command.args([port, "0"]);
        }
        let mut demo =
            Running(command.current_dir(folder.path()).stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("SHA-256") {
            said += &lines.next().unwrap().unwrap();
            said.push('\n');
        }
        std::thread::spawn(move || lines.for_each(drop));
        Room { folder, said, _demo: demo }
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> String {
        self.folder.file("thalweg-data/authority/authority.pem")
    }

    /// Where its pages are without TLS, and with `https://`.
    pub(crate) fn http(&self) -> String {
        self.url("http://", "clock.flv").replace("/live/clock.flv", "")
    }

    /// The clock's URL for low delay.
    pub(crate) fn rtc_url(&self) -> String {
        let mut words = self.said.split_whitespace();
        let found = words.find(|w| w.starts_with("rtmp://") && w.contains("/live/clock?"));
        found.unwrap_or_else(|| panic!("no signed URL in {}", self.said)).to_owned()
    }

    /// The first printed URL that begins and ends so.
    pub(crate) fn url(&self, begin: &str, end: &str) -> String {
        let mut words = self.said.split_whitespace();
        let found = words.find(|w| w.starts_with(begin) && w.ends_with(end));
        found.unwrap_or_else(|| panic!("no {begin}...{end} in {}", self.said)).to_owned()
    }
}
