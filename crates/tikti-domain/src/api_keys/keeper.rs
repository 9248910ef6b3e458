//! Who may administer these API keys?
//!
//! Of a tenant whoever holds the scope there; of the deployment its administrators, by idToken and for a
//! change after a recent sign-in. Invariant: what is committed was allowed at the moment of the commit.
//! Both lists lie where that is decided: a tenant's beside its roles and members, the deployment's beside
//! the set of its administrators.
//!
//! Spec: HTTP API, "Tenant administration", API keys; Authorization, "Administrative endpoints".

use tikti_store::{Key, Txn};

use super::KeysOf;
use crate::audit::{Chain, Draft};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::id::TenantId;
use crate::idempotency::Once;
use crate::keyspace;
use crate::permission::{self, Principal};
use crate::record::Record;
use crate::tenancy::Administrator;
use crate::tenancy::administer::Act;
use crate::user::Admins;

const READ: &str = "apikeys:read";
/// What a change of a tenant's keys needs.
pub(super) const WRITE: &str = "apikeys:write";

/// Somebody who may administer the keys of one owner.
pub(super) enum Keeper<'a> {
    OfTenant(Box<Administrator>),
    OfDeployment(Box<Principal>, &'a Caller),
}

impl<'a> Keeper<'a> {
    /// Admits whoever wants to see keys.
    pub(super) async fn to_read(
        domain: &Domain,
        caller: &'a Caller,
        of: KeysOf<'_>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        match of {
            KeysOf::Tenant(reference) => {
                let administrator =
                    Administrator::recognise(domain, caller, reference, now).await?;
                administrator.admit(domain, (reference, READ), vec![], now).await?;
                Ok(Self::OfTenant(Box::new(administrator)))
            }
            KeysOf::Deployment => {
                let principal = permission::by_id_token(domain, caller, now).await?;
                principal.require_admin()?;
                Ok(Self::OfDeployment(Box::new(principal), caller))
            }
        }
    }

    /// Admits whoever wants to change keys: so far from what was read, so that a refusal costs no write.
    pub(super) async fn to_write(
        domain: &Domain,
        caller: &'a Caller,
        of: KeysOf<'_>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        match of {
            KeysOf::Tenant(reference) => {
                let administrator =
                    Administrator::recognise(domain, caller, reference, now).await?;
                let place = (reference, WRITE);
                let (admission, _) = administrator.admit(domain, place, vec![], now).await?;
                admission.require_active()?;
                Ok(Self::OfTenant(Box::new(administrator)))
            }
            KeysOf::Deployment => {
                let principal = permission::by_id_token(domain, caller, now).await?;
                principal.require_admin_write(domain, now)?;
                Ok(Self::OfDeployment(Box::new(principal), caller))
            }
        }
    }

    /// The tenant that the keys are of; absent for those of the deployment.
    pub(super) fn owner(&self) -> Option<&TenantId> {
        match self {
            Self::OfTenant(administrator) => Some(administrator.tenant_id()),
            Self::OfDeployment(..) => None,
        }
    }

    /// Where it is written down what the keeper does.
    pub(super) fn chain(&self) -> Chain {
        self.owner().map_or(Chain::Deployment, |tenant| Chain::Tenant(tenant.clone()))
    }

    /// Where the answer to this request stands, if its client gave it a name.
    pub(super) fn once(&self, domain: &Domain, caller: &Caller) -> Once {
        match self {
            Self::OfTenant(administrator) => administrator.once(domain, caller),
            Self::OfDeployment(principal, _) => {
                let who = format!("user {}", principal.user.id);
                Once::of(domain, (caller, &who), &keyspace::of_api_keys(None))
            }
        }
    }

    /// What a change is decided from once more, in the partition of the list.
    pub(super) fn keys(&self) -> Vec<Key> {
        match self {
            Self::OfTenant(administrator) => administrator.keys(),
            Self::OfDeployment(..) => vec![keyspace::admins()],
        }
    }

    /// Decides once more inside the transaction, which must have declared [`Keeper::keys`]; gives what the
    /// audit says of the change.
    ///
    /// # Errors
    /// Those of an administrator of the tenant, `TENANT_DISABLED`; `ADMIN_REQUIRED`.
    pub(super) fn readmit(&self, txn: &Txn, act: &Act) -> Result<Draft, Error> {
        match self {
            Self::OfTenant(administrator) => {
                let admission = administrator.readmit(txn, act.scope)?;
                admission.require_active()?;
                Ok(administrator.draft(act, &admission))
            }
            Self::OfDeployment(principal, caller) => {
                let key = keyspace::admins();
                let admins = Admins::decode_optional(&key, txn.get(&key)?)?.unwrap_or_default();
                // Whoever is suspended, demoted or deleted leaves the set before that happens.
                if !admins.user_ids.contains(&principal.user.id) {
                    return Err(Code::AdminRequired.into());
                }
                let draft = principal.draft(caller, act.action, (&act.target, None));
                Ok(Draft { details: act.details.clone(), ..draft })
            }
        }
    }
}
