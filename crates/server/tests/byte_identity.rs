//! What goes in by RTMP comes out of every output with identical payloads and time differences.
#![allow(clippy::unwrap_used)]

mod common;

use common::{TestServer, essence, read, send};
use thalweg_client::Player;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

/// Publishes a recipe to viewers who wait for it, and compares what they get.
async fn check(name: &str, recipe: Recipe, ms: i64) {
    let server = TestServer::start();
    let frames = recipe.frames_for(ms);
    // Everything is sent at once: without this a viewer would start a second behind the end.
    let from_the_start = |url: String| format!("{url}?cache=5000");
    let rtmp_url = from_the_start(server.rtmp_url("room"));
    let flv_url = from_the_start(server.flv_url("room"));
    let n = frames.len();
    let watch = |url: String| {
        tokio::spawn(async move {
            let mut player = Player::connect(&url).await.unwrap();
            read(&mut player, n).await
        })
    };
    let (by_rtmp, by_flv) = (watch(rtmp_url), watch(flv_url));
    server.until("room", |s| s.viewers.iter().all(|(_, n)| *n == 1)).await;
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &frames).await;
    let sent = essence(&media(&frames));
    for (output, got) in [("RTMP", by_rtmp.await.unwrap()), ("HTTP-FLV", by_flv.await.unwrap())] {
        assert!(essence(&media(&got)) == sent, "{name} by {output}");
        let (mut headers, mut want) = (configs(&got), configs(&frames));
        headers.sort();
        want.sort();
        assert!(headers == want, "{name} by {output}: headers");
        let first = |frames: &[Frame]| media(frames)[0].dts as u32;
        assert_eq!(first(&got), first(&frames), "{name} by {output}: time is as it came");
    }
}

fn media(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().filter(|f| f.is_media()).cloned().collect()
}

fn configs(frames: &[Frame]) -> Vec<(Kind, Vec<u8>)> {
    frames.iter().filter(|f| f.config).map(|f| (f.kind, f.payload.to_vec())).collect()
}

#[tokio::test]
async fn pictures_and_sound() {
    check("plain", Recipe::default(), 4000).await;
}

#[tokio::test]
async fn frames_larger_than_a_chunk() {
    check("large", Recipe { video_bytes: 200_000, ..Recipe::default() }, 1000).await;
}

#[tokio::test]
async fn sound_only() {
    check("sound", Recipe::audio_only(), 4000).await;
}

#[tokio::test]
async fn pictures_only() {
    check("silent", Recipe { audio: false, ..Recipe::default() }, 2000).await;
}

#[tokio::test]
async fn time_past_the_border_of_24_bits() {
    check("4 h 40 min", Recipe { start: 0xff_ffff - 1500, ..Recipe::default() }, 3000).await;
}

#[tokio::test]
async fn time_past_the_border_of_32_bits() {
    check("49.7 days", Recipe { start: 0xffff_ffff - 1500, ..Recipe::default() }, 3000).await;
}

#[tokio::test]
async fn enhanced_headers_and_several_tracks() {
    let server = TestServer::start();
    let bodies: [(Kind, &'static [u8]); 6] = [
        (Kind::Video, b"\x90hvc1config"),
        (Kind::Video, b"\x96\x00hvc1\x01second track's config"),
        (Kind::Audio, b"\x90OpusOpusHead"),
        (Kind::Video, b"\x91hvc1\0\0\0key"),
        (Kind::Video, b"\x96\x01hvc1\x01\0\0\0second track's key"),
        (Kind::Audio, b"\x91Opussound"),
    ];
    let frames: Vec<Frame> =
        bodies.iter().map(|&(kind, body)| Frame::new(kind, 5, body.into())).collect();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &frames).await;
    for url in [server.rtmp_url("room"), server.flv_url("room")] {
        let mut player = Player::connect(&url).await.unwrap();
        let mut got: Vec<_> =
            read(&mut player, 6).await.iter().map(|f| f.payload.clone()).collect();
        got.sort();
        let mut want: Vec<_> = frames.iter().map(|f| f.payload.clone()).collect();
        want.sort();
        assert_eq!(got, want, "{url}");
    }
}
