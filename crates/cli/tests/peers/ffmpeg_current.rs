//! A current ffmpeg, which speaks enhanced RTMP.

use crate::common::Server;
use crate::tools::{Probe, run, text};

/// Where `scripts/peers.sh` put it.
fn ffmpeg() -> String {
    std::env::var("FFMPEG_CURRENT").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/ffmpeg-current").to_owned()
    })
}

#[test]
fn plays_the_clock() {
    let server = Server::start("current-plays");
    let _clock = server.push_clock("clock");
    let urls = server.urls("clock");
    for (url, file) in [(&urls.rtmp, "rtmp.flv"), (&urls.flv, "flv.flv")] {
        let file = server.folder.file(file);
        run(&ffmpeg(), &["-v", "error", "-i", url, "-t", "3", "-c", "copy", "-f", "flv", &file]);
        Probe::of(&file).assert_clock(3);
    }
}

#[test]
fn pushes_hevc_and_opus_and_gets_them_back() {
    let server = Server::start("current-hevc");
    let urls = server.urls("room");
    let ffmpeg = ffmpeg();
    let file = server.folder.file("hevc.mkv");
    std::thread::scope(|s| {
        s.spawn(|| {
            let source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"];
            let sound = ["-f", "lavfi", "-i", "sine=sample_rate=48000"];
            let encode = [
                "-t",
                "8",
                "-c:v",
                "libx265",
                "-preset",
                "ultrafast",
                "-x265-params",
                "log-level=none:keyint=25:bframes=0",
                "-c:a",
                "libopus",
                "-f",
                "flv",
                &urls.push,
            ];
            let args = [&["-v", "error", "-re"], &source[..], &["-re"], &sound[..], &encode[..]];
            run(&ffmpeg, &args.concat());
        });
        let play = ["-v", "error", "-i", &urls.rtmp, "-t", "3", "-c", "copy", &file];
        run(&ffmpeg, &play);
    });
    let probe = Probe::of(&file);
    assert_eq!(probe.video(), ("hevc".to_owned(), 320, 240));
    assert_eq!(probe.audio(), "opus");
    assert!(probe.audio_configuration_bytes() >= 19, "an OpusHead");
    assert!(probe.frames("video") >= 60);
}

#[test]
fn is_refused_with_the_reason() {
    let server = Server::start("current-refused");
    let url = format!("rtmp://127.0.0.1:{}/live/room", server.rtmp_port);
    let source = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"];
    let args = [&source[..], &["-t", "1", "-c:v", "libx264", "-f", "flv", &url]].concat();
    let output = crate::tools::run_any(&ffmpeg(), &args);
    assert!(!output.status.success());
    assert!(text(&output).contains("the URL is not signed"), "{}", text(&output));
}
