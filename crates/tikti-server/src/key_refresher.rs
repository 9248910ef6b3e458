//! Who reads the signing keys again? Every running server, every `keys.refreshInterval`.
//!
//! Invariant: a rotation or revocation by any replica is known here within the interval, while the store
//! answers; while it does not, what was read last goes on verifying, and signs until it is too old.
//!
//! Spec: Tokens and keys, "Signing keys".

use std::time::Duration;

use tikti_domain::error::Error;
use tikti_domain::keys::refresh;

use crate::shutdown::ShutdownListener;
use crate::state::Shared;

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
                tokio::time::sleep(self.interval).await;
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
