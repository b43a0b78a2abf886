//! Deliveries.

use thalweg_console::model::{Delivery, DeliveryState, Page};

use crate::home::Home;
use crate::values::{ALL, delivery};

pub(crate) async fn each_account_waits_for_its_oldest(home: Home) {
    let store = home.open().await;
    assert_eq!(store.next_deliveries().await.unwrap(), []);
    for (account, made_ms) in [("7", 1), ("8", 2), ("7", 3), ("8", 4)] {
        store.add_delivery(&delivery(account, made_ms)).await.unwrap();
    }
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
    assert_eq!(store.delivery(delivered.id).await.unwrap(), Some(delivered));
    assert_eq!(store.delivery(99).await.unwrap(), None);
    // What is gone has no outcome.
    store.put_outcome(&Delivery { id: 99, ..later }).await.unwrap();
    assert_eq!(store.delivery(99).await.unwrap(), None);
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
