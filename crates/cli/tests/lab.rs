//! `thalweg lab`, as a person types it.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Folder, Running, kill, run_within, thalweg, wait_child};

fn lab(arguments: &[&str]) -> (bool, String, String) {
    let mut lab = thalweg();
    let output = run_within(lab.arg("lab").args(arguments), Duration::from_secs(50));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn its_help_says_what_can_be_asked_for() {
    let (is_well, help, _) = lab(&["--help"]);
    assert!(is_well);
    for words in ["loss-N", "burst-20", "--rtt", "--before", "takes root", "docs/ref/lab.md"] {
        assert!(help.contains(words), "{words}: {help}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_told_what_can() {
    for (option, value, words) in [
        ("--cells", "loss-0,storm", "a cell is loss-N"),
        ("--cells", "loss-51", "from 0 to 50"),
        ("--ways", "rtmp-kcp", "rtmp-udp, rtmp-cubic or rtmp-bbr"),
        ("--cc", "reno", "live, bbr or cubic"),
        ("--rtt", "50,3000", "0..=2000"),
        ("--seeds", "0", "1..=100"),
        ("--before", "192.0.2.1:1935", "is not on this machine"),
    ] {
        let (is_well, _, error) = lab(&[option, value]);
        assert!(!is_well && error.contains(words), "{option} {value}: {error}");
    }
}

#[test]
fn without_networks_tcp_is_not_run_and_that_is_kept() {
    let folder = Folder::new("lab-relay");
    let out = folder.file("runs/lab.jsonl");
    let (is_well, table, notes) =
        lab(&["--relay", "--quick", "--ways", "rtmp-cubic", "--cells", "loss-0", "--out", &out]);
    assert!(is_well, "{notes}");
    assert!(table.contains("| rtmp-tcp cubic | 0 |"), "{table}");
    let run: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(&out).unwrap().trim()).unwrap();
    assert_eq!((run["cell"].as_str(), run["seed"].as_u64()), (Some("loss-0"), Some(1)), "{run}");
    assert!(run["not_run"].as_str().unwrap().contains("--relay"), "{run}");
}

#[test]
fn a_path_stands_before_a_server_for_as_long_as_it_is_wanted() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let to = server.local_addr().unwrap().to_string();
    let mut lab = thalweg();
    lab.args(["lab", "--json", "--before", &to, "--cells", "loss-0", "--rtt", "40"]);
    let mut lab = Running(lab.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(lab.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();

    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.connect(said["address"].as_str().unwrap()).unwrap();
    let (began, mut buffer) = (Instant::now(), [0; 100]);
    client.send(b"there").unwrap();
    let (n, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"there");
    server.send_to(b"and back", from).unwrap();
    let n = client.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"and back");
    assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());

    kill(&lab.0);
    assert!(wait_child(&mut lab.0, Duration::from_secs(10)).success());
    let mut notes = String::new();
    lab.0.stderr.take().unwrap().read_to_string(&mut notes).unwrap();
    assert!(notes.contains("2 packets went through, 0 were lost"), "{notes}");
}

#[test]
fn of_two_paths_none_stands_before_a_server() {
    for more in [["--cells", "loss-0,loss-1"], ["--rtt", "50,100"]] {
        let (is_well, _, error) = lab(&["--before", "127.0.0.1:9", more[0], more[1]]);
        assert!(!is_well && error.contains("one of --cells, and one --rtt"), "{error}");
    }
}

/// Left out by `scripts/peers.sh` where no networks can be made.
#[test]
fn in_networks_of_its_own_a_stream_arrives_whole() {
    let folder = Folder::new("lab-networks");
    let out = folder.file("lab.jsonl");
    let (is_well, _, notes) =
        lab(&["--cells=loss-0", "--seconds=2", "--seeds=1", "--ways=rtmp-cubic", "--out", &out]);
    assert!(is_well, "{notes}");
    let run: serde_json::Value =
        serde_json::from_str(std::fs::read_to_string(&out).unwrap().trim()).unwrap();
    let figures = &run["figures"];
    for (name, value) in [("frames", 60), ("lost", 0), ("audio_frames", 86), ("damaged", 0)] {
        assert_eq!(figures[name], value, "{run}");
    }
    assert!(figures["video"]["p50"].as_f64().unwrap() >= 25.0, "the path takes its time: {run}");
}
