//! What is counted for whoever watches the server.

use std::future::pending;
use std::time::Duration;

use serde_json::json;
use thalweg_access::Action;
use thalweg_console::model::{Delivery, DeliveryState};
use thalweg_console::remote::Question;
use thalweg_testkit::manual::assert_knows_metrics;

use crate::home::{Home, delivery, now};

#[tokio::test]
async fn callbacks_and_questions_are_counted_by_what_came_of_them() {
    let mut home = Home::new("metrics").await;
    let url = "http://203.0.113.9/told";
    let remote = json!({ "url": url, "play": true });
    let change = json!({ "callback": { "url": url }, "remote": remote });
    home.admin().await.patch("/api/v1/accounts/1", change).await.is(200);
    home.remote.set_accounts(home.store.accounts().await.unwrap().iter());
    let question = |stream: &str| Question {
        action: Action::Play,
        account: "1".into(),
        app: "live".into(),
        stream: stream.into(),
        query: "".into(),
        peer: "192.0.2.7".parse().unwrap(),
        protocol: "rtmp",
    };
    for stream in ["a", "b", "a"] {
        home.remote.ask(&question(stream)).await.unwrap();
    }
    // One that is good, and one whose account is gone.
    for account in ["1", "2"] {
        let (state, made_ms) = (DeliveryState::Pending, (now() - 100) * 1000);
        let one = Delivery { state, made_ms, tries: 0, ..delivery(account) };
        home.store.add_delivery(&one).await.unwrap();
    }
    let text = home.console.metrics().await;
    let lines = [
        "thalweg_store_failing{part=\"statistics\"} 0",
        "thalweg_callbacks_waiting 2",
        "thalweg_callbacks_total{outcome=\"delivered\"} 0",
        "thalweg_remote_total{action=\"play\",outcome=\"allowed\"} 2",
        "thalweg_remote_total{action=\"play\",outcome=\"known\"} 1",
        "thalweg_remote_total{action=\"push\",outcome=\"refused\"} 0",
        "thalweg_remote_seconds_bucket{le=\"+Inf\"} 2",
        "thalweg_remote_seconds_count 2",
    ];
    for line in lines {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let oldest = text.lines().find_map(|l| l.strip_prefix("thalweg_callbacks_oldest_seconds "));
    assert!((100..200).contains(&oldest.unwrap().parse::<u64>().unwrap()), "{text}");

    let task = tokio::spawn(home.tasks.take().unwrap().run(pending()));
    let told =
        ["thalweg_callbacks_waiting 0", "{outcome=\"delivered\"} 1", "{outcome=\"given-up\"} 1"];
    loop {
        let text = home.console.metrics().await;
        if told.iter().all(|line| text.contains(line)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    task.abort();
}

#[tokio::test]
async fn the_manual_knows_every_metric_of_the_console() {
    let home = Home::new("metrics-manual").await;
    let metrics = home.console.metrics().await;
    let manual = include_str!("../../../../docs/ref/metrics.md");
    let (_, manual) = manual.split_once("Of the [console]").unwrap();
    assert_knows_metrics(manual, &metrics);
}
