//! RTMP-UDP version 1: RTMP messages over QUIC, in under 400 ms, to a viewer and from a publisher.
//!
//! Commands travel on one stream of both directions, in the order they were said; each message of
//! media has a stream of its own, so that one that is late holds up no other. The bytes are the same
//! natively and in a browser's WebTransport. `docs/ref/rtmp-udp.md` is the specification; the
//! sections named here are its.
//!
//! From the bytes up: [`control`] and [`media`] (framing), [`sender`] (what is sent, in which order,
//! and what is given up), [`receiver`] (what came, in the order it can be decoded), [`congestion`]
//! (how much may be in flight), [`clock`] (how far apart two clocks are), and the two sessions,
//! [`server`] and [`client`]. None of it knows QUIC: whoever does opens and resets the streams.

pub mod client;
pub mod clock;
pub mod congestion;
pub mod control;
#[doc(hidden)]
pub mod fuzz;
pub mod generations;
pub mod media;
pub mod receiver;
pub mod sender;
pub mod server;

/// Application protocol of the TLS handshake, for native peers (section 1).
pub const ALPN: &[u8] = b"rtmp-udp/1";
/// Path of the WebTransport URL (section 1).
pub const WEBTRANSPORT_PATH: &str = "/rtmp-udp/1";

/// Why a connection is closed: the code of `CONNECTION_CLOSE` or of the WebTransport session's end
/// (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Close {
    /// All is said.
    None = 0,
    /// The peer broke the protocol.
    Protocol = 1,
    /// There is no version that both know.
    Version = 2,
    /// The signature, or the right, is missing.
    Auth = 3,
    /// Nobody publishes the stream.
    NotFound = 4,
    /// There are as many as there may be.
    Limit = 5,
    /// The peer took too long.
    Timeout = 6,
    /// The server is stopping, or wants the peer elsewhere.
    GoingAway = 7,
    /// A bug of ours.
    Internal = 8,
    /// The viewer reads less than the stream brings.
    TooSlow = 9,
}

impl Close {
    /// The code's meaning, if it is one of these.
    pub fn from_code(code: u32) -> Option<Close> {
        use Close::*;
        [None, Protocol, Version, Auth, NotFound, Limit, Timeout, GoingAway, Internal, TooSlow]
            .into_iter()
            .find(|close| *close as u32 == code)
    }

    /// The word in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Close::None => "none",
            Close::Protocol => "protocol",
            Close::Version => "version",
            Close::Auth => "auth",
            Close::NotFound => "not-found",
            Close::Limit => "limit",
            Close::Timeout => "timeout",
            Close::GoingAway => "going-away",
            Close::Internal => "internal",
            Close::TooSlow => "too-slow",
        }
    }
}

/// Why a stream of media is reset by its sender (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Reset {
    /// Its time is over.
    Late = 0x10,
    /// A newer key frame has made it needless.
    Superseded = 0x11,
    /// The path is behind: the rest of the GOP is given up.
    Gated = 0x12,
    /// Nobody wants its track any more.
    TrackOff = 0x13,
}

impl Reset {
    /// All of them, in the order of their codes.
    pub const ALL: [Reset; 4] = [Reset::Late, Reset::Superseded, Reset::Gated, Reset::TrackOff];

    /// Its place among [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        self as usize - Reset::Late as usize
    }

    /// The word in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reset::Late => "late",
            Reset::Superseded => "superseded",
            Reset::Gated => "gated",
            Reset::TrackOff => "track-off",
        }
    }
}
