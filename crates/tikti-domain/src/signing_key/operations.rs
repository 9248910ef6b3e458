//! Which signing keys are there, and how is the next one made?
//!
//! An ordinary rotation makes a key that signs once every replica and every verifier knows it. An emergency
//! revokes, destroys the private parts, and makes a key that signs at once, in one write. Invariant: of many
//! calls at once one makes the next key and all tell of it; nobody revokes without a key that signs from then
//! on; and the audit event is committed with the change.
//!
//! Spec: Tokens and keys, "Signing keys"; HTTP API, row "keys". Why: docs/decisions/0035.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Partition};

use super::life::KeyState;
use super::make::{NewKey, new_kid};
use super::ring::refresh;
use super::{SigningKeyRecord, SigningKeys};
use crate::audit::{self, Action, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::id::KeyId;
use crate::idempotency::{Answer, Once};
use crate::keyspace;
use crate::permission::{self, Principal};
use crate::reads::Reads;
use crate::record::Record;
use crate::tenancy::administer::Done;
use crate::user::Admins;

/// A key as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// Its id.
    pub kid: String,
    /// What it may do now.
    pub state: KeyState,
    /// When it was made or imported.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub activates_at: Timestamp,
    /// When its state changes next, as far as that is known.
    pub changes_at: Option<Timestamp>,
    /// What it is from then on.
    pub becomes: Option<KeyState>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Until when somebody may take a token of it, if nothing more is done to it: of one that signs, if it ended
    /// now; of a revoked one, as long as verifiers hold what they read before. Absent for one that has signed
    /// nothing yet.
    pub tokens_alive_until: Option<Timestamp>,
    /// Whether nothing needs it any more.
    pub safe_to_retire: bool,
    /// Whether it was made elsewhere.
    pub imported: bool,
    /// The size of its modulus in bits.
    pub bits: usize,
}

/// Asks for the next key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotate {
    /// Whether keys are revoked, and the new one signs at once.
    pub emergency: bool,
    /// In an emergency, the only key that is revoked.
    pub kid: Option<KeyId>,
}

/// The key that signs next, or at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// Its id.
    pub kid: String,
    /// What it may do now.
    pub state: KeyState,
    /// From when on it signs.
    pub activates_at: Timestamp,
}

/// Lists all keys that ever were, newest first; for administrators of the deployment.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`; the store's.
pub async fn list(domain: &Domain, caller: &Caller) -> Result<Vec<ListedKey>, Error> {
    let now = domain.clock.now();
    permission::by_id_token(domain, caller, now).await?.require_admin()?;
    let key = keyspace::signing_keys();
    let stored = domain.store.get(&key, now).await?;
    let keys = SigningKeys::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
    let lives = keys.lives(domain.key_ring.times());
    let mut listed: Vec<_> = keys
        .keys
        .iter()
        .enumerate()
        .map(|(number, record)| {
            let change = lives.next_change(number, now);
            ListedKey {
                kid: record.kid.clone(),
                state: lives.state(number, now),
                created_at: record.created_at,
                activates_at: record.activates_at,
                changes_at: change.map(|(at, _)| at),
                becomes: change.map(|(_, state)| state),
                revoked_at: record.revoked_at,
                tokens_alive_until: lives.tokens_alive_until(number, now),
                safe_to_retire: lives.is_safe_to_retire(number, now),
                imported: record.imported,
                bits: record.public.modulus_bits(),
            }
        })
        .collect();
    listed.reverse();
    listed.sort_by_key(|key| std::cmp::Reverse(key.created_at));
    Ok(listed)
}

/// Makes the key that signs next; where one waits for its turn already, that one is the answer. In an emergency,
/// revokes all keys or one, and makes a key that signs at once.
///
/// A request that comes again under its `Idempotency-Key` is answered as before. One that has no such name is
/// another emergency, and revokes the key of the first one too; of one `kid`, which is revoked already, the
/// key that signs is told of.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`; `INVALID_ARGUMENT` for a `kid` without an
/// emergency; `KEY_NOT_FOUND`; `OVERLOADED` where many wait for a key; `CONFLICT`; the store's: then the
/// change may or may not have happened.
pub async fn rotate(domain: &Domain, caller: &Caller, ask: &Rotate) -> Result<Rotated, Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    principal.require_admin_write(domain, now)?;
    if ask.kid.is_some() && !ask.emergency {
        return Err(Refusal::invalid("kid", "is for an emergency alone").into());
    }
    let who = format!("user {}", principal.user.id);
    let once = Once::of(domain, (caller, &who), &Partition::global());
    // Of many calls at once the first makes a key, and the others find it.
    let one_at_a_time = domain.key_ring.making().await;
    let rotated = match settled(domain, ask, &once).await? {
        Some(rotated) => rotated,
        None => Box::pin(make(domain, (&principal, caller), (ask, &once))).await?,
    };
    drop(one_at_a_time);
    if let Err(error) = refresh(domain).await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "the signing keys could not be read again; it is tried again");
    }
    Ok(rotated)
}

/// The answer where nothing has to be made, from what is stored now.
async fn settled(domain: &Domain, ask: &Rotate, once: &Once) -> Result<Option<Rotated>, Error> {
    let (now, key) = (domain.clock.now(), keyspace::signing_keys());
    let keys = once.keys().chain([key.clone()]).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    if let Some(rotated) = once.answered(&reads)? {
        return Ok(Some(rotated));
    }
    let keys: SigningKeys = reads.find(&key)?.unwrap_or_default();
    Ok(nothing_to_do(domain, &keys, ask, now)?)
}

/// The key that is told of where the keys are as they are wanted.
fn nothing_to_do(
    domain: &Domain,
    keys: &SigningKeys,
    ask: &Rotate,
    now: Timestamp,
) -> Result<Option<Rotated>, Refusal> {
    let lives = keys.lives(domain.key_ring.times());
    let found = match (&ask.kid, ask.emergency) {
        (_, false) => lives.pending(now, domain.key_ring.opens(keys)),
        (None, true) => None,
        (Some(kid), true) => {
            let (_, named) =
                keys.find(kid.as_str()).ok_or_else(|| Refusal::of(Code::KeyNotFound))?;
            if named.revoked_at.is_some() { lives.signer(now) } else { None }
        }
    };
    Ok(found.and_then(|number| {
        let state = lives.state(number, now);
        let record = keys.keys.get(number)?;
        Some(Rotated { kid: record.kid.clone(), state, activates_at: record.activates_at })
    }))
}

/// What a rotation did.
struct Made {
    rotated: Rotated,
    revoked: Vec<String>,
}

async fn make(
    domain: &Domain,
    (principal, caller): (&Principal, &Caller),
    (ask, once): (&Rotate, &Once),
) -> Result<Rotated, Error> {
    let new = domain.key_ring.new_key().await?;
    let now = domain.clock.now();
    let (key, admins) = (keyspace::signing_keys(), keyspace::admins());
    let keys: Vec<_> = once.keys().chain([key.clone(), admins.clone()]).collect();
    let place = (NotePlace::Deployment, &keys[..]);
    let draft = |made: &Answer<Made>| draft(principal, caller, ask, made);
    let told = (&Chain::Deployment, draft);
    let answer = audit::change_and_tell(domain, place, told, now, |txn| {
        let known = Admins::decode_optional(&admins, txn.get(&admins)?)?.unwrap_or_default();
        // Whoever is suspended, demoted or deleted leaves the set before that happens.
        if !known.user_ids.contains(&principal.user.id) {
            return Err(Code::AdminRequired.into());
        }
        let same = |rotated| Made { rotated, revoked: Vec::new() };
        if let Some(rotated) = once.recall(txn)? {
            return Ok(Done::Same(Answer::Again(same(rotated))));
        }
        let mut keys = SigningKeys::decode_optional(&key, txn.get(&key)?)?.unwrap_or_default();
        if let Some(rotated) = nothing_to_do(domain, &keys, ask, now)? {
            return Ok(Done::Same(Answer::Again(same(rotated))));
        }
        let made = apply(domain, &mut keys, (ask, &new), now)?;
        txn.put(&key, Entry::new(&keys.encode()?))?;
        once.remember(txn, &made.rotated, now)?;
        Ok(Done::Changed(Answer::First(made)))
    });
    Ok(answer.await?.reply().rotated)
}

/// Adds the new key, and revokes what is to be revoked.
fn apply(
    domain: &Domain,
    keys: &mut SigningKeys,
    (ask, new): (&Rotate, &NewKey),
    now: Timestamp,
) -> Result<Made, InternalError> {
    let revoked = if ask.emergency { revoke(domain, keys, ask, now) } else { Vec::new() };
    let activates_at = if ask.emergency { now } else { domain.key_ring.times().activates_at(now) };
    let kid = new_kid(keys, now, &domain.random)?;
    let sealing = (domain.key_ring.master_keys(), &domain.random);
    keys.keys.push(new.record(&kid, (now, activates_at), sealing)?);
    let state = if ask.emergency { KeyState::Active } else { KeyState::Published };
    Ok(Made { rotated: Rotated { kid, state, activates_at }, revoked })
}

/// Revokes the named key, or all that could still sign something; their private parts go with it. A key that
/// was removed and destroyed before is revoked by its name alone: nobody can have stolen it since, and heads of
/// the audit by it stay good.
fn revoke(domain: &Domain, keys: &mut SigningKeys, ask: &Rotate, now: Timestamp) -> Vec<String> {
    let lives = keys.lives(domain.key_ring.times());
    let is_meant = |number: usize, record: &SigningKeyRecord| match &ask.kid {
        Some(kid) => record.kid == kid.as_str(),
        None => record.private.is_some() || lives.state(number, now) != KeyState::Removed,
    };
    let mut revoked = Vec::new();
    for (number, record) in keys.keys.iter_mut().enumerate() {
        if record.revoked_at.is_none() && is_meant(number, record) {
            record.revoked_at = Some(now);
            record.private = None;
            revoked.push(record.kid.clone());
        }
    }
    revoked
}

/// What the audit says of it.
fn draft(principal: &Principal, caller: &Caller, ask: &Rotate, made: &Answer<Made>) -> Draft {
    let (Answer::First(made) | Answer::Again(made)) = made;
    let kid = &made.rotated.kid;
    if !ask.emergency {
        return principal.draft(caller, Action::KeyRotate, (kid, None));
    }
    let draft = principal.draft(caller, Action::KeyRevoke, (kid, None));
    let revoked = ("revoked".to_owned(), made.revoked.join(" "));
    Draft { details: BTreeMap::from([revoked]), ..draft }
}
