//! Who may come, by address and by page: lists of an account.
//!
//! A list names who alone may come, or who may not. By address it holds for every way; by page only
//! where a client says which page it is on.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::network::Network;

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListRule {
    /// Nothing.
    #[default]
    Off,
    /// Who is on it, and nobody else.
    Only,
    /// Everyone but who is on it.
    Except,
}

impl ListRule {
    /// Whether somebody who is on the list, or is not, may come.
    fn admits(self, is_listed: bool) -> bool {
        match self {
            ListRule::Off => true,
            ListRule::Only => is_listed,
            ListRule::Except => !is_listed,
        }
    }
}

/// Which addresses may publish and watch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressList {
    /// What it is for.
    pub rule: ListRule,
    /// At most [`ADDRESSES_MAX`].
    pub networks: Vec<Network>,
}

impl AddressList {
    /// Whether a peer may come.
    pub fn admits(&self, peer: IpAddr) -> bool {
        self.rule == ListRule::Off
            || self.rule.admits(self.networks.iter().any(|n| n.contains(peer)))
    }
}

/// Which pages may publish and watch. A client that is no browser says what it likes: this keeps other
/// people's pages away, not other people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RefererList {
    /// What it is for.
    pub rule: ListRule,
    /// Whether a client may come that does not say which page it is on, or says it so that it cannot
    /// be read.
    pub allow_empty: bool,
    /// At most [`REFERERS_MAX`].
    pub patterns: Vec<RefererPattern>,
}

impl RefererList {
    /// Whether a client on this page may come.
    pub fn admits(&self, referer: &str) -> bool {
        if self.rule == ListRule::Off {
            return true;
        }
        match Page::parse(referer) {
            Some(page) => self.rule.admits(self.patterns.iter().any(|p| p.matches(&page))),
            None => self.allow_empty,
        }
    }
}

/// Some pages: `example.com`, `*.example.com`, or `https://servicewechat.com/wx123/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefererPattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    /// A host, whatever the scheme and port.
    Host(Arc<str>),
    /// All hosts below one, but not itself.
    Below(Arc<str>),
    /// Scheme, host and port, and where the path begins.
    Prefix { is_https: bool, host: Arc<str>, port: u16, path: Arc<str> },
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text says it")]
pub enum BadPattern {
    Empty,
    TooLong,
    Host,
    Scheme,
    Query,
}

impl RefererPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`BadPattern`].
    pub fn parse(text: &str) -> Result<RefererPattern, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > PATTERN_CHARS_MAX {
            return Err(BadPattern::TooLong);
        }
        if text.contains("://") {
            if text.contains(['?', '#']) {
                return Err(BadPattern::Query);
            }
            let is_web = ["http", "https"].contains(&text.split("://").next().unwrap_or_default());
            let page = Page::parse(text).ok_or(match is_web {
                true => BadPattern::Host,
                false => BadPattern::Scheme,
            })?;
            let Page { is_https, host, port, path } = page;
            let (host, path) = (Arc::from(host), Arc::from(path));
            return Ok(RefererPattern(Kind::Prefix { is_https, host, port, path }));
        }
        let lower = text.to_ascii_lowercase();
        let (host, make): (_, fn(Arc<str>) -> Kind) = match lower.strip_prefix("*.") {
            Some(host) => (host, Kind::Below),
            None => (&*lower, Kind::Host),
        };
        if !is_host(host) {
            return Err(BadPattern::Host);
        }
        Ok(RefererPattern(make(Arc::from(host))))
    }

    fn matches(&self, page: &Page<'_>) -> bool {
        match &self.0 {
            Kind::Host(host) => **host == *page.host,
            Kind::Below(host) => {
                let head = page.host.strip_suffix(&**host);
                head.is_some_and(|head| head.len() > 1 && head.ends_with('.'))
            }
            Kind::Prefix { is_https, host, port, path } => {
                (*is_https, &**host, *port) == (page.is_https, &*page.host, page.port)
                    && is_below(page.path, path)
            }
        }
    }
}

/// As it was written, but for the case of a host.
impl fmt::Display for RefererPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Host(host) => f.write_str(host),
            Kind::Below(host) => write!(f, "*.{host}"),
            Kind::Prefix { is_https, host, port, path } => {
                let scheme = if *is_https { "https" } else { "http" };
                write!(f, "{scheme}://{host}")?;
                if *port != usual_port(*is_https) {
                    write!(f, ":{port}")?;
                }
                f.write_str(path)
            }
        }
    }
}

/// Whether a path is `prefix` or goes on from it, at the border of a segment.
fn is_below(path: &str, prefix: &str) -> bool {
    // What leads out again is not below. Browsers send none of these.
    if path.split('/').any(|segment| segment == ".." || segment == ".") {
        return false;
    }
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/')
}

/// A page's URL, taken apart.
struct Page<'a> {
    is_https: bool,
    host: String,
    port: u16,
    /// Without query; `/` where there is none, as in an origin.
    path: &'a str,
}

impl<'a> Page<'a> {
    /// Reads a URL as browsers send it. Whatever else it may be is nothing: a reader that guesses
    /// can be made to guess wrong.
    fn parse(url: &'a str) -> Option<Page<'a>> {
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>');
        if !url.chars().all(is_plain) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let is_https = match scheme {
            s if s.eq_ignore_ascii_case("https") => true,
            s if s.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A referer has no user in it; whoever writes one means to be misread.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(digits) => digits.parse().ok()?,
            None => usual_port(is_https),
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if !is_host(&host) {
            return None;
        }
        let path = tail.split(['?', '#']).next().filter(|p| !p.is_empty()).unwrap_or("/");
        Some(Page { is_https, host, port, path })
    }
}

/// Whether a lower-case text can be a host: a name, or an address, IPv6 in brackets.
fn is_host(text: &str) -> bool {
    if let Some(v6) = text.strip_prefix('[') {
        return v6.strip_suffix(']').is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(fits);
    text.len() <= HOST_CHARS_MAX && text.split('.').all(is_label)
}

fn usual_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadPattern::Empty => {
                "a page is example.com, *.example.com or https://example.com/path/"
            }
            BadPattern::TooLong => "a page is written in at most 512 characters",
            BadPattern::Host => "the host of a page has letters, digits, hyphens and dots",
            BadPattern::Scheme => "a page begins with https:// or http://, or with its host",
            BadPattern::Query => "a page is told apart by its path: leave ? and # out",
        })
    }
}

impl std::error::Error for BadPattern {}

/// Networks of one list: the vendor's number.
pub const ADDRESSES_MAX: usize = 200;
/// Pages of one list: as many.
pub const REFERERS_MAX: usize = 200;
/// Four times what a mini-program's page takes; a list of them is then 100 KiB at most.
const PATTERN_CHARS_MAX: usize = 512;
/// Of a name in the DNS.
const HOST_CHARS_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_matched_on_what_is_parsed() {
        let wechat = "https://servicewechat.com/wx123/";
        for (pattern, page, want) in [
            ("example.com", "https://example.com/watch?x=1", true),
            ("example.com", "http://EXAMPLE.com:8080", true),
            ("example.com", "https://example.com.", true),
            ("example.com", "https://www.example.com/", false),
            ("example.com", "https://notexample.com/", false),
            ("example.com", "https://example.com.evil.com/", false),
            ("example.com", "https://evil.com/example.com", false),
            ("example.com", "https://evil.com?https://example.com/", false),
            ("example.com", "https://evil.com#example.com", false),
            ("example.com", "https://example.com@evil.com/", false),
            ("example.com", "https://evil.com\\@example.com/", false),
            ("*.example.com", "https://a.b.example.com/", true),
            ("*.example.com", "https://example.com/", false),
            ("*.example.com", "https://.example.com/", false),
            ("*.example.com", "https://badexample.com/", false),
            (wechat, "https://servicewechat.com/wx123/7/page-frame.html", true),
            (wechat, "https://servicewechat.com:443/wx123/", true),
            (wechat, "http://servicewechat.com/wx123/", false),
            (wechat, "https://servicewechat.com:444/wx123/", false),
            (wechat, "https://servicewechat.com/wx1234/", false),
            (wechat, "https://servicewechat.com/wx123/../wx999/", false),
            (wechat, "https://servicewechat.com.evil.com/wx123/", false),
            (wechat, "https://evil/?https://servicewechat.com/wx123/", false),
            (wechat, "https://servicewechat.com", false),
            ("https://servicewechat.com/wx123", "https://servicewechat.com/wx123/7/", true),
            ("https://servicewechat.com/wx123", "https://servicewechat.com/wx1234/", false),
            ("https://page.example", "https://page.example", true),
            ("https://page.example:4443", "https://page.example:4443/x", true),
            ("[2001:db8::1]", "http://[2001:db8::1]:8080/", true),
        ] {
            let list = RefererList {
                rule: ListRule::Only,
                allow_empty: false,
                patterns: vec![RefererPattern::parse(pattern).unwrap()],
            };
            assert_eq!(list.admits(page), want, "{pattern} {page}");
        }
    }

    #[test]
    fn who_says_nothing_or_nonsense() {
        let patterns = vec![RefererPattern::parse("example.com").unwrap()];
        for rule in [ListRule::Only, ListRule::Except] {
            for referer in ["", "null", "example.com", "https://", "ftp://example.com/", "a b"] {
                for allow_empty in [true, false] {
                    let list = RefererList { rule, allow_empty, patterns: patterns.clone() };
                    assert_eq!(list.admits(referer), allow_empty, "{rule:?} {referer}");
                }
            }
        }
        assert!(RefererList::default().admits(""));
    }

    #[test]
    fn patterns_as_they_are_written() {
        for text in ["example.com", "*.example.com", "https://a.b/c/", "http://a:81/", "[::1]"] {
            assert_eq!(RefererPattern::parse(text).unwrap().to_string(), text);
        }
        for (text, want) in [
            ("", BadPattern::Empty),
            ("*", BadPattern::Host),
            ("a.*.b", BadPattern::Host),
            ("example.com/path", BadPattern::Host),
            ("例子.com", BadPattern::Host),
            ("https://", BadPattern::Host),
            ("ftp://a/", BadPattern::Scheme),
            ("https://a/?b", BadPattern::Query),
        ] {
            assert_eq!(RefererPattern::parse(text), Err(want), "{text}");
        }
        assert_eq!(RefererPattern::parse(&"a".repeat(513)), Err(BadPattern::TooLong));
    }
}
