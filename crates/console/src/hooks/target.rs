//! Where a request may go: to the open internet, and to what the operator has listed.
//!
//! A customer writes the URL, the server sends the request: without a rule it would be his way into the
//! operator's own network. So a name is resolved once, every address it has is looked at, and the
//! connection goes to one of those that were: a name that means something else a moment later gains
//! nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thalweg_access::Network;
use url::{Host, Url};

/// A URL that requests can be sent to. `Debug` and `Display` leave out its path and query, where
/// customers keep secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    host: Host<String>,
    port: u16,
    tls: bool,
    path: String,
}

/// Why a URL is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum BadTarget {
    #[error("this is no URL")]
    NoUrl,
    #[error("a URL to be called begins with http:// or https://")]
    Scheme,
    #[error("a URL to be called names no user and no password: put a secret into its query")]
    UserInfo,
    #[error("a URL to be called has {URL_BYTES_MAX} bytes at most")]
    TooLong,
}

/// What an operator allows besides the open internet.
#[derive(Debug, Clone, Default)]
pub struct Allow {
    networks: Vec<Network>,
    /// Hosts as a URL has them, without brackets, and their ports.
    doors: Vec<(String, u16)>,
}

/// Why an entry of the list is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "callback_allow: {0:?} is neither a network (10.0.0.0/8) nor a host with its port (hooks:8080)"
)]
pub struct BadEntry(String);

impl Target {
    /// Reads a URL. Whether its addresses may be called is only known when it is.
    ///
    /// # Errors
    /// [`BadTarget`].
    pub fn parse(text: &str) -> Result<Target, BadTarget> {
        if text.len() > URL_BYTES_MAX {
            return Err(BadTarget::TooLong);
        }
        let url = Url::parse(text).map_err(|_| BadTarget::NoUrl)?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(BadTarget::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadTarget::UserInfo);
        }
        let host = url.host().ok_or(BadTarget::NoUrl)?.to_owned();
        let port = url.port_or_known_default().filter(|p| *p != 0).ok_or(BadTarget::NoUrl)?;
        let path = url
            .query()
            .map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Ok(Target { host, port, tls, path })
    }

    /// The host: a name in lower case and ASCII, or an address.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is spoken to in TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Path and query, for the request's first line. A secret.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What the `Host` header says.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn host_without_brackets(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }
}

impl Allow {
    /// Reads a list of networks (`10.0.0.0/8`, `192.0.2.7`) and of hosts with their ports
    /// (`hooks.internal:8080`, `[::1]:8080`).
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Allow, BadEntry> {
        let mut allow = Allow::default();
        for entry in entries.iter().map(AsRef::as_ref) {
            if let Ok(network) = Network::parse(entry) {
                allow.networks.push(network);
            } else {
                allow.doors.push(door(entry).ok_or_else(|| BadEntry(entry.to_owned()))?);
            }
        }
        Ok(allow)
    }

    /// Which of a target's addresses may be called: all of them or none. One that leads inside is
    /// enough to distrust the name.
    pub(crate) fn check(&self, target: &Target, found: &[IpAddr]) -> Option<Vec<SocketAddr>> {
        let name = target.host_without_brackets();
        let is_door = self.doors.iter().any(|(host, port)| *host == name && *port == target.port);
        let may = |address: &IpAddr| {
            is_door || self.networks.iter().any(|n| n.contains(*address)) || is_open(*address)
        };
        let all = !found.is_empty() && found.iter().all(may);
        all.then(|| {
            let socket = |a: &IpAddr| SocketAddr::new(a.to_canonical(), target.port);
            found.iter().take(ADDRESSES_MAX).map(socket).collect()
        })
    }
}

/// Host and port of `host:port`, the host as a URL would have it.
fn door(entry: &str) -> Option<(String, u16)> {
    let (_, port) = entry.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_bare = !entry.contains(['/', '?', '#', '@']);
    let target = Target::parse(&format!("http://{entry}/")).ok()?;
    (is_number && is_bare).then(|| (target.host_without_brackets(), target.port))
}

/// Whether an address belongs to the open internet: anybody may send there anyway.
pub(crate) fn is_open(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_open_v4(v4),
        IpAddr::V6(v6) => is_open_v6(v6),
    }
}

fn is_open_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    let is_in = |(network, prefix): &(Ipv4Addr, u32)| {
        bits >> (32 - prefix) == network.to_bits() >> (32 - prefix)
    };
    !CLOSED_V4.iter().any(is_in)
}

/// Only 2000::/3 is given out. An IPv4 address inside one of IPv6 counts as what it is inside.
fn is_open_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let embedded =
        |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_open_v4(embedded(s[6], s[7])); // NAT64: how a network of IPv6 alone calls IPv4
    }
    let is_global = s[0] & 0xe000 == 0x2000;
    let is_protocols = s[0] == 0x2001 && s[1] < 0x200; // Teredo, ORCHID, benchmarks
    let is_documentation = s[..2] == [0x2001, 0xdb8] || (s[0] == 0x3fff && s[1] < 0x1000);
    let is_6to4 = s[0] == 0x2002; // tunnels to an IPv4 address that stands in it; given up long ago
    is_global && !is_protocols && !is_documentation && !is_6to4
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// What is not the open internet, from IANA's registry of special addresses.
const CLOSED_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, unspecified
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // behind a carrier's NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local; clouds tell secrets there
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocols
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];
/// As long as the URL of a push may be.
const URL_BYTES_MAX: usize = 2048;
/// Addresses of a name that are tried: a service with more has one that answers among the first.
const ADDRESSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_without_surprises() {
        let good = Target::parse("https://Hooks.Example.com/a/b?token=s3cret").unwrap();
        assert_eq!((good.authority().as_str(), good.port()), ("hooks.example.com", 443));
        assert_eq!(good.path(), "/a/b?token=s3cret");
        assert!(!format!("{good} {good:?}").contains("s3cret"));
        let other = Target::parse("http://[2001:db8::1]:8080").unwrap();
        assert_eq!((other.authority().as_str(), other.path()), ("[2001:db8::1]:8080", "/"));
        for (url, why) in [
            ("hooks.example.com", BadTarget::NoUrl),
            ("http://", BadTarget::NoUrl),
            ("http://h:0/", BadTarget::NoUrl),
            ("file:///etc/passwd", BadTarget::Scheme),
            ("gopher://h/", BadTarget::Scheme),
            ("http://user@h/", BadTarget::UserInfo),
            ("http://:pass@h/", BadTarget::UserInfo),
        ] {
            assert_eq!(Target::parse(url), Err(why), "{url}");
        }
        assert_eq!(Target::parse(&format!("http://h/{:2048}", "")), Err(BadTarget::TooLong));
    }

    #[test]
    fn an_address_in_disguise_is_recognised() {
        for url in ["http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/"] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.host(), &Host::<String>::Ipv4(Ipv4Addr::LOCALHOST), "{url}");
        }
    }

    #[test]
    fn what_is_inside_is_closed() {
        let closed = "0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 \
             169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 \
             198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 \
             255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:10.0.0.1 ::ffff:169.254.169.254 \
             64:ff9b::10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:1ff::1 2001:db8::1 \
             2002:a00:1::1 2002:808:808::1 3fff::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1";
        for address in closed.split_whitespace() {
            assert!(!is_open(address.parse().unwrap()), "{address}");
        }
        let open = "8.8.8.8 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 223.255.255.1 \
             2606:4700::1111 2001:4860:4860::8888 64:ff9b::8.8.8.8 ::ffff:8.8.8.8";
        for address in open.split_whitespace() {
            assert!(is_open(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn one_bad_address_spoils_the_name() {
        let target = Target::parse("http://hooks.example.com:8080/").unwrap();
        let (good, bad): (IpAddr, IpAddr) =
            ("8.8.8.8".parse().unwrap(), "10.0.0.7".parse().unwrap());
        let strict = Allow::default();
        assert_eq!(strict.check(&target, &[good]).unwrap(), ["8.8.8.8:8080".parse().unwrap()]);
        assert_eq!(strict.check(&target, &[]), None);
        assert_eq!(strict.check(&target, &[good, bad]), None);
        for entries in [["10.0.0.0/8"], ["10.0.0.7"], ["Hooks.example.com:8080"]] {
            let allow = Allow::parse(&entries).unwrap();
            assert!(allow.check(&target, &[good, bad]).is_some(), "{entries:?}");
        }
        for entries in [["11.0.0.0/8"], ["hooks.example.com:80"], ["example.com:8080"]] {
            let allow = Allow::parse(&entries).unwrap();
            assert_eq!(allow.check(&target, &[bad]), None, "{entries:?}");
        }
        let inside = Target::parse("http://[::1]:8080/").unwrap();
        let local = [IpAddr::from(Ipv6Addr::LOCALHOST)];
        assert!(Allow::parse(&["[::1]:8080"]).unwrap().check(&inside, &local).is_some());
        assert!(strict.check(&inside, &local).is_none());
        for entry in ["", "hooks", "hooks:", "hooks:x", "10.0.0.1/8", "http://a:80", "a@b:80"] {
            assert!(Allow::parse(&[entry]).is_err(), "{entry}");
        }
    }
}
