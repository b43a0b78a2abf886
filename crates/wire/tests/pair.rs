//! Our client against our server, in memory, with a clock turned by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use thalweg_testkit::media::Recipe;
use thalweg_testkit::pair::Pair;
use thalweg_wire::Error;
use thalweg_wire::amf0::Value;
use thalweg_wire::error::Misbehaved;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::client::{Event as ClientEvent, Purpose};
use thalweg_wire::rtmp::command::{Status, code};
use thalweg_wire::rtmp::handshake::Style;
use thalweg_wire::rtmp::server::Event as ServerEvent;

fn publishing() -> Pair {
    let mut pair = Pair::new(Purpose::Publish, Style::Simple);
    pair.drive_accepting();
    assert!(pair.server.is_publishing());
    pair.client_events.clear();
    pair.server_events.clear();
    pair
}

fn server_frames(pair: &mut Pair) -> Vec<Frame> {
    let frame = |e| match e {
        ServerEvent::Frame(frame) => Some(frame),
        _ => None,
    };
    pair.server_events.drain(..).filter_map(frame).collect()
}

#[test]
fn a_publisher_asks_twice_and_starts() {
    for style in [Style::Simple, Style::DigestFirst, Style::DigestSecond] {
        let mut pair = Pair::new(Purpose::Publish, style);
        pair.drive_accepting();
        let [ServerEvent::Connect(connect), ServerEvent::Publish(Ok(address))] =
            pair.server_events.make_contiguous()
        else {
            panic!("{:?}", pair.server_events);
        };
        assert_eq!((connect.app.as_str(), connect.tc_url.as_str()), ("live", "rtmp://host/live"));
        assert_eq!((address.app.as_str(), address.stream.as_str()), ("live", "room"));
        assert_eq!(address.query, "q=1");
        assert!(matches!(pair.client_events.pop_front(), Some(ClientEvent::Started)));
    }
}

#[test]
fn what_is_published_arrives_as_it_was() {
    let mut pair = publishing();
    let frames = Recipe { video_bytes: 100_000, ..Recipe::default() }.frames_for(3000);
    for frame in &frames {
        pair.client.send(frame).unwrap();
    }
    pair.drive().unwrap();
    assert_eq!(server_frames(&mut pair), frames);
}

#[test]
fn time_crosses_both_borders() {
    let (four_hours_40, fifty_days) = (0x00ff_ffff, 0xffff_ffff);
    for border in [four_hours_40, fifty_days] {
        let mut pair = publishing();
        let recipe = Recipe { start: border - 1000, video_bytes: 70_000, ..Recipe::default() };
        let frames = recipe.frames_for(2000);
        assert!(frames.iter().any(|f| f.dts < border) && frames.iter().any(|f| f.dts > border));
        for frame in &frames {
            pair.client.send(frame).unwrap();
        }
        pair.drive().unwrap();
        assert_eq!(server_frames(&mut pair), frames, "border {border:#x}");
    }
}

#[test]
fn a_refusal_reaches_the_client_with_its_reason() {
    for purpose in [Purpose::Publish, Purpose::Play] {
        let mut pair = Pair::new(purpose, Style::Simple);
        pair.drive().unwrap();
        pair.server.accept(pair.now).unwrap();
        pair.drive().unwrap();
        let why =
            Status::error(code::PUBLISH_DENIED, "the URL has expired").with_reason("auth-expired");
        pair.server.reject(pair.now, &why).unwrap();
        pair.drive().unwrap();
        let refused = pair.client_events.pop_back();
        assert!(matches!(refused, Some(ClientEvent::Refused(status)) if status == why));
        assert!(pair.client.is_over());
    }
}

#[test]
fn a_refused_connect_says_why_too() {
    let mut pair = Pair::new(Purpose::Play, Style::Simple);
    pair.drive().unwrap();
    let why = Status::error(code::CONNECT_REJECTED, "stopping");
    pair.server.reject(pair.now, &why).unwrap();
    pair.drive().unwrap();
    let refused = pair.client_events.pop_back();
    assert!(matches!(refused, Some(ClientEvent::Refused(status)) if status == why));
}

#[test]
fn a_publisher_that_closes_is_noticed() {
    let mut pair = publishing();
    pair.client.close();
    pair.drive().unwrap();
    assert!(matches!(pair.server_events.pop_front(), Some(ServerEvent::Ended(_))));
    assert!(!pair.server.is_publishing());
}

#[test]
fn a_replaced_publisher_is_told_so() {
    let mut pair = publishing();
    pair.server.end(pair.now, &Status::ok(code::PUBLISH_REPLACED, "a newer push took over"));
    pair.drive().unwrap();
    let ended = pair.client_events.pop_front();
    assert!(matches!(ended, Some(ClientEvent::Ended(s)) if s.code == code::PUBLISH_REPLACED));
}

#[test]
fn a_viewer_plays_on_its_stream() {
    let mut pair = Pair::new(Purpose::Play, Style::DigestFirst);
    pair.drive_accepting();
    assert_eq!(pair.server.playing(), Some(1));
    assert!(matches!(pair.client_events.back(), Some(ClientEvent::Started)));
    pair.server.end(pair.now, &Status::ok(code::PLAY_UNPUBLISH_NOTIFY, "the stream ended"));
    pair.drive().unwrap();
    assert!(matches!(pair.client_events.back(), Some(ClientEvent::Ended(_))));
}

#[test]
fn slow_peers_run_out_of_time() {
    let seconds = Duration::from_secs;
    let mut pair = Pair::new(Purpose::Publish, Style::Simple);
    assert_eq!(pair.wait(seconds(4)), Ok(()));
    assert_eq!(pair.wait(seconds(1)), Err(Misbehaved::SlowHandshake.into()));

    let mut pair = publishing();
    assert_eq!(pair.wait(seconds(29)), Ok(()));
    assert_eq!(pair.wait(seconds(1)), Err(Misbehaved::NoMedia.into()));
}

#[test]
fn a_publisher_may_be_silent_for_70_seconds() {
    let mut pair = publishing();
    let frame = Recipe::default().frames().nth(5).unwrap();
    for _ in 0..10 {
        pair.client.send(&frame).unwrap();
        pair.drive().unwrap();
        assert_eq!(pair.wait(Duration::from_secs(69)), Ok(()));
    }
    assert_eq!(pair.wait(Duration::from_secs(1)), Err(Error::from(Misbehaved::Silent)));
}

#[test]
fn metadata_loses_its_instruction_and_nothing_else() {
    let mut pair = publishing();
    let metadata = Recipe::default().configuration().remove(0);
    pair.client.send(&metadata).unwrap();
    pair.drive().unwrap();
    let got = server_frames(&mut pair).remove(0);
    assert_eq!(got, metadata);
    assert!(got.config && got.kind == Kind::Data);
    let text = Value::string("onMetaData");
    let mut begin = Vec::new();
    text.encode(&mut begin);
    assert!(got.payload.starts_with(&begin));
}
