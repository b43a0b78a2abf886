//! A publisher leaves and comes back; its viewers stay.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, read_all, rises, start, times};
use thalweg_hub::{Depth, Life, PublishError};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::Kind;

#[test]
fn viewers_stay_and_time_goes_on() {
    let mut world = World::new();
    let mut first = world.publish();
    world.play_out(&mut first, &Recipe::default(), 3000);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    let (mut frames, _) = read_all(&mut viewer);
    world.wait(3000);
    drop(first);
    world.wait(10_000);

    // It comes back with another size, and its clock begins again.
    let larger = Recipe { size: (1280, 720), ..Recipe::default() };
    let mut second = world.publish();
    world.play_out(&mut second, &larger, 2000);
    let (after, skips) = read_all(&mut viewer);
    assert_eq!(skips, []);
    let header = &after[1];
    assert!(header.config && header.kind == Kind::Video, "fresh configuration first");
    assert_eq!(header.payload, larger.configuration()[1].payload);
    frames.extend(after.iter().cloned());
    assert!(rises(&times(&frames)), "{:?}", times(&frames));
    let gap = after[0].dts - 2984;
    assert!((9_900..10_200).contains(&gap), "the pause lasted {gap} ms of stream time");
}

#[test]
fn distances_within_the_new_publication_are_kept() {
    let mut world = World::new();
    let mut first = world.publish();
    world.play_out(&mut first, &Recipe::default(), 1000);
    drop(first);
    let mut second = world.publish();
    // An encoder that stamps headers 0 and media with the time since it was switched on.
    let late = Recipe { start: 77_000_000, ..Recipe::default() };
    for mut frame in late.frames_for(1000) {
        if frame.config {
            frame.dts = 0;
        }
        second.append(frame, world.now).unwrap();
    }
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    let (frames, _) = read_all(&mut viewer);
    let original: Vec<i64> =
        late.frames_for(1000).iter().filter(|f| !f.config).map(|f| f.dts).collect();
    let got = times(&frames);
    let steps = |t: &[i64]| t.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>();
    assert_eq!(steps(&got), steps(&original));
    assert!(got[0] < 2000, "{}", got[0]);
}

#[test]
fn the_first_publication_keeps_its_times() {
    let mut world = World::new();
    let mut publication = world.publish();
    let recipe = Recipe { start: 5_000_000_000, ..Recipe::default() };
    world.play_out(&mut publication, &recipe, 1000);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    assert_eq!(read_all(&mut viewer).0[0].dts, 5_000_000_000);
}

#[test]
fn newcomers_get_nothing_of_the_publication_before() {
    let mut world = World::new();
    let mut first = world.publish();
    world.play_out(&mut first, &Recipe::default(), 5000);
    drop(first);
    let mut viewer = world.subscribe();
    let mut second = world.publish();
    assert!(viewer.start(Depth::AtLeast(5000)).is_none(), "no picture of the past");
    world.play_out(&mut second, &Recipe { size: (320, 240), ..Recipe::default() }, 100);
    start(&mut viewer, Depth::AtLeast(5000));
    let (frames, _) = read_all(&mut viewer);
    assert!(frames[0].key && frames.len() < 10);
}

#[test]
fn after_thirty_seconds_the_stream_is_over() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 100);
    let viewer = world.subscribe();
    publication.close(world.now);
    world.wait(29_000);
    assert!(!viewer.stream().is_ended());
    world.wait(1_000);
    assert!(viewer.stream().is_ended());
    assert_eq!(*viewer.stream().life().borrow(), Life::Ended);
    let fresh = world.subscribe();
    assert!(!fresh.stream().is_ended(), "the name may be used again");
}

#[test]
fn a_stream_that_never_was_is_forgotten_with_its_last_waiter() {
    let mut world = World::new();
    let viewer = world.subscribe();
    world.wait(60_000);
    assert_eq!(world.hub.snapshot(world.now).streams.len(), 1, "somebody waits");
    drop(viewer);
    world.wait(0);
    assert_eq!(world.hub.snapshot(world.now).streams.len(), 0);
}

#[test]
fn a_stop_tells_everyone_and_lets_nobody_in() {
    let world = World::new();
    let mut publication = world.publish();
    let viewer = world.subscribe();
    world.hub.stop();
    assert!(viewer.stream().is_ended());
    let frame = Recipe::default().frames().next().unwrap();
    let left = publication.append(frame, world.now);
    assert_eq!(left.unwrap_err().to_string(), "the server is stopping");
    assert_eq!(world.try_publish(2, Some("key")).err(), Some(PublishError::Stopping));
}

#[test]
fn viewers_of_a_publication_that_sent_nothing_do_not_wait_for_ever() {
    let mut world = World::new();
    let publication = world.publish();
    let viewer = world.subscribe();
    publication.close(world.now);
    world.wait(29_000);
    assert!(!viewer.stream().is_ended());
    world.wait(1_000);
    assert!(viewer.stream().is_ended());
}

#[test]
fn metadata_without_a_time_does_not_turn_time_back() {
    let mut world = World::new();
    let recipe = Recipe { start: 3_600_000, ..Recipe::default() };
    let mut first = world.publish();
    world.play_out(&mut first, &recipe, 1000);
    let mut metadata = recipe.configuration().remove(0);
    metadata.dts = 0;
    first.append(metadata.clone(), world.now).unwrap();
    drop(first);
    let mut second = world.publish();
    world.play_out(&mut second, &Recipe::default(), 1000);
    second.append(metadata, world.now).unwrap();
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    let frames = read_all(&mut viewer).0;
    assert!(frames[0].dts > 3_600_900, "{}", frames[0].dts);
    assert!(rises(&times(&frames)), "{:?}", times(&frames));
}

#[test]
fn pictures_of_a_later_publication_begin_with_a_key_frame() {
    let mut world = World::new();
    let mut first = world.publish();
    world.play_out(&mut first, &Recipe::default(), 500);
    let mut viewer = world.subscribe();
    start(&mut viewer, Depth::Newest);
    read_all(&mut viewer);
    drop(first);
    let mut second = world.publish();
    // An encoder that takes its time, and then begins in the middle of a group.
    world.wait(20_000);
    let recipe = Recipe::default();
    let headers = recipe.configuration();
    let middle = recipe.frames_for(2000).into_iter().filter(|f| f.dts >= 500 && !f.config);
    for frame in headers.into_iter().chain(middle) {
        second.append(frame, world.now).unwrap();
    }
    let frames = read_all(&mut viewer).0;
    let first_picture = frames.iter().find(|f| f.kind == Kind::Video && !f.config).unwrap();
    assert!(first_picture.key);
    assert!(frames.iter().any(|f| f.kind == Kind::Audio && f.dts < first_picture.dts));
}

#[test]
fn looking_makes_no_stream() {
    let mut world = World::new();
    assert!(!world.hub.is_live(&world.key));
    assert!(world.hub.snapshot(world.now).streams.is_empty());
    let _publication = world.publish();
    assert!(world.hub.is_live(&world.key));
    world.wait(0);
}
