//! Viewers who talk back, over TCP: what their URL has shown buys them a lower delay.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PLAY_KEY, TestServer, read, send, signature};
use thalweg_client::Player;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

fn first_picture(frames: &[Frame]) -> i64 {
    frames.iter().find(|f| f.kind == Kind::Video && !f.config).unwrap().dts
}

#[tokio::test]
async fn they_start_at_the_newest_key_frame_and_are_written_to_at_once() {
    let server = TestServer::with(|c| c.play.flush_ms = 500);
    let mut publisher = server.publish("room").await;
    let recipe = Recipe::default();
    send(&mut publisher, &recipe.frames_for(4500)).await;
    let rtc_query = format!("bizid=1&{}", signature(PLAY_KEY, "room", 60));
    let rest: Vec<Frame> = recipe.frames_for(4700).split_off(recipe.frames_for(4500).len());
    for (url, dts) in [(server.rtmp_url("room"), 4520), (server.flv_url("room"), 4600)] {
        let mut live = Player::connect(&url).await.unwrap();
        let mut rtc = Player::connect(&format!("{url}?{rtc_query}")).await.unwrap();
        let (behind, newest) = (read(&mut live, 30).await, read(&mut rtc, 30).await);
        assert_eq!((first_picture(&behind), first_picture(&newest)), (3000, 4000));
        let mut next = rest.iter().filter(|f| f.dts >= dts && f.kind == Kind::Video);
        publisher.send(next.next().unwrap()).await.unwrap();
        let who = tokio::select! {
            biased;
            () = until(&mut live, dts) => "live",
            () = until(&mut rtc, dts) => "rtc",
        };
        assert_eq!(who, "rtc", "the other waits for half a second of frames");
    }
}

/// Waits for a picture of this time or later.
async fn until(player: &mut Player, dts: i64) {
    while read(player, 1).await.iter().any(|f| f.kind != Kind::Video || f.dts < dts) {}
}

#[tokio::test]
async fn others_may_ask_for_longer_writes_and_not_for_shorter() {
    let server = TestServer::with(|c| c.play.flush_ms = 200);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let url = server.flv_url("room");
    let mut shorter = Player::connect(&format!("{url}?flush=0")).await.unwrap();
    let mut longer = Player::connect(&format!("{url}?flush=451")).await.unwrap();
    let known = read(&mut shorter, 10).await.len();
    assert_eq!(read(&mut longer, known).await.len(), known);
    let later: Vec<Frame> =
        Recipe::default().frames_for(800).into_iter().filter(|f| f.dts >= 500).collect();
    send(&mut publisher, &later).await;
    let who = tokio::select! {
        biased;
        () = until(&mut longer, 520) => "longer",
        () = until(&mut shorter, 520) => "shorter",
    };
    assert_eq!(who, "shorter");
    until(&mut longer, 520).await;
}
