//! Publishers come, go, and push each other out; viewers stay.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{TestServer, exchange, read, read_to_end, send};
use thalweg_client::{Error, Player, Publisher};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

fn rises(frames: &[Frame]) -> bool {
    let times: Vec<_> = frames.iter().filter(|f| f.kind != Kind::Data).map(|f| f.dts).collect();
    times.windows(2).all(|w| w[0] <= w[1])
}

#[tokio::test]
async fn viewers_see_the_new_size_and_time_going_on() {
    let server = TestServer::start();
    let small = Recipe::default();
    let large = Recipe { size: (1280, 720), ..Recipe::default() };
    let mut first = server.publish("room").await;
    send(&mut first, &small.frames_for(1000)).await;
    let mut players = Vec::new();
    for url in [server.rtmp_url("room"), server.flv_url("room")] {
        players.push(Player::connect(&url).await.unwrap());
    }
    let mut seen = Vec::new();
    for player in &mut players {
        seen.push(read(player, small.frames_for(1000).len()).await);
    }
    first.close().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut second = server.publish("room").await;
    send(&mut second, &large.frames_for(1000)).await;
    for (player, mut frames) in players.iter_mut().zip(seen) {
        let after = read(player, large.frames_for(1000).len()).await;
        let header = after.iter().position(|f| f.kind == Kind::Video && f.config).unwrap();
        let picture = after.iter().position(|f| f.kind == Kind::Video && !f.config).unwrap();
        assert!(header < picture);
        assert_eq!(after[header].payload, large.configuration()[1].payload);
        frames.extend(after);
        assert!(rises(&frames));
    }
}

#[tokio::test]
async fn a_second_push_takes_over_at_once_and_the_first_is_told() {
    let server = TestServer::start();
    let mut first = server.publish("room").await;
    send(&mut first, &Recipe::default().frames_for(500)).await;
    let mut viewer = Player::connect(&server.rtmp_url("room")).await.unwrap();
    read(&mut viewer, 10).await;
    let mut second = server.publish("room").await;
    send(&mut second, &Recipe::default().frames_for(500)).await;
    let told = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            if let Err(error) = first.send(&Recipe::default().frames().nth(3).unwrap()).await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    match told.await.unwrap() {
        Error::Ended(status) => {
            assert_eq!(status.code, "NetStream.Publish.Replaced");
            assert!(status.description.contains("127.0.0.1:"), "{status:?}");
        }
        other => panic!("{other}"),
    }
    read(&mut viewer, 20).await;
}

#[tokio::test]
async fn a_push_without_a_valid_signature_disturbs_nothing() {
    let server = TestServer::start();
    let mut first = server.publish("room").await;
    send(&mut first, &Recipe::default().frames_for(500)).await;
    // One digit of the secret is another one.
    let url = server.push_url("room");
    let at = url.find("txSecret=").unwrap() + "txSecret=".len();
    let digit = if url[at..].starts_with('0') { "1" } else { "0" };
    let forged = format!("{}{digit}{}", &url[..at], &url[at + 1..]);
    match Publisher::connect(&forged).await {
        Err(Error::Refused(status)) => assert_eq!(status.reason.as_deref(), Some("auth-bad")),
        other => panic!("{other:?}"),
    }
    send(&mut first, &Recipe::default().frames_for(500)).await;
    assert_eq!(server.stream("room").publisher.unwrap().epoch, 1);
}

#[tokio::test]
async fn two_encoders_with_one_url_stop_flapping() {
    let server = TestServer::start();
    let mut seat = server.publish("room").await;
    for _ in 0..3 {
        send(&mut seat, &Recipe::default().frames_for(100)).await;
        seat = server.publish("room").await;
    }
    send(&mut seat, &Recipe::default().frames_for(100)).await;
    match Publisher::connect(&server.push_url("room")).await {
        Err(Error::Refused(status)) => {
            assert_eq!(status.code, "NetStream.Publish.BadName");
            assert!(status.description.contains("two encoders"), "{status:?}");
        }
        other => panic!("{other:?}"),
    }
    send(&mut seat, &Recipe::default().frames_for(100)).await;
}

#[tokio::test]
async fn after_the_wait_viewers_are_told_that_it_is_over() {
    let server = TestServer::with(|c| c.publish.republish_wait_s = 1);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut rtmp = Player::connect(&server.rtmp_url("room")).await.unwrap();
    let mut flv = Player::connect(&server.flv_url("room")).await.unwrap();
    publisher.close().await.unwrap();
    let (frames, end) = read_to_end(&mut rtmp).await;
    assert_eq!(frames.len(), Recipe::default().frames_for(500).len(), "all of it, to the last");
    assert!(matches!(end, Error::Ended(s) if s.code == "NetStream.Play.UnpublishNotify"));
    let (frames, end) = read_to_end(&mut flv).await;
    assert_eq!(frames.len(), Recipe::default().frames_for(500).len());
    assert!(matches!(end, Error::Closed), "{end:?}");
}

#[tokio::test]
async fn a_publisher_that_says_nothing_is_cut() {
    let server = TestServer::with(|c| c.publish.first_media_max_s = 1);
    let mut silent = server.publish("room").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let frame = Recipe::default().frames().next().unwrap();
    let mut result = Ok(());
    for _ in 0..20 {
        result = silent.send(&frame).await;
        if result.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    match result.unwrap_err() {
        Error::Ended(status) => assert!(status.description.contains("no media"), "{status:?}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_stop_tells_everyone_and_drains() {
    let mut server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut rtmp = Player::connect(&server.rtmp_url("room")).await.unwrap();
    let mut flv = Player::connect(&server.flv_url("room")).await.unwrap();
    read(&mut rtmp, 5).await;
    let stopping = server.stop();
    let (_, end) = read_to_end(&mut rtmp).await;
    assert!(
        matches!(&end, Error::Ended(s) if s.code == "NetConnection.Connect.AppShutdown"),
        "{end}"
    );
    let (_, end) = read_to_end(&mut flv).await;
    assert!(matches!(end, Error::Closed), "{end:?}");
    drop((rtmp, flv));
    let frame = Recipe::default().frames().nth(3).unwrap();
    let mut told = None;
    for _ in 0..50 {
        if let Err(error) = publisher.send(&frame).await {
            told = Some(error);
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(told, Some(Error::Ended(s)) if s.description.contains("stopping")));
    drop(publisher);
    tokio::time::timeout(Duration::from_secs(4), stopping).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(server.rtmp).await.is_err(), "nobody is let in");
}

#[tokio::test]
async fn who_waits_for_a_stream_waits_across_its_end() {
    let server = TestServer::with(|c| {
        c.publish.republish_wait_s = 1;
        c.play.wait_s = 10;
    });
    let mut gone = server.publish("room").await;
    send(&mut gone, &Recipe::default().frames_for(500)).await;
    gone.close().await.unwrap();
    let url = server.rtmp_url("room");
    let player = tokio::spawn(async move { Player::connect(&url).await });
    server.until("room", |s| s.viewers.iter().map(|(_, n)| n).sum::<u64>() == 1).await;
    // Meanwhile the stream ends, a second after its publisher.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut player = player.await.unwrap().unwrap();
    read(&mut player, 5).await;
}

#[tokio::test]
async fn who_comes_while_the_server_stops_is_told() {
    let mut server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    // Neither reads that it is over nor closes, so the server has someone to wait for.
    let _slow = Player::connect(&server.rtmp_url("room")).await.unwrap();
    let _stopping = server.stop();
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for listener in [server.http, server.operator].repeat(10) {
        let health = exchange(listener, ask).await;
        assert!(health.starts_with("HTTP/1.1 503 ") && health.ends_with("stopping\n"), "{health}");
    }
    match Publisher::connect(&server.push_url("other")).await {
        Err(Error::Refused(status)) => {
            assert!(status.description.contains("stopping"), "{status:?}");
            assert_eq!(status.reason.as_deref(), Some("stopping"));
        }
        other => panic!("{other:?}"),
    }
    let answer = server.http("GET /live/room.flv HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"stopping\""), "{answer}");
}
