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
use tokio::sync::{Semaphore, watch};
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
    /// deadline; whoever comes meanwhile is told as well. `console` answers on the operator's
    /// listener whatever is not the server's own.
    pub async fn run(self, console: Router, shutdown: impl Future<Output = ()>) {
        let Server { ctx, stop, rtmp, http, operator } = self;
        let mut doors = Doors {
            public: ops::public_router(&ctx),
            private: ops::operator_router(&ctx, console),
            operators: Arc::new(Semaphore::new(OPERATORS_MAX)),
            tasks: JoinSet::new(),
            ctx,
            rtmp,
            http,
            operator,
        };
        tokio::select! {
            () = doors.keep() => {}
            () = shutdown => {}
        }
        let ctx = Arc::clone(&doors.ctx);
        let deadline = Duration::from_secs(ctx.config.limits.stop_wait_s);
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
    }
}

/// The listeners, and everyone who came through them.
struct Doors {
    ctx: Arc<Context>,
    rtmp: TcpListener,
    http: TcpListener,
    operator: TcpListener,
    public: Router,
    private: Router,
    operators: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Doors {
    /// Lets in whoever comes, without end.
    async fn keep(&mut self) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            let ctx = &self.ctx;
            tokio::select! {
                accepted = self.rtmp.accept() => {
                    if let Some((stream, peer, place)) = admit(ctx, accepted).await {
                        let ctx = Arc::clone(ctx);
                        self.tasks.spawn(rtmp::serve(ctx, Arc::new(stream), peer, place));
                    }
                }
                accepted = self.http.accept() => {
                    if let Some((stream, peer, place)) = admit(ctx, accepted).await {
                        let (ctx, router) = (Arc::clone(ctx), self.public.clone());
                        self.tasks.spawn(http::serve(ctx, stream, peer, place, router));
                    }
                }
                accepted = self.operator.accept() => {
                    let permit = Arc::clone(&self.operators).try_acquire_owned();
                    if let (Some((stream, _)), Ok(permit)) = (set_up(accepted).await, permit) {
                        let (ctx, router) = (Arc::clone(ctx), self.private.clone());
                        self.tasks.spawn(async move {
                            http::serve_operator(ctx, stream, router).await;
                            drop(permit);
                        });
                    }
                }
                _ = sweep.tick() => ctx.hub.sweep(now()),
                Some(ended) = self.tasks.join_next() => log_panic(ended),
            }
        }
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
/// Programs of one operator that ask at the same time.
const OPERATORS_MAX: usize = 256;
const DRAIN_LOOK: Duration = Duration::from_millis(20);
const SWEEP: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
