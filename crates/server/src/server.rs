//! The server as a whole: bound by [`Server::load`], at work in [`Server::run`].
//!
//! Loading is apart from running so that a port that is taken, or a wrong key, is known before
//! anything is served; and so that a test can ask which port it got.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use thalweg_access::PolicyReader;
use thalweg_hub::{Hub, InProcess};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::clock::now;
use crate::config::Config;
use crate::context::Context;
use crate::egress::Egress;
use crate::gate::{Gate, Place};
use crate::listen::{Listeners, LoadError};
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::{http, ops, rtmp, socket};

/// A server whose ports are bound.
#[derive(Debug)]
pub struct Server {
    ctx: Arc<Context>,
    stop: watch::Sender<bool>,
    listeners: Listeners,
}

impl Server {
    /// Binds every port.
    ///
    /// # Errors
    /// [`LoadError`], which names the port and the key to change it.
    pub fn load(config: Config, policy: PolicyReader) -> Result<Server, LoadError> {
        let listeners = Listeners::bind(&config)?;
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
        let sessions = Sessions::default();
        let ctx =
            Arc::new(Context { config, hub, policy, egress, gate, sessions, metrics, stopping });
        Ok(Server { ctx, stop, listeners })
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

    /// Where the operator's HTTP is listened for.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn operator_address(&self) -> io::Result<SocketAddr> {
        self.listeners.operator.local_addr()
    }

    /// Serves until `shutdown`, then tells everyone and waits for them, up to the configured
    /// deadline; whoever comes meanwhile is told as well. `console` answers on the operator's
    /// listener whatever is not the server's own.
    pub async fn run(self, console: Router, shutdown: impl Future<Output = ()>) {
        let Server { ctx, stop, listeners } = self;
        listeners.log();
        let mut doors = Doors {
            public: ops::public_router(&ctx),
            private: ops::operator_router(&ctx, console),
            operators: Arc::new(Semaphore::new(OPERATORS_MAX)),
            tasks: JoinSet::new(),
            ctx,
            listeners,
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
    listeners: Listeners,
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
                accepted = self.listeners.rtmp.accept() => {
                    if let Some((stream, peer, place)) = admit(ctx, accepted).await {
                        let ctx = Arc::clone(ctx);
                        self.tasks.spawn(rtmp::serve(ctx, Arc::new(stream), peer, place));
                    }
                }
                accepted = self.listeners.http.accept() => {
                    if let Some((stream, peer, place)) = admit(ctx, accepted).await {
                        let (ctx, router) = (Arc::clone(ctx), self.public.clone());
                        self.tasks.spawn(http::serve(ctx, stream, peer, place, router));
                    }
                }
                accepted = self.listeners.operator.accept() => {
                    let permit = Arc::clone(&self.operators).try_acquire_owned();
                    if let (Some((stream, _)), Ok(permit)) = (set_up(accepted).await, permit) {
                        let (ctx, router) = (Arc::clone(ctx), self.private.clone());
                        self.tasks.spawn(async move {
                            http::serve_operator(ctx, stream, router).await;
                            drop(permit);
                        });
                    }
                }
                _ = sweep.tick() => {
                    ctx.hub.sweep(now());
                    ctx.log_unheard();
                }
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

/// Programs of one operator that ask at the same time.
const OPERATORS_MAX: usize = 256;
const DRAIN_LOOK: Duration = Duration::from_millis(20);
const SWEEP: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
