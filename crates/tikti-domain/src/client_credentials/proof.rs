//! Are these the worker's credentials?
//!
//! As much is computed for a worker that does not exist as for one that does, and as much for a wrong secret
//! as for a right one: as many HMACs as a worker may have valid secrets, or one check of a signature.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints" (`client_credentials`, assertions); Domain,
//! rule 6. RFC 7523 section 3.

use secrecy::{ExposeSecret, SecretString};
use tikti_token::{AssertionError, AssertionPolicy, verify_assertion};

use crate::client_auth::ClientAuth;
use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::worker::{MAX_SECRETS, Worker, WorkerSecret};

/// Longest life of an assertion, in seconds.
pub(super) const LONGEST_ASSERTION_SECONDS: u64 = 300;

/// How a worker has proved itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// By one of its secrets.
    Secret,
    /// By an assertion, which is good once.
    Assertion {
        /// The id that the worker gave it.
        jti: String,
        /// When it ends, in seconds since the epoch.
        exp: u64,
    },
}

/// Why nobody has proved himself: for the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    /// No worker bears this name.
    #[error("there is no such worker")]
    Unknown,
    /// The secret is none that the worker has and that has not ended.
    #[error("the secret is not a valid one of the worker")]
    Secret,
    /// The assertion is not good.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// The assertion may be from before the store was restored, which forgot whether it was shown.
    #[error("the assertion may be from before the store was restored")]
    Restored,
    /// The assertion was shown before.
    #[error("the assertion was shown before")]
    Used,
}

/// Says whether `auth`, which names `client_id`, proves that the worker asks.
///
/// # Errors
/// Why it does not: a fact, and for the log alone.
pub(super) fn prove(
    domain: &Domain,
    (auth, client_id): (&ClientAuth, &str),
    worker: Option<&Worker>,
    now: Timestamp,
) -> Result<Proof, Unproven> {
    let proof = match auth {
        ClientAuth::Secret { secret, .. } => by_secret(domain, secret, worker, now),
        ClientAuth::Assertion { assertion, .. } => {
            by_assertion(domain, (assertion, client_id), worker, now)
        }
    };
    if worker.is_some() { proof } else { Err(Unproven::Unknown) }
}

fn by_secret(
    domain: &Domain,
    secret: &SecretString,
    worker: Option<&Worker>,
    now: Timestamp,
) -> Result<Proof, Unproven> {
    let secret = secret.expose_secret();
    let held = worker.map_or(&[][..], |worker| &worker.credentials.secrets);
    let mut fits = false;
    for slot in 0..held.len().max(MAX_SECRETS) {
        let kept = held.get(slot);
        let matches = domain.peppers.matches_if_any(secret, kept.map(|kept| &kept.hash));
        // No short cut: which of the two it was takes no less time.
        fits |= matches & kept.is_some_and(|kept: &WorkerSecret| kept.is_valid(now));
    }
    if fits { Ok(Proof::Secret) } else { Err(Unproven::Secret) }
}

fn by_assertion(
    domain: &Domain,
    (assertion, client_id): (&SecretString, &str),
    worker: Option<&Worker>,
    now: Timestamp,
) -> Result<Proof, Unproven> {
    let settings = &domain.settings;
    let skew = settings.skew.as_secs();
    let policy = AssertionPolicy {
        subject: client_id,
        audiences: &[&settings.issuer, &settings.token_endpoint()],
        longest_life_seconds: LONGEST_ASSERTION_SECONDS,
        skew_seconds: skew,
    };
    let keys = worker.map_or(&[][..], |worker| &worker.credentials.keys);
    let seconds = clock::seconds(now);
    let said = verify_assertion(assertion.expose_secret(), keys, &policy, seconds)?.into_claims();
    // One without `iat` was made no earlier than what its end allows. The clock of either may be ahead of ours.
    let earliest = said.exp.saturating_sub(LONGEST_ASSERTION_SECONDS);
    let made_at = said.iat.unwrap_or(earliest).saturating_sub(skew);
    if domain.not_before.is_some_and(|cut| made_at < clock::seconds(cut)) {
        return Err(Unproven::Restored);
    }
    Ok(Proof::Assertion { jti: said.jti, exp: said.exp })
}
