//! The demo's pages, asked without a socket.

use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use serde_json::Value;
use thalweg_console::demo::{Demo, Link, router};
use tower::ServiceExt;

fn demo(authority: Option<&str>) -> Demo {
    let url = "rtmp://10.0.0.2/live/clock".to_owned();
    Demo {
        clock_path: "/live/clock.flv".to_owned(),
        watch: vec![Link { name: "RTMP".to_owned(), url }],
        secure: Some("https://10.0.0.2:8443/demo/".to_owned()),
        console: Some("http://127.0.0.1:8081/console/".to_owned()),
        fingerprint: authority.map(|_| "AB:CD".to_owned()),
        authority: authority.map(str::to_owned),
    }
}

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, headers, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn every_page_is_one_file_that_runs_no_script_but_its_own() {
    let router = router(&demo(None));
    for path in ["/demo/", "/demo/push", "/demo/play", "/demo/rtc", "/demo/call"] {
        let (status, headers, page) = get(&router, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.contains("<title>Thalweg demo</title>"), "{path}: {page}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        let scripts = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).unwrap();
        assert_eq!(scripts.trim(), "script-src 'self' 'wasm-unsafe-eval'", "{path}");
    }
    let (status, headers, _) = get(&router, "/demo/index.js").await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    for path in ["/", "/demo"] {
        let (status, headers, _) = get(&router, path).await;
        assert!(status.is_redirection() && headers["location"] == "/demo/", "{path}: {status}");
    }
    assert_eq!(get(&router, "/demo/no-such.js").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_pages_learn_where_they_are_and_what_time_it_is() {
    let router = router(&demo(Some("PEM")));
    let (_, headers, data) = get(&router, "/demo/data.json").await;
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(data["watch"][0]["url"], "rtmp://10.0.0.2/live/clock");
    assert_eq!(data["secure"], "https://10.0.0.2:8443/demo/");
    assert_eq!(data["fingerprint"], "AB:CD");
    assert!(data.get("authority").is_none(), "it is a file of its own");

    let unix_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let before = unix_ms();
    let (_, headers, time) = get(&router, "/demo/time").await;
    let time: Value = serde_json::from_str(&time).unwrap();
    assert_eq!(headers["cache-control"], "no-store");
    assert!((before..=unix_ms()).contains(&time["unix_ms"].as_u64().unwrap()), "{time}");
}

#[tokio::test]
async fn the_authority_is_a_certificate_to_download_where_there_is_one() {
    let (status, headers, body) = get(&router(&demo(Some("PEM"))), "/demo/authority.crt").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "PEM"));
    assert_eq!(headers["content-type"], "application/x-x509-ca-cert");
    assert_eq!(get(&router(&demo(None)), "/demo/authority.crt").await.0, StatusCode::NOT_FOUND);
}

/// A script of the pages, asked for with these headers.
async fn script_with(headers: &[(&str, &str)]) -> (Response<()>, Vec<u8>) {
    let mut request = Request::get("/demo/part-vue.js");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router(&demo(None)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (Response::from_parts(head, ()), body)
}

#[tokio::test]
async fn texts_go_packed_to_whoever_unpacks_them() {
    let (plain, text) = script_with(&[]).await;
    assert!(!plain.headers().contains_key("content-encoding"));
    for taken in ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.8"] {
        let (packed, body) = script_with(&[("accept-encoding", taken)]).await;
        assert_eq!(packed.headers()["content-encoding"], "gzip", "{taken}");
        assert_eq!(packed.headers()["content-type"], plain.headers()["content-type"]);
        assert_eq!(packed.headers()["vary"], "accept-encoding");
        assert_ne!(packed.headers()["etag"], plain.headers()["etag"], "it is not the same bytes");
        assert!(2 * body.len() < text.len(), "{} of {}", body.len(), text.len());
        let mut unpacked = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == text, "it is the same when it is unpacked");
    }
    for refused in ["", "br", "gzip;q=0", "gzip; Q=0.000, *", "x-gzip"] {
        let (answer, body) = script_with(&[("accept-encoding", refused)]).await;
        assert!(!answer.headers().contains_key("content-encoding"), "{refused}");
        assert!(body == text, "{refused}");
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let mut tags = Vec::new();
    for taken in ["identity", "gzip"] {
        let taken = ("accept-encoding", taken);
        let (first, _) = script_with(&[taken]).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()]
        {
            let (again, body) = script_with(&[taken, ("if-none-match", &known)]).await;
            assert_eq!((again.status(), body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
            assert_eq!(again.headers()["etag"], tag.as_str());
            assert!(
                !again.headers().contains_key("content-encoding"),
                "there is nothing to unpack"
            );
        }
        tags.push(tag);
    }
    for known in ["\"other\"", &tags[0]] {
        let asked = [("accept-encoding", "gzip"), ("if-none-match", known)];
        assert_eq!(script_with(&asked).await.0.status(), StatusCode::OK, "{known}: other bytes");
    }
}
