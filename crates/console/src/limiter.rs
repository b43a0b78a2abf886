//! So often a minute, and no more.

use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Counts how often each of many did something.
pub(crate) struct Limiter<K: Hash + Eq + Clone>(RateLimiter<K, HashMapStateStore<K>, DefaultClock>);

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Each may so often a minute.
    pub(crate) fn per_minute(times: u32) -> Limiter<K> {
        let times = NonZeroU32::new(times).unwrap_or(NonZeroU32::MIN);
        Limiter(RateLimiter::hashmap(Quota::per_minute(times)))
    }

    /// Takes one of the turns of a key.
    ///
    /// # Errors
    /// Seconds until there is another.
    pub(crate) fn take(&self, key: &K) -> Result<(), u64> {
        // Who may do it as often as ever is forgotten: of those who asked within a minute there are few.
        if self.0.len() > KEYS_MAX {
            self.0.retain_recent();
        }
        let now = DefaultClock::default().now();
        self.0.check_key(key).map_err(|left| left.wait_time_from(now).as_secs() + 1)
    }
}

/// Keys are people's names and addresses.
impl<K: Hash + Eq + Clone> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limiter(of {} keys)", self.0.len())
    }
}

/// Keys that are remembered before those that need not be are forgotten.
const KEYS_MAX: usize = 10_000;
