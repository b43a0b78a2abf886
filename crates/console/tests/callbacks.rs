//! What a back end is told: in order, over failures, restarts and stores that do not work.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use common::Reply::{After, Never, Status};
use common::{Memory, Receivers, START_MS, TestClock, at, begin, end, hub, key};
use serde_json::json;
use thalweg_console::clock::{Clock, SystemClock};
use thalweg_console::health::Health;
use thalweg_console::hooks::body;
use thalweg_console::hooks::journal::{CRASHED, END_LOST, Journal};
use thalweg_console::hooks::outbox::{Outbox, Postman, RetryError};
use thalweg_console::model::DeliveryState;
use thalweg_console::store::{self, Place, Store};
use thalweg_hub::events::Anomalies;
use thalweg_hub::{Anomaly, Hub, What};
use thalweg_testkit::folder::Folder;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// A server's journal and outbox. Dropping it is a crash.
struct Server {
    hub: Hub,
    health: Health,
    postman: Postman,
    tasks: [JoinHandle<()>; 2],
}

impl Server {
    fn start(store: &Arc<Memory>, receivers: &Arc<Receivers>, clock: &Arc<TestClock>) -> Server {
        let (hub, health) = (hub(), Health::default());
        let store: Arc<dyn Store> = Arc::<Memory>::clone(store);
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
        let post = Arc::<Receivers>::clone(receivers);
        let outbox = Outbox::new(Arc::clone(&store), post, Arc::clone(&clock), health.clone());
        let postman = outbox.postman();
        let journal = Journal::new(&hub, store, clock, health.clone(), postman.clone()).unwrap();
        let tasks = [tokio::spawn(outbox.run()), tokio::spawn(journal.run(pending()))];
        Server { hub, health, postman, tasks }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn world(accounts: &[&str]) -> (Arc<Memory>, Arc<Receivers>, Arc<TestClock>) {
    let clock = TestClock::new();
    (Memory::with(accounts), Receivers::new(&clock), clock)
}

async fn seconds(s: u64) {
    sleep(Duration::from_secs(s)).await;
}

fn told(list: &[(u64, u64, &str)]) -> Vec<(u64, u64, String)> {
    list.iter().map(|(at, event, stream)| (*at, *event, (*stream).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_publication_is_told_at_its_beginning_and_its_end() {
    let (store, receivers, clock) = world(&["3891"]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("3891", "room"), 1);
    seconds(60).await;
    end(&server.hub, &clock, &key("3891", "room"), 1);
    seconds(1).await;
    let got = receivers.got();
    let [began, ended] = &got[..] else { panic!("{got:?}") };
    let sequence = began.body["sequence"].as_str().unwrap();
    assert!(sequence.parse::<i64>().is_ok(), "{sequence} is a number for everybody");
    let t = START_MS / 1000 + 600;
    assert_eq!(
        began.body,
        json!({
            "event_type": 1, "appid": 3891, "app": "push.example.com", "appname": "live",
            "stream_id": "room", "channel_id": "room", "event_time": START_MS / 1000,
            "sequence": sequence, "node": "local", "user_ip": "203.0.113.9",
            "stream_param": "txSecret=abc&txTime=65A5F1C0&user=7", "errcode": 0, "errmsg": "ok",
            "t": t, "sign": body::sign("callbackkey", t),
        })
    );
    assert_eq!(began.body["sign"], "58a39efefad9611d99f266ce8713bf5b");
    assert!(began.signature.as_ref().unwrap().starts_with(&format!("t={t}, v1=")));
    for (field, want) in [
        ("event_type", json!(0)),
        ("sequence", json!(sequence)),
        ("push_duration", json!("60000")),
        ("errcode", json!(1)),
        ("t", json!(t + 60)),
        ("sign", json!(body::sign("callbackkey", t + 60))),
    ] {
        assert_eq!(ended.body[field], want, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missed_is_told_thrice_more_and_order_is_kept() {
    let (store, receivers, clock) = world(&["1", "2"]);
    receivers.script("b1.example.com", [Status(500), Status(302), Never, Status(204)]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    begin(&server.hub, &clock, &key("1", "b"), 2);
    begin(&server.hub, &clock, &key("2", "c"), 3);
    seconds(1).await;
    end(&server.hub, &clock, &key("1", "a"), 1);
    seconds(400).await;
    // The fourth try is the last: the next in the line goes on.
    let first = [(0, 1, "a"), (60, 1, "a"), (120, 1, "a"), (180, 1, "a")];
    let rest = [(180, 1, "b"), (180, 0, "a")];
    assert_eq!(receivers.told("b1.example.com"), told(&[&first[..], &rest[..]].concat()));
    assert_eq!(receivers.told("b2.example.com"), told(&[(0, 1, "c")]), "nobody waits for others");
    let lost = store.find(1, "a");
    assert_eq!((lost.state, lost.tries), (DeliveryState::Failed, 4));
    assert_eq!(lost.outcome, "answered 204 instead of 200");
    assert_eq!(store.find(0, "a").state, DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn twenty_seconds_are_enough_and_not_more() {
    let (store, receivers, clock) = world(&["1"]);
    let [almost, late] = [19, 21].map(Duration::from_secs);
    receivers.script("b1.example.com", [After(late, 200), After(almost, 200)]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(30).await;
    let delivery = store.find(1, "a");
    assert_eq!(delivery.outcome, "no answer within 20 s");
    seconds(60).await;
    let delivery = store.find(1, "a");
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Delivered, 2));
    assert_eq!(receivers.told("b1.example.com"), told(&[(0, 1, "a"), (60, 1, "a")]));
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_can_be_tried_again() {
    let (store, receivers, clock) = world(&["1"]);
    receivers.script("b1.example.com", [Never, Never, Never, Never]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(300).await;
    let id = store.find(1, "a").id;
    assert_eq!(server.postman.retry(id, Some("2")).await, Err(RetryError::Unknown));
    server.postman.retry(id, Some("1")).await.unwrap();
    seconds(1).await;
    assert_eq!(store.find(1, "a").state, DeliveryState::Delivered);
    assert_eq!(server.postman.retry(id, None).await, Err(RetryError::NotFailed));
    assert_eq!(receivers.got().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_restart_delays_and_loses_nothing() {
    let (store, receivers, clock) = world(&["1"]);
    receivers.script("b1.example.com", [Status(503), Status(503)]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(15).await;
    drop(server);
    seconds(15).await;
    let server = Server::start(&store, &receivers, &clock);
    seconds(200).await;
    // The line stands until its first is told; then comes the end that nobody saw.
    let want = [(0, 1, "a"), (60, 1, "a"), (120, 1, "a"), (120, 0, "a")];
    assert_eq!(receivers.told("b1.example.com"), told(&want));
    let got = receivers.got();
    assert_eq!(got[0].body["sequence"], got[3].body["sequence"]);
    assert_eq!(got[3].body["errcode"], CRASHED);
    let end = store.all.lock().unwrap().publications[0].end.clone().unwrap();
    assert_eq!(end.bytes_in, None, "nobody counted them");
    // It lived fourteen seconds at least: that was its last sign of life.
    assert_eq!(got[3].body["push_duration"], "14000");
    // A publication of the new run has another sequence, though epochs begin anew.
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(1).await;
    let got = receivers.got();
    assert_ne!(got[4].body["sequence"], got[0].body["sequence"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_work_delays_and_is_complained_of() {
    let (store, receivers, clock) = world(&["1"]);
    let server = Server::start(&store, &receivers, &clock);
    seconds(1).await;
    store.down(true);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(5).await;
    end(&server.hub, &clock, &key("1", "a"), 1);
    assert_eq!(
        server.health.ailments()["history"].why,
        "the store does not work: the disk is full"
    );
    seconds(600).await;
    assert_eq!(receivers.got().len(), 0);
    store.down(false);
    seconds(40).await;
    assert!(server.health.ailments().is_empty());
    let got = receivers.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].body["event_time"], START_MS / 1000 + 1);
    assert_eq!(got[1].body["push_duration"], "5000");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_can_be_read_and_not_written_is_complained_of_all_the_time() {
    let (store, receivers, clock) = world(&["1", "2"]);
    let server = Server::start(&store, &receivers, &clock);
    seconds(1).await;
    store.is_full.store(true, SeqCst);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(2).await;
    for n in 0..30 {
        // Whatever else happens has the outbox look into the store.
        server.postman.ring();
        seconds(1).await;
        let ailments = server.health.ailments();
        assert!(ailments.contains_key("callbacks"), "after {n} s: {ailments:?}");
    }
    store.is_full.store(false, SeqCst);
    seconds(3).await;
    assert!(!server.health.ailments().contains_key("callbacks"));
}

/// What is in the queue knows better than a look at what seems to be open.
#[tokio::test(start_paused = true)]
async fn an_end_that_waits_in_the_queue_is_not_made_up() {
    for _ in 0..8 {
        let (store, receivers, clock) = world(&["1"]);
        let server = Server::start(&store, &receivers, &clock);
        begin(&server.hub, &clock, &key("1", "a"), 1);
        seconds(1).await;
        store.down(true);
        for epoch in 2..7000 {
            begin(&server.hub, &clock, &key("7", "other"), epoch);
            end(&server.hub, &clock, &key("7", "other"), epoch);
            if epoch % 100 == 0 {
                seconds(1).await;
            }
        }
        // Something is lost: when all is written what is open is looked at, and two seconds later again.
        seconds(5).await;
        assert!(server.health.ailments()["history"].lost > 0);
        store.down(false);
        sleep(Duration::from_millis(1500)).await;
        // Then the look is due while the writer waits for the store, and the end is in the queue.
        store.stuck(true);
        begin(&server.hub, &clock, &key("7", "late"), 8000);
        end(&server.hub, &clock, &key("1", "a"), 1);
        seconds(5).await;
        store.stuck(false);
        seconds(10).await;
        let ended = receivers.got().into_iter().find(|r| r.body["event_type"] == 0).unwrap();
        assert_eq!(ended.body["errcode"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_lost_is_made_up() {
    let (store, receivers, clock) = world(&["1"]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    seconds(1).await;
    store.down(true);
    for epoch in 2..10_000 {
        begin(&server.hub, &clock, &key("7", "other"), epoch);
        end(&server.hub, &clock, &key("7", "other"), epoch);
        if epoch % 100 == 0 {
            seconds(1).await;
        }
    }
    end(&server.hub, &clock, &key("1", "a"), 1);
    seconds(5).await;
    let lost = server.health.ailments()["history"].lost;
    assert!((11_000..12_000).contains(&lost), "of 19 997 events 8192 fit, and {lost} are lost");
    store.down(false);
    seconds(60).await;
    let told = receivers.told("b1.example.com");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(receivers.got()[1].body["errcode"], END_LOST);
    assert!(store.open_publications().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_accounts_is_told_thirty_two_at_a_time() {
    let names: Vec<String> = (1..=100).map(|n: u32| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (store, receivers, clock) = world(&names);
    let server = Server::start(&store, &receivers, &clock);
    for (epoch, name) in names.iter().enumerate() {
        receivers.script(&format!("b{name}.example.com"), [After(Duration::from_secs(10), 200)]);
        begin(&server.hub, &clock, &key(name, "a"), epoch as u64);
    }
    seconds(45).await;
    assert_eq!(receivers.most(), 32);
    let delivered = |d: &thalweg_console::model::Delivery| d.state == DeliveryState::Delivered;
    assert!(store.all.lock().unwrap().deliveries.iter().all(delivered));
}

#[tokio::test(start_paused = true)]
async fn anomalies_are_told_to_those_who_want_them() {
    let (store, receivers, clock) = world(&["1", "2"]);
    store.change("2", |a| a.callback.anomalies = true);
    let server = Server::start(&store, &receivers, &clock);
    for (epoch, account) in [(1, "1"), (2, "2")] {
        begin(&server.hub, &clock, &key(account, "a"), epoch);
        let list = vec![Anomaly {
            kind: 3,
            count: 2,
            first_ms: START_MS + 1000,
            last_ms: START_MS + 3000,
            worst: 1500,
        }];
        let anomalies =
            Anomalies { key: key(account, "a"), epoch, at: at(&clock), interval_ms: 5000, list };
        server.hub.events().push(at(&clock), What::Anomalies(anomalies));
    }
    seconds(1).await;
    assert_eq!(receivers.told("b1.example.com").len(), 1);
    let got = receivers.got();
    let told = got.iter().find(|r| r.body["event_type"] == 321).unwrap();
    assert_eq!(told.host, "b2.example.com");
    assert_eq!(
        (&told.body["domain"], &told.body["path"]),
        (&json!("push.example.com"), &json!("live"))
    );
    let event = &told.body["abnormal_event"][0];
    assert_eq!((&event["type"], &event["count"]), (&json!(3), &json!(2)));
    let seen = json!({ "desc": "1500 ms at most", "occur_time": START_MS + 1000 });
    assert_eq!(event["detail"][0], seen);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_a_url_is_told_nothing() {
    let (store, receivers, clock) = world(&["1", "2"]);
    store.change("1", |a| a.callback.url = None);
    receivers.script("b2.example.com", [Never]);
    let server = Server::start(&store, &receivers, &clock);
    begin(&server.hub, &clock, &key("1", "a"), 1);
    begin(&server.hub, &clock, &key("2", "b"), 2);
    seconds(1).await;
    store.change("2", |a| a.callback.url = None);
    seconds(120).await;
    assert_eq!(receivers.got().len(), 1);
    let delivery = store.find(1, "b");
    assert_eq!(delivery.state, DeliveryState::Failed);
    assert_eq!(delivery.outcome, "the account has no callback URL any more");
    assert_eq!(store.all.lock().unwrap().publications.len(), 2, "its history goes on");
}

/// In real time, with a real store.
#[tokio::test]
async fn a_database_remembers_what_is_to_be_told() {
    let folder = Folder::new("callbacks");
    let place = Place::folder(folder.path().join("data"));
    let clock = TestClock::new();
    let receivers = Receivers::new(&clock);
    let hub = hub();
    {
        let store = store::open(&place).await.unwrap();
        store.put_account(&common::account("1")).await.unwrap();
        let (clock_of, health) = (Arc::new(SystemClock), Health::default());
        let post = Arc::<Receivers>::clone(&receivers);
        let unused = Outbox::new(Arc::clone(&store), post, clock_of, health.clone());
        let clock_of = Arc::new(SystemClock);
        let journal = Journal::new(&hub, store, clock_of, health, unused.postman()).unwrap();
        begin(&hub, &clock, &key("1", "a"), 1);
        end(&hub, &clock, &key("1", "a"), 1);
        // It stops at once, and writes down what there is.
        journal.run(std::future::ready(())).await;
    }
    assert_eq!(receivers.got().len(), 0);
    let store = store::open(&place).await.unwrap();
    let post = Arc::<Receivers>::clone(&receivers);
    let outbox = Outbox::new(Arc::clone(&store), post, Arc::new(SystemClock), Health::default());
    let task = tokio::spawn(outbox.run());
    while receivers.got().len() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    task.abort();
    let got = receivers.got();
    assert_eq!((&got[0].body["event_type"], &got[1].body["event_type"]), (&json!(1), &json!(0)));
    assert_eq!(got[0].body["sequence"], got[1].body["sequence"]);
}
