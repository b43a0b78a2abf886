//! The elements and the demo, as a browser sees them: each test of `web/e2e` with the program that was just built.
//! Those that measure, or have two browsers, have the machine to themselves (`.config/nextest.toml`). What takes over a
//! minute belongs to `make long`; of each of these a part that is quicker is done here.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::run_within;
use crate::tools::text;

#[test]
#[ignore = "takes over a minute: make long"]
fn live_mode_is_early_even_and_survives() {
    run("live");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn rtc_mode_is_early_even_and_survives() {
    run("rtc");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn a_camera_is_pushed_and_ffmpeg_sees_and_hears_it() {
    run("push");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn a_camera_is_seen_at_once() {
    run("camera");
}

#[test]
fn live_mode_says_its_codes_and_shows_its_pictures_in_order() {
    run("live:order");
}

#[test]
fn rtc_mode_comes_back_to_the_live_edge() {
    run("rtc:live edge");
}

#[test]
fn a_camera_goes_over_udp_and_tcp_and_ffmpeg_sees_and_hears_it() {
    run("push:goes over");
}

#[test]
fn a_room_sees_and_hears_in_both_players_what_somebody_pushes() {
    run("demo:desk:pushed");
}

#[test]
fn a_room_calls_and_each_sees_and_hears_the_other() {
    run("demo:desk:called");
}

#[test]
fn what_is_packed_plays_as_it_is() {
    run("pack:plain");
}

#[test]
fn the_player_does_what_pages_ask() {
    run("elements");
}

#[test]
fn the_player_does_what_is_documented_when_something_goes_wrong() {
    run("troubles");
}

#[test]
fn elements_that_come_and_go_leave_nothing_behind() {
    run("mounts");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn what_is_packed_plays() {
    run("pack");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn people_at_a_desk_go_through_the_demo() {
    run("demo:desk");
}

#[test]
#[ignore = "takes over a minute: make long"]
fn people_with_a_phone_go_through_the_demo() {
    run("demo:phone");
}

/// One of `web/e2e`: what it says, if it fails. Screenshots and figures are kept, to be looked at.
fn run(name: &str) {
    let web = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"));
    assert!(
        web.join("node_modules").exists(),
        "what the test needs is not installed: `make web` installs it"
    );
    let shots =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("web").join(name.replace([':', ' '], "-"));
    let mut command = Command::new("node");
    command
        .args(["e2e/run.mjs", name])
        .current_dir(web)
        .env("THALWEG", env!("CARGO_BIN_EXE_thalweg"))
        .env("SHOTS", shots);
    let output = run_within(&mut command, AT_MOST);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}

/// What a test takes on two idle cores is less than a minute; the phone's waits for one besides.
const AT_MOST: Duration = Duration::from_secs(170);
