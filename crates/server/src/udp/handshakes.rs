//! Handshakes that are not finished: a spoofed address costs a packet, and no more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handshakes {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    addresses: HashMap<IpAddr, usize>,
}

/// One handshake. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Handshake {
    of: Handshakes,
    address: IpAddr,
}

impl Handshakes {
    /// Whether an address has to show first that it receives what is sent to it (RFC 9000 section
    /// 8.1.2): while many shake hands, or many of this address do.
    pub(crate) fn must_retry(&self, address: IpAddr) -> bool {
        let counts = self.counts();
        let of_address = counts.addresses.get(&address).copied().unwrap_or_default();
        counts.all > HALF_OPEN_MAX || of_address > HALF_OPEN_ADDRESS_MAX
    }

    /// Begins one.
    pub(crate) fn begin(&self, address: IpAddr) -> Handshake {
        let mut counts = self.counts();
        counts.all += 1;
        *counts.addresses.entry(address).or_default() += 1;
        Handshake { of: self.clone(), address }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut counts = self.of.counts();
        counts.all -= 1;
        if let Some(n) = counts.addresses.get_mut(&self.address) {
            *n -= 1;
            if *n == 0 {
                counts.addresses.remove(&self.address);
            }
        }
    }
}

/// Handshakes at one time that cost nobody a round trip more.
const HALF_OPEN_MAX: usize = 100;
/// The same of one address.
const HALF_OPEN_ADDRESS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_to_show_where_it_is() {
        let handshakes = Handshakes::default();
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let of_one: Vec<_> = (0..9).map(|_| handshakes.begin(address(1))).collect();
        assert!(handshakes.must_retry(address(1)));
        assert!(!handshakes.must_retry(address(2)));
        let of_many: Vec<_> = (0..92).map(|n| handshakes.begin(address(n))).collect();
        assert!(handshakes.must_retry(address(200)));
        drop((of_one, of_many));
        assert!(!handshakes.must_retry(address(1)));
        assert!(handshakes.counts().addresses.is_empty());
    }
}
