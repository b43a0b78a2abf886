//! Transport parameters, with the sums behind them (sections 8 and 9).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::{BbrConfig, ControllerFactory, CubicConfig};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{AckFrequencyConfig, EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use rustls::server::ResolvesServerCert;
use socket2::{Domain, Protocol, Socket, Type};
use thalweg_wire::rtmp_udp::ALPN;
use thalweg_wire::rtmp_udp::sender::{INITIAL_RTT, QUEUE_BYTES_MAX};
use thalweg_wire::rtmp_udp::server::KEEP_ALIVE;

use crate::live;

/// How a sender decides how much may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// Ours: it heeds queues and ignores moderate loss.
    #[default]
    Live,
    /// BBR, by bandwidth and round trips.
    Bbr,
    /// CUBIC, by loss: it starves at one packet lost in a hundred.
    Cubic,
}

impl Congestion {
    /// All of them.
    pub const ALL: [Congestion; 3] = [Congestion::Live, Congestion::Bbr, Congestion::Cubic];

    /// `live`, `bbr` or `cubic`.
    pub fn name(self) -> &'static str {
        match self {
            Congestion::Live => "live",
            Congestion::Bbr => "bbr",
            Congestion::Cubic => "cubic",
        }
    }

    fn factory(self) -> Arc<dyn ControllerFactory + Send + Sync> {
        match self {
            Congestion::Live => Arc::new(live::Factory),
            Congestion::Bbr => Arc::new(BbrConfig::default()),
            Congestion::Cubic => Arc::new(CubicConfig::default()),
        }
    }
}

/// What a server grants peers of whom it knows nothing yet: control, and 16 streams of media in a
/// window of 64 KiB. [`Session::let_in_publisher`](crate::Session::let_in_publisher) grants more.
///
/// # Errors
/// When the TLS library cannot speak TLS 1.3.
pub fn server(
    certificates: Arc<dyn ResolvesServerCert>,
    congestion: Congestion,
) -> Result<quinn::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    tls.alpn_protocols = vec![ALPN.to_vec(), web_transport_quinn::ALPN.as_bytes().to_vec()];
    // A signed request in 0-RTT could be played back.
    tls.max_early_data_size = 0;
    let tls = QuicServerConfig::try_from(tls).map_err(|e| rustls::Error::General(e.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    let mut transport = transport(congestion);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STRANGER_BIDI_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(STRANGER_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(STRANGER_WINDOW_BYTES));
    config.transport_config(Arc::new(transport));
    config.max_incoming(INCOMING_MAX).incoming_buffer_size(INCOMING_BYTES_MAX);
    config.incoming_buffer_size_total(INCOMING_MAX as u64 * INCOMING_BYTES_MAX);
    Ok(config)
}

/// What a client grants its server: streams for 20 s of pictures and sound that wait for repair.
pub(crate) fn client(congestion: Congestion) -> TransportConfig {
    let mut transport = transport(congestion);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(PLAYER_UNI_STREAMS))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES));
    transport
}

fn transport(congestion: Congestion) -> TransportConfig {
    let mut transport = TransportConfig::default();
    // Acknowledgements soon, so that what is lost is known soon: both ends of ours know how.
    let mut acks = AckFrequencyConfig::default();
    acks.max_ack_delay(Some(ACK_DELAY_MAX)).ack_eliciting_threshold(VarInt::from_u32(1));
    transport
        .congestion_controller_factory(congestion.factory())
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .time_threshold(TIME_THRESHOLD)
        .ack_frequency_config(Some(acks))
        .datagram_receive_buffer_size(None)
        .send_window(SEND_WINDOW_BYTES);
    transport
}

/// A socket that takes IPv4 as well when it is on every IPv6 address, whatever the system's default:
/// `localhost` is either, and a browser tries ::1 first.
///
/// # Errors
/// What the system says.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    bind_any(address, bind_socket)
}

/// Binds as `bind` does; on every IPv4 address where that should be every IPv6 address, of a machine
/// that has none.
///
/// # Errors
/// What `bind` says.
pub fn bind_any<T>(
    address: SocketAddr,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match bind(address) {
        Err(e) if any_v6 && e.kind() != io::ErrorKind::AddrInUse => {
            bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound,
    }
}

fn bind_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The system grants what its limits allow.
    let _ = socket.set_recv_buffer_size(SOCKET_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// An endpoint on a socket.
///
/// # Errors
/// What the system says.
pub fn endpoint(
    socket: UdpSocket,
    server: Option<quinn::ServerConfig>,
) -> io::Result<quinn::Endpoint> {
    let runtime = Arc::new(quinn::TokioRuntime);
    quinn::Endpoint::new(EndpointConfig::default(), server, socket, runtime)
}

/// A peer that says nothing for so long is gone.
const IDLE_MS: u32 = 10_000;
/// A packet is lost when one sent an eighth of a round trip after it is acknowledged.
const TIME_THRESHOLD: f32 = 1.125;
const ACK_DELAY_MAX: Duration = Duration::from_millis(5);
/// Control, and WebTransport's own `CONNECT`; the rest to be told that they are too many.
const STRANGER_BIDI_STREAMS: u32 = 4;
/// HTTP/3 has three of its own.
const STRANGER_UNI_STREAMS: u32 = 16;
const STRANGER_WINDOW_BYTES: u32 = 64 << 10;
/// Of a publisher: 5 s of 60 pictures and 43 sounds a second.
pub(crate) const PUBLISHER_UNI_STREAMS: u32 = 512;
const PLAYER_UNI_STREAMS: u32 = 1024;
/// Of a connection: 2 s at 32 Mbit/s.
pub(crate) const WINDOW_BYTES: u32 = 8 << 20;
/// Of one stream: the longest message by default.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// What may be written and not yet acknowledged. A sender that is further behind is cut before.
const SEND_WINDOW_BYTES: u64 = 2 * QUEUE_BYTES_MAX as u64;
/// Handshakes that wait to be looked at, and bytes of each.
const INCOMING_MAX: usize = 1024;
const INCOMING_BYTES_MAX: u64 = 8 << 10;
/// Of the socket, either way: 200 ms at 80 Mbit/s.
const SOCKET_BYTES: usize = 2 << 20;
