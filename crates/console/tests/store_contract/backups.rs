//! Backup and restore, as somebody would who lost a machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use thalweg_console::model::{DeliveryState, Forbid, Secret, Session};
use thalweg_console::store::{self, BackupError, Store};

use crate::home::Home;
use crate::values::{ALL, account, audit, delivery, end, minute, publication, stream, token, user};

pub(crate) async fn a_backup_brings_everything_back(home: Home) {
    let store = home.open().await;
    fill(&*store).await;
    let before = everything(&*store).await;
    let file = file_of(&home);
    let made = store::backup(&home.place, &file, true).await.unwrap();
    assert!(made.has_key && made.rows > 20);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // The machine is lost: another folder, another database.
    let elsewhere = home.twin("twin").await;
    let restored = store::restore(&elsewhere.place, &file, false).await.unwrap();
    assert_eq!((restored.rows, restored.made), (made.rows, made.made));
    let store = elsewhere.open().await;
    assert_eq!(everything(&*store).await, before);
    // Numbers go on where they were.
    let next = store.add_delivery(&delivery("7", 9000)).await.unwrap();
    assert_eq!(next, 4);
    assert_eq!(store.add_token(&token(9)).await.unwrap(), 2);
}

pub(crate) async fn a_new_key_encrypts_everything_and_the_old_one_nothing(home: Home) {
    let store = home.open().await;
    fill(&*store).await;
    // More than are read at a time.
    for made_ms in 0..250 {
        store.add_delivery(&delivery("8", made_ms)).await.unwrap();
    }
    let before = everything(&*store).await;
    let (key, kept) = (home.place.key_file(), home.place.key_file().with_extension("key.old"));
    let old = fs::read(&key).unwrap();
    let server = store::claim(&home.place).await.unwrap();
    let refused = store::rekey(&home.place).await.unwrap_err();
    assert!(refused.to_string().contains("another server is running"), "{refused}");
    drop(server);
    let done = loop {
        // A database notices soon that nobody is there any more.
        if let Ok(done) = store::rekey(&home.place).await {
            break done;
        }
    };
    let secrets = before.last().unwrap().lines().count() as u64;
    assert_eq!(done.secrets, secrets);
    assert_eq!(done.old_key, kept);
    assert_ne!(fs::read(&key).unwrap(), old);
    assert_eq!(fs::read(&kept).unwrap(), old);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(everything(&*home.open().await).await, before);
    fs::rename(&kept, &key).unwrap();
    let refused = store::open(&home.place).await.unwrap_err();
    assert!(refused.to_string().contains("is not the key"), "{refused}");
}

pub(crate) async fn what_is_there_is_not_overwritten_unasked(home: Home) {
    let store = home.open().await;
    fill(&*store).await;
    let before = everything(&*store).await;
    let file = file_of(&home);
    store::backup(&home.place, &file, false).await.unwrap();
    let again = store::backup(&home.place, &file, false).await.unwrap_err();
    assert!(again.to_string().contains("is there already"), "{again}");

    store.put_user(&user("newcomer")).await.unwrap();
    let refused = store::restore(&home.place, &file, false).await.unwrap_err();
    assert!(refused.to_string().contains("--replace"), "{refused}");
    assert!(store.user("newcomer").await.unwrap().is_some());

    store::restore(&home.place, &file, true).await.unwrap();
    assert_eq!(everything(&*store).await, before);
    assert_eq!(store.user("newcomer").await.unwrap(), None);

    // Without its key it is of no use elsewhere, and that is said before anything is done.
    let elsewhere = home.twin("keyless").await;
    let refused = store::restore(&elsewhere.place, &file, false).await.unwrap_err();
    assert!(refused.to_string().contains("store.key is missing"), "{refused}");
    elsewhere.open().await;
    let refused = store::restore(&elsewhere.place, &file, false).await.unwrap_err();
    assert!(refused.to_string().contains("is not the key of this backup"), "{refused}");
    fs::copy(home.place.key_file(), elsewhere.place.key_file()).unwrap();
    store::restore(&elsewhere.place, &file, false).await.unwrap();
    assert_eq!(everything(&*elsewhere.open().await).await, before);
}

pub(crate) async fn a_key_that_was_there_is_kept(home: Home) {
    let store = home.open().await;
    fill(&*store).await;
    let file = file_of(&home);
    store::backup(&home.place, &file, true).await.unwrap();
    let key = fs::read(home.place.key_file()).unwrap();
    let elsewhere = home.twin("otherkey").await;
    elsewhere.open().await;
    let (there, old) = (elsewhere.place.key_file(), "store.key.old");
    let first = fs::read(&there).unwrap();

    // What cannot be kept is not replaced either: here a folder has its name, and so has each other.
    let names = |n: u32| match n {
        1 => elsewhere.place.data_dir.join(old),
        n => elsewhere.place.data_dir.join(format!("{old}.{n}")),
    };
    for n in 1..1000 {
        fs::create_dir(names(n)).unwrap();
    }
    assert!(store::restore(&elsewhere.place, &file, true).await.is_err());
    assert_eq!(fs::read(&there).unwrap(), first);
    for n in 1..1000 {
        fs::remove_dir(names(n)).unwrap();
    }

    fs::write(names(1), b"an older one").unwrap();
    store::restore(&elsewhere.place, &file, true).await.unwrap();
    assert_eq!(fs::read(&there).unwrap(), key);
    assert_eq!(fs::read(names(1)).unwrap(), b"an older one");
    assert_eq!(fs::read(names(2)).unwrap(), first);
}

pub(crate) async fn a_backup_that_was_changed_or_cut_restores_nothing(home: Home) {
    let store = home.open().await;
    fill(&*store).await;
    let file = file_of(&home);
    store::backup(&home.place, &file, true).await.unwrap();
    let whole = fs::read(&file).unwrap();
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    let without_a_row = [&lines[..5], &lines[6..]].concat().concat();
    let without_an_end = lines[..lines.len() - 1].concat();
    let changed = String::from_utf8(whole.clone()).unwrap().replace("user:anna", "user:anne");
    let newer =
        String::from_utf8(whole.clone()).unwrap().replacen("\"schema\":", "\"schema\":9", 1);
    let elsewhere = home.twin("damaged").await;
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("another's", b"{\"a\": 1}\n".to_vec()),
        ("cut in a line", whole[..whole.len() - 7].to_vec()),
        ("without an end", without_an_end),
        ("without a row", without_a_row),
        ("changed", changed.into_bytes()),
        ("of the future", newer.into_bytes()),
        ("one more line", [&whole[..], b"{}\n"].concat()),
    ] {
        let bad = home.folder.path().join("bad");
        fs::write(&bad, bytes).unwrap();
        let error = store::restore(&elsewhere.place, &bad, true).await.expect_err(what);
        let is_told = matches!(error, BackupError::NoBackup { .. } | BackupError::Refused { .. });
        assert!(is_told, "{what}: {error}");
    }
    assert!(!elsewhere.place.key_file().exists());
    assert_eq!(elsewhere.open().await.users().await.unwrap(), []);
}

pub(crate) async fn a_backup_moves_from_one_database_to_the_other_and_back(postgres: Home) {
    let sqlite = Home::sqlite("here");
    let store = sqlite.open().await;
    fill(&*store).await;
    let before = everything(&*store).await;
    let file = file_of(&sqlite);
    store::backup(&sqlite.place, &file, true).await.unwrap();
    store::restore(&postgres.place, &file, false).await.unwrap();
    assert_eq!(everything(&*postgres.open().await).await, before);

    let file = file_of(&postgres);
    store::backup(&postgres.place, &file, true).await.unwrap();
    let back = sqlite.twin("back").await;
    store::restore(&back.place, &file, false).await.unwrap();
    assert_eq!(everything(&*back.open().await).await, before);
}

pub(crate) async fn a_backup_is_of_one_moment_while_others_write(home: Home) {
    let store = home.open().await;
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for i in 0.. {
            let stream = stream("7", &i.to_string());
            let one = publication(&format!("s{i}"), &stream, i);
            writer.publication_began(&one, Some(&delivery("7", i))).await.unwrap();
        }
    });
    for i in 0..4 {
        let file = home.folder.path().join(format!("backup-{i}"));
        store::backup(&home.place, &file, true).await.unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let of = |table: &str| text.matches(&format!("\"table\":\"{table}\"")).count();
        assert_eq!(of("publications"), of("deliveries"), "each has its delivery");
        let counter = format!("{{\"name\":\"delivery\",\"value\":{}}}", of("deliveries"));
        assert!(text.contains(&counter), "{counter}");
    }
    writing.abort();
}

fn file_of(home: &Home) -> PathBuf {
    home.folder.path().join("backup")
}

/// Something in every table.
async fn fill(store: &dyn Store) {
    for bizid in ["7", "8"] {
        store.put_account(&account(bizid)).await.unwrap();
    }
    store.put_user(&user("anna")).await.unwrap();
    let session = Session { hash: [1; 32], login: "anna".to_owned(), expires: 100 };
    store.put_session(&session, 1).await.unwrap();
    store.add_token(&token(1)).await.unwrap();
    let a = stream("7", "流 \"a\"");
    let forbid = Forbid { stream: a.clone(), until: 100, reason: "so".to_owned() };
    store.put_forbid(&forbid).await.unwrap();
    for (sequence, began_ms) in [("s1", 1000), ("s2", 2000)] {
        let begun = publication(sequence, &a, began_ms);
        store.publication_began(&begun, Some(&delivery("7", began_ms))).await.unwrap();
    }
    store.publication_ended("s1", &end(1500), Some(&delivery("7", 1500))).await.unwrap();
    store.add_minutes(&[minute(&a, 60, 1), minute(&stream("8", "b"), 60, 2)]).await.unwrap();
    store.mark_gap(120, 180).await.unwrap();
    store.add_audit(&audit(1, Some("7"))).await.unwrap();
    store.add_audit(&audit(2, None)).await.unwrap();
    store.put_setting("gate", "{\"on\": true}").await.unwrap();
}

/// All that can be seen in a store, as text; and every secret.
async fn everything(store: &dyn Store) -> Vec<String> {
    let accounts = store.accounts().await.unwrap();
    let mut secrets = Vec::new();
    for account in &accounts {
        secrets.extend([account.api_key.clone(), account.callback.key.clone()]);
        let urls = [&account.callback.url, &account.remote.url];
        secrets.extend(urls.into_iter().flatten().map(Secret::new));
        secrets.extend(account.domains.iter().map(|d| d.main.clone()));
        secrets.extend(account.domains.iter().filter_map(|d| d.backup.clone()));
    }
    let users = store.users().await.unwrap();
    secrets.extend(users.iter().map(|u| u.password_hash.clone()));
    let publications = store.publications(None, None, 0, u64::MAX, ALL).await.unwrap();
    secrets.extend(publications.items.iter().filter_map(|p| p.params.clone()));
    let deliveries = store.deliveries(None, None, ALL).await.unwrap();
    secrets.extend(deliveries.items.iter().filter_map(|d| d.body.clone()));
    assert!(deliveries.items.iter().all(|d| d.state == DeliveryState::Pending));
    vec![
        format!("{accounts:?}"),
        format!("{users:?}"),
        format!("{:?}", store.session(&[1; 32], 1).await.unwrap()),
        format!("{:?}", store.tokens().await.unwrap()),
        format!("{:?}", store.forbids(None, 1).await.unwrap()),
        format!("{publications:?}"),
        format!("{deliveries:?}"),
        format!("{:?}", store.points(None, None, 0, 600, 60).await.unwrap()),
        format!("{:?}", store.points(Some("7"), None, 0, 600, 60).await.unwrap()),
        format!("{:?}", store.audits(None, ALL).await.unwrap()),
        format!("{:?}", store.setting("gate").await.unwrap()),
        secrets.iter().map(|s| s.reveal().to_owned()).collect::<Vec<_>>().join("\n"),
    ]
}
