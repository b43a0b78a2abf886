//! Audit, settings, what is forgotten, and what is not.

use std::time::Duration;

use thalweg_console::model::{Audit, Delivery, DeliveryState, Page, Publication};
use thalweg_console::store::{self, Place, Prune};

use crate::home::Home;
use crate::values::{
    ALL, account, audit, delivery, end, minute, publication, secret, stream, token, user,
};

pub(crate) async fn audit_rows_are_newest_first(home: Home) {
    let store = home.open().await;
    for (at, account) in [(1, Some("7")), (2, None), (2, Some("8")), (3, Some("7"))] {
        store.add_audit(&audit(at, account)).await.unwrap();
    }
    let ids = async |account, page| {
        let part = store.audits(account, page).await.unwrap();
        (part.items.iter().map(|a| a.id).collect::<Vec<_>>(), part.total)
    };
    assert_eq!(ids(None, ALL).await, (vec![4, 3, 2, 1], 4));
    assert_eq!(ids(Some("7"), ALL).await, (vec![4, 1], 2));
    assert_eq!(ids(None, Page { offset: 1, limit: 2 }).await, (vec![3, 2], 4));
    let newest = store.audits(None, ALL).await.unwrap().items.remove(0);
    assert_eq!(newest, Audit { id: 4, ..audit(3, Some("7")) });
}

pub(crate) async fn settings_are_kept(home: Home) {
    let store = home.open().await;
    assert_eq!(store.setting("gate").await.unwrap(), None);
    for json in ["{\"a\": 1}", "[]"] {
        store.put_setting("gate", json).await.unwrap();
        assert_eq!(store.setting("gate").await.unwrap().as_deref(), Some(json));
    }
}

pub(crate) async fn what_is_old_is_forgotten(home: Home) {
    let store = home.open().await;
    let a = stream("7", "a");
    for (i, at) in [(1u64, 60), (2, 120)] {
        store.add_minutes(&[minute(&a, at, 1)]).await.unwrap();
        store.mark_gap(at, at + 60).await.unwrap();
        let ended =
            Publication { end: Some(end(at * 1000)), ..publication(&format!("ended-{i}"), &a, 1) };
        store.publication_began(&ended, None).await.unwrap();
        store.publication_began(&publication(&format!("open-{i}"), &a, 1), None).await.unwrap();
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed] {
            let one = Delivery { state, ..delivery("7", at * 1000) };
            store.add_delivery(&one).await.unwrap();
        }
        store.add_audit(&audit(at, None)).await.unwrap();
    }
    let before = Prune { minutes: 120, publications: 120, deliveries: 120, audits: 120 };
    store.prune(before).await.unwrap();
    store.prune(before).await.unwrap();
    for (account, stream) in [(None, Some(&a)), (Some("7"), None), (None, None)] {
        let points = store.points(account, stream, 0, 600, 60).await.unwrap();
        assert_eq!(points.iter().map(|p| (p.at, p.gap)).collect::<Vec<_>>(), [(120, true)]);
    }
    let kept = store.publications(None, None, 0, 10, ALL).await.unwrap();
    let kept: Vec<&str> = kept.items.iter().map(|p| p.sequence.as_str()).collect();
    assert_eq!(kept, ["open-2", "open-1", "ended-2"]);
    let kept = store.deliveries(None, None, ALL).await.unwrap();
    assert_eq!(kept.items.iter().map(|d| d.id).collect::<Vec<_>>(), [6, 5, 4, 1]);
    assert_eq!(store.audits(None, ALL).await.unwrap().total, 1);
}

/// More than is forgotten at one time, many of one moment among them.
pub(crate) async fn much_that_is_old_is_forgotten_to_the_last_row(home: Home) {
    let store = home.open().await;
    home.tamper(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7000)
         INSERT INTO audits (id, at, who, peer, account, what, detail)
         SELECT i, CASE WHEN i < 3000 THEN 5 ELSE i END, 'w', '', NULL, 'x', '' FROM n",
    )
    .await;
    let before = Prune { minutes: 0, publications: 0, deliveries: 0, audits: 6500 };
    store.prune(before).await.unwrap();
    let left = store.audits(None, ALL).await.unwrap();
    assert_eq!((left.total, left.items[0].at), (501, 7000));
}

pub(crate) async fn whoever_opens_it_again_finds_all(home: Home) {
    let store = home.open().await;
    store.put_account(&account("7")).await.unwrap();
    store.put_user(&user("anna")).await.unwrap();
    store.add_token(&token(1)).await.unwrap();
    let begun = publication("s1", &stream("7", "a"), 1000);
    store.publication_began(&begun, Some(&delivery("7", 1000))).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(store.account("7").await.unwrap().unwrap().domains, account("7").domains);
    assert_eq!(store.users().await.unwrap(), [user("anna")]);
    assert_eq!(store.open_publications().await.unwrap(), [begun]);
    assert_eq!(store.next_deliveries().await.unwrap()[0].body, Some(secret("body", "7")));
    assert_eq!(store.add_token(&token(2)).await, Ok(2), "numbers go on");
}

pub(crate) async fn strange_text_comes_back(home: Home) {
    let store = home.open().await;
    let names = ["'; DROP TABLE users; --", "%_\\", "流", "\u{1}\u{fffd}", "a\nb", ""];
    for (i, name) in names.into_iter().enumerate() {
        let stream = stream("7", name);
        let mut one = publication(&format!("s{i}"), &stream, 1);
        one.agent = name.to_owned();
        store.publication_began(&one, None).await.unwrap();
        assert_eq!(store.publications(None, Some(&stream), 0, 2, ALL).await.unwrap().items, [one]);
    }
    // An encoder may call itself anything; a zero is the one thing that databases do not agree on.
    let mut one = publication("zero", &stream("7", "z"), 1);
    one.agent = "a\0b".to_owned();
    store.publication_began(&one, None).await.unwrap();
    let kept = store.publications(None, Some(&one.stream), 0, 2, ALL).await.unwrap();
    assert_eq!(kept.items[0].agent, "a\u{fffd}b");
}

pub(crate) async fn a_store_is_for_one_server_at_a_time(home: Home) {
    let first = store::claim(&home.place).await.unwrap();
    let second = store::claim(&home.place).await.unwrap_err();
    assert!(second.to_string().contains("another server is running on it"), "{second}");
    // Its folder is one server's too, whatever the database.
    let beside = Place { url: None, ..home.place.clone() };
    assert!(store::claim(&beside).await.is_err());
    // Whoever only looks need not.
    home.open().await.accounts().await.unwrap();
    drop(first);
    // A database notices soon that nobody is there any more.
    while store::claim(&home.place).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
