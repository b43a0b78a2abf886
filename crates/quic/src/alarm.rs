//! Waiting for a time that moves.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// A timer for whoever polls and names its time anew with each poll.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    set: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Alarm {
    /// Ready when `at` has come; never while there is none. A later time is set only when the earlier
    /// has passed: most go away before. So it may be ready early, and whoever is woken looks again.
    pub(crate) fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        let (set, sleep) =
            self.set.get_or_insert_with(|| (at, Box::pin(tokio::time::sleep_until(at.into()))));
        if at < *set {
            *set = at;
            sleep.as_mut().reset(at.into());
        }
        std::task::ready!(sleep.as_mut().poll(cx));
        self.set = None;
        Poll::Ready(())
    }
}

/// Waits until a time, for ever while there is none.
pub async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
