//! TLS: one store of certificates for every listener.
//!
//! Which certificate a peer gets is told by the name it asks for; whoever asks for none, or for one
//! that no certificate has, gets the first. A reload puts a whole new store in place, or none of it.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;

mod certificate;
pub mod local;
mod socket;

pub use certificate::{CertificateError, Fault};
use certificate::{Chosen, Loaded};
pub(crate) use socket::TlsSocket;

use crate::config::CertificateConfig;

/// What a listener speaks inside of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// RTMP: nothing is negotiated.
    Rtmp,
    /// Media: HTTP/1.1, because a viewer has its connection for itself.
    Media,
    /// Pages and the API: HTTP/2 and HTTP/1.1.
    Api,
}

/// What becomes of a certificate whose time is over: most peers will refuse it, which is better than
/// no server, and worse than the certificate from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    Warn,
    Refuse,
}

/// The certificates that hold now.
#[derive(Debug, Default)]
pub(crate) struct Store {
    current: RwLock<Option<Arc<Configs>>>,
}

#[derive(Debug)]
struct Configs {
    chosen: Arc<Chosen>,
    /// The certificates, each without those that lead to its authority.
    leaves: Vec<CertificateDer<'static>>,
    rtmp: Arc<ServerConfig>,
    media: Arc<ServerConfig>,
    api: Arc<ServerConfig>,
}

impl Store {
    /// Reads all certificates, and puts them in place if all can be used.
    pub(crate) fn load(
        &self,
        certificates: &[CertificateConfig],
        expired: Expired,
    ) -> Result<(), CertificateError> {
        let loaded: Result<Vec<Loaded>, _> = certificates.iter().map(Loaded::read).collect();
        let loaded = loaded?;
        let in_use = self.current().map(|c| c.leaves.clone()).unwrap_or_default();
        for one in &loaded {
            // One that is in use already is no worse for being read again.
            let expired = if in_use.contains(one.leaf()) { Expired::Warn } else { expired };
            one.check_time(expired)?;
            if one.names.is_empty() {
                let path = one.path.display();
                tracing::warn!("{path}: no name in it (subjectAltName): most peers will refuse it");
            }
        }
        let lines: Vec<_> = loaded.iter().map(Loaded::describe).collect();
        let configs = (!loaded.is_empty()).then(|| Configs::new(loaded)).transpose()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = configs.map(Arc::new);
        for (certificate, names, until) in lines {
            tracing::info!(certificate, names, until, "certificate");
        }
        Ok(())
    }

    fn current(&self) -> Option<Arc<Configs>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How to greet a peer, if there is any certificate.
    pub(crate) fn config(&self, speaks: Speaks) -> Option<Arc<ServerConfig>> {
        self.current().map(|configs| {
            Arc::clone(match speaks {
                Speaks::Rtmp => &configs.rtmp,
                Speaks::Media => &configs.media,
                Speaks::Api => &configs.api,
            })
        })
    }
}

/// Whichever certificates hold when a peer comes: for whoever keeps a configuration of its own.
impl ResolvesServerCert for Store {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()?.chosen.resolve(hello)
    }
}

impl Configs {
    fn new(loaded: Vec<Loaded>) -> Result<Configs, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let leaves = loaded.iter().map(|l| l.leaf().clone()).collect();
        let path = loaded.first().map(|l| l.path.clone()).unwrap_or_default();
        let unusable =
            |e: rustls::Error| CertificateError { path: path.clone(), fault: Fault::Unusable(e) };
        let chosen = Arc::new(Chosen::new(loaded));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&chosen) as _);
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Configs {
            chosen,
            leaves,
            rtmp: speaking(&[]),
            media: speaking(&[b"http/1.1"]),
            api: speaking(&[b"h2", b"http/1.1"]),
        })
    }
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The network failed, or the peer said something wrong.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer did not say the next thing in time.
    #[error("the handshake took over {} s", HANDSHAKE_MAX.as_secs())]
    TooLong,
}

/// Shakes hands.
pub(crate) async fn accept(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<TlsSocket, HandshakeError> {
    match tokio::time::timeout(HANDSHAKE_MAX, TlsSocket::accept(tcp, config)).await {
        Ok(socket) => Ok(socket?),
        Err(_) => Err(HandshakeError::TooLong),
    }
}

/// What a peer begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// The content type of a handshake record (RFC 8446, section 5.1), which no RTMP version and no
    /// HTTP method begins with.
    Tls,
    /// Anything else.
    Plain,
    /// Nothing, for as long as a handshake may take.
    Nothing,
    /// It has closed.
    Gone,
}

/// Waits for a first byte.
pub(crate) async fn first(tcp: &TcpStream) -> First {
    let mut first = [0];
    match tokio::time::timeout(HANDSHAKE_MAX, tcp.peek(&mut first)).await {
        Ok(Ok(1)) if first == [HANDSHAKE_RECORD] => First::Tls,
        Ok(Ok(1)) => First::Plain,
        Ok(_) => First::Gone,
        Err(_) => First::Nothing,
    }
}

/// First byte of a client's first TLS record.
pub(crate) const HANDSHAKE_RECORD: u8 = 22;
/// From the first byte of a handshake to its last.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
