//! The doors: what a fresh connection speaks, plain or in TLS, and who serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::context::Context;
use crate::gate::Place;
use crate::socket::Socket;
use crate::tls::{self, Speaks};

/// RTMP, or RTMPS: the first byte tells.
pub(crate) async fn rtmp(ctx: Arc<Context>, tcp: TcpStream, peer: SocketAddr, place: Place) {
    let socket = match ctx.tls.config(Speaks::Rtmp) {
        Some(config) if tls::is_next(&tcp).await => {
            // Apart, so that a viewer's future is not as large as a handshake's.
            match Box::pin(secure(&ctx, tcp, peer, config)).await {
                Some(socket) => socket,
                None => return,
            }
        }
        _ => Arc::new(tcp) as Arc<dyn Socket>,
    };
    crate::rtmp::serve(ctx, socket, peer, place).await;
}

/// Public HTTP.
pub(crate) async fn http(
    ctx: Arc<Context>,
    tcp: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
) {
    crate::http::serve(ctx, Arc::new(tcp), peer, place, router).await;
}

/// Public HTTPS.
pub(crate) async fn https(
    ctx: Arc<Context>,
    tcp: TcpStream,
    peer: SocketAddr,
    place: Place,
    router: Router,
) {
    let Some(config) = ctx.tls.config(Speaks::Media) else { return };
    if !tls::is_next(&tcp).await {
        return crate::http::serve_insecure(&tcp, peer).await;
    }
    if let Some(socket) = Box::pin(secure(&ctx, tcp, peer, config)).await {
        crate::http::serve(ctx, socket, peer, place, router).await;
    }
}

/// The operator's HTTP, or HTTPS: the first byte tells.
pub(crate) async fn operator(ctx: Arc<Context>, tcp: TcpStream, peer: SocketAddr, router: Router) {
    let socket = match ctx.tls.config(Speaks::Api) {
        Some(config) if tls::is_next(&tcp).await => secure(&ctx, tcp, peer, config).await,
        _ => Some(Arc::new(tcp) as Arc<dyn Socket>),
    };
    if let Some(socket) = socket {
        crate::http::serve_operator(ctx, socket, router).await;
    }
}

/// Shakes hands, or says in the log why not: most often that the peer does not trust the certificate.
async fn secure(
    ctx: &Context,
    tcp: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
) -> Option<Arc<dyn Socket>> {
    match tls::accept(tcp, config).await {
        Ok(socket) => Some(Arc::new(socket)),
        Err(error) => {
            ctx.metrics.protocol_error();
            tracing::info!(%peer, %error, "TLS handshake failed");
            None
        }
    }
}
