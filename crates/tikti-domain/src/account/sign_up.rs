//! Makes a user with a password, as a platform administrator asks for it, and a member of a tenant where
//! one is named.
//!
//! The user is made first. Where the membership is refused after that, because the tenant went away at
//! that moment, the user is deleted again; a crash in between leaves a user without a membership, who may
//! sign in and has nothing.
//!
//! Spec: HTTP API, Identity, `signUp`.

use std::collections::BTreeSet;

use secrecy::SecretString;

use super::create_user::{NewUser, create_user_for};
use super::delete_user::delete_user_for;
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error, Refusal};
use crate::id::{RoleName, TenantId, TenantRef, UserId};
use crate::keyspace;
use crate::membership::MAX_ROLES;
use crate::password::check_new_password;
use crate::permission;
use crate::record::Record;
use crate::role::{Roles, TENANT_USER};
use crate::tenancy;
use crate::user::{GlobalRole, User};

/// Asks for a new user.
#[derive(Debug)]
pub struct SignUp {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: SecretString,
    /// The role towards the deployment.
    pub role: GlobalRole,
    /// The tenant that the user is to be a member of.
    pub joins: Option<Joins>,
}

/// The membership of a new user.
#[derive(Debug)]
pub struct Joins {
    /// The tenant.
    pub tenant: TenantRef,
    /// The roles there; none: `TENANT_USER`.
    pub roles: BTreeSet<RoleName>,
}

/// Makes a user.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`; `WEAK_PASSWORD`, `PASSWORD_TOO_LONG`;
/// `TENANT_NOT_FOUND`, `TENANT_DISABLED`, `ROLE_NOT_FOUND`, `INVALID_ARGUMENT` for too many roles;
/// `EMAIL_EXISTS`; `OVERLOADED`; the store's: then the user may or may not be there.
pub async fn sign_up(domain: &Domain, caller: &Caller, ask: &SignUp) -> Result<User, Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    principal.require_admin_write(domain, now)?;
    check_new_password(&ask.password, Some(&ask.email))?;
    let place = match &ask.joins {
        None => None,
        Some(joins) => Some(find_place(domain, joins, now).await?),
    };
    let password_hash = Some(domain.passwords.hash(&ask.password).await?);
    // bcrypt took its time.
    let now = domain.clock.now();
    let new = NewUser { email: ask.email.clone(), password_hash, role: ask.role };
    let tenant_id = place.as_ref().map(|(tenant, _)| tenant);
    let draft = |id: &UserId| {
        let mut draft = principal.draft(caller, Action::UserCreate, (id, tenant_id));
        draft.details.insert("role".to_owned(), ask.role.as_str().to_owned());
        draft
    };
    let user = create_user_for(domain, new, draft, now).await?;
    let Some((tenant, roles)) = place else { return Ok(user) };
    match tenancy::add_member(domain, &tenant, &user.id, roles, now).await {
        Ok(_) => Ok(user),
        Err(Error::Refused(refusal)) => {
            // Whoever is told no must be able to ask again for the same address.
            let draft = principal.draft(caller, Action::UserDelete, (&user.id, None));
            delete_user_for(domain, &user.id, draft, now).await?;
            Err(Error::Refused(refusal))
        }
        Err(error) => Err(error),
    }
}

/// The tenant of a new member, and the roles, which exist there.
async fn find_place(
    domain: &Domain,
    joins: &Joins,
    now: Timestamp,
) -> Result<(TenantId, BTreeSet<RoleName>), Error> {
    if joins.roles.len() > MAX_ROLES {
        return Err(Refusal::invalid("roles", format!("must be at most {MAX_ROLES}")).into());
    }
    let tenant = tenancy::find(domain, &joins.tenant, now).await?;
    let tenant = tenant.ok_or(Code::TenantNotFound)?;
    if !tenant.is_active() {
        return Err(Code::TenantDisabled.into());
    }
    let key = keyspace::roles(&tenant.id);
    let stored = domain.store.get(&key, now).await?;
    let known = Roles::decode_optional(&key, stored.as_ref())?.unwrap_or_default();
    if let Some(unknown) = joins.roles.iter().find(|role| known.find(role).is_none()) {
        return Err(Refusal::of(Code::RoleNotFound).detail("roles", unknown.as_str()).into());
    }
    let mut roles = joins.roles.clone();
    if roles.is_empty() {
        roles.insert(RoleName::parse(TENANT_USER)?);
    }
    Ok((tenant.id, roles))
}
