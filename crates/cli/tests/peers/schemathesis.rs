//! The API, asked by a program that has read its document and makes up what nobody has thought of: no
//! answer is another than the document says, none is a failure of the server's, and what the document
//! forbids is refused.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::common::{Server, run_within};
use crate::tools::text;

#[test]
fn whatever_an_administrator_asks_is_answered_as_the_document_says() {
    let server = Server::start("schemathesis");
    let cookie = format!("Cookie: {}", server.console().cookie);
    ask(&server, &["-H", &cookie, "-n", "10", "--seed", "1"], NOT_BY_WHOM_IT_IS);
}

#[test]
fn whatever_a_program_with_a_token_asks_is_answered_as_the_document_says() {
    let server = Server::start("schemathesis-token");
    let wanted = json!({ "name": "schemathesis", "role": "admin" });
    let (status, made) = server.console().post("/api/v1/tokens", &wanted);
    assert_eq!(status, 201, "{made}");
    let token = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    // From one address 1200 requests with a token are answered in a minute.
    let few =
        ["-H", &token, "-n", "3", "--seed", "1", "--phases", "fuzzing", "--rate-limit", "1000/m"];
    ask(&server, &few, &["/api/v1/tokens/{id}"]);
}

#[test]
fn whatever_nobody_asks_is_answered_as_the_document_says() {
    let server = Server::start("schemathesis-nobody");
    ask(&server, &["-n", "3", "--seed", "1", "--phases", "coverage,fuzzing"], &[]);
}

#[test]
#[ignore = "minutes long: make long"]
fn for_minutes_on_end_an_administrator_is_answered_as_the_document_says() {
    let server = Server::start("schemathesis-long");
    let cookie = format!("Cookie: {}", server.console().cookie);
    ask(&server, &["-H", &cookie, "-n", "200"], NOT_BY_WHOM_IT_IS);
}

/// Asks until all is tried, and says what was found.
fn ask(server: &Server, more: &[&str], leave_out: &[&str]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/schemathesis");
    let document = format!("http://127.0.0.1:{}/api/v1/openapi.json", server.operator_port);
    let mut peer = Command::new("python3");
    peer.arg(format!("{folder}/bin/st"))
        .args(["run", &document, "--continue-on-failure", "--warnings", "off"])
        // What is valid by its form need not make sense: that it is refused is no fault. Many wrong tokens are
        // answered with 429, not 401; who may ask what has tests of its own.
        .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"])
        .args(leave_out.iter().flat_map(|path| ["--exclude-path", path]))
        .args(more)
        .env("PYTHONPATH", folder)
        .current_dir(server.folder.path());
    let output = run_within(&mut peer, Duration::from_secs(900));
    assert!(output.status.success(), "{}", text(&output));
}

/// Where somebody could log out, or change the password that the session was made with.
const NOT_BY_WHOM_IT_IS: &[&str] =
    &["/api/v1/session", "/api/v1/session/password", "/api/v1/users/{login}"];
