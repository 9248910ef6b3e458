//! What is to be made of an old layout?
//!
//! Pure: of the same documents, settings and moment it makes the same plan, whatever the target holds.
//!
//! Spec: Real clients, "Older Tikti clients and data".

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Date, Document};
use super::layout::{MEMBERSHIPS, MEMBERSHIPS_BY_USER, OldLayout};
use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use super::tenants::{ByOldId, PlannedTenant, documents, tenants};
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
    /// When it was made, where that is known.
    pub(super) date: Option<Timestamp>,
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
    (tenants, users): (&ByOldId, &[PlannedUser]),
    now: Timestamp,
    report: &mut Report,
) -> Vec<PlannedMembership> {
    let users: BTreeMap<&UserId, &PlannedUser> =
        users.iter().map(|one| (&one.user.id, one)).collect();
    let mut found = BTreeMap::<(UserId, TenantId), PlannedMembership>::new();
    let mut seen = BTreeSet::new();
    for (old, fields) in &layout.memberships {
        let key = format!("{MEMBERSHIPS}{old}");
        // By the very id that it had: another tenant may have been given the same one here.
        let tenant = tenants.get(old);
        for (field, origin, document) in documents((&key, fields), Thing::Membership, report) {
            let user = document.text(&["userId"]);
            let user = user.map(|user| user.unwrap_or(field)).map_err(TroubleKind::from);
            seen.extend(user.iter().map(|user| (old.clone(), user.clone())));
            let read = user.and_then(|user| match document.text(&["tenantId"])? {
                Some(own) if own != *old => Err(TroubleKind::ContradictsKey),
                _ => member((&document, &origin), parties(&user, tenant, &users)?, now, report),
            });
            match read {
                Ok(next) => keep_newer(&mut found, next, report),
                Err(kind) => report.leave(Thing::Membership, Trouble::new(kind, &origin)),
            }
        }
    }
    tell_of_strays(layout, &seen, report);
    first_of_each((tenants, &users), found, report)
}

fn member(
    (document, origin): (&Document, &Origin),
    (tenant, user): (&PlannedTenant, &PlannedUser),
    now: Timestamp,
    report: &mut Report,
) -> Result<PlannedMembership, TroubleKind> {
    let (roles, unknown) = roles(&document.texts("roles")?.unwrap_or_default(), tenant);
    if roles.len() > MAX_ROLES {
        return Err(TroubleKind::TooManyRoles);
    }
    if unknown {
        report.note(Trouble::new(TroubleKind::MemberRole, origin));
    }
    let date = document.created_at(now);
    if date == Date::Wrong {
        report.note(Trouble::new(TroubleKind::Date, origin));
    }
    let (tenant, user) = (tenant.tenant.id.clone(), user.user.id.clone());
    let mut membership = Membership::new(tenant, user, roles, now);
    let date = date.known();
    membership.created_at = date.unwrap_or(now);
    Ok(PlannedMembership { membership, date, is_first: false, origin: origin.clone() })
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

/// Of two memberships of one user in one tenant the one of the later known date counts; where none is later, only
/// the roles that are in both.
fn keep_newer(
    found: &mut BTreeMap<(UserId, TenantId), PlannedMembership>,
    next: PlannedMembership,
    report: &mut Report,
) {
    let Membership { user_id, tenant_id, .. } = &next.membership;
    let place = (user_id.clone(), tenant_id.clone());
    let Some(before) = found.remove(&place) else {
        found.insert(place, next);
        return;
    };
    let is_newer = (next.date, &next.origin) > (before.date, &before.origin);
    let (mut newer, older) = if is_newer { (next, before) } else { (before, next) };
    let is_certain = newer.date > older.date || newer.membership.roles == older.membership.roles;
    report.counts(Thing::Membership).merged += 1;
    report.note(Trouble::new(TroubleKind::MembershipTwice, &older.origin));
    if !is_certain {
        report.note(Trouble::new(TroubleKind::MemberRole, &older.origin));
        newer.membership.roles.retain(|role| older.membership.roles.contains(role));
    }
    found.insert(place, newer);
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
    (tenants, users): (&ByOldId, &BTreeMap<&UserId, &PlannedUser>),
    found: BTreeMap<(UserId, TenantId), PlannedMembership>,
    report: &mut Report,
) -> Vec<PlannedMembership> {
    let mut planned = Vec::from_iter(found.into_values());
    let company = |user: &UserId| {
        let old = users.get(user)?.company.as_deref()?;
        Some(&tenants.get(old)?.tenant.id)
    };
    let rank = |one: &PlannedMembership| {
        let Membership { tenant_id, user_id, created_at, .. } = &one.membership;
        let is_other = company(user_id) != Some(tenant_id);
        (user_id.clone(), is_other, *created_at, tenant_id.clone())
    };
    planned.sort_by_cached_key(rank);
    let mut before: Option<UserId> = None;
    let mut at_home = BTreeSet::new();
    for one in &mut planned {
        let Membership { tenant_id, user_id, .. } = &one.membership;
        one.is_first = before.as_ref() != Some(user_id);
        before = Some(user_id.clone());
        if company(user_id) == Some(tenant_id) {
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
