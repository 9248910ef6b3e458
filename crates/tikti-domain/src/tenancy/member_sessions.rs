//! Which sessions does a member have in this tenant, and how are they ended?
//!
//! A session lies with its user and is of the tenant that it speaks for. Invariant: through a tenant only its
//! own sessions are seen and ended, whoever asks; and those of one transaction end together, with the one
//! audit event that says so. The administrator is judged right before it, from the tenant's records: these lie
//! in another partition.
//!
//! Spec: HTTP API, "Tenant administration", sessions; attacks, row T7. Why: docs/decisions/0031.

use std::collections::BTreeMap;

use tikti_store::Key;

use super::administer::{Act, Administrator};
use super::manage_members::find_user;
use crate::account;
use crate::audit::{self, Action, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::fence;
use crate::id::{OperationId, SessionId, TenantId, TenantRef, UserId};
use crate::intent::{self, Changing, Work};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::purge;
use crate::record::Record;
use crate::session::Session;
use crate::user::User;

const READ: &str = "sessions:read";
const REVOKE: &str = "sessions:revoke";

/// Most sessions that end in one transaction: everyone waits for its commit.
const MOST_AT_ONCE: usize = 1000;

/// Reads a page of a member's sessions in the tenant, in the order of their beginning. A page may be short and
/// still have a next one: it costs as much for who is signed in elsewhere.
///
/// # Errors
/// Those of every administrative call (`administer`); `USER_NOT_FOUND` for whoever is no member;
/// `INVALID_ARGUMENT` for a page token that this server did not make for this list; the store's.
pub async fn list_member_sessions(
    domain: &Domain,
    caller: &Caller,
    (tenant, user, ask): (&TenantRef, &UserId, &PageRequest),
) -> Result<Page<Session>, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let who = (&administrator, tenant, READ);
    let (admission, _, member) = find_user(domain, who, user, now).await?;
    let tenant = &admission.tenant.id;
    let list = format!("{}/session of {}", keyspace::of_user(user), keyspace::of_tenant(tenant));
    account::page_of(domain, (&member, &list), ask, |session| is_in(session, tenant), now).await
}

fn is_in(session: &Session, tenant: &TenantId) -> bool {
    session.tenant_id.as_ref() == Some(tenant)
}

/// Ends all of a member's sessions in the tenant: their refresh tokens and idTokens are dead from then on, at
/// every replica. Without any there is nothing to do, and no audit event.
///
/// # Errors
/// Those of every administrative call; `USER_NOT_FOUND` for whoever is no member; `CONFLICT` where it took
/// longer than a minute; the store's: then they may or may not have ended.
pub async fn end_member_sessions(
    domain: &Domain,
    caller: &Caller,
    (tenant, user): (&TenantRef, &UserId),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let who = (&administrator, tenant, REVOKE);
    let (admission, _, member) = find_user(domain, who, user, now).await?;
    let (action, target) = (Action::SessionsEnd, user.to_string());
    let act = Act { scope: REVOKE, action, target, details: BTreeMap::new() };
    let draft = administrator.draft(&act, &admission);
    let keys = keys_of(domain, &member, &admission.tenant.id, now).await?;
    for some in keys.chunks(MOST_AT_ONCE) {
        end(domain, (user, some), (&admission.tenant.id, &draft), now).await?;
    }
    Ok(())
}

/// Where the sessions stand that are to end. One that begins from now on, or comes to speak for this tenant, is
/// none of them.
async fn keys_of(
    domain: &Domain,
    user: &User,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<Vec<Key>, Error> {
    let partition = keyspace::of_user(&user.id);
    let list = (&partition, keyspace::SESSION);
    let (mut keys, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let page = purge::page(domain, list, after.as_deref(), now).await?;
        for (id, stored) in &page.entries {
            let parsed = std::str::from_utf8(id).ok().and_then(|id| SessionId::parse(id).ok());
            let Some(id) = parsed else { continue };
            let key = keyspace::session(&user.id, &id);
            let session = Session::decode(&key, stored)?;
            if session.is_of(user) && is_in(&session, tenant) {
                keys.push(key);
            }
        }
        after = page.next.map(Into::into);
        if after.is_none() {
            return Ok(keys);
        }
    }
}

/// Ends sessions together, with their audit event. A refresh at the same time does not save one.
async fn end(
    domain: &Domain,
    (user, keys): (&UserId, &[Key]),
    (tenant, draft): (&TenantId, &Draft),
    now: Timestamp,
) -> Result<(), Error> {
    let place = NotePlace::User(user.clone());
    let partition = place.partition();
    let operation = intent::begin(domain, Work::Change(Changing { place }), now).await?;
    let mut reads = keys.to_vec();
    reads.push(keyspace::fence(&partition, &operation));
    let chain = Chain::Tenant(tenant.clone());
    let outcome = domain
        .store
        .transact(&partition, &reads, now, |txn| {
            fence::check(txn, &partition, &operation)?;
            let mut ended = 0_usize;
            for key in keys {
                let session = Session::decode_optional(key, txn.get(key)?)?;
                if session.is_some_and(|session| is_in(&session, tenant)) {
                    txn.delete(key)?;
                    ended += 1;
                }
            }
            if ended > 0 {
                let details = BTreeMap::from([("sessions".to_owned(), ended.to_string())]);
                let draft = Draft { details, ..draft.clone() };
                audit::note(txn, &partition, &operation, (&chain, &draft), now)?;
            }
            Ok::<_, Error>(())
        })
        .await;
    if matches!(outcome, Ok(()) | Err(Error::Refused(_))) {
        intent::rest(&operation, finish(domain, &operation, user, now).await);
    }
    outcome
}

async fn finish(
    domain: &Domain,
    operation: &OperationId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    audit::deliver(domain, operation, &keyspace::of_user(user), now).await?;
    intent::end(domain, operation).await
}
