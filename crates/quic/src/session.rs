//! A connection, natively by QUIC or from a browser by WebTransport: the same to whoever uses it.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionError, VarInt};
use thalweg_wire::error::Misbehaved;
use thalweg_wire::rtmp_udp::sender::Path;
use thalweg_wire::rtmp_udp::{Close, WEBTRANSPORT_PATH};
use web_transport_quinn::{
    ReadError, RecvStream, Request, SendStream, SessionError, WebTransportError, WriteError, http,
};

use crate::config::{PUBLISHER_UNI_STREAMS, WINDOW_BYTES};
use crate::live::Shared;

/// A connection. Clones are the same one.
#[derive(Clone)]
pub struct Session {
    inner: web_transport_quinn::Session,
    live: Option<Arc<Shared>>,
    /// Of a browser: the origin of its page, empty when it did not say.
    origin: Option<Arc<str>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", if self.is_browser() { "webtransport" } else { "quic" })
    }
}

/// Why a connection is over.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Lost {
    /// The peer closed it.
    #[error("closed by the peer: {}", words(*code, reason))]
    Closed {
        /// A code of [`Close`], or another.
        code: u32,
        /// What it says.
        reason: String,
    },
    /// The peer did not answer any more.
    #[error("the peer has been silent for too long")]
    TimedOut,
    /// We closed it.
    #[error("closed by us")]
    Here,
    /// TLS failed: another certificate than was expected, or no protocol that both speak.
    #[error("{0}")]
    Tls(String),
    /// Something else went wrong on the way.
    #[error("{0}")]
    Transport(String),
    /// Something was wrong with what the peer said.
    #[error("{0}")]
    Protocol(#[from] thalweg_wire::Error),
}

/// How a connection fares.
#[derive(Debug, Clone, Copy)]
pub struct Vitals {
    /// What the sender's rules go by.
    pub path: Path,
    /// Least round trip of late.
    pub min_rtt: Duration,
    /// Packets sent.
    pub packets_sent: u64,
    /// Of these, lost.
    pub packets_lost: u64,
    /// Datagrams that came.
    pub datagrams_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
}

impl Session {
    /// A native peer's.
    pub fn raw(connection: quinn::Connection) -> Session {
        let live = Shared::of(&connection);
        Session { inner: web_transport_quinn::Session::raw(connection), live, origin: None }
    }

    /// A browser's, once it has asked for the right path; every other is answered 404.
    ///
    /// # Errors
    /// [`Lost`] when it asks for something else, or nothing that can be understood.
    pub async fn browser(connection: quinn::Connection) -> Result<Session, Lost> {
        let live = Shared::of(&connection);
        let other = |e: web_transport_quinn::ServerError| Lost::Transport(e.to_string());
        let request = Request::accept(connection.clone()).await.map_err(other)?;
        if request.url.path() != WEBTRANSPORT_PATH {
            let path = request.url.path().to_owned();
            request.reject(http::StatusCode::NOT_FOUND).await.map_err(other)?;
            // A connection that goes takes an answer with it that is still on its way.
            let _ = tokio::time::timeout(LAST_WORDS, connection.closed()).await;
            return Err(Lost::Transport(format!("a browser asked for {path:?}")));
        }
        let origin = origin_of(&request.headers);
        let inner = request.ok().await.map_err(other)?;
        Ok(Session { inner, live, origin: Some(origin) })
    }

    pub(crate) fn of_browser(inner: web_transport_quinn::Session) -> Session {
        let live = Shared::of(&inner);
        Session { inner, live, origin: Some(Arc::from("")) }
    }

    /// Whether the peer is a browser.
    pub fn is_browser(&self) -> bool {
        self.origin.is_some()
    }

    /// The origin of the page that a browser is on, empty when it did not say. A native peer has none.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The QUIC connection.
    pub fn connection(&self) -> &quinn::Connection {
        &self.inner
    }

    /// Grants a publisher that was let in what it needs (section 8).
    pub fn let_in_publisher(&self) {
        let connection = self.connection();
        connection.set_max_concurrent_uni_streams(VarInt::from_u32(PUBLISHER_UNI_STREAMS));
        connection.set_receive_window(VarInt::from_u32(WINDOW_BYTES));
    }

    /// Tells congestion control what the stream brings.
    pub fn set_bitrate(&self, bits_per_s: u64) {
        if let Some(live) = &self.live {
            live.set_bitrate(bits_per_s);
        }
    }

    /// What the sender's rules go by.
    pub fn path(&self) -> Path {
        let connection = self.connection();
        Path { srtt: connection.rtt(), window: connection.stats().path.cwnd }
    }

    /// How it fares.
    pub fn vitals(&self) -> Vitals {
        let connection = self.connection();
        let stats = connection.stats();
        let least = self.live.as_ref().map(|l| l.min_rtt()).filter(|rtt| !rtt.is_zero());
        Vitals {
            path: Path { srtt: connection.rtt(), window: stats.path.cwnd },
            min_rtt: least.unwrap_or_else(|| connection.min_rtt()),
            packets_sent: stats.path.sent_packets,
            packets_lost: stats.path.lost_packets,
            datagrams_received: stats.udp_rx.datagrams,
            bytes_sent: stats.udp_tx.bytes,
        }
    }

    /// Closes it, says why, and waits until the peer knows, a second at most. What was written and not
    /// yet sent is lost.
    pub async fn close(&self, why: Close, reason: &str) {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        self.inner.close(why as u32, &reason.as_bytes()[..end]);
        // HTTP/3's own streams go with the last handle, and a browser that loses one of them before it
        // has read the reason is told of a lost connection instead.
        let _ = tokio::time::timeout(LAST_WORDS, self.inner.closed()).await;
    }

    /// Waits until it is over.
    pub async fn closed(&self) -> Lost {
        self.inner.closed().await.into()
    }

    /// Waits until the peer opens a second control stream, which it must not; or is gone.
    pub async fn second_control(&self) -> Lost {
        match self.accept_control().await {
            Ok(_) => Lost::Protocol(Misbehaved::SecondControlStream.into()),
            Err(lost) => lost,
        }
    }

    /// Waits until a viewer sends media, which it must not; or is gone.
    pub async fn media_from_viewer(&self) -> Lost {
        match self.accept_media().await {
            Ok(_) => Lost::Protocol(Misbehaved::MediaFromViewer.into()),
            Err(lost) => lost,
        }
    }

    pub(crate) async fn open_control(&self) -> Result<(SendStream, RecvStream), Lost> {
        Ok(self.inner.open_bi().await?)
    }

    pub(crate) async fn accept_control(&self) -> Result<(SendStream, RecvStream), Lost> {
        Ok(self.inner.accept_bi().await?)
    }

    pub(crate) async fn open_media(&self) -> Result<SendStream, Lost> {
        Ok(self.inner.open_uni().await?)
    }

    pub(crate) async fn accept_media(&self) -> Result<RecvStream, Lost> {
        Ok(self.inner.accept_uni().await?)
    }
}

impl Lost {
    /// The peer's code, if it is one of the protocol's.
    pub fn close(&self) -> Option<Close> {
        match self {
            Lost::Closed { code, .. } => Close::from_code(*code),
            _ => None,
        }
    }
}

impl From<SessionError> for Lost {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::WebTransportError(WebTransportError::Closed(code, reason)) => {
                Lost::Closed { code, reason }
            }
            SessionError::ConnectionError(error) => error.into(),
            other => Lost::Transport(other.to_string()),
        }
    }
}

impl From<ConnectionError> for Lost {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => Lost::Closed {
                code: u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            ConnectionError::TimedOut => Lost::TimedOut,
            ConnectionError::LocallyClosed => Lost::Here,
            // TLS alerts are QUIC's codes 0x100 to 0x1ff (RFC 9001 section 4.8). Whoever answers that it
            // does not speak this protocol has said nothing about its certificate.
            ConnectionError::TransportError(e)
                if u64::from(e.code) >> 8 == 1 && u64::from(e.code) != NO_COMMON_ALPN =>
            {
                Lost::Tls(e.to_string())
            }
            other => Lost::Transport(other.to_string()),
        }
    }
}

impl From<WriteError> for Lost {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::SessionError(error) => error.into(),
            other => Lost::Transport(other.to_string()),
        }
    }
}

impl From<ReadError> for Lost {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::SessionError(error) => error.into(),
            other => Lost::Transport(other.to_string()),
        }
    }
}

/// What a browser says of its page. One that says it twice says nothing.
fn origin_of(headers: &http::HeaderMap) -> Arc<str> {
    let mut all = headers.get_all("origin").iter().map(http::HeaderValue::to_str);
    match (all.next(), all.next()) {
        (Some(Ok(origin)), None) => Arc::from(origin),
        _ => Arc::from(""),
    }
}

fn words(code: u32, reason: &str) -> String {
    let name = Close::from_code(code).map_or("code", Close::name);
    if reason.is_empty() { format!("{name} {code}") } else { format!("{reason} ({name})") }
}

/// TLS alert 120, `no_application_protocol`.
const NO_COMMON_ALPN: u64 = 0x100 + 120;
/// Of a close frame: it has to fit a packet.
const REASON_BYTES_MAX: usize = 512;
/// How long a peer may take to read the last of what it is told.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_page_is_what_it_says_once() {
        for (said, want) in [
            (&["https://page.example"][..], "https://page.example"),
            (&[], ""),
            (&["https://page.example", "https://other.example"], ""),
        ] {
            let mut headers = http::HeaderMap::new();
            for origin in said {
                headers.append("origin", http::HeaderValue::from_static(origin));
            }
            assert_eq!(&*origin_of(&headers), want);
        }
    }
}
