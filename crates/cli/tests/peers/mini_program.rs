//! The mini-program's own tests, against the program that was just built: New, the clock's URL, a call.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::run_within;
use crate::tools::text;

#[test]
fn its_pages_do_what_the_tags_and_the_server_say() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../miniprogram"));
    assert!(
        folder.join("node_modules").exists(),
        "what the test needs is not installed: `make web` installs it"
    );
    let mut tests = Command::new("npm");
    tests
        .args(["test", "--silent"])
        .current_dir(folder)
        .env("THALWEG", env!("CARGO_BIN_EXE_thalweg"));
    let output = run_within(&mut tests, AT_MOST);
    assert!(output.status.success(), "{}", text(&output));
}

/// Some 20 s on an idle machine.
const AT_MOST: Duration = Duration::from_secs(170);
