//! Which tokens are active, and whom that is told to: every credential with every class of token, of one's
//! own tenant and of another.

use secrecy::{ExposeSecret, SecretString};
use tikti_domain::account::{
    Refresh, Revoke, RevokeScope, SetStatus, SignOut, SignOutBy, SignedIn, refresh, revoke,
    revoke_jti, set_status, sign_out,
};
use tikti_domain::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use tikti_domain::client::{Client, ClientStatus, TIKTI};
use tikti_domain::client_auth::ClientAuth;
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, TenantId, TenantRef};
use tikti_domain::introspect::{ActiveToken, Introspect, TokenUse, introspect};
use tikti_domain::membership::Membership;
use tikti_domain::scope::ScopeSet;
use tikti_domain::tenancy::create_client;
use tikti_domain::tenant::{Tenant, TenantStatus};
use tikti_domain::testing::{
    FaultPlan, Fixture, bearing, keyed, keyed_bearing, worker, worker_token,
};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::{GlobalRole, User, UserStatus};
use tikti_domain::worker::Worker;
use tikti_domain::{Caller, Domain};

pub(crate) const ROOT: &str = "root@corp.sys";
pub(crate) const ANN: &str = "ann@example.org";
/// The audience whose secret is known, in both tenants.
const API: &str = "jobs-api";

/// Two tenants, each with a resource server of one name and a key of its own; Ann is a member of the first,
/// Bob of the second.
pub(crate) struct Place {
    pub(crate) fixture: Fixture,
    pub(crate) acme: Tenant,
    pub(crate) beta: Tenant,
    ann: User,
    held: Membership,
    secrets: [SecretString; 2],
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) caller: Caller,
    pub(crate) client: Option<ClientAuth>,
}

/// A token of each class, all of one tenant.
pub(crate) struct Tokens {
    pub(crate) session: SignedIn,
    pub(crate) id: SecretString,
    pub(crate) refresh: SecretString,
    /// For the audience whose secret is known.
    pub(crate) access: SecretString,
    /// For another one.
    pub(crate) elsewhere: SecretString,
    /// Made by a user, for a worker.
    pub(crate) worker: SecretString,
    /// A worker's own.
    pub(crate) own: SecretString,
}

impl Tokens {
    pub(crate) fn each(&self) -> [(&'static str, &SecretString); 6] {
        [
            ("id", &self.id),
            ("refresh", &self.refresh),
            ("access", &self.access),
            ("elsewhere", &self.elsewhere),
            ("worker", &self.worker),
            ("own", &self.own),
        ]
    }
}

pub(crate) fn secret_of(tenant: &TenantId, client: &str, secret: &SecretString) -> ClientAuth {
    let client_id = format!("{tenant}.{client}");
    ClientAuth::Secret { client_id, secret: secret.clone() }
}

pub(crate) fn with_key(text: SecretString) -> Credential {
    Credential { caller: Caller { api_key: Some(text), ..Caller::default() }, client: None }
}

fn with_client(auth: ClientAuth) -> Credential {
    Credential { caller: Caller::default(), client: Some(auth) }
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::within(Fixture::new().await).await
    }

    pub(crate) async fn within(fixture: Fixture) -> Self {
        fixture.admin(ROOT).await;
        let acme = fixture.tenant(ROOT, "acme").await;
        let beta = fixture.tenant(ROOT, "beta").await;
        let roles = ["JOBS_OPERATOR", "CODEQ_WORKER", "TENANT_ADMIN"];
        let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        let held = fixture.member(&acme.id, &ann, &roles).await;
        let bob = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
        fixture.member(&beta.id, &bob, &roles).await;
        let root = bearing(&fixture.sign_in(ROOT).await.id_token);
        let mut secrets = Vec::new();
        for slug in ["acme", "beta"] {
            let ask = super::clients::new(API, "jobs:read");
            let named = TenantRef::parse(slug).unwrap();
            let made = Box::pin(create_client(&fixture.domain, &root, (&named, &ask))).await;
            secrets.push(made.unwrap().secret.unwrap());
        }
        let secrets = secrets.try_into().unwrap();
        Self { fixture, acme, beta, ann, held, secrets }
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.fixture.domain
    }

    /// The worker that speaks for itself in a tenant.
    pub(crate) async fn robot(&self, tenant: &TenantId) -> Worker {
        let mut robot = worker("robot", self.fixture.now());
        robot.clients = [ClientId::parse(TIKTI).unwrap()].into();
        robot.scopes = ScopeSet::parse("roles:read").unwrap();
        self.fixture.put_worker(tenant, &robot).await;
        robot
    }

    pub(crate) async fn tokens(&self, email: &str, tenant: &TenantId) -> Tokens {
        let session = self.fixture.sign_in(email).await;
        let exchanged = async |audience: &str, worker: Option<&str>| {
            let ask = Exchange {
                id_token: session.id_token.clone(),
                audience: ClientId::parse(audience).unwrap(),
                scopes: None,
                event_types: worker.map(|_| vec!["render".to_owned().try_into().unwrap()]),
                ttl_seconds: None,
                subject: worker.map(str::to_owned),
                tenant: None,
                tenant_header: None,
            };
            Box::pin(exchange(self.domain(), &keyed(), &ask)).await.unwrap().token
        };
        let robot = self.robot(tenant).await;
        Tokens {
            id: session.id_token.clone(),
            refresh: session.refresh_token.clone().unwrap(),
            access: exchanged(API, None).await,
            elsewhere: exchanged("backend-worker", None).await,
            worker: exchanged("codeq-worker", Some("worker-01")).await,
            own: worker_token(self.domain(), tenant, &robot, &robot.scopes),
            session,
        }
    }

    pub(crate) fn client(&self, of_acme: bool) -> Credential {
        let [acme, beta] = &self.secrets;
        with_client(if of_acme {
            secret_of(&self.acme.id, API, acme)
        } else {
            secret_of(&self.beta.id, API, beta)
        })
    }

    /// A key of a tenant, or of the deployment, that may ask and revoke.
    pub(crate) async fn key(&self, id: &str, tenant: Option<&Tenant>) -> Credential {
        let scopes = [KeyScope::Introspect, KeyScope::Revoke];
        let owned = |key: &mut ApiKey| key.tenant_id = tenant.map(|tenant| tenant.id.clone());
        with_key(self.fixture.api_key(id, &scopes, owned).await)
    }

    pub(crate) async fn ask(
        &self,
        who: &Credential,
        token: &SecretString,
    ) -> Result<Option<ActiveToken>, Error> {
        ask(self.domain(), who, token).await
    }

    pub(crate) async fn is_active(&self, token: &SecretString) -> bool {
        let who = Credential { caller: keyed(), client: None };
        self.ask(&who, token).await.unwrap().is_some()
    }

    pub(crate) async fn root(&self) -> Caller {
        keyed_bearing(&self.fixture.sign_in(ROOT).await.id_token)
    }
}

pub(crate) async fn ask(
    domain: &Domain,
    who: &Credential,
    token: &SecretString,
) -> Result<Option<ActiveToken>, Error> {
    let is_refresh = token.expose_secret().starts_with("rt_");
    // Access and worker tokens are active whatever is named.
    let held_for = Some(if is_refresh { TokenUse::Refresh } else { TokenUse::Id });
    let ask = Introspect { token: token.clone(), held_for, client: who.client.clone() };
    introspect(domain, &who.caller, &ask).await
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Code {
    outcome.unwrap_err().code()
}

/// Of which tokens whoever has this credential is told, among those of acme and those of beta.
pub(crate) async fn credentials(
    place: &Place,
) -> Vec<(&'static str, Credential, [Vec<&'static str>; 2])> {
    let all = || vec!["id", "refresh", "access", "elsewhere", "worker", "own"];
    let none = Vec::new;
    vec![
        ("configured key", Credential { caller: keyed(), client: None }, [all(), all()]),
        ("stored key", place.key("stored", None).await, [all(), all()]),
        ("acme's key", place.key("acme", Some(&place.acme)).await, [all(), none()]),
        ("beta's key", place.key("beta", Some(&place.beta)).await, [none(), all()]),
        ("acme's client", place.client(true), [vec!["access"], none()]),
        ("beta's client", place.client(false), [none(), vec!["access"]]),
    ]
}

/// Attacks, row A6: each class is told from the others.
#[tokio::test]
async fn a6_every_credential_is_told_of_every_token_that_is_its_own_and_of_no_other() {
    let place = Place::new().await;
    let both = [
        place.tokens(ANN, &place.acme.id).await,
        place.tokens("bob@example.org", &place.beta.id).await,
    ];
    for (name, who, expected) in credentials(&place).await {
        for (tokens, expected) in both.iter().zip(expected) {
            for (class, token) in tokens.each() {
                let found = place.ask(&who, token).await.unwrap();
                assert_eq!(found.is_some(), expected.contains(&class), "{name} {class}");
                let Some(found) = found else { continue };
                let is = match class {
                    "id" => TokenUse::Id,
                    "refresh" => TokenUse::Refresh,
                    "worker" => TokenUse::Worker,
                    _ => TokenUse::Access,
                };
                assert_eq!(found.token_use, is, "{name} {class}");
                assert_eq!(found.token_use.is_bearer(), !matches!(class, "id" | "refresh"));
            }
        }
    }
}

#[tokio::test]
async fn says_what_a_token_says() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let now = place.fixture.now().as_millis() / 1000;
    let user = tokens.session.user_id.to_string();
    let tenant = Some(place.acme.id.to_string());
    let who = place.key("stored", None).await;
    let show = async |token: &SecretString| place.ask(&who, token).await.unwrap().unwrap();

    let id = show(&tokens.id).await;
    assert_eq!((&id.subject, &id.tenant_id, id.scope), (&user, &tenant, None));
    assert_eq!((id.issued_at, id.expires_at), (now, now + 3600));
    assert_eq!(id.audience.as_deref(), Some("tikti-identity"));
    let sid = id.session_id;

    let access = show(&tokens.access).await;
    assert_eq!((&access.subject, &access.tenant_id, &access.session_id), (&user, &tenant, &sid));
    assert_eq!((access.audience.as_deref(), access.client_id.as_deref()), (Some(API), Some(API)));
    assert_eq!((access.scope.as_deref(), access.actor), (Some("jobs:read"), None));
    assert_eq!((access.issued_at, access.expires_at), (now, now + 900));
    assert!(access.jti.is_some());

    let worker = show(&tokens.worker).await;
    assert_eq!((worker.subject.as_str(), worker.actor.as_ref()), ("worker-01", Some(&user)));
    assert_eq!(worker.event_types, ["render"]);

    let own = show(&tokens.own).await;
    assert_eq!((own.subject.as_str(), own.actor, own.session_id), ("robot", None, None));

    let refresh = show(&tokens.refresh).await;
    assert_eq!((&refresh.subject, &refresh.tenant_id, &refresh.session_id), (&user, &tenant, &sid));
    assert_eq!((refresh.issued_at, refresh.expires_at), (now, now + 30 * 24 * 3600));
    assert_eq!((refresh.audience, refresh.scope, refresh.jti), (None, None, None));
}

/// One call of the store is one round trip, see `round_trips.rs` of its tests.
#[tokio::test]
async fn an_introspection_is_one_round_trip_whichever_the_credential_and_the_class() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let credentials = credentials(&place).await;
    // Nothing fails; the plan counts.
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let domain = place.fixture.replica(2, &plan).await;
    for (name, who, _) in credentials {
        for (class, token) in tokens.each() {
            let before = plan.calls();
            ask(&domain, &who, token).await.unwrap();
            assert_eq!(plan.calls() - before, 1, "{name} {class}");
        }
    }
}

#[tokio::test]
async fn credentials_that_are_not_good_are_one_answer_each() {
    let place = Place::new().await;
    let token = place.tokens(ANN, &place.acme.id).await.access;
    let junk = SecretString::from("junk".to_owned());
    let good = place.secrets[0].clone();
    let acme = &place.acme.id;
    let assertion = ClientAuth::Assertion { client_id: None, assertion: token.clone() };
    let named = |client_id: String| ClientAuth::Secret { client_id, secret: good.clone() };
    for auth in [
        secret_of(acme, API, &junk),
        secret_of(acme, API, &place.secrets[1]),
        secret_of(acme, "backend-worker", &good),
        secret_of(acme, TIKTI, &good),
        secret_of(acme, "nobody", &good),
        secret_of(&place.beta.id, API, &good),
        secret_of(&TenantId::parse("nowhere").unwrap(), API, &good),
        // A slug is a name for people.
        named(format!("acme-slug.{API}")),
        named(API.to_owned()),
        named(format!("{acme}.")),
        named(format!(".{API}")),
        named(format!("{acme}.{API} ")),
        named(String::new()),
        assertion,
    ] {
        for token in [&token, &junk] {
            let refused = place.ask(&with_client(auth.clone()), token).await;
            assert_eq!(code(refused), Code::InvalidClientCredentials, "{auth:?}");
        }
    }
    let nobody = Credential { caller: Caller::default(), client: None };
    assert_eq!(code(place.ask(&nobody, &token).await), Code::InvalidApiKey);
    let lookups = place.fixture.api_key("narrow", &[KeyScope::Lookup, KeyScope::Revoke], |_| ());
    let narrow = with_key(lookups.await);
    assert_eq!(code(place.ask(&narrow, &token).await), Code::ApiKeyForbidden);
    let off = |key: &mut ApiKey| key.status = ApiKeyStatus::Disabled;
    let off = with_key(place.fixture.api_key("gone", &[KeyScope::Introspect], off).await);
    assert_eq!(code(place.ask(&off, &token).await), Code::InvalidApiKey);
}

#[tokio::test]
async fn a_client_that_is_not_served_is_refused_as_one_with_a_wrong_secret() {
    let place = Place::new().await;
    let token = place.tokens(ANN, &place.acme.id).await.access;
    let who = place.client(true);
    assert!(place.ask(&who, &token).await.unwrap().is_some());
    let client = place.fixture.client(&place.acme.id, API).await;
    let disabled = Client { status: ClientStatus::Disabled, ..client.clone() };
    place.fixture.put_client(&place.acme.id, &disabled).await;
    assert_eq!(code(place.ask(&who, &token).await), Code::InvalidClientCredentials);
    place.fixture.put_client(&place.acme.id, &client).await;
    let suspended = Tenant { status: TenantStatus::Suspended, ..place.acme.clone() };
    place.fixture.put_tenant(&suspended).await;
    assert_eq!(code(place.ask(&who, &token).await), Code::InvalidClientCredentials);
    // Whoever has a key is told that the token is no good.
    assert!(!place.is_active(&token).await);
}

/// Attacks, row A2: revoked by each of the five ways, then introspected.
#[tokio::test]
async fn a2_what_was_revoked_by_any_of_the_five_ways_is_inactive_at_once() {
    let all = ["id", "refresh", "access", "elsewhere", "worker"];
    let tenant = || RevokeScope::Tenant(TenantRef::parse("acme").unwrap());
    for (way, dead) in [
        ("session", &all[..]),
        ("user", &all[..]),
        // The session goes on without the tenant.
        ("membership", &["id", "access", "elsewhere", "worker"][..]),
        ("worker", &["own"][..]),
        ("jti", &["access"][..]),
        ("suspension", &all[..]),
    ] {
        let place = Place::new().await;
        let tokens = place.tokens(ANN, &place.acme.id).await;
        for (class, token) in tokens.each() {
            assert!(place.is_active(token).await, "{class}");
        }
        let root = place.root().await;
        place.fixture.clock.advance(1);
        let email = Email::parse(ANN).unwrap();
        match way {
            "session" => {
                let by = SignOutBy::IdToken(tokens.id.clone());
                drop(sign_out(place.domain(), &SignOut { by, everywhere: false }).await.unwrap());
            }
            "user" | "membership" => {
                let scope = if way == "user" { RevokeScope::Global } else { tenant() };
                let ask = Revoke { email, scope };
                drop(revoke(place.domain(), &root, &ask).await.unwrap());
            }
            "worker" => {
                let robot = place.robot(&place.acme.id).await;
                let bumped = Worker { wver: robot.wver + 1, ..robot };
                place.fixture.put_worker(&place.acme.id, &bumped).await;
            }
            "jti" => drop(revoke_jti(place.domain(), &root, &tokens.access).await.unwrap()),
            _ => {
                let ask = SetStatus { email, status: UserStatus::Suspended };
                drop(set_status(place.domain(), &root, &ask).await.unwrap());
            }
        }
        for (class, token) in tokens.each() {
            assert_eq!(place.is_active(token).await, !dead.contains(&class), "{way}: {class}");
        }
    }
}

/// What a refresh does with a token is what introspection says of it.
#[tokio::test]
async fn a_refresh_token_is_active_while_a_refresh_would_take_it() {
    for change in
        ["nothing", "rotated", "expired", "revoked", "no member", "suspended", "deleting", "user"]
    {
        let place = Place::new().await;
        let tokens = place.tokens(ANN, &place.acme.id).await;
        let ask = Refresh { token: tokens.refresh.clone(), tenant: None };
        let mut ann = place.fixture.reload(&place.ann).await;
        match change {
            "rotated" => {
                let next = refresh(place.domain(), &ask).await.unwrap().refresh_token;
                assert!(place.is_active(&next).await);
                // Beyond the time in which a lost answer is repeated.
                place.fixture.clock.advance(11_000);
            }
            "expired" => place.fixture.clock.advance(31 * 24 * 3_600_000),
            "revoked" => {
                ann.ver += 1;
                place.fixture.put_user(&ann).await;
            }
            "no member" => {
                let revoked_at = Some(place.fixture.now());
                let mut ended = place.held.clone();
                ended.revoked_at = revoked_at;
                place.fixture.put_membership(&ended).await;
            }
            "suspended" | "deleting" => {
                let is_suspended = change == "suspended";
                let status =
                    if is_suspended { TenantStatus::Suspended } else { TenantStatus::Deleting };
                place.fixture.put_tenant(&Tenant { status, ..place.acme.clone() }).await;
            }
            "user" => {
                ann.status = UserStatus::Suspended;
                place.fixture.put_user(&ann).await;
            }
            _ => {}
        }
        let key = place.key("acme", Some(&place.acme)).await;
        let is_told = place.ask(&key, &tokens.refresh).await.unwrap().is_some();
        // Its tenant is told while the session speaks for it.
        assert_eq!(is_told, change == "nothing", "{change}");
        let said = place.is_active(&tokens.refresh).await;
        let done = refresh(place.domain(), &ask).await;
        assert_eq!(said, done.is_ok(), "{change}");
    }
}

#[tokio::test]
async fn what_was_never_given_out_is_inactive_and_costs_no_session() {
    let place = Place::new().await;
    let tokens = place.tokens(ANN, &place.acme.id).await;
    let access = tokens.access.expose_secret();
    let refresh = tokens.refresh.expose_secret();
    let parts: Vec<&str> = refresh.split('.').collect();
    let made_up = format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], "A".repeat(43));
    let (head, rest) = access.split_once('.').unwrap();
    for token in [
        String::new(),
        "nonsense".to_owned(),
        "..".to_owned(),
        "a".repeat(60_000),
        format!("{access}a"),
        format!(" {access}"),
        format!("{access}\0"),
        format!("{}.{rest}", head.to_lowercase()),
        access.rsplit_once('.').unwrap().0.to_owned(),
        made_up,
        "rt_....".to_owned(),
    ] {
        assert!(!place.is_active(&token.clone().into()).await, "{token:.80}");
    }
    assert!(place.is_active(&tokens.refresh).await);
}

/// A client that was deleted and made again has another secret, and no token of before.
#[tokio::test]
async fn a10_a_token_of_before_its_client_was_made_is_inactive() {
    let place = Place::new().await;
    let token = place.tokens(ANN, &place.acme.id).await.access;
    let client = place.fixture.client(&place.acme.id, API).await;
    let later = Client { created_at: place.fixture.now().plus_millis(1000), ..client };
    place.fixture.put_client(&place.acme.id, &later).await;
    assert!(!place.is_active(&token).await);
    assert!(place.ask(&place.client(true), &token).await.unwrap().is_none());
}
