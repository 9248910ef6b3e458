//! What does a worker prove itself by? Its secrets and public keys, and how they are rotated.
//!
//! Two secrets may be valid at the same time, so that a successor is in place before the old one goes. Who
//! gives a worker a credential may act as the worker, and so must hold all its scopes. A credential that is
//! taken away takes the worker's tokens with it: they may have been got by it.
//!
//! Spec: HTTP API, "Tenant administration", workers; Domain, rule 6; Tokens and keys, "Revocation". Why:
//! docs/decisions/0030.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tikti_token::AssertionKey;

use super::change::{Change, Found, Next};
use super::rights;
use crate::audit::Action;
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{TenantRef, WorkerId};
use crate::idempotency::{Answer, Once};
use crate::record::Lasting;
use crate::secret::TokenHash;
use crate::tenancy::administer::Administrator;
use crate::worker::{MAX_KEYS, MAX_KEYS_BYTES, SecretNumber, Worker};

/// How a secret begins, so that scanners and people know one when they see it.
const PREFIX: &str = "ws_";
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// More than 256 bits.
const LENGTH: usize = 44;

/// A secret that was just made.
#[derive(Debug)]
pub struct AddedSecret {
    /// What it is called by.
    pub n: SecretNumber,
    /// The secret, which is shown here and never again: the answer to a request that came again has none.
    pub secret: Option<SecretString>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Makes up a secret, and what is stored of it.
pub(super) fn new_secret(domain: &Domain) -> Result<(SecretString, TokenHash), Error> {
    let text = domain.random.text(ALPHABET, LENGTH)?;
    let secret = SecretString::from(format!("{PREFIX}{text}"));
    let hash = domain.peppers.hash(secret.expose_secret())?;
    Ok((secret, hash))
}

/// Takes the public keys of a worker: at most 8, of at most 16 KiB together, each with a `kid` of its own.
///
/// # Errors
/// `INVALID_ARGUMENT` that names `member`, for a key that is private, symmetric, too short or of another
/// algorithm than RS256, ES256 and EdDSA too. No value is repeated.
pub fn parse_worker_keys(
    member: &str,
    keys: &[Map<String, Value>],
) -> Result<Vec<AssertionKey>, Refusal> {
    let refuse = |reason: String| Refusal::invalid(member, reason);
    if keys.len() > MAX_KEYS {
        return Err(refuse(format!("at most {MAX_KEYS} keys")));
    }
    let size: usize =
        keys.iter().filter_map(|key| serde_json::to_vec(key).ok()).map(|it| it.len()).sum();
    if size > MAX_KEYS_BYTES {
        return Err(refuse("at most 16 KiB of keys".to_owned()));
    }
    let (mut taken, mut kids) = (Vec::with_capacity(keys.len()), BTreeSet::new());
    for (index, key) in keys.iter().enumerate() {
        let key = AssertionKey::parse(key).map_err(|why| refuse(format!("key {index} {why}")))?;
        if !kids.insert(key.kid.clone()) {
            return Err(refuse(format!("key {index} has the kid of another one")));
        }
        taken.push(key);
    }
    Ok(taken)
}

/// Gives a worker a further secret.
///
/// # Errors
/// Those of every administrative call (`administer`); `INVALID_ARGUMENT` for an end that is past;
/// `WORKER_NOT_FOUND`; `ESCALATION_DENIED` for a worker that may do more than the administrator;
/// `LIMIT_EXCEEDED` where two are valid; `CONFLICT` where an earlier request of this name had another body;
/// the store's: then there may be one more, which nobody knows.
pub async fn add_worker_secret(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &WorkerId),
    expires_at: Option<Timestamp>,
) -> Result<AddedSecret, Error> {
    let now = domain.clock.now();
    if expires_at.is_some_and(|end| end <= now) {
        return Err(Refusal::invalid("expiresAt", "must be in the future").into());
    }
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (secret, hash) = new_secret(domain)?;
    let end = expires_at.map(|end| ("expiresAt".to_owned(), clock::rfc3339(end)));
    let change = change(id, Action::WorkerSecretAdd, end.into_iter().collect());
    let decide = |found: &Found<'_>| {
        let mut worker = found.live()?.clone();
        rights::require_equal(domain, found.admission, &worker)?;
        let n = worker.credentials.add((hash.clone(), expires_at), now)?;
        Ok(Next::Put(Lasting::Live(worker), n))
    };
    let by = (&administrator, tenant, &administrator.once(domain, caller));
    let (n, secret) = change.make(domain, by, now, decide).await?.with(secret);
    Ok(AddedSecret { n, secret, expires_at })
}

/// Revokes a secret of a worker, and with it all tokens that the worker has.
///
/// # Errors
/// Those of every administrative call; `WORKER_NOT_FOUND`; `NOT_FOUND` where it has no secret of this number;
/// `ESCALATION_DENIED` for a worker that only the deployment changes; the store's: then the secret may or
/// may not be gone.
pub async fn remove_worker_secret(
    domain: &Domain,
    caller: &Caller,
    (tenant, id, n): (&TenantRef, &WorkerId, SecretNumber),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let told = BTreeMap::from([("n".to_owned(), n.to_string())]);
    let change = change(id, Action::WorkerSecretRemove, told);
    let decide = |found: &Found<'_>| {
        let mut worker = found.live()?.clone();
        rights::require_changeable(domain, found.admission, &worker)?;
        let secrets = &mut worker.credentials.secrets;
        let Some(index) = secrets.iter().position(|secret| secret.n == n) else {
            let message = "the worker has no secret of this number";
            return Err(Refusal::new(Code::NotFound, message).into());
        };
        secrets.remove(index);
        worker.revoke_tokens(now);
        Ok(Next::Put(Lasting::Live(worker), ()))
    };
    let by = (&administrator, tenant, &Once::default());
    change.make(domain, by, now, decide).await.map(Answer::reply)
}

/// Puts these public keys, checked by [`parse_worker_keys`], in the place of those that a worker has. Where
/// one of them goes, all tokens of the worker go with it.
///
/// # Errors
/// Those of every administrative call; `WORKER_NOT_FOUND`; `ESCALATION_DENIED` for a worker that may do more
/// than the administrator, unless keys are only taken away; the store's: then the change may or may not have
/// happened.
pub async fn set_worker_keys(
    domain: &Domain,
    caller: &Caller,
    (tenant, id): (&TenantRef, &WorkerId),
    keys: &[AssertionKey],
) -> Result<Worker, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let kids: Vec<_> = keys.iter().map(|key| key.kid.as_str()).collect();
    let told = BTreeMap::from([("kids".to_owned(), kids.join(" "))]);
    let change = change(id, Action::WorkerKeysSet, told);
    let decide = |found: &Found<'_>| {
        let mut worker = found.live()?.clone();
        let held = std::mem::replace(&mut worker.credentials.keys, keys.to_vec());
        rights::require_changeable(domain, found.admission, &worker)?;
        if keys.iter().any(|key| !held.contains(key)) {
            rights::require_equal(domain, found.admission, &worker)?;
        }
        if held.iter().any(|key| !keys.contains(key)) {
            worker.revoke_tokens(now);
        }
        if held == keys {
            return Ok(Next::Same(worker));
        }
        Ok(Next::Put(Lasting::Live(worker.clone()), worker))
    };
    let by = (&administrator, tenant, &Once::default());
    change.make(domain, by, now, decide).await.map(Answer::reply)
}

fn change(id: &WorkerId, action: Action, details: BTreeMap<String, String>) -> Change<'_> {
    Change { id, action, details, clients: None, also_read: None }
}
