//! A console of a large house. What each list takes is printed, not asserted: `--nocapture` shows it.

use std::time::{Duration, Instant};

use serde_json::json;
use thalweg_console::model::Forbid;

use crate::home::{Home, delivery, new_account, now, publication, stream};

const ACCOUNTS: usize = 1000;
const STREAMS: usize = 10_000;
const PUBLICATIONS: usize = 10_000;
const VIEWERS: usize = 2000;
const FORBIDDEN: usize = 1000;
const CALLS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_of_a_large_house_is_answered() {
    let accounts = (1..=ACCOUNTS).map(|n| new_account(&n.to_string())).collect();
    let home = Home::with("many", accounts).await;
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
        home.store.add_delivery(&delivery(&account(n))).await.unwrap();
    }
    let admin = home.admin().await;
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
        ("callbacks", "/total", json!(FORBIDDEN)),
        ("callbacks?state=failed&account=7", "/total", json!(1)),
        ("statistics", "/step", json!(60)),
        ("audit", "/total", json!(0)),
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
        println!("{path:40} p95 {:6.1} ms", p95_ms(times));
    }
    let mut times = Vec::new();
    for n in 0..CALLS {
        let start = Instant::now();
        let change = json!({ "name": format!("Name {n}") });
        admin.patch("/api/v1/accounts/500", change).await.is(200);
        times.push(start.elapsed());
    }
    println!("{:40} p95 {:6.1} ms", "PATCH accounts/500", p95_ms(times));
    drop((seats, watching));
}

fn p95_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() * 95 / 100].as_secs_f64() * 1000.0
}
