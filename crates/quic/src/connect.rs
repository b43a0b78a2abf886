//! The client's way to a server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use thalweg_wire::rtmp_udp::{ALPN, WEBTRANSPORT_PATH};

use crate::config::{self, Congestion};
use crate::session::{Lost, Session};
use crate::verify::Verify;

/// How a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Via {
    /// Plain QUIC.
    #[default]
    Native,
    /// WebTransport, as a browser does.
    WebTransport,
}

/// A client's side of a connection, with the socket that it runs on.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub session: Session,
    /// The socket. When it goes, so does the connection.
    pub endpoint: quinn::Endpoint,
}

/// Connects to the first of some addresses that answers. It takes as long as it takes: QUIC itself
/// gives up after 10 s of silence.
///
/// # Errors
/// [`Lost`] of the last address.
pub async fn connect(
    host: &str,
    addresses: &[SocketAddr],
    via: Via,
    verify: &Verify,
    congestion: Congestion,
) -> Result<Client, Lost> {
    let mut last = Lost::Transport(format!("{host} has no address"));
    for address in addresses {
        match connect_to(host, *address, via, verify, congestion).await {
            Ok(client) => return Ok(client),
            Err(lost) => last = lost,
        }
    }
    Err(last)
}

async fn connect_to(
    host: &str,
    address: SocketAddr,
    via: Via,
    verify: &Verify,
    congestion: Congestion,
) -> Result<Client, Lost> {
    let config = client_config(via, verify, congestion).map_err(|e| Lost::Tls(e.to_string()))?;
    let any = match address {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let other = |e: std::io::Error| Lost::Transport(e.to_string());
    let socket = config::bind(any).map_err(other)?;
    let endpoint = config::endpoint(socket, None).map_err(other)?;
    let connecting = endpoint.connect_with(config, address, host);
    let connection = connecting.map_err(|e| Lost::Transport(e.to_string()))?.await?;
    let session = match via {
        Via::Native => Session::raw(connection),
        Via::WebTransport => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let url = format!("https://{host}:{}{WEBTRANSPORT_PATH}", address.port());
            let url = url::Url::parse(&url).map_err(|e| Lost::Transport(e.to_string()))?;
            let session = web_transport_quinn::Session::connect(connection, url).await;
            Session::of_browser(session.map_err(|e| Lost::Transport(e.to_string()))?)
        }
    };
    Ok(Client { session, endpoint })
}

fn client_config(
    via: Via,
    verify: &Verify,
    congestion: Congestion,
) -> Result<quinn::ClientConfig, rustls::Error> {
    let mut tls = verify.config()?;
    tls.alpn_protocols = vec![match via {
        Via::Native => ALPN.to_vec(),
        Via::WebTransport => web_transport_quinn::ALPN.as_bytes().to_vec(),
    }];
    let tls = QuicClientConfig::try_from(tls).map_err(|e| rustls::Error::General(e.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(tls));
    config.transport_config(Arc::new(config::client(congestion)));
    Ok(config)
}
