//! What happened is told in order, to everyone who listens; and who is slow is told of a gap.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, SystemTime};

use thalweg_hub::events::{
    BATCH_MAX, Batch, EVENTS_BYTES_MAX, EVENTS_MAX, PlayEnded, PublishBegan,
};
use thalweg_hub::{EventReader, Events, Hub, InProcess, Limits, Protocol, StreamKey, What};

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1))
}

fn left(id: u64) -> What {
    What::PlayEnded(PlayEnded {
        id,
        key: StreamKey::new("1", "live", "room"),
        peer: peer(),
        protocol: Protocol::HttpFlv,
        duration: Duration::ZERO,
        bytes: 0,
        cause: String::new(),
    })
}

fn came(query: &str) -> What {
    What::PublishBegan(PublishBegan {
        key: StreamKey::new("1", "live", "room"),
        epoch: 1,
        peer: peer(),
        agent: "test".into(),
        protocol: "rtmp",
        host: "push.example".into(),
        query: query.into(),
    })
}

fn push(events: &Events, n: u64) {
    (0..n).for_each(|id| events.push(SystemTime::UNIX_EPOCH, left(id)));
}

/// Everything a reader finds: how many it missed, and the numbers of the rest.
fn read(reader: &mut EventReader) -> (u64, Vec<u64>) {
    let (mut missed, mut numbers) = (0, Vec::new());
    while let Some(Batch { missed: more, events }) = reader.try_next() {
        assert!((1..=BATCH_MAX).contains(&events.len()));
        missed += more;
        numbers.extend(events.iter().map(|e| e.number));
    }
    (missed, numbers)
}

#[test]
fn every_reader_gets_everything_from_when_it_came() {
    let hub = Hub::new(Limits::default(), InProcess::default());
    let events = hub.events();
    push(&events, 3);
    let mut first = events.reader();
    push(&events, 2);
    let mut second = hub.events().reader();
    push(&events, 2);
    assert_eq!(read(&mut first), (0, vec![3, 4, 5, 6]));
    assert_eq!(read(&mut second), (0, vec![5, 6]));
    assert_eq!(read(&mut second), (0, vec![]));
}

#[test]
fn who_is_too_slow_is_told_how_much_it_missed() {
    let events = Events::default();
    let (mut slow, mut fast) = (events.reader(), events.reader());
    for _ in 0..2 {
        push(&events, EVENTS_MAX as u64);
        assert_eq!(read(&mut fast).0, 0);
    }
    push(&events, 7);
    let (missed, numbers) = read(&mut slow);
    assert_eq!(missed, EVENTS_MAX as u64 + 7);
    assert_eq!(numbers.len(), EVENTS_MAX);
    assert_eq!(numbers[0], missed, "numbers have no holes of their own");
    // And it goes on as if nothing had been.
    push(&events, 1);
    assert_eq!(read(&mut slow).0, 0);
}

#[test]
fn long_urls_are_bounded_by_their_bytes() {
    let events = Events::default();
    let mut reader = events.reader();
    let query = "a".repeat(1 << 20);
    for _ in 0..40 {
        events.push(SystemTime::UNIX_EPOCH, came(&query));
    }
    let (missed, numbers) = read(&mut reader);
    assert!(numbers.len() << 20 <= EVENTS_BYTES_MAX && numbers.len() >= 30);
    assert_eq!(missed + numbers.len() as u64, 40);
}

#[test]
fn without_a_reader_nothing_is_kept() {
    let events = Events::default();
    drop(events.reader());
    push(&events, 10);
    assert_eq!(format!("{events:?}").matches("0 of 10 events").count(), 1, "{events:?}");
    // What all have read is let go of as well.
    let mut reader = events.reader();
    push(&events, 10);
    read(&mut reader);
    assert!(format!("{events:?}").contains("0 of 20 events"), "{events:?}");
}

#[test]
fn a_reader_that_waits_is_woken() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let events = Events::default();
    let mut reader = events.reader();
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Arc::clone(&woken).into();
    let mut cx = Context::from_waker(&waker);
    {
        let mut next = pin!(reader.next());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        push(&events, 1);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let Poll::Ready(batch) = next.as_mut().poll(&mut cx) else { unreachable!("it was woken") };
        assert_eq!(batch.events.len(), 1);
    }
    // One that was given up while it waited loses nothing.
    assert!(pin!(reader.next()).poll(&mut cx).is_pending());
    push(&events, 1);
    let Poll::Ready(batch) = pin!(reader.next()).poll(&mut cx) else { unreachable!("it is there") };
    assert_eq!((batch.missed, batch.events[0].number), (0, 1));
}

#[test]
fn a_query_is_not_shown() {
    let shown = format!("{:?}", came("txSecret=0123456789"));
    assert!(shown.contains("push.example") && !shown.contains("0123456789"), "{shown}");
}

#[test]
fn a_server_has_one_name() {
    let events = Events::default();
    assert_eq!(&*events.node(), "local");
    assert!(events.set_node("edge-1"));
    assert!(!events.set_node("edge-2"));
    assert_eq!(&*events.node(), "edge-1");
}
