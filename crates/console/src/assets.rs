//! The console's pages, as they were built: `web/console`, made into files by its own tools, kept in
//! `assets/console`, and part of the program.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The files.
#[derive(RustEmbed)]
#[folder = "assets/console"]
struct Files;

/// The pages under `/console/`.
pub(crate) fn router() -> Router {
    let home = || async { Redirect::temporary("/console/") };
    Router::new()
        .route("/", get(home))
        .route("/console", get(home))
        .route("/console/", get(|headers: HeaderMap| async move { file(HOME, &headers) }))
        .route(
            "/console/{*path}",
            get(
                |Path(path): Path<String>, headers: HeaderMap| async move { file(&path, &headers) },
            ),
        )
}

/// One of the files. Names do not change when contents do, so that each is asked for again, and answered
/// in a line when it is the same.
fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    };
    let tag = format!("\"{}\"", HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = match known == Some(&tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body(path, file),
    };
    let all = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        all.insert(header::ETAG, tag);
    }
    for (name, value) in HEADERS {
        all.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn body(path: &str, file: EmbeddedFile) -> Response {
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
}

const HOME: &str = "index.html";
/// Scripts and pictures are the page's own. It talks to its server, and plays what its server serves,
/// which is another port; styles are set by the library of its widgets.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' \
         data:; connect-src 'self' http: ws: https: wss:; media-src blob: http: https:; worker-src \
         blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-cache"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
