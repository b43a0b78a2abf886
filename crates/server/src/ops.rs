//! The server's own pages: is it well, and what does it count.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use thalweg_wire::rtmp_udp::{ALPN, WEBTRANSPORT_PATH};

use crate::context::Context;
use crate::http_head::without_port;
use crate::server::More;

/// What the public listeners answer besides media; `pages` have the rest.
pub(crate) fn public_router(ctx: &Arc<Context>, pages: Router) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/ull", get(low_latency))
        .fallback(no_media_here)
        .with_state(Arc::clone(ctx))
        .merge(pages)
}

/// What the operator's listener answers; `pages` have the rest.
pub(crate) fn operator_router(ctx: &Arc<Context>, pages: Router, more: Option<More>) -> Router {
    let metrics = |state| async move { metrics(state, more).await };
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(nothing_here)
        .with_state(Arc::clone(ctx))
        .merge(pages)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(ctx), guard))
}

/// What every request of the operator has to keep to: a time, and, if it changes something, a name that
/// is this machine's. A page of another site may ask a browser to send a request here, under a name of its
/// own that leads to this address; it cannot choose what the browser calls the host.
async fn guard(state: State, request: Request, next: Next) -> Response {
    if !request.method().is_safe() && is_foreign(&request, &state.config.get().public_host) {
        let message = "changes are taken under an IP address, localhost or public_host only";
        let body = Json(json!({ "error": "foreign-host", "message": message }));
        return (StatusCode::FORBIDDEN, body).into_response();
    }
    match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Whether a page of another site may have had this sent.
fn is_foreign(request: &Request, public_host: &str) -> bool {
    let header = |name| request.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let host = request.uri().authority().map(Authority::as_str).or_else(|| header(header::HOST));
    let origin = header(header::ORIGIN).map(|o| o.split_once("://").map_or(o, |(_, rest)| rest));
    let is_ours = host.is_some_and(|host| is_own_name(host, public_host));
    !is_ours || origin.is_some_and(|origin| Some(origin) != host)
}

/// Whether a `Host` is one that no other site can have.
fn is_own_name(host: &str, public_host: &str) -> bool {
    let name = without_port(host);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case(public_host)
}

/// A request of the operator's, from its head to its answer.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Of the operator's requests.
const BODY_BYTES_MAX: usize = 16 << 10;

type State = axum::extract::State<Arc<Context>>;

/// 200 while new work is taken, 503 while the server stops.
async fn health(state: State) -> impl IntoResponse {
    if state.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

/// Where RTMP over UDP is served, and what a browser has to know of its certificate
/// (`docs/ref/rtmp-udp.md`, section 1). No secrets: any page may ask.
async fn low_latency(state: State) -> Response {
    let config = state.config.get();
    let Some(port) = state.udp.port.map(|port| config.udp.public_port.unwrap_or(port)) else {
        return not_found("RTMP over UDP is switched off here").into_response();
    };
    let mut answer = json!({
        "host": config.public_host,
        "udpPort": port,
        "path": WEBTRANSPORT_PATH,
        "alpn": String::from_utf8_lossy(ALPN),
        "maxViewers": state.policy.get().default_account().udp_viewers_max,
    });
    if let Some(own) = &state.udp.own {
        answer["certSha256"] = json!(own.hashes());
    }
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")];
    (headers, Json(answer)).into_response()
}

async fn metrics(state: State, more: Option<More>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let more = match more {
        Some(more) => more().await,
        None => String::new(),
    };
    ([(header::CONTENT_TYPE, content_type)], state.metrics.text(&more))
}

async fn no_media_here() -> impl IntoResponse {
    not_found("there is nothing at this path; a stream's ends in .flv: /{app}/{stream}.flv")
}

async fn nothing_here() -> impl IntoResponse {
    not_found(
        "there is nothing at this path; /console/, /api/v1/..., /metrics and /healthz are here; the manual is \
         docs/ref/api.md",
    )
}

fn not_found(message: &str) -> impl IntoResponse {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not-found", "message": message })))
}

#[cfg(test)]
mod tests {
    use super::is_own_name;

    #[test]
    fn names_that_no_other_site_can_have() {
        for host in
            ["127.0.0.1:8081", "[::1]:8081", "localhost", "LOCALHOST:1", "live.example.com:1"]
        {
            assert!(is_own_name(host, "live.example.com"), "{host}");
        }
        for host in ["evil.example:8081", "", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert!(!is_own_name(host, "live.example.com"), "{host}");
        }
    }
}
