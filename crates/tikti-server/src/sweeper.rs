//! Who finishes what a dead process has left half done, signs where the audit ends, takes out what is too
//! old of it, writes down which API keys were used, and lets signing keys follow each other? Every running server, about twice a minute.
//!
//! Invariant: it holds nothing up. A round is bounded, begins at a moment that replicas do not share,
//! and is dropped where it stands when the server is asked to stop: its steps may be repeated, by
//! whoever comes next.
//!
//! Spec: Storage, "a sweeper that any replica runs".

use std::time::Duration;

use tikti_domain::api_keys::write_key_uses;
use tikti_domain::audit::{HeadsCursor, PruneCursor, prune, sign_heads};
use tikti_domain::clock::Clock;
use tikti_domain::error::Error;
use tikti_domain::keys::{destroy_removed, rotate_if_due};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// This many operations could not be finished.
    Done {
        failed: usize,
    },
    Failed,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    finished: usize,
    /// The most that one call could not finish: another call may meet the same again.
    failed: usize,
}

impl Sweeper {
    /// Sweeps until the server is asked to stop.
    pub(crate) async fn run(mut self) {
        let mut cursor = SweepCursor::default();
        let mut heads = HeadsCursor::default();
        let mut pruned = PruneCursor::default();
        let mut last = Last::Done { failed: 0 };
        let mut asked = self.shutdown.clone();
        loop {
            let rounds = async {
                tokio::time::sleep(self.pause()).await;
                last = report(self.round(&mut cursor).await, last);
                self.sign(&mut heads).await;
                self.prune(&mut pruned).await;
                self.write_key_uses().await;
                self.keep_keys().await;
            };
            tokio::select! {
                biased;
                () = asked.asked() => return,
                () = rounds => {}
            }
        }
    }

    async fn round(&mut self, cursor: &mut SweepCursor) -> Result<Round, Error> {
        let mut round = Round::default();
        for _ in 0..MOST_CALLS {
            let swept = sweep(&self.state.domain, cursor, self.clock.now()).await?;
            round.finished += swept.finished;
            round.failed = round.failed.max(swept.failed);
            if !swept.more && swept.reclaimed == 0 {
                break;
            }
        }
        Ok(round)
    }

    /// Signs the heads of chains of audit events that have grown. What fails is tried again in the next
    /// round; a store that is away was reported by this one.
    async fn sign(&self, cursor: &mut HeadsCursor) {
        for _ in 0..MOST_CALLS {
            match sign_heads(&self.state.domain, cursor, self.clock.now()).await {
                Ok(done) if done.more => {}
                Ok(_) => return,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, "heads of the audit could not be signed");
                    return;
                }
            }
        }
    }

    /// Writes down which API keys were used. What fails is tried again in the next round.
    async fn write_key_uses(&self) {
        if let Err(error) = write_key_uses(&self.state.domain, self.clock.now()).await {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "when API keys were used could not be written");
        }
    }

    /// Makes the next signing key where it is due, and destroys the private parts of those that were removed.
    /// What fails is tried again in the next round.
    async fn keep_keys(&self) {
        let domain = &self.state.domain;
        if let Err(error) = rotate_if_due(domain, self.clock.now()).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the next signing key is due and could not be made");
        }
        if let Err(error) = destroy_removed(domain, self.clock.now()).await {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "a removed signing key could not be destroyed");
        }
    }

    /// Removes audit events that need not be kept any more. What fails is tried again in a later round.
    async fn prune(&self, cursor: &mut PruneCursor) {
        for _ in 0..MOST_CALLS {
            match prune(&self.state.domain, cursor, self.clock.now()).await {
                Ok(done) => {
                    if done.checkpoints + done.removed > 0 {
                        let (checkpoints, removed) = (done.checkpoints, done.removed);
                        tracing::debug!(checkpoints, removed, "pruned the audit");
                    }
                    if !done.more {
                        return;
                    }
                }
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, "the audit could not be pruned");
                    return;
                }
            }
        }
    }

    fn pause(&self) -> Duration {
        // Without randomness, replicas sweep at the same time, which is only a waste.
        let [byte] = self.random.bytes().unwrap_or_default();
        PAUSE + MOST_JITTER.mul_f32(f32::from(byte) / 255.0)
    }
}

/// Logs what is new, and says how it went.
fn report(round: Result<Round, Error>, last: Last) -> Last {
    let Round { finished, failed } = match round {
        Ok(round) => round,
        Err(error) => {
            if last != Last::Failed {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the store could not be swept; it is tried again");
            }
            return Last::Failed;
        }
    };
    if last == Last::Failed {
        tracing::info!("sweeping works again");
    }
    if finished > 0 {
        tracing::info!(finished, "finished operations whose processes had ended");
    }
    let now = Last::Done { failed };
    match failed {
        0 if matches!(last, Last::Done { failed: 1.. }) => {
            tracing::info!("no operation is left that cannot be finished");
        }
        1.. if now != last => tracing::warn!(
            failed,
            "operations whose processes had ended cannot be finished; they are tried again (why: at \
             log level debug)"
        ),
        _ => {}
    }
    now
}

#[cfg(test)]
mod tests {
    use tikti_domain::error::Code;

    use super::*;
    use crate::telemetry::testing::Lines;

    #[test]
    fn what_cannot_be_finished_is_logged_when_its_number_changes_and_not_every_round() {
        let lines = Lines::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
        let done = |failed| Ok(Round { finished: 0, failed });
        tracing::subscriber::with_default(subscriber, || {
            let mut last = Last::Done { failed: 0 };
            for (round, logged) in [
                (done(0), ""),
                (done(1), "failed=1"),
                (done(1), ""),
                (done(2), "failed=2"),
                (done(2), ""),
                (done(0), "no operation is left"),
                (done(0), ""),
                (Err(Code::StoreUnavailable.into()), "could not be swept"),
                (Err(Code::StoreUnavailable.into()), ""),
                (done(1), "failed=1"),
                (done(1), ""),
            ] {
                last = report(round, last);
                let text = lines.take();
                assert_eq!(text.is_empty(), logged.is_empty(), "{text}");
                assert!(text.contains(logged), "{logged}: {text}");
            }
        });
    }
}
