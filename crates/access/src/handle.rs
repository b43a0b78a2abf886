//! The policy that holds now, for whoever decides and whoever changes it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::Policy;

/// The writer's end. One program makes one, gives readers to whoever decides, and keeps this.
#[derive(Debug)]
pub struct PolicyHandle {
    current: Arc<RwLock<Arc<Policy>>>,
}

/// The reader's end.
#[derive(Debug, Clone)]
pub struct PolicyReader {
    current: Arc<RwLock<Arc<Policy>>>,
}

impl PolicyHandle {
    /// A handle on a first policy.
    pub fn new(policy: Policy) -> Self {
        PolicyHandle { current: Arc::new(RwLock::new(Arc::new(policy))) }
    }

    /// Puts another policy in place. It holds from the next decision on.
    pub fn replace(&self, policy: Policy) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// A reader.
    pub fn reader(&self) -> PolicyReader {
        PolicyReader { current: Arc::clone(&self.current) }
    }
}

impl PolicyReader {
    /// The policy that holds now.
    pub fn get(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
