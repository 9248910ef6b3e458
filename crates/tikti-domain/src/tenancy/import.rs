//! Makes tenants, roles and clients that an older Tikti had.
//!
//! The operator who runs the migration decides that they are made: nobody is asked for a right. What the deployment
//! keeps for itself is not among it, since the plan has left it out. All else is as for those that are made here: names are claimed,
//! the built-in ones are there, and each has its event in the audit.
//!
//! Spec: Real clients, "Older Tikti clients and data"; Domain, "Tenant". Why: docs/decisions/0046.

use std::collections::BTreeMap;

use tikti_store::{Entry, Key, Txn};

use super::create_tenant::{Birth, create};
use super::roles::{MAX_ROLES_BYTES, MAX_ROLES_OF_TENANT};
use crate::audit::{self, Action, Actor, Chain, Draft, NotePlace, Tool, Who};
use crate::client::{Client, TIKTI};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{ClientId, RoleName, TenantId};
use crate::keyspace;
use crate::record::{Lasting, Record};
use crate::role::{Role, Roles};
use crate::tenancy::administer::Done;
use crate::tenant::{Tenant, TenantStatus};

/// What the audit says of something that was taken over.
pub(crate) fn draft(action: Action, target: &str, tenant: Option<&TenantId>) -> Draft {
    Draft {
        action,
        target: target.to_owned(),
        tenant_id: tenant.cloned(),
        actor: Actor { who: Who::Operator(Tool::Migration), session_id: None, ip: None },
        request_id: String::new(),
        cross_tenant: false,
        details: BTreeMap::new(),
    }
}

/// Makes a tenant without members, with the built-in roles and the built-in client.
///
/// # Errors
/// `TENANT_EXISTS`; `CONFLICT` where it took longer than a minute; the store's.
pub(crate) async fn import_tenant(
    domain: &Domain,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<(), Error> {
    let draft = draft(Action::TenantCreate, tenant.id.as_str(), Some(&tenant.id));
    let clients = vec![Client::built_in(ClientId::parse(TIKTI)?, now)];
    let roles = Roles::built_in();
    create(domain, &Birth { tenant, creator: None, roles, clients, draft: &draft }, now).await
}

/// Makes a role, managed where the template has it; one of this name stays as it is.
///
/// # Errors
/// `TENANT_NOT_FOUND`; `LIMIT_EXCEEDED`; the store's.
pub(crate) async fn import_role(
    domain: &Domain,
    tenant: &TenantId,
    (name, role): (&RoleName, &Role),
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::roles(tenant);
    let mut draft = draft(Action::RoleCreate, name.as_str(), Some(tenant));
    draft.details.insert("permissions".to_owned(), role.permissions.to_string());
    within(domain, tenant, (&key, &draft), now, |txn| {
        let mut roles = Roles::decode_optional(&key, txn.get(&key)?)?.unwrap_or_default();
        if roles.find(name).is_some() {
            return Ok(Done::Same(()));
        }
        roles.insert(name.clone(), role.clone());
        let bytes = roles.encode()?;
        if roles.len() > MAX_ROLES_OF_TENANT || bytes.len() > MAX_ROLES_BYTES {
            return Err(Code::LimitExceeded.into());
        }
        txn.put(&key, Entry::new(&bytes))?;
        Ok(Done::Changed(()))
    })
    .await
}

/// Makes a client; one of this id stays as it is.
///
/// # Errors
/// `TENANT_NOT_FOUND`; the store's.
pub(crate) async fn import_client(
    domain: &Domain,
    tenant: &TenantId,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keyspace::client(tenant, &client.id);
    let mut draft = draft(Action::ClientCreate, client.id.as_str(), Some(tenant));
    draft.details.insert("type".to_owned(), client.kind.as_str().to_owned());
    draft.details.insert("defaultScopes".to_owned(), client.default_scopes.to_string());
    let bytes = client.encode()?;
    within(domain, tenant, (&key, &draft), now, |txn| {
        if txn.get(&key)?.is_some() {
            return Ok(Done::Same(()));
        }
        txn.put(&key, Entry::new(&bytes))?;
        Ok(Done::Changed(()))
    })
    .await
}

/// One change of a tenant that is not being deleted.
async fn within(
    domain: &Domain,
    tenant: &TenantId,
    (key, draft): (&Key, &Draft),
    now: Timestamp,
    work: impl Fn(&mut Txn) -> Result<Done<()>, Error> + Send + Sync,
) -> Result<(), Error> {
    let owner = keyspace::tenant(tenant);
    let keys = [owner.clone(), key.clone()];
    let place = (NotePlace::Tenant(tenant.clone()), &keys[..]);
    audit::change(domain, place, (&Chain::Tenant(tenant.clone()), draft), now, |txn| {
        let stored = Lasting::<Tenant>::decode_optional(&owner, txn.get(&owner)?)?;
        match stored.and_then(Lasting::live) {
            Some(tenant) if tenant.status != TenantStatus::Deleting => work(txn),
            Some(_) | None => Err(Code::TenantNotFound.into()),
        }
    })
    .await
}
