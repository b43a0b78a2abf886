//! The head of an HTTP request, read by ourselves: what asks for media goes to the pumps on the bare
//! socket, everything else to the HTTP library.

use httparse::{EMPTY_HEADER, Header, Status};

/// The parts of a head that media needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `GET`, `HEAD`, `OPTIONS` ...
    pub method: String,
    /// Path without the query, as received.
    pub path: String,
    /// Query without the `?`.
    pub query: String,
    /// The `Host` header without its port.
    pub host: String,
    /// The `User-Agent` header.
    pub agent: String,
    /// The page that asks: the `Referer` header; or the `Origin`, which is all that a browser says of
    /// it with a WebSocket. Empty when neither is there.
    pub page: String,
    /// Bytes of the head, the empty line included.
    pub bytes: usize,
    /// What a request for a WebSocket brings, if it is one.
    pub upgrade: Option<Box<Upgrade>>,
}

/// A request for a WebSocket (RFC 6455, section 4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The `Sec-WebSocket-Key` header.
    pub key: String,
    /// The `Sec-WebSocket-Version` header; 13 is the only one there is.
    pub version: String,
    /// The `Sec-WebSocket-Protocol` headers, one name each.
    pub protocols: Vec<String>,
    /// Whether a page asks: those have an `Origin`.
    pub is_page: bool,
}

/// What has been read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// More must come.
    Partial,
    /// All of it.
    Complete(Head),
    /// Not HTTP/1, or longer than it may be.
    Bad,
}

/// Reads a head from the front of `bytes`.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        Ok(Status::Partial) | Err(_) => return Parsed::Bad,
    };
    let (authority, target) = split_target(request.path.unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str| {
        let found = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        found.map(|h| String::from_utf8_lossy(h.value).into_owned()).unwrap_or_default()
    };
    Parsed::Complete(Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        host: without_port(&authority.map_or_else(|| header("host"), str::to_owned)).to_owned(),
        agent: header("user-agent"),
        page: Some(header("referer")).filter(|r| !r.is_empty()).unwrap_or_else(|| header("origin")),
        bytes: len,
        upgrade: upgrade(request.headers),
    })
}

fn upgrade(headers: &[Header<'_>]) -> Option<Box<Upgrade>> {
    let all = |name: &'static str| {
        let of_name = headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name));
        of_name
            .flat_map(|h| h.value.split(|b| *b == b','))
            .map(|value| String::from_utf8_lossy(value.trim_ascii()).into_owned())
    };
    let is_asked = all("upgrade").any(|v| v.eq_ignore_ascii_case("websocket"))
        && all("connection").any(|v| v.eq_ignore_ascii_case("upgrade"));
    let asked = || Upgrade {
        key: all("sec-websocket-key").next().unwrap_or_default(),
        version: all("sec-websocket-version").next().unwrap_or_default(),
        protocols: all("sec-websocket-protocol").collect(),
        is_page: all("origin").next().is_some(),
    };
    is_asked.then(|| Box::new(asked()))
}

/// Undoes percent-encoding. `None` when it is broken or does not make UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            out.push((high << 4 | low) as u8);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

/// Host and path of a request's target. Only the form that proxies are sent has a host.
fn split_target(target: &str) -> (Option<&str>, &str) {
    match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), if path.is_empty() { "/" } else { path })
        }
        _ => (None, target),
    }
}

/// A `Host` without its port, and an IPv6 address without brackets.
pub(crate) fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Longest head. A browser's, with cookies, is one or two thousand bytes.
pub const HEAD_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        match parse(text.as_bytes()) {
            Parsed::Complete(head) => head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_of_players() {
        let curl = head(
            "GET /live/room.flv?txSecret=1&txTime=2 HTTP/1.1\r\nHost: h:8080\r\nUser-Agent: curl\r\n\r\n",
        );
        assert_eq!((curl.method.as_str(), curl.path.as_str()), ("GET", "/live/room.flv"));
        assert_eq!((curl.query.as_str(), curl.host.as_str()), ("txSecret=1&txTime=2", "h"));
        assert_eq!((curl.agent.as_str(), curl.page.as_str()), ("curl", ""));
        let page = "GET / HTTP/1.1\r\nOrigin: https://a\r\nReferer: https://a/b?c\r\n\r\n";
        assert_eq!(head(page).page, "https://a/b?c");
        let proxied = head("GET http://h:1/a/b.flv?x HTTP/1.1\r\nHost: other\r\n\r\n");
        assert_eq!((proxied.path.as_str(), proxied.host.as_str()), ("/a/b.flv", "h"));
        let in_query = head("GET /a/b.flv?from=http://page/x HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((in_query.path.as_str(), in_query.host.as_str()), ("/a/b.flv", "h"));
        assert_eq!(head("GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n").host, "::1");
        assert_eq!(head("HEAD / HTTP/1.0\r\n\r\n").method, "HEAD");
    }

    #[test]
    fn requests_for_a_websocket() {
        let asked = head(
            "GET /a/b.flv HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
             upgrade: WebSocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\
             Origin: https://page\r\nSec-WebSocket-Protocol: chat, flv-publish\r\n\r\n",
        );
        assert_eq!(asked.page, "https://page");
        let upgrade = asked.upgrade.expect("an upgrade");
        assert_eq!((upgrade.key.as_str(), upgrade.version.as_str()), ("k", "13"));
        assert_eq!(upgrade.protocols, ["chat", "flv-publish"]);
        assert!(upgrade.is_page);
        let half = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!(head(half).upgrade, None, "without the header Connection it is for a proxy");
    }

    #[test]
    fn what_is_not_whole_or_not_http() {
        assert_eq!(parse(b""), Parsed::Partial);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: x\r\n"), Parsed::Partial);
        assert_eq!(parse(b"\x16\x03\x01\x02\0"), Parsed::Bad);
        assert_eq!(parse(b"GET / HTTP/9.9\r\n\r\n"), Parsed::Bad);
        let endless = [b"GET /".as_slice(), &[b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(parse(&endless), Parsed::Bad);
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(parse(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()), Parsed::Bad);
    }

    #[test]
    fn percent_signs() {
        for (text, want) in [
            ("/live/room", Some("/live/room")),
            ("/live/%E7%9B%B4%e6%92%ad", Some("/live/直播")),
            ("%2e%2e", Some("..")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decode(text).as_deref(), want, "{text}");
        }
    }
}
