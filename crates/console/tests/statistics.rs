//! Minutes are counted, whatever the store does.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Memory, START_MS, TestClock, hub, key};
use thalweg_console::clock::Clock;
use thalweg_console::health::Health;
use thalweg_console::statistics::Statistics;
use thalweg_console::store::Store;
use thalweg_hub::{Hub, Lag, Protocol, Publication, Publisher};
use thalweg_testkit::media::Recipe;
use tokio::sync::oneshot;
use tokio::time::sleep;

fn world() -> (Hub, Arc<Memory>, Arc<TestClock>, Health) {
    (hub(), Memory::with(&["1"]), TestClock::new(), Health::default())
}

fn statistics(
    (hub, store, clock, health): &(Hub, Arc<Memory>, Arc<TestClock>, Health),
) -> Statistics {
    let store: Arc<dyn Store> = Arc::<Memory>::clone(store);
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    Statistics::new(hub, store, clock, health.clone())
}

fn publish(hub: &Hub, name: &str) -> Publication {
    let (peer, agent) = ("192.0.2.1:5000".parse().unwrap(), "obs".to_owned());
    let publisher = Publisher { peer, credential: None, agent };
    // The hub's own time is the machine's: it has published for an hour.
    let long_ago = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
    hub.publish(&key("1", name), publisher, long_ago).unwrap()
}

/// Sends some media; answers how many bytes.
fn send(publication: &mut Publication) -> u64 {
    let frames = Recipe::default().frames_for(1000);
    let bytes = frames.iter().map(|f| f.payload.len() as u64).sum();
    for frame in frames {
        publication.append(frame, Instant::now()).unwrap();
    }
    bytes
}

async fn seconds(s: u64) {
    sleep(Duration::from_secs(s)).await;
}

#[tokio::test(start_paused = true)]
async fn minutes_add_up() {
    let world = world();
    let (hub, store, ..) = &world;
    let task = tokio::spawn(statistics(&world).run(pending()));
    let mut publication = publish(hub, "room");
    let viewer = hub.subscribe(&key("1", "room"), Protocol::HttpFlv, Lag::LIVE, Instant::now());
    let mut bytes = 0;
    for _ in 0..12 {
        bytes += send(&mut publication);
        seconds(10).await;
    }
    seconds(1).await;
    drop(viewer);
    task.abort();
    let all = store.all.lock().unwrap();
    assert_eq!(all.minutes.iter().map(|m| m.bytes_in).sum::<u64>(), bytes);
    assert_eq!(all.minutes.iter().map(|m| m.live_s).sum::<u32>(), 120);
    assert!(all.minutes.iter().all(|m| m.at % 60 == 0 && m.viewers_max == 1));
    let mut minutes: Vec<u64> = all.minutes.iter().map(|m| m.at).collect();
    minutes.dedup();
    // It began four seconds into a minute.
    let first = START_MS / 1000 / 60 * 60;
    assert_eq!(minutes, [first, first + 60]);
    assert!(all.gaps.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_before_is_not_counted_twice() {
    let world = world();
    let (hub, store, ..) = &world;
    let mut publication = publish(hub, "room");
    send(&mut publication);
    let task = tokio::spawn(statistics(&world).run(pending()));
    seconds(5).await;
    let bytes = send(&mut publication);
    seconds(6).await;
    task.abort();
    let all = store.all.lock().unwrap();
    assert_eq!(all.minutes.iter().map(|m| m.bytes_in).sum::<u64>(), bytes);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_complained_of_and_loses_nothing() {
    let world = world();
    let (hub, store, _, health) = &world;
    let task = tokio::spawn(statistics(&world).run(pending()));
    let mut publication = publish(hub, "room");
    store.down(true);
    let bytes = send(&mut publication);
    seconds(10).await;
    sleep(Duration::from_millis(10)).await;
    let ailments = health.ailments();
    assert_eq!(ailments["statistics"].why, "the store does not work: the disk is full");
    assert_eq!(ailments["statistics"].since, START_MS / 1000 + 10);
    seconds(600).await;
    store.down(false);
    seconds(5).await;
    assert!(health.ailments().is_empty());
    task.abort();
    let all = store.all.lock().unwrap();
    assert_eq!(all.minutes.iter().map(|m| m.bytes_in).sum::<u64>(), bytes);
    assert_eq!(all.minutes.len(), 11, "one a minute, however often it was tried");
    assert!(all.gaps.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_one_that_fails() {
    let world = world();
    let (hub, store, _, health) = &world;
    let task = tokio::spawn(statistics(&world).run(pending()));
    let _publication = publish(hub, "room");
    store.stuck(true);
    seconds(15).await;
    assert_eq!(health.ailments()["statistics"].why, "the store does not answer");
    store.stuck(false);
    seconds(1).await;
    assert!(health.ailments().is_empty());
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_a_gap() {
    let world = world();
    let (hub, store, _, health) = &world;
    let limits = thalweg_hub::Limits { streams_max: 2000, ..thalweg_hub::Limits::default() };
    hub.set_limits(limits);
    let task = tokio::spawn(statistics(&world).run(pending()));
    let _all: Vec<Publication> = (0..2000).map(|n| publish(hub, &format!("s{n}"))).collect();
    store.down(true);
    // 2000 streams fill the room for 50 000 in 25 minutes.
    seconds(1600).await;
    assert!(health.ailments()["statistics"].lost > 0);
    store.down(false);
    seconds(30).await;
    task.abort();
    let all = store.all.lock().unwrap();
    let [(from, to)] = all.gaps[..] else { panic!("{:?}", all.gaps) };
    let now = START_MS / 1000 + 1600;
    assert!((now - 160..now - 60).contains(&from), "{from} of {now}");
    assert!((now - 10..=now).contains(&to), "{to} of {now}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_writes_what_is_left() {
    let world = world();
    let (hub, store, ..) = &world;
    let (stop, stopped) = oneshot::channel::<()>();
    let run = statistics(&world).run(async move {
        let _ = stopped.await;
    });
    let task = tokio::spawn(run);
    let mut publication = publish(hub, "room");
    seconds(3).await;
    let bytes = send(&mut publication);
    stop.send(()).unwrap();
    task.await.unwrap();
    let all = store.all.lock().unwrap();
    assert_eq!(all.minutes.iter().map(|m| m.bytes_in).sum::<u64>(), bytes);
}

#[tokio::test(start_paused = true)]
async fn what_is_old_is_forgotten() {
    let world = world();
    let (_, store, ..) = &world;
    let task = tokio::spawn(statistics(&world).run(pending()));
    seconds(3700).await;
    task.abort();
    let all = store.all.lock().unwrap();
    let [first, second] = all.pruned[..] else { panic!("{:?}", all.pruned) };
    let days = |at: u64| (START_MS / 1000 - at) / 86_400;
    assert_eq!(
        [first.minutes, first.publications, first.deliveries, first.audits].map(days),
        [30, 90, 30, 365]
    );
    assert_eq!(second.minutes, first.minutes + 3600);
}
