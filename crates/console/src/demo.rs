//! The demo's page, for a phone in the room: what to open, and whom to trust.

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use serde::Serialize;

/// What the page shows.
#[derive(Debug, Clone, Serialize)]
pub struct Demo {
    /// Path and query of the clock as FLV: the page watches it by WebSocket.
    pub clock_path: String,
    /// What to open in a player, with a word for each.
    pub watch: Vec<Link>,
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

/// The pages under `/demo/`.
pub fn router(demo: &Demo) -> Router {
    let page = page(demo);
    let authority = demo.authority.clone().unwrap_or_default();
    let router = Router::new()
        .route("/", get(|| async { Redirect::temporary("/demo/") }))
        .route("/demo", get(|| async { Redirect::temporary("/demo/") }))
        .route(
            "/demo/",
            get(move || async move { ([POLICY, NO_STORE], Html(page)).into_response() }),
        );
    if authority.is_empty() {
        return router;
    }
    let certificate = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"thalweg-authority.crt\""),
    ];
    router.route("/demo/authority.crt", get(move || async move { (certificate, authority) }))
}

fn page(demo: &Demo) -> String {
    let data = serde_json::to_string(demo).unwrap_or_default();
    // Within a script nothing may look like its end.
    PAGE.replace("{{demo}}", &data.replace('<', "\\u003c"))
}

const PAGE: &str = include_str!("demo/page.html");
/// The page's own script and style, and nothing from anywhere else.
const POLICY: (header::HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self' \
     ws: wss:; img-src data:",
);
const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");
