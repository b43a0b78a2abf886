//! As many viewers over UDP as may be, and not one more, whatever way they come and go.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::udp::{Path, Raw, VIAS, is_picture, soon, to_the_end, until, until_arrived};
use common::{TestServer, policy, send};
use thalweg_access::{Account, Policy};
use thalweg_client::rtc::{Options, Player, Via};
use thalweg_client::{Error, Trust};
use thalweg_testkit::media::Recipe;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::client::{Event, Wishes};

fn viewers_max(udp_viewers_max: u32) -> Policy {
    let account = policy(false).default_account().clone();
    Policy::new(vec![Account { udp_viewers_max, ..account }]).unwrap()
}

/// A server with a stream `room` and one seat.
async fn one_seat() -> (TestServer, thalweg_client::Publisher) {
    let server = TestServer::with(|c| {
        c.publish.republish_wait_s = 0;
        c.play.wait_s = 1;
    });
    server.policy.replace(viewers_max(1));
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    (server, publisher)
}

async fn try_to_watch(
    server: &TestServer,
    stream: &str,
    options: &Options,
) -> Result<Player, String> {
    match Player::connect(&server.udp_url(stream), &Trust::system(), options).await {
        Ok(player) => Ok(player),
        Err(Error::Refused(status)) => Err(status.reason.unwrap().into_owned()),
        Err(other) => panic!("{other}"),
    }
}

/// Waits until there is a seat, and takes it.
async fn take_seat(server: &TestServer, how: &str) -> Player {
    let options = server.options(Via::Native).await;
    soon(how, async {
        loop {
            match try_to_watch(server, "room", &options).await {
                Ok(player) => return player,
                Err(reason) => assert_eq!(reason, "viewer-limit", "{how}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

async fn is_full(server: &TestServer) {
    let options = server.options(Via::Native).await;
    assert_eq!(try_to_watch(server, "room", &options).await.err().as_deref(), Some("viewer-limit"));
}

#[tokio::test]
async fn of_a_hundred_that_come_at_once_ten_are_let_in() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    // A publisher over UDP is no viewer.
    let other = server.film("other", Via::Native).await;
    let mut joins = Vec::new();
    for n in 0..100 {
        let (url, options) = (server.udp_url("room"), server.options(VIAS[n % 2]).await);
        joins.push(tokio::spawn(
            async move { Player::connect(&url, &Trust::system(), &options).await },
        ));
    }
    let (mut players, mut refused) = (Vec::new(), 0);
    for join in joins {
        match soon("an answer", join).await.unwrap() {
            Ok(player) => players.push(player),
            Err(Error::Refused(status)) => {
                assert_eq!(status.reason.as_deref(), Some("viewer-limit"));
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((players.len(), refused), (10, 90));
    for player in &mut players {
        until_arrived(player, is_picture).await;
    }
    let viewers = "thalweg_udp_stream_viewers{stream=\"1/live/room\"}";
    assert_eq!(server.metric(viewers).await, Some(10));
    let counted = "thalweg_refused_total{action=\"play\",reason=\"viewer-limit\"}";
    assert_eq!(server.metric(counted).await, Some(90));
    other.close().await;
}

#[tokio::test]
async fn a_seat_is_free_again_whatever_way_its_viewer_leaves() {
    let (server, _publisher) = one_seat().await;
    for via in VIAS {
        let viewer = take_seat(&server, "the first seat").await;
        is_full(&server).await;
        viewer.close().await;
        let options = server.options(via).await;
        let viewer = try_to_watch(&server, "room", &options).await;
        drop(viewer.expect("who says goodbye has left at once"));

        let raw = loop {
            let mut raw = Raw::connect(&server, via, Purpose::Play, &server.udp_url("room")).await;
            if let Some(Event::Started) = raw.next().await {
                break raw;
            }
        };
        is_full(&server).await;
        // Without a word on the control stream.
        raw.session.close(Close::None, "").await;
        drop(take_seat(&server, "after a close").await);

        // Or without one word more on it.
        server.until_viewers("room", 0).await;
        let Raw { session, control, endpoint, .. } =
            Raw::let_in(&server, via, Purpose::Play, "room").await;
        soon("the end of the control stream", control.finish()).await;
        let lost = soon("a close", session.closed()).await;
        assert_eq!(lost.close(), Some(Close::None), "{via:?}: {lost:?}");
        drop((take_seat(&server, "after its end").await, endpoint));
    }
}

#[tokio::test]
async fn a_seat_whose_viewer_went_silent_is_free_after_six_seconds() {
    let (server, _publisher) = one_seat().await;
    let path = Path::to(server.rtmp).await;
    let options = Options { port: Some(path.port), ..server.options(Via::Native).await };
    let mut viewer = try_to_watch(&server, "room", &options).await.unwrap();
    until_arrived(&mut viewer, is_picture).await;
    path.cut();
    let began = Instant::now();
    is_full(&server).await;
    let _next = take_seat(&server, "after silence").await;
    let seconds = began.elapsed().as_secs_f64();
    assert!((3.0..12.0).contains(&seconds), "{seconds} s");
}

#[tokio::test]
async fn who_is_refused_after_it_was_counted_leaves_its_seat() {
    let (server, _publisher) = one_seat().await;
    let options = server.options(Via::Native).await;
    for _ in 0..2 {
        // It waits for its stream in a seat, and then is told that there is none.
        let got = try_to_watch(&server, "nobody", &options).await;
        assert_eq!(got.err().as_deref(), Some("not-found"));
    }
    let (url, waits) = (server.udp_url("later"), options.clone());
    let waiting =
        tokio::spawn(async move { Player::connect(&url, &Trust::system(), &waits).await });
    server.until_viewers("later", 1).await;
    let got = try_to_watch(&server, "later", &options).await;
    assert_eq!(got.err().as_deref(), Some("viewer-limit"), "who waits has a seat");
    // One that goes away while it waits leaves it.
    waiting.abort();
    until("the seat is free", async || {
        try_to_watch(&server, "later", &options).await.err().as_deref() == Some("not-found")
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_ends_leaves_nobody_in_a_seat() {
    let (server, publisher) = one_seat().await;
    let mut viewer = take_seat(&server, "the first seat").await;
    publisher.close().await.unwrap();
    assert!(matches!(to_the_end(&mut viewer).await, Error::Ended(_)));
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut next = take_seat(&server, "after the end").await;
    until_arrived(&mut next, is_picture).await;
}

#[tokio::test]
async fn who_comes_back_from_another_network_takes_its_own_seat() {
    let (server, _publisher) = one_seat().await;
    for via in VIAS {
        let mut old = Raw::let_in(&server, via, Purpose::Play, "room").await;
        let name = old.talk.name().unwrap().to_owned();
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
        let resume =
            |session: &str| Wishes { resume: Some(session.to_owned()), ..Wishes::default() };
        let options = server.options(via).await;
        for made_up in ["", "made up", &"0".repeat(32)] {
            let options = Options { wishes: resume(made_up), ..options.clone() };
            let got = try_to_watch(&server, "room", &options).await;
            assert_eq!(got.err().as_deref(), Some("viewer-limit"), "{made_up:?}");
        }
        let again = Options { wishes: resume(&name), ..options.clone() };
        let mut new = try_to_watch(&server, "room", &again).await.unwrap();
        until_arrived(&mut new, is_picture).await;
        old.talk.ask_key();
        let (status, lost) = old.hear_the_end().await;
        assert_eq!(status.unwrap().code, "NetStream.Play.Stop");
        assert_eq!(lost.close(), Some(Close::None), "{lost:?}");
        is_full(&server).await;
        let viewers = "thalweg_udp_stream_viewers{stream=\"1/live/room\"}";
        server.until_metric(viewers, |n| n == Some(1)).await;
        assert_ne!(new.session(), Some(&*name), "a name is good once");
        let got = try_to_watch(&server, "room", &again).await;
        assert_eq!(got.err().as_deref(), Some("viewer-limit"), "nobody sits under it any more");
        new.close().await;
    }
}
