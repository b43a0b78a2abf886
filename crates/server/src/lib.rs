//! Sockets.
//!
//! A frame walks one way: socket, [`drive`], session, hub, [`egress`], socket. Each transport keeps
//! the same outline: accept, who is it, may it, hub, egress.
//!
//! | to ... | start at |
//! |---|---|
//! | run a server | [`Server::load`], then [`Server::run`] |
//! | change one that runs | [`Server::reloader`] |
//! | speak TLS in a room without names | [`tls::local`] |
//! | read a configuration file | [`Config::parse`] |

mod cause;
mod clock;
pub mod config;
mod contain;
mod context;
mod doors;
pub mod drive;
pub mod egress;
#[doc(hidden)]
pub mod fuzz;
pub mod gate;
mod http;
mod http_flv;
pub mod http_head;
mod listen;
mod metrics;
mod ops;
mod publishing;
mod reload;
pub mod remote;
mod rtmp;
mod server;
mod sessions;
pub mod socket;
pub mod tls;
mod udp;
mod viewing;
mod ws_flv;

pub use config::{Config, ConfigError};
pub use listen::LoadError;
pub use reload::Reloader;
pub use remote::{Question, RemoteAuth};
pub use server::{More, Pages, Server};
pub use udp::OwnCertificateError;
