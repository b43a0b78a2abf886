//! rtmpdump, which is librtmp alone.

use crate::common::Server;
use crate::tools::{Probe, run_any, text};

#[test]
fn plays_the_clock() {
    let server = Server::start("rtmpdump");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("out.flv");
    let url = server.urls("clock").rtmp;
    // A live stream has no end of its own to stop at.
    let rtmpdump = ["-s", "INT", "6", "rtmpdump", "-q", "--live", "-r", &url, "-o", &file];
    let output = run_any("timeout", &rtmpdump);
    let probe = Probe::of(&file);
    assert_eq!(probe.video(), ("h264".to_owned(), 640, 360), "{}", text(&output));
    assert_eq!(probe.audio(), "aac");
    assert!(probe.frames("video") >= 60, "{}", probe.frames("video"));
}

#[test]
fn is_told_that_nobody_publishes() {
    let server = Server::with("rtmpdump-nobody", "play.wait_s = 1");
    let url = server.urls("nobody").rtmp;
    let file = server.folder.file("out.flv");
    let output = run_any("rtmpdump", &["--live", "-r", &url, "-B", "1", "-o", &file]);
    assert!(text(&output).contains("NetStream.Play.StreamNotFound"), "{}", text(&output));
}
