//! The directory of users, for platform administrators: a page of it, one user, changing,
//! deleting and sending a new password to one.
//!
//! Spec: HTTP API, Identity, `/v1/users`, "Lists"; attacks, rows E3, E5 and E8.

use super::change_email::load_user;
use super::change_user::change_user_for;
use super::default_tenant::require_membership;
use super::delete_user::delete_user_for;
use super::directory::{self, Place};
use super::find_by_email;
use super::gate::{self, Access};
use super::send_oob_code::{OobCodeSent, send_password_reset};
use crate::audit::Action;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Error, Refusal};
use crate::id::{TenantRef, UserId};
use crate::keyspace;
use crate::mail::Language;
use crate::oob_code::OobType;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::reads::Reads;
use crate::user::{GlobalRole, User, UserChange, UserStatus, parse_display_name};

/// What page tokens of the directory are sealed with.
const LIST: &str = "n/user";

/// Asks to change a user; what is absent stays as it is.
#[derive(Debug, Default)]
pub struct UpdateUser {
    /// The role towards the deployment.
    pub role: Option<GlobalRole>,
    /// Whether the user may sign in.
    pub status: Option<UserStatus>,
    /// A name for people.
    pub display_name: Option<String>,
    /// Whether the user has shown to receive mail at his address.
    pub email_verified: Option<bool>,
    /// The tenant context of sign-ins that name none.
    pub default_tenant: Option<TenantRef>,
}

/// Reads a page of all users; with an address the one who bears it, if anybody does.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ARGUMENT` for a page token that this server did not
/// make; the store's.
pub async fn list_users(
    domain: &Domain,
    caller: &Caller,
    ask: &PageRequest,
    email: Option<&Email>,
) -> Result<Page<User>, Error> {
    let now = domain.clock.now();
    gate::require_admin(domain, caller, Access::Read, now).await?;
    if let Some(email) = email {
        let found = find_by_email(domain, email, now).await?;
        return Ok(Page { items: found.into_iter().collect(), next: None });
    }
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, LIST, token));
    let after = after.transpose()?.as_deref().and_then(Place::parse);
    let (ids, last) = directory::walk(domain, after, usize::from(ask.size), now).await?;
    let keys = ids.iter().map(keyspace::user).collect();
    let reads = Reads::load(&domain.store, keys, now).await?;
    let mut items = Vec::with_capacity(ids.len());
    for id in &ids {
        items.extend(reads.find_live::<User>(&keyspace::user(id))?);
    }
    let next = last.map(|last| page_token::make(domain, LIST, &last.bytes())).transpose()?;
    Ok(Page { items, next })
}

/// Reads one user.
///
/// # Errors
/// Those of the gate of administrators; `USER_NOT_FOUND`; the store's.
pub async fn get_user(domain: &Domain, caller: &Caller, id: &UserId) -> Result<User, Error> {
    let now = domain.clock.now();
    gate::require_admin(domain, caller, Access::Read, now).await?;
    load_user(domain, id, now).await
}

/// Changes one user. Becoming or ceasing to be a platform administrator, and every change of status,
/// ends all of his sessions.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ARGUMENT` where nothing is asked for;
/// `USER_NOT_FOUND`; `MEMBERSHIP_REQUIRED` for a default tenant that the user is no member of;
/// `LAST_ADMIN`; `CONFLICT`; the store's.
pub async fn update_user(
    domain: &Domain,
    caller: &Caller,
    (id, ask): (&UserId, &UpdateUser),
) -> Result<User, Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let display_name = ask.display_name.as_deref();
    let display_name =
        display_name.map(|name| parse_display_name("displayName", name)).transpose()?;
    let user = load_user(domain, id, now).await?;
    let default_tenant = match &ask.default_tenant {
        None => None,
        Some(tenant) => Some(require_membership(domain, &user.id, tenant, now).await?),
    };
    let change = UserChange {
        role: ask.role,
        status: ask.status,
        display_name,
        email_verified: ask.email_verified,
        default_tenant,
    };
    if change == UserChange::default() {
        let reason = "give what is to change: role, status, displayName, emailVerified or \
                      defaultTenantId";
        return Err(Refusal::invalid("body", reason).into());
    }
    let mut draft = principal.draft(caller, Action::UserUpdate, (&user.id, None));
    draft.details = change.told();
    change_user_for(domain, &user.id, (&change, &draft), now).await
}

/// Deletes one user.
///
/// # Errors
/// Those of the gate of administrators; `USER_NOT_FOUND`; `LAST_ADMIN`; the store's: then the deletion
/// may still happen within minutes.
pub async fn remove_user(domain: &Domain, caller: &Caller, id: &UserId) -> Result<(), Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let draft = principal.draft(caller, Action::UserDelete, (id, None));
    delete_user_for(domain, id, draft, now).await
}

/// Has a code mailed to a user with which he sets a new password. The code is in the answer only where
/// the key may have it.
///
/// # Errors
/// Those of the gate of administrators; `USER_NOT_FOUND`, `USER_DISABLED`; `INVALID_ARGUMENT` for a user
/// without an address; `RATE_LIMITED`; the store's.
pub async fn reset_user_password(
    domain: &Domain,
    caller: &Caller,
    (id, language): (&UserId, Option<Language>),
) -> Result<OobCodeSent, Error> {
    let now = domain.clock.now();
    let (principal, key) = gate::require_admin_and_key(domain, caller, Access::Write, now).await?;
    let user = load_user(domain, id, now).await?;
    let mut draft = principal.draft(caller, Action::OobSend, (&user.id, None));
    let kind = OobType::PasswordReset.as_str().to_owned();
    draft.details.insert("requestType".to_owned(), kind);
    send_password_reset(domain, (&key, &draft), (&user, language), now).await
}
