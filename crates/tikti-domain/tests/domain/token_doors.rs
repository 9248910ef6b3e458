//! What have the places in common that take a client's credentials, or a token?

use std::net::IpAddr;

use secrecy::SecretString;
use tikti_domain::account::{
    Lookup, Refresh, UpdateAccount, Validate, list_sessions, lookup, refresh, update_account,
    validate,
};
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::client_credentials::{ClientCredentials, issue};
use tikti_domain::error::{Code, Error, Refusal};
use tikti_domain::id::{ClientId, RoleName, TenantRef};
use tikti_domain::introspect::{Introspect, introspect};
use tikti_domain::page::PageRequest;
use tikti_domain::revoke::{RevokeToken, revoke_token};
use tikti_domain::scope::ScopeSet;
use tikti_domain::settings::Limits;
use tikti_domain::tenancy::{
    CreateWorker, UpdateWorker, WorkerRights, add_worker_secret, create_client, create_worker,
    delete_worker, list_roles, parse_worker_keys, remove_worker_secret, set_worker_keys,
    update_worker,
};
use tikti_domain::testing::{FaultPlan, Fixture, all, bearing, keyed, keyed_bearing, worker_id};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::worker::{SecretNumber, WorkerStatus};
use tikti_domain::{Caller, Domain};

use super::introspection::{ANN, Credential, Place, Tokens, ask};
use super::workers::ed25519;

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

/// Where a client shows who it is.
#[derive(Clone, Copy, Debug)]
enum ClientDoor {
    Token,
    Introspect,
    Revoke,
}

const CLIENT_DOORS: [ClientDoor; 3] =
    [ClientDoor::Token, ClientDoor::Introspect, ClientDoor::Revoke];

impl ClientDoor {
    async fn show(
        self,
        domain: &Domain,
        caller: &Caller,
        (id, secret): (&str, &SecretString),
    ) -> Result<(), Error> {
        let auth = ClientAuth::Secret { client_id: id.to_owned(), secret: secret.clone() };
        let token = || SecretString::from("nonsense".to_owned());
        match self {
            Self::Token => {
                let (audience, scopes, event_types) = (None, None, None);
                let (tenant, tenant_header) = (None, None);
                let ask = ClientCredentials {
                    auth,
                    audience,
                    scopes,
                    event_types,
                    tenant,
                    tenant_header,
                };
                Box::pin(issue(domain, caller, &ask)).await.map(drop)
            }
            Self::Introspect => {
                let ask = Introspect { token: token(), held_for: None, client: Some(auth) };
                introspect(domain, caller, &ask).await.map(drop)
            }
            Self::Revoke => {
                let ask = RevokeToken { token: token(), client: Some(auth) };
                revoke_token(domain, caller, &ask).await
            }
        }
    }
}

fn refusal(outcome: Result<(), Error>) -> Refusal {
    match outcome.unwrap_err() {
        Error::Refused(refusal) => *refusal,
        other => unreachable!("{other:?}"),
    }
}

fn from(number: u8) -> Caller {
    Caller { ip: Some(IpAddr::from([198, 51, 100, number])), ..Caller::default() }
}

/// A limited deployment with a resource server and a worker of one name.
struct Guarded {
    fixture: Fixture,
    id: String,
    worker_secret: SecretString,
    client_secret: SecretString,
}

impl Guarded {
    async fn new() -> Self {
        let fixture = Fixture::with(|settings| settings.limits = Limits::shipped()).await;
        fixture.admin("root@corp.sys").await;
        let tenant = fixture.tenant("root@corp.sys", "acme").await.id;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let ask = super::clients::new("jobs-api", "jobs:read");
        let client = Box::pin(create_client(&fixture.domain, &root, (&acme(), &ask))).await;
        let rights = WorkerRights {
            clients: [ClientId::parse("backend-worker").unwrap()].into(),
            scopes: ScopeSet::parse("jobs:read").unwrap(),
            ..WorkerRights::default()
        };
        let ask = CreateWorker { id: worker_id("jobs-api"), rights, keys: vec![] };
        let worker = Box::pin(create_worker(&fixture.domain, &root, (&acme(), &ask))).await;
        Self {
            id: format!("{tenant}.jobs-api"),
            worker_secret: worker.unwrap().secret.unwrap(),
            client_secret: client.unwrap().secret.unwrap(),
            fixture,
        }
    }

    async fn wrong(&self, door: ClientDoor, id: &str, caller: &Caller) -> Refusal {
        let wrong = SecretString::from("ws_wrong".to_owned());
        refusal(door.show(&self.fixture.domain, caller, (id, &wrong)).await)
    }

    /// Shows the good secret at every door.
    async fn show_good(&self, caller: &Caller) {
        for door in CLIENT_DOORS {
            let secret = match door {
                ClientDoor::Token => &self.worker_secret,
                ClientDoor::Introspect | ClientDoor::Revoke => &self.client_secret,
            };
            let shown = door.show(&self.fixture.domain, caller, (&self.id, secret)).await;
            assert!(shown.is_ok(), "{door:?} {shown:?}");
        }
    }
}

/// Whoever guesses has ten tries for a name, not ten at each door; and it is no matter whether anybody bears it.
#[tokio::test]
async fn e10_wrong_secrets_for_a_name_are_one_count_at_whichever_door() {
    for first in 0..CLIENT_DOORS.len() {
        let place = Guarded::new().await;
        let in_turn = || CLIENT_DOORS.iter().copied().cycle().skip(first);
        for id in [place.id.as_str(), "t-nowhere.x"] {
            // Those are none of them.
            for _ in 0..5 {
                place.show_good(&from(1)).await;
            }
            for (number, door) in (0..10).zip(in_turn()) {
                let refused = place.wrong(door, id, &from(number)).await;
                assert_eq!(refused.code, Code::InvalidClientCredentials, "{number} {door:?}");
            }
            let mut waits = Vec::new();
            for door in CLIENT_DOORS {
                let refused = place.wrong(door, id, &from(99)).await;
                assert_eq!(refused.code, Code::RateLimited, "{id} {door:?}");
                waits.push(refused.retry_after_seconds);
            }
            assert!(waits[0].is_some() && waits.iter().all(|wait| *wait == waits[0]), "{waits:?}");
            // Another replica has the same count.
            let plan = FaultPlan::crash_after(u64::MAX - 1);
            let replica = place.fixture.replica(2, &plan).await;
            for door in CLIENT_DOORS {
                let wrong = SecretString::from("ws_wrong".to_owned());
                let refused = refusal(door.show(&replica, &from(98), (id, &wrong)).await);
                assert_eq!(refused.code, Code::RateLimited, "{id} {door:?}");
            }
            // Nobody is kept out by that.
            place.show_good(&from(99)).await;
        }
    }
}

#[tokio::test]
async fn e10_wrong_secrets_from_a_host_are_one_count_at_whichever_door() {
    let place = Guarded::new().await;
    for (number, door) in (0..100).zip(CLIENT_DOORS.into_iter().cycle()) {
        let refused = place.wrong(door, &format!("t-nowhere.w{number}"), &from(200)).await;
        assert_eq!(refused.code, Code::InvalidClientCredentials, "{number} {door:?}");
    }
    for (number, door) in CLIENT_DOORS.into_iter().enumerate() {
        let refused = place.wrong(door, &format!("t-nowhere.v{number}"), &from(200)).await;
        assert_eq!(refused.code, Code::RateLimited, "{door:?}");
        let elsewhere = place.wrong(door, &format!("t-nowhere.v{number}"), &from(201)).await;
        assert_eq!(elsewhere.code, Code::InvalidClientCredentials, "{door:?}");
    }
    place.show_good(&from(200)).await;
}

#[tokio::test]
async fn e10_wrong_secrets_at_once_are_counted_one_by_one() {
    let place = Guarded::new().await;
    let tries = (0..60).zip(CLIENT_DOORS.into_iter().cycle());
    let each = tries.map(|(number, door)| {
        let (place, caller) = (&place, from(number));
        async move { place.wrong(door, &place.id, &caller).await.code }
    });
    let codes = all(each).await;
    let taken = codes.iter().filter(|code| **code == Code::InvalidClientCredentials).count();
    let limited = codes.iter().filter(|code| **code == Code::RateLimited).count();
    assert_eq!((taken, limited), (10, 50));
}

/// Where a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Introspect,
    /// With the audience that it is for.
    Validate(&'static str),
    /// A list that an administrator reads.
    Roles,
    Lookup,
    Update,
    Sessions,
    Exchange,
    Refresh,
}

impl Door {
    /// What comes of a token there; what is not active is as good as revoked.
    async fn take(self, domain: &Domain, root: &Caller, token: &SecretString) -> Result<(), Code> {
        let page = PageRequest::new(None, None).unwrap();
        let token = token.clone();
        let done = match self {
            Self::Introspect => {
                let who = Credential { caller: keyed(), client: None };
                let found = ask(domain, &who, &token).await.unwrap();
                return found.map(drop).ok_or(Code::TokenRevoked);
            }
            Self::Validate(audience) => {
                let ask = Validate { token, audience: audience.to_owned() };
                validate(domain, root, &ask).await.map(drop)
            }
            Self::Roles => list_roles(domain, &bearing(&token), (&acme(), &page)).await.map(drop),
            Self::Lookup => {
                let ask = Lookup { id_token: token, memberships: false };
                lookup(domain, &keyed(), &ask).await.map(drop)
            }
            Self::Update => {
                let display_name = Some("Ann".to_owned());
                let (email, password, default_tenant) = (None, None, None);
                let ask = UpdateAccount {
                    id_token: token,
                    email,
                    password,
                    display_name,
                    default_tenant,
                };
                Box::pin(update_account(domain, &keyed(), &ask)).await.map(drop)
            }
            Self::Sessions => list_sessions(domain, &bearing(&token), &page).await.map(drop),
            Self::Exchange => exchanged(domain, &token, "jobs-api", None).await.map(drop),
            Self::Refresh => refresh(domain, &Refresh { token, tenant: None }).await.map(drop),
        };
        done.map_err(|error| error.code())
    }
}

async fn exchanged(
    domain: &Domain,
    id_token: &SecretString,
    audience: &str,
    worker: Option<&str>,
) -> Result<SecretString, Error> {
    let has_events = audience == "codeq-worker";
    let ask = Exchange {
        id_token: id_token.clone(),
        audience: ClientId::parse(audience).unwrap(),
        scopes: None,
        event_types: has_events.then(|| vec!["render".to_owned().try_into().unwrap()]),
        ttl_seconds: None,
        subject: worker.map(str::to_owned),
        tenant: None,
        tenant_header: None,
    };
    Box::pin(exchange(domain, &keyed(), &ask)).await.map(|issued| issued.token)
}

/// A class of token, one of it, and the doors that take it with what they say when it was revoked.
type Row = (&'static str, SecretString, Vec<(Door, Code)>);

/// A row for each class; the refresh token last: with its session everything else ends.
fn rows(tokens: &Tokens, mine: &SecretString) -> Vec<Row> {
    let told = |audience: &'static str| {
        vec![(Door::Introspect, Code::TokenRevoked), (Door::Validate(audience), Code::TokenRevoked)]
    };
    let more = |audience, more: &[(Door, Code)]| [&told(audience)[..], more].concat();
    let administers = [(Door::Roles, Code::Unauthenticated)];
    let identity = [
        (Door::Roles, Code::Unauthenticated),
        (Door::Lookup, Code::TokenRevoked),
        (Door::Update, Code::TokenRevoked),
        (Door::Sessions, Code::TokenRevoked),
        (Door::Exchange, Code::TokenRevoked),
    ];
    vec![
        ("access", tokens.access.clone(), told("jobs-api")),
        ("elsewhere", tokens.elsewhere.clone(), told("backend-worker")),
        ("worker", tokens.worker.clone(), told("codeq-worker")),
        ("own", tokens.own.clone(), more("tikti", &administers)),
        ("mine", mine.clone(), more("tikti", &administers)),
        ("id", tokens.id.clone(), more("tikti-identity", &identity)),
        (
            "refresh",
            tokens.refresh.clone(),
            vec![
                (Door::Introspect, Code::TokenRevoked),
                (Door::Refresh, Code::InvalidRefreshToken),
            ],
        ),
    ]
}

/// Attacks, row A2: by itself, since the end of a session is the end of its tokens whether or not they were
/// denied.
#[tokio::test]
async fn a2_each_token_that_was_revoked_is_refused_at_each_door_that_took_it() {
    let place = Place::new().await;
    let mut tokens = place.tokens(ANN, &place.acme.id).await;
    let used = Refresh { token: tokens.refresh.clone(), tenant: None };
    tokens.refresh = refresh(place.domain(), &used).await.unwrap().refresh_token;
    let mine = exchanged(place.domain(), &tokens.id, "tikti", None).await.unwrap();
    let root = place.root().await;
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let replica = place.fixture.replica(2, &plan).await;
    let rows = rows(&tokens, &mine);
    for (number, (class, token, doors)) in rows.iter().enumerate() {
        // Not one of those that are to come has ended with those that have.
        for (later, token, doors) in &rows[number..] {
            // A refresh would put another one in its place.
            for (door, _) in doors.iter().filter(|(door, _)| *door != Door::Refresh) {
                let taken = door.take(&replica, &root, token).await;
                assert_eq!(taken, Ok(()), "{class}: {later} {door:?}");
            }
        }
        let ask = RevokeToken { token: token.clone(), client: None };
        revoke_token(place.domain(), &keyed(), &ask).await.unwrap();
        for (door, code) in doors {
            let taken = door.take(&replica, &root, token).await;
            assert_eq!(taken, Err(*code), "{class} {door:?}");
        }
    }
}

/// What becomes of a worker.
const CHANGES: [(&str, bool); 8] = [
    ("nothing", true),
    ("one secret more", true),
    ("a secret taken away", false),
    ("a key more", true),
    ("another key in its place", false),
    ("disabled", false),
    ("disabled and enabled", false),
    ("deleted and made again", false),
];

/// A worker `robot`, for whom operators may have tokens made, with a secret and a key.
async fn register(place: &Place, root: &Caller) {
    let rights = WorkerRights {
        clients: ["backend-worker", "codeq-worker"].map(|id| ClientId::parse(id).unwrap()).into(),
        scopes: ScopeSet::parse("jobs:read jobs:write codeq:claim codeq:result codeq:heartbeat")
            .unwrap(),
        event_types: ["render".to_owned().try_into().unwrap()].into(),
        mintable_by: [RoleName::parse("JOBS_OPERATOR").unwrap()].into(),
        ..WorkerRights::default()
    };
    let ask = CreateWorker { id: worker_id("robot"), rights, keys: vec![] };
    Box::pin(create_worker(place.domain(), root, (&acme(), &ask))).await.unwrap();
    set_keys(place.domain(), root, &["first"]).await;
}

async fn set_keys(domain: &Domain, root: &Caller, kids: &[&str]) {
    let keys: Vec<_> = kids.iter().map(|kid| ed25519(kid)).collect();
    let keys = parse_worker_keys("keys", &keys).unwrap();
    let robot = worker_id("robot");
    Box::pin(set_worker_keys(domain, root, (&acme(), &robot), &keys)).await.unwrap();
}

async fn change(place: &Place, root: &Caller, what: &str) {
    let (domain, acme, robot) = (place.domain(), acme(), worker_id("robot"));
    let set = async |status| {
        let ask = UpdateWorker { status: Some(status), ..UpdateWorker::default() };
        Box::pin(update_worker(domain, root, (&acme, &robot, &ask))).await.unwrap();
    };
    match what {
        "nothing" => {}
        "one secret more" => {
            let robot = (&acme, &robot);
            drop(Box::pin(add_worker_secret(domain, root, robot, None)).await.unwrap());
        }
        "a secret taken away" => {
            let secret = (&acme, &robot, SecretNumber::parse("1"));
            Box::pin(remove_worker_secret(domain, root, secret)).await.unwrap();
        }
        "a key more" => set_keys(domain, root, &["first", "second"]).await,
        "another key in its place" => set_keys(domain, root, &["second"]).await,
        "disabled" => set(WorkerStatus::Disabled).await,
        "disabled and enabled" => {
            set(WorkerStatus::Disabled).await;
            set(WorkerStatus::Active).await;
        }
        // Deleted and made again.
        _ => {
            Box::pin(delete_worker(domain, root, (&acme, &robot))).await.unwrap();
            Box::pin(register(place, root)).await;
        }
    }
}

/// Attacks, row A2: what a user had made for a registered worker ends with the worker's version, as the
/// worker's own tokens do, and in the same millisecond.
#[tokio::test]
async fn a2_a_token_that_a_user_made_for_a_worker_ends_when_the_worker_loses_a_credential() {
    for (what, goes_on) in CHANGES {
        let place = Place::new().await;
        let session = place.fixture.sign_in(ANN).await;
        let root = keyed_bearing(&place.fixture.sign_in(super::introspection::ROOT).await.id_token);
        register(&place, &root).await;
        let plan = FaultPlan::crash_after(u64::MAX - 1);
        let replica = place.fixture.replica(2, &plan).await;
        let make = async |audience| {
            exchanged(place.domain(), &session.id_token, audience, Some("robot")).await
        };
        let mut made = Vec::new();
        for audience in ["backend-worker", "codeq-worker"] {
            made.push((audience, make(audience).await.unwrap()));
        }
        let check = async |token: &SecretString, audience: &'static str| {
            let doors = [Door::Introspect, Door::Validate(audience)];
            all(doors.map(|door| door.take(&replica, &root, token))).await
        };
        for (audience, token) in &made {
            assert_eq!(check(token, audience).await, [Ok(()); 2], "{what} {audience}");
        }
        change(&place, &root, what).await;
        for (audience, token) in &made {
            let expected = if goes_on { Ok(()) } else { Err(Code::TokenRevoked) };
            assert_eq!(check(token, audience).await, [expected; 2], "{what} {audience}");
            // The session behind it has nothing to do with that; who may still have one made gets a good one.
            match make(audience).await {
                Ok(next) => assert_eq!(check(&next, audience).await, [Ok(()); 2], "{what}"),
                Err(error) => {
                    assert_eq!((what, error.code()), ("disabled", Code::SubjectNotPermitted));
                }
            }
        }
        assert!(place.is_active(&session.id_token).await, "{what}");
    }
}
