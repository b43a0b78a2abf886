//! The real program with other people's: what they push can be watched, what we push they show.
//!
//! One module a peer, named after it, so that `SKIP_PEERS=1 make test` can leave out those that are
//! not installed. `scripts/peers.sh` installs them and says which there are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;
mod lan;
mod tools;

mod browser;
mod curl;
mod ffmpeg;
mod ffmpeg_current;
mod gstreamer;
mod killed;
mod mini_program;
mod nginx_rtmp;
mod old_back_end;
mod outage;
mod rtmpdump;
mod schemathesis;
mod tls;
