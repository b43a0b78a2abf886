//! What an operator asks over HTTP: everything under `/api/v1`.
//!
//! The server knows nothing of this crate; `cli` mounts [`router`] on the operator's listener.

mod api;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use thalweg_hub::Hub;

/// The operator's pages, over the streams of one server.
pub fn router(hub: Hub) -> Router {
    Router::new()
        .route("/api/v1/streams", get(api::streams::list))
        .fallback(not_found)
        .with_state(hub)
}

async fn not_found() -> impl IntoResponse {
    let body = json!({ "error": "not-found", "message": "there is nothing at this path" });
    (StatusCode::NOT_FOUND, Json(body))
}
