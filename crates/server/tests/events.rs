//! What happens is told once each, with all that others need to be told of it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::udp::{VIAS, soon};
use common::{TestServer, read, send};
use thalweg_client::{Player, Publisher};
use thalweg_hub::{Event, EventReader, Protocol, What};
use thalweg_testkit::media::Recipe;

/// The next event.
async fn next(reader: &mut EventReader, rest: &mut Vec<Arc<Event>>) -> Arc<Event> {
    if rest.is_empty() {
        let batch = soon("an event", reader.next()).await;
        assert_eq!(batch.missed, 0);
        *rest = batch.events;
    }
    rest.remove(0)
}

#[tokio::test]
async fn a_publication_and_its_viewers_from_beginning_to_end() {
    let server = TestServer::start();
    let (mut reader, mut rest) = (server.hub.events().reader(), Vec::new());
    let began_at = SystemTime::now() - Duration::from_secs(1);
    for (scheme, url) in server.push_urls("room") {
        let mut publisher = Publisher::connect(&format!("{url}&record=flv")).await.unwrap();
        let event = next(&mut reader, &mut rest).await;
        assert!(event.at > began_at);
        let What::PublishBegan(began) = &event.what else { panic!("{event:?}") };
        assert_eq!(began.key.to_string(), "1/live/room");
        assert_eq!(began.protocol, if scheme == "ws" { "ws-flv" } else { "rtmp" });
        assert_eq!(&*began.host, "127.0.0.1");
        assert_eq!(Some(&*began.query), format!("{url}&record=flv").split('?').nth(1));
        let epoch = began.epoch;
        let frames = Recipe::default().frames_for(500);
        send(&mut publisher, &frames).await;
        for (scheme, url) in server.play_urls("room") {
            let mut player = Player::connect(&url).await.unwrap();
            read(&mut player, 5).await;
            let event = next(&mut reader, &mut rest).await;
            let What::PlayBegan(came) = &event.what else { panic!("{event:?}") };
            let want = match scheme {
                "rtmp" => Protocol::Rtmp,
                "http" => Protocol::HttpFlv,
                _ => Protocol::WsFlv,
            };
            assert_eq!((came.protocol, came.key.to_string().as_str()), (want, "1/live/room"));
            drop(player);
            let event = next(&mut reader, &mut rest).await;
            let What::PlayEnded(left) = &event.what else { panic!("{event:?}") };
            assert_eq!((left.id, left.protocol, left.peer), (came.id, want, came.peer));
            assert!(left.bytes > 1000 && left.cause == "the viewer left", "{left:?}");
        }
        publisher.close().await.unwrap();
        if scheme == "rtmp" {
            // Our own chunks are longer than the vendor likes.
            let event = next(&mut reader, &mut rest).await;
            let What::Anomalies(odd) = &event.what else { panic!("{event:?}") };
            assert_eq!(odd.list.iter().map(|a| (a.kind, a.count)).collect::<Vec<_>>(), [(5, 1)]);
        }
        let event = next(&mut reader, &mut rest).await;
        let What::PublishEnded(ended) = &event.what else { panic!("{event:?}") };
        assert_eq!((ended.epoch, ended.key.to_string().as_str()), (epoch, "1/live/room"));
        assert!([1, 2, 3].contains(&ended.errcode), "{ended:?}");
        let sent: usize = frames.iter().map(|f| f.payload.len()).sum();
        assert_eq!(ended.bytes_in, sent as u64, "{ended:?}");
        server.until_vacant("room").await;
    }
    assert!(rest.is_empty() && reader.try_next().is_none());
}

#[tokio::test]
async fn over_udp_as_well() {
    let server = TestServer::start();
    let (mut reader, mut rest) = (server.hub.events().reader(), Vec::new());
    for via in VIAS {
        let camera = server.film("room", via).await;
        let event = next(&mut reader, &mut rest).await;
        assert!(matches!(&event.what, What::PublishBegan(b) if b.protocol == "rtmp-udp"));
        camera.send(&Recipe::default().frames_for(500));
        let player = server.watch("room", via).await;
        let event = next(&mut reader, &mut rest).await;
        assert!(matches!(&event.what, What::PlayBegan(b) if b.protocol == Protocol::RtmpUdp));
        player.close().await;
        let event = next(&mut reader, &mut rest).await;
        assert!(matches!(&event.what, What::PlayEnded(e) if e.bytes > 0), "{event:?}");
        drop(camera);
        let event = next(&mut reader, &mut rest).await;
        assert!(matches!(&event.what, What::PublishEnded(_)), "{event:?}");
        server.until_vacant("room").await;
    }
}

#[tokio::test]
async fn what_was_odd_is_told_before_the_end() {
    let server = TestServer::start();
    let (mut reader, mut rest) = (server.hub.events().reader(), Vec::new());
    let mut publisher = server.publish("room").await;
    let recipe = Recipe::default();
    send(&mut publisher, &recipe.frames_for(500)).await;
    // The clock leaps by a minute.
    send(&mut publisher, &Recipe { start: 60_000, ..recipe }.frames_for(500)).await;
    publisher.close().await.unwrap();
    next(&mut reader, &mut rest).await;
    let event = next(&mut reader, &mut rest).await;
    let What::Anomalies(odd) = &event.what else { panic!("{event:?}") };
    for kind in [3, 4] {
        let leap = odd.list.iter().find(|a| a.kind == kind).unwrap();
        assert!(leap.count == 1 && leap.worst > 59_000, "{leap:?}");
    }
    let event = next(&mut reader, &mut rest).await;
    assert!(matches!(&event.what, What::PublishEnded(_)), "{event:?}");
}
