//! Watching over UDP: the first picture at once, every byte as it was pushed, and who is let in.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant};

use common::log::Log;
use common::udp::{
    Raw, VIAS, arrived, by_push_key, is_picture, lanes, soon, to_the_end, until, until_arrived,
    up_to_a_picture,
};
use common::{PLAY_KEY, PUSH_KEY, TestServer, policy, send, signature, strong, vendor_policy};
use thalweg_access::{Account, Policy, Purpose as SignedFor};
use thalweg_client::rtc::{Event as Happened, Player, Via};
use thalweg_client::{Error, Publisher, Trust};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::Close;
use thalweg_wire::rtmp_udp::client::Event;

/// The open policy, with so many viewers over UDP.
fn viewers_max(udp_viewers_max: u32) -> Policy {
    let account = policy(false).default_account().clone();
    Policy::new(vec![Account { udp_viewers_max, ..account }]).unwrap()
}

fn refused(result: Result<Player, Error>) -> (String, String) {
    match result {
        Err(Error::Refused(status)) => {
            (status.code.into_owned(), status.reason.unwrap_or_default().into_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_picture_comes_at_once_whatever_the_gop() {
    for seconds in [1, 3, 8] {
        let server = TestServer::start();
        let recipe = Recipe { gop: 25 * seconds, ..Recipe::default() };
        let ms = 1000 * i64::from(seconds);
        let so_far = recipe.frames_for(ms - 100);
        let mut publisher = server.publish("room").await;
        send(&mut publisher, &so_far).await;
        server.until_kept("room", &so_far).await;
        let key = so_far.iter().find(|f| is_picture(f)).unwrap();
        let next: Vec<Frame> = recipe.frames_for(ms + 500).split_off(so_far.len());
        for via in VIAS {
            let mut viewer = server.watch("room", via).await;
            let start = until_arrived(&mut viewer, is_picture).await;
            let first = start.last().unwrap();
            assert_eq!(first.payload, key.payload, "GOP of {seconds} s, {via:?}");
            let headers: Vec<Kind> = start.iter().filter(|f| f.config).map(|f| f.kind).collect();
            assert!(headers.contains(&Kind::Data) && headers.contains(&Kind::Video), "{headers:?}");
            if seconds < 8 {
                // Nothing more is pushed: the rest of the GOP is there as well.
                let newest = so_far.iter().rfind(|f| is_picture(f)).unwrap();
                until_arrived(&mut viewer, |f| f.payload == newest.payload).await;
            }
            viewer.close().await;
        }
        let mut viewer = server.watch("room", Via::Native).await;
        until_arrived(&mut viewer, is_picture).await;
        send(&mut publisher, &next).await;
        let rest = until_arrived(&mut viewer, |f| f.key && f.dts >= ms).await;
        if seconds == 8 {
            // Of a long GOP the key frame alone came, as a still.
            let stale = rest.iter().filter(|f| is_picture(f) && !f.key).count();
            assert_eq!(stale, 0, "pictures that depend on what was not sent");
        }
    }
}

#[tokio::test]
async fn every_byte_is_as_it_was_pushed_and_headers_come_first() {
    for via in VIAS {
        let server = TestServer::start();
        // Who comes before the stream has begun waits for it.
        let waiting = server.watch_later("room", via).await;
        let frames = Recipe::default().frames_for(3000);
        let (first, rest) = up_to_a_picture(&frames);
        let mut publisher = server.publish("room").await;
        send(&mut publisher, first).await;
        let mut viewer = soon("a player", waiting).await.unwrap();
        let mut got = until_arrived(&mut viewer, is_picture).await;
        // A viewer in RTC mode that is a second behind leaves out what is between.
        for part in rest.chunks(20) {
            send(&mut publisher, part).await;
            got.extend(arrived(&mut viewer, part.len()).await);
        }
        assert!(lanes(&got) == lanes(&frames), "{via:?}");
        for kind in [Kind::Video, Kind::Audio] {
            let header = got.iter().position(|f| f.kind == kind && f.config).unwrap();
            let media = got.iter().position(|f| f.kind == kind && f.is_media()).unwrap();
            assert!(header < media, "{kind:?} by {via:?}");
        }
        for config in Recipe::default().configuration() {
            let came = got.iter().find(|f| f.kind == config.kind && f.config).unwrap();
            assert_eq!(came.payload, config.payload, "{via:?}");
        }
    }
}

#[tokio::test]
async fn a_header_that_changes_comes_before_the_pictures_that_need_it() {
    let server = TestServer::start();
    let small = Recipe::default().frames_for(1000);
    let large = Recipe { size: (1280, 720), start: 1000, ..Recipe::default() }.frames_for(1000);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &small).await;
    let mut viewer = server.watch("room", Via::Native).await;
    until_arrived(&mut viewer, |f| f.key).await;
    send(&mut publisher, &large).await;
    let got = until_arrived(&mut viewer, |f| is_picture(f) && f.dts >= 1400).await;
    let config = large.iter().find(|f| f.kind == Kind::Video && f.config).unwrap();
    let header = got.iter().position(|f| f.payload == config.payload).unwrap();
    let picture = got.iter().position(|f| is_picture(f) && f.dts >= 1000).unwrap();
    assert!(header < picture);
    assert!(got[..header].iter().all(|f| f.dts < 1000 || f.kind != Kind::Video));
}

#[tokio::test]
async fn a_signature_is_compulsory_even_where_plain_play_is_open() {
    let server = TestServer::with(|c| c.play.wait_s = 1);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let watch_only = strong(PLAY_KEY, "room", SignedFor::Play, |_| {});
    let room = |query: &str| format!("{}?{query}", server.rtmp_url("room"));
    let cases = [
        ("auth-missing", Close::Auth, 10, server.rtmp_url("room")),
        ("auth-bad", Close::Auth, 10, room(&signature("another key", "room", 60))),
        ("auth-bad", Close::Auth, 10, room(&signature(PLAY_KEY, "other", 60))),
        ("auth-expired", Close::Auth, 10, room(&signature(PLAY_KEY, "room", -5))),
        ("wrong-action", Close::Auth, 10, room(&watch_only)),
        ("not-allowed", Close::Auth, 0, server.udp_url("room")),
        ("not-found", Close::NotFound, 10, server.udp_url("nobody")),
    ];
    for (reason, close, max, url) in cases {
        server.policy.replace(viewers_max(max));
        for via in VIAS {
            let began = Instant::now();
            let raw = Raw::connect(&server, via, Purpose::Play, &url).await;
            let (status, lost) = raw.hear_the_end().await;
            let status = status.unwrap();
            assert_eq!(status.reason.as_deref(), Some(reason), "{via:?}");
            let code = if reason == "not-found" { "StreamNotFound" } else { "Failed" };
            assert_eq!(status.code, format!("NetStream.Play.{code}"), "{reason}");
            assert_eq!(lost.close(), Some(close), "{reason} by {via:?}: {lost:?}");
            if reason == "not-found" {
                assert!(began.elapsed() >= Duration::from_secs(1), "it waited first");
            }
        }
        let counted = format!("thalweg_refused_total{{action=\"play\",reason=\"{reason}\"}}");
        assert!(server.metric(&counted).await >= Some(2), "{reason}");
    }
    server.policy.replace(viewers_max(10));
    server.still_serves("room").await;
}

#[tokio::test]
async fn one_viewer_more_than_may_be_is_told_so() {
    let server = TestServer::start();
    server.policy.replace(viewers_max(1));
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let _first = server.watch("room", Via::Native).await;
    for via in VIAS {
        let raw = Raw::connect(&server, via, Purpose::Play, &server.udp_url("room")).await;
        let (status, lost) = raw.hear_the_end().await;
        let status = status.unwrap();
        assert_eq!(status.code, "NetStream.Play.Failed");
        assert_eq!(status.reason.as_deref(), Some("viewer-limit"));
        assert_eq!(lost.close(), Some(Close::Limit), "{via:?}: {lost:?}");
    }
}

#[tokio::test]
async fn a_url_is_good_for_any_number_of_plays_until_it_expires() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let url = format!("{}?{}", server.rtmp_url("room"), signature(PLAY_KEY, "room", 2));
    let options = server.options(Via::Native).await;
    let trust = Trust::system();
    let mut first = Player::connect(&url, &trust, &options).await.unwrap();
    let mut second = Player::connect(&url, &trust, &options).await.unwrap();
    until_arrived(&mut first, is_picture).await;
    until_arrived(&mut second, is_picture).await;
    until("it has expired", async || match Player::connect(&url, &trust, &options).await {
        Ok(_) => false,
        expired => refused(expired).1 == "auth-expired",
    })
    .await;
    // Whoever is in stays in.
    let more = Recipe { start: 1000, ..Recipe::default() }.frames_for(500);
    send(&mut publisher, &more).await;
    until_arrived(&mut first, |f| is_picture(f) && f.dts >= 1000).await;
}

#[tokio::test]
async fn the_vendors_profile_takes_the_push_key_and_a_push_then_does_not() {
    let server = TestServer::start();
    server.policy.replace(vendor_policy());
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let url = by_push_key(&server, "room");
    for via in VIAS {
        let options = server.options(via).await;
        let mut viewer = Player::connect(&url, &Trust::system(), &options).await.unwrap();
        until_arrived(&mut viewer, is_picture).await;
    }
    publisher.close().await.unwrap();
    server.until_vacant("room").await;
    let over_tcp = Publisher::connect(&url).await.map(drop);
    let options = server.options(Via::Native).await;
    let over_udp = thalweg_client::rtc::Publisher::connect(&url, &Trust::system(), &options).await;
    for got in [over_tcp, over_udp.map(drop)] {
        match got {
            Err(Error::Refused(status)) => {
                assert_eq!(status.reason.as_deref(), Some("wrong-action"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_strict_profile_does_not_take_the_push_key() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    for via in VIAS {
        let options = server.options(via).await;
        let (url, trust) = (by_push_key(&server, "room"), Trust::system());
        let got = refused(Player::connect(&url, &trust, &options).await);
        assert_eq!(got, ("NetStream.Play.Failed".to_owned(), "auth-bad".to_owned()));
    }
    // It was not spent either: nobody who watched has it.
    let url = format!("{}?{}", server.rtmp_url("room"), signature(PUSH_KEY, "room", 60));
    Publisher::connect(&url).await.unwrap();
}

#[tokio::test]
async fn a_viewer_keeps_its_seat_while_its_publisher_comes_back() {
    let server = TestServer::start();
    server.policy.replace(viewers_max(1));
    let mut first = server.publish("room").await;
    send(&mut first, &Recipe::default().frames_for(500)).await;
    let mut viewer = server.watch("room", Via::Native).await;
    let mut got = until_arrived(&mut viewer, is_picture).await;
    first.close().await.unwrap();
    server.until_vacant("room").await;
    let (url, options) = (server.udp_url("room"), server.options(Via::Native).await);
    let another = Player::connect(&url, &Trust::system(), &options).await;
    assert_eq!(refused(another).1, "viewer-limit");
    let mut second = server.publish("room").await;
    let large = Recipe { size: (1280, 720), ..Recipe::default() };
    send(&mut second, &large.frames_for(500)).await;
    let header = large.configuration()[1].payload.clone();
    got.extend(until_arrived(&mut viewer, |f| f.payload == header).await);
    got.extend(arrived(&mut viewer, 20).await);
    for kind in [Kind::Audio, Kind::Video] {
        let times: Vec<_> =
            got.iter().filter(|f| f.kind == kind && f.is_media()).map(|f| f.dts).collect();
        assert!(times.is_sorted(), "time goes on: {times:?}");
    }
}

#[tokio::test]
async fn when_the_stream_has_ended_its_viewers_are_told() {
    let server = TestServer::with(|c| c.publish.republish_wait_s = 0);
    for via in VIAS {
        let mut publisher = server.publish("room").await;
        send(&mut publisher, &Recipe::default().frames_for(500)).await;
        let raw = Raw::let_in(&server, via, Purpose::Play, "room").await;
        publisher.close().await.unwrap();
        let (status, lost) = raw.hear_the_end().await;
        assert_eq!(status.unwrap().code, "NetStream.Play.UnpublishNotify", "{via:?}");
        assert_eq!(lost.close(), Some(Close::None), "{via:?}: {lost:?}");
    }
}

#[tokio::test]
async fn after_a_pause_it_goes_on_at_the_live_edge_with_a_key_frame() {
    let server = TestServer::start();
    let all = Recipe::default().frames_for(5000);
    let until_ms = |ms| all.iter().position(|f| f.dts >= ms).unwrap();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &all[..until_ms(500)]).await;
    let mut viewer = server.watch("room", Via::Native).await;
    until_arrived(&mut viewer, |f| is_picture(f) && f.dts == 480).await;
    let mut got = Vec::new();
    for (pause, want) in [(true, "Pause"), (false, "Unpause")] {
        viewer.pause(pause);
        got.clear();
        let said = soon("an answer", async {
            loop {
                match viewer.next().await.unwrap() {
                    Happened::Status(status) => return status.code.into_owned(),
                    Happened::Due(due) => got.push(due.arrived.frame),
                    Happened::Reconnect(_) => {}
                }
            }
        });
        assert_eq!(said.await, format!("NetStream.{want}.Notify"));
        if pause {
            send(&mut publisher, &all[until_ms(500)..until_ms(2500)]).await;
            server.until_kept("room", &all[..until_ms(2500)]).await;
        } else {
            send(&mut publisher, &all[until_ms(2500)..]).await;
        }
    }
    soon("pictures", async {
        while !got.iter().any(|f| is_picture(f) && f.dts >= 3200) {
            if let Happened::Due(due) = viewer.next().await.unwrap() {
                got.push(due.arrived.frame);
            }
        }
    })
    .await;
    let pictures: Vec<_> = got.iter().filter(|f| is_picture(f)).collect();
    assert!(pictures[0].key && pictures[0].dts >= 2000, "{}", pictures[0].dts);
}

#[tokio::test]
async fn pictures_and_sound_can_be_turned_off_and_on() {
    let server = TestServer::start();
    let all = Recipe::default().frames_for(5000);
    let until_ms = |ms| all.iter().position(|f| f.dts >= ms).unwrap();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &all[..until_ms(500)]).await;
    let mut viewer = Raw::let_in(&server, Via::Native, Purpose::Play, "room").await;
    // What it says is done in order: a clock that is answered says that the rest was heeded.
    let heeded = async |viewer: &mut Raw, id| {
        viewer.talk.ask_clock(id, 0);
        while !matches!(viewer.next().await, Some(Event::Clock(r)) if r.id == id) {}
    };
    let mut media = Media::of(&viewer);
    media.until(Kind::Video, 480).await;
    viewer.talk.receive(Kind::Video, false);
    heeded(&mut viewer, 1).await;
    send(&mut publisher, &all[until_ms(500)..until_ms(1500)]).await;
    let got = media.until(Kind::Audio, 1472).await;
    assert!(got.iter().all(|(kind, ..)| *kind == Kind::Audio), "{got:?}");
    viewer.talk.receive(Kind::Video, true);
    viewer.talk.receive(Kind::Audio, false);
    heeded(&mut viewer, 2).await;
    send(&mut publisher, &all[until_ms(1500)..until_ms(2500)]).await;
    let got = media.until(Kind::Video, 2480).await;
    assert!(got.iter().all(|(kind, ..)| *kind == Kind::Video), "{got:?}");
    let (_, first, is_key) = got.iter().min_by_key(|(_, dts, _)| *dts).unwrap();
    assert!(*is_key && *first == 2000, "pictures come back with a key frame: {got:?}");
}

/// Streams of media, as they come.
struct Media(thalweg_quic::Session);

impl Media {
    fn of(raw: &Raw) -> Media {
        Media(raw.session.clone())
    }

    /// Kind, time and key of everything up to a certain frame.
    async fn until(&mut self, kind: Kind, ms: u32) -> Vec<(Kind, u32, bool)> {
        use thalweg_wire::rtmp_udp::media::StreamReader;
        let mut got = Vec::new();
        let connection = self.0.connection().clone();
        soon("media", async {
            loop {
                let mut stream = connection.accept_uni().await.unwrap();
                // One that was given up is not whole.
                let Ok(bytes) = stream.read_to_end(1 << 20).await else { continue };
                let (mut reader, mut input) = (StreamReader::new(1 << 20), &bytes[..]);
                let mut messages = Vec::new();
                while let Some((header, _)) = reader.read(&mut input).unwrap() {
                    messages.push(header);
                }
                messages.extend(reader.finish().unwrap().map(|(header, _)| header));
                got.extend(messages.iter().map(|h| (h.kind, h.timestamp, h.flags.key)));
                if messages.iter().any(|h| (h.kind, h.timestamp) == (kind, ms)) {
                    return;
                }
            }
        })
        .await;
        got
    }
}

#[tokio::test]
async fn a_viewer_without_a_key_frame_asks_the_publisher_once_a_second_at_most() {
    for via in VIAS {
        let server = TestServer::start();
        let mut camera = server.film("room", via).await;
        camera.send(&Recipe::default().frames_for(500));
        server.until("room", |s| s.kept_frames > 10).await;
        let mut viewers = Vec::new();
        for _ in 0..2 {
            viewers.push(Raw::let_in(&server, Via::Native, Purpose::Play, "room").await);
        }
        let began = Instant::now();
        let mut wanted = 0;
        while wanted < 2 {
            for viewer in &mut viewers {
                viewer.talk.ask_key();
                viewer.listen(Duration::from_millis(20)).await;
            }
            wanted += camera.said().len();
            assert!(began.elapsed() < Duration::from_secs(10), "nobody is asked");
        }
        assert!(began.elapsed() >= Duration::from_millis(950), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn both_sides_know_how_the_session_fares() {
    let log = Log::begin();
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    let began = Instant::now();
    let filming = tokio::spawn(async move {
        for frame in Recipe::default().frames() {
            let at = began + Duration::from_millis(frame.dts as u64);
            tokio::time::sleep_until(at.into()).await;
            publisher.send(&frame).await.unwrap();
        }
    });
    let mut viewer = server.watch("room", Via::Native).await;
    soon("a status", async {
        loop {
            viewer.next().await.unwrap();
            let status = viewer.status();
            if status.delay.is_some() && status.clock_offset_us.is_some() && status.net_speed > 0 {
                return;
            }
        }
    })
    .await;
    let status = viewer.status().clone();
    assert!(status.round_trip > Duration::ZERO && status.round_trip < Duration::from_secs(1));
    assert!(status.clock_offset_us.unwrap().abs() < 1_000_000, "one machine has one clock");
    assert!(status.delay.unwrap() < Duration::from_secs(5), "{:?}", status.delay);
    assert_eq!((status.video_width, status.video_height), (640, 360));
    let of_session = "{stream=\"1/live/room\",session=\"1\"}";
    for name in ["delay_ms", "srtt_us", "packets_sent"] {
        let name = format!("thalweg_udp_session_{name}{of_session}");
        soon(&name, async {
            while !matches!(server.metric(&name).await, Some(1..)) {
                let _ = tokio::time::timeout(Duration::from_millis(50), viewer.next()).await;
            }
        })
        .await;
    }
    for (name, value) in [
        ("thalweg_udp_stream_viewers{stream=\"1/live/room\"}", 1),
        ("thalweg_udp_stream_viewers_max{stream=\"1/live/room\"}", 10),
        ("thalweg_plays_total{protocol=\"rtmp-udp\"}", 1),
        ("thalweg_viewers{protocol=\"rtmp-udp\"}", 1),
    ] {
        assert_eq!(server.metric(name).await, Some(value), "{name}");
    }
    viewer.close().await;
    server.until_viewers("room", 0).await;
    filming.abort();
    let name = format!("thalweg_udp_session_srtt_us{of_session}");
    assert_eq!(server.metric(&name).await, None, "a session that is over has no row");
    assert!(server.metric("thalweg_udp_packets_sent_total").await > Some(0), "the sums stay");
    let begins = log.with(&["play begins", "stream=1/live/room", "protocol=rtmp-udp", "mode=rtc"]);
    let ends = log.with(&["play ends", "stream=1/live/room", "cause=the viewer stopped"]);
    assert_eq!((begins.len(), ends.len()), (1, 1), "{:?}", log.with(&[]));
    assert!(log.with(&["txSecret"]).is_empty(), "queries never get into a log");
}

#[tokio::test]
async fn a_viewer_is_told_once_a_second_how_its_path_looks_from_the_server() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut viewer = Raw::let_in(&server, Via::Native, Purpose::Play, "room").await;
    let stat = loop {
        if let Some(Event::Stat(stat)) = viewer.next().await {
            break stat;
        }
    };
    assert_eq!((stat.viewers, stat.gated), (1, false));
    assert!(stat.srtt_us > 0 && stat.min_rtt_us > 0 && stat.cwnd > 0, "{stat:?}");
}

#[tokio::test]
async fn a_server_that_stops_tells_its_viewers() {
    for via in VIAS {
        let mut server = TestServer::start();
        let mut publisher = server.publish("room").await;
        send(&mut publisher, &Recipe::default().frames_for(500)).await;
        let watching = Raw::let_in(&server, via, Purpose::Play, "room").await;
        let waiting = Raw::connect(&server, via, Purpose::Play, &server.udp_url("later")).await;
        let waiting = tokio::spawn(waiting.hear_the_end());
        server.until_viewers("later", 1).await;
        let stopping = server.stop();
        let (status, lost) = watching.hear_the_end().await;
        assert_eq!(status.unwrap().code, "NetConnection.Connect.AppShutdown", "{via:?}");
        assert_eq!(lost.close(), Some(Close::GoingAway), "{via:?}: {lost:?}");
        let (status, lost) = waiting.await.unwrap();
        assert_eq!(status.unwrap().reason.as_deref(), Some("stopping"), "{via:?}");
        assert_eq!(lost.close(), Some(Close::GoingAway), "{via:?}: {lost:?}");
        drop(publisher);
        soon("the stop", stopping).await.unwrap();
    }
}

#[tokio::test]
async fn our_player_says_how_it_ended() {
    let server = TestServer::with(|c| c.publish.republish_wait_s = 0);
    let mut publisher = server.publish("room").await;
    send(&mut publisher, &Recipe::default().frames_for(500)).await;
    let mut viewer = server.watch("room", Via::WebTransport).await;
    publisher.close().await.unwrap();
    match to_the_end(&mut viewer).await {
        Error::Ended(status) => assert_eq!(status.code, "NetStream.Play.UnpublishNotify"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_sent_since_the_last_look_is_counted_when_a_viewer_leaves() {
    let server = TestServer::start();
    let mut publisher = server.publish("room").await;
    let recipe = Recipe { video_bytes: 60_000, ..Recipe::default() };
    let frames = recipe.frames_for(200);
    send(&mut publisher, &frames).await;
    server.until_kept("room", &frames).await;
    let mut viewer = server.watch("room", Via::Native).await;
    let got = arrived(&mut viewer, 5).await;
    let bytes: u64 = got.iter().map(|f| f.payload.len() as u64).sum();
    // Less than the half second after which it is looked at again.
    viewer.close().await;
    server.until_viewers("room", 0).await;
    let packets = server.metric("thalweg_udp_packets_sent_total").await;
    assert!(bytes > 100_000 && packets > Some(bytes / 1500), "{packets:?} packets, {bytes} bytes");
}
