//! Running peers, and looking at what they wrote.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::common::run_within;

/// No peer runs longer than this.
const PEER_MAX: Duration = Duration::from_secs(40);

/// Runs a program that must succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    let output = run_any(program, args);
    assert!(output.status.success(), "{program} {args:?}: {}", text(&output));
    output
}

/// Runs a program that may fail.
pub(crate) fn run_any(program: &str, args: &[&str]) -> Output {
    run_within(Command::new(program).args(args), PEER_MAX)
}

/// What a program said.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// What a file holds, by ffprobe.
pub(crate) struct Probe(Value);

impl Probe {
    pub(crate) fn of(path: &str) -> Probe {
        let args = ["-v", "error", "-count_packets", "-show_streams", "-of", "json", path];
        let output = run("ffprobe", &args);
        Probe(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn stream(&self, kind: &str) -> &Value {
        let streams = self.0["streams"].as_array().unwrap();
        let found = streams.iter().find(|s| s["codec_type"] == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {:#}", self.0))
    }

    /// Codec, width and height.
    pub(crate) fn video(&self) -> (String, u64, u64) {
        let video = self.stream("video");
        let number = |name: &str| video[name].as_u64().unwrap();
        (video["codec_name"].as_str().unwrap().to_owned(), number("width"), number("height"))
    }

    /// Codec.
    pub(crate) fn audio(&self) -> String {
        self.stream("audio")["codec_name"].as_str().unwrap().to_owned()
    }

    /// Bytes of the sound's configuration.
    pub(crate) fn audio_configuration_bytes(&self) -> u64 {
        self.stream("audio")["extradata_size"].as_u64().unwrap_or(0)
    }

    /// Frames of a kind.
    pub(crate) fn frames(&self, kind: &str) -> u64 {
        self.stream(kind)["nb_read_packets"].as_str().unwrap().parse().unwrap()
    }

    /// The clock, and about so many seconds of it: a viewer starts up to a second and a GOP back.
    pub(crate) fn assert_clock(&self, seconds: u64) {
        assert_eq!(self.video(), ("h264".to_owned(), 640, 360));
        assert_eq!(self.audio(), "aac");
        let (pictures, sounds) = (self.frames("video"), self.frames("audio"));
        let range = seconds * 25 - 10..=(seconds + 4) * 25;
        assert!(range.contains(&pictures), "{pictures} pictures, not {range:?}");
        let expected = pictures * 40 / 32;
        assert!(sounds.abs_diff(expected) < 40, "{sounds} sounds for {pictures} pictures");
    }
}
