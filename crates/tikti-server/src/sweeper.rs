//! Who finishes what a dead process has left half done? Every running server, about twice a minute.
//!
//! Invariant: it holds nothing up. A round is bounded, begins at a moment that replicas do not share,
//! and is dropped where it stands when the server is asked to stop: its steps may be repeated, by
//! whoever comes next.
//!
//! Spec: Storage, "a sweeper that any replica runs".

use std::time::Duration;

use tikti_domain::clock::Clock;
use tikti_domain::error::Error;
use tikti_domain::random::Random;
use tikti_domain::sweep::{SweepCursor, sweep};

use crate::shutdown::ShutdownListener;
use crate::state::Shared;

/// The pause between two rounds, and by how much more it may be.
const PAUSE: Duration = Duration::from_secs(25);
const MOST_JITTER: Duration = Duration::from_secs(10);
/// Calls of one round: each looks at a page of everything.
const MOST_CALLS: usize = 16;

/// The background work of one server.
pub(crate) struct Sweeper {
    pub(crate) state: Shared,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) shutdown: ShutdownListener,
}

/// How the last round went: what has not changed is not logged again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Done,
    Failed,
}

impl Sweeper {
    /// Sweeps until the server is asked to stop.
    pub(crate) async fn run(mut self) {
        let mut cursor = SweepCursor::default();
        let mut last = Last::Done;
        let mut asked = self.shutdown.clone();
        loop {
            let rounds = async {
                tokio::time::sleep(self.pause()).await;
                last = report(self.round(&mut cursor).await, last);
            };
            tokio::select! {
                biased;
                () = asked.asked() => return,
                () = rounds => {}
            }
        }
    }

    /// One round; gives how many operations it finished.
    async fn round(&mut self, cursor: &mut SweepCursor) -> Result<usize, Error> {
        let mut finished = 0;
        for _ in 0..MOST_CALLS {
            let swept = sweep(&self.state.domain, cursor, self.clock.now()).await?;
            finished += swept.finished;
            if !swept.more && swept.reclaimed == 0 {
                break;
            }
        }
        Ok(finished)
    }

    fn pause(&self) -> Duration {
        // Without randomness, replicas sweep at the same time, which is only a waste.
        let [byte] = self.random.bytes().unwrap_or_default();
        PAUSE + MOST_JITTER.mul_f32(f32::from(byte) / 255.0)
    }
}

/// Logs what is new, and says how it went.
fn report(round: Result<usize, Error>, last: Last) -> Last {
    match (round, last) {
        (Ok(finished), _) => {
            if last == Last::Failed {
                tracing::info!("sweeping works again");
            }
            if finished > 0 {
                tracing::info!(finished, "finished operations whose processes had ended");
            }
            Last::Done
        }
        (Err(error), Last::Done) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the store could not be swept; it is tried again");
            Last::Failed
        }
        (Err(_), Last::Failed) => Last::Failed,
    }
}
