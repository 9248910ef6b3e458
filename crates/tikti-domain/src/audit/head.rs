//! Where did a chain end, so that nobody can cut it off later?
//!
//! Whoever holds a signed head can show that all events up to it must be there. Each chain that has grown
//! gets a new one when the last is an hour old. Invariant: the head that is published never goes back, so
//! that any number of replicas may sign at once.
//!
//! Spec: Authorization, "Audit" ("Heads are signed hourly").

use serde::{Deserialize, Serialize};
use tikti_store::Entry;
use tikti_token::AuditHeadClaims;

use super::chain::Head;
use super::prune::{self, Checkpoint};
use super::tour::Tour;
use super::{Chain, read};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::id::TenantRef;
use crate::keyspace;
use crate::permission;
use crate::record::Record;

/// How old the head of a chain that has grown is when it is signed anew, in milliseconds.
pub const SIGN_AFTER_MILLIS: u64 = 3_600_000;
/// The pause between two tours of all chains, in milliseconds: a chain that is new has a head then.
const REST_MILLIS: u64 = 5 * 60_000;

/// A head as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    /// The number of the last link then.
    pub seq: u64,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// A compact JWS, `typ` `tikti-audit-head+jwt`.
    pub jws: String,
}

impl Record for SignedHead {}

/// Where the next call goes on. Belongs to one caller; losing it loses nothing.
#[derive(Clone, Debug, Default)]
pub struct HeadsCursor(Tour);

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadsSigned {
    /// Heads that were signed.
    pub signed: usize,
    /// Chains whose records cannot be read; they are tried again.
    pub failed: usize,
    /// Whether there are chains that this tour has not looked at yet.
    pub more: bool,
}

/// A chain that has grown, and where it ends.
type Grown = (Chain, Head);

/// Signs the heads of some chains that have grown: of a hundred tenants, and at the beginning of a tour of
/// the deployment's own. Call it about twice a minute, and again at once while there is more.
///
/// # Errors
/// The store's, where it does not answer; `OVERLOADED`; what was signed stays.
pub async fn sign_heads(
    domain: &Domain,
    cursor: &mut HeadsCursor,
    now: Timestamp,
) -> Result<HeadsSigned, Error> {
    let mut done = HeadsSigned::default();
    let Some(leg) = cursor.0.next(domain, now).await? else { return Ok(done) };
    for (chain, head) in grown(domain, &leg.chains, &mut done, now).await? {
        sign(domain, &chain, head, now).await?;
        done.signed += 1;
    }
    done.more = !leg.is_last();
    cursor.0.pass(leg, now.plus_millis(REST_MILLIS));
    Ok(done)
}

/// Those of `chains` whose heads are to be signed. One that cannot be read hides no other.
async fn grown(
    domain: &Domain,
    chains: &[Chain],
    done: &mut HeadsSigned,
    now: Timestamp,
) -> Result<Vec<Grown>, Error> {
    match due(domain, chains, now).await {
        Err(error) if error.code() != Code::StoreUnavailable => {}
        outcome => return outcome,
    }
    let mut grown = Vec::new();
    for chain in chains {
        match due(domain, std::slice::from_ref(chain), now).await {
            Ok(found) => grown.extend(found),
            Err(error) if error.code() == Code::StoreUnavailable => return Err(error),
            Err(error) => {
                let chain = keyspace::of_chain(chain);
                tracing::debug!(%chain, %error, "a chain of audit events cannot be read");
                done.failed += 1;
            }
        }
    }
    Ok(grown)
}

async fn due(domain: &Domain, chains: &[Chain], now: Timestamp) -> Result<Vec<Grown>, Error> {
    let keys = |chain: &Chain| [keyspace::head(chain), keyspace::signed_head(chain)];
    let all: Vec<_> = chains.iter().flat_map(keys).collect();
    let found = domain.store.get_many(&all, now).await?;
    let mut grown = Vec::new();
    for (chain, pair) in chains.iter().zip(found.chunks_exact(2)) {
        let ([head_key, signed_key], [head, signed]) = (keys(chain), pair) else { continue };
        let Some(head) = Head::decode_optional(&head_key, head.as_ref())? else { continue };
        let signed = SignedHead::decode_optional(&signed_key, signed.as_ref())?;
        let is_due = signed.is_none_or(|signed| {
            signed.seq < head.seq && now >= signed.signed_at.plus_millis(SIGN_AFTER_MILLIS)
        });
        if is_due {
            grown.push((chain.clone(), head));
        }
    }
    Ok(grown)
}

/// Signs where a chain ended; with `pruned`, that so many events up to there were removed.
pub(super) async fn seal(
    domain: &Domain,
    chain: &Chain,
    (head, pruned): (&Head, Option<u64>),
    now: Timestamp,
) -> Result<String, Error> {
    let claims = AuditHeadClaims {
        iss: domain.settings.issuer.clone(),
        iat: clock::seconds(now),
        chain: match chain {
            Chain::Deployment => "-".to_owned(),
            Chain::Tenant(tenant) => tenant.to_string(),
        },
        seq: head.seq,
        chained_at: clock::rfc3339(head.chained_at),
        hash: head.hash.clone(),
        pruned,
    };
    let key = domain.signer(now)?;
    let jws = domain.signing.run(move || tikti_token::mint_audit_head(&key, &claims)).await?;
    Ok(jws.map_err(InternalError::from)?)
}

async fn sign(domain: &Domain, chain: &Chain, head: Head, now: Timestamp) -> Result<(), Error> {
    let jws = seal(domain, chain, (&head, None), now).await?;
    let key = keyspace::signed_head(chain);
    let bytes = SignedHead { seq: head.seq, signed_at: now, jws }.encode()?;
    domain
        .store
        .transact(&keyspace::of_chain(chain), std::slice::from_ref(&key), now, |txn| {
            let held = SignedHead::decode_optional(&key, txn.get(&key)?)?;
            // Another replica may have come later and be done sooner.
            if held.is_none_or(|held| held.seq < head.seq) {
                txn.put(&key, Entry::new(&bytes))?;
                txn.put(&keyspace::earlier_head(chain, head.seq), Entry::new(&bytes))?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// What is published of the ends of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEnds {
    /// Where it ended.
    pub head: SignedHead,
    /// Behind which event it begins; absent while none was removed.
    pub checkpoint: Option<Checkpoint>,
}

/// Reads the signed head of a tenant's chain, and the checkpoint behind which the chain begins.
///
/// # Errors
/// Those of every administrative call; `NOT_FOUND` while no head was signed; the store's.
pub async fn read_head(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
) -> Result<SignedEnds, Error> {
    let now = domain.clock.now();
    let chain = read::admit(domain, caller, tenant, now).await?;
    load(domain, &chain, now).await
}

/// Reads the same of the deployment's own chain; for its administrators.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`; `NOT_FOUND` while no head was signed; the store's.
pub async fn read_deployment_head(domain: &Domain, caller: &Caller) -> Result<SignedEnds, Error> {
    let now = domain.clock.now();
    permission::by_id_token(domain, caller, now).await?.require_admin()?;
    load(domain, &Chain::Deployment, now).await
}

async fn load(domain: &Domain, chain: &Chain, now: Timestamp) -> Result<SignedEnds, Error> {
    let none = "no head has been signed yet: the first one comes within minutes of the first event";
    let head = find(domain, chain, now).await?;
    let head = head.ok_or_else(|| Refusal::new(Code::NotFound, none))?;
    let checkpoint = prune::find(domain, chain, now).await?;
    Ok(SignedEnds { head, checkpoint })
}

/// The newest signed head of a chain, if one was signed.
pub(super) async fn find(
    domain: &Domain,
    chain: &Chain,
    now: Timestamp,
) -> Result<Option<SignedHead>, Error> {
    let key = keyspace::signed_head(chain);
    let stored = domain.store.get(&key, now).await?;
    Ok(SignedHead::decode_optional(&key, stored.as_ref())?)
}

#[cfg(test)]
mod tests;
