//! Who may administer this tenant, and how is a change of it made?
//!
//! A call is admitted twice: once from records that were read, so that a refusal costs no write, and
//! once more inside the transaction that makes the change. Invariant: what is committed was allowed at
//! the moment of the commit, by the administrator's membership, role or worker record as they were then;
//! and its audit event is committed with it.
//!
//! Spec: Authorization, "Administrative endpoints", "Audit"; Domain, "Resource servers". Why:
//! docs/decisions/0024.

use std::collections::BTreeMap;

use tikti_store::{Key, Stored, Txn};

pub(crate) use super::admission::Admission;
use super::resolve_alike;
use crate::audit::{self, Action, Actor, Chain, Draft, NotePlace, Who};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError, Refusal};
use crate::fence;
use crate::id::{OperationId, TenantId, TenantRef};
use crate::intent::{self, Changing, Work};
use crate::keyspace;
use crate::membership::Membership;
use crate::permission::{self, Bearer, Principal};
use crate::reads::Reads;
use crate::record::{Lasting, Record};
use crate::role::{Roles, TENANT_ADMIN};
use crate::scope::{ScopeSet, management_scopes};
use crate::tenant::Tenant;
use crate::worker::Worker;

/// Somebody who wants to administer one tenant: recognised, not yet admitted.
#[derive(Debug)]
pub(crate) struct Administrator {
    tenant_id: TenantId,
    /// What the header `X-Tenant-Id` names beside the path.
    header: Option<TenantRef>,
    bearer: Bearer,
    actor: Actor,
    request_id: String,
}

/// One administrative change.
#[derive(Debug)]
pub(crate) struct Act {
    /// The management scope that it needs.
    pub(crate) scope: &'static str,
    /// What it is called in the audit.
    pub(crate) action: Action,
    /// What it is done to, by id or name.
    pub(crate) target: String,
    /// What changes, in a few words by member; nothing secret.
    pub(crate) details: BTreeMap<String, String>,
}

/// How a change ended.
pub(crate) enum Done<T> {
    /// Something is different now: there is an audit event.
    Changed(T),
    /// All is as it was before.
    Same(T),
}

/// The records that an admission is decided from.
struct Facts {
    tenant: Option<Tenant>,
    roles: Roles,
    membership: Option<Membership>,
    worker: Option<Worker>,
}

impl Administrator {
    /// Recognises the bearer of an idToken or of an access token for audience `tikti`, for the tenant
    /// that the path names.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`; `TENANT_NOT_FOUND` for a name that nobody bears; the store's.
    pub(crate) async fn recognise(
        domain: &Domain,
        caller: &Caller,
        reference: &TenantRef,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let bearer = permission::by_bearer(domain, caller, now).await?;
        let alike = TenantId::parse(reference.as_str());
        let beside = alike.map(|tenant| bearer.keys_in(&tenant)).unwrap_or_default();
        let resolved = resolve_alike(domain, reference, beside, now).await?;
        let tenant_id = resolved.ok_or(Code::TenantNotFound)?;
        let (who, session_id) = match &bearer {
            Bearer::User(principal) => {
                let session = principal.session_id.clone();
                (Who::User(principal.user.id.clone()), Some(session))
            }
            Bearer::Worker(worker) => (Who::Worker(worker.id.clone()), None),
        };
        let actor = Actor { who, session_id, ip: caller.ip };
        let request_id = caller.request_id.clone();
        Ok(Self { tenant_id, header: caller.tenant.clone(), bearer, actor, request_id })
    }

    /// The tenant that the call is about.
    pub(crate) fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }

    /// Who acts, for a counter: no worker is taken for a user or for one of another tenant.
    pub(crate) fn name(&self) -> String {
        match &self.bearer {
            Bearer::User(principal) => format!("user {}", principal.user.id),
            Bearer::Worker(worker) => format!("worker {} {}", self.tenant_id, worker.id),
        }
    }

    /// What an admission is decided from; all in the tenant's partition, so that a transaction there can
    /// declare them.
    pub(crate) fn keys(&self) -> Vec<Key> {
        self.bearer.keys_in(&self.tenant_id)
    }

    /// Requires an administrator of the deployment, with all that he may do and a recent sign-in.
    ///
    /// # Errors
    /// `ADMIN_REQUIRED`, `CREDENTIAL_TOO_OLD`.
    pub(crate) fn require_platform_write(
        &self,
        domain: &Domain,
        admission: &Admission,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match &self.bearer {
            Bearer::User(principal) if admission.is_platform() => {
                principal.require_admin_write(domain, now)
            }
            Bearer::User(_) | Bearer::Worker(_) => Err(Refusal::of(Code::AdminRequired)),
        }
    }

    /// Reads what an admission is decided from, and `more` with it; one round trip.
    ///
    /// # Errors
    /// As [`Administrator::readmit`]; the store's.
    pub(crate) async fn admit(
        &self,
        domain: &Domain,
        (reference, scope): (&TenantRef, &str),
        more: Vec<Key>,
        now: Timestamp,
    ) -> Result<(Admission, Reads), Error> {
        let mut keys = self.keys();
        keys.extend(more);
        let reads = Reads::load(&domain.store, keys, now).await?;
        let facts = self.facts(|key| reads.stored(key))?;
        // A claim on a name may belong to a creation that never finished.
        if !facts.tenant.as_ref().is_some_and(|tenant| tenant.bears(reference)) {
            domain.names.forget(&self.tenant_id);
            return Err(Code::TenantNotFound.into());
        }
        let admission = self.judge(facts, scope)?;
        if admission.cross_tenant {
            self.tell_of_visit(scope);
        }
        Ok((admission, reads))
    }

    /// An administrator of the deployment is always told of, also where he changes nothing (spec, Domain,
    /// "Global roles"): what he changes is an event of the tenant's chain besides.
    fn tell_of_visit(&self, scope: &str) {
        let Actor { who, session_id, ip } = &self.actor;
        let Who::User(user) = who else { return };
        tracing::info!(
            target: "tikti::audit",
            action = "tenant.visit",
            outcome = "allow",
            scopes.requested = scope,
            tenant.id = %self.tenant_id,
            user.id = %user,
            session.id = session_id.as_ref().map(tracing::field::display),
            ip = ip.map(tracing::field::display),
            request.id = self.request_id,
            cross_tenant = true,
            "a tenant administered by who is no member of it"
        );
    }

    /// Decides once more inside a transaction, which must have declared [`Administrator::keys`].
    ///
    /// # Errors
    /// `TENANT_NOT_FOUND`, to whoever does not belong to the tenant; `PERMISSION_DENIED`;
    /// `TENANT_CONFLICT`.
    pub(crate) fn readmit(&self, txn: &Txn, scope: &str) -> Result<Admission, Error> {
        let facts = self.facts(|key| txn.get(key))?;
        Ok(self.judge(facts, scope)?)
    }

    fn facts<'a, E>(
        &self,
        stored: impl Fn(&Key) -> Result<Option<&'a Stored>, E>,
    ) -> Result<Facts, Error>
    where
        Error: From<E>,
    {
        let [tenant, roles, own] = &self.keys()[..] else {
            return Err(InternalError::NotRead("the records of an admission".to_owned()).into());
        };
        let mut facts = Facts {
            tenant: Lasting::decode_optional(tenant, stored(tenant)?)?.and_then(Lasting::live),
            roles: Roles::default(),
            membership: None,
            worker: None,
        };
        let belongs = match &self.bearer {
            Bearer::User(principal) => {
                facts.membership = Membership::decode_optional(own, stored(own)?)?;
                facts.membership.is_some() || principal.user.is_admin()
            }
            Bearer::Worker(_) => {
                let worker = Lasting::decode_optional(own, stored(own)?)?;
                facts.worker = worker.and_then(Lasting::live);
                facts.worker.is_some()
            }
        };
        // A stranger must not wait for the roles of a tenant that there is: it is the largest record.
        if belongs {
            facts.roles = Roles::decode_optional(roles, stored(roles)?)?.unwrap_or_default();
        }
        Ok(facts)
    }

    /// The decision, from records alone.
    fn judge(&self, facts: Facts, scope: &str) -> Result<Admission, Refusal> {
        let tenant = facts.tenant.ok_or_else(not_found)?;
        let bounds = match &self.bearer {
            Bearer::User(principal) => principal.bounds.as_ref(),
            Bearer::Worker(worker) => Some(&worker.bounds),
        };
        if bounds.is_some_and(|(good_for, _)| *good_for != tenant.id) {
            return Err(not_found());
        }
        let carried = bounds.map(|(_, carried)| carried);
        let own = match &self.bearer {
            Bearer::User(principal) => {
                of_user(principal, (&tenant, &facts.roles), facts.membership)?
            }
            Bearer::Worker(worker) => of_worker(worker, &tenant, facts.worker)?,
        };
        if self.header.as_ref().is_some_and(|header| !tenant.bears(header)) {
            return Err(
                Refusal::of(Code::TenantConflict).detail("tenantId", "the header names another")
            );
        }
        let everything = carried.is_none_or(|carried| management_scopes().is_subset(carried));
        let held = carried.map_or_else(|| own.held.clone(), |carried| bounded(&own.held, carried));
        if !held.contains(scope) {
            return Err(Refusal::of(Code::PermissionDenied).detail("scope", scope));
        }
        Ok(Admission {
            tenant,
            roles: facts.roles,
            held,
            grants_all: everything && (own.is_tenant_admin || own.is_platform),
            is_platform: everything && own.is_platform,
            cross_tenant: own.cross_tenant,
        })
    }

    /// Makes one change in the tenant's partition, with its audit event. `work` may run several times,
    /// and has no effect but its transaction, which has declared `keys`.
    ///
    /// # Errors
    /// Those of [`Administrator::readmit`]; `TENANT_DISABLED` while the tenant is not active; what `work`
    /// refuses; `CONFLICT` where it took longer than a minute; the store's: then the change may or may
    /// not have happened.
    pub(crate) async fn change<T: Send>(
        &self,
        domain: &Domain,
        (act, keys): (Act, &[Key]),
        now: Timestamp,
        work: impl Fn(&mut Txn, &Admission) -> Result<Done<T>, Error> + Send + Sync,
    ) -> Result<T, Error> {
        let of_active = |txn: &mut Txn, admission: &Admission| {
            admission.require_active()?;
            work(txn, admission)
        };
        self.change_even_inactive(domain, (act, keys), now, of_active).await
    }

    /// As [`Administrator::change`], also while the tenant is not active: `work` looks at that itself.
    ///
    /// # Errors
    /// Those of [`Administrator::change`].
    pub(crate) async fn change_even_inactive<T: Send>(
        &self,
        domain: &Domain,
        (act, keys): (Act, &[Key]),
        now: Timestamp,
        work: impl Fn(&mut Txn, &Admission) -> Result<Done<T>, Error> + Send + Sync,
    ) -> Result<T, Error> {
        let place = NotePlace::Tenant(self.tenant_id.clone());
        let intended = Work::Change(Changing { place });
        let work = |txn: &mut Txn, (admission, _): (&Admission, &OperationId)| work(txn, admission);
        let (operation, outcome) = self.begin(domain, (intended, act, keys), now, work).await?;
        if matches!(outcome, Ok(_) | Err(Error::Refused(_))) {
            intent::rest(&operation, finish(domain, &operation, &self.tenant_id, now).await);
        }
        outcome
    }

    /// Says what is intended and makes the change; `work` looks itself at whether the tenant is active.
    /// What is left to do after it is the caller's.
    ///
    /// # Errors
    /// The store's, before anything has happened.
    pub(super) async fn begin<T: Send>(
        &self,
        domain: &Domain,
        (intended, act, keys): (Work, Act, &[Key]),
        now: Timestamp,
        work: impl Fn(&mut Txn, (&Admission, &OperationId)) -> Result<Done<T>, Error> + Send + Sync,
    ) -> Result<(OperationId, Result<T, Error>), Error> {
        let partition = keyspace::of_tenant(&self.tenant_id);
        let operation = intent::begin(domain, intended, now).await?;
        let mut reads = self.keys();
        reads.push(keyspace::fence(&partition, &operation));
        reads.extend(keys.iter().filter(|key| !reads.contains(key)).cloned().collect::<Vec<_>>());
        let outcome = domain
            .store
            .transact(&partition, &reads, now, |txn| {
                fence::check(txn, &partition, &operation)?;
                let admission = self.readmit(txn, act.scope)?;
                match work(txn, (&admission, &operation))? {
                    Done::Same(same) => Ok(same),
                    Done::Changed(changed) => {
                        self.note(txn, &operation, (&act, &admission), now)?;
                        Ok::<_, Error>(changed)
                    }
                }
            })
            .await;
        Ok((operation, outcome))
    }

    /// Leaves the note of a change in the tenant's partition, with the commit: for operations of several
    /// partitions, whose own intent delivers it.
    pub(crate) fn note(
        &self,
        txn: &mut Txn,
        operation: &OperationId,
        (act, admission): (&Act, &Admission),
        now: Timestamp,
    ) -> Result<(), Error> {
        let draft = self.draft(act, admission);
        let chain = Chain::Tenant(self.tenant_id.clone());
        let partition = keyspace::of_tenant(&self.tenant_id);
        audit::note(txn, &partition, operation, (&chain, &draft), now)
    }

    /// What the audit says of a change.
    pub(crate) fn draft(&self, act: &Act, admission: &Admission) -> Draft {
        Draft {
            action: act.action,
            target: act.target.clone(),
            tenant_id: Some(self.tenant_id.clone()),
            actor: self.actor.clone(),
            request_id: self.request_id.clone(),
            cross_tenant: admission.cross_tenant,
            details: act.details.clone(),
        }
    }
}

/// Adds what was noted to its chain: nothing is left to do.
pub(super) async fn finish(
    domain: &Domain,
    operation: &OperationId,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), Error> {
    audit::deliver(domain, operation, &keyspace::of_tenant(tenant), now).await?;
    intent::end(domain, operation).await
}

fn not_found() -> Refusal {
    Refusal::of(Code::TenantNotFound)
}

/// What a credential's owner holds, before the bounds of a token.
struct Own {
    held: ScopeSet,
    is_tenant_admin: bool,
    is_platform: bool,
    cross_tenant: bool,
}

fn of_user(
    principal: &Principal,
    (tenant, roles): (&Tenant, &Roles),
    membership: Option<Membership>,
) -> Result<Own, Refusal> {
    let membership = membership.filter(|held| !held.cuts_off(principal.session_began));
    let is_platform = principal.user.is_admin();
    // To its members a tenant that is not served is as gone as to strangers.
    if !is_platform && (membership.is_none() || !tenant.is_active()) {
        return Err(not_found());
    }
    let names = membership.iter().flat_map(|held| &held.roles);
    let mut held = roles.expand(names);
    if is_platform {
        held.extend(&management_scopes());
    }
    let bears = |held: &Membership| held.roles.iter().any(|role| role.as_str() == TENANT_ADMIN);
    let is_tenant_admin = membership.as_ref().is_some_and(bears);
    let cross_tenant = membership.is_none();
    Ok(Own { held, is_tenant_admin, is_platform, cross_tenant })
}

fn of_worker(
    bearer: &permission::WorkerPrincipal,
    tenant: &Tenant,
    worker: Option<Worker>,
) -> Result<Own, Refusal> {
    let worker = worker.filter(|worker| bearer.is_still(worker));
    match worker {
        Some(worker) if tenant.is_active() => Ok(Own {
            held: worker.scopes,
            is_tenant_admin: false,
            is_platform: false,
            cross_tenant: false,
        }),
        Some(_) | None => Err(not_found()),
    }
}

/// What is held by access token: management scopes only as far as it carries them.
fn bounded(held: &ScopeSet, carried: &ScopeSet) -> ScopeSet {
    let management = management_scopes();
    let mut bounded = held.difference(&management);
    bounded.extend(&held.intersection(&management).intersection(carried));
    bounded
}
