//! The decision as a table: from one world in which everything is in order, each row changes one
//! thing and says what comes of it. Every step and every code of every step has a row.

use super::world::*;
use crate::client::{ClientStatus, ClientType, SubjectPolicy};
use crate::error::Code;
use crate::id::{ClientId, RoleName};
use crate::record::{Cause, Lasting, Tombstone};
use crate::scope::ScopeSet;
use crate::session::SessionDoor;
use crate::tenant::TenantStatus;
use crate::testing::worker_id;
use crate::token_exchange::facts::{Named, Place};
use crate::token_exchange::{IssuedClass, Step, Subject};
use crate::user::{GlobalRole, UserStatus};
use crate::worker::WorkerStatus;

const OTHER_USER: &str = "0193a5c8-1f6e-7000-8000-00000000000b";

type Change = fn(&mut World);

const ALLOWED: &[(&str, Change)] = &[
    ("everything in order", |_| ()),
    ("2: an application of the tenant", |w| {
        w.token().client_id = Some(ClientId::parse("web").unwrap());
        let mut client = template_client("backend-worker");
        client.kind = ClientType::Application;
        w.facts.holder.client = Some(client);
    }),
    ("4: another tenant by the body", World::elsewhere),
    ("4: the same tenant by header and body", |w| {
        w.elsewhere();
        w.request.tenant_header = tenant_ref("t-beta");
        w.facts.header_tenant = Named::Tenant(tenant_id("t-beta"));
    }),
    ("4: a bound session in its own tenant", |w| w.session().door = SessionDoor::TenantKey),
    ("4: a token without tenant, and one named", |w| {
        w.elsewhere();
        w.token().tenant_id = None;
        w.token().mver = None;
    }),
    ("6: revoked before the session began", |w| w.place_membership().revoked_at = Some(BEFORE)),
    ("6: an administrator administers where he is no member", |w| {
        w.user().role = GlobalRole::Admin;
        w.facts.place.membership = None;
        w.for_audience("tikti");
    }),
    ("7: an idToken that administers, for Tikti", |w| w.for_audience("tikti")),
    ("8: fewer scopes", |w| w.request.scopes = scopes("jobs:read")),
    ("8: none asked is the same as defaults", |w| w.request.scopes = scopes("")),
    ("9: an event type under a client that takes any", |w| {
        w.for_audience("codeq-worker");
        w.request.event_types = Some(events(&["render"]));
    }),
    ("9: any, where the client takes any", |w| {
        w.for_audience("codeq-worker");
        w.request.event_types = Some(events(&["*"]));
    }),
    ("9: the client's concrete types by default", |w| {
        w.for_audience("codeq-worker");
        w.client().event_types = events(&["render", "encode"]).into_iter().collect();
    }),
    ("10: the caller by his own id", |w| {
        w.client().subject_policy = SubjectPolicy::User;
        w.request.subject = Some(w.user().id.as_str().to_owned());
        w.facts.place.subject_is_user = true;
    }),
    ("10: a name that nobody bears", |w| w.request.subject = Some("worker-01".to_owned())),
    ("10: a registered worker, by workers:impersonate", |w| {
        w.for_worker();
    }),
    ("10: a registered worker, by a role that may mint for it", |w| {
        let role = RoleName::parse("JOBS_OPERATOR").unwrap();
        w.place_membership().roles = [role.clone()].into();
        w.for_worker().mintable_by = [role].into();
    }),
    ("10: a registered worker where no other name is taken", |w| {
        w.client().subject_policy = SubjectPolicy::Registered;
        w.for_worker();
    }),
    ("10: the caller by an id that a worker bears too", |w| {
        w.for_audience("codeq-worker");
        w.for_worker();
        w.request.event_types = Some(events(&["encode"]));
        w.request.subject = Some(w.user().id.as_str().to_owned());
    }),
    ("10: a registered worker's own event types by default", |w| {
        w.for_audience("codeq-worker");
        w.for_worker().scopes = ScopeSet::parse("codeq:claim").unwrap();
    }),
    ("11: the client's own bound", |w| w.request.ttl_seconds = Some(900)),
    ("11: up to a wider bound", |w| {
        w.client().token_ttl_seconds = 3600;
        w.request.ttl_seconds = Some(3600);
    }),
];

const REFUSED: &[(&str, Step, Code, Change)] = &[
    ("no key", Step::ApiKey, Code::InvalidApiKey, |w| w.facts.api_key = Err(Code::InvalidApiKey)),
    ("a key that may not exchange", Step::ApiKey, Code::ApiKeyForbidden, |w| {
        w.facts.api_key = Err(Code::ApiKeyForbidden);
    }),
    ("a key of another tenant", Step::ApiKey, Code::ApiKeyForbidden, |w| {
        w.facts.api_key.as_mut().unwrap().tenant_id = Some(tenant_id("t-beta"));
    }),
    ("a tenant's key with a token of another tenant", Step::ApiKey, Code::ApiKeyForbidden, |w| {
        w.elsewhere();
        w.facts.api_key.as_mut().unwrap().tenant_id = Some(tenant_id("t-beta"));
    }),
    ("a forged token", Step::IdToken, Code::InvalidIdToken, |w| {
        w.facts.token = Err(Code::InvalidIdToken);
    }),
    ("an expired token", Step::IdToken, Code::TokenExpired, |w| {
        w.facts.token = Err(Code::TokenExpired);
    }),
    ("a token of an unknown application", Step::IdToken, Code::InvalidIdToken, |w| {
        w.token().client_id = Some(ClientId::parse("web").unwrap());
    }),
    ("a token for a resource server", Step::IdToken, Code::InvalidIdToken, |w| {
        w.token().client_id = Some(ClientId::parse("backend-worker").unwrap());
        w.facts.holder.client = Some(template_client("backend-worker"));
    }),
    ("a token of a disabled application", Step::IdToken, Code::InvalidIdToken, |w| {
        w.token().client_id = Some(ClientId::parse("web").unwrap());
        let mut client = template_client("backend-worker");
        client.kind = ClientType::Application;
        client.status = ClientStatus::Disabled;
        w.facts.holder.client = Some(client);
    }),
    ("a token from before its application", Step::IdToken, Code::InvalidIdToken, |w| {
        w.token().client_id = Some(ClientId::parse("web").unwrap());
        let mut client = template_client("backend-worker");
        client.kind = ClientType::Application;
        client.created_at = AFTER;
        w.facts.holder.client = Some(client);
    }),
    ("the session ended", Step::Session, Code::TokenRevoked, |w| w.facts.holder.session = None),
    ("the user is gone", Step::Session, Code::TokenRevoked, |w| w.facts.holder.user = None),
    ("the user's version moved on", Step::Session, Code::TokenRevoked, |w| w.user().ver += 1),
    ("the token alone was denied", Step::Session, Code::TokenRevoked, |w| {
        w.facts.holder.denied = true;
    }),
    ("the store was restored since", Step::Session, Code::TokenRevoked, |w| {
        w.facts.not_before = Some(AFTER);
    }),
    ("an inactive user", Step::Session, Code::UserDisabled, |w| {
        w.user().status = UserStatus::Inactive;
    }),
    ("a suspended user", Step::Session, Code::UserDisabled, |w| {
        w.user().status = UserStatus::Suspended;
    }),
    ("no tenant anywhere", Step::TenantContext, Code::TenantRequired, |w| {
        w.token().tenant_id = None;
    }),
    ("header and body disagree", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.facts.header_tenant = Named::Tenant(tenant_id("t-acme"));
    }),
    ("header and body, one of them nobody's", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.facts.header_tenant = Named::Nobody;
    }),
    ("a tenant key's session elsewhere", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.session().door = SessionDoor::TenantKey;
    }),
    ("a custom token's session elsewhere", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.session().door = SessionDoor::CustomToken;
    }),
    ("a tenant's code's session elsewhere", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.session().door = SessionDoor::TenantCode;
    }),
    (
        "a Firebase session with a tenant elsewhere",
        Step::TenantContext,
        Code::TenantConflict,
        |w| {
            w.elsewhere();
            w.session().door = SessionDoor::Firebase;
        },
    ),
    ("an application's session elsewhere", Step::TenantContext, Code::TenantConflict, |w| {
        w.elsewhere();
        w.session().client_id = Some(ClientId::parse("web").unwrap());
    }),
    ("a bound session and a name of nobody", Step::TenantContext, Code::TenantConflict, |w| {
        w.facts.body_tenant = Named::Nobody;
        w.session().door = SessionDoor::TenantKey;
    }),
    ("no such tenant, to an administrator", Step::Tenant, Code::TenantNotFound, |w| {
        w.user().role = GlobalRole::Admin;
        w.facts.body_tenant = Named::Nobody;
        w.facts.place = Place::default();
    }),
    ("no such tenant, to anybody else", Step::Tenant, Code::MembershipRequired, |w| {
        w.facts.body_tenant = Named::Nobody;
        w.facts.place = Place::default();
    }),
    ("a suspended tenant, to a member", Step::Tenant, Code::TenantDisabled, |w| {
        w.facts.place.tenant.as_mut().unwrap().status = TenantStatus::Suspended;
    }),
    ("a suspended tenant, to a stranger", Step::Tenant, Code::MembershipRequired, |w| {
        w.facts.place.tenant.as_mut().unwrap().status = TenantStatus::Suspended;
        w.facts.place.membership = None;
    }),
    ("a tenant that is being deleted, to a member", Step::Tenant, Code::TenantDisabled, |w| {
        w.facts.place.tenant.as_mut().unwrap().status = TenantStatus::Deleting;
    }),
    ("no member", Step::Membership, Code::MembershipRequired, |w| w.facts.place.membership = None),
    ("an administrator, but no member", Step::Membership, Code::MembershipRequired, |w| {
        w.user().role = GlobalRole::Admin;
        w.facts.place.membership = None;
    }),
    ("revoked since the session began", Step::Membership, Code::MembershipRequired, |w| {
        w.place_membership().revoked_at = Some(AFTER);
    }),
    ("revoked at the moment the session began", Step::Membership, Code::MembershipRequired, |w| {
        w.place_membership().revoked_at = Some(SIGN_IN);
    }),
    ("the membership's version moved on", Step::Membership, Code::MembershipRequired, |w| {
        w.place_membership().mver += 1;
    }),
    ("elsewhere, with a context that ended", Step::Session, Code::TokenRevoked, |w| {
        w.elsewhere();
        w.facts.holder.membership = None;
    }),
    ("elsewhere, from a tenant that is suspended", Step::Session, Code::TokenRevoked, |w| {
        w.elsewhere();
        w.facts.holder.tenant.as_mut().unwrap().status = TenantStatus::Suspended;
    }),
    ("an audience that nobody registered", Step::Audience, Code::UnknownAudience, |w| {
        w.facts.place.client = None;
    }),
    ("a disabled audience", Step::Audience, Code::ClientDisabled, |w| {
        w.client().status = ClientStatus::Disabled;
    }),
    ("an audience without this grant", Step::Audience, Code::GrantNotAllowed, |w| {
        w.client().allowed_grant_types.clear();
    }),
    ("an application as audience", Step::Audience, Code::GrantNotAllowed, |w| {
        w.client().kind = ClientType::Application;
    }),
    ("Tikti, by an application's token", Step::Audience, Code::GrantNotAllowed, |w| {
        w.for_audience("tikti");
        w.token().client_id = Some(ClientId::parse("web").unwrap());
        let mut client = template_client("backend-worker");
        client.kind = ClientType::Application;
        w.facts.holder.client = Some(client);
    }),
    ("Tikti, by a tenant key's session", Step::Audience, Code::GrantNotAllowed, |w| {
        w.for_audience("tikti");
        w.session().door = SessionDoor::TenantKey;
    }),
    ("Tikti, by a Firebase session", Step::Audience, Code::GrantNotAllowed, |w| {
        w.for_audience("tikti");
        w.session().door = SessionDoor::Firebase;
    }),
    ("Tikti, by a custom token's session", Step::Audience, Code::GrantNotAllowed, |w| {
        w.for_audience("tikti");
        w.session().door = SessionDoor::CustomToken;
    }),
    ("Tikti, by a session from a tenant's code", Step::Audience, Code::GrantNotAllowed, |w| {
        w.for_audience("tikti");
        w.session().door = SessionDoor::TenantCode;
    }),
    ("a scope that no role holds", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.request.scopes = scopes("jobs:read jobs:admin");
    }),
    ("a scope beyond the client", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.request.scopes = scopes("codeq:publish");
    }),
    ("a scope in other letters", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.request.scopes = scopes("Jobs:read");
    }),
    ("nothing left of the defaults", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.place_membership().roles.clear();
    }),
    ("roles that no longer exist", Step::Scopes, Code::ScopeNotPermitted, |w| {
        w.place_membership().roles = [RoleName::parse("GONE").unwrap()].into();
    }),
    ("event types for a client without", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.request.event_types = Some(events(&["render"]));
    }),
    ("no event types where any is allowed", Step::EventTypes, Code::EventTypesRequired, |w| {
        w.for_audience("codeq-worker");
    }),
    ("an event type beyond the client", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.for_audience("codeq-worker");
        w.client().event_types = events(&["encode"]).into_iter().collect();
        w.request.event_types = Some(events(&["render"]));
    }),
    ("any, where the client names some", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.for_audience("codeq-worker");
        w.client().event_types = events(&["encode"]).into_iter().collect();
        w.request.event_types = Some(events(&["*"]));
    }),
    ("an event type beyond the worker", Step::EventTypes, Code::EventTypeNotPermitted, |w| {
        w.for_audience("codeq-worker");
        w.for_worker();
        w.request.event_types = Some(events(&["encode"]));
    }),
    ("a subject where only users are taken", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.client().subject_policy = SubjectPolicy::User;
        w.request.subject = Some("worker-01".to_owned());
    }),
    ("an unregistered subject", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.client().subject_policy = SubjectPolicy::Registered;
        w.request.subject = Some("worker-01".to_owned());
    }),
    ("the id of another user", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some(OTHER_USER.to_owned());
        w.facts.place.subject_is_user = true;
    }),
    ("an imported user's id", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some("legacy-user".to_owned());
        w.facts.place.subject_is_user = true;
    }),
    ("a UUID that is nobody's", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some(OTHER_USER.to_owned());
    }),
    ("an e-mail address", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some("root@corp.sys".to_owned());
    }),
    ("an empty subject", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some(String::new());
    }),
    ("a deleted worker's name", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.request.subject = Some("worker-01".to_owned());
        let tombstone = Tombstone { since: BEFORE, cause: Cause::Deleted };
        w.facts.place.worker = Some(Lasting::Tombstone(tombstone));
    }),
    ("a disabled worker", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.for_worker().status = WorkerStatus::Disabled;
    }),
    ("a worker of other audiences", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.for_worker().clients.clear();
    }),
    ("a worker, without the right to act for it", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.place_membership().roles = [RoleName::parse("JOBS_OPERATOR").unwrap()].into();
        w.for_worker();
    }),
    ("a worker, by a role that no longer exists", Step::Subject, Code::SubjectNotPermitted, |w| {
        let role = RoleName::parse("GONE").unwrap();
        w.place_membership().roles =
            [role.clone(), RoleName::parse("JOBS_OPERATOR").unwrap()].into();
        w.for_worker().mintable_by = [role].into();
    }),
    ("a scope beyond the worker", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.for_worker();
        w.request.scopes = scopes("jobs:read jobs:write");
    }),
    ("a worker that holds none of the defaults", Step::Subject, Code::SubjectNotPermitted, |w| {
        w.for_worker().scopes = ScopeSet::default();
    }),
    ("too short", Step::Lifetime, Code::InvalidTtl, |w| w.request.ttl_seconds = Some(899)),
    ("too long", Step::Lifetime, Code::InvalidTtl, |w| w.request.ttl_seconds = Some(3601)),
    ("beyond the client", Step::Lifetime, Code::InvalidTtl, |w| w.request.ttl_seconds = Some(901)),
    ("zero", Step::Lifetime, Code::InvalidTtl, |w| w.request.ttl_seconds = Some(0)),
    ("negative", Step::Lifetime, Code::InvalidTtl, |w| w.request.ttl_seconds = Some(-900)),
    ("the largest number", Step::Lifetime, Code::InvalidTtl, |w| {
        w.request.ttl_seconds = Some(i64::MAX);
    }),
];

#[test]
fn allows_what_is_in_order() {
    for (name, change) in ALLOWED {
        let mut world = World::in_order();
        change(&mut world);
        let decision = world.decide();
        assert!(decision.outcome.is_ok(), "{name}\n{}", decision.trace);
    }
}

#[test]
fn refuses_at_the_first_failing_step() {
    for (name, step, code, change) in REFUSED {
        let mut world = World::in_order();
        change(&mut world);
        let decision = world.decide();
        let shown = decision.outcome.as_ref().err().map(|refusal| refusal.code);
        let found = (decision.failed_step(), shown);
        assert_eq!(found, (Some(*step), Some(*code)), "{name}\n{}", decision.trace);
        assert_eq!(decision.trace.entries().last().map(|entry| entry.step), Some(*step), "{name}");
    }
}

#[test]
fn every_code_of_every_step_has_a_row() {
    use Code::*;
    let codes: [(Step, &[Code]); 11] = [
        (Step::ApiKey, &[InvalidApiKey, ApiKeyForbidden]),
        (Step::IdToken, &[InvalidIdToken, TokenExpired]),
        (Step::Session, &[TokenRevoked, UserDisabled]),
        (Step::TenantContext, &[TenantRequired, TenantConflict]),
        (Step::Tenant, &[TenantNotFound, TenantDisabled, MembershipRequired]),
        (Step::Membership, &[MembershipRequired]),
        (Step::Audience, &[UnknownAudience, ClientDisabled, GrantNotAllowed]),
        (Step::Scopes, &[ScopeNotPermitted]),
        (Step::EventTypes, &[EventTypesRequired, EventTypeNotPermitted]),
        (Step::Subject, &[SubjectNotPermitted]),
        (Step::Lifetime, &[InvalidTtl]),
    ];
    for (step, code) in codes.iter().flat_map(|(step, codes)| codes.iter().map(|c| (*step, *c))) {
        let found = REFUSED.iter().any(|(_, at, with, _)| *at == step && *with == code);
        assert!(found, "{} {code}", step.name());
    }
    for (name, step, code, _) in REFUSED {
        let listed = codes.iter().any(|(at, codes)| at == step && codes.contains(code));
        assert!(listed, "{name} is refused with a code that the step does not have");
    }
}

#[test]
fn a_stranger_whose_own_context_ended_cannot_tell_either() {
    let outcomes = [
        |w: &mut World| {
            w.facts.body_tenant = Named::Nobody;
            w.facts.place = Place::default();
        },
        |w: &mut World| {
            w.elsewhere();
            w.facts.place.membership = None;
        },
    ]
    .map(|change| {
        let mut world = World::in_order();
        world.facts.holder.membership = None;
        change(&mut world);
        world.decide().outcome
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0].as_ref().unwrap_err().code, Code::TokenRevoked);
}

#[test]
fn a_stranger_cannot_tell_a_missing_tenant_from_a_closed_one_or_a_foreign_one() {
    let outcomes = [
        |w: &mut World| {
            w.facts.body_tenant = Named::Nobody;
            w.facts.place = Place::default();
        },
        |w: &mut World| {
            w.elsewhere();
            w.facts.place.membership = None;
        },
        |w: &mut World| {
            w.elsewhere();
            w.facts.place.membership = None;
            w.facts.place.tenant.as_mut().unwrap().status = TenantStatus::Deleting;
        },
    ]
    .map(|change| {
        let mut world = World::in_order();
        change(&mut world);
        world.decide().outcome
    });
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[1], outcomes[2]);
}

#[test]
fn a_worker_token_is_bounded_by_the_worker_and_names_who_acts() {
    let mut world = World::in_order();
    world.for_worker();
    let allowed = world.decide().outcome.unwrap();
    assert_eq!(allowed.scopes.to_string(), "jobs:read");
    assert_eq!(allowed.class, IssuedClass::Access);
    assert_eq!(allowed.subject, Subject::Worker { id: worker_id("worker-01"), wver: 5 });
}

#[test]
fn the_trace_tells_an_allowed_exchange() {
    let mut world = World::in_order();
    world.request.scopes = scopes("jobs:read jobs:write");
    world.request.subject = Some("worker-01".to_owned());
    insta::assert_snapshot!(world.decide().trace.to_string());
}

#[test]
fn the_trace_tells_a_refused_exchange() {
    let mut world = World::in_order();
    world.request.scopes = scopes("jobs:read jobs:admin");
    insta::assert_snapshot!(world.decide().trace.to_string());
}
