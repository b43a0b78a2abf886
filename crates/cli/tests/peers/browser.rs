//! Chromium: on the page of `demo --lan`, as large as a phone; on pages of its own, over UDP; all through
//! the console; and with the elements and the demo.

mod console;
mod udp;
mod web;
mod webdriver;

use std::process::Command;
use std::time::Duration;

use crate::common::run_within;
use crate::lan::Room;
use crate::tools::text;

#[test]
fn a_phone_that_trusts_the_authority_sees_the_stream_arrive() {
    let room = Room::open("room-phone");
    let home = room.folder.path().join("home");
    let trusted = home.join(".pki/nssdb");
    std::fs::create_dir_all(&trusted).unwrap();
    let database = format!("sql:{}", trusted.display());
    for args in [
        vec!["-N", "--empty-password"],
        vec!["-A", "-t", "C,,", "-n", "thalweg", "-i", &room.authority()],
    ] {
        let mut certutil = Command::new("certutil");
        let output = run_within(certutil.args(["-d", &database]).args(args), SOON);
        assert!(output.status.success(), "{}", text(&output));
    }
    let page = room.url("https://", "/demo/");
    let mut chromium = Command::new("chromium");
    chromium.env("HOME", &home).args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=390,844",
        // The page's own clock: it waits for what is under way.
        "--virtual-time-budget=8000",
        "--dump-dom",
    ]);
    let profile = format!("--user-data-dir={}", home.join("profile").display());
    let output = run_within(chromium.arg(profile).arg(&page), SOON * 3);
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in ["This page is secure", "The stream arrives", "state good"] {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
}

const SOON: Duration = Duration::from_secs(20);
