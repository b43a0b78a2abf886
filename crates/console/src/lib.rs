//! What an operator asks over HTTP: everything under `/api/v1`.
//!
//! The server knows nothing of this crate; `cli` mounts [`router`] on the operator's listener.

mod api;

use axum::Router;
use axum::routing::get;
use thalweg_hub::Hub;

/// The operator's pages, over the streams of one server.
pub fn router(hub: Hub) -> Router {
    Router::new().route("/api/v1/streams", get(api::streams::list)).with_state(hub)
}
