//! The console of a real server, from its first start on: the walk that the pages' own tests take over a mock of
//! the API.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::{Server, run_within};
use crate::tools::text;

#[test]
fn somebody_who_has_just_installed_it_walks_through_the_console() {
    let pages = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/console"));
    assert!(
        pages.join("../node_modules").exists(),
        "what the walk needs is not installed: `make web` installs it"
    );
    // The walk hears callbacks itself, on a port that it gets.
    let server = Server::with("walk", "console.callback_allow = [\"127.0.0.0/8\"]");
    let _clock = server.push_clock("clock");
    let _room = server.push_clock("room");
    let mut walk = Command::new("node");
    walk.arg("e2e/walk.mjs")
        .current_dir(pages)
        .env("BASE_URL", format!("http://127.0.0.1:{}", server.operator_port))
        .env("SETUP_TOKEN", server.setup_token())
        .env("STREAM", "1")
        // Kept by the run, to be looked at.
        .env("SHOTS", concat!(env!("CARGO_TARGET_TMPDIR"), "/console-walk"));
    let output = run_within(&mut walk, Duration::from_secs(150));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", text(&output));
}
