//! Who watches, one by one, and how they are sent away.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::World;
use thalweg_hub::{
    Away, Hub, Leave, NoEntry, Protocol, StreamKey, TooManyBarred, ViewerFilter, Watching,
};
use thalweg_testkit::media::Recipe;

const MINUTE: Duration = Duration::from_secs(60);

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 1000))
}

impl World {
    fn enter(&self, key: &StreamKey, peer: SocketAddr) -> Result<Watching, NoEntry> {
        let ticket = self.hub.ticket();
        self.hub.enter(key, peer, "player", Protocol::HttpFlv, ticket, self.now)
    }
}

fn ids(hub: &Hub, filter: ViewerFilter<'_>) -> Vec<u64> {
    hub.viewers(filter).into_iter().map(|v| v.id).collect()
}

#[test]
fn everyone_who_watches_is_listed_until_he_leaves() {
    let world = World::new();
    let (hall, other) = (StreamKey::new("1", "live", "hall"), StreamKey::new("2", "live", "room"));
    let first = world.enter(&world.key, peer(1)).unwrap();
    let second = world.enter(&hall, peer(2)).unwrap();
    let third = world.enter(&other, peer(3)).unwrap();
    let all = ViewerFilter::default();
    assert_eq!(ids(&world.hub, all), [0, 1, 2]);
    assert_eq!(ids(&world.hub, ViewerFilter { account: Some("1"), ..all }), [0, 1]);
    assert_eq!(ids(&world.hub, ViewerFilter { stream: Some(&hall), ..all }), [1]);
    assert_eq!(ids(&world.hub, ViewerFilter { after: Some(0), max: Some(1), ..all }), [1]);
    assert_eq!(second.orders().look(77), None);
    let seen = world.hub.viewers(ViewerFilter { stream: Some(&hall), ..all }).remove(0);
    assert_eq!((seen.peer, seen.agent.as_str(), seen.bytes), (peer(2), "player", 77));
    assert_eq!((seen.protocol, seen.since), (Protocol::HttpFlv, world.now));
    drop((first, third));
    assert_eq!(ids(&world.hub, all), [1]);
}

#[test]
fn a_viewer_that_is_kicked_may_not_come_back_for_a_time() {
    let mut world = World::new();
    let viewer = world.enter(&world.key, peer(1)).unwrap();
    let neighbour = world.enter(&world.key, peer(2)).unwrap();
    let kicked = world.hub.kick_viewer(viewer.id(), MINUTE, world.now).unwrap().unwrap();
    assert_eq!(kicked.peer, peer(1));
    assert_eq!(viewer.orders().away(), Some(Away::Kicked(MINUTE)));
    assert_eq!(neighbour.orders().away(), None);
    drop(viewer);
    let again = world.enter(&world.key, SocketAddr::from(([192, 0, 2, 1], 7))).err();
    assert_eq!(again, Some(NoEntry::Barred(MINUTE)));
    // Another stream, and another address, are another matter.
    let hall = StreamKey::new("1", "live", "hall");
    world.enter(&hall, peer(1)).unwrap();
    world.enter(&world.key, peer(3)).unwrap();
    world.wait(60_000);
    world.enter(&world.key, peer(1)).unwrap();
    assert_eq!(world.hub.kick_viewer(999, MINUTE, world.now), Ok(None));
}

#[test]
fn a_bar_is_listed_and_lifted() {
    let world = World::new();
    for last in [2, 1] {
        let viewer = world.enter(&world.key, peer(last)).unwrap();
        world.hub.kick_viewer(viewer.id(), MINUTE, world.now).unwrap();
    }
    let of = |last: u8| (peer(last).ip(), world.key.clone(), MINUTE);
    assert_eq!(world.hub.barred_viewers(None, world.now), [of(1), of(2)]);
    assert_eq!(world.hub.barred_viewers(Some("2"), world.now), []);
    assert!(world.hub.unbar_viewer(&world.key, peer(1).ip()));
    assert!(!world.hub.unbar_viewer(&world.key, peer(1).ip()));
    assert_eq!(world.hub.barred_viewers(None, world.now), [of(2)]);
    world.enter(&world.key, peer(1)).unwrap();
}

#[test]
fn a_kick_for_no_time_bars_nobody_and_the_first_word_stands() {
    let world = World::new();
    let viewer = world.enter(&world.key, peer(1)).unwrap();
    world.hub.kick_viewer(viewer.id(), Duration::ZERO, world.now).unwrap();
    world.hub.dismiss_account("1", false, true, world.now);
    assert_eq!(viewer.orders().away(), Some(Away::Kicked(Duration::ZERO)));
    world.enter(&world.key, peer(1)).unwrap();
}

#[test]
fn of_ipv6_a_household_is_one_address() {
    let world = World::new();
    let of = |host: u16, net: u16| SocketAddr::from(([0x2001, 0xdb8, 0, net, 0, 0, 0, host], 1));
    let viewer = world.enter(&world.key, of(1, 1)).unwrap();
    world.hub.kick_viewer(viewer.id(), MINUTE, world.now).unwrap();
    assert!(world.hub.may_watch(&world.key, of(2, 1).ip(), world.now).is_err());
    assert!(world.hub.may_watch(&world.key, of(1, 2).ip(), world.now).is_ok());
}

#[test]
fn bars_are_bounded_and_forever_is_not_for_ever() {
    let world = World::new();
    let key = |n: u32| StreamKey::new("1", "live", &n.to_string());
    for n in 0..5_000 {
        let viewer = world.enter(&key(n), peer(1)).unwrap();
        world.hub.kick_viewer(viewer.id(), Duration::MAX, world.now).unwrap();
    }
    let one_more = world.enter(&key(5_000), peer(1)).unwrap();
    let full = world.hub.kick_viewer(one_more.id(), MINUTE, world.now);
    assert!(matches!(full, Err(TooManyBarred { .. })), "{full:?}");
    assert_eq!(one_more.orders().away(), None, "and nobody is sent away");
    // Another account has its own.
    let other = world.enter(&StreamKey::new("2", "live", "room"), peer(1)).unwrap();
    world.hub.kick_viewer(other.id(), MINUTE, world.now).unwrap();
    assert_eq!(world.hub.barred_viewers(Some("1"), world.now).len(), 5_000);
    let year = world.now + Duration::from_secs(367 * 86_400);
    assert!(world.hub.may_watch(&key(1), peer(1).ip(), year).is_ok());
}

#[test]
fn an_account_that_closes_sends_its_own_away() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 200);
    let before = world.hub.ticket();
    let ours = world.enter(&world.key, peer(1)).unwrap();
    let theirs = world.enter(&StreamKey::new("2", "live", "room"), peer(2)).unwrap();
    assert_eq!(world.hub.dismiss_account("1", false, true, world.now), (0, 1));
    assert_eq!((ours.orders().away(), theirs.orders().away()), (Some(Away::Closed), None));
    assert!(!world.hub.is_closed_since("1", before), "its publishers stay");
    let frame = Recipe::default().frames_for(100).remove(0);
    publication.append(frame.clone(), world.now).unwrap();

    assert_eq!(world.hub.dismiss_account("1", true, false, world.now), (1, 0));
    assert_eq!(publication.append(frame, world.now), Err(Leave::Closed));
    assert!(world.hub.is_closed_since("1", before) && !world.hub.is_closed_since("2", before));
    // Who was let in before and has waited since may not enter; who is let in now may.
    let late = world.hub.enter(&world.key, peer(3), "", Protocol::Rtmp, before, world.now);
    assert_eq!(late.err(), Some(NoEntry::Closed));
    world.enter(&world.key, peer(3)).unwrap();
}

#[test]
fn a_bar_on_a_stream_can_be_seen_and_lifted() {
    let mut world = World::new();
    let publication = world.publish();
    let hall = StreamKey::new("1", "live", "hall");
    assert_eq!(world.hub.kick(&world.key, MINUTE, world.now), Ok(true));
    assert_eq!(world.hub.kick(&hall, Duration::from_secs(5), world.now), Ok(false));
    drop(publication);
    let barred = world.hub.barred(world.now);
    assert_eq!(barred, [(hall.clone(), Duration::from_secs(5)), (world.key.clone(), MINUTE)]);
    world.wait(5000);
    assert_eq!(world.hub.barred(world.now).len(), 1);
    assert!(world.try_publish(1, Some("key")).is_err());
    assert!(world.hub.unbar(&world.key));
    assert!(!world.hub.unbar(&world.key));
    world.publish();
}
