//! A back end that was written for the vendor's old API, in Python: only its host and key are ours.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::common::{Running, Server, run_within, thalweg};
use crate::tools::text;

#[test]
fn a_back_end_of_the_old_api_lists_drops_and_forbids_a_stream() {
    let server = Server::start("old-api");
    let console = server.console();
    let host = format!("127.0.0.1:{}", server.http_port);
    let (_, key) = console.post("/api/v1/accounts/1/api-key/reveal", &json!({}));
    let key = key["api_key"].as_str().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/back_end.py");
    let back_end = || {
        let mut python = Command::new("python3");
        run_within(python.args([script, &host, "1", key]), Duration::from_secs(60))
    };
    let unwanted = back_end();
    assert!(!unwanted.status.success(), "an account has to want it");
    let (status, _) = console.patch("/api/v1/accounts/1", &json!({ "old_api": true }));
    assert_eq!(status, 200);
    // An encoder that comes back whenever it is sent away.
    let url = server.urls("room").push;
    let mut encoder = thalweg();
    encoder.args(["push", "--quiet", &url, "clock"]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let mut push = Running(encoder.spawn().unwrap());
                while push.0.try_wait().unwrap().is_none() {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        let output = back_end();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", text(&output));
        assert_eq!(said, "listed\ndropped\nforbidden\nallowed\n");
    });
    let (_, audit) = console.get("/api/v1/audit?page_size=300");
    let calls = audit["entries"].as_array().unwrap().iter();
    let dropped = calls.filter(|e| e["who"] == "old-api:1" && e["what"] == "old-api");
    let dropped = dropped.map(|e| e["detail"].as_str().unwrap());
    assert!(dropped.into_iter().any(|d| d == "Live_Channel_SetStatus room drop: ok"), "{audit}");
}
