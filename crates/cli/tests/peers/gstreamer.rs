//! GStreamer, with both of its RTMP elements: its own, and librtmp's.

use crate::common::Server;
use crate::tools::{Probe, run};

const PICTURES: &str = "videotestsrc is-live=true num-buffers=150 ! \
     video/x-raw,width=320,height=240,framerate=25/1 ! \
     x264enc tune=zerolatency key-int-max=25 speed-preset=ultrafast ! h264parse ! mux.";
const SOUND: &str = "audiotestsrc is-live=true num-buffers=280 samplesperbuffer=1024 ! \
     audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! mux.";

fn push(element: &str, name: &str) {
    let server = Server::start(name);
    let urls = server.urls("room");
    let file = server.folder.file("out.flv");
    let sink = format!("{element} location={}", urls.push);
    let line = format!("flvmux name=mux streamable=true ! {sink} {PICTURES} {SOUND}");
    std::thread::scope(|s| {
        s.spawn(|| run("sh", &["-c", &format!("gst-launch-1.0 -q {}", quote(&line))]));
        run(
            "ffmpeg",
            &["-v", "error", "-i", &urls.rtmp, "-t", "3", "-c", "copy", "-f", "flv", &file],
        );
    });
    let probe = Probe::of(&file);
    assert_eq!(probe.video(), ("h264".to_owned(), 320, 240));
    assert_eq!(probe.audio(), "aac");
    assert!(probe.frames("video") >= 60, "{}", probe.frames("video"));
}

/// Quotes what a shell would cut: the signature's ampersand.
fn quote(line: &str) -> String {
    line.split_whitespace().map(|word| format!("'{word}' ")).collect()
}

#[test]
fn rtmp2sink_pushes() {
    push("rtmp2sink", "gst-rtmp2sink");
}

#[test]
fn rtmpsink_pushes() {
    push("rtmpsink", "gst-rtmpsink");
}

fn play(element: &str, name: &str) {
    let server = Server::start(name);
    let _clock = server.push_clock("clock");
    let file = server.folder.file("out.flv");
    let url = server.urls("clock").rtmp;
    let line = format!("{element} location={url} num-buffers=400 ! filesink location={file}");
    run("sh", &["-c", &format!("timeout 6 gst-launch-1.0 -q {} || true", quote(&line))]);
    let probe = Probe::of(&file);
    assert_eq!(probe.video(), ("h264".to_owned(), 640, 360));
    assert!(probe.frames("video") >= 60, "{}", probe.frames("video"));
}

#[test]
fn rtmp2src_plays() {
    play("rtmp2src", "gst-rtmp2src");
}

#[test]
fn rtmpsrc_plays() {
    play("rtmpsrc", "gst-rtmpsrc");
}
