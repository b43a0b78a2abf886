//! Streams without pictures, and viewers who want none.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, read_all, start};
use thalweg_hub::{Depth, Filter};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Kind;

#[test]
fn an_hour_of_sound_keeps_seconds() {
    let world = World::new();
    let mut publication = world.publish();
    let mut most = (0, 0);
    for (i, frame) in Recipe::audio_only().frames().take(3600 * 1000 / 32).enumerate() {
        let at = world.now + std::time::Duration::from_millis(32 * i as u64);
        publication.append(frame, at).unwrap();
        if i % 1000 == 0 {
            let seen = world.hub.snapshot(world.now).streams.remove(0);
            most = most.max((seen.kept_bytes, seen.kept_frames));
        }
    }
    assert!(most.1 <= 6032 / 32 + 2, "frames kept: {}", most.1);
    assert!(most.0 <= 160 * 200, "bytes kept: {}", most.0);
}

#[test]
fn a_newcomer_to_sound_starts_at_its_depth() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::audio_only(), 10_000);
    for (depth, want) in [(Depth::Newest, 9984), (Depth::AtLeast(1000), 8960)] {
        let mut viewer = world.subscribe();
        start(&mut viewer, depth);
        let first = read_all(&mut viewer).0[0].dts;
        assert!((want - 32..=want).contains(&first), "{depth:?}: {first}");
    }
}

#[test]
fn a_late_listener_jumps_too() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::audio_only(), 1000);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    world.play_out(&mut publication, &Recipe { start: 1000, ..Recipe::audio_only() }, 5900);
    let (frames, skips) = read_all(&mut viewer);
    assert_eq!(skips.len(), 1);
    assert!(frames[0].dts > 6800, "{}", frames[0].dts);
}

#[test]
fn announced_pictures_are_waited_for_and_not_for_ever() {
    let world = World::new();
    let mut publication = world.publish();
    let headers = Recipe::default().configuration();
    let sound = Recipe::audio_only().frames().filter(|f| !f.config);
    let mut viewer = world.subscribe();
    for frame in headers.into_iter().chain(sound.take(1900 / 32)) {
        publication.append(frame, world.now).unwrap();
    }
    assert!(viewer.start(Depth::Newest).is_none(), "a picture may still come");
    let more = Recipe { start: 1920, ..Recipe::audio_only() };
    for frame in more.frames().filter(|f| !f.config).take(10) {
        publication.append(frame, world.now).unwrap();
    }
    assert!(viewer.start(Depth::Newest).is_some(), "after two seconds sound goes ahead");
}

#[test]
fn a_viewer_may_want_only_one_kind() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 2000);
    for (filter, unwanted) in [
        (Filter { audio: true, video: false }, Kind::Video),
        (Filter { audio: false, video: true }, Kind::Audio),
    ] {
        let mut viewer = world.subscribe();
        viewer.set_filter(filter);
        start(&mut viewer, Depth::Newest);
        let (frames, _) = read_all(&mut viewer);
        assert!(frames.len() > 10 && frames.iter().all(|f| f.kind != unwanted));
    }
}

#[test]
fn pictures_that_are_wanted_again_come_back_with_a_key_frame() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 1500);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    viewer.set_filter(Filter { audio: true, video: false });
    read_all(&mut viewer);
    viewer.set_filter(Filter::ALL);
    assert!(!viewer.takes_all());
    let later = Recipe::default().frames_for(3000).into_iter().filter(|f| f.dts >= 1500);
    for frame in later {
        publication.append(frame, world.now).unwrap();
    }
    let (frames, _) = read_all(&mut viewer);
    let picture = frames.iter().find(|f| f.kind == Kind::Video).unwrap();
    assert!(picture.key && picture.dts == 2000);
    assert!(viewer.takes_all());
}
