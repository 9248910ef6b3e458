//! May the administrator make the worker this?
//!
//! Decided from records alone. Who gives a worker anything holds all that the worker may do then: a token of
//! the worker is a token of his. Who only takes something away need not. What the deployment keeps for itself
//! (a scope of the platform, the right to sign users in) makes the worker the deployment's own: nobody else
//! changes it, and no client or role that carries such a scope is put into a worker's lists by anybody else.
//!
//! Spec: Domain, "Resource servers"; Authorization, "Nobody grants what they do not hold"; Attacks, rows A4
//! and A9. Why: docs/decisions/0030.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::change::Found;
use crate::domain::Domain;
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, EventType, RoleName};
use crate::scope::ScopeSet;
use crate::tenancy::administer::Admission;
use crate::worker::{MAX_CLIENTS, MAX_EVENT_TYPES, MAX_MINTABLE_BY, Worker};

/// What a worker may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerRights {
    /// The audiences that its tokens may have; at most 32.
    pub clients: BTreeSet<ClientId>,
    /// The most that its tokens may hold.
    pub scopes: ScopeSet,
    /// The event types that its tokens may hold; at most 256.
    pub event_types: BTreeSet<EventType>,
    /// Roles whose holders may have tokens made for it; at most 32.
    pub mintable_by: BTreeSet<RoleName>,
    /// Whether it may sign users of its tenant in by custom tokens.
    pub custom_tokens: bool,
}

impl WorkerRights {
    pub(super) fn of(worker: &Worker) -> Self {
        let Worker { clients, scopes, event_types, mintable_by, .. } = worker.clone();
        Self { clients, scopes, event_types, mintable_by, custom_tokens: worker.custom_tokens }
    }

    /// Whether a record may hold as much.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member.
    pub(super) fn check_size(&self) -> Result<(), Refusal> {
        for (member, size, most) in [
            ("clients", self.clients.len(), MAX_CLIENTS),
            ("eventTypes", self.event_types.len(), MAX_EVENT_TYPES),
            ("mintableBy", self.mintable_by.len(), MAX_MINTABLE_BY),
        ] {
            if size > most {
                return Err(Refusal::invalid(member, format!("at most {most}")));
            }
        }
        Ok(())
    }

    /// What the audit says of it.
    pub(super) fn told(&self) -> BTreeMap<String, String> {
        let members = [
            ("clients", words(&self.clients)),
            ("scopes", self.scopes.to_string()),
            ("eventTypes", words(&self.event_types)),
            ("mintableBy", words(&self.mintable_by)),
            ("customTokens", self.custom_tokens.to_string()),
        ];
        let members = members.into_iter().filter(|(_, value)| !value.is_empty());
        members.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

pub(super) fn words<T: Display>(list: &BTreeSet<T>) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// Decides whether `before`, or nothing, may become `after`.
///
/// # Errors
/// `CLIENT_NOT_FOUND`, `ROLE_NOT_FOUND`; `ESCALATION_DENIED`.
pub(super) fn check(
    domain: &Domain,
    found: &Found<'_>,
    (before, after): (Option<&Worker>, &Worker),
) -> Result<(), Error> {
    if let Some(before) = before {
        require_changeable(domain, found.admission, before)?;
    }
    require_custom_tokens(found.admission, after)?;
    let before_rights = before.map(WorkerRights::of).unwrap_or_default();
    let clients: Vec<_> = after.clients.difference(&before_rights.clients).collect();
    let roles: Vec<_> = after.mintable_by.difference(&before_rights.mintable_by).collect();
    let carried = carried_by_clients(found, &clients)?;
    let minted = carried_by_roles(found.admission, &roles)?;
    for carried in [carried, minted] {
        let kept = carried.filtered(|scope| domain.settings.keeps(scope));
        found.admission.require_grant(&kept, &domain.settings)?;
    }
    let is_given = !clients.is_empty()
        || !roles.is_empty()
        || !after.scopes.is_subset(&before_rights.scopes)
        || !after.event_types.is_subset(&before_rights.event_types)
        || before.is_some_and(|before| !before.is_active() && after.is_active());
    if is_given {
        found.admission.require_grant(&after.scopes, &domain.settings)?;
    }
    Ok(())
}

/// What the named clients allow.
fn carried_by_clients(found: &Found<'_>, clients: &[&ClientId]) -> Result<ScopeSet, Refusal> {
    let mut carried = ScopeSet::default();
    for id in clients {
        let Some(client) = found.clients.get(*id) else {
            return Err(Refusal::of(Code::ClientNotFound).detail("clients", id.as_str()));
        };
        carried.extend(&client.allowed_scopes);
    }
    Ok(carried)
}

/// What the named roles permit.
fn carried_by_roles(admission: &Admission, roles: &[&RoleName]) -> Result<ScopeSet, Refusal> {
    for role in roles {
        if admission.roles.find(role).is_none() {
            return Err(Refusal::of(Code::RoleNotFound).detail("mintableBy", role.as_str()));
        }
    }
    Ok(admission.roles.expand(roles.iter().copied()))
}

/// Whether the administrator may change this worker at all.
///
/// # Errors
/// `ESCALATION_DENIED` for a worker of the deployment's own.
pub(super) fn require_changeable(
    domain: &Domain,
    admission: &Admission,
    worker: &Worker,
) -> Result<(), Refusal> {
    let kept = worker.scopes.filtered(|scope| domain.settings.keeps(scope));
    admission.require_grant(&kept, &domain.settings)?;
    require_custom_tokens(admission, worker)
}

/// Whether the administrator may give this worker a credential: by it he acts as the worker.
///
/// # Errors
/// `ESCALATION_DENIED`.
pub(super) fn require_equal(
    domain: &Domain,
    admission: &Admission,
    worker: &Worker,
) -> Result<(), Refusal> {
    require_custom_tokens(admission, worker)?;
    admission.require_grant(&worker.scopes, &domain.settings)
}

fn require_custom_tokens(admission: &Admission, worker: &Worker) -> Result<(), Refusal> {
    if worker.custom_tokens && !admission.is_platform() {
        let reason = "only an administrator of the deployment grants it";
        return Err(Refusal::of(Code::EscalationDenied).detail("customTokens", reason));
    }
    Ok(())
}
