//! Renames, opens, suspends and activates a tenant, and decides who may delete one.
//!
//! A name and whether strangers may join are the tenant's own to say. Whether it is served is the
//! deployment's: only its administrators suspend, activate and delete, with a sign-in that is recent.
//! Invariant: a tenant that is being deleted never comes back.
//!
//! Spec: HTTP API, "Tenant administration"; Domain, "Tenant", rule 4; Authorization, "Audit".

use std::collections::BTreeMap;

use tikti_store::Entry;

use super::administer::{Act, Administrator, Admission, Done};
use super::delete_tenant;
use crate::audit::Action;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::TenantRef;
use crate::keyspace;
use crate::permission;
use crate::record::{Lasting, Record};
use crate::tenant::{Tenant, TenantStatus};
use crate::user::parse_display_name;

const WRITE: &str = "tenants:write";

/// Asks for a change of a tenant; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateTenant {
    /// The name for people.
    pub name: Option<String>,
    /// Whether strangers may join by themselves.
    pub self_sign_up: Option<bool>,
    /// Whether the tenant is served: for administrators of the deployment.
    pub status: Option<TenantStatus>,
}

/// Changes a tenant. The same once more changes nothing and leaves no audit event.
///
/// # Errors
/// Those of every administrative call (`administer`); `INVALID_ARGUMENT` where nothing is asked for, for a
/// bad name, and for the status `DELETING`; for a status `ADMIN_REQUIRED` and `CREDENTIAL_TOO_OLD`;
/// `TENANT_DISABLED` while the tenant is being deleted, and without a status while it is suspended; the
/// store's.
pub async fn update_tenant(
    domain: &Domain,
    caller: &Caller,
    (reference, ask): (&TenantRef, &UpdateTenant),
) -> Result<Tenant, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, reference, now).await?;
    let (admission, _) = administrator.admit(domain, (reference, WRITE), vec![], now).await?;
    let ask = checked(ask)?;
    if ask.status.is_some() {
        administrator.require_platform_write(domain, &admission, now)?;
    }
    // Most refusals are seen before anything is written.
    decide(&admission, &ask)?;
    let target = administrator.tenant_id().to_string();
    let act = Act { scope: WRITE, action: Action::TenantUpdate, target, details: details(&ask) };
    administrator
        .change_even_inactive(domain, (act, &[]), now, |txn, admission| {
            if ask.status.is_some() {
                administrator.require_platform_write(domain, admission, now)?;
            }
            let tenant = decide(admission, &ask)?;
            if tenant == admission.tenant {
                return Ok(Done::Same(tenant));
            }
            let bytes = Lasting::Live(tenant.clone()).encode()?;
            txn.put(&keyspace::tenant(&tenant.id), Entry::new(&bytes))?;
            Ok(Done::Changed(tenant))
        })
        .await
}

/// The ask with its name as it is stored.
fn checked(ask: &UpdateTenant) -> Result<UpdateTenant, Refusal> {
    if *ask == UpdateTenant::default() {
        let reason = "give what is to change: name, selfSignUp or status";
        return Err(Refusal::invalid("body", reason));
    }
    if ask.status == Some(TenantStatus::Deleting) {
        return Err(Refusal::invalid("status", "must be ACTIVE or SUSPENDED"));
    }
    let name = ask.name.as_deref().map(|name| parse_display_name("name", name)).transpose()?;
    Ok(UpdateTenant { name, ..ask.clone() })
}

/// The tenant as it is to be.
fn decide(admission: &Admission, ask: &UpdateTenant) -> Result<Tenant, Code> {
    let mut tenant = admission.tenant.clone();
    if tenant.status == TenantStatus::Deleting {
        return Err(Code::TenantDisabled);
    }
    // While it is suspended nothing changes in it, but with the word on whether it is served.
    if ask.status.is_none() {
        admission.require_active()?;
    }
    tenant.status = ask.status.unwrap_or(tenant.status);
    tenant.self_sign_up = ask.self_sign_up.unwrap_or(tenant.self_sign_up);
    tenant.name = ask.name.clone().unwrap_or(tenant.name);
    Ok(tenant)
}

fn details(ask: &UpdateTenant) -> BTreeMap<String, String> {
    let name = ask.name.clone().map(|name| ("name", name));
    let open = ask.self_sign_up.map(|open| ("selfSignUp", open.to_string()));
    let status = ask.status.map(|status| ("status", status.as_str().to_owned()));
    let given = [name, open, status].into_iter().flatten();
    given.map(|(member, value)| (member.to_owned(), value)).collect()
}

/// Deletes a tenant with all that is in it, for an administrator of the deployment. A deletion under way
/// may be asked for again.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`; `TENANT_NOT_FOUND`; `TENANT_CONFLICT`; the
/// store's: then the deletion may still happen within minutes.
pub async fn remove_tenant(
    domain: &Domain,
    caller: &Caller,
    reference: &TenantRef,
) -> Result<(), Error> {
    let now = domain.clock.now();
    let principal = permission::by_id_token(domain, caller, now).await?;
    principal.require_admin_write(domain, now)?;
    let administrator = Administrator::recognise(domain, caller, reference, now).await?;
    let (admission, _) = administrator.admit(domain, (reference, WRITE), vec![], now).await?;
    let target = administrator.tenant_id().to_string();
    let details = BTreeMap::from([("slug".to_owned(), admission.tenant.slug.to_string())]);
    let act = Act { scope: WRITE, action: Action::TenantDelete, target, details };
    let draft = administrator.draft(&act, &admission);
    delete_tenant::delete(domain, administrator.tenant_id(), Some(draft), now).await
}

#[cfg(test)]
mod tests;
