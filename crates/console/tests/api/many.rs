//! A console of a large house, with all that goes on beside. What each list takes is printed (`--nocapture` shows it), and
//! asserted where it is measured: `make long`.
#![allow(clippy::print_stdout, reason = "what a test prints is seen where it is asked for")]

use std::time::{Duration, Instant};

use serde_json::json;
use thalweg_console::model::{Audit, Forbid, Minute, StreamId};

use crate::home::{Home, delivery, new_account, now, publication, stream};

const ACCOUNTS: usize = 1000;
const STREAMS: usize = 10_000;
const PUBLICATIONS: usize = 10_000;
const VIEWERS: usize = 2000;
const FORBIDDEN: usize = 1000;
const CALLS: usize = 50;

/// What is behind it.
struct Past {
    /// Failed callbacks, and rows of the audit.
    rows: usize,
    /// Of each stream.
    minutes: u64,
    /// Of one that has been on since long ago.
    minutes_of_one: u64,
    /// What is promised of every list, ms.
    p95_ms_max: f64,
}

const SHORT: Past = Past { rows: 1000, minutes: 1, minutes_of_one: 1, p95_ms_max: f64::INFINITY };
/// 300 000 minutes, and thirty days.
const LONG: Past = Past { rows: 10_000, minutes: 30, minutes_of_one: 30 * 1440, p95_ms_max: 100.0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_a_large_house_is_answered() {
    ask_for_everything("many", &SHORT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: make long"]
async fn every_list_of_a_large_house_is_answered_in_time() {
    ask_for_everything("many-measured", &LONG).await;
}

async fn ask_for_everything(name: &str, past: &Past) {
    let Past { rows, minutes, minutes_of_one, p95_ms_max } = *past;
    let accounts = (1..=ACCOUNTS).map(|n| new_account(&n.to_string())).collect();
    let mut home = Home::with(name, accounts).await;
    let account = |n: usize| (n % ACCOUNTS + 1).to_string();
    let seats: Vec<_> = (0..STREAMS)
        .map(|n| home.publish_a_little(&account(n), "live", &format!("room-{n:05}")))
        .collect();
    let watching: Vec<_> = (0..VIEWERS)
        .map(|n| home.watch(&account(n), "live", &format!("room-{n:05}"), (n % 250) as u8))
        .collect();
    let began_ms = (now() - 86_400) * 1000;
    for n in 0..PUBLICATIONS {
        let of = stream(&account(n), "live", &format!("room-{n:05}"));
        home.store.publication_began(&publication(of, began_ms + n as u64), None).await.unwrap();
    }
    for n in 0..FORBIDDEN {
        let stream = stream(&account(n), "live", &format!("no-{n}"));
        let forbid = Forbid { stream, until: now() + 1000, reason: "no".to_owned() };
        home.store.put_forbid(&forbid).await.unwrap();
    }
    for n in 0..rows {
        home.store.add_delivery(&delivery(&account(n))).await.unwrap();
    }
    for n in 0..rows {
        home.store.add_audit(&audit(&account(n))).await.unwrap();
    }
    let rooms = (0..STREAMS).map(|n| stream(&account(n), "live", &format!("room-{n:05}")));
    let rooms: Vec<StreamId> = rooms.collect();
    for some in rooms.chunks(1000) {
        let minutes = some.iter().flat_map(|of| (2..=minutes + 1).map(|ago| minute(of, ago)));
        home.store.add_minutes(&minutes.collect::<Vec<_>>()).await.unwrap();
    }
    let long: Vec<Minute> =
        (minutes + 2..minutes_of_one).map(|ago| minute(&rooms[6], ago)).collect();
    for some in long.chunks(10_000) {
        home.store.add_minutes(some).await.unwrap();
    }
    // The journal, the statistics and the outbox write meanwhile.
    let beside = tokio::spawn(home.tasks.take().unwrap().run(std::future::pending()));
    let admin = home.admin().await;
    let month_ago = now() - 30 * 86_400;
    let mut too_late = Vec::new();
    for (path, pointer, want) in [
        ("overview", "/publishers", json!(STREAMS)),
        ("accounts", "/total", json!(ACCOUNTS)),
        ("accounts?page_size=300", "/total", json!(ACCOUNTS)),
        ("accounts?query=99", "/total", json!(19)),
        ("accounts/500", "/bizid", json!("500")),
        ("streams", "/total", json!(STREAMS)),
        ("streams?page_size=300", "/streams/299/live", json!(true)),
        ("streams?account=7", "/total", json!(STREAMS / ACCOUNTS)),
        ("streams?query=ROOM-001", "/total", json!(100)),
        ("streams?live=false", "/total", json!(0)),
        ("streams?page=200", "/streams/49/account", json!("999")),
        ("streams/1/live/room-00000", "/live", json!(true)),
        ("history", "/total", json!(PUBLICATIONS)),
        ("history?page=200", "/publications/49/name", json!("room-00000")),
        ("history?account=7", "/total", json!(PUBLICATIONS / ACCOUNTS)),
        ("streams/7/live/room-00006/history", "/total", json!(1)),
        ("viewers", "/total", json!(VIEWERS)),
        ("viewers?account=7", "/total", json!(VIEWERS / ACCOUNTS)),
        ("forbidden", "/forbidden/0/reason", json!("no")),
        ("viewers/bars", "/total", json!(0)),
        ("callbacks", "/total", json!(rows)),
        ("callbacks?page=20", "/callbacks/49/state", json!("failed")),
        ("callbacks?state=failed&account=7", "/total", json!(rows / ACCOUNTS)),
        ("statistics", "/step", json!(60)),
        ("statistics?account=7", "/step", json!(60)),
        ("statistics?account=7&app=live&name=room-00006", "/step", json!(60)),
        (&*format!("statistics?step=3600&from={month_ago}"), "/step", json!(3600)),
        (&*format!("statistics?account=7&step=3600&from={month_ago}"), "/step", json!(3600)),
        ("audit", "/entries/0/what", json!("account.change")),
        ("audit?page=20", "/entries/49/what", json!("account.change")),
        ("users", "/users/0/login", json!("root")),
        ("tokens", "/tokens/0/id", json!(1)),
        ("gate", "/mode", json!("enforce")),
    ] {
        let mut times = Vec::new();
        for _ in 0..CALLS {
            let start = Instant::now();
            let answer = admin.get(&format!("/api/v1/{path}")).await;
            times.push(start.elapsed());
            assert_eq!(answer.is(200).pointer(pointer), Some(&want), "{path}");
        }
        let p95 = p95_ms(times);
        println!("{path:60} p95 {p95:6.1} ms");
        if p95 > p95_ms_max {
            too_late.push(path.to_owned());
        }
    }
    let mut times = Vec::new();
    for n in 0..CALLS {
        let start = Instant::now();
        let change = json!({ "name": format!("Name {n}") });
        admin.patch("/api/v1/accounts/500", change).await.is(200);
        times.push(start.elapsed());
    }
    println!("{:60} p95 {:6.1} ms", "PATCH accounts/500", p95_ms(times));
    assert!(too_late.is_empty(), "over {p95_ms_max} ms: {too_late:?}");
    beside.abort();
    drop((seats, watching));
}

fn minute(stream: &StreamId, minutes_ago: u64) -> Minute {
    Minute {
        at: (now() / 60 - minutes_ago) * 60,
        stream: stream.clone(),
        bytes_in: 3_000_000,
        bytes_out: 6_000_000,
        viewers_max: 2,
        live_s: 60,
    }
}

fn audit(account: &str) -> Audit {
    Audit {
        id: 0,
        at: now() - 1000,
        who: "user:anna".to_owned(),
        peer: "192.0.2.1".to_owned(),
        account: Some(account.to_owned()),
        what: "account.change".to_owned(),
        detail: "name".to_owned(),
    }
}

fn p95_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() * 95 / 100].as_secs_f64() * 1000.0
}
