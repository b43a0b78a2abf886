//! The network that a peer must come from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A network: an address, of which only the first bits count. A network of all its bits is one
/// address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why something is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text says it")]
pub enum BadNetwork {
    Address,
    Prefix,
    /// `192.0.2.7/24` may be meant as the one address or as the network.
    BitsBeyond,
    /// It would never fit: such peers count as IPv4.
    Mapped,
}

impl Network {
    /// The network of an address and the length of its prefix.
    ///
    /// # Errors
    /// [`BadNetwork`].
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, BadNetwork> {
        let network = Network { address, prefix };
        if prefix > network.width() {
            return Err(BadNetwork::Prefix);
        }
        if network.head(address) != bits(address) {
            return Err(BadNetwork::BitsBeyond);
        }
        if matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()) {
            return Err(BadNetwork::Mapped);
        }
        Ok(network)
    }

    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// [`BadNetwork`].
    pub fn parse(text: &str) -> Result<Self, BadNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetwork::Address)?;
        let prefix = match prefix {
            Some(digits) => prefix_of(digits).ok_or(BadNetwork::Prefix)?,
            None => width(address),
        };
        Network::new(address, prefix)
    }

    /// Reads the form that stands in a token: no `.` and no `/`, which mean something else there.
    pub(crate) fn parse_field(text: &str) -> Result<Self, BadNetwork> {
        let is_v6 = text.contains(':');
        let fits = |b: u8| match b {
            b'0'..=b'9' | b'_' => true,
            b'a'..=b'f' | b':' => is_v6,
            b'-' => !is_v6,
            _ => false,
        };
        if !text.bytes().all(fits) {
            return Err(BadNetwork::Address);
        }
        Network::parse(&text.replace('-', ".").replacen('_', "/", 1))
    }

    /// That form.
    pub(crate) fn to_field(self) -> String {
        self.to_string().replace('.', "-").replace('/', "_")
    }

    /// Whether a peer is in it. An IPv4 address that came in an IPv6 one is an IPv4 address.
    pub fn contains(self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_ipv4() == self.address.is_ipv4() && self.head(peer) == bits(self.address)
    }

    /// The bits of an address that count.
    fn head(self, address: IpAddr) -> u128 {
        let beyond = u32::from(self.width().saturating_sub(self.prefix));
        bits(address).checked_shr(beyond).and_then(|b| b.checked_shl(beyond)).unwrap_or(0)
    }

    fn width(self) -> u8 {
        width(self.address)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

/// A length without a leading zero.
fn prefix_of(digits: &str) -> Option<u8> {
    let is_plain = digits == "0" || !digits.starts_with('0');
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain && is_number)
}

/// `192.0.2.0/24`, or one address.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Network { address, prefix } = self;
        if *prefix == self.width() {
            write!(f, "{address}")
        } else {
            write!(f, "{address}/{prefix}")
        }
    }
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadNetwork::Address => "a network is an address, or one with the length of its prefix",
            BadNetwork::Prefix => "the prefix is longer than the address, or not a number",
            BadNetwork::BitsBeyond => "the address has bits beyond its prefix: they must be zero",
            BadNetwork::Mapped => "an IPv4 address is written as such, not inside an IPv6 one",
        })
    }
}

impl std::error::Error for BadNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_it() {
        for (network, peer, want) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::c000:207", "192.0.2.7", false),
            ("2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::2", false),
        ] {
            let contains = Network::parse(network).unwrap().contains(peer.parse().unwrap());
            assert_eq!(contains, want, "{network} {peer}");
        }
    }

    #[test]
    fn what_is_none() {
        for (text, want) in [
            ("192.0.2.7/24", BadNetwork::BitsBeyond),
            ("0.0.0.1/0", BadNetwork::BitsBeyond),
            ("2001:db8::1/127", BadNetwork::BitsBeyond),
            ("192.0.2.0/33", BadNetwork::Prefix),
            ("::/129", BadNetwork::Prefix),
            ("192.0.2.0/", BadNetwork::Prefix),
            ("192.0.2.0/+8", BadNetwork::Prefix),
            ("192.0.2.0/024", BadNetwork::Prefix),
            ("192.0.2", BadNetwork::Address),
            ("192.0.2.007", BadNetwork::Address),
            ("", BadNetwork::Address),
            ("::ffff:192.0.2.0/120", BadNetwork::Mapped),
        ] {
            assert_eq!(Network::parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn in_a_token_it_has_no_dots() {
        for (network, field) in [
            ("192.0.2.0/24", "192-0-2-0_24"),
            ("192.0.2.7", "192-0-2-7"),
            ("0.0.0.0/0", "0-0-0-0_0"),
            ("2001:db8::/32", "2001:db8::_32"),
            ("::1", "::1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(network.to_field(), field);
            assert_eq!(Network::parse_field(field), Ok(network));
        }
        for field in ["192.0.2.7", "192-0-2-0/24", "2001:DB8::_32", "::192-0-2-7", "1_2_3", ""] {
            assert!(Network::parse_field(field).is_err(), "{field}");
        }
    }
}
