//! Publications, and streams that are forbidden.

use thalweg_console::model::{Forbid, Page};
use thalweg_console::store::StoreError;

use crate::home::Home;
use crate::values::{ALL, delivery, end, publication, stream};

pub(crate) async fn a_publication_and_its_delivery_are_both_there_or_neither(home: Home) {
    let store = home.open().await;
    let begun = publication("s1", &stream("7", "a"), 1000);
    store.publication_began(&begun, Some(&delivery("7", 1000))).await.unwrap();
    assert_eq!(store.open_publications().await.unwrap(), std::slice::from_ref(&begun));
    assert_eq!(store.next_deliveries().await.unwrap()[0].body, delivery("7", 1000).body);

    // The same again is refused, and so nothing is told.
    let again = store.publication_began(&begun, Some(&delivery("7", 1001))).await;
    assert_eq!(again, Err(StoreError::Conflict));
    assert_eq!(store.deliveries(None, None, ALL).await.unwrap().total, 1);

    // What began before this server did is written with its end.
    let whole = publication("s2", &stream("7", "b"), 1001);
    let whole = thalweg_console::model::Publication { end: Some(end(1002)), ..whole };
    store.publication_began(&whole, None).await.unwrap();
    assert_eq!(store.publications(None, None, 1001, 1002, ALL).await.unwrap().items, [whole]);
    assert!(store.was_published(&stream("7", "a")).await.unwrap());
    assert!(!store.was_published(&stream("8", "a")).await.unwrap());
}

pub(crate) async fn an_end_is_told_once(home: Home) {
    let store = home.open().await;
    let begun = publication("s1", &stream("7", "a"), 1000);
    store.publication_began(&begun, None).await.unwrap();
    let tell = delivery("7", 2000);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, tell) = (store.clone(), tell.clone());
            tokio::spawn(async move {
                store.publication_ended("s1", &end(2000), Some(&tell)).await.unwrap()
            })
        })
        .collect();
    let mut ended = 0;
    for task in tasks {
        ended += u32::from(task.await.unwrap());
    }
    assert_eq!(ended, 1);
    assert!(!store.publication_ended("s9", &end(2000), Some(&tell)).await.unwrap());
    assert_eq!(store.deliveries(None, None, ALL).await.unwrap().total, 1);
    assert_eq!(store.open_publications().await.unwrap(), []);
    let kept = store.publications(None, None, 0, 2000, ALL).await.unwrap();
    assert_eq!(kept.items[0].end, Some(end(2000)));
}

pub(crate) async fn lists_are_newest_first_and_have_pages(home: Home) {
    let store = home.open().await;
    let streams = [stream("7", "a"), stream("7", "b"), stream("8", "a")];
    for i in 0..30u64 {
        // Three begin at each moment.
        let which = &streams[usize::try_from(i % 3).unwrap()];
        let one = publication(&format!("s{i:02}"), which, 1000 + i / 3);
        store.publication_began(&one, None).await.unwrap();
    }
    let list = async |account, stream, from, to, page| {
        let part = store.publications(account, stream, from, to, page).await.unwrap();
        let sequences: Vec<String> = part.items.into_iter().map(|p| p.sequence).collect();
        (sequences, part.total)
    };
    let (all, total) = list(None, None, 0, u64::MAX, ALL).await;
    let mut sorted = all.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!((all.len(), total), (30, 30));
    assert_eq!(all, sorted);

    let mut pages = Vec::new();
    for offset in [0, 7, 14, 21, 28, 35] {
        let (page, total) = list(None, None, 0, u64::MAX, Page { offset, limit: 7 }).await;
        assert_eq!(total, 30);
        pages.extend(page);
    }
    assert_eq!(pages, all, "no page has what another had");

    let b = Some(&streams[1]);
    assert_eq!(list(Some("7"), None, 1001, 1003, ALL).await.0, ["s07", "s06", "s04", "s03"]);
    assert_eq!(list(None, b, 1001, 1003, ALL).await.0, ["s07", "s04"]);
    assert_eq!(list(Some("7"), b, 1001, 1003, ALL).await.1, 2);
    assert_eq!(list(Some("8"), b, 0, u64::MAX, ALL).await, (Vec::new(), 0));
    let open = store.open_publications().await.unwrap();
    assert_eq!(open.first().map(|p| p.sequence.as_str()), Some("s00"), "oldest first");
}

pub(crate) async fn streams_are_forbidden_for_a_while(home: Home) {
    let store = home.open().await;
    let forbid = |account, name, until| Forbid {
        stream: stream(account, name),
        until,
        reason: "it was said".to_owned(),
    };
    let (a, b, other) = (forbid("7", "a", 100), forbid("7", "b", 200), forbid("8", "a", 300));
    for one in [&b, &a, &other] {
        store.put_forbid(one).await.unwrap();
    }
    assert_eq!(store.forbids(None, 99).await.unwrap(), [a.clone(), b.clone(), other.clone()]);
    assert_eq!(store.forbids(None, 100).await.unwrap(), [b.clone(), other.clone()]);
    assert_eq!(store.forbids(Some("7"), 100).await.unwrap(), [b]);
    // Until for ever is until the end of time.
    store.put_forbid(&Forbid { until: u64::MAX, ..a.clone() }).await.unwrap();
    assert_eq!(store.forbids(Some("7"), u64::MAX / 4).await.unwrap().len(), 1);
    assert!(store.remove_forbid(&a.stream).await.unwrap());
    assert!(!store.remove_forbid(&a.stream).await.unwrap());
    assert_eq!(store.forbids(Some("7"), 250).await.unwrap(), []);
}

pub(crate) async fn one_that_cannot_be_decrypted_leaves_the_others_in_the_list(home: Home) {
    let store = home.open().await;
    for (sequence, began_ms) in [("s1", 1), ("s2", 2)] {
        let one = publication(sequence, &stream("7", "a"), began_ms);
        store.publication_began(&one, None).await.unwrap();
    }
    home.tamper(
        "UPDATE publications SET params = (SELECT params FROM publications WHERE sequence = 's2')
            WHERE sequence = 's1'",
    )
    .await;
    let open = store.open_publications().await.unwrap();
    let params: Vec<_> = open.iter().map(|p| (p.sequence.as_str(), p.params.is_some())).collect();
    assert_eq!(params, [("s1", false), ("s2", true)]);
    assert!(store.publication_ended("s1", &end(9), None).await.unwrap(), "it ends all the same");
    assert_eq!(store.publications(None, None, 0, 9, ALL).await.unwrap().total, 2);
}
