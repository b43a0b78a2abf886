//! What the tests share. Used only from `tests/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that panics has said what it had to say"
)]

pub mod alloc;
pub mod camera;
pub mod corpus;
pub mod cut;
pub mod folder;
pub mod lossy;
pub mod manual;
pub mod media;
pub mod pair;
pub mod udp_pair;
