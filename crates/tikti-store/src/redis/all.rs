//! How are several servers asked at the same time, without a task that nobody owns?
//!
//! Invariant: every future is polled in the task of the caller, and dropped with it.
//!
//! Spec: Storage, "one round trip per node".

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

enum Part<F: Future> {
    Pending(Pin<Box<F>>),
    Ready(Option<F::Output>),
}

/// Waits for all of `futures`, which run at the same time; what they gave, in their order.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut parts: Vec<_> =
        futures.into_iter().map(|future| Part::Pending(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for part in &mut parts {
            if let Part::Pending(future) = part {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *part = Part::Ready(Some(output)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let outputs = parts.into_iter().filter_map(|part| match part {
        Part::Ready(output) => output,
        Part::Pending(_) => None,
    });
    outputs.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn runs_at_the_same_time_and_keeps_the_order() {
        // None of them would pass the barrier if they ran one after another.
        let barrier = Arc::new(Barrier::new(3));
        let numbers = all((0..3).map(|number| {
            let barrier = Arc::clone(&barrier);
            async move {
                for _ in number..3 {
                    tokio::task::yield_now().await;
                }
                barrier.wait().await;
                number
            }
        }));
        assert_eq!(numbers.await, [0, 1, 2]);
    }

    #[tokio::test]
    async fn of_nothing_is_nothing() {
        assert_eq!(all(Vec::<std::future::Ready<u8>>::new()).await, Vec::<u8>::new());
    }
}
