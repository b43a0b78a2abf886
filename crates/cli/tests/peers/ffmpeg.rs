//! ffmpeg as Debian has it.

use crate::common::Server;
use crate::tools::{Probe, run, run_any, text};

const CLOCK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/assets/clock.flv");

#[test]
fn plays_the_clock() {
    let server = Server::start("ffmpeg-plays");
    let _clock = server.push_clock("clock");
    let urls = server.urls("clock");
    for (url, file) in [(&urls.rtmp, "rtmp.flv"), (&urls.flv, "flv.flv")] {
        let file = server.folder.file(file);
        run("ffmpeg", &["-v", "error", "-i", url, "-t", "3", "-c", "copy", "-f", "flv", &file]);
        Probe::of(&file).assert_clock(3);
    }
}

#[test]
fn probes_the_clock_as_what_it_is() {
    let server = Server::start("ffprobe");
    let _clock = server.push_clock("clock");
    let urls = server.urls("clock");
    for url in [&urls.rtmp, &urls.flv] {
        let show = "stream=codec_name,width,height,avg_frame_rate";
        let output = run("ffprobe", &["-v", "error", "-show_entries", show, "-of", "csv", url]);
        let lines = text(&output);
        assert!(lines.contains("stream,h264,640,360,25/1"), "{lines}");
        assert!(lines.contains("stream,aac"), "{lines}");
        assert_eq!(lines.lines().count(), 2, "and nothing else: {lines}");
    }
}

#[test]
fn pushes_and_every_output_has_it() {
    let server = Server::start("ffmpeg-pushes");
    let urls = server.urls("room");
    let outputs = std::thread::scope(|s| {
        let watch = |url: String, file: String| {
            s.spawn(move || {
                run(
                    "ffmpeg",
                    &["-v", "error", "-i", &url, "-t", "3", "-c", "copy", "-f", "flv", &file],
                );
                file
            })
        };
        let by_rtmp = watch(urls.rtmp.clone(), server.folder.file("rtmp.flv"));
        let by_flv = watch(urls.flv.clone(), server.folder.file("flv.flv"));
        run(
            "ffmpeg",
            &["-v", "error", "-re", "-i", CLOCK, "-t", "6", "-c", "copy", "-f", "flv", &urls.push],
        );
        [by_rtmp.join().unwrap(), by_flv.join().unwrap()]
    });
    for file in outputs {
        Probe::of(&file).assert_clock(3);
    }
}

#[test]
fn is_refused_with_the_reason() {
    let server = Server::start("ffmpeg-refused");
    let urls = server.urls("room");
    let forged = urls.push.replace("txSecret=", "txSecret=0").replace("&txTime", "0&txTime");
    let mut one_wrong = urls.push.clone();
    let at = one_wrong.find("txSecret=").unwrap() + "txSecret=".len();
    let other = if one_wrong.as_bytes()[at] == b'0' { "1" } else { "0" };
    one_wrong.replace_range(at..=at, other);
    for (url, words) in [(&one_wrong, "the signature is wrong"), (&forged, "txSecret must be 32")] {
        let output =
            run_any("ffmpeg", &["-v", "error", "-re", "-i", CLOCK, "-c", "copy", "-f", "flv", url]);
        assert!(!output.status.success());
        assert!(text(&output).contains(words), "{}", text(&output));
    }
    server.wait_for(|line| line["message"] == "refused" && line["reason"] == "auth-bad");
    let output =
        run_any("ffmpeg", &["-v", "error", "-i", &server.urls("nobody").flv, "-f", "null", "-"]);
    assert!(text(&output).contains("404"), "{}", text(&output));
}

#[test]
fn every_way_it_cuts_a_url() {
    let server = Server::start("ffmpeg-urls");
    let (port, key) = (server.rtmp_port, server.urls("room").push);
    let query = key.split_once('?').unwrap().1;
    for path in
        [format!("live/room?{query}"), format!("a/b/room?{query}"), format!("a/b/c/room?{query}")]
    {
        let url = format!("rtmp://127.0.0.1:{port}/{path}");
        run("ffmpeg", &["-v", "error", "-i", CLOCK, "-t", "1", "-c", "copy", "-f", "flv", &url]);
        let app = path.split("/room").next().unwrap().to_owned();
        let stream = format!("1/{app}/room");
        server.wait_for(|line| line["message"] == "publish begins" && line["stream"] == stream);
    }
}

#[test]
fn reads_what_we_write_to_a_pipe() {
    let server = Server::start("ffmpeg-pipe");
    let _clock = server.push_clock("clock");
    let file = server.folder.file("pipe.flv");
    let thalweg = env!("CARGO_BIN_EXE_thalweg");
    let flv = server.urls("clock").flv;
    let line = format!(
        "'{thalweg}' play --quiet --duration 4s -o - '{flv}' | ffmpeg -v error -i - -c copy -f flv '{file}'"
    );
    run("sh", &["-c", &line]);
    Probe::of(&file).assert_clock(3);
}

#[test]
fn writes_a_pipe_that_we_push() {
    let server = Server::start("ffmpeg-stdin");
    let urls = server.urls("room");
    let (thalweg, file) = (env!("CARGO_BIN_EXE_thalweg"), server.folder.file("out.flv"));
    let line = format!(
        "ffmpeg -v error -re -i '{CLOCK}' -t 5 -c copy -f flv - | '{thalweg}' push --quiet '{}' -",
        urls.push
    );
    std::thread::scope(|s| {
        s.spawn(|| run("sh", &["-c", &line]));
        run(
            "ffmpeg",
            &["-v", "error", "-i", &urls.rtmp, "-t", "3", "-c", "copy", "-f", "flv", &file],
        );
    });
    Probe::of(&file).assert_clock(3);
}
