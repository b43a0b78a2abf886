//! The server as a whole: bound by [`Server::load`], at work in [`Server::run`].
//!
//! Loading is apart from running so that a port that is taken, or a wrong key, is known before
//! anything is served; and so that a test can ask which port it got.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use thalweg_access::PolicyReader;
use thalweg_hub::{Hub, InProcess};
use thalweg_quic::quinn::Endpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::clock::now;
use crate::config::Config;
use crate::context::{Context, Current};
use crate::egress::Egress;
use crate::gate::{Gate, Place};
use crate::listen::{Listeners, LoadError};
use crate::metrics::Metrics;
use crate::reload::Reloader;
use crate::remote::RemoteAuth;
use crate::sessions::Sessions;
use crate::tls::{Expired, Store};
use crate::udp::{OwnCertificates, Udp};
use crate::{doors, ops, socket, udp};

/// A server whose ports are bound.
#[derive(Debug)]
pub struct Server {
    ctx: Arc<Context>,
    stop: watch::Sender<bool>,
    listeners: Listeners,
    /// RTMP over UDP, where it is served.
    udp: Option<Endpoint>,
}

/// What else is answered over HTTP, beside the server's own.
#[derive(Default)]
pub struct Pages {
    /// To everyone, plain and by TLS.
    pub public: Router,
    /// On the operator's listener.
    pub operator: Router,
    /// Metrics of others, in the OpenMetrics format and without its end, beside the server's own.
    pub metrics: Option<More>,
}

/// Says more whenever somebody asks.
pub type More = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Server {
    /// Binds every port.
    ///
    /// # Errors
    /// [`LoadError`], which names the port and the key to change it.
    pub fn load(config: Config, policy: PolicyReader) -> Result<Server, LoadError> {
        let mut listeners = Listeners::bind(&config)?;
        let tls = Arc::new(Store::default());
        tls.load(&config.certificates, Expired::Warn)?;
        let hub = Hub::new(config.hub_limits(), InProcess::default());
        let limits = &config.limits;
        let gate = Gate::new(config.gate_limits());
        let own = listeners.udp.is_some() && config.has_own_udp_certificate();
        let own = own.then(|| {
            OwnCertificates::open(config.data_dir.join(UDP_FOLDER), &config.public_host)
                .map(Arc::new)
        });
        let port = listeners.udp.as_ref().and_then(|udp| udp.local_addr().ok()).map(|at| at.port());
        let udp = Udp::new(port, own.transpose()?);
        let endpoint = listeners.udp.take().map(|socket| udp.endpoint(socket, &config, &tls));
        let endpoint = endpoint.transpose()?;
        let board = udp.board.clone();
        let metrics =
            Metrics::new(hub.clone(), Arc::clone(&gate), board, limits.metrics_streams_max);
        let pumps = std::thread::available_parallelism().map_or(1, usize::from);
        let egress = Egress::start(pumps, limits.viewer_bytes_per_s_min);
        let (stop, stopping) = watch::channel(false);
        let config = Current::new(config);
        let sessions = Sessions::default();
        let ctx = Arc::new(Context {
            config,
            hub,
            policy,
            egress,
            gate,
            sessions,
            spent: Mutex::default(),
            remote: OnceLock::new(),
            metrics,
            tls,
            udp,
            stopping,
        });
        Ok(Server { ctx, stop, listeners, udp: endpoint })
    }

    /// Has accounts' own back ends asked by this. Without it who has to ask one is refused. Once:
    /// the first stays.
    #[must_use]
    pub fn with_remote(self, remote: Arc<dyn RemoteAuth>) -> Server {
        let _ = self.ctx.remote.set(remote);
        self
    }

    /// The streams.
    pub fn hub(&self) -> &Hub {
        &self.ctx.hub
    }

    /// Where RTMP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn rtmp_address(&self) -> io::Result<SocketAddr> {
        self.listeners.rtmp.local_addr()
    }

    /// Where public HTTP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn http_address(&self) -> io::Result<SocketAddr> {
        self.listeners.http.local_addr()
    }

    /// Where public HTTPS is listened for, if there is a certificate.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn https_address(&self) -> io::Result<Option<SocketAddr>> {
        self.listeners.https.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Where RTMP over UDP is listened for, if it is.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn udp_address(&self) -> io::Result<Option<SocketAddr>> {
        self.udp.as_ref().map(Endpoint::local_addr).transpose()
    }

    /// What changes the server while it runs.
    pub fn reloader(&self) -> Reloader {
        Reloader::new(Arc::clone(&self.ctx))
    }

    /// Where the operator's HTTP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn operator_address(&self) -> io::Result<SocketAddr> {
        self.listeners.operator.local_addr()
    }

    /// Serves until `shutdown`, then tells everyone and waits for them, up to the configured
    /// deadline; whoever comes meanwhile is told as well.
    pub async fn run(self, pages: Pages, shutdown: impl Future<Output = ()>) {
        let Server { ctx, stop, listeners, udp } = self;
        listeners.log(udp.as_ref().and_then(|udp| udp.local_addr().ok()));
        let mut doors = Doors {
            public: ops::public_router(&ctx, pages.public),
            private: ops::operator_router(&ctx, pages.operator, pages.metrics),
            operators: Arc::new(Semaphore::new(OPERATORS_MAX)),
            tasks: JoinSet::new(),
            ctx,
            listeners,
            udp,
        };
        tokio::select! {
            () = doors.keep() => {}
            () = shutdown => {}
        }
        let ctx = Arc::clone(&doors.ctx);
        let deadline = Duration::from_secs(ctx.config.get().limits.stop_wait_s);
        tracing::info!(connections = ctx.gate.connections(), ?deadline, "stopping");
        stop.send_replace(true);
        ctx.hub.stop();
        let drained = async {
            while ctx.gate.connections() > 0 || ctx.egress.seated() > 0 {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        tokio::select! {
            () = doors.keep() => {}
            () = drained => {}
            () = tokio::time::sleep(deadline) => {
                let left = ctx.gate.connections();
                tracing::warn!(left, "stopped without waiting for the last connections");
            }
        }
        if let Some(endpoint) = &doors.udp {
            udp::close(endpoint).await;
        }
    }
}

/// The listeners, and everyone who came through them.
struct Doors {
    ctx: Arc<Context>,
    listeners: Listeners,
    public: Router,
    private: Router,
    operators: Arc<Semaphore>,
    tasks: JoinSet<()>,
    udp: Option<Endpoint>,
}

impl Doors {
    /// Lets in whoever comes, without end.
    async fn keep(&mut self) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let ctx = &self.ctx;
            tokio::select! {
                accepted = self.listeners.rtmp.accept() => {
                    if let Some((tcp, peer, place)) = admit(ctx, accepted).await {
                        self.tasks.spawn(doors::rtmp(Arc::clone(ctx), tcp, peer, place));
                    }
                }
                accepted = self.listeners.http.accept() => {
                    if let Some((tcp, peer, place)) = admit(ctx, accepted).await {
                        let (ctx, router) = (Arc::clone(ctx), self.public.clone());
                        self.tasks.spawn(doors::http(ctx, tcp, peer, place, router));
                    }
                }
                accepted = accept_any(self.listeners.https.as_ref()) => {
                    if let Some((tcp, peer, place)) = admit(ctx, accepted).await {
                        let (ctx, router) = (Arc::clone(ctx), self.public.clone());
                        self.tasks.spawn(doors::https(ctx, tcp, peer, place, router));
                    }
                }
                accepted = self.listeners.operator.accept() => {
                    let permit = Arc::clone(&self.operators).try_acquire_owned();
                    if let (Some((tcp, peer)), Ok(permit)) = (set_up(accepted).await, permit) {
                        let (ctx, router) = (Arc::clone(ctx), self.private.clone());
                        self.tasks.spawn(async move {
                            doors::operator(ctx, tcp, peer, router).await;
                            drop(permit);
                        });
                    }
                }
                Some(served) = accept_udp(ctx, self.udp.as_ref()) => {
                    self.tasks.spawn(served);
                }
                _ = sweep.tick() => {
                    ctx.udp.rotate();
                    ctx.hub.sweep(now());
                    ctx.log_unheard();
                }
                Some(ended) = self.tasks.join_next() => log_panic(ended),
            }
        }
    }
}

/// Accepts from a listener that there may not be.
async fn accept_any(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// The same over UDP.
async fn accept_udp(
    ctx: &Arc<Context>,
    endpoint: Option<&Endpoint>,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    match endpoint {
        Some(endpoint) => udp::accept(ctx, endpoint).await,
        None => std::future::pending().await,
    }
}

/// Takes a connection in and gives it a place.
async fn admit(
    ctx: &Context,
    accepted: io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let (stream, peer) = set_up(accepted).await?;
    let place = ctx.gate.enter(peer.ip())?;
    Some((stream, peer, place))
}

async fn set_up(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    let (stream, peer) = match accepted {
        Ok((stream, peer)) => (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
        Err(error) => {
            // Out of file descriptors, most likely: asking again at once would only spin.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return None;
        }
    };
    if let Err(error) = socket::set_up(&stream) {
        tracing::debug!(%peer, %error, "connection lost before it began");
        return None;
    }
    Some((stream, peer))
}

/// One connection's panic is a bug, and that connection's end; nobody else's.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended by a bug");
    }
}

/// In the data folder: the UDP endpoint's own certificates.
const UDP_FOLDER: &str = "udp";
/// Programs of one operator that ask at the same time.
const OPERATORS_MAX: usize = 256;
const DRAIN_LOOK: Duration = Duration::from_millis(20);
const SWEEP: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
