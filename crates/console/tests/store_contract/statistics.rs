//! Counts.

use thalweg_console::model::{Minute, Point};

use crate::home::Home;
use crate::values::{minute, stream};

pub(crate) async fn minutes_add_up(home: Home) {
    let store = home.open().await;
    let a = stream("7", "a");
    store.add_minutes(&[]).await.unwrap();
    // The same minute, twice in one call and once more in another.
    store.add_minutes(&[minute(&a, 60, 3), minute(&a, 60, 9)]).await.unwrap();
    store.add_minutes(&[minute(&a, 60, 5)]).await.unwrap();
    let point =
        Point { at: 60, bytes_in: 30, bytes_out: 300, viewers_max: 9, streams_max: 1, gap: false };
    assert_eq!(store.points(None, Some(&a), 0, 120, 60).await.unwrap(), [point]);
    assert_eq!(store.points(Some("7"), None, 0, 120, 60).await.unwrap(), [point]);
    assert_eq!(store.points(None, None, 0, 120, 60).await.unwrap(), [point]);
}

pub(crate) async fn points_are_of_a_stream_an_account_or_all(home: Home) {
    let store = home.open().await;
    let (a, b, other) = (stream("7", "a"), stream("7", "b"), stream("8", "a"));
    let silent = Minute { live_s: 0, ..minute(&b, 120, 1) };
    let minutes = [
        minute(&a, 60, 1),
        minute(&b, 60, 2),
        minute(&a, 120, 5),
        silent,
        minute(&other, 120, 7),
        minute(&a, 300, 4),
    ];
    store.add_minutes(&minutes).await.unwrap();
    let points = async |account, stream, from, to, step| {
        let points = store.points(account, stream, from, to, step).await.unwrap();
        points.iter().map(|p| (p.at, p.bytes_out, p.viewers_max, p.streams_max)).collect::<Vec<_>>()
    };
    let every_minute = points(Some("7"), None, 60, 360, 60).await;
    assert_eq!(every_minute, [(60, 200, 3, 2), (120, 200, 6, 1), (300, 100, 4, 1)]);
    // Of several minutes: bytes add up, the most is the most.
    assert_eq!(points(Some("7"), None, 60, 360, 120).await, [(60, 400, 6, 2), (300, 100, 4, 1)]);
    assert_eq!(points(None, None, 60, 180, 120).await, [(60, 500, 13, 2)]);
    assert_eq!(points(None, Some(&a), 0, 360, 360).await, [(0, 300, 5, 1)]);
    assert_eq!(points(Some("7"), Some(&a), 120, 300, 60).await, [(120, 100, 5, 1)]);
    assert_eq!(points(Some("8"), Some(&a), 0, 360, 60).await, []);
    assert_eq!(points(None, None, 360, u64::MAX, 60).await, []);
}

pub(crate) async fn gaps_are_seen(home: Home) {
    let store = home.open().await;
    let a = stream("7", "a");
    store.add_minutes(&[minute(&a, 60, 1)]).await.unwrap();
    store.mark_gap(70, 181).await.unwrap();
    store.mark_gap(70, 181).await.unwrap();
    store.mark_gap(600, 660).await.unwrap();
    let points = store.points(None, Some(&a), 0, 600, 60).await.unwrap();
    let seen: Vec<_> = points.iter().map(|p| (p.at, p.gap, p.bytes_in)).collect();
    assert_eq!(seen, [(60, true, 10), (120, true, 0), (180, true, 0)]);
    let rough = store.points(Some("9"), None, 0, 700, 300).await.unwrap();
    let seen: Vec<_> = rough.iter().map(|p| (p.at, p.gap)).collect();
    assert_eq!(seen, [(0, true), (600, true)]);
    // However long a gap is, its points are bounded.
    store.mark_gap(0, u64::MAX).await.unwrap();
    assert!(store.points(None, None, 0, u64::MAX, 1).await.unwrap().len() < 100_000);
}

pub(crate) async fn a_thousand_streams_fit_in_a_batch(home: Home) {
    let store = home.open().await;
    // One more than two statements take.
    let minutes: Vec<Minute> =
        (0..1001).map(|i| minute(&stream(&(i % 10).to_string(), &i.to_string()), 60, 1)).collect();
    store.add_minutes(&minutes).await.unwrap();
    let all = store.points(None, None, 0, 120, 60).await.unwrap();
    assert_eq!((all[0].bytes_in, all[0].streams_max), (10_010, 1001));
    let of_one = store.points(Some("0"), None, 0, 120, 60).await.unwrap();
    assert_eq!((of_one[0].bytes_in, of_one[0].viewers_max), (1010, 101));
}
