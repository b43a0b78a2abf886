//! Two publishers for one stream.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::World;
use thalweg_hub::{Credential, InUse, Leave, Limits, Publication, PublishError, TakeOver};
use thalweg_testkit::media::Recipe;

/// Keeps a publisher alive: one frame.
fn send(world: &World, publication: &mut Publication) -> Result<(), Leave> {
    publication.append(Recipe::default().frames().nth(3).unwrap(), world.now)
}

fn in_use(result: Result<Publication, PublishError>) -> InUse {
    match result {
        Err(PublishError::InUse(in_use)) => in_use,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_credential_replaces_at_once() {
    let world = World::new();
    let mut old = world.try_publish(1, Some("key")).unwrap();
    send(&world, &mut old).unwrap();
    let mut new = world.try_publish(2, Some("key")).unwrap();
    assert!(new.epoch() > old.epoch());
    let by = std::net::SocketAddr::from(([192, 0, 2, 1], 2));
    assert_eq!(send(&world, &mut old), Err(Leave::Replaced { by }), "the old one is fenced");
    send(&world, &mut new).unwrap();
    drop(old);
    assert!(world.hub.snapshot(world.now).streams[0].publisher.is_some(), "and cannot unseat it");
}

#[test]
fn a_stranger_disturbs_nothing() {
    let mut world = World::new();
    let mut old = world.try_publish(1, Some("key")).unwrap();
    send(&world, &mut old).unwrap();
    for credential in [Some("other"), None] {
        let refused = in_use(world.try_publish(2, credential));
        assert_eq!(refused.to_string(), "in use by 192.0.2.1:1");
    }
    world.wait(60_000);
    in_use(world.try_publish(2, None));
    send(&world, &mut old).unwrap();
}

#[test]
fn a_credential_that_is_not_good_enough_is_only_replaced() {
    let mut world = World::new();
    let weak = || Some(Credential { of: "key".to_owned(), takes_over: false });
    let first = world.try_publish(1, Some("key")).unwrap();
    in_use(world.publish_with(2, weak()));
    world.wait(60_000);
    in_use(world.publish_with(2, weak()));
    drop(first);
    let mut old = world.publish_with(2, weak()).unwrap();
    in_use(world.publish_with(3, weak()));
    let _new = world.try_publish(4, Some("key")).unwrap();
    assert!(send(&world, &mut old).is_err());
}

#[test]
fn without_credentials_the_first_stays() {
    let world = World::new();
    let _old = world.try_publish(1, None).unwrap();
    in_use(world.try_publish(2, None));
}

#[test]
fn two_encoders_with_one_key_do_not_flap_for_ever() {
    let mut world = World::new();
    let mut seat = world.try_publish(1, Some("key")).unwrap();
    for port in 2..=4 {
        send(&world, &mut seat).unwrap();
        seat = world.try_publish(port, Some("key")).unwrap();
        world.wait(1000);
    }
    send(&world, &mut seat).unwrap();
    let refused = in_use(world.try_publish(5, Some("key")));
    assert_eq!(refused.by.port(), 4);
    assert!(refused.to_string().contains("two encoders"), "{refused}");
    for _ in 0..59 {
        world.wait(1000);
        send(&world, &mut seat).unwrap();
        in_use(world.try_publish(5, Some("key")));
    }
    world.wait(1000);
    send(&world, &mut seat).unwrap();
    world.try_publish(5, Some("key")).unwrap();
}

#[test]
fn an_encoder_on_a_bad_line_is_not_a_fight() {
    let mut world = World::new();
    let mut seat = world.try_publish(1, Some("key")).unwrap();
    for port in 2..20 {
        send(&world, &mut seat).unwrap();
        world.wait(6000); // silent: the old connection is dead
        seat = world.try_publish(port, Some("key")).unwrap();
    }
}

#[test]
fn stale_only_waits_for_five_silent_seconds() {
    let mut world = World::with(Limits { take_over: TakeOver::StaleOnly, ..Limits::default() });
    let mut old = world.try_publish(1, Some("key")).unwrap();
    send(&world, &mut old).unwrap();
    world.wait(4999);
    in_use(world.try_publish(2, Some("key")));
    world.wait(1);
    world.try_publish(2, Some("key")).unwrap();
}

#[test]
fn never_means_never() {
    let mut world = World::with(Limits { take_over: TakeOver::Never, ..Limits::default() });
    let _old = world.try_publish(1, Some("key")).unwrap();
    world.wait(20_000);
    in_use(world.try_publish(2, Some("key")));
}

#[test]
fn a_replaced_publisher_hears_of_it_while_it_waits() {
    let world = World::new();
    let old = world.try_publish(1, Some("key")).unwrap();
    let _new = world.try_publish(2, Some("key")).unwrap();
    let mut told = std::pin::pin!(old.must_leave());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(told.as_mut().poll(&mut cx).is_ready());
}
