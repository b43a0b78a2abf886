//! What an operator has to look after, as long as it lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

use crate::console::now_unix_s;

/// The problems of a server. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Problems(Arc<Mutex<BTreeMap<&'static str, Problem>>>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A word for programs.
    pub code: &'static str,
    /// What it is and what to do, for people.
    pub message: String,
    /// Since when, UNIX seconds.
    pub since: u64,
}

impl Problems {
    /// There is a problem, or there still is.
    pub fn raise(&self, code: &'static str, message: impl Into<String>) {
        let message = message.into();
        let mut problems = self.lock();
        if let Some(known) = problems.get_mut(code) {
            known.message = message;
            return;
        }
        tracing::warn!(code, message, "a problem");
        problems.insert(code, Problem { code, message, since: now_unix_s() });
    }

    /// It is over.
    pub fn clear(&self, code: &'static str) {
        if self.lock().remove(code).is_some() {
            tracing::info!(code, "a problem is over");
        }
    }

    /// All there are.
    pub fn list(&self) -> Vec<Problem> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Problem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
