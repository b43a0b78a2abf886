//! Deliveries.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thalweg_console::clock::SystemClock;
use thalweg_console::health::Health;
use thalweg_console::hooks::outbox::Outbox;
use thalweg_console::hooks::post::{Message, Post, Undelivered};
use thalweg_console::model::{Delivery, DeliveryState, Page, Secret};

use crate::home::Home;
use crate::values::{ALL, account, delivery};

pub(crate) async fn each_account_waits_for_its_oldest(home: Home) {
    let store = home.open().await;
    assert_eq!(store.next_deliveries().await.unwrap(), []);
    assert_eq!(store.waiting_deliveries().await.unwrap(), (0, None));
    for (account, made_ms) in [("7", 1), ("8", 2), ("7", 3), ("8", 4)] {
        store.add_delivery(&delivery(account, made_ms)).await.unwrap();
    }
    assert_eq!(store.waiting_deliveries().await.unwrap(), (4, Some(1)));
    let next = store.next_deliveries().await.unwrap();
    let made: Vec<u64> = next.iter().map(|d| d.made_ms).collect();
    assert_eq!(made, [1, 2]);

    // One that failed for now is tried later, and what came after it waits.
    let later = Delivery { tries: 1, due_ms: 9000, outcome: "500".to_owned(), ..next[0].clone() };
    store.put_outcome(&later).await.unwrap();
    let delivered = Delivery { state: DeliveryState::Delivered, tries: 1, ..next[1].clone() };
    store.put_outcome(&delivered).await.unwrap();
    let next = store.next_deliveries().await.unwrap();
    assert_eq!(next[0], later);
    assert_eq!((next.len(), next[1].made_ms), (2, 4));
    assert_eq!(store.waiting_deliveries().await.unwrap(), (3, Some(1)));
    assert_eq!(store.delivery(delivered.id).await.unwrap(), Some(delivered));
    assert_eq!(store.delivery(99).await.unwrap(), None);
    // What is gone has no outcome.
    store.put_outcome(&Delivery { id: 99, ..later }).await.unwrap();
    assert_eq!(store.delivery(99).await.unwrap(), None);
}

pub(crate) async fn a_line_has_an_end(home: Home) {
    let store = home.open().await;
    store.add_delivery(&delivery("8", 0)).await.unwrap();
    for made_ms in 0..5002 {
        store.add_delivery(&delivery("7", made_ms)).await.unwrap();
    }
    let given_up = store.deliveries(None, Some(DeliveryState::Failed), ALL).await.unwrap();
    let made: Vec<u64> = given_up.items.iter().map(|d| d.made_ms).collect();
    assert_eq!(made, [1, 0], "those at the head of a line that is too long");
    assert!(given_up.items.iter().all(|d| d.account == "7" && d.outcome.contains("too many")));
    let next = store.next_deliveries().await.unwrap();
    assert_eq!(next.iter().map(|d| d.made_ms).collect::<Vec<_>>(), [0, 2]);
}

pub(crate) async fn lists_are_of_an_account_and_a_state(home: Home) {
    let store = home.open().await;
    let states = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed];
    for i in 0..12usize {
        let account = ["7", "8"][i % 2];
        let one = Delivery { state: states[i % 3], ..delivery(account, i as u64) };
        assert_eq!(store.add_delivery(&one).await.unwrap(), i as u64 + 1);
    }
    let list = async |account, state, page| {
        let part = store.deliveries(account, state, page).await.unwrap();
        (part.items.iter().map(|d| d.id).collect::<Vec<_>>(), part.total)
    };
    assert_eq!(list(None, None, ALL).await, ((1..=12).rev().collect(), 12));
    assert_eq!(list(Some("7"), None, ALL).await.0, [11, 9, 7, 5, 3, 1]);
    assert_eq!(list(None, Some(DeliveryState::Failed), ALL).await.0, [12, 9, 6, 3]);
    assert_eq!(list(Some("7"), Some(DeliveryState::Failed), ALL).await.0, [9, 3]);
    assert_eq!(list(Some("7"), None, Page { offset: 4, limit: 1 }).await, (vec![3], 6));
    assert_eq!(list(Some("9"), None, ALL).await, (Vec::new(), 0));
}

pub(crate) async fn numbers_are_in_order_however_many_write(home: Home) {
    let store = home.open().await;
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { store.add_delivery(&delivery("7", i)).await.unwrap() })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        ids.push(task.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
}

pub(crate) async fn one_that_cannot_be_decrypted_is_given_up_and_the_others_go_on(home: Home) {
    let store = home.open().await;
    for (bizid, made_ms) in [("7", 1), ("7", 2), ("8", 3)] {
        let _ = store.put_account(&account(bizid)).await;
        let body = Some(Secret::new("{}"));
        store.add_delivery(&Delivery { body, ..delivery(bizid, made_ms) }).await.unwrap();
    }
    // As a row of another's would be, that somebody has moved here.
    home.tamper(
        "UPDATE deliveries SET body = (SELECT body FROM deliveries WHERE id = 3) WHERE id = 1",
    )
    .await;
    let next = store.next_deliveries().await.unwrap();
    assert_eq!(
        next.iter().map(|d| (d.id, d.body.is_some())).collect::<Vec<_>>(),
        [(1, false), (3, true)]
    );
    assert_eq!(store.deliveries(None, None, ALL).await.unwrap().total, 3);

    let outbox =
        Outbox::new(store.clone(), Arc::new(Takes), Arc::new(SystemClock), Health::default());
    let task = tokio::spawn(outbox.run());
    while !store.next_deliveries().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    task.abort();
    let all = store.deliveries(None, None, ALL).await.unwrap().items;
    let states: Vec<_> = all.iter().map(|d| (d.id, d.state)).collect();
    let (delivered, failed) = (DeliveryState::Delivered, DeliveryState::Failed);
    assert_eq!(states, [(3, delivered), (2, delivered), (1, failed)]);
    assert!(all[2].outcome.contains("its row in the store is damaged"), "{}", all[2].outcome);
}

/// A back end that is told everything.
#[derive(Debug)]
struct Takes;

#[async_trait]
impl Post for Takes {
    async fn post(&self, _: &Message) -> Result<u16, Undelivered> {
        Ok(200)
    }
}
