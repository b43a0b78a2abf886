//! RTMP-UDP over QUIC and WebTransport: what both ends do alike.
//!
//! `wire` says what is sent, in which order, and what is given up; here streams are opened, read and
//! reset as it says. A [`Session`] is the same whether a native peer speaks QUIC or a browser speaks
//! WebTransport.
//!
//! | to ... | start at |
//! |---|---|
//! | serve | [`config::server`], then [`Session::raw`] or [`Session::browser`] |
//! | connect | [`connect::connect`] |
//! | talk | [`Control`] |
//! | send media | [`Outflow`] |
//! | receive media | [`Inflow`] |

mod alarm;
pub mod config;
pub mod connect;
mod control;
mod inflow;
mod live;
mod outflow;
mod session;
mod verify;

pub use alarm::sleep_until;
pub use config::Congestion;
pub use control::Control;
pub use inflow::Inflow;
pub use outflow::Outflow;
/// The QUIC library, for endpoints.
pub use quinn;
pub use session::{Lost, Session, Vitals};
pub use verify::Verify;
