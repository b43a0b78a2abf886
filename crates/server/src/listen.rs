//! The listeners, bound: what is wrong with a port is known before anything is served.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use thalweg_wire::rtmp;
use tokio::net::TcpListener;

use crate::config::{Config, HTTP_PORT, HTTPS_PORT, Listen};
use crate::tls::CertificateError;
use crate::udp::OwnCertificateError;

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
    /// Two listeners of ours want one port.
    #[error(
        "port {port} is wanted twice, by {one} and by {other}: set another one for one of them"
    )]
    PortTwice {
        /// Which port.
        port: u16,
        /// Key of the one.
        one: &'static str,
        /// Key of the other.
        other: &'static str,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The UDP endpoint has no certificate.
    #[error(transparent)]
    OwnCertificate(#[from] OwnCertificateError),
    /// TLS cannot be spoken over UDP.
    #[error("RTMP over UDP cannot be set up: {0}")]
    Udp(String),
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

/// Everything that is listened on.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) rtmp: TcpListener,
    pub(crate) http: TcpListener,
    /// Only where there is a certificate.
    pub(crate) https: Option<TcpListener>,
    pub(crate) operator: TcpListener,
    /// Only where RTMP over UDP is served.
    pub(crate) udp: Option<UdpSocket>,
}

impl Listeners {
    pub(crate) fn bind(config: &Config) -> Result<Listeners, LoadError> {
        let wants = [
            Want { what: "RTMP", key: "rtmp.listen", at: public(&config.rtmp, rtmp::PORT) },
            Want { what: "HTTP", key: "http.listen", at: public(&config.http, HTTP_PORT) },
            Want { what: "HTTPS", key: HTTPS_KEY, at: public(&config.https, HTTPS_PORT) },
            Want {
                what: "the operator's HTTP",
                key: "operator.listen",
                at: config.operator.listen,
            },
        ];
        let is_wanted = |want: &&Want| want.key != HTTPS_KEY || config.has_certificate();
        for (n, one) in wants.iter().enumerate().filter(|(_, want)| is_wanted(want)) {
            let mut others = wants.iter().skip(n + 1).filter(is_wanted);
            if let Some(other) = others.find(|other| other.meets(one)) {
                let (port, one, other) = (one.at.port(), one.key, other.key);
                return Err(LoadError::PortTwice { port, one, other });
            }
        }
        let [rtmp, http, https, operator] = wants;
        let https = config.has_certificate().then(|| https.bind()).transpose()?;
        let (rtmp, http, operator) = (rtmp.bind()?, http.bind()?, operator.bind()?);
        let udp = config.udp.enabled.then(|| bind_udp(config, &rtmp)).transpose()?;
        Ok(Listeners { rtmp, http, https, operator, udp })
    }

    /// Says where they are: for port 0 the system has chosen by now.
    pub(crate) fn log(&self, udp: Option<SocketAddr>) {
        let at =
            |l: &TcpListener| l.local_addr().map_or_else(|e| e.to_string(), |at| at.to_string());
        let [rtmp, http, operator] = [&self.rtmp, &self.http, &self.operator].map(at);
        let https = self.https.as_ref().map_or("-".to_owned(), at);
        let udp = udp.map_or("-".to_owned(), |at| at.to_string());
        tracing::info!(rtmp, udp, http, https, operator, "listening");
    }
}

/// UDP on the number of RTMP's port, unless another is set: a URL names both.
fn bind_udp(config: &Config, rtmp: &TcpListener) -> Result<UdpSocket, LoadError> {
    let (what, key) = ("RTMP over UDP", "udp.listen");
    let usual = public(&config.rtmp, rtmp::PORT);
    let of_rtmp = rtmp.local_addr().map_or(usual, |at| SocketAddr::new(usual.ip(), at.port()));
    let address = config.udp.listen.unwrap_or(of_rtmp);
    thalweg_quic::config::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => LoadError::PortInUse { what, port: address.port(), key },
        _ => LoadError::Listen { what, address, key, error },
    })
}

fn public(listen: &Listen, port: u16) -> SocketAddr {
    listen.listen.unwrap_or(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
}

struct Want {
    what: &'static str,
    key: &'static str,
    at: SocketAddr,
}

impl Want {
    /// Whether both cannot be had: one port, and one address that is or includes the other.
    fn meets(&self, other: &Want) -> bool {
        let (a, b) = (self.at.ip(), other.at.ip());
        let one_address = a == b || a.is_unspecified() || b.is_unspecified();
        self.at.port() == other.at.port() && self.at.port() != 0 && one_address
    }

    fn bind(self) -> Result<TcpListener, LoadError> {
        let Want { what, key, at: address } = self;
        thalweg_quic::config::bind_any(address, bind_socket).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => LoadError::PortInUse { what, port: address.port(), key },
            _ => LoadError::Listen { what, address, key, error },
        })
    }
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
const HTTPS_KEY: &str = "https.listen";
