//! A panic ends one request, not the process (S-91).

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs `future`; if it panics, logs that (never the payload, which may hold a secret) and gives `instead`.
///
/// The process's panic hook runs before this and prints the payload unless it has been replaced.
pub async fn catch_panic<T>(future: impl Future<Output = T>, instead: impl FnOnce() -> T) -> T {
    let mut future = pin!(future);
    let caught = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_payload) => Poll::Ready(None),
    });
    caught.await.unwrap_or_else(|| log_panic(instead))
}

/// As [`catch_panic`], for what does not wait.
pub fn catch_panic_at_once<T>(act: impl FnOnce() -> T, instead: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_payload| log_panic(instead))
}

fn log_panic<T>(instead: impl FnOnce() -> T) -> T {
    tracing::error!("a request handler panicked; its request is answered with an error");
    instead()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_the_other_value() {
        let calm = catch_panic(async { 1 }, || 2).await;
        let panicked = catch_panic(async { panic!("on purpose, by the test") }, || 2).await;
        assert_eq!((calm, panicked), (1, 2));
    }

    #[test]
    fn a_panic_at_once_becomes_the_other_value() {
        let calm = catch_panic_at_once(|| 1, || 2);
        let panicked = catch_panic_at_once(|| panic!("on purpose, by the test"), || 2);
        assert_eq!((calm, panicked), (1, 2));
    }

    #[tokio::test]
    async fn a_panic_after_a_wait_is_caught_too() {
        let future = async {
            tokio::task::yield_now().await;
            panic!("on purpose, by the test")
        };
        assert_eq!(catch_panic(future, || 2).await, 2);
    }
}
