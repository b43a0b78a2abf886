//! The HTTP side: what browsers, players and strangers ask.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{TestServer, exchange, read, send};
use thalweg_client::Player;
use thalweg_testkit::corpus;
use thalweg_testkit::manual::assert_knows_metrics;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Kind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_browser_may_ask_from_another_page() {
    let server = TestServer::start();
    let options = server.http("OPTIONS /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(options.starts_with("HTTP/1.1 204 No Content\r\n"), "{options}");
    for header in ["Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: GET, HEAD"] {
        assert!(options.contains(header), "{options}");
    }
}

#[tokio::test]
async fn head_says_whether_it_is_live() {
    let server = TestServer::start();
    let ask = "HEAD /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n";
    let began = std::time::Instant::now();
    assert!(server.http(ask).await.starts_with("HTTP/1.1 404 "));
    assert!(began.elapsed() < Duration::from_secs(1), "at once, not after the wait");
    let streams = server.hub.snapshot(std::time::Instant::now()).streams;
    assert!(streams.is_empty(), "whoever only looks makes no stream");
    let _publisher = server.publish("room").await;
    let answer = server.http(ask).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "and no body: {answer}");
}

#[tokio::test]
async fn other_methods_and_paths() {
    let server = TestServer::start();
    for (request, status) in [
        ("POST /live/room.flv HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405 "),
        ("GET /room.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /live/%2e%2e.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /live/..%2f..%2fetc.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /live/%zz.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /api/room.flv HTTP/1.1\r\nHost: x\r\n\r\n", "400 "),
        ("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "404 "),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "404 "),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 "),
        ("GET / HTTP/4.2\r\n\r\n", "400 "),
        ("\x16\x03\x01\x02\0\x01\0", "400 "),
    ] {
        let answer = server.http(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer}");
        corpus::holds("http_head", request, request.as_bytes());
    }
    let tls = server.http("\x16\x03\x01\x02\0\x01\0").await;
    assert!(tls.contains("plain HTTP port"), "{tls}");
}

#[tokio::test]
async fn a_head_that_never_ends() {
    let server = TestServer::start();
    let long = format!("GET /live/room.flv HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(9000));
    assert!(server.http(&long).await.starts_with("HTTP/1.1 400 "));
    let mut slow = tokio::net::TcpStream::connect(server.http).await.unwrap();
    slow.write_all(b"GET /live/room.flv HTTP/1.1\r\n").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(7), slow.read_to_string(&mut answer));
    read.await.expect("cut after five seconds").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn only_one_kind() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(1000)).await;
    for (query, flags, unwanted) in
        [("onlyAudio=1", 0b100, Kind::Video), ("onlyVideo=1", 0b001, Kind::Audio)]
    {
        let url = format!("{}?{query}", server.flv_url("room"));
        let mut player = Player::connect(&url).await.unwrap();
        let frames = read(&mut player, 20).await;
        assert!(frames.iter().all(|f| f.kind != unwanted), "{query}");
        let ask = format!("GET /live/room.flv?{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut raw = tokio::net::TcpStream::connect(server.http).await.unwrap();
        raw.write_all(ask.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 4000];
        let n = raw.read(&mut bytes).await.unwrap();
        let flv = bytes[..n].windows(4).position(|w| w == b"FLV\x01").unwrap();
        assert_eq!(bytes[flv + 4], flags, "the file header announces only what comes");
    }
}

#[tokio::test]
async fn cache_chooses_how_far_behind_a_viewer_starts() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(5000)).await;
    server.until("room", |s| s.kept_frames >= Recipe::default().frames_for(5000).len()).await;
    for (query, want) in
        [("", 3000), ("?cache=0", 4000), ("?cache=2500", 2000), ("?cache=99999", 0)]
    {
        for url in [server.rtmp_url("room"), server.flv_url("room")] {
            let mut player = Player::connect(&format!("{url}{query}")).await.unwrap();
            let frames = read(&mut player, 4).await;
            let first = frames.iter().find(|f| f.is_media()).unwrap();
            assert_eq!((first.dts, first.key), (want, true), "{url}{query}");
        }
    }
}

#[tokio::test]
async fn an_operator_bounds_how_deep_a_start_may_be() {
    let server = TestServer::with(|c| (c.play.cache_ms, c.play.cache_max_ms) = (0, 1000));
    let mut publisher = server.publish("room").await;
    let all = Recipe::default().frames_for(9000);
    let bytes: usize = all.iter().map(|f| f.payload.len()).sum();
    send(&mut publisher, &all).await;
    server.until("room", |s| s.bytes_in == bytes as u64).await;
    let a_second_and_a_gop_more = 1000 + 1000 + 1000;
    server.until("room", |s| (1000..=a_second_and_a_gop_more).contains(&s.kept_ms)).await;
    for (query, want) in [("", 8000), ("?cache=1000", 7000), ("?cache=99999", 7000)] {
        let mut player = Player::connect(&(server.flv_url("room") + query)).await.unwrap();
        let frames = read(&mut player, 4).await;
        let first = frames.iter().find(|f| f.is_media()).unwrap();
        assert_eq!((first.dts, first.key), (want, true), "{query}");
    }
}

#[tokio::test]
async fn whoever_hangs_up_while_waiting_waits_no_longer() {
    let server = TestServer::with(|c| c.play.wait_s = 60);
    let mut waiting = tokio::net::TcpStream::connect(server.http).await.unwrap();
    waiting.write_all(b"GET /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.until("room", |s| s.viewers[1].1 == 1).await;
    drop(waiting);
    for _ in 0..200 {
        if server.hub.snapshot(std::time::Instant::now()).streams.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(server.hub.snapshot(std::time::Instant::now()).streams.is_empty());
}

#[tokio::test]
async fn a_viewer_that_leaves_is_noticed_even_when_nothing_is_sent() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    for url in [server.rtmp_url("room"), server.flv_url("room")] {
        let mut player = Player::connect(&url).await.unwrap();
        read(&mut player, 5).await;
        server.until("room", |s| s.viewers.iter().any(|(_, n)| *n == 1)).await;
        drop(player);
        server.until("room", |s| s.viewers.iter().all(|(_, n)| *n == 0)).await;
    }
}

#[tokio::test]
async fn the_operators_listener() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let metrics = exchange(server.operator, get("/metrics").as_bytes()).await;
    for line in [
        "thalweg_publishers 1",
        "thalweg_viewers{protocol=\"rtmp\"} 0",
        "thalweg_stream_viewers{stream=\"1/live/room\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(exchange(server.operator, get("/healthz").as_bytes()).await.ends_with("ok\n"));
    let nothing = exchange(server.operator, get("/api/v2/anything").as_bytes()).await;
    assert!(nothing.starts_with("HTTP/1.1 404 "), "{nothing}");
    assert!(nothing.contains(r#""error":"not-found""#), "{nothing}");
}

#[tokio::test]
async fn metrics_name_a_bounded_number_of_streams() {
    let server = TestServer::with(|c| c.limits.metrics_streams_max = 3);
    let mut publishers = Vec::new();
    for i in 0..8 {
        publishers.push(server.publish(&format!("s{i}")).await);
    }
    let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let metrics = exchange(server.operator, ask).await;
    let named = metrics.lines().filter(|l| l.starts_with("thalweg_stream_viewers{")).count();
    assert_eq!(named, 4, "three and the others: {metrics}");
    assert!(metrics.contains("stream=\"other\""));
}

#[tokio::test]
async fn the_manual_knows_every_metric() {
    let server = TestServer::start();
    let _publisher = server.publish("room").await;
    let _viewer = Player::connect(&server.flv_url("room")).await.unwrap();
    server.http("GET /room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let metrics = exchange(server.operator, ask).await;
    let manual = include_str!("../../../docs/ref/metrics.md");
    let (manual, _of_the_console) = manual.split_once("Of the [console]").unwrap();
    assert_knows_metrics(manual, &metrics);
}
