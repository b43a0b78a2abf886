//! What the hub holds is bounded, whatever is published.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::{World, read_all, start};
use thalweg_hub::{
    Bell, Depth, Lag, Limits, Protocol, PublishError, Retain, StreamKey, StreamSnapshot,
};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

fn seen(world: &World) -> StreamSnapshot {
    world.hub.snapshot(world.now).streams.remove(0)
}

#[test]
fn a_stream_without_a_second_key_frame_stays_within_its_bytes() {
    let limits =
        Limits { retain: Retain { bytes_max: 1 << 20, ..Retain::default() }, ..Limits::default() };
    let mut world = World::with(limits);
    let mut publication = world.publish();
    let recipe = Recipe { gop: u32::MAX, video_bytes: 9_000, ..Recipe::default() };
    world.play_out(&mut publication, &recipe, 20_000);
    assert!(seen(&world).kept_bytes <= 1 << 20);
}

#[test]
fn a_clock_that_stands_still_is_bounded_by_count() {
    let world = World::new();
    let mut publication = world.publish();
    let frame = Frame::new(Kind::Audio, 7, Bytes::from_static(&[0xaf, 1, 0]));
    for _ in 0..20_000 {
        publication.append(frame.clone(), world.now).unwrap();
    }
    assert_eq!(seen(&world).kept_frames, 8192);
}

#[test]
fn a_clock_that_leaps_is_not_time_that_passed() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 3000);
    let before = seen(&world).kept_ms;
    // Half a day forward, and back again.
    for start in [43_200_000, 3000] {
        world.play_out(&mut publication, &Recipe { start, ..Recipe::default() }, 1000);
    }
    let after = seen(&world).kept_ms;
    assert!((before..before + 2100).contains(&after), "{before} then {after}");
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::AtLeast(1000));
    assert!(read_all(&mut viewer).0.len() < 150);
}

#[test]
fn headers_that_change_with_every_frame_are_bounded() {
    let world = World::new();
    let mut publication = world.publish();
    for i in 0..20_000u32 {
        let body = [&[0x17, 0, 0, 0, 0][..], &i.to_be_bytes()].concat();
        let frame = Frame::new(Kind::Video, i64::from(i) * 40, body.into());
        publication.append(frame, world.now).unwrap();
    }
    assert!(seen(&world).kept_frames <= 8192);
    let mut viewer = world.subscribe();
    assert!(viewer.start(Depth::Newest).is_none());
}

#[test]
fn one_frame_larger_than_the_bound_is_still_delivered() {
    let limits =
        Limits { retain: Retain { bytes_max: 1000, ..Retain::default() }, ..Limits::default() };
    let world = World::with(limits);
    let mut publication = world.publish();
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.resize(5000, 0);
    publication.append(Frame::new(Kind::Video, 0, body.into()), world.now).unwrap();
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    assert_eq!(read_all(&mut viewer).0.len(), 1);
}

#[test]
fn streams_are_counted_and_waiting_viewers_keep_no_publisher_out() {
    let world = World::with(Limits { streams_max: 3, ..Limits::default() });
    let key = |i: usize| StreamKey::new("1", "live", &format!("s{i}"));
    let subscribe = |i| world.hub.subscribe(&key(i), Protocol::Rtmp, Lag::LIVE, world.now);
    let waiting: Vec<_> = (0..3).map(|i| subscribe(i).unwrap()).collect();
    assert_eq!(subscribe(9).err(), Some(PublishError::TooManyStreams(3)));
    let publisher = |port| thalweg_hub::Publisher {
        peer: std::net::SocketAddr::from(([192, 0, 2, 1], port)),
        credential: None,
        agent: String::new(),
    };
    let publish = |i: usize| world.hub.publish(&key(i), publisher(i as u16), world.now);
    let _live: Vec<_> = (10..13).map(|i| publish(i).unwrap()).collect();
    assert_eq!(publish(13).err(), Some(PublishError::TooManyStreams(3)));
    drop(waiting);
}

#[test]
fn streams_that_were_left_count_until_their_room_is_needed() {
    let mut world = World::with(Limits { streams_max: 3, ..Limits::default() });
    let key = |i: usize| StreamKey::new("1", "live", &format!("s{i}"));
    let publisher = |port| thalweg_hub::Publisher {
        peer: std::net::SocketAddr::from(([192, 0, 2, 1], port)),
        credential: None,
        agent: String::new(),
    };
    let publish = |world: &World, i: usize| {
        world.hub.publish(&key(i), publisher(i as u16), world.now).map(drop)
    };
    let _watched = world.hub.subscribe(&key(0), Protocol::Rtmp, Lag::LIVE, world.now).unwrap();
    // One publisher with one URL and many app names, gone as soon as it has come.
    for i in 0..3 {
        publish(&world, i).unwrap();
    }
    assert_eq!(world.hub.snapshot(world.now).streams.len(), 3);
    publish(&world, 3).unwrap();
    let left = world.hub.snapshot(world.now).streams;
    let names: Vec<_> = left.iter().map(|s| &*s.key.name).collect();
    assert_eq!(names, ["s0", "s3"], "those that nobody watched have made room");
    publish(&world, 4).unwrap();
    assert_eq!(publish(&world, 5), Err(PublishError::TooManyStreams(3)), "once a second");
    world.wait(1000);
    publish(&world, 5).unwrap();
}

#[test]
fn sound_and_pictures_a_minute_apart_are_kept_no_longer() {
    let mut world = World::new();
    let mut publication = world.publish();
    for frame in Recipe::default().frames_for(60_000) {
        let shift = if frame.kind == Kind::Audio { 60_000 } else { 0 };
        let at = world.now + std::time::Duration::from_millis(frame.dts as u64);
        let frame = Frame { dts: frame.dts + shift, ..frame };
        publication.append(frame, at).unwrap();
    }
    world.wait(60_000);
    let kept = world.hub.snapshot(world.now).streams[0].kept_ms;
    assert!((5000..9000).contains(&kept), "{kept} ms of media, as of any other stream");
}

#[test]
fn a_thousand_frames_ring_once() {
    let world = World::new();
    let mut publication = world.publish();
    let rings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rings);
    let bell = Arc::new(Bell::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let stream = Arc::clone(publication.stream());
    stream.hang(Arc::clone(&bell));
    bell.wind();
    for frame in Recipe::default().frames().take(1000) {
        publication.append(frame, world.now).unwrap();
    }
    assert_eq!(rings.load(Ordering::Relaxed), 1);
    bell.wind();
    stream.take_down(&bell);
    publication.append(Recipe::default().frames().next().unwrap(), world.now).unwrap();
    assert_eq!(rings.load(Ordering::Relaxed), 1, "taken down it is silent");
}

#[test]
fn viewers_share_the_publishers_bytes() {
    let world = World::new();
    let mut publication = world.publish();
    let frames = Recipe::default().frames_for(1000);
    for frame in &frames {
        publication.append(frame.clone(), world.now).unwrap();
    }
    for _ in 0..3 {
        let mut viewer = world.subscribe();
        start(&mut viewer, Depth::Newest);
        let got = read_all(&mut viewer).0;
        let same =
            frames[3..].iter().zip(&got).all(|(a, b)| a.payload.as_ptr() == b.payload.as_ptr());
        assert!(same, "no payload is copied on its way");
    }
}
