//! Where a URL leads.

use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::strip_scheme;

use crate::error::Error;

/// A stream and how it is reached.
#[derive(Debug, Clone)]
pub enum Target {
    /// By RTMP.
    Rtmp(RtmpTarget),
    /// Over HTTP.
    Http(HttpTarget),
    /// Over a WebSocket.
    WebSocket(HttpTarget),
}

/// A stream by RTMP.
#[derive(Debug, Clone)]
pub struct RtmpTarget {
    /// What the URL says.
    pub address: Address,
    /// Whether TLS is spoken.
    pub secure: bool,
}

/// A stream over HTTP or a WebSocket.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    /// Host and port, as they stand in the URL.
    pub authority: String,
    /// Host, without brackets.
    pub host: String,
    /// Port; 80, or 443 with TLS, if the URL has none.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Whether TLS is spoken.
    pub secure: bool,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Error::Scheme`] or [`Error::Url`], saying what a usable one would have.
    pub fn parse(url: &str) -> Result<Target, Error> {
        let of = |scheme: &str| strip_scheme(url, scheme);
        if let Some(rest) = of("http://") {
            HttpTarget::parse(rest, false).map(Target::Http)
        } else if let Some(rest) = of("https://") {
            HttpTarget::parse(rest, true).map(Target::Http)
        } else if let Some(rest) = of("ws://") {
            HttpTarget::parse(rest, false).map(Target::WebSocket)
        } else if let Some(rest) = of("wss://") {
            HttpTarget::parse(rest, true).map(Target::WebSocket)
        } else if of("rtmp://").is_some() {
            Ok(Target::Rtmp(RtmpTarget { address: Address::from_url(url)?, secure: false }))
        } else if let Some(rest) = of("rtmps://") {
            let mut address = Address::from_url(&format!("rtmp://{rest}"))?;
            if !has_port(rest.split('/').next().unwrap_or_default()) {
                address.port = TLS_PORT;
            }
            Ok(Target::Rtmp(RtmpTarget { address, secure: true }))
        } else {
            Err(Error::Scheme(
                "the URL should begin with rtmp://, http:// or ws://, or rtmps://, https:// or wss://",
            ))
        }
    }
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, p)| !p.contains(']'))
}

impl HttpTarget {
    fn parse(rest: &str, secure: bool) -> Result<HttpTarget, Error> {
        let bad = || Error::Scheme("the URL should look like http://host:port/app/stream.flv");
        let (authority, path) = rest.split_at(rest.find(['/', '?']).ok_or_else(bad)?);
        // Host and port are written as in an RTMP URL.
        let address = Address::from_url(&format!("rtmp://{authority}/a/b"))?;
        let port = match (has_port(authority), secure) {
            (true, _) => address.port,
            (false, true) => TLS_PORT,
            (false, false) => 80,
        };
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Ok(HttpTarget { authority, host: address.host, port, path, secure })
    }
}

/// Where TLS is expected when a URL names no port.
const TLS_PORT: u16 = 443;
