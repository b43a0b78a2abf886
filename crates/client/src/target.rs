//! Where a URL leads.

use std::time::Duration;

use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::address::strip_scheme;
use tokio::net::TcpStream;

use crate::error::Error;

/// A stream and how it is reached.
#[derive(Debug, Clone)]
pub enum Target {
    /// By RTMP.
    Rtmp(Address),
    /// Over HTTP.
    Http(HttpTarget),
}

/// A stream over HTTP.
#[derive(Debug, Clone)]
pub struct HttpTarget {
    /// Host and port, as they stand in the URL.
    pub authority: String,
    /// Host, without brackets.
    pub host: String,
    /// Port; 80 if the URL has none.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`Error::Scheme`] or [`Error::Url`], saying what a usable one would have.
    pub fn parse(url: &str) -> Result<Target, Error> {
        if let Some(rest) = strip_scheme(url, "http://") {
            return HttpTarget::parse(rest).map(Target::Http);
        }
        if strip_scheme(url, "rtmp://").is_some() {
            return Ok(Target::Rtmp(Address::from_url(url)?));
        }
        if strip_scheme(url, "https://").or(strip_scheme(url, "rtmps://")).is_some() {
            return Err(Error::Scheme(
                "this program does not speak TLS: give the http:// or rtmp:// URL behind the proxy",
            ));
        }
        Err(Error::Scheme("the URL should begin with rtmp:// or http://"))
    }
}

impl HttpTarget {
    fn parse(rest: &str) -> Result<HttpTarget, Error> {
        let bad = || Error::Scheme("the URL should look like http://host:port/app/stream.flv");
        let (authority, path) = rest.split_at(rest.find(['/', '?']).ok_or_else(bad)?);
        // Host and port are written as in an RTMP URL.
        let address = Address::from_url(&format!("rtmp://{authority}/a/b"))?;
        let has_port = authority.rsplit_once(':').is_some_and(|(_, p)| !p.contains(']'));
        let port = if has_port { address.port } else { 80 };
        let (authority, path) = (authority.to_owned(), path.to_owned());
        Ok(HttpTarget { authority, host: address.host, port, path })
    }
}

/// Connects, and says to whom it could not.
pub(crate) async fn connect(host: &str, port: u16) -> Result<TcpStream, Error> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Error::Resolve { host: host.to_owned(), error })?;
    let mut last = None;
    for address in addresses {
        match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(std::io::ErrorKind::TimedOut.into()),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::NotFound.into());
    Err(Error::Connect { to: format!("{host}:{port}"), error })
}

const CONNECT_MAX: Duration = Duration::from_secs(5);
