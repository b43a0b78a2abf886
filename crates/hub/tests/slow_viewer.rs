//! Being late: when a cursor jumps, where to, and what it costs the others.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, read_all, start};
use thalweg_hub::{Batch, Depth, Lag};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Kind;

#[test]
fn a_viewer_that_stops_reading_jumps_and_the_others_see_nothing() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe::default();
    world.play_out(&mut publication, &recipe, 1000);
    let (mut slow, mut fast) = (world.subscribe(), world.subscribe());
    start(&mut slow, Depth::Newest);
    start(&mut fast, Depth::Newest);
    let mut seen = read_all(&mut fast).0;
    for frame in recipe.frames_for(6500).iter().filter(|f| f.dts >= 1000 && !f.config) {
        publication.append(frame.clone(), world.now).unwrap();
        let (frames, skips) = read_all(&mut fast);
        assert_eq!(skips, []);
        seen.extend(frames);
    }
    assert_eq!(seen, recipe.frames_for(6500)[3..], "the fast one has it all");

    let (frames, skips) = read_all(&mut slow);
    let [skipped] = &skips[..] else { panic!("one jump, not {skips:?}") };
    assert_eq!(skipped.configs, None, "the configuration has not changed");
    assert_eq!((frames[0].dts, frames[0].key), (6000, true));
    assert_eq!(frames[..], seen[seen.len() - frames.len()..]);
    let stats = world.hub.snapshot(world.now).streams.remove(0);
    assert_eq!((stats.jumps, stats.frames_skipped), (1, skipped.frames));
    assert_eq!(skipped.frames as usize, seen.len() - frames.len());
}

#[test]
fn reading_in_time_loses_nothing() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe::default();
    let all = recipe.frames_for(20_000);
    let mut viewer = world.subscribe();
    let mut got = Vec::new();
    for (i, frame) in all.iter().enumerate() {
        publication.append(frame.clone(), world.now).unwrap();
        if i == 5 {
            start(&mut viewer, Depth::Newest);
        }
        if i > 5 && i % 50 == 0 {
            let (frames, skips) = read_all(&mut viewer);
            assert_eq!(skips, []);
            got.extend(frames);
        }
    }
    got.extend(read_all(&mut viewer).0);
    assert_eq!(got, all[3..], "everything after the three headers, in order");
    world.wait(0);
}

#[test]
fn a_deep_start_is_not_lateness() {
    let mut world = World::new();
    let mut publication = world.publish();
    // A key frame each 8 s; the newest is 7.9 s old.
    let recipe = Recipe { gop: 200, ..Recipe::default() };
    world.play_out(&mut publication, &recipe, 15_900);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    let (frames, skips) = read_all(&mut viewer);
    assert_eq!(skips, []);
    assert_eq!((frames[0].dts, frames[0].key), (8000, true));
}

#[test]
fn without_a_newer_key_frame_sound_goes_on_and_both_jump_when_it_comes() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe { gop: 500, ..Recipe::default() }; // key frames at 0 and 20 000
    world.play_out(&mut publication, &recipe, 100);
    let mut viewer = world.subscribe_with(Lag { max_ms: 3000, max_bytes: u64::MAX });
    start(&mut viewer, Depth::Newest);
    read_all(&mut viewer);
    let rest = |from: i64, to: i64| {
        recipe.frames_for(to).into_iter().filter(move |f| f.dts >= from && !f.config)
    };
    for frame in rest(100, 10_000) {
        publication.append(frame, world.now).unwrap();
    }
    let (frames, skips) = read_all(&mut viewer);
    assert_eq!(skips, [], "there is nothing to jump to");
    assert!(frames.iter().all(|f| f.kind == Kind::Audio), "but pictures stop");
    for frame in rest(10_000, 21_000) {
        publication.append(frame, world.now).unwrap();
    }
    let (frames, skips) = read_all(&mut viewer);
    assert_eq!(skips.len(), 1);
    assert_eq!((frames[0].dts, frames[0].key), (20_000, true));
}

#[test]
fn pictures_lost_while_sound_went_on_are_counted() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe { gop: 250, ..Recipe::default() }; // key frames at 0 and 10 000
    world.play_out(&mut publication, &recipe, 100);
    let mut viewer = world.subscribe_with(Lag { max_ms: 3000, max_bytes: u64::MAX });
    start(&mut viewer, Depth::Newest);
    read_all(&mut viewer);
    let rest: Vec<_> =
        recipe.frames_for(12_000).into_iter().filter(|f| f.dts >= 100 && !f.config).collect();
    let (late, on_time) = rest.split_at(rest.iter().position(|f| f.dts >= 5000).unwrap());
    late.iter().for_each(|f| publication.append(f.clone(), world.now).unwrap());
    let mut seen = read_all(&mut viewer).0;
    // From here on it reads in time, and still gets no picture before the key frame.
    for frame in on_time {
        publication.append(frame.clone(), world.now).unwrap();
        seen.extend(read_all(&mut viewer).0);
    }
    let pictures = |frames: &[thalweg_wire::media::Frame]| {
        frames.iter().filter(|f| f.kind == Kind::Video).count() as u64
    };
    let lost = pictures(&rest) - pictures(&seen);
    assert!(lost > 200);
    let stats = world.hub.snapshot(world.now).streams.remove(0);
    assert_eq!((stats.jumps, stats.frames_skipped), (1, lost));
}

#[test]
fn bytes_count_as_well_as_time() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe { video_bytes: 100_000, ..Recipe::default() };
    world.play_out(&mut publication, &recipe, 100);
    let mut viewer = world.subscribe_with(Lag { max_ms: u64::MAX / 2, max_bytes: 1 << 20 });
    start(&mut viewer, Depth::Newest);
    read_all(&mut viewer);
    world.play_out(&mut publication, &Recipe { start: 100, ..recipe }, 2000);
    let (_, skips) = read_all(&mut viewer);
    assert_eq!(skips.len(), 1);
}

#[test]
fn what_has_left_the_log_is_jumped_over_with_fresh_configuration() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe::default();
    world.play_out(&mut publication, &recipe, 1000);
    let mut viewer = world.subscribe_with(Lag { max_ms: u64::MAX / 2, max_bytes: u64::MAX / 2 });
    start(&mut viewer, Depth::Newest);
    for minute in 0..3 {
        let later = Recipe { start: 1000 + minute * 60_000, ..recipe.clone() };
        world.play_out(&mut publication, &later, 60_000);
    }
    let (frames, skips) = read_all(&mut viewer);
    assert_eq!(skips.len(), 1);
    assert!(skips[0].configs.is_some());
    assert!(frames[0].key);
}

#[test]
fn a_batch_is_bounded_in_frames_and_bytes() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe { video_bytes: 10_000, ..Recipe::default() }, 900);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    let mut batch = Batch::default();
    viewer.next_batch(&mut batch, u64::MAX, 7, usize::MAX);
    assert_eq!(batch.frames.len(), 7);
    viewer.next_batch(&mut batch, u64::MAX, usize::MAX, 25_000);
    let bytes: usize = batch.frames.iter().map(|(_, f)| f.payload.len()).sum();
    assert!((25_000..35_000).contains(&bytes), "{bytes}");
    let first = batch.frames[0].0;
    viewer.next_batch(&mut batch, u64::MAX, 7, usize::MAX);
    assert_eq!(batch.frames[0].0, first, "looking does not move the cursor");
}
