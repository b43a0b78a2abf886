//! What `web` makes: the console's pages, and the elements for everybody else's. Its own tools make files of it, which
//! are kept in `assets` and part of the program.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
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
    Router::new()
        .route("/", get(home))
        .route("/console", get(home))
        .route("/console/", get(|headers: HeaderMap| page(HOME.to_owned(), headers)))
        .route(
            "/console/{*path}",
            get(|Path(path): Path<String>, headers: HeaderMap| page(path, headers)),
        )
}

async fn page(path: String, headers: HeaderMap) -> Response {
    file::<Pages>(&path, &headers, &CONSOLE).await
}

/// The elements under `/sdk/`, which any page may load.
pub(crate) fn sdk() -> Router {
    let file = |Path(path): Path<String>, headers: HeaderMap| async move {
        file::<Sdk>(&path, &headers, &SDK).await
    };
    Router::new().route("/sdk/{*path}", get(file))
}

/// One file of a folder, with headers of the folder's. Names do not change when contents do, so that each is asked for
/// again, and answered in a line when it is the same. Texts go out packed to whoever can unpack them: a phone's first
/// page is a quarter as long.
pub(crate) async fn file<F: RustEmbed>(
    path: &str,
    asked: &HeaderMap,
    headers: &[(HeaderName, &'static str)],
) -> Response {
    let Some(file) = F::get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    };
    let kind = kind_of(path);
    let packed = if kind.packs && unpacks(asked) { pack(&file).await } else { None };
    let hash = HEXLOWER.encode(&file.metadata.sha256_hash()[..16]);
    let tag = if packed.is_some() { format!("\"{hash}-gzip\"") } else { format!("\"{hash}\"") };
    let is_packed = packed.is_some();
    let mut response = if knows(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = packed.unwrap_or_else(|| file.data.into_owned().into());
        let mut response = ([(header::CONTENT_TYPE, kind.name)], body).into_response();
        if is_packed {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(GZIP));
        }
        response
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

/// What a file is for a browser.
struct Kind {
    name: &'static str,
    /// Whether it becomes smaller.
    packs: bool,
}

fn kind_of(path: &str) -> Kind {
    let (name, packs) = match path.rsplit('.').next() {
        Some("html") => ("text/html; charset=utf-8", true),
        Some("js") => ("text/javascript; charset=utf-8", true),
        Some("css") => ("text/css; charset=utf-8", true),
        Some("svg") => ("image/svg+xml", true),
        Some("json") => ("application/json", true),
        Some("wasm") => ("application/wasm", true),
        Some("txt" | "md") => ("text/plain; charset=utf-8", true),
        Some("png") => ("image/png", false),
        Some("woff2") => ("font/woff2", false),
        _ => ("application/octet-stream", false),
    };
    Kind { name, packs }
}

/// Whether one of the tags that a browser has is this one (RFC 9110 section 13.1.2): a list, in which proxies mark some
/// as weak.
fn knows(asked: &HeaderMap, tag: &str) -> bool {
    listed(asked, &header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// Whether a browser takes gzip (RFC 9110 section 12.5.3).
fn unpacks(asked: &HeaderMap) -> bool {
    listed(asked, &header::ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().to_ascii_lowercase().trim_start_matches("q=").parse();
        name.trim().eq_ignore_ascii_case(GZIP) && weight != Ok(0.0)
    })
}

/// What a header lists.
fn listed<'a>(asked: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = asked.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// A file, packed. That takes a tenth of a second for the longest, once, and no thread that streams.
async fn pack(file: &EmbeddedFile) -> Option<Bytes> {
    let hash = file.metadata.sha256_hash();
    let known = || PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(packed) = known().get(&hash) {
        return Some(packed.clone());
    }
    let data = file.data.clone();
    let packed = tokio::task::spawn_blocking(move || gzip(&data)).await.ok()?.ok()?;
    known().insert(hash, packed.clone());
    Some(packed)
}

fn gzip(data: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data)?;
    Ok(encoder.finish()?.into())
}

/// By the hash of what was packed: as many as there are files in the program, 0.7 MB together.
static PACKED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);

const HOME: &str = "index.html";
const GZIP: &str = "gzip";
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
const EVERYWHERE: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::VARY, "accept-encoding"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
