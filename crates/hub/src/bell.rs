//! How a log tells whoever walks its viewers that there is something new.

use std::sync::atomic::{AtomicBool, Ordering};

/// A bell that rings once for each time it is wound.
///
/// A walker winds it when it has seen everything there is; the next append rings it. Between the
/// two, appending costs one load: a thousand frames ring once.
pub struct Bell {
    wound: AtomicBool,
    ring: Box<dyn Fn() + Send + Sync>,
}

impl Bell {
    /// A bell, not wound, that calls `ring`. The call must be short and must not lock the stream.
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Bell { wound: AtomicBool::new(false), ring: Box::new(ring) }
    }

    /// Asks for one ring. Look at the log once more after this: what was appended before it does
    /// not ring.
    pub fn wind(&self) {
        self.wound.store(true, Ordering::SeqCst);
    }

    /// Rings, if it is wound.
    pub(crate) fn strike(&self) {
        if self.wound.load(Ordering::SeqCst) && self.wound.swap(false, Ordering::SeqCst) {
            (self.ring)();
        }
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").field("wound", &self.wound).finish_non_exhaustive()
    }
}
