//! What people and programs ask over HTTP: everything under `/api/v1`, and the demo's pages.
//!
//! The server knows nothing of this crate; `cli` mounts [`router`] on the operator's listener and
//! [`demo::router`] on the public ones.

mod api;
pub mod clock;
pub mod demo;
pub mod health;
pub mod hooks;
pub mod model;
pub mod remote;
pub mod statistics;
pub mod store;

use axum::Router;
use axum::routing::{get, post};
use thalweg_hub::Hub;

/// The operator's pages, over the streams of one server.
pub fn router(hub: Hub) -> Router {
    Router::new()
        .route("/api/v1/streams", get(api::streams::list))
        .route("/api/v1/streams/{account}/{app}/{name}/kick", post(api::kick::kick))
        .with_state(hub)
}
