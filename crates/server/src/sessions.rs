//! How many use the same URL, where it says how many may.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_access::{Reason, SessionCap};

/// The counts, by signature. There is one only while there is a session.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    counts: Arc<Mutex<HashMap<Arc<str>, u32>>>,
}

/// One session. Dropping it ends it.
pub(crate) struct Session {
    of: Sessions,
    id: Arc<str>,
}

impl Sessions {
    /// Begins a session, unless there are as many as may be.
    pub(crate) fn enter(&self, cap: SessionCap) -> Result<Session, Reason> {
        let SessionCap { id, max } = cap;
        let mut counts = self.counts();
        let count = counts.entry(Arc::clone(&id)).or_default();
        // The cap is part of what is signed: under one id it is always the same, and never 0.
        if *count >= max {
            return Err(Reason::UrlInUse);
        }
        *count += 1;
        Ok(Session { of: self.clone(), id })
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<str>, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.of.counts().entry(Arc::clone(&self.id)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Signatures are secrets.
impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions(of {} URLs)", self.counts().len())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(of a URL)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_url_allows_and_nothing_is_kept_of_those_that_are_over() {
        let sessions = Sessions::default();
        let enter = |id: &str, max| sessions.enter(SessionCap { id: Arc::from(id), max });
        let (first, second) = (enter("a", 2).unwrap(), enter("a", 2).unwrap());
        assert_eq!(enter("a", 2).err(), Some(Reason::UrlInUse));
        let other = enter("b", 1).unwrap();
        drop(first);
        let third = enter("a", 2).unwrap();
        assert_eq!(enter("a", 2).err(), Some(Reason::UrlInUse));
        drop((second, third, other));
        assert!(sessions.counts().is_empty());
        assert!(!format!("{:?}", enter("secret", 1)).contains("secret"));
    }
}
