//! The server as a whole: bound by [`Server::load`], at work in [`Server::run`].
//!
//! Loading is apart from running so that a port that is taken, or a wrong key, is known before
//! anything is served; and so that a test can ask which port it got.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use thalweg_access::PolicyReader;
use thalweg_hub::{Hub, InProcess};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::now;
use crate::config::{Config, HTTP_PORT, Listen};
use crate::context::Context;
use crate::egress::Egress;
use crate::gate::{Gate, Place};
use crate::metrics::Metrics;
use crate::{http, ops, rtmp, socket};

/// A server whose ports are bound.
#[derive(Debug)]
pub struct Server {
    ctx: Arc<Context>,
    stop: watch::Sender<bool>,
    rtmp: TcpListener,
    http: TcpListener,
    operator: TcpListener,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A port is taken.
    #[error(
        "port {port} for {what} is in use by another program: stop it, or set {key} in the \
         configuration"
    )]
    PortInUse {
        /// What it was for.
        what: &'static str,
        /// Which port.
        port: u16,
        /// Where another one can be set.
        key: &'static str,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {what} ({key}): {error}")]
    Listen {
        /// What it was for.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Where another one can be set.
        key: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl Server {
    /// Binds every port.
    ///
    /// # Errors
    /// [`LoadError`], which names the port and the key to change it.
    pub fn load(config: Config, policy: PolicyReader) -> Result<Server, LoadError> {
        let rtmp = bind("RTMP", "rtmp.listen", listen_of(&config.rtmp, thalweg_wire::rtmp::PORT))?;
        let http = bind("HTTP", "http.listen", listen_of(&config.http, HTTP_PORT))?;
        let operator = bind("the operator's HTTP", "operator.listen", config.operator.listen)?;
        let hub = Hub::new(config.hub_limits(), InProcess::default());
        let limits = &config.limits;
        let gate = Gate::new(
            limits.connections_max,
            limits.strangers_per_address_max,
            limits.strangers_bytes_max,
        );
        let metrics = Metrics::new(hub.clone(), Arc::clone(&gate), limits.metrics_streams_max);
        let pumps = std::thread::available_parallelism().map_or(1, usize::from);
        let egress = Egress::start(pumps, limits.viewer_bytes_per_s_min);
        let (stop, stopping) = watch::channel(false);
        let ctx = Arc::new(Context { config, hub, policy, egress, gate, metrics, stopping });
        Ok(Server { ctx, stop, rtmp, http, operator })
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
        self.rtmp.local_addr()
    }

    /// Where public HTTP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn http_address(&self) -> io::Result<SocketAddr> {
        self.http.local_addr()
    }

    /// Where the operator's HTTP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn operator_address(&self) -> io::Result<SocketAddr> {
        self.operator.local_addr()
    }

    /// Serves until `shutdown`, then tells everyone and waits for them, up to the configured
    /// deadline. `console` answers on the operator's listener whatever is not the server's own.
    pub async fn run(self, console: Router, shutdown: impl Future<Output = ()>) {
        let Server { ctx, stop, rtmp, http, operator } = self;
        let public = ops::public_router(&ctx);
        let private = ops::operator_router(&ctx, console);
        let mut tasks = JoinSet::new();
        let mut sweep = tokio::time::interval(SWEEP);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = rtmp.accept() => {
                    if let Some((stream, peer, place)) = admit(&ctx, accepted).await {
                        let ctx = Arc::clone(&ctx);
                        tasks.spawn(rtmp::serve(ctx, Arc::new(stream), peer, place));
                    }
                }
                accepted = http.accept() => {
                    if let Some((stream, peer, place)) = admit(&ctx, accepted).await {
                        let (ctx, router) = (Arc::clone(&ctx), public.clone());
                        tasks.spawn(http::serve(ctx, stream, peer, place, router));
                    }
                }
                accepted = operator.accept() => {
                    if let Ok((stream, _)) = accepted {
                        tasks.spawn(http::serve_operator(Arc::clone(&ctx), stream, private.clone()));
                    }
                }
                _ = sweep.tick() => ctx.hub.sweep(now()),
                Some(ended) = tasks.join_next() => log_panic(ended),
                () = &mut shutdown => break,
            }
        }
        drop((rtmp, http, operator));
        drain(&ctx, &stop, tasks).await;
    }
}

/// Takes a connection in, sets it up, and gives it a place.
async fn admit(
    ctx: &Context,
    accepted: io::Result<(TcpStream, SocketAddr)>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let (stream, peer) = match accepted {
        Ok((stream, peer)) => (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
        Err(error) => {
            // Out of file descriptors, most likely: asking again at once would only spin.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return None;
        }
    };
    let place = ctx.gate.enter(peer.ip())?;
    if let Err(error) = socket::set_up(&stream) {
        tracing::debug!(%peer, %error, "connection lost before it began");
        return None;
    }
    Some((stream, peer, place))
}

/// Tells everyone that the server stops, and waits for them.
async fn drain(ctx: &Context, stop: &watch::Sender<bool>, mut tasks: JoinSet<()>) {
    let deadline = Duration::from_secs(ctx.config.limits.stop_wait_s);
    tracing::info!(connections = ctx.gate.connections(), ?deadline, "stopping");
    stop.send_replace(true);
    ctx.hub.stop();
    let drained = tokio::time::timeout(deadline, async {
        while let Some(ended) = tasks.join_next().await {
            log_panic(ended);
        }
        while ctx.egress.seated() > 0 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    });
    if drained.await.is_err() {
        let left = ctx.gate.connections();
        tracing::warn!(left, "stopped without waiting for the last connections");
    }
}

/// One connection's panic is a bug, and that connection's end; nobody else's.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended by a bug");
    }
}

fn listen_of(listen: &Listen, port: u16) -> SocketAddr {
    listen.listen.unwrap_or(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
}

fn bind(
    what: &'static str,
    key: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, LoadError> {
    let any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let bound = match bind_socket(address) {
        // A machine without IPv6 still has every IPv4 address.
        Err(e) if any_v6 && e.kind() != io::ErrorKind::AddrInUse => {
            bind_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))
        }
        bound => bound,
    };
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => LoadError::PortInUse { what, port: address.port(), key },
        _ => LoadError::Listen { what, address, key, error },
    })
}

/// A listener that takes IPv4 as well when it is on every IPv6 address, whatever the system's
/// default: `localhost` is either.
fn bind_socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Connections that may wait to be accepted: a join storm of a few thousand in one instant.
const BACKLOG: i32 = 4096;
const DRAIN_LOOK: Duration = Duration::from_millis(20);
const SWEEP: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
