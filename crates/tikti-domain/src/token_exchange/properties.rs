//! What holds of every decision, whatever the facts: a generated world is changed in many ways at once.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::World;
use super::{Exchange, Facts, Subject};
use crate::client::SubjectPolicy;
use crate::id::{EventType, RoleName};
use crate::scope::ScopeSet;
use crate::tenant::TenantStatus;
use crate::user::{GlobalRole, UserStatus};

const SCOPES: [&str; 6] =
    ["jobs:read", "jobs:write", "codeq:publish", "codeq:claim", "tenants:read", "other:thing"];
const ROLES: [&str; 5] =
    ["JOBS_OPERATOR", "CODEQ_PRODUCER", "CODEQ_WORKER", "TENANT_ADMIN", "GONE"];
const EVENTS: [&str; 4] = ["render", "encode", "deliver", "*"];
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
    ) -> World {
        let mut world = World::in_order();
        world.request = request;
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

fn permissions(facts: &Facts) -> ScopeSet {
    let held = facts.place.membership.iter().flat_map(|held| &held.roles);
    facts.place.roles.expand(held)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_grant_stays_within_everything_that_bounds_it(world in worlds()) {
        let Ok(grant) = world.decide().outcome else { return Ok(()) };
        let client = world.facts.place.client.as_ref().unwrap();
        let asked = world.request.scopes.clone().filter(|scopes| !scopes.is_empty());
        prop_assert!(!grant.scopes.is_empty());
        prop_assert!(grant.scopes.is_subset(asked.as_ref().unwrap_or(&client.default_scopes)));
        prop_assert!(grant.scopes.is_subset(&permissions(&world.facts)));
        prop_assert!(grant.scopes.is_subset(&client.allowed_scopes));
        prop_assert!((900..=client.token_ttl_seconds).contains(&grant.ttl_seconds));
        let any = client.event_types.iter().any(|event| event.as_str() == "*");
        prop_assert!(any || grant.event_types.is_subset(&client.event_types));
    }

    #[test]
    fn no_token_without_an_active_membership_and_the_tenant_never_changes(world in worlds()) {
        let Ok(grant) = world.decide().outcome else { return Ok(()) };
        let place = &world.facts.place;
        prop_assert!(place.membership.is_some());
        prop_assert!(world.facts.holder.user.as_ref().unwrap().is_active());
        let tenant = place.tenant.as_ref().unwrap();
        prop_assert!(tenant.is_active());
        prop_assert_eq!(&grant.tenant_id, &tenant.id);
        prop_assert_eq!(Some(&grant.tenant_id), world.facts.token.as_ref().unwrap().tenant_id.as_ref());
    }

    #[test]
    fn nobody_speaks_for_a_user_but_the_user(world in worlds()) {
        let Ok(grant) = world.decide().outcome else { return Ok(()) };
        match (&world.request.subject, &grant.subject) {
            (None, subject) => prop_assert_eq!(subject, &Subject::Caller),
            (Some(name), Subject::Worker { id, .. } | Subject::Unregistered(id)) => {
                prop_assert_eq!(name, id.as_str());
                prop_assert!(!name.contains('@') && !crate::id::is_uuid(name));
            }
            (Some(name), Subject::Caller) => {
                prop_assert_eq!(name.as_str(), grant.user_id.as_str());
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
