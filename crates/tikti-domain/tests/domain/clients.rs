//! Clients: who may make and change them, and what is dead with one that was deleted.

use secrecy::{ExposeSecret, SecretString};
use tikti_domain::account::{
    Lookup, Refresh, SignIn, SignInCall, Validate, lookup, refresh, sign_in, validate,
};
use tikti_domain::client::{Client, ClientStatus, ClientType, GrantType, SubjectPolicy};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::etag::Precondition;
use tikti_domain::id::{ClientId, EventType, RoleName, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::settings::{GrantedBy, IdTokenAlgorithm, ResourceServer};
use tikti_domain::tenancy::{
    ClientSettings, CreateClient, CreatedClient, PutRole, UpdateClient, create_client, create_role,
    delete_client, get_client, get_tenant, update_client,
};
use tikti_domain::testing::{Fixture, PASSWORD, all, bearing, keyed, keyed_bearing};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::GlobalRole;
use tikti_domain::{Caller, Domain};

pub(crate) fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn scopes(text: &str) -> Option<ScopeSet> {
    Some(ScopeSet::parse(text).unwrap())
}

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// A service with these scopes.
pub(crate) fn new(id: &str, text: &str) -> CreateClient {
    CreateClient {
        id: client_id(id),
        kind: ClientType::Service,
        settings: ClientSettings { default_scopes: scopes(text), ..ClientSettings::default() },
    }
}

fn set(change: impl FnOnce(&mut ClientSettings)) -> UpdateClient {
    let mut settings = ClientSettings::default();
    change(&mut settings);
    UpdateClient { settings, ..UpdateClient::default() }
}

fn status(status: ClientStatus) -> UpdateClient {
    UpdateClient { status: Some(status), ..UpdateClient::default() }
}

async fn make(domain: &Domain, caller: &Caller, ask: CreateClient) -> Result<CreatedClient, Error> {
    Box::pin(create_client(domain, caller, (&acme(), &ask))).await
}

async fn change(
    domain: &Domain,
    caller: &Caller,
    (id, ask): (&str, UpdateClient),
) -> Result<Client, Error> {
    Box::pin(update_client(domain, caller, (&acme(), &client_id(id), &ask))).await
}

async fn drop_client(domain: &Domain, caller: &Caller, id: &str) -> Result<(), Error> {
    Box::pin(delete_client(domain, caller, (&acme(), &client_id(id)))).await
}

fn refused<T>(outcome: Result<T, Error>, code: Code, what: &str) {
    assert_eq!(outcome.err().map(|error| error.code()), Some(code), "{what}");
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
    let found = get_tenant(&fixture.domain, &root, &acme()).await.unwrap();
    fixture.member(&found.id, &user, roles).await;
    bearing(&fixture.sign_in(email).await.id_token)
}

/// A member with a role of these permissions.
async fn clerk(fixture: &Fixture, root: &Caller, permissions: &str) -> Caller {
    let ask = PutRole {
        name: RoleName::parse("CLERK").unwrap(),
        permissions: ScopeSet::parse(permissions).unwrap(),
        precondition: Precondition::None,
    };
    create_role(&fixture.domain, root, &acme(), &ask).await.unwrap();
    member(fixture, "bob@corp.sys", &["CLERK"]).await
}

async fn exchanged(
    fixture: &Fixture,
    id_token: &SecretString,
    audience: &str,
) -> Result<SecretString, Code> {
    let ask = Exchange {
        id_token: id_token.clone(),
        audience: client_id(audience),
        scopes: None,
        event_types: None,
        ttl_seconds: None,
        subject: None,
        tenant: Some(acme()),
        tenant_header: None,
    };
    let issued = Box::pin(exchange(&fixture.domain, &keyed(), &ask)).await;
    issued.map(|issued| issued.token).map_err(|error| error.code())
}

/// Whether a token is good now.
async fn is_good(fixture: &Fixture, token: &SecretString, audience: &str) -> bool {
    let root = fixture.sign_in("root@corp.sys").await.id_token;
    let ask = Validate { token: token.clone(), audience: audience.to_owned() };
    match validate(&fixture.domain, &keyed_bearing(&root), &ask).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Code::TokenRevoked);
            false
        }
    }
}

#[tokio::test]
async fn a9_what_the_deployment_says_of_audiences_no_administrator_of_a_tenant_changes() {
    let (fixture, root) = place().await;
    let ann = member(&fixture, "ann@corp.sys", &["TENANT_ADMIN", "CODEQ_ADMIN"]).await;
    let domain = &fixture.domain;
    make(domain, &ann, new("OWN", "anything:at-all")).await.unwrap();
    let widened = || set(|ask| ask.allowed_scopes = scopes("anything:at-all codeq:admin"));
    let escalates = Code::EscalationDenied;
    refused(make(domain, &ann, new("MINE", "codeq:admin")).await, escalates, "a kept scope");
    refused(change(domain, &ann, ("OWN", widened())).await, escalates, "a kept scope later");
    let all_changes = || {
        [
            set(|ask| ask.allowed_scopes = scopes("jobs:read jobs:write jobs:delete")),
            set(|ask| ask.subject_policy = Some(SubjectPolicy::User)),
            set(|ask| ask.token_ttl_seconds = Some(3600)),
            status(ClientStatus::Disabled),
        ]
    };
    for managed in ["codeq-producer", "codeq-worker", "backend-worker"] {
        refused(make(domain, &ann, new(managed, "")).await, escalates, managed);
        for ask in all_changes() {
            refused(change(domain, &ann, (managed, ask)).await, escalates, managed);
        }
        refused(drop_client(domain, &ann, managed).await, escalates, managed);
    }
    // Also where the platform took it away, and where it put it back.
    drop_client(domain, &root, "codeq-producer").await.unwrap();
    refused(make(domain, &ann, new("codeq-producer", "")).await, escalates, "taken away");
    make(domain, &root, new("codeq-producer", "codeq:publish")).await.unwrap();
    for ask in all_changes() {
        refused(change(domain, &ann, ("codeq-producer", ask)).await, escalates, "put back");
    }
    refused(drop_client(domain, &ann, "codeq-producer").await, escalates, "put back");
    // What the platform granted it takes away.
    make(domain, &root, new("THEIRS", "codeq:admin")).await.unwrap();
    refused(drop_client(domain, &ann, "THEIRS").await, escalates, "with a kept scope");
    refused(
        change(domain, &ann, ("THEIRS", status(ClientStatus::Disabled))).await,
        escalates,
        "with a kept scope",
    );
    drop_client(domain, &root, "THEIRS").await.unwrap();
}

#[tokio::test]
async fn reserved_ids_exist_for_everybody_and_the_built_in_client_is_nobodys_to_change() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    for reserved in ["tikti", "tikti-identity", tikti_domain::testing::ISSUER] {
        refused(make(domain, &root, new(reserved, "")).await, Code::ClientExists, reserved);
    }
    let ask = status(ClientStatus::Disabled);
    refused(change(domain, &root, ("tikti", ask)).await, Code::Conflict, "changed");
    refused(drop_client(domain, &root, "tikti").await, Code::Conflict, "deleted");
    get_client(domain, &root, (&acme(), &client_id("tikti"))).await.unwrap();
}

#[tokio::test]
async fn nobody_gives_a_client_what_he_does_not_hold() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let bob = clerk(&fixture, &root, "clients:read clients:write bills:read").await;
    make(domain, &bob, new("own", "bills:read")).await.unwrap();
    let escalates = Code::EscalationDenied;
    refused(make(domain, &bob, new("more", "bills:write")).await, escalates, "made");
    let wider = set(|ask| ask.allowed_scopes = scopes("bills:read bills:write"));
    refused(change(domain, &bob, ("own", wider)).await, escalates, "widened");

    // Of a client that may do more he takes away, and adds nothing.
    make(domain, &root, new("theirs", "bills:read bills:write")).await.unwrap();
    let adds = || {
        [
            set(|ask| ask.subject_policy = Some(SubjectPolicy::Any)),
            set(|ask| ask.token_ttl_seconds = Some(901)),
            set(|ask| ask.event_types = Some([EventType::parse("build").unwrap()].into())),
            set(|ask| {
                let grants = [GrantType::TokenExchange, GrantType::ClientCredentials];
                ask.allowed_grant_types = Some(grants.into());
            }),
        ]
    };
    for ask in adds() {
        refused(change(domain, &bob, ("theirs", ask)).await, escalates, "adds");
    }
    change(domain, &bob, ("theirs", status(ClientStatus::Disabled))).await.unwrap();
    let ask = status(ClientStatus::Active);
    refused(change(domain, &bob, ("theirs", ask)).await, escalates, "switched on");
    let narrower = set(|ask| {
        (ask.allowed_scopes, ask.default_scopes) = (scopes("bills:read"), scopes("bills:read"));
    });
    change(domain, &bob, ("theirs", narrower)).await.unwrap();
    // Now he holds all of it.
    change(domain, &bob, ("theirs", status(ClientStatus::Active))).await.unwrap();
    for ask in adds() {
        change(domain, &bob, ("theirs", ask)).await.unwrap();
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_together_are_refused_by_name() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    make(domain, &root, new("bills", "bills:read")).await.unwrap();
    let events = |count: usize| {
        Some((0..count).map(|n| EventType::parse(&format!("e{n}")).unwrap()).collect())
    };
    let invalid = Code::InvalidArgument;
    for (ask, code, what) in [
        (set(|ask| ask.allowed_scopes = scopes("bills:write")), invalid, "defaults beyond"),
        (set(|ask| ask.default_scopes = scopes("bills:write")), invalid, "more by default"),
        (set(|ask| ask.event_types = events(65)), invalid, "65 event types"),
        (set(|ask| ask.token_ttl_seconds = Some(899)), Code::InvalidTtl, "899 seconds"),
        (set(|ask| ask.token_ttl_seconds = Some(3601)), Code::InvalidTtl, "3601 seconds"),
        (set(|ask| ask.token_ttl_seconds = Some(-900)), Code::InvalidTtl, "-900 seconds"),
        (UpdateClient::default(), invalid, "nothing"),
        (
            UpdateClient { kind: Some(ClientType::Application), ..UpdateClient::default() },
            invalid,
            "another type",
        ),
    ] {
        refused(change(domain, &root, ("bills", ask)).await, code, what);
    }
    for ask in [
        set(|ask| ask.event_types = events(64)),
        set(|ask| ask.token_ttl_seconds = Some(3600)),
        set(|ask| ask.token_ttl_seconds = Some(900)),
        UpdateClient { kind: Some(ClientType::Service), ..UpdateClient::default() },
    ] {
        change(domain, &root, ("bills", ask)).await.unwrap();
    }
}

#[tokio::test]
async fn a10_a_client_made_again_in_the_same_second_revives_no_token() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let bob = clerk(&fixture, &root, "bills:read").await.bearer.unwrap();
    make(domain, &root, new("bills", "bills:read")).await.unwrap();
    let token = exchanged(&fixture, &bob, "bills").await.unwrap();
    assert!(is_good(&fixture, &token, "bills").await);
    drop_client(domain, &root, "bills").await.unwrap();
    assert!(!is_good(&fixture, &token, "bills").await);
    assert_eq!(exchanged(&fixture, &bob, "bills").await.unwrap_err(), Code::UnknownAudience);

    let again = make(domain, &root, new("bills", "bills:read")).await.unwrap();
    assert!(!is_good(&fixture, &token, "bills").await, "in the same second");
    fixture.clock.advance(1000);
    assert!(!is_good(&fixture, &token, "bills").await);
    let fresh = exchanged(&fixture, &bob, "bills").await.unwrap();
    assert!(is_good(&fixture, &fresh, "bills").await);
    // And so once more, before the last one has begun.
    drop_client(domain, &root, "bills").await.unwrap();
    let last = make(domain, &root, new("bills", "bills:read")).await.unwrap();
    assert!(last.client.created_at > again.client.created_at);
    assert!(!is_good(&fixture, &fresh, "bills").await);
}

/// With RS256 an idToken is signed as an access token is: its audience keeps it from being taken for one.
#[tokio::test]
async fn no_application_is_what_a_resource_server_takes_tokens_for() {
    let fixture = Fixture::with(|settings| {
        settings.id_token_algorithm = IdTokenAlgorithm::Rs256;
        let scopes = [("prints:read".to_owned(), GrantedBy::Tenant)].into();
        let audience = client_id("prints");
        settings.resource_servers.push(ResourceServer { audience, scopes });
    })
    .await;
    let domain = &fixture.domain;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let app = |id: &str| CreateClient { kind: ClientType::Application, ..new(id, "") };
    // The deployment's, with a client of this name or without; the template's; those that are reserved.
    let of_template = domain.settings().tenant_template.clients[0].id.clone();
    drop_client(domain, &root, of_template.as_str()).await.unwrap();
    for id in ["prints", of_template.as_str(), "tikti", "tikti-identity"] {
        refused(make(domain, &root, app(id)).await, Code::ClientExists, id);
    }
    make(domain, &root, new("prints", "prints:read")).await.unwrap();
    make(domain, &root, app("app")).await.unwrap();

    let ask = SignIn {
        call: SignInCall::Open,
        email: Email::parse("root@corp.sys").unwrap(),
        password: PASSWORD.to_owned().into(),
        tenant: Some(acme()),
        client: Some(client_id("app")),
        return_secure_token: false,
    };
    let token = sign_in(domain, &Caller::default(), &ask).await.unwrap().id_token;
    // Step 7: whatever the token, an application is nobody's audience.
    let plain = root.bearer.clone().unwrap();
    for shown in [&token, &plain] {
        let outcome = exchanged(&fixture, shown, "app").await;
        assert_eq!(outcome.unwrap_err(), Code::GrantNotAllowed);
        let outcome = exchanged(&fixture, shown, "prints").await;
        let is_refused = matches!(outcome, Err(Code::GrantNotAllowed | Code::UnknownAudience));
        assert!(!is_refused, "a service is: {outcome:?}");
    }
    // And nobody signs in through a service.
    let through = SignIn { client: Some(client_id("prints")), ..ask };
    let outcome = sign_in(domain, &Caller::default(), &through).await;
    refused(outcome, Code::UnknownAudience, "through a service");
}

#[tokio::test]
async fn a10_an_application_made_again_revives_no_session() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    clerk(&fixture, &root, "bills:read").await;
    let app = || CreateClient { kind: ClientType::Application, ..new("app", "") };
    make(domain, &root, app()).await.unwrap();
    let ask = SignIn {
        call: SignInCall::Open,
        email: Email::parse("bob@corp.sys").unwrap(),
        password: PASSWORD.to_owned().into(),
        tenant: Some(acme()),
        client: Some(client_id("app")),
        return_secure_token: true,
    };
    let session = Box::pin(sign_in(domain, &Caller::default(), &ask)).await.unwrap();
    let looked_up = async || {
        let ask = Lookup { id_token: session.id_token.clone(), memberships: false };
        lookup(domain, &keyed(), &ask).await.map(|_| ())
    };
    looked_up().await.unwrap();
    drop_client(domain, &root, "app").await.unwrap();
    make(domain, &root, app()).await.unwrap();
    for advanced in [0, 1000] {
        fixture.clock.advance(advanced);
        assert!(looked_up().await.is_err(), "{advanced}");
        let ask = Refresh { token: session.refresh_token.clone().unwrap(), tenant: None };
        assert!(Box::pin(refresh(domain, &ask)).await.is_err(), "{advanced}");
    }
}

#[tokio::test]
async fn a8_a_disabled_client_is_served_by_no_grant_and_its_tokens_are_refused() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let bob = clerk(&fixture, &root, "bills:read").await.bearer.unwrap();
    make(domain, &root, new("bills", "bills:read")).await.unwrap();
    let token = exchanged(&fixture, &bob, "bills").await.unwrap();
    change(domain, &root, ("bills", status(ClientStatus::Disabled))).await.unwrap();
    assert_eq!(exchanged(&fixture, &bob, "bills").await.unwrap_err(), Code::ClientDisabled);
    assert!(!is_good(&fixture, &token, "bills").await);
    change(domain, &root, ("bills", status(ClientStatus::Active))).await.unwrap();
    assert!(is_good(&fixture, &token, "bills").await);
}

#[tokio::test]
async fn l6_of_a_hundred_creations_of_one_client_at_once_exactly_one_wins() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let asks = (0..100).map(|_| make(domain, &root, new("bills", "bills:read")));
    let outcomes = all(asks).await;
    let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    for outcome in &outcomes {
        let code = outcome.as_ref().err().map(Error::code);
        assert!(matches!(code, None | Some(Code::ClientExists)), "{code:?}");
    }
    let stored = get_client(domain, &root, (&acme(), &client_id("bills"))).await.unwrap();
    assert_eq!(stored, won[0].client);
}

#[tokio::test]
async fn a_service_has_a_secret_that_is_kept_as_a_hash_and_an_application_none() {
    let (fixture, root) = place().await;
    let domain = &fixture.domain;
    let made = make(domain, &root, new("bills", "bills:read")).await.unwrap();
    let secret = made.secret.unwrap().expose_secret().to_owned();
    assert!(secret.starts_with("cs_") && secret.len() == 47);
    let ask = set(|ask| ask.token_ttl_seconds = Some(1800));
    let changed = change(domain, &root, ("bills", ask)).await.unwrap();
    assert_eq!(changed.secret, made.client.secret);
    let stored = serde_json::to_string(&changed).unwrap();
    assert!(stored.contains("hmac") && !stored.contains(&secret));
    let ask = CreateClient { kind: ClientType::Application, ..new("app", "") };
    let made = make(domain, &root, ask).await.unwrap();
    assert!(made.secret.is_none() && made.client.secret.is_none());
}
