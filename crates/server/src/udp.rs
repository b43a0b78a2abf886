//! RTMP over UDP: accept, who is it, may it, hub, streams of media.
//!
//! One endpoint, on the number of RTMP's TCP port, serves native peers by QUIC and browsers by
//! WebTransport; above that they are the same. `docs/ref/rtmp-udp.md` is what they speak.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::server::ResolvesServerCert;
use thalweg_quic::Session;
use thalweg_quic::quinn::crypto::rustls::HandshakeData;
use thalweg_quic::quinn::{Connection, Endpoint, Incoming};
use thalweg_wire::rtmp_udp::{ALPN, Close};
use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::context::Context;
use crate::gate::Place;
use crate::listen::LoadError;
use crate::tls::Store;

mod board;
mod certificate;
mod handshakes;
mod peer;
mod play;
mod publish;
mod seats;

pub(crate) use board::{Board, Row};
pub use certificate::OwnCertificateError;
pub(crate) use certificate::OwnCertificates;
use handshakes::{Handshake, Handshakes};
use peer::Peer;
use seats::Seats;

/// What every connection over UDP shares.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    /// The port listened on, if there is one.
    pub(crate) port: Option<u16>,
    /// Its certificates, where they are its own.
    pub(crate) own: Option<Arc<OwnCertificates>>,
    pub(crate) board: Board,
    seats: Seats,
    handshakes: Handshakes,
}

impl Udp {
    /// What is shared on a port, if there is one, with certificates of its own or the operator's.
    pub(crate) fn new(port: Option<u16>, own: Option<Arc<OwnCertificates>>) -> Udp {
        Udp { port, own, ..Udp::default() }
    }

    /// The endpoint on a socket.
    pub(crate) fn endpoint(
        &self,
        socket: UdpSocket,
        config: &Config,
        tls: &Arc<Store>,
    ) -> Result<Endpoint, LoadError> {
        let certificates: Arc<dyn ResolvesServerCert> = match &self.own {
            Some(own) => Arc::clone(own) as _,
            None => Arc::clone(tls) as _,
        };
        let server = thalweg_quic::config::server(certificates, config.udp.congestion.into())
            .map_err(|e| LoadError::Udp(e.to_string()))?;
        thalweg_quic::config::endpoint(socket, Some(server))
            .map_err(|e| LoadError::Udp(e.to_string()))
    }

    /// Lets the next of its own certificates take its turn when it is time. Cheap.
    pub(crate) fn rotate(&self) {
        if let Some(Err(error)) = self.own.as_ref().map(|own| own.rotate_if_due()) {
            tracing::warn!(%error, "the certificate for RTMP over UDP is not renewed");
        }
    }
}

/// Accepts the next peer worth a handshake; answers what is to be done for it. `None` when the
/// endpoint is closed.
pub(crate) async fn accept(
    ctx: &Arc<Context>,
    endpoint: &Endpoint,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    loop {
        let incoming = endpoint.accept().await?;
        let peer = incoming.remote_address();
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let handshakes = &ctx.udp.handshakes;
        if handshakes.must_retry(peer.ip()) && incoming.may_retry() {
            // A peer that has shown its address already is never asked again.
            let _ = incoming.retry();
            continue;
        }
        let Some(place) = ctx.gate.enter(peer.ip()) else {
            incoming.refuse();
            continue;
        };
        let handshake = handshakes.begin(peer.ip());
        return Some(serve(Arc::clone(ctx), incoming, peer, place, handshake));
    }
}

/// Serves one connection until it ends.
async fn serve(
    ctx: Arc<Context>,
    incoming: Incoming,
    peer: SocketAddr,
    place: Place,
    handshake: Handshake,
) {
    let deadline = Instant::now() + GREETING_MAX;
    let met = async {
        let connection = incoming.accept()?.await?;
        drop(handshake);
        match alpn(&connection).as_deref() {
            Some(ALPN) => Ok(Session::raw(connection)),
            _ => Session::browser(connection).await,
        }
    };
    let session = match timeout_at(deadline, met).await {
        Ok(Ok(session)) => session,
        Ok(Err(lost)) => return tracing::debug!(%peer, %lost, "no RTMP over UDP"),
        Err(_) => return tracing::debug!(%peer, "no handshake in time"),
    };
    let greeted = async {
        tokio::select! {
            greeted = Peer::greet(Arc::clone(&ctx), session.clone(), peer, place) => greeted,
            lost = session.closed() => Err(lost),
        }
    };
    match timeout_at(deadline, greeted).await {
        // Apart: what a viewer costs is not to be what a publisher does.
        Ok(Ok(peer)) => Box::pin(peer.serve()).await,
        Ok(Err(lost)) => tracing::debug!(%peer, %lost, "no RTMP over UDP"),
        Err(_) => {
            tracing::info!(%peer, "no control stream in time");
            session.close(Close::Timeout, "no control stream in time").await;
        }
    }
}

fn alpn(connection: &Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// Ends every connection that is left, and waits a moment until that is sent.
pub(crate) async fn close(endpoint: &Endpoint) {
    endpoint.close((Close::GoingAway as u32).into(), b"the server is stopping");
    let _ = tokio::time::timeout(CLOSING_MAX, endpoint.wait_idle()).await;
}

const CLOSING_MAX: Duration = Duration::from_millis(200);
/// From the first packet to the control stream.
const GREETING_MAX: Duration = Duration::from_secs(5);
