//! The doors: what a fresh connection speaks, plain or in TLS, and who serves it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use rustls::ServerConfig;
use tokio::net::TcpStream;

use crate::context::Context;
use crate::gate::Place;
use crate::socket::Socket;
use crate::tls::{self, First, Speaks, TlsSocket};

/// RTMP, or RTMPS: the first byte tells.
pub(crate) async fn rtmp(ctx: Arc<Context>, tcp: TcpStream, peer: SocketAddr, place: Place) {
    // Apart, so that a viewer's future is not as large as a handshake's.
    if let Some(socket) = Box::pin(rtmp_socket(&ctx, tcp, peer)).await {
        crate::rtmp::serve(ctx, socket, peer, place).await;
    }
}

async fn rtmp_socket(ctx: &Context, tcp: TcpStream, peer: SocketAddr) -> Option<Arc<dyn Socket>> {
    let Some(config) = ctx.tls.config(Speaks::Rtmp) else {
        return Some(Arc::new(tcp));
    };
    match first(ctx, &tcp).await {
        First::Gone => None,
        // Whoever says nothing yet is told by the session that it is late.
        First::Plain | First::Nothing => Some(Arc::new(tcp)),
        First::Tls => Some(Arc::new(secure(ctx, tcp, peer, config).await?)),
    }
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
    // Where there is a listener there is a certificate: no reload takes the last one away.
    let Some(config) = ctx.tls.config(Speaks::Media) else { return };
    match first(&ctx, &tcp).await {
        First::Gone | First::Nothing => {}
        First::Plain => crate::http::serve_insecure(&tcp, peer).await,
        First::Tls => {
            if let Some(socket) = Box::pin(secure(&ctx, tcp, peer, config)).await {
                crate::http::serve(ctx, Arc::new(socket), peer, place, router).await;
            }
        }
    }
}

/// The operator's HTTP, or HTTPS: the first byte tells.
pub(crate) async fn operator(ctx: Arc<Context>, tcp: TcpStream, peer: SocketAddr, router: Router) {
    let router = known(router, peer);
    let config = ctx.tls.config(Speaks::Api);
    match (first(&ctx, &tcp).await, config) {
        (First::Gone | First::Nothing, _) => {}
        (First::Tls, Some(config)) => match secure(&ctx, tcp, peer, config).await {
            Some(socket) if socket.is_http2() => {
                crate::http::serve_operator_http2(ctx, Arc::new(socket), router).await;
            }
            Some(socket) => crate::http::serve_operator(ctx, Arc::new(socket), router).await,
            None => {}
        },
        (First::Plain | First::Tls, _) => {
            crate::http::serve_operator(ctx, Arc::new(tcp), router).await;
        }
    }
}

/// Pages that know who asks.
pub(crate) fn known(router: Router, peer: SocketAddr) -> Router {
    router.layer(Extension(ConnectInfo(peer)))
}

/// Looks at the first byte, as long as the server does not stop.
async fn first(ctx: &Context, tcp: &TcpStream) -> First {
    unless_stopped(ctx, tls::first(tcp)).await.unwrap_or(First::Gone)
}

/// Lets work end, unless the server begins to stop meanwhile. Whoever comes while it stops already is let
/// in to be told so.
async fn unless_stopped<T>(ctx: &Context, work: impl Future<Output = T>) -> Option<T> {
    let is_stopping = ctx.is_stopping();
    tokio::select! {
        done = work => Some(done),
        () = ctx.stopped(), if !is_stopping => None,
    }
}

/// Shakes hands, or says in the log why not: most often that the peer does not trust the certificate.
async fn secure(
    ctx: &Context,
    tcp: TcpStream,
    peer: SocketAddr,
    config: Arc<ServerConfig>,
) -> Option<TlsSocket> {
    match unless_stopped(ctx, tls::accept(tcp, config)).await? {
        Ok(socket) => Some(socket),
        Err(error) => {
            ctx.metrics.protocol_error();
            tracing::info!(%peer, %error, "TLS handshake failed");
            None
        }
    }
}
