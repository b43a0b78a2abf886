//! What a newcomer gets, and where it starts.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, read_all, start};
use thalweg_hub::Depth;
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Kind;

#[test]
fn configuration_comes_first_metadata_before_headers() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe::default();
    world.play_out(&mut publication, &recipe, 3000);
    let mut viewer = world.subscribe();
    let configs = start(&mut viewer, Depth::Newest);
    assert_eq!(configs, {
        let mut want = recipe.configuration();
        want.sort_by_key(|f| std::cmp::Reverse(f.kind));
        want
    });
    let kinds: Vec<Kind> = configs.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Kind::Data, Kind::Video, Kind::Audio]);
}

#[test]
fn depth_chooses_the_key_frame() {
    let mut world = World::new();
    let mut publication = world.publish();
    // Key frames at 0, 1000 ... 9000; the last frame is at 9984.
    world.play_out(&mut publication, &Recipe::default(), 10_000);
    for (depth, want) in [
        (Depth::Newest, 9000),
        (Depth::AtLeast(0), 9000),
        (Depth::AtLeast(900), 9000),
        (Depth::AtLeast(1000), 8000),
        (Depth::AtLeast(2000), 7000),
        (Depth::AtLeast(5000), 4000),
    ] {
        let mut viewer = world.subscribe();
        start(&mut viewer, depth);
        let (frames, _) = read_all(&mut viewer);
        assert_eq!((frames[0].dts, frames[0].key), (want, true), "{depth:?}");
        assert_eq!(frames.last().unwrap().dts, 9984, "{depth:?}");
    }
}

#[test]
fn a_young_stream_starts_at_its_oldest_key_frame() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 500);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::AtLeast(1000));
    assert_eq!(read_all(&mut viewer).0[0].dts, 0);
}

#[test]
fn before_the_first_key_frame_there_is_nothing_to_start_with() {
    let world = World::new();
    let mut publication = world.publish();
    let mut viewer = world.subscribe();
    assert!(viewer.start(Depth::Newest).is_none(), "nothing has come at all");
    for frame in Recipe::default().configuration() {
        publication.append(frame, world.now).unwrap();
    }
    assert!(viewer.start(Depth::Newest).is_none(), "only headers have come");
}

#[test]
fn sound_goes_ahead_when_the_key_frame_is_out_of_reach() {
    let mut world = World::new();
    let mut publication = world.publish();
    // One key frame, and then none for 40 s: more than the log keeps.
    let recipe = Recipe { gop: 1000, ..Recipe::default() };
    world.play_out(&mut publication, &recipe, 39_000);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::AtLeast(1000));
    let (frames, _) = read_all(&mut viewer);
    assert!(frames.iter().all(|f| f.kind == Kind::Audio), "no picture without its key frame");
    assert!(frames.len() > 20);
    let now = world.now + std::time::Duration::from_secs(40);
    for frame in recipe.frames_for(42_000).into_iter().filter(|f| f.dts >= 39_000) {
        publication.append(frame, now).unwrap();
    }
    let (frames, _) = read_all(&mut viewer);
    let first_picture = frames.iter().find(|f| f.kind == Kind::Video).unwrap();
    assert!(first_picture.key && first_picture.dts == 40_000);
}

#[test]
fn a_header_that_changed_in_the_middle_is_the_one_that_holds_at_the_start() {
    let mut world = World::new();
    let mut publication = world.publish();
    let small = Recipe::default();
    let large = Recipe { size: (1280, 720), start: 3000, ..small.clone() };
    world.play_out(&mut publication, &small, 3000);
    world.play_out(&mut publication, &large, 1500);
    let header_of = |depth| {
        let mut viewer = world.subscribe();
        let configs = start(&mut viewer, depth);
        configs.into_iter().find(|f| f.kind == Kind::Video).unwrap()
    };
    assert_eq!(header_of(Depth::Newest).payload, large.configuration()[1].payload);
    assert_eq!(header_of(Depth::AtLeast(2000)).payload, small.configuration()[1].payload);
}

#[test]
fn channel_layouts_stand_beside_the_header_they_belong_to() {
    let world = World::new();
    let mut publication = world.publish();
    let opus_head = thalweg_wire::media::Frame::new(Kind::Audio, 0, b"\x90OpusOpusHead"[..].into());
    let layout = thalweg_wire::media::Frame::new(Kind::Audio, 0, b"\x94Opus\x01\x02"[..].into());
    let sound = thalweg_wire::media::Frame::new(Kind::Audio, 0, b"\x91Opusx"[..].into());
    for frame in [&opus_head, &layout, &sound] {
        publication.append(frame.clone(), world.now).unwrap();
    }
    let mut viewer = world.subscribe();
    assert_eq!(start(&mut viewer, Depth::Newest), [opus_head, layout]);
}
