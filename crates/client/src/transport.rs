//! What a connection runs over: TCP, or TLS over TCP.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// Whose certificates are good: those of the system's authorities, and of some more.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    more: Vec<CertificateDer<'static>>,
    /// Made once: the system's authorities are in files.
    config: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Trust {
    /// The system's authorities only.
    pub fn system() -> Trust {
        Trust::default()
    }

    /// Those, and the certificates of a PEM file.
    ///
    /// # Errors
    /// When there is none in it; in words.
    pub fn and(mut self, pem: &[u8]) -> Result<Trust, String> {
        self.config = Arc::default();
        let before = self.more.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.more.push(certificate.map_err(|e| format!("this is no PEM file: {e}"))?);
        }
        if self.more.len() == before {
            Err("there is no certificate in it".to_owned())
        } else {
            Ok(self)
        }
    }

    /// All of them.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        // A system without any authority still trusts those it is told to.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.more.iter().cloned());
        Arc::new(roots)
    }

    /// This as the TLS library wants it.
    ///
    /// # Errors
    /// When the library has nothing to speak TLS with.
    pub fn config(&self) -> Result<Arc<ClientConfig>, tokio_rustls::rustls::Error> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let roots = self.roots();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions()?;
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects, with TLS if `trust` says whom to trust; and says to whom it could not.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    trust: Option<&Trust>,
) -> Result<Transport, Error> {
    let tcp = connect_tcp(host, port).await?;
    let Some(trust) = trust else {
        return Ok(Transport::Tcp(tcp));
    };
    let to = format!("{host}:{port}");
    let failed = |error: io::Error| Error::Tls { to: to.clone(), error };
    let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(io::Error::other(e)))?;
    let config = trust.config().map_err(|e| failed(io::Error::other(e)))?;
    let greeted = TlsConnector::from(config).connect(name, tcp);
    match tokio::time::timeout(CONNECT_MAX, greeted).await {
        Ok(Ok(tls)) => Ok(Transport::Tls(Box::new(tls))),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Error> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Error::Resolve { host: host.to_owned(), error })?;
    let mut last = None;
    for address in addresses {
        match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
        }
    }
    let error = last.unwrap_or_else(|| io::ErrorKind::NotFound.into());
    Err(Error::Connect { to: format!("{host}:{port}"), error })
}

impl Transport {
    /// The port on this side.
    pub(crate) fn local_port(&self) -> io::Result<u16> {
        let tcp = match self {
            Transport::Tcp(tcp) => tcp,
            Transport::Tls(tls) => tls.get_ref().0,
        };
        Ok(tcp.local_addr()?.port())
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

const CONNECT_MAX: Duration = Duration::from_secs(5);
