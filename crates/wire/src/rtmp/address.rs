//! What a peer means by its URL, however it cuts it into `tcUrl`, `app` and stream name.
//!
//! ffmpeg, OBS, GStreamer, librtmp and the mini-program tags cut one URL in at least five ways: the
//! signature may sit in the name, the app or the tcUrl; the app may have one segment or several;
//! the name may be empty because it stands in the app. So the pieces are put together again and cut
//! once: the last segment is the stream, what is before it the app.

use std::fmt;

use super::PORT;

/// A stream as a peer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    #[error("the app or stream name has a character that names may not have")]
    Character,
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
        let segments: Vec<&str> =
            path.iter().flat_map(|p| p.split('/')).filter(|s| !s.is_empty()).collect();
        // Most clients send the same query in app and tcUrl.
        let tc_query = if tc_query == app_query { "" } else { tc_query };
        let (app, stream) = name_of(&segments)?;
        let query = join_queries([name_query, app_query, tc_query]);
        Ok(Address { host: host.to_owned(), port, app, stream, query })
    }

    /// Reads a whole URL, as a person pastes it.
    ///
    /// # Errors
    /// [`BadAddress`] saying what a usable URL would have.
    pub fn from_url(url: &str) -> Result<Address, BadAddress> {
        let rest = url.strip_prefix("rtmp://").ok_or(BadAddress::Scheme("rtmp://"))?;
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
    segments.iter().try_for_each(|s| check_segment(s))?;
    let app = app.join("/");
    if app.len() > NAME_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    Ok((app, (*stream).to_owned()))
}

/// Whether a path segment may be (part of) a name.
///
/// Letters and digits of any script and the signs `- _ . ~ @ : + = , !  $ * ( )`. No name is ever
/// made into a path or a command; still, `.` and `..` are refused.
fn check_segment(segment: &str) -> Result<(), BadAddress> {
    if segment.len() > NAME_BYTES_MAX {
        return Err(BadAddress::TooLong);
    }
    let fit = |c: char| c.is_alphanumeric() || "-_.~@:+=,!$*()".contains(c);
    if segment == "." || segment == ".." || !segment.chars().all(fit) {
        return Err(BadAddress::Character);
    }
    Ok(())
}

/// Splits at the first `?`. Later ones, which some clients write for `&`, become `&`.
fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

fn join_queries(queries: [&str; 3]) -> String {
    let parts: Vec<String> = queries
        .iter()
        .flat_map(|q| q.split(['?', '&']))
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    parts.join("&")
}

/// librtmp and ffmpeg write the container before a recorded name; it is no part of it.
fn strip_type(name: &str) -> &str {
    ["flv:", "mp4:"].iter().find_map(|t| name.strip_prefix(t)).unwrap_or(name)
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

/// Longest app, and longest stream name, in bytes. The vendor's own ids stay under 100.
pub const NAME_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// One signed URL, `rtmp://push.example.com/live/room?txSecret=ab&txTime=5C`, as everyone cuts it.
    #[test]
    fn every_client_cuts_the_url_its_own_way() {
        let q = "txSecret=ab&txTime=5C";
        for (client, tc_url, app, name, want) in [
            ("ffmpeg", "rtmp://h:1935/live", "live", "room?Q", "live room Q"),
            ("ffmpeg, default port left out", "rtmp://h/live", "live", "room?Q", "live room Q"),
            ("ffmpeg, app of two segments", "rtmp://h/a/b", "a/b", "room?Q", "a/b room Q"),
            ("ffmpeg, path of four", "rtmp://h/a/b", "a/b", "c/room?Q", "a/b/c room Q"),
            ("OBS, query in the key", "rtmp://h/live", "live", "room?Q", "live room Q"),
            ("OBS, empty key", "rtmp://h/live/room?Q", "live/room?Q", "", "live room Q"),
            ("OBS, query in the server", "rtmp://h/live?Q", "live?Q", "room", "live room Q"),
            ("OBS, slash after the server", "rtmp://h/live/", "live/", "room?Q", "live room Q"),
            ("OBS, multitrack", "rtmp://h/live/room?Q", "live/room?Q", "?Q", "live room Q&Q"),
            ("GStreamer rtmp2sink", "rtmp://h:1935/live", "live", "room?Q", "live room Q"),
            ("GStreamer rtmpsink", "rtmp://h/live", "live", "room?Q", "live room Q"),
            ("librtmp, recorded name", "rtmp://h/live", "live", "flv:room?Q", "live room Q"),
            ("librtmp, mp4 name", "rtmp://h/live", "live", "mp4:room.mp4", "live room.mp4 "),
            ("live-pusher", "rtmp://h/live", "live", "room?bizid=8&Q", "live room bizid=8&Q"),
            ("query only in tcUrl", "rtmp://h/live?Q", "live", "room", "live room Q"),
            ("all of it in the name", "rtmp://h", "", "live/room?Q", "live room Q"),
            ("leading slash", "rtmp://h/live", "/live", "/room?Q", "live room Q"),
            ("a quote that got into tcUrl", "'rtmp://h/live", "live", "room?Q", "live room Q"),
            ("second question mark", "rtmp://h/live", "live", "room?a=1?Q", "live room a=1&Q"),
            ("the name's parameters win", "rtmp://h/l", "l?x=2", "r?x=1", "l r x=1&x=2"),
        ] {
            let (tc_url, app) = (tc_url.replace('Q', q), app.replace('Q', q));
            let got = Address::from_parts(&tc_url, &app, &name.replace('Q', q)).unwrap();
            let got_text = format!("{} {} {}", got.app, got.stream, got.query);
            assert_eq!(got_text, want.replace('Q', q), "{client}");
            assert_eq!((got.host.as_str(), got.port), ("h", 1935), "{client}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (tc_url, want) in [
            ("rtmp://push.example.com:19350/live", ("push.example.com", 19350)),
            ("rtmp://[::1]/live", ("::1", 1935)),
            ("rtmp://[::1]:19350/live", ("::1", 19350)),
            ("rtmp://h:what/live", ("", 1935)),
            ("", ("", 1935)),
        ] {
            let got = Address::from_parts(tc_url, "live", "s").unwrap();
            assert_eq!((got.host.as_str(), got.port), want, "{tc_url}");
        }
    }

    #[test]
    fn what_is_no_address() {
        let long = "x".repeat(257);
        for (app, name, want) in [
            ("", "", BadAddress::NoPath),
            ("live", "", BadAddress::NoStream),
            ("", "room", BadAddress::NoStream),
            ("live", "..", BadAddress::Character),
            ("../etc", "passwd", BadAddress::Character),
            ("live", "a\\b", BadAddress::Character),
            ("live", "a b", BadAddress::Character),
            ("live", "a%2fb", BadAddress::Character),
            ("live", "a\0b", BadAddress::Character),
            ("live", "<script>", BadAddress::Character),
            ("live", &long, BadAddress::TooLong),
        ] {
            assert_eq!(Address::from_parts("rtmp://h/x", app, name), Err(want), "{app} {name}");
        }
    }

    #[test]
    fn urls_that_people_paste() {
        let a = Address::from_url("rtmp://h:19350/a/b/room?txSecret=1&txTime=2").unwrap();
        assert_eq!((a.app.as_str(), a.stream.as_str(), a.port), ("a/b", "room", 19350));
        assert_eq!(a.tc_url(), "rtmp://h:19350/a/b");
        assert_eq!(a.name_and_query(), "room?txSecret=1&txTime=2");
        assert_eq!(a.to_string(), "rtmp://h:19350/a/b/room", "no secrets in a log");
        for (url, want) in [
            ("http://h/a/b", BadAddress::Scheme("rtmp://")),
            ("rtmp:///a/b", BadAddress::Host),
            ("rtmp://h:99999/a/b", BadAddress::Host),
            ("rtmp://h/a", BadAddress::NoStream),
            ("rtmp://h", BadAddress::NoPath),
        ] {
            assert_eq!(Address::from_url(url), Err(want), "{url}");
        }
    }
}
