//! `thalweg play --mode rtc` where the network, or the server, goes away in the middle.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Server, run_within, thalweg};

fn play(url: &str, more: &[&str]) -> Command {
    let mut command = thalweg();
    command.args(["play", "--mode", "rtc", url]).args(more);
    command
}

#[test]
fn a_viewer_that_loses_its_server_says_so_and_fails() {
    let server = Server::start("lost-server");
    let clock = server.push_clock("clock");
    let mut play = play(&server.urls("clock").rtc, &["--no-fallback"]);
    let playing = std::thread::spawn(move || run_within(&mut play, Duration::from_secs(60)));
    server.wait_for(|line| line["message"] == "play begins");
    std::thread::sleep(Duration::from_secs(1));
    // At once, and without a word.
    drop(server);
    let output = playing.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("the connection over UDP is over: the peer has been silent"), "{said}");
    assert!(said.contains("freezes 1"), "{said}");
    drop(clock);
}

#[test]
fn a_play_whose_udp_breaks_off_goes_on_over_tcp_in_the_same_file() {
    let server = Server::start("lost-udp");
    let _clock = server.push_clock("clock");
    let path = Path::to(server.rtmp_port as u16);
    let file = server.folder.file("kept.flv");
    let port = path.port.to_string();
    let more = ["--udp-port", &port, "-o", &file, "--duration", "17s"];
    let mut play = play(&server.urls("clock").rtc, &more);
    let playing = std::thread::spawn(move || run_within(&mut play, Duration::from_secs(60)));
    let begins = server.wait_for(|line| line["message"] == "play begins");
    assert_eq!(begins["protocol"], "rtmp-udp", "{begins}");
    std::thread::sleep(Duration::from_secs(1));
    drop(path);
    server.wait_for(|line| line["message"] == "play begins" && line["protocol"] == "rtmp");
    let output = playing.join().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    for words in ["connecting anew (code 2103)", "watching over TCP"] {
        assert!(said.contains(words), "{said}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let kept = std::fs::read(&file).unwrap();
    let times = runtime.block_on(async {
        let mut reader = thalweg_client::source::flv::Reader::new(&kept[..]);
        let mut times = Vec::new();
        while let Ok(Some(frame)) = reader.next_frame().await {
            times.push(frame.dts);
        }
        times
    });
    let last = times.last().copied().unwrap_or_default();
    assert!((11_000..19_000).contains(&last), "the time of the stream goes on: {last} ms");
}

/// A way for UDP to a port of this machine, that ends when it is dropped.
struct Path {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Path {
    fn to(server: u16) -> Path {
        let [front, back] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        back.connect(("127.0.0.1", server)).unwrap();
        let (port, over) = (front.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        let (front, back) = (Arc::new(front), Arc::new(back));
        let viewer = Arc::new(std::sync::Mutex::new(None));
        let (up, down, told, heard) =
            ([front.clone(), back.clone()], [back, front], over.clone(), over.clone());
        let (from, to) = (viewer.clone(), viewer);
        std::thread::spawn(move || {
            let mut bytes = [0; 2048];
            while !told.load(Ordering::Relaxed) {
                if let Ok((n, peer)) = up[0].recv_from(&mut bytes) {
                    *from.lock().unwrap() = Some(peer);
                    let _ = up[1].send(&bytes[..n]);
                }
            }
            // Nothing answers there, and nobody is told.
            std::thread::sleep(Duration::from_secs(30));
        });
        std::thread::spawn(move || {
            let mut bytes = [0; 2048];
            while !heard.load(Ordering::Relaxed) {
                if let (Ok(n), Some(peer)) = (down[0].recv(&mut bytes), *to.lock().unwrap()) {
                    let _ = down[1].send_to(&bytes[..n], peer);
                }
            }
        });
        Path { port, over }
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
