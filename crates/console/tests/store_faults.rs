//! A store when things go wrong: killed, locked, full, tampered with, or with another key.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "store_contract/values.rs"]
#[allow(dead_code, reason = "the contract has more of them")]
mod values;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use thalweg_console::store::{self, Place, StoreError};
use thalweg_testkit::folder::Folder;
use values::{ALL, account, delivery, publication, stream, user};

#[tokio::test]
async fn no_secret_is_in_the_files_and_nobody_else_reads_them() {
    let folder = Folder::new("faults-secrets");
    let place = Place::folder(folder.path().join("data"));
    let store = store::open(&place).await.unwrap();
    store.put_account(&account("7")).await.unwrap();
    store.put_user(&user("anna")).await.unwrap();
    let begun = publication("s1", &stream("7", "a"), 1);
    store.publication_began(&begun, Some(&delivery("7", 1))).await.unwrap();
    store::backup(&place, &folder.path().join("data/backup"), true).await.unwrap();

    let mut seen = 0;
    for entry in fs::read_dir(&place.data_dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        // Every secret of the values begins so.
        assert!(!contains(&bytes, b"sesame-"), "{} has a secret", path.display());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        seen += usize::from(contains(&bytes, b"push.example.com"));
    }
    assert!(seen >= 2, "the database, or its journal, and the backup are among them");
    let mode = fs::metadata(&place.data_dir).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    assert!(!format!("{store:?} {place:?}").contains("sesame"));
    let place = Place { url: Some("postgres://u:sesame-7@h/d".to_owned()), ..place };
    assert!(!format!("{place:?}").contains("sesame"));
}

#[tokio::test]
async fn another_key_file_or_none_is_told_in_words() {
    let folder = Folder::new("faults-key");
    let place = Place::folder(folder.path());
    let store = store::open(&place).await.unwrap();
    store.put_account(&account("7")).await.unwrap();
    drop(store);
    let key = fs::read(place.key_file()).unwrap();

    for (bytes, words) in [
        (Some(vec![7; 32]), "is not the key that this database was written with"),
        (Some(vec![7; 31]), "is no key: a key has 32 bytes"),
        (None, "store.key is missing"),
    ] {
        fs::remove_file(place.key_file()).unwrap();
        if let Some(bytes) = &bytes {
            fs::write(place.key_file(), bytes).unwrap();
        }
        let error = store::open(&place).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(text) if text.contains(words)), "{error}");
        assert_eq!(place.key_file().exists(), bytes.is_some(), "none is made for it");
        fs::write(place.key_file(), &key).unwrap();
    }
    assert!(store::open(&place).await.unwrap().account("7").await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_moved_from_row_to_row_is_damage() {
    let folder = Folder::new("faults-swap");
    let place = Place::folder(folder.path());
    let store = store::open(&place).await.unwrap();
    for bizid in ["7", "8"] {
        store.put_account(&account(bizid)).await.unwrap();
    }
    let mut database = connect(folder.path()).await;
    let swap = "UPDATE accounts SET api_key = (SELECT api_key FROM accounts WHERE bizid = '7')
        WHERE bizid = '8'";
    sqlx::raw_sql(swap).execute(&mut database).await.unwrap();
    assert!(store.account("7").await.unwrap().is_some());
    let error = store.account("8").await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    assert!(error.to_string().contains("accounts.api_key of 8"), "{error}");
}

#[tokio::test]
async fn a_newer_database_and_a_broken_one_are_told_in_words() {
    let folder = Folder::new("faults-newer");
    let place = Place::folder(folder.path());
    store::open(&place).await.unwrap();
    let mut database = connect(folder.path()).await;
    sqlx::raw_sql("INSERT INTO migrations VALUES (99, 0)").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let error = store::open(&place).await.unwrap_err().to_string();
    assert!(error.contains("made by a newer thalweg (its schema is 99"), "{error}");

    let folder = Folder::new("faults-broken");
    fs::write(folder.path().join("thalweg.db"), [7; 8192]).unwrap();
    let error = store::open(&Place::folder(folder.path())).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    let place = Place { url: Some("mysql://h/d".to_owned()), ..place };
    let error = store::open(&place).await.unwrap_err().to_string();
    assert!(error.contains("begins with postgres://"), "{error}");
}

#[tokio::test]
async fn who_finds_it_locked_is_told_so_soon() {
    let folder = Folder::new("faults-locked");
    let store = store::open(&Place::folder(folder.path())).await.unwrap();
    let mut other = connect(folder.path()).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let began = Instant::now();
    let error = store.put_user(&user("anna")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(store.users().await.unwrap(), [], "whoever reads does not wait");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.put_user(&user("anna")).await.unwrap();
}

#[tokio::test]
async fn nobody_answers_at_a_databases_address() {
    let folder = Folder::new("faults-nobody");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = Some(format!("postgres://u:sesame@127.0.0.1:{port}/d"));
    let began = Instant::now();
    let error = store::open(&Place { url, ..Place::folder(folder.path()) }).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("sesame"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// The disk is full as soon as a file has a megabyte: the shell sees to it. Then there is room again.
#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_and_is_written_again_when_there_is_room() {
    let folder = Folder::new("faults-full");
    let exe = std::env::current_exe().unwrap();
    let limited = format!("ulimit -S -f 2048; trap '' XFSZ; exec '{}' \"$@\"", exe.display());
    let mut child = Command::new("sh");
    child.args(["-c", &limited, "sh"]);
    let (told, _) = written(run_child(&mut child, folder.path()), usize::MAX);
    assert!(told.iter().any(|line| line.contains("unavailable after")), "{told:?}");
    assert!(told.last().unwrap().starts_with('s'), "it is written again: {told:?}");
    check(folder.path(), &told).await;
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = Folder::new("faults-kill");
    let mut told = Vec::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let (lines, _) = written(run_child(&mut child, folder.path()), 20 * round);
        assert!(lines.len() >= 20 * round, "{lines:?}");
        told.extend(lines);
    }
    check(folder.path(), &told).await;
}

/// Writes until it is killed, or cannot, and says after each write what is written.
#[tokio::test]
#[ignore = "a part of other tests, in a process of its own"]
async fn child_that_writes() {
    let folder = std::env::var("THALWEG_TEST_CHILD").unwrap();
    let store = store::open(&Place::folder(folder)).await.unwrap();
    let first = store.publications(None, None, 0, u64::MAX, ALL).await.unwrap().total;
    let mut was_full = false;
    for i in first.. {
        let mut one = publication(&format!("s{i}"), &stream("7", "a"), i);
        // Some kilobytes a row, so that it does not take for ever until the disk is full.
        one.agent = "x".repeat(4000);
        let began = Instant::now();
        match store.publication_began(&one, Some(&delivery("7", i))).await {
            Ok(()) => {
                println!("acked s{i}");
                if was_full {
                    return;
                }
            }
            Err(StoreError::Unavailable(_)) => {
                assert!(!was_full, "there is room again");
                assert!(began.elapsed() < Duration::from_secs(5));
                // It still answers whoever asks.
                let total = store.publications(None, None, 0, u64::MAX, ALL).await.unwrap().total;
                assert_eq!(total, i);
                println!("acked unavailable after {i}");
                let pid = std::process::id().to_string();
                let mut lift = Command::new("prlimit");
                lift.args(["--pid", &pid, "--fsize=unlimited"]);
                assert!(lift.status().unwrap().success());
                was_full = true;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

fn run_child(child: &mut Command, folder: &Path) -> Child {
    child
        .args(["--exact", "child_that_writes", "--ignored", "--nocapture"])
        .env("THALWEG_TEST_CHILD", folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child says until it ends or has said so much and is killed, and whether it ended well.
fn written(mut child: Child, lines_max: usize) -> (Vec<String>, bool) {
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The test program says its own things, before the first on the same line.
        let line = line.unwrap();
        let Some((_, what)) = line.split_once("acked ") else { continue };
        told.push(what.to_owned());
        if told.len() == lines_max {
            child.kill().unwrap();
        }
    }
    (told, child.wait().unwrap().success())
}

/// Everything that was told is there, and with it what was to be delivered.
async fn check(folder: &Path, told: &[String]) {
    let store = store::open(&Place::folder(folder)).await.unwrap();
    let total = store.publications(None, None, 0, u64::MAX, ALL).await.unwrap().total;
    assert_eq!(store.deliveries(None, None, ALL).await.unwrap().total, total);
    let there: Vec<String> =
        store.open_publications().await.unwrap().into_iter().map(|p| p.sequence).collect();
    for sequence in told.iter().filter(|t| t.starts_with('s')) {
        assert!(there.contains(sequence), "{sequence} was lost");
    }
    let mut database = connect(folder).await;
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut database).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "ok");
}

async fn connect(folder: &Path) -> SqliteConnection {
    let file = folder.join("thalweg.db");
    SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}
