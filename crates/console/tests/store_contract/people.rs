//! Users, sessions and tokens.

use thalweg_console::model::{Role, Session, Token, User};
use thalweg_console::store::StoreError;

use crate::home::Home;
use crate::values::{secret, token, user};

pub(crate) async fn users_are_written_changed_and_removed(home: Home) {
    let store = home.open().await;
    for login in ["zoe", "anna", "Émile"] {
        store.put_user(&user(login)).await.unwrap();
    }
    let changed = User {
        password_hash: secret("another", "anna"),
        role: Role::Admin,
        account: None,
        last_login: None,
        ..user("anna")
    };
    store.put_user(&changed).await.unwrap();
    let all = store.users().await.unwrap();
    assert_eq!(all, [changed.clone(), user("zoe"), user("Émile")], "by the bytes of the login");
    assert_eq!(store.user("anna").await.unwrap(), Some(changed));
    assert_eq!(store.user("ANNA").await.unwrap(), None);
    assert!(store.remove_user("zoe").await.unwrap());
    assert!(!store.remove_user("zoe").await.unwrap());
    assert_eq!(store.users().await.unwrap().len(), 2);
}

pub(crate) async fn of_twenty_first_users_one_is_made(home: Home) {
    // As two servers on one database would.
    let stores = [home.open().await, home.open().await];
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let store = stores[i % 2].clone();
            tokio::spawn(async move { store.put_first_user(&user(&format!("u{i}"))).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => made += 1,
            Err(error) => assert_eq!(error, StoreError::Conflict),
        }
    }
    let [store, _] = stores;
    let users = store.users().await.unwrap();
    assert_eq!((made, users.len()), (1, 1));
    // When nobody is left, somebody is the first again.
    store.remove_user(&users[0].login).await.unwrap();
    assert_eq!(store.put_first_user(&user("again")).await, Ok(()));
}

pub(crate) async fn sessions_end(home: Home) {
    let store = home.open().await;
    let session =
        |hash, login: &str, expires| Session { hash: [hash; 32], login: login.into(), expires };
    for login in ["anna", "zoe"] {
        store.put_user(&user(login)).await.unwrap();
    }
    let nobodys = session(9, "nobody", 100);
    assert_eq!(store.put_session(&nobodys, 1).await, Err(StoreError::Conflict));

    let first = session(1, "anna", 100);
    store.put_session(&first, 1).await.unwrap();
    let found = store.session(&[1; 32], 99).await.unwrap();
    assert_eq!(found, Some((first, user("anna"))));
    assert_eq!(store.session(&[1; 32], 100).await.unwrap(), None, "it has expired");
    assert_eq!(store.session(&[2; 32], 1).await.unwrap(), None);

    for (hash, login) in [(2, "anna"), (3, "anna"), (4, "zoe")] {
        store.put_session(&session(hash, login, 300), 101).await.unwrap();
    }
    assert_eq!(store.session(&[1; 32], 1).await.unwrap(), None, "it was forgotten");
    store.remove_other_sessions("anna", &[3; 32]).await.unwrap();
    let is_there = async |hash: u8| store.session(&[hash; 32], 101).await.unwrap().is_some();
    assert!(!is_there(2).await && is_there(3).await && is_there(4).await);
    store.remove_session(&[3; 32]).await.unwrap();
    assert!(!is_there(3).await);
    store.remove_user("zoe").await.unwrap();
    assert!(!is_there(4).await, "it goes with its user");
}

pub(crate) async fn tokens_are_found_by_their_hash(home: Home) {
    let store = home.open().await;
    let for_ever = Token { expires: None, account: None, role: Role::Admin, ..token(2) };
    assert_eq!(store.add_token(&token(1)).await, Ok(1));
    assert_eq!(store.add_token(&for_ever).await, Ok(2));
    assert_eq!(store.add_token(&token(1)).await, Err(StoreError::Conflict), "it is there");

    let used = store.use_token(&[1; 32], 125).await.unwrap();
    assert_eq!(used, Some(Token { id: 1, last_used: Some(120), ..token(1) }));
    assert_eq!(store.use_token(&[1; 32], 1000).await.unwrap(), None, "it has expired");
    assert_eq!(store.use_token(&[3; 32], 125).await.unwrap(), None);
    let late = store.use_token(&[2; 32], u64::MAX / 4).await.unwrap().unwrap();
    assert_eq!(late.id, 2);

    let all = store.tokens().await.unwrap();
    assert_eq!(all.iter().map(|t| (t.id, t.last_used)).next(), Some((1, Some(120))));
    assert!(store.remove_token(2).await.unwrap());
    assert!(!store.remove_token(2).await.unwrap());
    assert_eq!(store.add_token(&for_ever).await, Ok(3), "no number comes back");
}
