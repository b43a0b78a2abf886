//! What people and programs ask over HTTP, and what is remembered: accounts, keys, URLs, streams.
//!
//! The server knows nothing of this crate: `cli` introduces the two. [`Register`] is the accounts and the
//! policy they make, [`store`] where they are kept, [`Console`] what answers.

mod api;
mod assets;
mod auth;
pub mod check;
pub mod clock;
mod compat;
mod console;
pub mod demo;
mod graphs;
pub mod health;
pub mod hooks;
pub mod import;
mod limiter;
mod metrics;
pub mod model;
pub mod policy;
mod redact;
pub mod register;
pub mod remote;
pub mod statistics;
pub mod store;
pub mod urls;

pub use auth::SetupToken;
pub use compat::weapp::DemoRoom;
pub use console::{Console, NoConsole, Parts, Tasks};
pub use register::Register;

use axum::Router;

/// What the operator's listener answers.
pub fn router(console: &Console) -> Router {
    api::router(console.clone())
        .merge(assets::console())
        .merge(sdk_router())
        .merge(public_router(console))
}

/// What the public listeners answer beside media: the old API, for accounts that want it.
pub fn public_router(console: &Console) -> Router {
    compat::old_api::router(console.clone())
}

/// What they answer with a console and without: `<live-pusher>` and `<live-player>`, for pages of any host.
pub fn sdk_router() -> Router {
    assets::sdk()
}

/// What a demo answers there besides: URLs of its own for whoever asks. `clock` is the name of its clock.
pub fn demo_router(console: &Console, clock: &'static str) -> Router {
    compat::weapp::router(console.clone(), clock)
}

/// The API, for programs, as JSON: `docs/ref/openapi.json`.
pub fn openapi() -> String {
    api::document().to_pretty_json().unwrap_or_default() + "\n"
}
