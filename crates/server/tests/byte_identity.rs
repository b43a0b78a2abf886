//! What goes in by any way comes out of every output with identical payloads and time differences.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, TestServer, essence, read, send};
use thalweg_client::{Player, Publisher};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

/// Publishes a recipe to viewers who wait for it, by every way in and to every way out, and compares
/// what they get.
async fn check(name: &str, recipe: Recipe, ms: i64) {
    let folder = Folder::new(&format!("identity-{name}"));
    let (server, trust) = TestServer::secure(&folder);
    let frames = recipe.frames_for(ms);
    for n in 0..server.push_urls("").len() {
        let room = format!("room{n}");
        let (input, push) = server.push_urls(&room).swap_remove(n);
        let watch = |url: String| {
            let (n, trust) = (frames.len(), trust.clone());
            tokio::spawn(async move {
                // Everything is sent at once: else a viewer would start a second behind the end.
                let url = format!("{url}?cache=5000");
                let mut player = Player::connect_with(&url, &trust).await.unwrap();
                read(&mut player, n).await
            })
        };
        let viewers: Vec<_> =
            server.play_urls(&room).into_iter().map(|(out, url)| (out, watch(url))).collect();
        server.until_viewers(&room, viewers.len() as u64).await;
        let mut publisher = Publisher::connect_with(&push, &trust).await.unwrap();
        send(&mut publisher, &frames).await;
        for (output, got) in viewers {
            compare(&format!("{name} from {input} to {output}"), &frames, &got.await.unwrap());
        }
    }
}

fn compare(what: &str, sent: &[Frame], got: &[Frame]) {
    assert!(essence(&media(got)) == essence(&media(sent)), "{what}");
    let (mut headers, mut want) = (configs(got), configs(sent));
    headers.sort();
    want.sort();
    assert!(headers == want, "{what}: headers");
    let first = |frames: &[Frame]| media(frames)[0].dts as u32;
    assert_eq!(first(got), first(sent), "{what}: time is as it came");
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
    for (_, url) in server.play_urls("room") {
        let mut player = Player::connect(&url).await.unwrap();
        let mut got: Vec<_> =
            read(&mut player, 6).await.iter().map(|f| f.payload.clone()).collect();
        got.sort();
        let mut want: Vec<_> = frames.iter().map(|f| f.payload.clone()).collect();
        want.sort();
        assert_eq!(got, want, "{url}");
    }
}
