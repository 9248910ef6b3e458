//! Workers: who may make and change them, what they prove themselves by, and who may have tokens made for
//! them.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tikti_domain::Caller;
use tikti_domain::error::{Code, Error};
use tikti_domain::etag::Precondition;
use tikti_domain::id::{ClientId, EventType, RoleName, TenantRef, WorkerId};
use tikti_domain::page::PageRequest;
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::{
    CreateWorker, PutRole, UpdateWorker, WorkerRights, add_worker_secret, create_role,
    create_worker, delete_worker, get_worker, list_workers, parse_worker_keys,
    remove_worker_secret, set_worker_keys, update_worker,
};
use tikti_domain::testing::{Fixture, all, bearing, worker_id};
use tikti_domain::user::GlobalRole;
use tikti_domain::worker::{SecretNumber, WorkerStatus};

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn clients(names: &[&str]) -> BTreeSet<ClientId> {
    names.iter().map(|name| ClientId::parse(name).unwrap()).collect()
}

fn roles(names: &[&str]) -> BTreeSet<RoleName> {
    names.iter().map(|name| RoleName::parse(name).unwrap()).collect()
}

/// A worker for `backend-worker` with these scopes.
fn new(id: &str, scopes: &str) -> CreateWorker {
    let rights = WorkerRights {
        clients: clients(&["backend-worker"]),
        scopes: ScopeSet::parse(scopes).unwrap(),
        ..WorkerRights::default()
    };
    CreateWorker { id: worker_id(id), rights, keys: vec![] }
}

async fn place() -> (Fixture, Caller) {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    (fixture, root)
}

/// A member of the tenant `acme` with these roles, as a caller.
async fn member(fixture: &Fixture, email: &str, roles: &[&str]) -> Caller {
    let user = fixture.user(email, GlobalRole::CompanyEmployee).await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let found = tikti_domain::tenancy::get_tenant(&fixture.domain, &root, &acme()).await.unwrap();
    fixture.member(&found.id, &user, roles).await;
    bearing(&fixture.sign_in(email).await.id_token)
}

/// Makes the role of somebody who administers workers and holds `jobs:read`.
async fn clerk(fixture: &Fixture, root: &Caller) -> Caller {
    let role = PutRole {
        name: RoleName::parse("CLERK").unwrap(),
        permissions: ScopeSet::parse("workers:read workers:write jobs:read").unwrap(),
        precondition: Precondition::None,
    };
    create_role(&fixture.domain, root, &acme(), &role).await.unwrap();
    member(fixture, "bob@corp.sys", &["CLERK"]).await
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.unwrap_err().code()
}

pub(crate) fn ed25519(kid: &str) -> Map<String, Value> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    jwk.as_object().unwrap().clone()
}

#[tokio::test]
async fn a4_nobody_makes_a_worker_more_than_he_is() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let bob = clerk(&fixture, &root).await;
    create_worker(domain, &bob, (&acme(), &new("reader", "jobs:read"))).await.unwrap();
    for beyond in ["jobs:write", "jobs:read jobs:write", "users:write", "workers:impersonate"] {
        let made = create_worker(domain, &bob, (&acme(), &new("more", beyond))).await;
        assert_eq!(code(made), Code::EscalationDenied, "{beyond}");
        let scopes = Some(ScopeSet::parse(beyond).unwrap());
        let ask = UpdateWorker { scopes, ..UpdateWorker::default() };
        let changed = update_worker(domain, &bob, (&acme(), &worker_id("reader"), &ask)).await;
        assert_eq!(code(changed), Code::EscalationDenied, "{beyond}");
    }
}

/// By its secret he would be the worker: so he gives none to one that may do more than he.
#[tokio::test]
async fn a4_nobody_gets_a_credential_of_a_worker_that_may_do_more_than_he() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let bob = clerk(&fixture, &root).await;
    create_worker(domain, &root, (&acme(), &new("writer", "jobs:write"))).await.unwrap();
    let (acme, id) = (acme(), worker_id("writer"));
    let writer = (&acme, &id);
    let added = add_worker_secret(domain, &bob, writer, None).await;
    assert_eq!(code(added), Code::EscalationDenied);
    let keys = parse_worker_keys("keys", &[ed25519("bobs")]).unwrap();
    let set = set_worker_keys(domain, &bob, writer, &keys).await;
    assert_eq!(code(set), Code::EscalationDenied);
    let given = [
        UpdateWorker { clients: Some(clients(&["codeq-worker"])), ..UpdateWorker::default() },
        UpdateWorker { mintable_by: Some(roles(&["CLERK"])), ..UpdateWorker::default() },
        UpdateWorker {
            event_types: Some([EventType::parse("x").unwrap()].into()),
            ..UpdateWorker::default()
        },
    ];
    for ask in given {
        let changed = update_worker(domain, &bob, (&acme, &id, &ask)).await;
        assert_eq!(code(changed), Code::EscalationDenied, "{ask:?}");
    }
    // What ends a danger everybody may do who administers workers.
    let status = |status| UpdateWorker { status: Some(status), ..UpdateWorker::default() };
    let disabled = status(WorkerStatus::Disabled);
    update_worker(domain, &bob, (&acme, &id, &disabled)).await.unwrap();
    let active = status(WorkerStatus::Active);
    let enabled = update_worker(domain, &bob, (&acme, &id, &active)).await;
    assert_eq!(code(enabled), Code::EscalationDenied);
    remove_worker_secret(domain, &bob, (&acme, &id, SecretNumber::parse("1"))).await.unwrap();
    delete_worker(domain, &bob, writer).await.unwrap();
}

#[tokio::test]
async fn a9_a_worker_with_what_the_platform_keeps_is_the_platforms_alone() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let ann = member(&fixture, "ann@corp.sys", &["TENANT_ADMIN", "CODEQ_ADMIN"]).await;
    let acme = acme();
    // Of scopes that nobody keeps he gives any.
    create_worker(domain, &ann, (&acme, &new("own", "anything:at-all"))).await.unwrap();
    let kept = new("kept", "codeq:admin jobs:read");
    let mut by_client = new("by-client", "jobs:read");
    by_client.rights.clients = clients(&["codeq-producer"]);
    let mut by_role = new("by-role", "jobs:read");
    by_role.rights.mintable_by = roles(&["CODEQ_ADMIN"]);
    for ask in [&kept, &by_client, &by_role] {
        let made = create_worker(domain, &ann, (&acme, ask)).await;
        assert_eq!(code(made), Code::EscalationDenied, "{ask:?}");
        let WorkerRights { clients, scopes, mintable_by, .. } = ask.rights.clone();
        let (clients, scopes, mintable_by) = (Some(clients), Some(scopes), Some(mintable_by));
        let ask = UpdateWorker { clients, scopes, mintable_by, ..UpdateWorker::default() };
        let changed = update_worker(domain, &ann, (&acme, &worker_id("own"), &ask)).await;
        assert_eq!(code(changed), Code::EscalationDenied, "{ask:?}");
    }
    create_worker(domain, &root, (&acme, &kept)).await.unwrap();
    nobody_else_changes(&fixture, (&ann, &root), &kept.id).await;
}

/// Whatever `ann` asks of this worker is refused, and nothing of it is refused to `root`.
async fn nobody_else_changes(fixture: &Fixture, (ann, root): (&Caller, &Caller), id: &WorkerId) {
    let (domain, acme) = (&fixture.domain, acme());
    let scopes = Some(ScopeSet::parse("jobs:read").unwrap());
    let status = Some(WorkerStatus::Disabled);
    let narrowed = UpdateWorker { scopes, ..UpdateWorker::default() };
    let disabled = UpdateWorker { status, ..UpdateWorker::default() };
    let first = SecretNumber::parse("1");
    let keys = parse_worker_keys("keys", &[ed25519("k")]).unwrap();
    for (caller, is_root) in [(ann, false), (root, true)] {
        let place = (&acme, id);
        let outcomes = [
            add_worker_secret(domain, caller, place, None).await.map(drop),
            remove_worker_secret(domain, caller, (&acme, id, first)).await,
            set_worker_keys(domain, caller, place, &keys).await.map(drop),
            set_worker_keys(domain, caller, place, &[]).await.map(drop),
            update_worker(domain, caller, (&acme, id, &disabled)).await.map(drop),
            // It is the platform's until this.
            if is_root {
                update_worker(domain, caller, (&acme, id, &narrowed)).await.map(drop)
            } else {
                Err(Error::from(Code::EscalationDenied))
            },
            delete_worker(domain, caller, place).await,
        ];
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(()) => assert!(is_root, "{number}"),
                Err(error) => {
                    assert!(!is_root, "{number} {error:?}");
                    assert_eq!(error.code(), Code::EscalationDenied, "{number}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a9_only_the_deployment_lets_a_worker_sign_users_in() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let ann = member(&fixture, "ann@corp.sys", &["TENANT_ADMIN"]).await;
    let acme = acme();
    let mut ask = new("door", "jobs:read");
    ask.rights.custom_tokens = true;
    let made = create_worker(domain, &ann, (&acme, &ask)).await;
    assert_eq!(code(made), Code::EscalationDenied);
    create_worker(domain, &ann, (&acme, &new("own", "jobs:read"))).await.unwrap();
    let given = UpdateWorker { custom_tokens: Some(true), ..UpdateWorker::default() };
    let changed = update_worker(domain, &ann, (&acme, &worker_id("own"), &given)).await;
    assert_eq!(code(changed), Code::EscalationDenied);
    create_worker(domain, &root, (&acme, &ask)).await.unwrap();
    nobody_else_changes(&fixture, (&ann, &root), &ask.id).await;
}

#[tokio::test]
async fn a_worker_names_clients_and_roles_that_there_are() {
    let (fixture, root) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    let mut ask = new("worker-01", "jobs:read");
    ask.rights.clients = clients(&["backend-worker", "nowhere"]);
    let Err(Error::Refused(refusal)) = create_worker(domain, &root, (&acme, &ask)).await else {
        panic!("it was made")
    };
    assert_eq!(refusal.code, Code::ClientNotFound);
    assert_eq!(refusal.details["clients"], "nowhere");
    ask.rights.clients = clients(&["backend-worker"]);
    ask.rights.mintable_by = roles(&["JOBS_OPERATOR", "NOBODY"]);
    let Err(Error::Refused(refusal)) = create_worker(domain, &root, (&acme, &ask)).await else {
        panic!("it was made")
    };
    assert_eq!(refusal.code, Code::RoleNotFound);
    assert_eq!(refusal.details["mintableBy"], "NOBODY");
    ask.rights.mintable_by = roles(&["JOBS_OPERATOR"]);
    create_worker(domain, &root, (&acme, &ask)).await.unwrap();
    assert_eq!(code(create_worker(domain, &root, (&acme, &ask)).await), Code::WorkerExists);
}

#[tokio::test]
async fn a_worker_never_has_the_id_of_a_user() {
    let (fixture, root) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    for bad in ["0193a5c8-1f6e-7000-8000-000000000000", "bot@corp.sys", "", "a b"] {
        assert!(WorkerId::parse(bad).is_err(), "{bad}");
    }
    // An id that a user has brought from elsewhere.
    let mut user = fixture.user("ann@corp.sys", GlobalRole::CompanyEmployee).await;
    user.id = tikti_domain::id::UserId::parse("ann-1").unwrap();
    fixture.put_user(&user).await;
    let made = create_worker(domain, &root, (&acme, &new("ann-1", "jobs:read"))).await;
    assert_eq!(code(made), Code::InvalidArgument);
    create_worker(domain, &root, (&acme, &new("ann-2", "jobs:read"))).await.unwrap();
}

/// However many ask at the same moment.
#[tokio::test]
async fn l6_of_a_hundred_rotations_at_once_as_many_succeed_as_there_is_room() {
    let (fixture, root) = place().await;
    let (domain, acme, id) = (&fixture.domain, acme(), worker_id("worker-01"));
    create_worker(domain, &root, (&acme, &new("worker-01", "jobs:read"))).await.unwrap();
    for room in [1, 2] {
        let asks = (0..100).map(|_| add_worker_secret(domain, &root, (&acme, &id), None));
        let mut made = Vec::new();
        for outcome in all(asks).await {
            match outcome {
                Ok(added) => made.push(added),
                Err(error) => assert_eq!(error.code(), Code::LimitExceeded),
            }
        }
        assert_eq!(made.len(), room);
        let worker = get_worker(domain, &root, (&acme, &id)).await.unwrap();
        let held: BTreeSet<_> = worker.credentials.secrets.iter().map(|held| held.n).collect();
        assert_eq!(held.len(), 2);
        assert!(made.iter().all(|added| held.contains(&added.n)));
        for n in held {
            remove_worker_secret(domain, &root, (&acme, &id, n)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_as_a_hash() {
    let (fixture, root) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    let made = create_worker(domain, &root, (&acme, &new("worker-01", "jobs:read"))).await.unwrap();
    let secret = made.secret.unwrap();
    let secret = secret.expose_secret();
    assert!(secret.starts_with("ws_") && secret.len() > 43);
    assert!(!format!("{:?}", made.worker).contains(secret));
    // One that has keys of its own is given none.
    let mut keyed = new("worker-02", "jobs:read");
    keyed.keys = parse_worker_keys("jwks", &[ed25519("k")]).unwrap();
    let made = create_worker(domain, &root, (&acme, &keyed)).await.unwrap();
    assert!(made.secret.is_none() && made.worker.credentials.secrets.is_empty());
}

#[tokio::test]
async fn a_secret_ends_by_itself_and_makes_room() {
    let (fixture, root) = place().await;
    let (domain, acme, id) = (&fixture.domain, acme(), worker_id("worker-01"));
    create_worker(domain, &root, (&acme, &new("worker-01", "jobs:read"))).await.unwrap();
    let past = add_worker_secret(domain, &root, (&acme, &id), Some(fixture.now())).await;
    assert_eq!(code(past), Code::InvalidArgument);
    let soon = fixture.now().plus_millis(1000);
    let second = add_worker_secret(domain, &root, (&acme, &id), Some(soon)).await.unwrap();
    assert_eq!((second.n, second.expires_at), (SecretNumber::parse("2"), Some(soon)));
    let third = async || add_worker_secret(domain, &root, (&acme, &id), None).await;
    assert_eq!(code(third().await), Code::LimitExceeded);
    fixture.clock.advance(1000);
    assert_eq!(third().await.unwrap().n, SecretNumber::parse("3"));
}

#[test]
fn k2_of_keys_a_worker_has_eight_public_ones_of_16_kib() {
    let many = |count: usize| (0..count).map(|n| ed25519(&format!("k{n}"))).collect::<Vec<_>>();
    assert_eq!(parse_worker_keys("jwks", &many(8)).unwrap().len(), 8);
    let mut large = ed25519("k");
    large.insert("x5c".to_owned(), "A".repeat(16 * 1024).into());
    let mut private = ed25519("k");
    private.insert("d".to_owned(), "secret-words".into());
    let oct = json!({"kty": "oct", "kid": "k", "k": "secret-words"}).as_object().unwrap().clone();
    for bad in [many(9), vec![large], vec![private], vec![oct], vec![ed25519("k"), ed25519("k")]] {
        let refusal = parse_worker_keys("jwks", &bad).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert!(refusal.details.contains_key("jwks"));
        assert!(!format!("{refusal:?}").contains("secret-words"));
    }
}

#[tokio::test]
async fn workers_are_listed_by_pages_without_those_that_are_gone() {
    let (fixture, root) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    for id in ["a", "b", "c", "d", "e"] {
        create_worker(domain, &root, (&acme, &new(id, "jobs:read"))).await.unwrap();
    }
    delete_worker(domain, &root, (&acme, &worker_id("c"))).await.unwrap();
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let ask = PageRequest::new(Some(2), token).unwrap();
        let page = list_workers(domain, &root, (&acme, &ask)).await.unwrap();
        found.extend(page.items.into_iter().map(|worker| worker.id.to_string()));
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["a", "b", "d", "e"]);
    let forged = PageRequest::new(None, Some("AAAA".to_owned())).unwrap();
    assert_eq!(code(list_workers(domain, &root, (&acme, &forged)).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_change_of_nothing_is_refused_and_the_same_once_more_is_no_change() {
    let (fixture, root) = place().await;
    let (domain, acme, id) = (&fixture.domain, acme(), worker_id("worker-01"));
    let none = update_worker(domain, &root, (&acme, &id, &UpdateWorker::default())).await;
    assert_eq!(code(none), Code::InvalidArgument);
    let ask = UpdateWorker { status: Some(WorkerStatus::Disabled), ..UpdateWorker::default() };
    let missing = update_worker(domain, &root, (&acme, &id, &ask)).await;
    assert_eq!(code(missing), Code::WorkerNotFound);
    create_worker(domain, &root, (&acme, &new("worker-01", "jobs:read"))).await.unwrap();
    let once = update_worker(domain, &root, (&acme, &id, &ask)).await.unwrap();
    fixture.clock.advance(5);
    assert_eq!(update_worker(domain, &root, (&acme, &id, &ask)).await.unwrap(), once);
    let over = (0..33).map(|n| ClientId::parse(&format!("c{n}")).unwrap()).collect();
    let ask = UpdateWorker { clients: Some(over), ..UpdateWorker::default() };
    let over = update_worker(domain, &root, (&acme, &id, &ask)).await;
    assert_eq!(code(over), Code::InvalidArgument);
}
