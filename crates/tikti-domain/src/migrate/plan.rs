//! What is to be made of an old layout?
//!
//! Pure: of the same documents, settings and moment it makes the same plan, whatever the target holds.
//!
//! Spec: Real clients, "Older Tikti clients and data".

use std::collections::{BTreeMap, BTreeSet};

use super::document::Date;
use super::layout::{MEMBERSHIPS, MEMBERSHIPS_BY_USER, OldLayout};
use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use super::tenants::{PlannedTenant, documents, tenants};
use super::users::{PlannedUser, users};
use crate::clock::Timestamp;
use crate::id::{RoleName, TenantId, UserId};
use crate::membership::{MAX_ROLES, Membership};
use crate::role::Roles;
use crate::settings::Settings;

/// What is to be made of an old layout.
pub struct Plan {
    pub(super) tenants: Vec<PlannedTenant>,
    pub(super) users: Vec<PlannedUser>,
    pub(super) memberships: Vec<PlannedMembership>,
    /// What the documents alone have shown.
    pub(super) report: Report,
}

/// A membership to be taken over.
#[derive(Clone)]
pub(super) struct PlannedMembership {
    pub(super) membership: Membership,
    /// Whether it comes first of its user's: it becomes his default tenant.
    pub(super) is_first: bool,
    pub(super) origin: Origin,
}

impl Plan {
    /// How many things there are to be made.
    #[must_use]
    pub fn size(&self) -> u64 {
        let of_tenant = |one: &PlannedTenant| 1 + one.roles.len() + one.clients.len();
        let of_tenants: usize = self.tenants.iter().map(of_tenant).sum();
        (of_tenants + self.users.len() + self.memberships.len()) as u64
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Plan({} things)", self.size())
    }
}

/// Decides what is to be made of an old layout, in a deployment of these settings.
#[must_use]
pub fn plan(layout: &OldLayout, settings: &Settings, now: Timestamp) -> Plan {
    let mut report = Report { oob_codes: layout.oob_codes, ..Report::default() };
    report.troubles.extend(layout.troubles.iter().cloned());
    let tenants = tenants(layout, settings, now, &mut report);
    let users = users(layout, now, &mut report);
    let memberships = memberships(layout, (&tenants, &users), now, &mut report);
    Plan { tenants: tenants.into_values().collect(), users, memberships, report }
}

fn memberships(
    layout: &OldLayout,
    (tenants, users): (&BTreeMap<TenantId, PlannedTenant>, &[PlannedUser]),
    now: Timestamp,
    report: &mut Report,
) -> Vec<PlannedMembership> {
    let users: BTreeMap<&UserId, &PlannedUser> =
        users.iter().map(|one| (&one.user.id, one)).collect();
    let mut found = BTreeMap::<(UserId, TenantId), PlannedMembership>::new();
    let mut seen = BTreeSet::new();
    for (old, fields) in &layout.memberships {
        let key = format!("{MEMBERSHIPS}{old}");
        let tenant = TenantId::of_old(old).and_then(|id| tenants.get(&id));
        for (field, origin, document) in documents((&key, fields), Thing::Membership, report) {
            let user = document.text(&["userId"]).unwrap_or(field);
            seen.insert((old.clone(), user.clone()));
            let read = match document.text(&["tenantId"]) {
                Some(own) if own != *old => Err(TroubleKind::ContradictsKey),
                _ => parties(&user, tenant, &users),
            };
            let (tenant, user) = match read {
                Ok(read) => read,
                Err(kind) => {
                    report.leave(Thing::Membership, Trouble::new(kind, &origin));
                    continue;
                }
            };
            let (roles, unknown) = roles(&document.texts("roles"), tenant);
            if roles.len() > MAX_ROLES {
                report.leave(Thing::Membership, Trouble::new(TroubleKind::TooManyRoles, &origin));
                continue;
            }
            if unknown {
                report.note(Trouble::new(TroubleKind::MemberRole, &origin));
            }
            let date = document.created_at(now);
            if date == Date::Wrong {
                report.note(Trouble::new(TroubleKind::Date, &origin));
            }
            let place = (user.user.id.clone(), tenant.tenant.id.clone());
            let (user, tenant) = place.clone();
            let mut membership = Membership::new(tenant, user, roles, now);
            membership.created_at = date.known().unwrap_or(now);
            let next = PlannedMembership { membership, is_first: false, origin };
            keep_newer(&mut found, place, next, report);
        }
    }
    tell_of_strays(layout, &seen, report);
    first_of_each(&users, found, report)
}

/// The tenant and the user of a membership, where both are taken.
fn parties<'a>(
    user: &str,
    tenant: Option<&'a PlannedTenant>,
    users: &BTreeMap<&UserId, &'a PlannedUser>,
) -> Result<(&'a PlannedTenant, &'a PlannedUser), TroubleKind> {
    let tenant = tenant.ok_or(TroubleKind::TenantMissing)?;
    let user = UserId::parse(user).map_err(|_| TroubleKind::BadId)?;
    let user = users.get(&user).ok_or(TroubleKind::MemberMissing)?;
    Ok((tenant, user))
}

/// The roles that the tenant has, and whether there were others: whoever makes a role of such a name later
/// would give it to whoever names it.
fn roles(names: &[String], tenant: &PlannedTenant) -> (BTreeSet<RoleName>, bool) {
    let built_in = Roles::built_in();
    let is_there = |name: &RoleName| {
        built_in.find(name).is_some() || tenant.roles.iter().any(|role| role.name == *name)
    };
    let parsed = names.iter().filter_map(|name| RoleName::parse(name).ok());
    let roles: BTreeSet<_> = parsed.filter(is_there).collect();
    let has_unknown = BTreeSet::from_iter(names).len() > roles.len();
    (roles, has_unknown)
}

fn keep_newer(
    found: &mut BTreeMap<(UserId, TenantId), PlannedMembership>,
    place: (UserId, TenantId),
    next: PlannedMembership,
    report: &mut Report,
) {
    let rank = |one: &PlannedMembership| (one.membership.created_at, one.origin.clone());
    let older = match found.remove(&place) {
        Some(before) if rank(&before) > rank(&next) => {
            found.insert(place, before);
            next
        }
        Some(before) => {
            found.insert(place, next);
            before
        }
        None => {
            found.insert(place, next);
            return;
        }
    };
    report.counts(Thing::Membership).merged += 1;
    report.note(Trouble::new(TroubleKind::MembershipTwice, &older.origin));
}

/// What the index says of memberships of which there is no document.
fn tell_of_strays(layout: &OldLayout, seen: &BTreeSet<(String, String)>, report: &mut Report) {
    for (user, olds) in &layout.memberships_by_user {
        for old in olds {
            if !seen.contains(&(old.clone(), user.clone())) {
                let origin = Origin::new(format!("{MEMBERSHIPS_BY_USER}{user}"), old.clone());
                report.note(Trouble::new(TroubleKind::IndexWithoutMembership, &origin));
            }
        }
    }
}

/// Chooses the first membership of each user: of his company, else the oldest.
fn first_of_each(
    users: &BTreeMap<&UserId, &PlannedUser>,
    found: BTreeMap<(UserId, TenantId), PlannedMembership>,
    report: &mut Report,
) -> Vec<PlannedMembership> {
    let mut planned = Vec::from_iter(found.into_values());
    let company = |user: &UserId| {
        let old = users.get(user)?.company.as_deref()?;
        TenantId::of_old(old)
    };
    let rank = |one: &PlannedMembership| {
        let Membership { tenant_id, user_id, created_at, .. } = &one.membership;
        let is_other = company(user_id).as_ref() != Some(tenant_id);
        (user_id.clone(), is_other, *created_at, tenant_id.clone())
    };
    planned.sort_by_cached_key(rank);
    let mut before: Option<UserId> = None;
    let mut at_home = BTreeSet::new();
    for one in &mut planned {
        let Membership { tenant_id, user_id, .. } = &one.membership;
        one.is_first = before.as_ref() != Some(user_id);
        before = Some(user_id.clone());
        if company(user_id).as_ref() == Some(tenant_id) {
            at_home.insert(user_id.clone());
        }
    }
    for (id, user) in users {
        if user.company.is_some() && !at_home.contains(*id) {
            report.note(Trouble::new(TroubleKind::CompanyWithoutMembership, &user.origin));
        }
    }
    planned
}
