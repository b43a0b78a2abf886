//! What `web` makes: the console's pages, and the elements for everybody else's. Its own tools make files of it, which
//! are kept in `assets` and part of the program.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The console's pages.
#[derive(RustEmbed)]
#[folder = "assets/console"]
struct Pages;

/// The elements for pages of others.
#[derive(RustEmbed)]
#[folder = "assets/sdk"]
struct Sdk;

/// The pages under `/console/`.
pub(crate) fn console() -> Router {
    let home = || async { Redirect::temporary("/console/") };
    let page = |path: &str, headers: &HeaderMap| file::<Pages>(path, headers, &CONSOLE);
    Router::new()
        .route("/", get(home))
        .route("/console", get(home))
        .route("/console/", get(move |headers: HeaderMap| async move { page(HOME, &headers) }))
        .route(
            "/console/{*path}",
            get(move |Path(path): Path<String>, headers: HeaderMap| async move {
                page(&path, &headers)
            }),
        )
}

/// The elements under `/sdk/`, which any page may load.
pub(crate) fn sdk() -> Router {
    let file = |Path(path): Path<String>, headers: HeaderMap| async move {
        file::<Sdk>(&path, &headers, &SDK)
    };
    Router::new().route("/sdk/{*path}", get(file))
}

/// One file of a folder, with headers of the folder's. Names do not change when contents do, so that each is asked for
/// again, and answered in a line when it is the same.
pub(crate) fn file<F: RustEmbed>(
    path: &str,
    asked: &HeaderMap,
    headers: &[(HeaderName, &'static str)],
) -> Response {
    let Some(file) = F::get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    };
    let tag = format!("\"{}\"", HEXLOWER.encode(&file.metadata.sha256_hash()[..16]));
    let known = asked.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = match known == Some(&tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body(path, file),
    };
    let all = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        all.insert(header::ETAG, tag);
    }
    for (name, value) in headers.iter().chain(&EVERYWHERE) {
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
        Some("wasm") => "application/wasm",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
}

const HOME: &str = "index.html";
/// Scripts and pictures are the page's own. It talks to its server, and plays what its server serves,
/// which is another port; styles are set by the library of its widgets.
const CONSOLE: [(HeaderName, &str); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' \
         data:; connect-src 'self' http: ws: https: wss:; media-src blob:; font-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
/// Scripts that are modules come from elsewhere only by leave, and so do what they load.
const SDK: [(HeaderName, &str); 2] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
];
const EVERYWHERE: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-cache"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
