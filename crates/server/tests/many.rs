//! Many at once, over real sockets.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{TestServer, essence, exchange, read, send};
use thalweg_client::Player;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_publishers_with_a_viewer_each() {
    let server = TestServer::with(|c| c.limits.strangers_per_address_max = 1000);
    let frames = Recipe::default().frames_for(1000);
    let mut pairs = Vec::new();
    for i in 0..100 {
        let name = format!("s{i}");
        let (push, play) = (server.publish(&name), server.flv_url(&name));
        let (frames, mut publisher) = (frames.clone(), push.await);
        pairs.push(tokio::spawn(async move {
            send(&mut publisher, &frames).await;
            let mut player = Player::connect(&format!("{play}?cache=5000")).await.unwrap();
            let got = read(&mut player, frames.len()).await;
            let media = |frames: &[Frame]| {
                essence(&frames.iter().filter(|f| f.is_media()).cloned().collect::<Vec<_>>())
            };
            assert!(media(&got) == media(&frames), "stream {i}");
            publisher
        }));
    }
    let mut publishers = Vec::new();
    for pair in pairs {
        publishers.push(pair.await.unwrap());
    }
    assert_eq!(server.hub.snapshot(std::time::Instant::now()).streams.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_that_stop_reading_hold_nothing_but_their_sockets() {
    let server = TestServer::start();
    let recipe = Recipe { video_bytes: 20_000, ..Recipe::default() };
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &recipe.frames_for(1000)).await;
    let mut stuck = Vec::new();
    for _ in 0..50 {
        let mut socket = tokio::net::TcpStream::connect(server.http).await.unwrap();
        socket.write_all(b"GET /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 100];
        socket.read_exact(&mut head).await.unwrap();
        stuck.push(socket);
    }
    let mut fine = Player::connect(&server.flv_url("room")).await.unwrap();
    // Half a minute of stream, 15 MB, sent in a few seconds: stuck viewers fall behind and jump.
    let rest: Vec<Frame> =
        recipe.frames_for(30_000).into_iter().filter(|f| f.dts >= 1000 && !f.config).collect();
    let last = rest.last().unwrap().dts;
    let reader = tokio::spawn(async move {
        let mut got = Vec::new();
        while got.last().is_none_or(|f: &Frame| f.dts < last) {
            got.extend(read(&mut fine, 1).await);
        }
        got
    });
    for second in rest.chunks(57) {
        send(&mut publisher, second).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let got = tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap();
    let media = |frames: &[Frame]| {
        let late = frames.iter().filter(|f| f.is_media() && f.dts >= 1000);
        essence(&late.cloned().collect::<Vec<_>>())
    };
    assert!(media(&got) == media(&rest), "who reads gets it all");
    assert!(server.stream("room").kept_bytes < 12 << 20, "the log does not grow for the others");
    let mut late = stuck.pop().unwrap();
    drop(stuck);
    let reads_again = tokio::spawn(async move {
        let mut buf = vec![0; 1 << 16];
        while late.read(&mut buf).await.is_ok_and(|n| n > 0) {}
    });
    server.until("room", |s| s.jumps > 0).await;
    reads_again.abort();
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(exchange(server.http, ask).await.ends_with("ok\n"));
}

#[tokio::test]
async fn one_peers_lies_end_one_connection() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    let frames = Recipe::default().frames_for(1000);
    send(&mut publisher, &frames).await;
    let mut viewer = Player::connect(&server.rtmp_url("room")).await.unwrap();
    let mut handshake = vec![0; 1 + 2 * 1536];
    handshake[0] = 3;
    for lie in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [&handshake[..], b"\xff\xff\xff\xff"].concat(),
        [&handshake[..], b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\0\0"].concat(),
        [&handshake[..], &b"\x03\0\0\0\0\0\x80\x14\0\0\0\0"[..], &[3; 128]].concat(),
        vec![3; 100_000],
    ] {
        exchange(server.rtmp, &lie).await;
    }
    send(&mut publisher, &Recipe { start: 1000, ..Recipe::default() }.frames_for(500)[3..]).await;
    read(&mut viewer, 60).await;
}
