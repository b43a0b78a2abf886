//! RTC mode: a stream in under 400 ms, by RTMP over UDP (play type 5 of the vendor's players).
//!
//! | to ... | start at |
//! |---|---|
//! | watch, each frame at its moment | [`Player`] |
//! | watch, frames as they can be decoded | [`Player::next_arrived`] |
//! | send | [`Publisher`] |
//! | fall back to TCP where UDP does not get through | [`fallback`] |

pub mod fallback;
mod link;
mod player;
pub mod playout;
mod publisher;
mod status;

pub use link::Options;
pub use player::{Event, Player};
pub use playout::Due;
pub use publisher::{News, Publisher};
pub use status::NetStatus;
/// How a sender decides how much may be in flight, and how it gets there.
pub use thalweg_quic::{Congestion, connect::Via};
