//! Ends what was given out for a user: everything, or what is good in one tenant.
//!
//! Everything is the user's version. In one tenant it is the membership's version, and a mark that
//! sessions begun until then are not exchanged there any more; elsewhere they go on.
//!
//! Spec: HTTP API, Identity, `revoke`; Tokens and keys, "Revocation"; attacks, rows A2 and L3.

use super::find_by_email;
use super::gate::{self, Access};
use super::sign_out::{end_all, remove_old_sessions};
use crate::audit::{self, Action, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{TenantRef, UserId};
use crate::keyspace;
use crate::tenancy::{self, administer::Done};
use crate::user::User;

/// Asks to end what was given out for a user.
#[derive(Debug)]
pub struct Revoke {
    /// The user's address.
    pub email: Email,
    /// How far it goes.
    pub scope: RevokeScope,
}

/// How far a revocation goes.
#[derive(Debug)]
pub enum RevokeScope {
    /// Everything of the user.
    Global,
    /// What is good in one tenant.
    Tenant(TenantRef),
}

/// Everything of before is over.
#[derive(Debug)]
pub struct Revoked {
    /// The user.
    pub user_id: UserId,
    /// The user's address.
    pub email: Email,
    /// The version that tokens must have from now on: the user's, or the membership's.
    pub token_version: u64,
    /// When.
    pub revoked_at: Timestamp,
}

/// Ends what was given out for a user.
///
/// # Errors
/// Those of the gate of administrators; `USER_NOT_FOUND`, also for somebody who is no member of the
/// tenant; `TENANT_NOT_FOUND`; the store's.
pub async fn revoke(domain: &Domain, caller: &Caller, ask: &Revoke) -> Result<Revoked, Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let found = find_by_email(domain, &ask.email, now).await?;
    let user = found.ok_or(Code::UserNotFound)?;
    let token_version = match &ask.scope {
        RevokeScope::Global => {
            let draft = principal.draft(caller, Action::UserRevoke, (&user.id, None));
            everything(domain, &user.id, &draft, now).await?.ver
        }
        RevokeScope::Tenant(reference) => {
            let tenant = tenancy::find(domain, reference, now).await?;
            let tenant = tenant.ok_or(Code::TenantNotFound)?.id;
            let draft = principal.draft(caller, Action::MemberRevoke, (&user.id, Some(&tenant)));
            let own = keyspace::member(&tenant, &principal.user.id);
            let cross_tenant = domain.store.get(&own, now).await?.is_none();
            let draft = Draft { cross_tenant, ..draft };
            tenancy::revoke_membership(domain, (&tenant, &user.id), &draft, now).await?.mver
        }
    };
    Ok(Revoked { user_id: user.id, email: ask.email.clone(), token_version, revoked_at: now })
}

async fn everything(
    domain: &Domain,
    id: &UserId,
    draft: &Draft,
    now: Timestamp,
) -> Result<User, Error> {
    let key = keyspace::user(id);
    let keys = [key.clone()];
    let place = (NotePlace::User(id.clone()), &keys[..]);
    let ended = audit::change(domain, place, (&Chain::Deployment, draft), now, |txn| {
        Ok(Done::Changed(end_all(txn, &key, now)?))
    });
    let user = ended.await?;
    remove_old_sessions(domain, &user, now).await;
    Ok(user)
}
