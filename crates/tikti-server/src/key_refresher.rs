//! Who reads the signing keys again? Every running server, every `keys.refreshInterval`, and soon after a read
//! that failed.
//!
//! Invariant: a rotation or revocation by any replica is known here within the interval, while the store
//! answers; while it does not, what was read last goes on verifying, is published to be held for less and less,
//! and signs until it is too old. So a failed read costs caches some seconds, not another interval.
//!
//! Spec: Tokens and keys, "Signing keys".

use std::time::Duration;

use tikti_domain::error::Error;
use tikti_domain::keys::refresh;

use crate::shutdown::ShutdownListener;
use crate::state::Shared;

/// How soon a read that failed is tried again, at the latest.
const RETRY: Duration = Duration::from_secs(2);

/// The reading of the signing keys by one server.
pub(crate) struct KeyRefresher {
    pub(crate) state: Shared,
    pub(crate) interval: Duration,
    pub(crate) shutdown: ShutdownListener,
}

impl KeyRefresher {
    /// Reads until the server is asked to stop.
    pub(crate) async fn run(mut self) {
        let mut works = true;
        loop {
            let round = async {
                tokio::time::sleep(pause(self.interval, works)).await;
                refresh(&self.state.domain).await
            };
            tokio::select! {
                biased;
                () = self.shutdown.asked() => return,
                read = round => works = report(&read, works),
            }
        }
    }
}

/// How long it is until the next read, after one that went well or did not.
fn pause(interval: Duration, works: bool) -> Duration {
    if works { interval } else { interval.min(RETRY) }
}

/// Logs what is new, and says whether the keys can be read.
fn report(read: &Result<bool, Error>, worked: bool) -> bool {
    match read {
        Ok(_) if !worked => tracing::info!("the signing keys can be read again"),
        Ok(true) => tracing::info!("the signing keys have changed"),
        Err(error) if worked => {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "the signing keys could not be read; it is tried again");
        }
        Ok(false) | Err(_) => {}
    }
    read.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_failed_is_tried_again_soon() {
        let seconds = |interval, works| pause(Duration::from_secs(interval), works).as_secs();
        assert_eq!((seconds(30, true), seconds(30, false)), (30, 2));
        assert_eq!((seconds(1, true), seconds(1, false)), (1, 1));
    }
}
