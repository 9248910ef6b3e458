//! Who owns the tasks of the server? This file starts them, and whoever starts one waits for its
//! end.
//!
//! A task that nobody awaits hides its failure and outlives a shutdown, so nothing else spawns.

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};

/// A task of a running server: its accept loop, its sweeper, its delivery of mails.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts tasks; the handle is awaited"
)]
pub(crate) fn start<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A group of tasks that ends together. Dropping it aborts what still runs.
#[derive(Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// Starts one more task of the group.
    pub(crate) fn start(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Forgets the tasks that have ended.
    pub(crate) fn reap(&mut self) {
        while let Some(ended) = self.0.try_join_next() {
            report(ended);
        }
    }

    /// Whether no task of the group runs any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for one task to end; never returns while the group is empty.
    pub(crate) async fn one_ended(&mut self) {
        match self.0.join_next().await {
            Some(ended) => report(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits until every task has ended.
    pub(crate) async fn all_ended(&mut self) {
        while let Some(ended) = self.0.join_next().await {
            report(ended);
        }
    }
}

/// Work that goes on to its end, whatever becomes of whoever began it: a stop waits for all of it.
pub(crate) struct Carried(watch::Sender<()>);

impl Carried {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Starts one more; whoever drops the handle leaves it running.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let running = self.0.subscribe();
        start(async move {
            let output = work.await;
            drop(running);
            output
        })
    }

    /// Waits until none runs.
    pub(crate) async fn all_ended(&self) {
        self.0.closed().await;
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a task panicked");
    }
}
