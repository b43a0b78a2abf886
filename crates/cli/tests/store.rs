//! `thalweg backup` and `thalweg restore`, as a person types them.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Demo, Folder, Server, demo_in, kill, run_within, thalweg, wait_child};
use serde_json::json;
use thalweg_console::store::{self, Place};

/// Whether it went well, and all that it said.
fn run(arguments: &[&str]) -> (bool, String) {
    let mut command = thalweg();
    command.env_remove("THALWEG_DATABASE").args(arguments);
    let output = run_within(&mut command, Duration::from_secs(20));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn what_is_backed_up_is_restored_elsewhere() {
    let folder = Folder::new("cli-store");
    let (here, there) = (folder.file("here"), folder.file("there"));
    let (file, keyless) = (folder.file("backup"), folder.file("keyless"));

    let (is_well, said) = run(&["--data-dir", &here, "backup", &file]);
    assert!(!is_well && said.contains("thalweg.db: No such file"), "{said}");

    let place = Place::folder(&here);
    store::open(&place).await.unwrap().put_setting("gate", "{}").await.unwrap();
    let (is_well, said) = run(&["--data-dir", &here, "backup", "--with-key", &file]);
    assert!(is_well && said.contains(&format!("rows in {file}")), "{said}");
    let (is_well, said) = run(&["--data-dir", &here, "backup", &file]);
    assert!(!is_well && said.contains("is there already"), "{said}");
    let (is_well, said) = run(&["--data-dir", &here, "backup", &keyless]);
    assert!(is_well && said.contains("store.key: keep that elsewhere"), "{said}");

    let (is_well, said) = run(&["--data-dir", &there, "restore", &keyless]);
    assert!(!is_well && said.contains("store.key is missing"), "{said}");
    let (is_well, said) = run(&["--data-dir", &there, "restore", &file]);
    assert!(is_well && said.contains("as they were at 20"), "{said}");
    let store = store::open(&Place::folder(&there)).await.unwrap();
    assert_eq!(store.setting("gate").await.unwrap().as_deref(), Some("{}"));

    let (is_well, said) = run(&["--data-dir", &there, "restore", &file]);
    assert!(!is_well && said.contains("--replace"), "{said}");
    let (is_well, said) = run(&["--data-dir", &there, "restore", "--replace", &keyless]);
    assert!(is_well, "{said}");
}

#[test]
fn a_second_server_and_a_restore_keep_off_what_a_server_has() {
    let server = Server::start("cli-claim");
    let (data, file) = (server.folder.file("data"), server.folder.file("backup"));
    let (is_well, said) = run(&["--data-dir", &data, "serve"]);
    assert!(!is_well && said.contains("another server is running on it"), "{said}");
    let (is_well, said) = run(&["--data-dir", &data, "backup", "--with-key", &file]);
    assert!(is_well, "a copy is made meanwhile: {said}");
    let (is_well, said) = run(&["--data-dir", &data, "restore", "--replace", &file]);
    assert!(!is_well && said.contains("another server is running on it"), "{said}");
    // Whoever only looks may.
    let config = server.config.to_str().unwrap().to_owned();
    let (is_well, said) = run(&["sign", "--config", &config, "room"]);
    assert!(is_well, "{said}");
}

#[test]
fn a_demo_whose_account_was_closed_in_the_console_starts_all_the_same() {
    let folder = Folder::new("demo-closed");
    let Demo { process: mut demo, said, stdout: _stdout } = demo_in(&folder);
    let token = said.split("#/setup?token=").nth(1).unwrap();
    let token = token.split_whitespace().next().unwrap();
    let port = said.split("/console/").next().and_then(|s| s.rsplit(':').next()).unwrap();
    let console = common::console::Console::begin(port.parse().unwrap(), token);
    let tools = json!({ "category": { "main": "tools" } });
    assert_eq!(console.patch("/api/v1/accounts/1", &tools).0, 200);
    kill(&demo.0);
    wait_child(&mut demo.0, Duration::from_secs(15));

    let Demo { process: _demo, said, stdout: _stdout } = demo_in(&folder);
    for words in ["no clock", "category may not stream live", "/console/#/accounts/1"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("rtmp://"), "{said}");
}

#[tokio::test]
async fn a_store_gets_another_key() {
    let folder = Folder::new("cli-rekey");
    let data = folder.file("data");
    let place = Place::folder(&data);
    drop(store::open(&place).await.unwrap());
    let key = std::fs::read(place.key_file()).unwrap();
    let (is_well, said) = run(&["--data-dir", &data, "rekey"]);
    assert!(is_well && said.contains("encrypted with a new"), "{said}");
    assert_ne!(std::fs::read(place.key_file()).unwrap(), key);
    store::open(&place).await.unwrap();
}
