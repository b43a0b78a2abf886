//! Publishing over UDP: to viewers of every kind, in order, and with the same rights as any publisher.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::udp::{
    Path, Raw, VIAS, arrived, is_picture, lanes, message, soon, until, until_arrived,
    up_to_a_picture,
};
use common::{PLAY_KEY, TestServer, read, send, signature};
use thalweg_client::rtc::{News, Options, Via};
use thalweg_client::{Error, Player, Publisher, Trust, rtc};
use thalweg_hub::StreamKey;
use thalweg_server::config::TakeOver;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::client::Event;

#[tokio::test]
async fn every_byte_reaches_viewers_of_every_kind() {
    for via in VIAS {
        let server = TestServer::start();
        let frames = Recipe::default().frames_for(2000);
        let (first, rest) = up_to_a_picture(&frames);
        let media = frames.iter().filter(|f| f.is_media()).count();
        let watch = |url: String| {
            tokio::spawn(async move {
                let mut player = Player::connect(&format!("{url}?cache=5000")).await.unwrap();
                let mut got = Vec::new();
                while got.iter().filter(|f: &&Frame| f.is_media()).count() < media {
                    got.extend(read(&mut player, 1).await);
                }
                got
            })
        };
        let viewers: Vec<_> =
            server.play_urls("room").into_iter().map(|(out, url)| (out, watch(url))).collect();
        server.until_viewers("room", viewers.len() as u64).await;
        let mut over_udp = Vec::new();
        for via in VIAS {
            over_udp.push((via, server.watch_later("room", via).await));
        }
        let camera = server.film("room", via).await;
        camera.send(first);
        let mut players = Vec::new();
        for (out, player) in over_udp {
            let mut player = soon("a player", player).await.unwrap();
            let got = until_arrived(&mut player, is_picture).await;
            players.push((out, player, got));
        }
        for part in rest.chunks(20) {
            camera.send(part);
            for (_, player, got) in &mut players {
                got.extend(arrived(player, part.len()).await);
            }
        }
        for (out, _, got) in &players {
            assert!(lanes(got) == lanes(&frames), "from {via:?} to {out:?}");
        }
        for (out, viewer) in viewers {
            let got = viewer.await.unwrap();
            assert!(lanes(&got) == lanes(&frames), "from {via:?} to {out}");
            for config in Recipe::default().configuration() {
                let came = got.iter().find(|f| f.kind == config.kind && f.config).unwrap();
                assert_eq!(came.payload, config.payload, "from {via:?} to {out}");
            }
        }
        camera.close().await;
        server.until_vacant("room").await;
    }
}

/// Says the headers of a stream, and that its pictures are of generation 1.
async fn configure(publisher: &mut Raw, frames: &[Frame]) {
    for config in frames.iter().filter(|f| f.config) {
        publisher.configure(1, config).await;
    }
}

/// Pictures with their numbers, and that of the key frame they depend on.
fn numbered(frames: &[Frame]) -> Vec<(u32, u32, Frame)> {
    let mut gop = 0;
    let number = |(n, frame): (usize, &Frame)| {
        let seq = n as u32 + 1;
        gop = if frame.key { seq } else { gop };
        (seq, gop, frame.clone())
    };
    frames.iter().filter(|f| is_picture(f)).enumerate().map(number).collect()
}

#[tokio::test]
async fn frames_that_overtake_each_other_are_put_in_order() {
    let server = TestServer::start();
    let frames = Recipe { audio: false, ..Recipe::default() }.frames_for(2000);
    let mut publisher = Raw::let_in(&server, Via::Native, Purpose::Publish, "room").await;
    configure(&mut publisher, &frames).await;
    let mut pictures = numbered(&frames);
    for part in pictures.chunks_mut(5) {
        part.reverse();
        for (seq, gop, frame) in part {
            publisher.send(*seq, *gop, frame).await;
        }
    }
    let mut viewer =
        Player::connect(&format!("{}?cache=5000", server.flv_url("room"))).await.unwrap();
    let want: Vec<_> = frames.iter().filter(|f| is_picture(f)).map(|f| f.payload.clone()).collect();
    let mut got = Vec::new();
    while got.len() < want.len() {
        let next = read(&mut viewer, 1).await;
        got.extend(next.into_iter().filter(is_picture).map(|f| f.payload));
    }
    assert!(got == want);
}

#[tokio::test]
async fn after_a_frame_that_is_lost_pictures_go_on_with_the_next_key_frame() {
    let server = TestServer::start();
    let frames = Recipe { audio: false, ..Recipe::default() }.frames_for(2000);
    let mut publisher = Raw::let_in(&server, Via::Native, Purpose::Publish, "room").await;
    configure(&mut publisher, &frames).await;
    let (lost, key_at) = (11, 26);
    let pictures = numbered(&frames);
    for (seq, gop, frame) in pictures.iter().filter(|(seq, ..)| *seq != lost && *seq < key_at) {
        publisher.send(*seq, *gop, frame).await;
    }
    // What depends on it is not handed on, and a key frame is asked for.
    soon("a key request", async {
        while !matches!(publisher.next().await, Some(Event::KeyRequest)) {}
    })
    .await;
    for (seq, gop, frame) in pictures.iter().filter(|(seq, ..)| *seq >= key_at) {
        publisher.send(*seq, *gop, frame).await;
    }
    let mut viewer =
        Player::connect(&format!("{}?cache=5000", server.flv_url("room"))).await.unwrap();
    let mut got = Vec::new();
    let last = frames.last().unwrap();
    while got.last() != Some(&last.payload) {
        let next = read(&mut viewer, 1).await;
        got.extend(next.into_iter().filter(is_picture).map(|f| f.payload));
    }
    let handed_on = |(seq, ..): &&(u32, u32, Frame)| *seq < lost || *seq >= key_at;
    let want: Vec<_> = pictures.iter().filter(handed_on).map(|(.., f)| f.payload.clone()).collect();
    assert!(got == want, "{} of {}", got.len(), want.len());
    let report = loop {
        match publisher.next().await {
            Some(Event::Report(report)) if report.video_seq_max == 50 => break report,
            Some(_) => {}
            None => panic!("it is over"),
        }
    };
    assert_eq!((report.video_received, report.video_lost), (49, 1));
}

#[tokio::test]
async fn a_newer_push_takes_over_and_the_older_is_told() {
    for via in VIAS {
        let server = TestServer::start();
        let mut camera = server.film("room", via).await;
        camera.send(&Recipe::default().frames_for(500));
        server.until("room", |s| s.kept_frames > 10).await;
        let mut second = server.publish("room").await;
        send(&mut second, &Recipe::default().frames_for(500)).await;
        match camera.news().await {
            Err(Error::Ended(status)) => {
                assert_eq!(status.code, "NetStream.Publish.Replaced");
                assert!(status.description.contains("127.0.0.1:"), "{status:?}");
            }
            other => panic!("{other:?}"),
        }
        // And the other way round.
        let third = server.film("room", via).await;
        third.send(&Recipe::default().frames_for(500));
        server.until("room", |s| s.publisher.as_ref().is_some_and(|p| p.epoch == 3)).await;
    }
}

#[tokio::test]
async fn a_publisher_that_is_sent_away_is_told_why() {
    for via in VIAS {
        let mut server = TestServer::start();
        let kicked = Raw::let_in(&server, via, Purpose::Publish, "room").await;
        let key = StreamKey::new("1", "live", "room");
        let bar = Duration::from_secs(60);
        assert!(server.hub.kick(&key, bar, std::time::Instant::now()).unwrap());
        let (status, lost) = kicked.hear_the_end().await;
        assert!(status.unwrap().description.contains("an operator"), "{via:?}");
        assert_eq!(lost.close(), Some(Close::Auth), "{via:?}: {lost:?}");

        let replaced = Raw::let_in(&server, via, Purpose::Publish, "other").await;
        let _second = server.publish("other").await;
        let (status, lost) = replaced.hear_the_end().await;
        assert_eq!(status.unwrap().code, "NetStream.Publish.Replaced");
        assert_eq!(lost.close(), Some(Close::None), "{via:?}: {lost:?}");

        let last = Raw::let_in(&server, via, Purpose::Publish, "third").await;
        let stopping = server.stop();
        let (status, lost) = last.hear_the_end().await;
        assert!(status.unwrap().description.contains("stopping"), "{via:?}");
        assert_eq!(lost.close(), Some(Close::GoingAway), "{via:?}: {lost:?}");
        drop(_second);
        soon("the stop", stopping).await.unwrap();
    }
}

#[tokio::test]
async fn a_publisher_that_sends_nothing_whole_is_cut() {
    let server = TestServer::with(|c| c.publish.first_media_max_s = 1);
    let key = Recipe::default().frames().find(is_picture).unwrap();
    for via in VIAS {
        let silent = Raw::let_in(&server, via, Purpose::Publish, "room").await;
        let mut begun = Vec::new();
        if via == Via::Native {
            for n in 1..=100 {
                let mut stream = silent.session.connection().open_uni().await.unwrap();
                stream.write_all(&message(n, n, &key)).await.unwrap();
                begun.push(stream);
            }
        }
        let (status, lost) = silent.hear_the_end().await;
        assert!(status.unwrap().description.contains("no media"), "{via:?}");
        assert_eq!(lost.close(), Some(Close::Timeout), "{via:?}: {lost:?}");
        server.until_vacant("room").await;
    }
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_cut() {
    let server = TestServer::with(|c| c.publish.silence_max_s = 5);
    let mut publisher = Raw::let_in(&server, Via::Native, Purpose::Publish, "room").await;
    let frames = Recipe { audio: false, ..Recipe::default() }.frames_for(100);
    configure(&mut publisher, &frames).await;
    for (seq, gop, frame) in numbered(&frames) {
        publisher.send(seq, gop, &frame).await;
    }
    let (status, lost) = publisher.hear_the_end().await;
    assert!(status.unwrap().description.contains("silent"));
    assert_eq!(lost.close(), Some(Close::Timeout), "{lost:?}");
}

#[tokio::test]
async fn a_push_that_is_refused_is_told_why() {
    let server = TestServer::with(|c| c.publish.takeover = TakeOver::Never);
    let _first = server.publish("used").await;
    let unsigned = server.rtmp_url("room");
    let by_play = format!("{unsigned}?{}", signature(PLAY_KEY, "room", 60));
    for via in VIAS {
        for (url, code, reason, close) in [
            (unsigned.clone(), "NetStream.Publish.Denied", "auth-missing", Close::Auth),
            (by_play.clone(), "NetStream.Publish.Denied", "auth-bad", Close::Auth),
            (server.push_url("used"), "NetStream.Publish.BadName", "in-use", Close::Limit),
        ] {
            let raw = Raw::connect(&server, via, Purpose::Publish, &url).await;
            let (status, lost) = raw.hear_the_end().await;
            let status = status.unwrap();
            assert_eq!((&*status.code, status.reason.as_deref()), (code, Some(reason)));
            assert_eq!(lost.close(), Some(close), "{via:?}: {lost:?}");
        }
    }
}

#[tokio::test]
async fn before_it_is_let_in_a_publisher_has_sixteen_streams_and_then_512() {
    let server = TestServer::start();
    let url = server.push_url("room");
    let mut publisher = Raw::connect(&server, Via::Native, Purpose::Publish, &url).await;
    let connection = publisher.session.connection().clone();
    let frames = Recipe { audio: false, video_bytes: 200_000, ..Recipe::default() }.frames_for(200);
    let first = frames.iter().find(|f| is_picture(f)).unwrap().clone();
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(soon("a stream", connection.open_uni()).await.unwrap());
    }
    let moment = Duration::from_millis(300);
    let one_more = tokio::time::timeout(moment, connection.open_uni()).await;
    assert!(one_more.is_err(), "a stranger has a seventeenth stream");
    // Half of the window, of a picture that is longer than all of it.
    let bytes = message(1, 1, &first);
    let (early, rest) = bytes.split_at(32 << 10);
    let mut key = streams.remove(0);
    soon("half a window", key.write_all(early)).await.unwrap();
    assert!(matches!(publisher.next().await, Some(Event::Started)));
    configure(&mut publisher, &frames).await;
    soon("the rest", key.write_all(rest)).await.unwrap();
    key.finish().unwrap();
    server.until("room", |s| s.kept_frames > 0).await;
    // Now it has 512.
    for _ in 0..400 {
        streams.push(soon("a stream", connection.open_uni()).await.unwrap());
    }
}

#[tokio::test]
async fn viewers_of_a_cameras_stream_see_its_last_frame() {
    for via in VIAS {
        let server = TestServer::with(|c| c.publish.republish_wait_s = 1);
        let frames = Recipe::default().frames_for(900);
        let camera = server.film("room", via).await;
        let url = format!("{}?cache=5000", server.flv_url("room"));
        let viewer = tokio::spawn(async move {
            let mut viewer = Player::connect(&url).await.unwrap();
            common::read_to_end(&mut viewer).await.0
        });
        server.until_viewers("room", 1).await;
        camera.send(&frames);
        // It says goodbye with everything still on its way.
        camera.close().await;
        let got = soon("the end", viewer).await.unwrap();
        assert!(lanes(&got) == lanes(&frames), "{via:?}");
    }
}

#[tokio::test]
async fn sound_alone_is_a_stream() {
    let server = TestServer::start();
    let camera = server.film("room", Via::Native).await;
    let frames = Recipe::audio_only().frames_for(500);
    camera.send(&frames);
    server.until("room", |s| s.kept_frames > 10).await;
    let mut viewer = server.watch("room", Via::Native).await;
    until_arrived(&mut viewer, |f| f.kind == Kind::Audio && f.is_media()).await;
}

#[tokio::test]
async fn a_connection_that_dies_is_noticed_and_its_stream_waits_for_another() {
    let server = TestServer::start();
    let camera = server.film("room", Via::Native).await;
    camera.send(&Recipe::default().frames_for(500));
    server.until("room", |s| s.kept_frames > 10).await;
    let mut viewer = server.watch("room", Via::Native).await;
    until_arrived(&mut viewer, is_picture).await;
    // The process is gone: its socket closes the connection on its way out.
    drop(camera);
    server.until_vacant("room").await;
    let again = server.film("room", Via::WebTransport).await;
    let frames = Recipe { size: (1280, 720), ..Recipe::default() }.frames_for(500);
    again.send(&frames);
    let header = frames[1].payload.clone();
    until_arrived(&mut viewer, |f| f.payload == header).await;
    until_arrived(&mut viewer, is_picture).await;
}

#[tokio::test]
async fn a_publisher_hears_how_its_stream_arrives() {
    let server = TestServer::start();
    let url = server.push_url("room");
    let options = server.options(Via::Native).await;
    let mut publisher = rtc::Publisher::connect(&url, &Trust::system(), &options).await.unwrap();
    let began = std::time::Instant::now();
    let frames = Recipe::default();
    let mut frames = frames.frames();
    until("a status", async || {
        frames.by_ref().take(5).for_each(|frame| publisher.send(&frame));
        let until = std::time::Instant::now() + Duration::from_millis(80);
        assert!(publisher.run_until(until).await.unwrap().is_none(), "no news");
        let status = publisher.status();
        status.net_speed > 0 && status.received > 0 && status.video_bitrate > 0
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(publisher.status().lost, 0);
    assert!(publisher.status().round_trip > Duration::ZERO);
}

#[tokio::test]
async fn a_publisher_over_tcp_is_not_asked_for_key_frames() {
    let server = TestServer::start();
    let mut publisher = Publisher::connect(&server.push_url("room")).await.unwrap();
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut viewer = Raw::let_in(&server, Via::Native, Purpose::Play, "room").await;
    viewer.talk.ask_key();
    viewer.listen(Duration::from_millis(100)).await;
    // Nobody hears it, and nobody minds.
    send(&mut publisher, &Recipe { start: 500, ..Recipe::default() }.frames_for(500)).await;
    server.still_serves("room").await;
}

#[tokio::test]
async fn a_camera_is_asked_for_a_key_frame_and_makes_one() {
    let server = TestServer::start();
    let mut camera = server.film("room", Via::WebTransport).await;
    camera.send(&Recipe { gop: 10_000, ..Recipe::default() }.frames_for(500));
    server.until("room", |s| s.kept_frames > 10).await;
    let mut viewer = Raw::let_in(&server, Via::Native, Purpose::Play, "room").await;
    viewer.talk.ask_key();
    viewer.listen(Duration::from_millis(50)).await;
    assert!(matches!(camera.news().await, Ok(News::KeyWanted)));
}

#[tokio::test]
async fn a_publisher_whose_path_is_too_narrow_is_told_while_it_sends() {
    let server = TestServer::start();
    let path = Path::to(server.rtmp).await;
    let options = Options { port: Some(path.port), ..server.options(Via::Native).await };
    let url = server.push_url("room");
    let mut publisher = rtc::Publisher::connect(&url, &Trust::system(), &options).await.unwrap();
    let mut path = Some(path);
    let told = async {
        for (n, frame) in Recipe::default().frames().enumerate() {
            publisher.send(&frame);
            if n == 60 {
                // As narrow as can be.
                path.take().unwrap().cut();
            }
            // 25 pictures and 31 sounds a second.
            let until = std::time::Instant::now() + Duration::from_millis(18);
            if let Some(News::TooNarrow { .. }) = publisher.run_until(until).await.unwrap() {
                return;
            }
        }
    };
    soon("the news", told).await;
}
