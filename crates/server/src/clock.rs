//! The one clock of this crate: the runtime's, which tests can turn by hand.

use std::time::Instant;

/// The time now.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
