//! How long lists take in a store that has seen much: run by hand, with
//! `scripts/postgres.sh cargo nextest run --release -p thalweg-console --run-ignored only measure --no-capture`.

use std::time::{Duration, Instant};

use thalweg_console::model::{DeliveryState, Minute, Page};

use crate::home::Home;
use crate::values::{account, audit, delivery, end, minute, publication, stream};

/// A thousand accounts of ten streams, a million minutes, 10 000 publications with their deliveries.
pub(crate) async fn measure_lists(home: Home) {
    let store = home.open().await;
    let began = Instant::now();
    for i in 0..1000u32 {
        store.put_account(&account(&i.to_string())).await.unwrap();
        store.add_audit(&audit(u64::from(i), Some(&i.to_string()))).await.unwrap();
    }
    println!("1000 accounts written in {:?}", began.elapsed());
    let streams: Vec<_> =
        (0..10_000).map(|i| stream(&(i % 1000).to_string(), &format!("s{i}"))).collect();
    // Stream by stream, which is faster than minute by minute.
    for some in streams.chunks(500) {
        let minutes: Vec<Minute> =
            some.iter().flat_map(|s| (0..89).map(|at| minute(s, at * 60, 3))).collect();
        store.add_minutes(&minutes).await.unwrap();
    }
    let began = Instant::now();
    let minutes: Vec<Minute> = streams.iter().map(|s| minute(s, 89 * 60, 3)).collect();
    store.add_minutes(&minutes).await.unwrap();
    println!("a minute of 10 000 streams written in {:?}", began.elapsed());
    // One stream that has been on for ten weeks.
    let long: Vec<Minute> = (90..100_090).map(|at| minute(&streams[0], at * 60, 3)).collect();
    for minutes in long.chunks(10_000) {
        store.add_minutes(minutes).await.unwrap();
    }
    let began = Instant::now();
    for (i, stream) in (0..10_000u64).zip(streams.iter().cycle()) {
        let one = publication(&format!("p{i}"), stream, i);
        store.publication_began(&one, Some(&delivery(&stream.account, i))).await.unwrap();
        if i % 2 == 0 {
            store.publication_ended(&one.sequence, &end(i), None).await.unwrap();
        }
    }
    println!("a write of a publication took {:?}", began.elapsed() / 15_000);

    let (first, last) = (Page { offset: 0, limit: 300 }, Page { offset: 9_000, limit: 300 });
    let s = Some(&streams[0]);
    macro_rules! time {
        ($is_warm:expr, $($what:literal: $call:expr;)*) => {$(
            let began = Instant::now();
            let answer = $call.await.unwrap();
            let took = began.elapsed();
            drop(answer);
            println!("{:>8.1} ms  {}", took.as_secs_f64() * 1e3, $what);
            assert!(!$is_warm || took <= AT_MOST, "{} took {took:?}", $what);
        )*};
    }
    for is_warm in [false, true] {
        time! { is_warm,
            "accounts": store.accounts();
            "one account": store.account("7");
            "publications, first page": store.publications(None, None, 0, u64::MAX, first);
            "publications, last page": store.publications(None, None, 0, u64::MAX, last);
            "of an account": store.publications(Some("7"), None, 0, u64::MAX, first);
            "of a stream": store.publications(None, s, 0, u64::MAX, first);
            "open ones, 5 000": store.open_publications();
            "deliveries, first page": store.deliveries(None, None, first);
            "deliveries, last page": store.deliveries(None, None, last);
            "pending": store.deliveries(None, Some(DeliveryState::Pending), first);
            "of an account": store.deliveries(Some("7"), None, first);
            "next of 1000 accounts": store.next_deliveries();
            "audit": store.audits(None, first);
            "graph of a stream, 10 weeks": store.points(None, s, 0, 7_000_000, 3600);
            "graph of an account, 10 weeks": store.points(Some("0"), None, 0, 7_000_000, 3600);
            "graph of all, 10 weeks": store.points(None, None, 0, 7_000_000, 3600);
            "graph of all, a day by the minute": store.points(None, None, 0, 86_400, 60);
        }
    }
}

/// What is promised of a list.
const AT_MOST: Duration = Duration::from_millis(100);
