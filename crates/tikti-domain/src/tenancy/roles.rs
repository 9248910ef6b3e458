//! Makes, reads, changes and deletes the roles of a tenant.
//!
//! All roles of a tenant are one record, so that each of these is one transaction and an exchange reads
//! them in one step; their number and size are bounded for the same reason. A role that is deleted expands
//! to nothing wherever it is still named; since it may be named, one that is made again under its name holds
//! nothing that the deployment keeps for itself.
//!
//! Spec: HTTP API, "Tenant administration", roles; Domain, "Role", "Resource servers"; Authorization,
//! "Nobody grants what they do not hold".

use std::collections::BTreeMap;

use tikti_store::{Entry, Txn};

use super::administer::{Act, Administrator, Admission, Done};
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::etag::{ETag, Precondition};
use crate::id::{RoleName, TenantRef};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::record::Record;
use crate::role::{FormerRole, MAX_PERMISSIONS, Role, Roles};
use crate::scope::ScopeSet;
use crate::tenant::Tenant;

/// Most roles of one tenant.
pub const MAX_ROLES_OF_TENANT: usize = 512;
/// Most bytes that the roles of one tenant take in the store: every exchange reads them.
pub const MAX_ROLES_BYTES: usize = 256 * 1024;

const READ: &str = "roles:read";
const WRITE: &str = "roles:write";

/// A role with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRole {
    /// The name.
    pub name: RoleName,
    /// What it permits.
    pub role: Role,
}

impl NamedRole {
    /// What `If-Match` names it by: changes with what it permits.
    #[must_use]
    pub fn etag(&self) -> ETag {
        ETag::of(&[self.name.as_str(), &self.role.permissions.to_string()])
    }
}

/// Asks for a role.
#[derive(Debug)]
pub struct PutRole {
    /// The name.
    pub name: RoleName,
    /// What it is to permit.
    pub permissions: ScopeSet,
    /// Which role it may take the place of; a new one takes no place.
    pub precondition: Precondition,
}

/// Makes a role.
///
/// # Errors
/// Those of every administrative call (`administer`); `ROLE_EXISTS`; `ESCALATION_DENIED`;
/// `INVALID_ARGUMENT` for more than 256 permissions; `LIMIT_EXCEEDED`; `CONFLICT` for scopes of the platform
/// under the name of a role that was deleted; the store's.
pub async fn create_role(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    ask: &PutRole,
) -> Result<NamedRole, Error> {
    put(domain, caller, tenant, ask, |_| Err(Code::RoleExists.into())).await
}

/// Makes a role, or changes the one that the precondition names. The same role once more changes nothing.
///
/// # Errors
/// As [`create_role`]; `ROLE_EXISTS` for another role of this name where no precondition was given,
/// `PRECONDITION_FAILED` where it does not hold; `CONFLICT` for a built-in role.
pub async fn put_role(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    ask: &PutRole,
) -> Result<NamedRole, Error> {
    put(domain, caller, tenant, ask, |held| may_replace(held, ask)).await
}

/// Whether `ask` may take the place of `held`; says so for the same role too, which then stays.
fn may_replace(held: &NamedRole, ask: &PutRole) -> Result<(), Error> {
    match &ask.precondition {
        Precondition::None if held.role.permissions == ask.permissions => Ok(()),
        Precondition::None => Err(Code::RoleExists.into()),
        given if given.holds(Some(&held.etag())) => Ok(()),
        _ => Err(Code::PreconditionFailed.into()),
    }
}

async fn put(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    ask: &PutRole,
    replaces: impl Fn(&NamedRole) -> Result<(), Error> + Send + Sync,
) -> Result<NamedRole, Error> {
    let now = domain.clock.now();
    if ask.permissions.len() > MAX_PERMISSIONS {
        let reason = format!("at most {MAX_PERMISSIONS} permissions");
        return Err(Refusal::invalid("permissions", reason).into());
    }
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let former = keyspace::former_role(administrator.tenant_id(), &ask.name);
    let more = vec![former.clone()];
    let (admission, reads) = administrator.admit(domain, (tenant, WRITE), more, now).await?;
    let decide = |admission: &Admission, was_deleted: bool| {
        let put = decide_put(domain, admission, ask, &replaces)?;
        if was_deleted && !matches!(put, Put::Same(_)) {
            require_own(domain, ask)?;
        }
        Ok::<_, Error>(put)
    };
    // Most refusals are seen before anything is written.
    let action = match decide(&admission, reads.stored(&former)?.is_some())? {
        Put::New(_) => Action::RoleCreate,
        Put::Other(_) | Put::Same(_) => Action::RoleUpdate,
    };
    let details = BTreeMap::from([("permissions".to_owned(), ask.permissions.to_string())]);
    let act = Act { scope: WRITE, action, target: ask.name.to_string(), details };
    administrator
        .change(domain, (act, std::slice::from_ref(&former)), now, |txn, admission| {
            let was_deleted = txn.get(&former)?.is_some();
            match decide(admission, was_deleted)? {
                Put::Same(same) => Ok(Done::Same(same)),
                Put::New(named) | Put::Other(named) => {
                    let mut roles = admission.roles.clone();
                    roles.insert(named.name.clone(), named.role.clone());
                    store(txn, &admission.tenant, &roles)?;
                    Ok(Done::Changed(named))
                }
            }
        })
        .await
}

/// Whoever was a member with a role of this name is one again when the name is used again: what the
/// deployment keeps for itself is given by hand.
fn require_own(domain: &Domain, ask: &PutRole) -> Result<(), Refusal> {
    let kept = ask.permissions.filtered(|scope| domain.settings.keeps(scope));
    if kept.is_empty() {
        return Ok(());
    }
    let message = "a role of this name was deleted, and members may still name it: choose another name \
                   for scopes that only the deployment grants";
    Err(Refusal::new(Code::Conflict, message).detail("scopes", kept.to_string()))
}

/// What a role that was asked for means for those that are there.
enum Put {
    New(NamedRole),
    Other(NamedRole),
    Same(NamedRole),
}

fn decide_put(
    domain: &Domain,
    admission: &Admission,
    ask: &PutRole,
    replaces: &impl Fn(&NamedRole) -> Result<(), Error>,
) -> Result<Put, Error> {
    let asked = |role| NamedRole { name: ask.name.clone(), role };
    let settings = &domain.settings;
    let Some(held) = admission.roles.find(&ask.name) else {
        if !ask.precondition.holds(None) {
            return Err(Code::PreconditionFailed.into());
        }
        admission.require_grant(&ask.permissions, settings)?;
        let permissions = ask.permissions.clone();
        return Ok(Put::New(asked(Role { permissions, built_in: false, managed: false })));
    };
    let held = asked(held.clone());
    replaces(&held)?;
    if held.role.permissions == ask.permissions {
        return Ok(Put::Same(held));
    }
    require_changeable(domain, admission, &held.role)?;
    admission.require_grant(&ask.permissions, settings)?;
    let Role { built_in, managed, .. } = held.role;
    Ok(Put::Other(asked(Role { permissions: ask.permissions.clone(), built_in, managed })))
}

/// A built-in role is nobody's to change; one of the template, or with scopes of the platform, is the
/// platform's.
fn require_changeable(domain: &Domain, admission: &Admission, role: &Role) -> Result<(), Error> {
    if role.built_in {
        let message = "a built-in role can be neither changed nor deleted";
        return Err(Refusal::new(Code::Conflict, message).into());
    }
    if role.managed && !admission.is_platform() {
        let message = "the role is managed: only an administrator of the deployment changes it";
        return Err(Refusal::new(Code::EscalationDenied, message).into());
    }
    let kept = role.permissions.filtered(|scope| domain.settings.keeps(scope));
    Ok(admission.require_grant(&kept, &domain.settings)?)
}

fn store(txn: &mut Txn, tenant: &Tenant, roles: &Roles) -> Result<(), Error> {
    let bytes = roles.encode()?;
    if roles.len() > MAX_ROLES_OF_TENANT || bytes.len() > MAX_ROLES_BYTES {
        return Err(Code::LimitExceeded.into());
    }
    Ok(txn.put(&keyspace::roles(&tenant.id), Entry::new(&bytes))?)
}

/// Reads one role.
///
/// # Errors
/// Those of every administrative call; `ROLE_NOT_FOUND`; the store's.
pub async fn get_role(
    domain: &Domain,
    caller: &Caller,
    (tenant, name): (&TenantRef, &RoleName),
) -> Result<NamedRole, Error> {
    let now = domain.clock.now();
    let admission = read(domain, caller, tenant, now).await?;
    let role = admission.roles.find(name).ok_or(Code::RoleNotFound)?;
    Ok(NamedRole { name: name.clone(), role: role.clone() })
}

/// Reads a page of a tenant's roles, in the order of their names.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` for a page token that this server did not make;
/// the store's.
pub async fn list_roles(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &PageRequest),
) -> Result<Page<NamedRole>, Error> {
    let now = domain.clock.now();
    let admission = read(domain, caller, tenant, now).await?;
    let list = format!("t:{}/roles", admission.tenant.id);
    let after = ask.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let after = after.transpose()?.unwrap_or_default();
    let behind = admission.roles.iter().filter(|(name, _)| name.as_str().as_bytes() > &after[..]);
    let named =
        |(name, role): (&RoleName, &Role)| NamedRole { name: name.clone(), role: role.clone() };
    let mut items: Vec<_> = behind.take(usize::from(ask.size) + 1).map(named).collect();
    let more = items.len() > usize::from(ask.size);
    items.truncate(usize::from(ask.size));
    let last = items.last().filter(|_| more);
    let next = last.map(|last| page_token::make(domain, &list, last.name.as_str().as_bytes()));
    Ok(Page { next: next.transpose()?, items })
}

async fn read(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    now: Timestamp,
) -> Result<Admission, Error> {
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    Ok(administrator.admit(domain, (tenant, READ), vec![], now).await?.0)
}

/// Deletes a role: whoever holds it holds nothing by it from then on.
///
/// # Errors
/// Those of every administrative call; `ROLE_NOT_FOUND`; `CONFLICT` for a built-in role;
/// `ESCALATION_DENIED` for one of the template or with scopes of the platform; the store's.
pub async fn delete_role(
    domain: &Domain,
    caller: &Caller,
    (tenant, name): (&TenantRef, &RoleName),
) -> Result<(), Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, _) = administrator.admit(domain, (tenant, WRITE), vec![], now).await?;
    let decide = |admission: &Admission| {
        let role = admission.roles.find(name).ok_or(Code::RoleNotFound)?;
        require_changeable(domain, admission, role)
    };
    decide(&admission)?;
    let (action, target) = (Action::RoleDelete, name.to_string());
    let act = Act { scope: WRITE, action, target, details: BTreeMap::new() };
    let former = keyspace::former_role(administrator.tenant_id(), name);
    administrator
        .change(domain, (act, &[]), now, |txn, admission| {
            decide(admission)?;
            let mut roles = admission.roles.clone();
            roles.remove(name);
            store(txn, &admission.tenant, &roles)?;
            txn.put(&former, Entry::new(&FormerRole { deleted_at: now }.encode()?))?;
            Ok(Done::Changed(()))
        })
        .await
}
