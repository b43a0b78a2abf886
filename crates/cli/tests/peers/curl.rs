//! curl, as anyone looks at an HTTP server.

use crate::common::Server;
use crate::tools::{Probe, run, run_any, text};

#[test]
fn gets_flv_and_reasons() {
    let server = Server::with("curl", "play.wait_s = 1");
    let _clock = server.push_clock("clock");
    let urls = server.urls("clock");
    let file = server.folder.file("out.flv");
    run_any("curl", &["-s", "--max-time", "4", "-o", &file, &urls.flv]);
    // The clock begins with the next full second.
    Probe::of(&file).assert_clock(3);
    let head = text(&run("curl", &["-sI", &urls.flv]));
    assert!(head.contains("HTTP/1.1 200 OK") && head.contains("video/x-flv"), "{head}");
    let nobody = text(&run("curl", &["-s", &server.urls("nobody").flv]));
    assert_eq!(nobody, r#"{"error":"not-found","message":"nobody publishes this stream"}"#);
    let list = format!("http://127.0.0.1:{}/api/v1/streams", server.operator_port);
    let stranger = text(&run("curl", &["-s", &list]));
    assert!(stranger.contains(r#""error":"unauthorized""#), "{stranger}");
    let wanted = serde_json::json!({ "name": "curl", "role": "read-only" });
    let (_, made) = server.console().post("/api/v1/tokens", &wanted);
    let token = format!("Authorization: Bearer {}", made["token"].as_str().unwrap());
    assert!(text(&run("curl", &["-s", "-H", &token, &list])).contains(r#""codec":"h264""#));
}
