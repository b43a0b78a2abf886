//! Accounts.

use thalweg_console::model::{Account, DeliveryState, Forbid, Session};
use thalweg_console::store::StoreError;

use crate::home::Home;
use crate::values::{ALL, account, delivery, end, publication, stream, token, user};

pub(crate) async fn what_was_written_is_read(home: Home) {
    let store = home.open().await;
    assert_eq!(store.accounts().await.unwrap(), []);
    assert_eq!(store.account("7").await.unwrap(), None);

    let mut seven = account("7");
    assert_eq!(store.put_account(&seven).await.unwrap(), 1);
    seven.version = 1;
    assert_eq!(store.account("7").await.unwrap(), Some(seven.clone()));

    // All that may be absent, and other domains.
    seven.category.sub = None;
    seven.callback.url = None;
    seven.callback.key = Default::default();
    seven.remote.url = None;
    seven.revoked_before = None;
    seven.revoked_streams.clear();
    seven.domains.remove(0);
    seven.domains[0].host = None;
    assert_eq!(store.put_account(&seven).await.unwrap(), 2);
    seven.version = 2;
    assert_eq!(store.account("7").await.unwrap(), Some(seven.clone()));
    assert_eq!(store.accounts().await.unwrap(), [seven]);
}

pub(crate) async fn the_default_one_is_first_and_numbers_are_in_order(home: Home) {
    let store = home.open().await;
    for bizid in ["10", "9", "100", "2"] {
        let mut account = account(bizid);
        if bizid == "10" {
            account.domains[1].host = None;
        }
        store.put_account(&account).await.unwrap();
    }
    let accounts = store.accounts().await.unwrap();
    let numbers: Vec<&str> = accounts.iter().map(|a| a.bizid.as_str()).collect();
    assert_eq!(numbers, ["10", "2", "9", "100"]);
}

pub(crate) async fn whoever_has_not_seen_a_change_does_not_undo_it(home: Home) {
    let store = home.open().await;
    let first = account("7");
    store.put_account(&first).await.unwrap();
    let named = |name: &str, version| Account { name: name.to_owned(), version, ..account("7") };
    for stale in [named("again", 0), named("from the future", 2)] {
        assert_eq!(store.put_account(&stale).await, Err(StoreError::Conflict));
    }
    assert_eq!(store.put_account(&named("second", 1)).await, Ok(2));
    assert_eq!(store.put_account(&named("stale", 1)).await, Err(StoreError::Conflict));
    let kept = store.account("7").await.unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.version), ("second", 2));
    // Nor does anybody change what is not there.
    let other = Account { version: 1, ..account("8") };
    assert_eq!(store.put_account(&other).await, Err(StoreError::Conflict));
    assert_eq!(store.account("8").await.unwrap(), None);
}

pub(crate) async fn of_twenty_changes_at_once_one_is_made(home: Home) {
    let store = home.open().await;
    store.put_account(&account("7")).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let store = store.clone();
            let change = Account { name: i.to_string(), version: 1, ..account("7") };
            tokio::spawn(async move { (i, store.put_account(&change).await) })
        })
        .collect();
    let mut made = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            (i, Ok(2)) => made.push(i),
            (_, result) => assert_eq!(result, Err(StoreError::Conflict)),
        }
    }
    let kept = store.account("7").await.unwrap().unwrap();
    assert_eq!((made.len(), kept.name), (1, made[0].to_string()));
}

pub(crate) async fn what_belongs_to_an_account_goes_with_it(home: Home) {
    let store = home.open().await;
    for bizid in ["7", "8"] {
        store.put_account(&account(bizid)).await.unwrap();
        let mut person = user(&format!("of-{bizid}"));
        person.account = Some(bizid.to_owned());
        store.put_user(&person).await.unwrap();
        let hash = [bizid.as_bytes()[0]; 32];
        let session = Session { hash, login: person.login.clone(), expires: 100 };
        store.put_session(&session, 1).await.unwrap();
        let mut of_it = token(hash[0]);
        of_it.account = Some(bizid.to_owned());
        store.add_token(&of_it).await.unwrap();
        let stream = stream(bizid, "a");
        let forbid = Forbid { stream: stream.clone(), until: 100, reason: String::new() };
        store.put_forbid(&forbid).await.unwrap();
        let begun = publication(&format!("s{bizid}"), &stream, 1000);
        store.publication_began(&begun, Some(&delivery(bizid, 1000))).await.unwrap();
        store.publication_ended(&begun.sequence, &end(2000), None).await.unwrap();
        for state in [DeliveryState::Delivered, DeliveryState::Failed] {
            let mut over = delivery(bizid, 1001);
            over.state = state;
            store.add_delivery(&over).await.unwrap();
        }
    }
    assert!(store.remove_account("7").await.unwrap());
    assert!(!store.remove_account("7").await.unwrap());

    assert_eq!(store.account("7").await.unwrap(), None);
    assert_eq!(store.user("of-7").await.unwrap(), None);
    assert_eq!(store.session(&[b'7'; 32], 1).await.unwrap(), None);
    assert_eq!(store.use_token(&[b'7'; 32], 1).await.unwrap(), None);
    assert_eq!(store.forbids(Some("7"), 1).await.unwrap(), []);
    // What was told, and what was done, stays.
    let told = store.deliveries(Some("7"), None, ALL).await.unwrap();
    assert_eq!((told.total, told.items[0].state), (1, DeliveryState::Delivered));
    assert_eq!(store.publications(Some("7"), None, 0, u64::MAX, ALL).await.unwrap().total, 1);

    assert_eq!(store.account("8").await.unwrap().unwrap().domains.len(), 2);
    assert!(store.session(&[b'8'; 32], 1).await.unwrap().is_some());
    assert!(store.use_token(&[b'8'; 32], 1).await.unwrap().is_some());
    assert_eq!(store.forbids(None, 1).await.unwrap().len(), 1);
    assert_eq!(store.deliveries(Some("8"), None, ALL).await.unwrap().total, 3);

    // Its history is nobody else's.
    assert!(store.is_retired("7").await.unwrap() && !store.is_retired("8").await.unwrap());
    assert_eq!(store.put_account(&account("7")).await, Err(StoreError::Conflict));
}

pub(crate) async fn the_first_accounts_are_all_there_or_none(home: Home) {
    let store = home.open().await;
    let twice = [account("7"), account("8"), account("7")];
    assert_eq!(store.put_first_accounts(&twice, "\"7\"").await, Err(StoreError::Conflict));
    assert_eq!(store.account_numbers().await.unwrap(), [""; 0]);
    assert_eq!(store.setting("default-account").await.unwrap(), None);
    store.put_first_accounts(&twice[..2], "\"7\"").await.unwrap();
    assert_eq!(store.accounts().await.unwrap().len(), 2);
    assert_eq!(store.setting("default-account").await.unwrap().as_deref(), Some("\"7\""));
    let late = store.put_first_accounts(&[account("9")], "\"9\"").await;
    assert_eq!(late, Err(StoreError::Conflict), "there are some");
}

pub(crate) async fn one_that_cannot_be_read_leaves_the_others_in_the_list(home: Home) {
    let store = home.open().await;
    for bizid in ["7", "8", "9"] {
        store.put_account(&account(bizid)).await.unwrap();
    }
    home.tamper("UPDATE accounts SET api_key = callback_key WHERE bizid = '8'").await;
    home.tamper("UPDATE domains SET main = backup WHERE account = '9' AND number = 1").await;
    let read = store.accounts().await.unwrap();
    assert_eq!(read.iter().map(|a| &*a.bizid).collect::<Vec<_>>(), ["7"]);
    let mut numbers = store.account_numbers().await.unwrap();
    numbers.sort();
    assert_eq!(numbers, ["7", "8", "9"]);
}

pub(crate) async fn urls_that_an_older_program_left_in_the_clear_are_encrypted(home: Home) {
    let store = home.open().await;
    let version = store.put_account(&account("7")).await.unwrap();
    // As schema 1 had them.
    home.tamper(
        "UPDATE accounts SET callback_target = NULL, remote_target = NULL,
            callback_url = 'https://old.example.com/?key=sesame-old',
            remote = '{\"url\":\"https://old.example.com/?may=sesame-may\",\"push\":true,\"play\":false,\"play_if_unreachable\":true}'",
    )
    .await;
    let store = home.open().await;
    let mut want = Account { version, ..account("7") };
    want.callback.url = Some("https://old.example.com/?key=sesame-old".to_owned());
    want.remote.url = Some("https://old.example.com/?may=sesame-may".to_owned());
    want.remote.play = false;
    assert_eq!(store.account("7").await.unwrap(), Some(want));
    if home.place.url.is_none() {
        for entry in std::fs::read_dir(&home.place.data_dir).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(7).any(|w| w == b"sesame-"));
        }
    }
}
