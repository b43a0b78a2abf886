//! Callbacks: what an account's back end is told of its streams.
//!
//! ```text
//! hub events -> journal -> store -> outbox -> the account's back end
//! ```
//!
//! The journal writes down what happens, and with it what is to be told; the outbox tells it. Neither
//! is ever waited for by media.

pub mod body;
pub mod journal;
pub mod outbox;
pub mod post;
pub mod target;
