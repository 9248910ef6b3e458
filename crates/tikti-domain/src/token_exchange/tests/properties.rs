//! What holds of every decision, whatever the facts: a generated world is changed in many ways at
//! once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::World;
use crate::client::SubjectPolicy;
use crate::id::{EventType, RoleName};
use crate::legacy::Shown;
use crate::scope::{ScopeSet, management_scopes};
use crate::session::SessionDoor;
use crate::tenant::TenantStatus;
use crate::token_exchange::{Exchange, Facts, Subject};
use crate::user::{GlobalRole, UserStatus};

const SCOPES: [&str; 6] =
    ["jobs:read", "jobs:write", "codeq:publish", "codeq:claim", "tenants:read", "other:thing"];
const ROLES: [&str; 5] =
    ["JOBS_OPERATOR", "CODEQ_PRODUCER", "CODEQ_WORKER", "TENANT_ADMIN", "GONE"];
const EVENTS: [&str; 4] = ["render", "encode", "deliver", "*"];
const DOORS: [SessionDoor; 5] = [
    SessionDoor::Plain,
    SessionDoor::TenantKey,
    SessionDoor::Firebase,
    SessionDoor::CustomToken,
    SessionDoor::TenantCode,
];
const SUBJECTS: [&str; 4] =
    ["worker-01", "worker-02", "0193a5c8-1f6e-7000-8000-00000000000b", "root@corp.sys"];

fn scopes() -> impl Strategy<Value = ScopeSet> {
    proptest::sample::subsequence(&SCOPES[..], 0..=SCOPES.len())
        .prop_map(|list| ScopeSet::from_list(list).unwrap())
}

fn roles() -> impl Strategy<Value = BTreeSet<RoleName>> {
    proptest::sample::subsequence(&ROLES[..], 0..=ROLES.len())
        .prop_map(|list| list.into_iter().map(|name| RoleName::parse(name).unwrap()).collect())
}

fn events() -> impl Strategy<Value = BTreeSet<EventType>> {
    proptest::sample::subsequence(&EVENTS[..], 0..=EVENTS.len())
        .prop_map(|list| list.into_iter().map(|name| EventType::parse(name).unwrap()).collect())
}

prop_compose! {
    fn requests()(
        scopes in proptest::option::of(scopes()),
        events in proptest::option::of(events()),
        ttl_seconds in proptest::option::of(-10_i64..5000),
        subject in proptest::option::of(proptest::sample::select(&SUBJECTS[..])),
    ) -> Exchange {
        let mut request = super::world::request("backend-worker");
        request.scopes = scopes;
        request.event_types = events.map(|events| events.into_iter().collect());
        request.ttl_seconds = ttl_seconds;
        request.subject = subject.map(str::to_owned);
        request
    }
}

prop_compose! {
    fn worlds()(
        request in requests(),
        (allowed, default, held) in (scopes(), scopes(), roles()),
        (client_events, worker_events) in (events(), proptest::option::of(events())),
        token_ttl_seconds in 900_u64..=3600,
        policy in proptest::sample::select(
            &[SubjectPolicy::User, SubjectPolicy::Registered, SubjectPolicy::Any][..]
        ),
        (member, admin, user_active, tenant_active) in any::<(bool, bool, bool, bool)>(),
        (elsewhere, for_tikti, revoked, stale, door) in (
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
            proptest::sample::select(&DOORS[..]),
        ),
    ) -> World {
        let mut world = World::in_order();
        world.request = request;
        if elsewhere {
            world.elsewhere();
        }
        if for_tikti {
            world.for_audience("tikti");
        }
        world.session().door = door;
        let membership = world.place_membership();
        membership.revoked_at = revoked.then_some(super::world::AFTER);
        membership.mver += u64::from(stale);
        if let Some(events) = worker_events && world.request.subject.as_deref() == Some("worker-01") {
            world.for_worker().event_types = events;
        }
        let client = world.client();
        client.allowed_scopes = allowed;
        client.default_scopes = default;
        client.event_types = client_events;
        client.token_ttl_seconds = token_ttl_seconds;
        client.subject_policy = policy;
        let facts = &mut world.facts;
        facts.place.membership.as_mut().unwrap().roles = held;
        if !member {
            facts.place.membership = None;
        }
        let user = facts.holder.user.as_mut().unwrap();
        if admin {
            user.role = GlobalRole::Admin;
        }
        if !user_active {
            user.status = UserStatus::Suspended;
        }
        if !tenant_active {
            facts.place.tenant.as_mut().unwrap().status = TenantStatus::Suspended;
        }
        world
    }
}

fn permissions(facts: &Facts, cross_tenant: bool) -> ScopeSet {
    if cross_tenant {
        return management_scopes();
    }
    let held = facts.place.membership.iter().flat_map(|held| &held.roles);
    facts.place.roles.expand(held)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_allowed_exchange_stays_within_everything_that_bounds_it(world in worlds()) {
        let Ok(allowed) = world.decide().outcome else { return Ok(()) };
        let client = world.facts.place.client.as_ref().unwrap();
        let asked = world.request.scopes.clone().filter(|scopes| !scopes.is_empty());
        prop_assert!(!allowed.scopes.is_empty());
        prop_assert!(allowed.scopes.is_subset(asked.as_ref().unwrap_or(&client.default_scopes)));
        prop_assert!(allowed.scopes.is_subset(&permissions(&world.facts, allowed.cross_tenant)));
        prop_assert!(allowed.scopes.is_subset(&client.allowed_scopes));
        prop_assert!((900..=client.token_ttl_seconds).contains(&allowed.ttl_seconds));
        let any = client.event_types.iter().any(|event| event.as_str() == "*");
        prop_assert!(any || allowed.event_types.is_subset(&client.event_types));
    }

    #[test]
    fn no_token_without_an_active_membership_and_the_tenant_never_changes(world in worlds()) {
        let Ok(allowed) = world.decide().outcome else { return Ok(()) };
        let facts = &world.facts;
        let Ok(Shown::Own(token)) = &facts.token else { return Ok(()) };
        let (user, session) =
            (facts.holder.user.as_ref().unwrap(), facts.holder.session.as_ref().unwrap());
        prop_assert!(user.is_active());
        match &facts.place.membership {
            Some(held) => {
                prop_assert!(!held.cuts_off(session.created_at));
                let own = token.tenant_id.as_ref() == Some(&held.tenant_id);
                prop_assert!(!own || token.mver == Some(held.mver));
                prop_assert_eq!(&allowed.tenant_id, &held.tenant_id);
            }
            // The one exception: a global administrator, for Tikti's own administration.
            None => {
                prop_assert!(user.is_admin() && allowed.audience.as_str() == "tikti");
                prop_assert!(allowed.cross_tenant && session.may_administer());
            }
        }
        let asked = if world.request.tenant.is_some() { "t-beta" } else { "t-acme" };
        prop_assert_eq!(allowed.tenant_id.as_str(), asked);
        prop_assert!(facts.place.tenant.as_ref().unwrap().is_active());
        prop_assert!(!session.is_bound() || session.tenant_id.as_ref() == Some(&allowed.tenant_id));
    }

    #[test]
    fn nobody_speaks_for_a_user_but_the_user(world in worlds()) {
        let Ok(allowed) = world.decide().outcome else { return Ok(()) };
        match (&world.request.subject, &allowed.subject) {
            (None, subject) => prop_assert_eq!(subject, &Subject::Caller),
            (Some(name), Subject::Worker { id, .. } | Subject::Unregistered(id)) => {
                prop_assert_eq!(name, id.as_str());
                prop_assert!(!name.contains('@') && !crate::id::is_uuid(name));
            }
            (Some(name), Subject::Caller) => {
                prop_assert_eq!(name.as_str(), allowed.user_id.as_str());
            }
        }
    }

    #[test]
    fn order_and_repeats_of_what_is_asked_mean_nothing(world in worlds(), text in scopes()) {
        let mut world = world;
        let forward: Vec<_> = text.iter().collect();
        let backward: Vec<_> = text.iter().chain(text.iter()).collect();
        world.request.scopes = Some(ScopeSet::from_list(forward).unwrap());
        let first = world.decide();
        let reversed = backward.into_iter().rev();
        world.request.scopes = Some(ScopeSet::from_list(reversed).unwrap());
        prop_assert_eq!(first, world.decide());
    }
}
