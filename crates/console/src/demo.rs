//! The demo's pages, for a phone in the room: push, watch, call, and whom to trust. `web/console/demo` makes them.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::assets;
use crate::clock::{Clock, SystemClock};

/// What the pages show of this server.
#[derive(Debug, Clone, Serialize)]
pub struct Demo {
    /// Path and query of the clock as FLV: the first page watches it by WebSocket.
    pub clock_path: String,
    /// What to open in a player, with a word for each.
    pub watch: Vec<Link>,
    /// These pages by https, if it is spoken: elsewhere than on this machine camera and microphone need it.
    pub secure: Option<String>,
    /// The console, which is for this machine unless its operator opens it to others.
    pub console: Option<String>,
    /// SHA-256 of the authority's certificate, if there is one of our own.
    pub fingerprint: Option<String>,
    /// The authority's certificate, PEM.
    #[serde(skip)]
    pub authority: Option<String>,
}

/// A URL and what it is.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// A word or two.
    pub name: String,
    /// The URL.
    pub url: String,
}

/// This machine's clock, which the test clock shows: a page learns from it how wrong its own is.
#[derive(Debug, Serialize)]
struct Now {
    unix_ms: u64,
}

/// The files the pages are made of.
#[derive(RustEmbed)]
#[folder = "assets/demo"]
struct Files;

/// The pages under `/demo/`.
pub fn router(demo: &Demo) -> Router {
    let data = Arc::new(demo.clone());
    let mut router = Router::new()
        .route("/", get(home))
        .route("/demo", get(home))
        .route(
            "/demo/data.json",
            get(move || async move { ([NO_STORE], Json(Demo::clone(&data))) }),
        )
        .route("/demo/time", get(time))
        .route(
            "/demo/{*path}",
            get(|Path(path): Path<String>, headers: HeaderMap| file(path, headers)),
        );
    // One file is all the pages: it looks at its own address.
    for path in ["/demo/", "/demo/push", "/demo/play", "/demo/rtc", "/demo/call"] {
        let page = |headers: HeaderMap| file("index.html".to_owned(), headers);
        router = router.route(path, get(page));
    }
    let Some(authority) = demo.authority.clone() else {
        return router;
    };
    let certificate = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"thalweg-authority.crt\""),
    ];
    router.route("/demo/authority.crt", get(move || async move { (certificate, authority) }))
}

async fn file(path: String, headers: HeaderMap) -> Response {
    assets::file::<Files>(&path, &headers, &PAGES).await
}

async fn home() -> Redirect {
    Redirect::temporary("/demo/")
}

async fn time() -> impl IntoResponse {
    ([NO_STORE], Json(Now { unix_ms: SystemClock.now_ms() }))
}

/// The pages' own scripts and those of the elements, among them the encoder of sound, which is WebAssembly; they play
/// whatever server's streams they are told to.
const PAGES: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data: blob:; connect-src 'self' http: ws: https: wss:; media-src blob:; \
         worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
