//! What does not work at the moment, for whoever shows it.

use std::collections::BTreeMap;

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::clock::Clock;

/// What works and what does not. Clones are the same.
#[derive(Debug, Clone)]
pub struct Health {
    sender: watch::Sender<Ailments>,
}

/// What does not work, by part: empty when all is well.
pub type Ailments = BTreeMap<&'static str, Ailment>;

/// Since when a part does not work, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Ailment {
    /// UNIX seconds.
    pub since: u64,
    /// In words.
    pub why: String,
    /// What is lost so far: events, or counts of a stream's minute. 0: it all waits in memory.
    pub lost: u64,
}

impl Default for Health {
    fn default() -> Self {
        Health { sender: watch::Sender::new(Ailments::new()) }
    }
}

impl Health {
    /// What does not work now, and whenever that changes.
    pub fn watch(&self) -> watch::Receiver<Ailments> {
        self.sender.subscribe()
    }

    /// What does not work now.
    pub fn ailments(&self) -> Ailments {
        self.sender.borrow().clone()
    }

    /// A part has failed. Says so in the log when it is news.
    pub(crate) fn failed(&self, part: &'static str, now: u64, why: &str) {
        let is_news = self.sender.send_if_modified(|all| {
            let is_news = !all.contains_key(part);
            let ailment = Ailment { since: now, why: String::new(), lost: 0 };
            let ailment = all.entry(part).or_insert(ailment);
            let differs = ailment.why != why;
            why.clone_into(&mut ailment.why);
            is_news || differs
        });
        if is_news {
            tracing::error!(part, why, "what happens cannot be written down: it waits in memory");
        }
    }

    /// Waits for the store on behalf of a part, and complains while it takes its time.
    pub(crate) async fn patiently<T>(
        &self,
        part: &'static str,
        clock: &dyn Clock,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(work);
        match timeout(SLOW_AFTER, &mut work).await {
            Ok(answer) => answer,
            Err(_) => {
                self.failed(part, clock.now(), "the store does not answer");
                work.await
            }
        }
    }

    /// And loses something.
    pub(crate) fn lost(&self, part: &'static str, count: u64) {
        self.sender.send_if_modified(|all| {
            let Some(ailment) = all.get_mut(part) else { return false };
            ailment.lost += count;
            true
        });
    }

    /// It works again, or still.
    pub(crate) fn works(&self, part: &'static str) {
        let mut was = None;
        self.sender.send_if_modified(|all| {
            was = all.remove(part);
            was.is_some()
        });
        if let Some(Ailment { since, lost, .. }) = was {
            tracing::warn!(part, since, lost, "what happened is written down again");
        }
    }
}

/// From here on a store that does not answer is one that does not work. SQLite and PostgreSQL themselves
/// give up waiting for a lock after two seconds. While somebody publishes something is written every two
/// seconds, and the console's pages ask every second: an operator sees it within five.
const SLOW_AFTER: Duration = Duration::from_millis(1500);
