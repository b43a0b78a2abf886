//! What can go wrong, and whose doing it is.

use std::io;

use thalweg_wire::rtmp::address::BadAddress;
use thalweg_wire::rtmp::command::Status;
use thalweg_wire::rtmp_udp::Close;

/// Why a stream could not be sent or watched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one of ours.
    #[error("{0}")]
    Url(#[from] BadAddress),
    /// The URL's scheme is not known here.
    #[error("{0}")]
    Scheme(&'static str),
    /// The host cannot be found.
    #[error("cannot find host {host}: {error}")]
    Resolve {
        /// As in the URL.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot connect to {to}: {error}")]
    Connect {
        /// Host and port.
        to: String,
        /// What the system said.
        error: io::Error,
    },
    /// The certificate is not trusted, or what answers does not speak TLS.
    #[error("no secure connection to {to}: {error}")]
    Tls {
        /// Host and port.
        to: String,
        /// What the TLS library said.
        error: io::Error,
    },
    /// The server closed a WebSocket.
    #[error("the server closed the stream: {}", close_words(*code, reason))]
    WebSocketClosed {
        /// The code: 1000 is an ordinary end, 4000 and more an HTTP status and 4000.
        code: u16,
        /// What it says.
        reason: String,
    },
    /// The WebSocket failed.
    #[error("the connection failed: {0}")]
    WebSocket(String),
    /// The connection over UDP is over.
    #[error("the connection over UDP is over: {0}")]
    Udp(thalweg_quic::Lost),
    /// Nobody answers over UDP.
    #[error(
        "{to} does not answer over UDP: a firewall on the way, or RTMP over UDP is served on \
         another port or not at all"
    )]
    UdpSilent {
        /// Host and port.
        to: String,
    },
    /// UDP does not get through to the server.
    #[error("UDP does not get through: a firewall on the way, or none is served")]
    UdpBlocked,
    /// The server said no.
    #[error("the server refused: {}", words(.0))]
    Refused(Status),
    /// The server ended the stream.
    #[error("the server ended the stream: {}", words(.0))]
    Ended(Status),
    /// An HTTP status other than 200.
    #[error("the server answered {status}: {body}")]
    Http {
        /// The status.
        status: u16,
        /// What it says, cut short.
        body: String,
    },
    /// The server closed without a word.
    #[error("the server closed the connection")]
    Closed,
    /// The server took too long to answer.
    #[error("the server did not answer in time")]
    NoAnswer,
    /// The network failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// Something was wrong with what the server said.
    #[error("the server does not keep to the protocol: {0}")]
    Protocol(#[from] thalweg_wire::Error),
    /// The port speaks something other than RTMP.
    #[error("{to} answers {what}, not RTMP: is the port right?")]
    NotRtmp {
        /// Host and port.
        to: String,
        /// What it seems to be.
        what: &'static str,
    },
    /// The port speaks something other than HTTP.
    #[error("{to} does not answer HTTP: is the port right?")]
    NotHttp {
        /// Host and port.
        to: String,
    },
    /// The HTTP connection failed.
    #[error("the connection failed: {0}")]
    Hyper(#[from] hyper::Error),
}

impl From<thalweg_quic::Lost> for Error {
    fn from(lost: thalweg_quic::Lost) -> Self {
        match lost {
            thalweg_quic::Lost::Protocol(error) => Error::Protocol(error),
            lost => Error::Udp(lost),
        }
    }
}

impl Error {
    /// Whether a play that failed over UDP may do over TCP: UDP does not get through, or the server
    /// refuses what plain play need not have. A certificate other than the one expected is no reason to
    /// do without.
    pub fn may_fall_back(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::NoAnswer
            | Error::UdpBlocked
            | Error::UdpSilent { .. } => true,
            Error::Udp(lost) => !matches!(lost, thalweg_quic::Lost::Tls(_)),
            Error::Refused(_) => true,
            _ => false,
        }
    }

    /// Whether a play over UDP has broken off: the network failed, or the server is gone. What the server
    /// has ended or refused has not.
    pub fn is_broken_off(&self) -> bool {
        let Error::Udp(lost) = self else { return false };
        match lost {
            thalweg_quic::Lost::TimedOut | thalweg_quic::Lost::Transport(_) => true,
            lost => {
                matches!(lost.close(), Some(Close::Timeout | Close::GoingAway | Close::Internal))
            }
        }
    }

    /// Whether trying again later may help: the network failed, or the stream was not there.
    pub fn may_pass(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::Resolve { .. }
            | Error::NoAnswer
            | Error::Closed
            | Error::Udp(_)
            | Error::UdpBlocked
            | Error::UdpSilent { .. }
            | Error::Io(_) => true,
            Error::Http { status, .. } => matches!(status, 404 | 429 | 503),
            Error::WebSocketClosed { code, .. } => matches!(code, 1000 | 1001 | 4404 | 4429 | 4503),
            Error::WebSocket(_) => true,
            Error::Ended(status) => !status.code.ends_with("Replaced"),
            _ => false,
        }
    }
}

fn close_words(code: u16, reason: &str) -> String {
    if reason.is_empty() { format!("code {code}") } else { format!("{reason} (code {code})") }
}

fn words(status: &Status) -> String {
    let Status { code, description, reason, .. } = status;
    match reason {
        Some(reason) => format!("{description} ({reason}, {code})"),
        None if description.is_empty() => code.to_string(),
        None => format!("{description} ({code})"),
    }
}
