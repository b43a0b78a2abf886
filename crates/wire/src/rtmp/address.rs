//! What a peer means by its URL, however it cuts it into `tcUrl`, `app` and stream name.
//!
//! ffmpeg, OBS, GStreamer, librtmp and the mini-program tags cut one URL in at least five ways: the
//! signature may sit in the name, the app or the tcUrl; the app may have one segment or several;
//! the name may be empty because it stands in the app. So the pieces are put together again and cut
//! once: the last segment is the stream, what is before it the app.

use std::collections::HashSet;
use std::fmt;

use super::PORT;

/// A stream as a peer names it. Neither `Debug` nor `Display` shows the query: it has secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Host of the URL, without port, as written; empty when the peer did not say.
    pub host: String,
    /// Port of the URL, 1935 when it names none.
    pub port: u16,
    /// Path without its last segment. May contain `/`, never begins or ends with it.
    pub app: String,
    /// Last segment of the path.
    pub stream: String,
    /// Query without the `?`. Parameters of the stream name come first, then the app's, then the
    /// tcUrl's, so that whoever takes the first of a name takes the nearest.
    pub query: String,
}

/// Why an address names no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum BadAddress {
    #[error("the URL has no app and stream name: it should end in /app/stream")]
    NoPath,
    #[error("the URL has no stream name after the app: it should end in /app/stream")]
    NoStream,
    #[error("the app or stream name is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0:?} cannot stand in an app or stream name: letters, digits and {NAME_SIGNS} can")]
    Character(char),
    #[error("'.' and '..' are no app or stream names")]
    Dots,
    #[error("the URL should begin with {0}")]
    Scheme(&'static str),
    #[error("the URL's host or port cannot be read")]
    Host,
}

impl Address {
    /// Puts together what `connect` and `publish` or `play` said.
    ///
    /// # Errors
    /// [`BadAddress`] when no app and stream can be made of it.
    pub fn from_parts(tc_url: &str, app: &str, name: &str) -> Result<Address, BadAddress> {
        let (host, port, tc_query) = split_tc_url(tc_url);
        let (app_path, app_query) = split_query(app);
        let (name_path, name_query) = split_query(strip_type(name));
        let path = [app_path, name_path];
        let mut segments: Vec<&str> =
            path.iter().flat_map(|p| p.split('/')).filter(|s| !s.is_empty()).collect();
        if let Some(stream) = segments.last_mut() {
            *stream = strip_type(stream);
        }
        let (app, stream) = name_of(&segments)?;
        let query = join_queries([name_query, app_query, tc_query]);
        Ok(Address { host: host.to_owned(), port, app, stream, query })
    }

    /// Reads a whole URL, as a person pastes it.
    ///
    /// # Errors
    /// [`BadAddress`] saying what a usable URL would have.
    pub fn from_url(url: &str) -> Result<Address, BadAddress> {
        let rest = strip_scheme(url, "rtmp://").ok_or(BadAddress::Scheme("rtmp://"))?;
        let (authority, path) = match rest.find(['/', '?']) {
            Some(i) => rest.split_at(i),
            None => (rest, ""),
        };
        let (host, port) = split_host(authority).ok_or(BadAddress::Host)?;
        if host.is_empty() {
            return Err(BadAddress::Host);
        }
        let (path, query) = split_query(path);
        let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let (app, stream) = name_of(&segments)?;
        Ok(Address { host: host.to_owned(), port, app, stream, query: query.to_owned() })
    }

    /// What goes into `connect` as tcUrl: the URL up to the app, without secrets.
    pub fn tc_url(&self) -> String {
        format!("rtmp://{}/{}", self.authority(), self.app)
    }

    /// What goes into `publish` or `play`: the stream and its query.
    pub fn name_and_query(&self) -> String {
        if self.query.is_empty() {
            self.stream.clone()
        } else {
            format!("{}?{}", self.stream, self.query)
        }
    }

    /// Host and port, the port only when it is not 1935, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == PORT { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The URL without its query, fit for a log.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rtmp://{}/{}/{}", self.authority(), self.app, self.stream)
    }
}

/// Makes app and stream of a path's segments, and checks every one of them.
///
/// # Errors
/// [`BadAddress`] when there are too few segments or one is not a fit name.
pub fn name_of(segments: &[&str]) -> Result<(String, String), BadAddress> {
    let (stream, app) = segments.split_last().ok_or(BadAddress::NoPath)?;
    if app.is_empty() {
        return Err(BadAddress::NoStream);
    }
    if stream.is_empty() {
        return Err(BadAddress::NoStream);
    }
    segments.iter().try_for_each(|s| check_segment(s))?;
    let app = app.join("/");
    if app.len() > NAME_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    Ok((app, (*stream).to_owned()))
}

/// Whether a path segment may be (part of) a name.
///
/// Letters and digits of any script, and a few signs. No name is ever made into a path or a
/// command; still, `.` and `..` are refused.
fn check_segment(segment: &str) -> Result<(), BadAddress> {
    if segment.len() > NAME_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    if segment == "." || segment == ".." {
        return Err(BadAddress::Dots);
    }
    let fit = |c: &char| c.is_alphanumeric() || NAME_SIGNS.contains(*c);
    match segment.chars().find(|c| !fit(c)) {
        Some(c) => Err(BadAddress::Character(c)),
        None => Ok(()),
    }
}

/// What follows a URL's scheme, if it is this one: in capitals or not (RFC 3986, section 3.1).
pub fn strip_scheme<'a>(url: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = url.split_at_checked(scheme.len())?;
    found.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Reads a host as an operator writes it: a name or an address, brackets or not. Answers it as
/// [`Address::host`] has it: in lower case, without brackets.
///
/// # Errors
/// [`BadHost`], which quotes it.
pub fn host_of(text: &str) -> Result<String, BadHost> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let is_v6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
    let fit = |c: char| c.is_alphanumeric() || "-._".contains(c);
    let is_name = bare == text && bare.chars().all(fit);
    if bare.is_empty() || bare.len() > HOST_BYTES_MAX || !(is_v6 || is_name) {
        return Err(BadHost(text.chars().take(HOST_BYTES_MAX).collect()));
    }
    Ok(bare.to_lowercase())
}

/// What was given is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host: a name or an IP address, without scheme, port or path")]
pub struct BadHost(String);

/// Splits at the first `?`. Later ones, which some clients write for `&`, become `&`.
fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// Parameters of all queries. Clients write the same query into two places or three: what a nearer
/// one has said is not said again.
fn join_queries(queries: [&str; 3]) -> String {
    let (mut parts, mut nearer) = (Vec::new(), HashSet::new());
    for query in queries {
        let own = query.split(['?', '&']).filter(|p| !p.is_empty() && !nearer.contains(p));
        let own: Vec<&str> = own.collect();
        nearer.extend(own.iter().copied());
        parts.extend(own);
    }
    parts.join("&")
}

/// librtmp and ffmpeg write the container before a recorded name; it is no part of it.
fn strip_type(mut name: &str) -> &str {
    while let Some(rest) = ["flv:", "mp4:"].iter().find_map(|t| name.strip_prefix(t)) {
        name = rest;
    }
    name
}

/// Host, port and query of a tcUrl. A tcUrl that cannot be read says nothing; the app decides.
fn split_tc_url(tc_url: &str) -> (&str, u16, &str) {
    let rest = tc_url.split_once("://").map_or(tc_url, |(_, rest)| rest);
    let (rest, query) = split_query(rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = split_host(authority).unwrap_or(("", PORT));
    (host, port, query)
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_host(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, after.strip_prefix(':').unwrap_or_default())
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = if port.is_empty() { PORT } else { port.parse().ok()? };
    Some((host, port))
}

/// What names may have besides letters and digits.
const NAME_SIGNS: &str = "-_.~@:+=,!$*()";
/// Longest name in the DNS.
const HOST_BYTES_MAX: usize = 253;
/// Longest app, and longest stream name, in bytes. The vendor's own ids stay under 100.
pub const NAME_BYTES_MAX: usize = 256;
