//! Strong signatures at the door: who is counted, and who is refused for what a URL says.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{PLAY_KEY, PUSH_KEY, TestServer, policy, read, send, strong};
use thalweg_access::{Network, Purpose};
use thalweg_client::{Error, Player, Publisher};
use thalweg_testkit::media::Recipe;

/// Why a URL is refused.
fn reason(result: Result<impl Sized, Error>) -> String {
    match result {
        Err(Error::Refused(status)) => status.reason.unwrap_or_default().into_owned(),
        Err(Error::Http { status, body }) => {
            let json: serde_json::Value = serde_json::from_str(&body).unwrap();
            format!("{status} {}", json["error"].as_str().unwrap())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

/// Watches as soon as there is room again.
async fn watch_soon(url: &str) -> Player {
    for _ in 0..300 {
        if let Ok(player) = Player::connect(url).await {
            return player;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("three seconds, and still no room");
}

#[tokio::test]
async fn two_viewers_of_a_url_for_two() {
    let server = TestServer::start();
    server.policy.replace(policy(true));
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let query = strong(PLAY_KEY, "room", Purpose::Play, |t| t.sessions_max = Some(2));
    let rtmp = format!("{}?{query}", server.rtmp_url("room"));
    let flv = format!("{}?{query}", server.flv_url("room"));
    let mut first = Player::connect(&rtmp).await.unwrap();
    let mut second = Player::connect(&flv).await.unwrap();
    read(&mut first, 5).await;
    read(&mut second, 5).await;
    for _ in 0..2 {
        assert_eq!(reason(Player::connect(&rtmp).await), "url-in-use");
        assert_eq!(reason(Player::connect(&flv).await), "429 url-in-use");
    }
    // Whoever only looks is no session.
    let path = format!("/live/room.flv?{query}");
    let head = server.http(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // Another URL of the same stream has its own.
    let other = strong(PLAY_KEY, "room", Purpose::Udp, |t| t.sessions_max = Some(2));
    let mut other = Player::connect(&format!("{}?{other}", server.flv_url("room"))).await.unwrap();
    read(&mut other, 5).await;

    drop(first);
    let mut third = watch_soon(&flv).await;
    read(&mut third, 5).await;
    assert_eq!(reason(Player::connect(&rtmp).await), "url-in-use");
    drop(second);
    let mut fourth = watch_soon(&rtmp).await;
    read(&mut fourth, 5).await;
    assert_eq!(reason(Player::connect(&flv).await), "429 url-in-use");
}

#[tokio::test]
async fn a_viewer_that_waits_is_counted_until_it_gives_up() {
    let server = TestServer::with(|c| c.play.wait_s = 1);
    let query = strong(PLAY_KEY, "room", Purpose::Play, |t| t.sessions_max = Some(1));
    let rtmp = format!("{}?{query}", server.rtmp_url("room"));
    let flv = format!("{}?{query}", server.flv_url("room"));
    for (waits, other, in_use) in [(&rtmp, &flv, "429 url-in-use"), (&flv, &rtmp, "url-in-use")] {
        let url = waits.clone();
        let waiting = tokio::spawn(async move { Player::connect(&url).await.map(|_| ()) });
        server.until("room", |s| s.viewers.iter().map(|(_, n)| n).sum::<u64>() == 1).await;
        assert_eq!(reason(Player::connect(other).await), in_use);
        // Who has been told is counted no longer.
        assert!(reason(waiting.await.unwrap()).ends_with("not-found"));
    }
    // And one that goes away while it waits leaves its place.
    let url = flv.clone();
    let waiting = tokio::spawn(async move { Player::connect(&url).await.map(|_| ()) });
    server.until("room", |s| s.viewers.iter().map(|(_, n)| n).sum::<u64>() == 1).await;
    waiting.abort();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    read(&mut watch_soon(&rtmp).await, 5).await;
}

#[tokio::test]
async fn what_a_url_says_holds() {
    let server = TestServer::start();
    server.policy.replace(policy(true));
    let here = Network::parse("127.0.0.0/8").unwrap();
    let elsewhere = Network::parse("192.0.2.0/24").unwrap();
    let push = |purpose, from| {
        let key = if purpose == Purpose::Push { PUSH_KEY } else { PLAY_KEY };
        let query = strong(key, "room", purpose, |t| t.from = from);
        format!("{}?{query}", server.rtmp_url("room"))
    };
    let refused = |url: String| async move { reason(Publisher::connect(&url).await) };
    assert_eq!(refused(push(Purpose::Push, Some(elsewhere))).await, "wrong-address");
    assert_eq!(refused(push(Purpose::Play, None)).await, "wrong-action");
    let mut publisher = Publisher::connect(&push(Purpose::Push, Some(here))).await.unwrap();
    send(&mut publisher, &Recipe::default().frames_for(500)).await;

    let play = |from| strong(PLAY_KEY, "room", Purpose::Play, |t| t.from = from);
    for url in [server.rtmp_url("room"), server.flv_url("room")] {
        let got = reason(Player::connect(&format!("{url}?{}", play(Some(elsewhere)))).await);
        assert!(got.ends_with("wrong-address"), "{got}");
        let mut player = Player::connect(&format!("{url}?{}", play(Some(here)))).await.unwrap();
        read(&mut player, 5).await;
    }
    // An encoder with either signature takes its stream over from the other.
    let mut vendors = server.publish("room").await;
    send(&mut vendors, &Recipe::default().frames_for(500)).await;
    let mut strong = Publisher::connect(&push(Purpose::Push, Some(here))).await.unwrap();
    send(&mut strong, &Recipe::default().frames_for(500)).await;
}
