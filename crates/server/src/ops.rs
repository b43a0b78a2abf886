//! The server's own pages: is it well, and what does it count.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::context::Context;

/// What the public listeners answer besides media; `pages` have the rest.
pub(crate) fn public_router(ctx: &Arc<Context>, pages: Router) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .fallback(no_media_here)
        .with_state(Arc::clone(ctx))
        .merge(pages)
}

/// What the operator's listener answers; `pages` have the rest.
pub(crate) fn operator_router(ctx: &Arc<Context>, pages: Router) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(nothing_here)
        .with_state(Arc::clone(ctx))
        .merge(pages)
}

type State = axum::extract::State<Arc<Context>>;

/// 200 while new work is taken, 503 while the server stops.
async fn health(state: State) -> impl IntoResponse {
    if state.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn metrics(state: State) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], state.metrics.text())
}

async fn no_media_here() -> impl IntoResponse {
    not_found("there is nothing at this path; a stream's ends in .flv: /{app}/{stream}.flv")
}

async fn nothing_here() -> impl IntoResponse {
    not_found("there is nothing at this path; /metrics, /healthz and /api/v1/streams are here")
}

fn not_found(message: &str) -> impl IntoResponse {
    (StatusCode::NOT_FOUND, Json(json!({ "error": "not-found", "message": message })))
}
