//! Where UDP does not get through, or is of no use, the stream comes over TCP.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::udp::{Path, is_picture, soon, to_the_end, until_arrived};
use common::{TestServer, policy, read, send};
use thalweg_access::{Account, Policy};
use thalweg_client::rtc::fallback::{Memory, Way, again, connect};
use thalweg_client::rtc::{self, Options};
use thalweg_client::{Error, Player, Publisher, Trust};
use thalweg_testkit::media::Recipe;

async fn room(server: &TestServer) -> Publisher {
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    publisher
}

async fn watch(url: &str, memory: &mut Memory) -> Result<Way, Error> {
    soon("a way", connect(url, &Trust::system(), &Options::default(), memory)).await
}

/// Watches on over TCP: a picture comes, among what has come or what comes.
async fn shows_pictures(player: &mut Player, first: &[thalweg_wire::media::Frame]) {
    if !first.iter().any(is_picture) {
        while !read(player, 1).await.iter().any(is_picture) {}
    }
}

#[tokio::test]
async fn where_udp_gets_through_it_is_the_way() {
    let server = TestServer::start();
    let _publisher = room(&server).await;
    match watch(&server.udp_url("room"), &mut Memory::default()).await {
        Ok(Way::Udp(mut player)) => drop(until_arrived(&mut player, is_picture).await),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn where_udp_is_blocked_tcp_follows_after_a_second_and_is_first_the_next_time() {
    let server = TestServer::with(|c| c.udp.enabled = false);
    let _publisher = room(&server).await;
    let answer = server.ull().await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    // Nothing answers there: what is sent is lost.
    let _hole = std::net::UdpSocket::bind(server.rtmp).unwrap();
    let (url, mut memory) = (server.udp_url("room"), Memory::default());
    for waits in [true, false] {
        let began = Instant::now();
        match watch(&url, &mut memory).await {
            Ok(Way::Tcp(mut player, frames, why)) => {
                assert!(matches!(why.0, Error::UdpBlocked), "{why}");
                assert_eq!(why.code(), None);
                shows_pictures(&mut player, &frames).await;
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(began.elapsed() >= Duration::from_secs(1), waits, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_refusal_goes_to_tcp_at_once_where_plain_play_decides() {
    let server = TestServer::start();
    let account = policy(false).default_account().clone();
    let one = Policy::new(vec![Account { udp_viewers_max: 1, ..account }]).unwrap();
    server.policy.replace(one);
    let _publisher = room(&server).await;
    let mut memory = Memory::default();
    let Ok(Way::Udp(_first)) = watch(&server.udp_url("room"), &mut memory).await else {
        panic!("the first is let in");
    };
    let unsigned = server.rtmp_url("room");
    for (url, reason) in [(server.udp_url("room"), "viewer-limit"), (unsigned, "auth-missing")] {
        match watch(&url, &mut memory).await {
            Ok(Way::Tcp(mut player, frames, why)) => {
                assert_eq!(why.code(), Some(-2302), "{why}");
                assert!(why.to_string().contains(reason), "{why}");
                shows_pictures(&mut player, &frames).await;
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    // UDP itself gets through: the next one is tried there again.
    drop(_first);
    server.until_viewers("room", 0).await;
    let again = watch(&server.udp_url("room"), &mut memory).await;
    assert!(matches!(again, Ok(Way::Udp(_))), "{again:?}");
}

#[tokio::test]
async fn what_plain_play_refuses_as_well_is_refused() {
    let server = TestServer::start();
    server.policy.replace(policy(true));
    let _publisher = room(&server).await;
    match watch(&server.rtmp_url("room"), &mut Memory::default()).await {
        Err(Error::Refused(status)) => assert_eq!(status.reason.as_deref(), Some("auth-missing")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_play_that_breaks_off_goes_on_in_its_own_place_and_after_the_second_time_over_tcp() {
    let server = TestServer::start();
    let account = policy(false).default_account().clone();
    let one = Policy::new(vec![Account { udp_viewers_max: 1, ..account }]).unwrap();
    server.policy.replace(one);
    let _publisher = room(&server).await;
    let path = Path::to(server.rtmp).await;
    let options = Options { port: Some(path.port), ..Options::default() };
    let (url, trust, mut memory) = (server.udp_url("room"), Trust::system(), Memory::default());
    let Ok(Way::Udp(mut first)) = connect(&url, &trust, &options, &mut memory).await else {
        panic!("the first is let in");
    };
    until_arrived(&mut first, is_picture).await;
    let session = first.session().map(str::to_owned);
    path.cut();

    // Another network: another address and port. The seat is not free yet, but it is ours.
    let options = Options::default();
    let way = soon("a way", again(&url, &trust, &options, &mut memory, session)).await;
    let Ok(Way::Udp(mut second)) = way else { panic!("{way:?}") };
    until_arrived(&mut second, is_picture).await;

    let session = second.session().map(str::to_owned);
    let way = soon("a way", again(&url, &trust, &options, &mut memory, session)).await;
    let Ok(Way::Tcp(mut player, frames, why)) = way else { panic!("{way:?}") };
    assert!(matches!(why.0, Error::UdpBlocked), "{why}");
    shows_pictures(&mut player, &frames).await;

    let error = to_the_end(&mut first).await;
    assert!(error.is_broken_off(), "{error}");
    let still = first.status().freezes;
    first.stall();
    first.stall();
    assert!(first.status().freezes <= still + 1, "one stall is one freeze");
}

#[tokio::test]
async fn what_the_server_ended_or_refused_has_not_broken_off() {
    let mut server = TestServer::start();
    let _publisher = room(&server).await;
    let unsigned = server.rtmp_url("room");
    let options = Options::default();
    let refused = rtc::Player::connect(&unsigned, &Trust::system(), &options).await.unwrap_err();
    assert!(!refused.is_broken_off(), "{refused}");
    let Ok(Way::Udp(mut player)) = watch(&server.udp_url("room"), &mut Memory::default()).await
    else {
        panic!("it is let in");
    };
    until_arrived(&mut player, is_picture).await;
    let stopped = server.stop();
    let error = to_the_end(&mut player).await;
    assert!(!error.is_broken_off(), "{error}");
    soon("the server's end", stopped).await.unwrap();
}
