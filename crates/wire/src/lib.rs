//! Formats and sessions of RTMP, FLV and WebSocket, sans-IO.
//!
//! Bytes and time go in, events and bytes come out. Nothing here opens a socket, reads a clock,
//! spawns a task, draws a random number or prints; whoever does is the caller.
//!
//! | to ... | start at |
//! |---|---|
//! | serve a publisher or a viewer over RTMP | [`rtmp::server::Session`] |
//! | publish or play over RTMP | [`rtmp::client::Session`] |
//! | read or write FLV | [`flv::Demuxer`], [`flv::TagHeader`] |
//! | read or write WebSocket frames | [`websocket::Reader`] |
//! | hold one message of media | [`media::Frame`] |
//! | show what a stream carries | [`codec`] |
//!
//! Every session keeps its methods in four families: getters; `handle_*`, what came from the
//! network or the clock; commands, what the application wants; `poll_*`, what the caller must now do.

pub mod amf0;
pub mod bytes;
pub mod codec;
pub mod error;
pub mod flv;
#[doc(hidden)]
pub mod fuzz;
pub mod media;
pub mod rtmp;
pub mod rtmp_udp;
pub mod time;
pub mod websocket;

pub use error::Error;
