//! How is a plan carried out, or compared with what is here?
//!
//! In this order: tenants with their roles and clients, users, memberships; some at a time. Each thing is looked for
//! first and made only where it is missing, by the operations that make it otherwise.
//!
//! Invariant: nothing that is here is changed, but for a user whose record says that he was taken over to become an
//! administrator, when the migration stopped. A role that was left is given to nobody.
//!
//! Spec: Operations, "migrate legacy" ("dry-run first, resumable, idempotent").

use std::collections::BTreeSet;

use tikti_store::Store;

use super::plan::{Plan, PlannedMembership};
use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use super::target::{self, Stands};
use super::tenants::{PlannedClient, PlannedRole, PlannedTenant};
use super::users::PlannedUser;
use crate::account::change_user::change_user_for;
use crate::account::import_user;
use crate::audit::Action;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{RoleName, TenantId, UserId};
use crate::integrity::Progress;
use crate::role::Role;
use crate::tenancy::{import, import_member};
use crate::together::side_by_side;
use crate::user::{GlobalRole, UserChange};

/// Things under way at once.
const AT_ONCE: usize = 64;

/// The store stopped answering in the middle.
#[derive(Debug, thiserror::Error)]
#[error("the migration stopped after {done} things")]
pub struct Stopped {
    /// How many were looked at.
    pub done: u64,
    /// Why.
    pub source: Error,
}

/// Hears how far the work is.
type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// What a plan meets.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// There is no store yet.
    Nothing,
    /// A store that is only looked at, at this moment.
    Look(&'a Store, Timestamp),
    /// A deployment in which what is missing is made.
    Make(&'a Domain),
}

/// What has become of one thing.
enum Became {
    Taken,
    Present,
    /// It is here, and otherwise; it is the same thing all the same.
    Changed(Trouble),
    Left(Trouble),
}

/// What a look at the target leaves to be done.
enum Next<'a> {
    /// Nothing.
    Settled(Became),
    /// To be made, or finished where it is there.
    Make(&'a Domain, Timestamp),
}

/// Says what carrying out the plan would do to the store, or to one that is not there yet. Writes nothing.
///
/// # Errors
/// [`Stopped`].
pub async fn compare(
    (store, now): (Option<&Store>, Timestamp),
    plan: Plan,
    listener: Listener<'_>,
) -> Result<Report, Stopped> {
    let target = store.map_or(Target::Nothing, |store| Target::Look(store, now));
    run(target, plan, listener).await
}

/// Makes what is missing.
///
/// # Errors
/// [`Stopped`]: what was made by then stays, and the plan may be carried out again.
pub async fn carry_out(
    domain: &Domain,
    plan: Plan,
    listener: Listener<'_>,
) -> Result<Report, Stopped> {
    run(Target::Make(domain), plan, listener).await
}

/// What was left so far: nothing is made of whoever belongs to it.
#[derive(Default)]
struct Left {
    tenants: BTreeSet<TenantId>,
    /// What they are here is not what those meant who gave them.
    roles: BTreeSet<(TenantId, RoleName)>,
    users: BTreeSet<UserId>,
}

struct Run<'a> {
    target: Target<'a>,
    report: Report,
    left: Left,
    done: u64,
    total: u64,
    listener: Listener<'a>,
}

async fn run(target: Target<'_>, plan: Plan, listener: Listener<'_>) -> Result<Report, Stopped> {
    let total = plan.size();
    let Plan { tenants, users, memberships, report } = plan;
    let left = Left::default();
    let mut run = Run { target, report, left, done: 0, total, listener };
    // On the heap: each holds an operation of several steps many times over.
    Box::pin(run.tenants(&tenants)).await?;
    Box::pin(run.users(&users)).await?;
    // The first one of each user becomes his default tenant.
    let (first, others): (Vec<_>, Vec<_>) = memberships.into_iter().partition(|one| one.is_first);
    Box::pin(run.memberships(&first)).await?;
    Box::pin(run.memberships(&others)).await?;
    Ok(run.report.sorted())
}

impl Run<'_> {
    async fn tenants(&mut self, all: &[PlannedTenant]) -> Result<(), Stopped> {
        for some in all.chunks(AT_ONCE) {
            let target = self.target;
            let outcomes = side_by_side(some.iter().map(|one| tenant(target, one))).await;
            for (planned, outcome) in some.iter().zip(outcomes) {
                let parts = self.unless_stopped(outcome)?;
                let roles = planned.roles.iter().map(|role| &role.name);
                // The roles follow the tenant.
                for (role, (_, became)) in roles.zip(parts.iter().skip(1)) {
                    if matches!(became, Became::Left(_) | Became::Changed(_)) {
                        self.left.roles.insert((planned.tenant.id.clone(), role.clone()));
                    }
                }
                for (thing, became) in parts {
                    if thing == Thing::Tenant && matches!(became, Became::Left(_)) {
                        self.left.tenants.insert(planned.tenant.id.clone());
                    }
                    self.count(thing, became);
                }
            }
            self.tell();
        }
        Ok(())
    }

    async fn users(&mut self, all: &[PlannedUser]) -> Result<(), Stopped> {
        for some in all.chunks(AT_ONCE) {
            let target = self.target;
            let outcomes = side_by_side(some.iter().map(|one| user(target, one))).await;
            for (planned, outcome) in some.iter().zip(outcomes) {
                let became = self.unless_stopped(outcome)?;
                // Whoever has the id or the address here may be somebody else.
                if matches!(became, Became::Left(_)) {
                    self.left.users.insert(planned.user.id.clone());
                }
                self.count(Thing::User, became);
            }
            self.tell();
        }
        Ok(())
    }

    async fn memberships(&mut self, all: &[PlannedMembership]) -> Result<(), Stopped> {
        for some in all.chunks(AT_ONCE) {
            let (target, left) = (self.target, &self.left);
            let outcomes = side_by_side(some.iter().map(|one| member(target, one, left))).await;
            for (planned, outcome) in some.iter().zip(outcomes) {
                let (became, is_less) = self.unless_stopped(outcome)?;
                if is_less {
                    self.report.note(Trouble::new(TroubleKind::MemberRole, &planned.origin));
                }
                self.count(Thing::Membership, became);
            }
            self.tell();
        }
        Ok(())
    }

    fn unless_stopped<T>(&self, outcome: Result<T, Error>) -> Result<T, Stopped> {
        outcome.map_err(|source| Stopped { done: self.done, source })
    }

    fn count(&mut self, thing: Thing, became: Became) {
        self.done += 1;
        match became {
            Became::Taken => self.report.counts(thing).taken += 1,
            Became::Present => self.report.counts(thing).present += 1,
            Became::Changed(trouble) | Became::Left(trouble) => self.report.leave(thing, trouble),
        }
    }

    fn tell(&mut self) {
        (self.listener)(Progress { done: self.done, total: Some(self.total) });
    }
}

impl<'a> Target<'a> {
    /// Where the target can be looked at, and when.
    fn store(self) -> Option<(&'a Store, Timestamp)> {
        match self {
            Self::Nothing => None,
            Self::Look(store, now) => Some((store, now)),
            // Each thing in its own moment: an operation has a minute.
            Self::Make(domain) => Some((&domain.store, domain.clock.now())),
        }
    }

    fn next(self, stands: Stands, origin: &Origin) -> Next<'a> {
        Next::Settled(match (stands, self) {
            (Stands::Same, _) => Became::Present,
            (Stands::Changed(why), _) => {
                Became::Changed(Trouble::new(TroubleKind::Differs, origin).detail(why))
            }
            (Stands::Otherwise(why), _) => {
                Became::Left(Trouble::new(TroubleKind::Differs, origin).detail(why))
            }
            (Stands::Missing | Stands::Unfinished, Self::Nothing | Self::Look(..)) => Became::Taken,
            (Stands::Missing | Stands::Unfinished, Self::Make(domain)) => {
                return Next::Make(domain, domain.clock.now());
            }
        })
    }
}

/// How often a thing is tried while others change what it touches, or the operation's minute runs out.
const MOST_TRIES: u32 = 4;

/// Tries again, in a new moment, after `CONFLICT`: each try looks first at what is here.
async fn again_on_conflict<F>(once: impl Fn() -> F) -> Result<Became, Error>
where
    F: Future<Output = Result<Became, Error>>,
{
    for _ in 1..MOST_TRIES {
        let became = once().await?;
        if !is_conflict(&became) {
            return Ok(became);
        }
    }
    once().await
}

fn is_conflict(became: &Became) -> bool {
    matches!(became, Became::Left(trouble) if trouble.kind == TroubleKind::Refused
        && trouble.detail.as_deref() == Some(Code::Conflict.as_str()))
}

/// A thing that could not be made is left; a store that does not answer stops everything.
fn became<T>(made: Result<T, Error>, origin: &Origin) -> Result<Became, Error> {
    match made {
        Ok(_) => Ok(Became::Taken),
        Err(Error::Refused(refusal)) => {
            let trouble = Trouble::new(TroubleKind::Refused, origin).detail(refusal.code.as_str());
            Ok(Became::Left(trouble))
        }
        Err(error) => Err(error),
    }
}

/// Makes a tenant, then its roles and clients.
async fn tenant(
    target: Target<'_>,
    planned: &PlannedTenant,
) -> Result<Vec<(Thing, Became)>, Error> {
    let PlannedTenant { tenant, roles, clients, .. } = planned;
    let own = again_on_conflict(|| bare_tenant(target, planned)).await?;
    let is_left = matches!(own, Became::Left(_));
    let missing = |origin: &Origin| {
        is_left.then(|| Became::Left(Trouble::new(TroubleKind::TenantMissing, origin)))
    };
    let mut all = vec![(Thing::Tenant, own)];
    for one in roles {
        let became = match missing(&one.origin) {
            Some(left) => left,
            None => again_on_conflict(|| role(target, &tenant.id, one)).await?,
        };
        all.push((Thing::Role, became));
    }
    for one in clients {
        let became = match missing(&one.origin) {
            Some(left) => left,
            None => again_on_conflict(|| client(target, &tenant.id, one)).await?,
        };
        all.push((Thing::Client, became));
    }
    Ok(all)
}

async fn bare_tenant(target: Target<'_>, planned: &PlannedTenant) -> Result<Became, Error> {
    let PlannedTenant { tenant, origin, .. } = planned;
    let stands = match target.store() {
        Some((store, now)) => target::tenant(store, planned, now).await?,
        None => Stands::Missing,
    };
    match target.next(stands, origin) {
        Next::Settled(settled) => Ok(settled),
        Next::Make(domain, now) => became(import::import_tenant(domain, tenant, now).await, origin),
    }
}

async fn role(
    target: Target<'_>,
    tenant: &TenantId,
    planned: &PlannedRole,
) -> Result<Became, Error> {
    let stands = match target.store() {
        Some((store, now)) => target::role(store, (tenant, planned), now).await?,
        None => Stands::Missing,
    };
    match target.next(stands, &planned.origin) {
        Next::Settled(settled) => Ok(settled),
        Next::Make(domain, now) => {
            let (permissions, managed) = (planned.permissions.clone(), planned.is_managed);
            let role = Role { permissions, built_in: false, managed };
            let named = (&planned.name, &role);
            became(import::import_role(domain, tenant, named, now).await, &planned.origin)
        }
    }
}

async fn client(
    target: Target<'_>,
    tenant: &TenantId,
    planned: &PlannedClient,
) -> Result<Became, Error> {
    let stands = match target.store() {
        Some((store, now)) => target::client(store, (tenant, planned), now).await?,
        None => Stands::Missing,
    };
    match target.next(stands, &planned.origin) {
        Next::Settled(settled) => Ok(settled),
        Next::Make(domain, now) => {
            let made = import::import_client(domain, tenant, &planned.client, now).await;
            became(made, &planned.origin)
        }
    }
}

async fn user(target: Target<'_>, planned: &PlannedUser) -> Result<Became, Error> {
    again_on_conflict(|| user_once(target, planned)).await
}

async fn user_once(target: Target<'_>, planned: &PlannedUser) -> Result<Became, Error> {
    let stands = match target.store() {
        Some((store, now)) => target::user(store, planned, now).await?,
        None => Stands::Missing,
    };
    match target.next(stands, &planned.origin) {
        Next::Settled(settled) => Ok(settled),
        Next::Make(domain, now) => became(make_user(domain, planned, now).await, &planned.origin),
    }
}

/// Makes a user, then an administrator of him where he is one: where it stops in between, he is
/// `Stands::Unfinished`.
async fn make_user(domain: &Domain, planned: &PlannedUser, now: Timestamp) -> Result<(), Error> {
    let id = &planned.user.id;
    import_user(domain, planned.user.clone(), now).await?;
    if planned.is_admin {
        let change = UserChange { role: Some(GlobalRole::Admin), ..UserChange::default() };
        let mut draft = import::draft(Action::UserUpdate, id.as_str(), None);
        draft.details = change.told();
        Box::pin(change_user_for(domain, id, (&change, &draft), domain.clock.now())).await?;
    }
    Ok(())
}

/// What has become of a membership, and whether without a role that was left.
async fn member(
    target: Target<'_>,
    planned: &PlannedMembership,
    left: &Left,
) -> Result<(Became, bool), Error> {
    let PlannedMembership { membership, origin, .. } = planned;
    if left.tenants.contains(&membership.tenant_id) {
        return Ok((Became::Left(Trouble::new(TroubleKind::TenantMissing, origin)), false));
    }
    if left.users.contains(&membership.user_id) {
        return Ok((Became::Left(Trouble::new(TroubleKind::MemberMissing, origin)), false));
    }
    let mut less = planned.clone();
    let tenant = &membership.tenant_id;
    less.membership.roles.retain(|role| !left.roles.contains(&(tenant.clone(), role.clone())));
    let is_less = less.membership.roles != membership.roles;
    let became = again_on_conflict(|| member_once(target, (planned, &less))).await?;
    Ok((became, is_less))
}

/// A membership is the same with the roles that were left and without them: an earlier run may have found them.
async fn member_once(
    target: Target<'_>,
    (planned, less): (&PlannedMembership, &PlannedMembership),
) -> Result<Became, Error> {
    let mut stands = Stands::Missing;
    if let Some((store, now)) = target.store() {
        stands = target::membership(store, planned, now).await?;
        if matches!(stands, Stands::Changed(_)) {
            stands = target::membership(store, less, now).await?;
        }
    }
    let origin = &planned.origin;
    match target.next(stands, origin) {
        Next::Settled(settled) => Ok(settled),
        Next::Make(domain, now) => {
            let mut membership = less.membership.clone();
            // As old as the token version that it begins with: that of its making here.
            membership.mver = now.as_millis();
            became(import_member(domain, membership, now).await, origin)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn left(code: Code) -> Became {
        let trouble = Trouble::new(TroubleKind::Refused, &Origin::new("tenants", "t"));
        Became::Left(trouble.detail(code.as_str()))
    }

    /// What has become of a thing that is refused so often before it is taken, and after how many tries.
    async fn tried(conflicts: u32, code: Code) -> (Became, u32) {
        let tries = AtomicU32::new(0);
        let once = || {
            let is_last = tries.fetch_add(1, Ordering::Relaxed) >= conflicts;
            std::future::ready(Ok(if is_last { Became::Taken } else { left(code) }))
        };
        let became = again_on_conflict(once).await.unwrap();
        (became, tries.into_inner())
    }

    #[tokio::test]
    async fn a_conflict_is_tried_again_so_often_and_no_other_refusal_is() {
        for conflicts in 0..MOST_TRIES {
            let (became, tries) = tried(conflicts, Code::Conflict).await;
            assert!(matches!(became, Became::Taken));
            assert_eq!(tries, conflicts + 1);
        }
        let (became, tries) = tried(MOST_TRIES, Code::Conflict).await;
        assert!(is_conflict(&became));
        assert_eq!(tries, MOST_TRIES);
        let (became, tries) = tried(1, Code::TenantExists).await;
        assert!(matches!(became, Became::Left(_)) && !is_conflict(&became));
        assert_eq!(tries, 1);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_not_asked_again() {
        let tries = AtomicU32::new(0);
        let once = || {
            tries.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Err(Code::StoreUnavailable.into()))
        };
        assert!(again_on_conflict(once).await.is_err());
        assert_eq!(tries.into_inner(), 1);
    }
}
