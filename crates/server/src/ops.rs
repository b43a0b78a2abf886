//! The server's own pages: is it well, and what does it count.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::context::Context;

/// What the public listener answers besides media.
pub(crate) fn public_router(ctx: &Arc<Context>) -> Router {
    Router::new().route("/healthz", get(health)).fallback(not_found).with_state(Arc::clone(ctx))
}

/// What the operator's listener answers; `console` has the rest.
pub(crate) fn operator_router(ctx: &Arc<Context>, console: Router) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(ctx))
        .fallback_service(console)
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

async fn not_found() -> impl IntoResponse {
    let body = r#"{"error":"not-found","message":"there is nothing at this path"}"#;
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body)
}
