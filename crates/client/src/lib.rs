//! Publish and play.
//!
//! | to ... | start at |
//! |---|---|
//! | send a stream | [`Publisher::connect`] |
//! | watch a stream | [`Player::connect`] |
//! | talk back: in under 400 ms, over UDP | [`rtc`] |
//! | know where a URL leads | [`Target::parse`] |
//! | read an FLV file, or the test clock | [`source`] |
//! | send frames at their own pace | [`Pace`] |

mod error;
mod http_flv;
mod pace;
mod play;
mod publish;
pub mod rtc;
mod rtmp;
pub mod source;
mod target;
mod transport;
mod ws_flv;

pub use error::Error;
pub use pace::Pace;
pub use play::Player;
pub use publish::Publisher;
/// The TLS library, for [`Trust::config`].
pub use tokio_rustls::rustls;

pub use target::{HttpTarget, RtmpTarget, Target};
pub use transport::Trust;
