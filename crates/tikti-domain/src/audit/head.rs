//! Where did a chain end, so that nobody can cut it off later?
//!
//! Whoever holds a signed head can show that all events up to it must be there. Each chain that has grown
//! gets a new one when the last is an hour old. Invariant: the head that is published never goes back, so
//! that any number of replicas may sign at once.
//!
//! Spec: Authorization, "Audit" ("Heads are signed hourly").

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Partition};
use tikti_token::AuditHeadClaims;

use super::chain::Head;
use super::{Chain, read};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::id::{TenantId, TenantRef};
use crate::keyspace;
use crate::listing;
use crate::permission;
use crate::record::Record;

/// How old the head of a chain that has grown is when it is signed anew, in milliseconds.
pub const SIGN_AFTER_MILLIS: u64 = 3_600_000;
/// The pause between two tours of all chains, in milliseconds: a chain that is new has a head then.
const REST_MILLIS: u64 = 5 * 60_000;
/// Tenants whose chains are looked at in one call.
const PAGE: usize = 100;

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
pub struct HeadsCursor {
    /// The tenant that was looked at last in this tour.
    after: Option<Vec<u8>>,
    rests_until: Option<Timestamp>,
}

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
    if cursor.rests_until.is_some_and(|until| now < until) {
        return Ok(done);
    }
    let after = cursor.after.as_deref();
    let list = (&Partition::global(), keyspace::TENANT);
    let page = listing::page(&domain.store, list, PAGE, after, now).await?;
    let own = after.is_none().then_some(Chain::Deployment);
    let ids = page.entries.iter().map(|(id, _)| String::from_utf8_lossy(id));
    let tenants = ids.filter_map(|id| TenantId::parse(&id).ok()).map(Chain::Tenant);
    let chains: Vec<Chain> = own.into_iter().chain(tenants).collect();
    for (chain, head) in grown(domain, &chains, &mut done, now).await? {
        sign(domain, &chain, head, now).await?;
        done.signed += 1;
    }
    done.more = page.next.is_some();
    cursor.after = page.next;
    cursor.rests_until = (!done.more).then(|| now.plus_millis(REST_MILLIS));
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

async fn sign(domain: &Domain, chain: &Chain, head: Head, now: Timestamp) -> Result<(), Error> {
    let claims = AuditHeadClaims {
        iss: domain.settings.issuer.clone(),
        iat: clock::seconds(now),
        chain: match chain {
            Chain::Deployment => "-".to_owned(),
            Chain::Tenant(tenant) => tenant.to_string(),
        },
        seq: head.seq,
        chained_at: clock::rfc3339(head.chained_at),
        hash: head.hash,
    };
    let key = Arc::clone(&domain.key_ring.signer);
    let jws = domain.signing.run(move || tikti_token::mint_audit_head(&key, &claims)).await?;
    let jws = jws.map_err(InternalError::from)?;
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

/// Reads the signed head of a tenant's chain.
///
/// # Errors
/// Those of every administrative call; `NOT_FOUND` while none was signed; the store's.
pub async fn read_head(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
) -> Result<SignedHead, Error> {
    let now = domain.clock.now();
    let chain = read::admit(domain, caller, tenant, now).await?;
    load(domain, &chain, now).await
}

/// Reads the signed head of the deployment's own chain; for its administrators.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`; `NOT_FOUND` while none was signed; the store's.
pub async fn read_deployment_head(domain: &Domain, caller: &Caller) -> Result<SignedHead, Error> {
    let now = domain.clock.now();
    permission::by_id_token(domain, caller, now).await?.require_admin()?;
    load(domain, &Chain::Deployment, now).await
}

async fn load(domain: &Domain, chain: &Chain, now: Timestamp) -> Result<SignedHead, Error> {
    let none = "no head has been signed yet: the first one comes within minutes of the first event";
    let head = find(domain, chain, now).await?;
    Ok(head.ok_or_else(|| Refusal::new(Code::NotFound, none))?)
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
