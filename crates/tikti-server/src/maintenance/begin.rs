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

/// Repeats what another replica is at, until it is done or has stopped.
async fn begin(domain: &Domain, first: &First) -> Result<Begun, Error> {
    let random = Random::system();
    for round in 1..ROUNDS {
        match bootstrap::begin(domain, first).await? {
            Begun::Elsewhere => {}
            begun @ (Begun::Made | Begun::Before) => return Ok(begun),
        }
        // Replicas that start together do not stay together.
        let [jitter] = random.bytes()?;
        sleep(PAUSE * round + Duration::from_millis(jitter.into())).await;
    }
    bootstrap::begin(domain, first).await
}
