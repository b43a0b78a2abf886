//! RTMP 1.0 (Adobe, 2012), both sides of it, and what peers in the field make of it.
//!
//! From the bytes up: [`handshake`], [`chunk`], [`message`], [`command`], and the two sessions,
//! [`server`] and [`client`], which say in which order messages may come.

pub mod address;
pub mod chunk;
pub mod client;
pub mod command;
pub mod handshake;
mod link;
pub mod message;
pub mod server;

use std::time::Duration;

pub use address::Address;
pub use link::frame_header;

/// Every bound of a session, the unit in its name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest message, and longest sum of unfinished messages over all chunk streams, in bytes.
    ///
    /// Default 4 MiB: a key frame of a 50 Mbit/s stream at half a second. The vendor cuts at 1 MB.
    pub message_bytes_max: usize,
    /// The same before the peer may publish: commands are short.
    ///
    /// Default 64 KiB: the longest `connect` anyone sends is a few thousand bytes.
    pub stranger_bytes_max: usize,
    /// From the first byte to a finished handshake. Default 5 s.
    pub handshake_max: Duration,
    /// From the handshake to `connect`, and from there to `publish` or `play`. Default 10 s each.
    pub command_max: Duration,
    /// From the beginning to the answer to a client's `play`: servers keep viewers waiting for
    /// streams that have not begun. Default 330 s; ours waits up to 300.
    pub answer_max: Duration,
    /// From an accepted `publish` to its first media. Default 30 s.
    pub first_media_max: Duration,
    /// Longest silence of a publisher that has sent media. Default 70 s, as the vendor's.
    pub publisher_silence_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes_max: 4 << 20,
            stranger_bytes_max: 64 << 10,
            handshake_max: Duration::from_secs(5),
            command_max: Duration::from_secs(10),
            answer_max: Duration::from_secs(330),
            first_media_max: Duration::from_secs(30),
            publisher_silence_max: Duration::from_secs(70),
        }
    }
}

/// Default TCP port.
pub const PORT: u16 = 1935;
