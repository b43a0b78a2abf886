//! One request and its answer, within bounds of time and size, to where it may go.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{IpAddr as TlsAddress, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Host;

use crate::hooks::body::SIGNATURE;
use crate::hooks::target::{Allow, Target};

/// Whoever sends requests: [`Client`], or a test's receiver.
#[async_trait]
pub trait Post: fmt::Debug + Send + Sync {
    /// Sends a request and reads the whole of its answer, of which the status is what counts.
    async fn post(&self, message: &Message) -> Result<u16, Undelivered>;
}

/// What is sent.
#[derive(Clone)]
pub struct Message {
    /// Where to.
    pub target: Target,
    /// JSON.
    pub body: String,
    /// What its header of the strong signature says, if it is signed.
    pub signature: Option<String>,
    /// How long everything may take: resolving, connecting, sending, the answer.
    pub within: Duration,
}

/// Why there is no answer. No text has the URL's path or query in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Undelivered {
    #[error("the host's name cannot be resolved: {0}")]
    Name(String),
    #[error("the host has an address that may not be called: see callback_allow")]
    Forbidden,
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer cannot be understood: {0}")]
    Garbled(String),
}

/// Which addresses a name has.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// All of them.
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver. It cannot be told to stop: whoever gave up waiting leaves a thread behind that waits
/// on, and of those there are only so many.
#[derive(Debug)]
pub struct SystemResolver {
    threads: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        SystemResolver { threads: Arc::new(Semaphore::new(RESOLVING_MAX)) }
    }
}

/// Sends requests over HTTP/1.1, a connection each: they are rare, and a connection that is kept
/// would outlive the check of its address. Follows no redirect and knows no proxy.
#[derive(Debug)]
pub struct Client {
    allow: Allow,
    resolver: Box<dyn Resolve>,
    /// Made when first needed: reading the system's authorities takes a while.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Client {
    /// A client that may call the open internet and what is allowed besides.
    pub fn new(allow: Allow) -> Client {
        Client::with_resolver(allow, SystemResolver::default())
    }

    /// One with a resolver of its own.
    pub fn with_resolver(allow: Allow, resolver: impl Resolve + 'static) -> Client {
        Client { allow, resolver: Box::new(resolver), tls: OnceLock::new() }
    }

    async fn exchange(&self, message: &Message, until: Instant) -> Result<u16, Undelivered> {
        let target = &message.target;
        let found = self.find(target).await?;
        let checked = self.allow.check(target, &found).ok_or(Undelivered::Forbidden)?;
        let tcp = connect(&checked, until).await?;
        if !target.is_tls() {
            return talk(tcp, message).await;
        }
        let (tls, name) = (self.tls()?, server_name(target)?);
        let secured = TlsConnector::from(tls).connect(name, tcp).await;
        talk(secured.map_err(|e| Undelivered::Connect(e.to_string()))?, message).await
    }

    /// The addresses of a target: the only time that anybody asks for them.
    async fn find(&self, target: &Target) -> Result<Vec<IpAddr>, Undelivered> {
        match target.host() {
            Host::Ipv4(address) => Ok(vec![IpAddr::V4(*address)]),
            Host::Ipv6(address) => Ok(vec![IpAddr::V6(*address)]),
            Host::Domain(name) => {
                let found = self.resolver.resolve(name, target.port()).await;
                found.map_err(|e| Undelivered::Name(e.to_string()))
            }
        }
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Undelivered> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|e| Undelivered::Connect(e.to_string()))?;
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

#[async_trait]
impl Post for Client {
    async fn post(&self, message: &Message) -> Result<u16, Undelivered> {
        let until = Instant::now() + message.within;
        let all = timeout_at(until, self.exchange(message, until)).await;
        all.unwrap_or(Err(Undelivered::Late(message.within)))
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<IpAddr>> {
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        let resolve = move || -> io::Result<Vec<IpAddr>> {
            let _thread = thread;
            Ok((name.as_str(), port).to_socket_addrs()?.map(|a| a.ip()).collect())
        };
        tokio::task::spawn_blocking(resolve).await.map_err(io::Error::other)?
    }
}

/// Tries one address after the other, each with an equal share of the time that is left, so that one
/// that swallows packets does not stand for the others.
async fn connect(checked: &[SocketAddr], until: Instant) -> Result<TcpStream, Undelivered> {
    let mut last = Undelivered::Forbidden;
    for (tried, address) in checked.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let shares = u32::try_from(checked.len() - tried).unwrap_or(1);
        match timeout_at(Instant::now() + left / shares, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = Undelivered::Connect(error.to_string()),
            Err(_) => last = Undelivered::Connect("nobody answers".to_owned()),
        }
    }
    Err(last)
}

/// The request and its answer, over a connection that is gone afterwards.
async fn talk<S>(socket: S, message: &Message) -> Result<u16, Undelivered>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let garbled = |e: hyper::Error| Undelivered::Garbled(e.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(garbled)?;
    let exchange = async {
        let answer = sender.send_request(request(message)?).await.map_err(garbled)?;
        let status = answer.status().as_u16();
        let whole = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        match whole {
            Ok(_) => Ok(status),
            Err(e) if e.is::<LengthLimitError>() => Err(Undelivered::TooLong),
            Err(e) => Err(Undelivered::Garbled(e.to_string())),
        }
    };
    // The connection ends with the exchange, and both with this future: nothing runs on behind it.
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

fn request(message: &Message) -> Result<Request<Full<Bytes>>, Undelivered> {
    let mut request = Request::post(message.target.path())
        .header(HOST, message.target.authority())
        .header(USER_AGENT, concat!("thalweg/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close");
    if let Some(signature) = &message.signature {
        request = request.header(SIGNATURE, signature);
    }
    let body = Full::new(Bytes::from(message.body.clone()));
    request.body(body).map_err(|e| Undelivered::Garbled(e.to_string()))
}

fn server_name(target: &Target) -> Result<ServerName<'static>, Undelivered> {
    Ok(match target.host() {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|e| Undelivered::Connect(e.to_string()))?
        }
        Host::Ipv4(address) => ServerName::IpAddress(TlsAddress::from(IpAddr::V4(*address))),
        Host::Ipv6(address) => ServerName::IpAddress(TlsAddress::from(IpAddr::V6(*address))),
    })
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message(to {}, {} bytes)", self.target, self.body.len())
    }
}

/// Names that are resolved at one time: half of the callbacks that are under way, and as many questions. The
/// system takes 30 s at most for one that nobody knows.
const RESOLVING_MAX: usize = 32;
/// What of an answer's body is read: the vendor's suggestion has ten bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What of an answer's head is read.
const HEAD_BYTES_MAX: usize = 16 * 1024;
