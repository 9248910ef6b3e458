//! How does a deployment get its first administrator, and a key?
//!
//! May run beside servers, and several times at once, where the store is not an embedded one.
//!
//! Spec: Command line, `bootstrap`; Operations, "Deployment".

use std::time::Duration;

use tikti_domain::Domain;
pub use tikti_domain::bootstrap::Begun;
use tikti_domain::bootstrap::{self, First};
use tikti_domain::clock::Clock;
use tikti_domain::email::Email;
use tikti_domain::error::Error;
use tikti_domain::random::Random;
use tikti_domain::secret::SecretString;
use tokio::time::sleep;

use super::{HOLDER, MaintenanceError};
use crate::config::Config;

/// How often it is tried where other replicas are at it: for some seconds.
const ROUNDS: u32 = 8;
/// What is waited after the first try; after each, longer by as much.
const PAUSE: Duration = Duration::from_millis(100);

/// Gives the deployment of this configuration its first administrator and a key with every scope, where it has no
/// administrator.
///
/// # Errors
/// [`MaintenanceError`]; it may be repeated.
pub async fn begin_deployment(
    config: Config,
    (email, password): (&str, SecretString),
    api_key: Option<SecretString>,
) -> Result<Begun, MaintenanceError> {
    let email = Email::parse(email).map_err(Error::from).map_err(MaintenanceError::Refused)?;
    let first = First { admin: (email, password), api_key };
    let store = config.store.open(HOLDER).await?;
    let opened = Domain::open(store.clone(), config.domain, Clock::system(), Random::system());
    let begun = match opened.await {
        Ok(domain) => begin(&domain, &first).await.map_err(MaintenanceError::Refused),
        Err(cause) => Err(cause.into()),
    };
    store.close().await;
    begun
}

async fn begin(domain: &Domain, first: &First) -> Result<Begun, Error> {
    repeated(async || bootstrap::begin(domain, first).await).await
}

/// Repeats what another replica is at, until it is done or has stopped.
async fn repeated(attempt: impl AsyncFn() -> Result<Begun, Error>) -> Result<Begun, Error> {
    let random = Random::system();
    for round in 1..ROUNDS {
        match attempt().await? {
            Begun::Elsewhere => {}
            begun @ (Begun::Made | Begun::Before) => return Ok(begun),
        }
        // Replicas that start together do not stay together.
        let [jitter] = random.bytes()?;
        sleep(PAUSE * round + Duration::from_millis(jitter.into())).await;
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tikti_domain::error::{Code, Refusal};

    use super::*;

    /// What becomes of attempts that end so, the last one again and again; and how many there are.
    async fn after(attempts: &[Result<Begun, Code>]) -> (Result<Begun, Code>, usize) {
        let made = AtomicUsize::new(0);
        let became = repeated(async || {
            let number = made.fetch_add(1, Ordering::Relaxed);
            let attempt = attempts.get(number).or(attempts.last()).copied();
            attempt.unwrap().map_err(|code| Refusal::of(code).into())
        });
        (became.await.map_err(|error| error.code()), made.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_replica_is_at_is_tried_again_until_it_is_done() {
        use Begun::{Before, Elsewhere, Made};
        for (attempts, became) in [
            (&[Ok(Made)][..], (Ok(Made), 1)),
            (&[Ok(Elsewhere), Ok(Elsewhere), Ok(Made)], (Ok(Made), 3)),
            (&[Ok(Elsewhere), Ok(Before)], (Ok(Before), 2)),
            (&[Ok(Elsewhere), Err(Code::EmailExists)], (Err(Code::EmailExists), 2)),
            (&[Err(Code::WeakPassword)], (Err(Code::WeakPassword), 1)),
        ] {
            assert_eq!(after(attempts).await, became, "{attempts:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_stays_half_way_is_told_and_not_waited_for() {
        let rounds = usize::try_from(ROUNDS).unwrap();
        assert_eq!(after(&[Ok(Begun::Elsewhere)]).await, (Ok(Begun::Elsewhere), rounds));
    }
}
