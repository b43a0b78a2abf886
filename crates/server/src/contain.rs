//! A bug that panics ends what it was at, and nothing beside it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

/// Runs `work`; a panic in it is its error, as text.
///
/// Whatever `work` borrowed is afterwards in a state nobody knows: the caller throws it away.
pub(crate) async fn contained<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
        Err(panic) => Poll::Ready(Err(words(&*panic))),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::contained;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_words() {
        assert_eq!(contained(async { 7 }).await, Ok(7));
        let after_a_while = async {
            tokio::task::yield_now().await;
            panic!("the reason")
        };
        assert_eq!(contained::<()>(after_a_while).await, Err("the reason".to_owned()));
    }
}
