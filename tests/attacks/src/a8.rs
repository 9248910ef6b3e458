//! Row A8: every state of a user, tenant, membership, client, worker and API key that is not active, times
//! every grant: refused.

use serde_json::{Value, json};
use tikti_domain::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use tikti_domain::clock::{Clock, Timestamp};
use tikti_domain::id::UserId;
use tikti_domain::tenancy::delete_tenant;
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing;
use tikti_domain::user::UserStatus;
use tikti_domain::worker::{Worker, WorkerStatus};

use crate::support::{COMPANY, PASSWORD, Reply};
use crate::world::{Person, World, client, exchanged, member, worker};

/// A way to something that opens doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Password,
    PasswordWithKey,
    PasswordAtApplication,
    Code,
    Refresh,
    RefreshAtApplication,
    Exchange,
    ExchangeWithKey,
    ExchangeAtApplication,
    ExchangeForWorker,
    Lookup,
    LookupWithKey,
    Update,
    IdTokenAdministers,
    AccessTokenAdministers,
    WorkerAdministers,
}

use Grant::{
    AccessTokenAdministers, Code, Exchange, ExchangeAtApplication, ExchangeForWorker,
    ExchangeWithKey, IdTokenAdministers, Lookup, LookupWithKey, Password, PasswordAtApplication,
    PasswordWithKey, Refresh, RefreshAtApplication, Update, WorkerAdministers,
};

const ALL: [Grant; 16] = [
    Lookup,
    LookupWithKey,
    IdTokenAdministers,
    AccessTokenAdministers,
    WorkerAdministers,
    Exchange,
    ExchangeWithKey,
    ExchangeAtApplication,
    ExchangeForWorker,
    Password,
    PasswordWithKey,
    PasswordAtApplication,
    Code,
    Refresh,
    RefreshAtApplication,
    Update,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UserInactive,
    UserSuspended,
    UserDeleted,
    MembershipRevoked,
    MembershipRemoved,
    ClientDisabled,
    ApplicationDisabled,
    TiktiDisabled,
    WorkerDisabled,
    WorkerDisabledByRoute,
    WorkerDeleted,
    KeyDisabled,
    KeyExpired,
    TenantSuspended,
    TenantDeleting,
    TenantDeleted,
}

/// Each state with the grants that it ends. Those of the tenant are last, since no way leads back.
const STATES: [(State, &[Grant]); 16] = {
    const OF_USER: &[Grant] = &[
        Lookup,
        LookupWithKey,
        IdTokenAdministers,
        AccessTokenAdministers,
        Exchange,
        ExchangeWithKey,
        ExchangeAtApplication,
        ExchangeForWorker,
        Password,
        PasswordWithKey,
        PasswordAtApplication,
        Code,
        Refresh,
        RefreshAtApplication,
        Update,
    ];
    const OF_SESSION: &[Grant] = &[
        IdTokenAdministers,
        AccessTokenAdministers,
        Exchange,
        ExchangeWithKey,
        ExchangeAtApplication,
        ExchangeForWorker,
        RefreshAtApplication,
    ];
    const OF_MEMBER: &[Grant] = &[
        IdTokenAdministers,
        AccessTokenAdministers,
        Exchange,
        ExchangeWithKey,
        ExchangeAtApplication,
        ExchangeForWorker,
        Password,
        PasswordWithKey,
        PasswordAtApplication,
        RefreshAtApplication,
    ];
    const OF_TENANT: &[Grant] = &[
        LookupWithKey,
        IdTokenAdministers,
        AccessTokenAdministers,
        WorkerAdministers,
        Exchange,
        ExchangeWithKey,
        ExchangeAtApplication,
        ExchangeForWorker,
        Password,
        PasswordWithKey,
        PasswordAtApplication,
        RefreshAtApplication,
    ];
    const OF_KEY: &[Grant] = &[LookupWithKey, ExchangeWithKey, PasswordWithKey];
    [
        (State::UserInactive, OF_USER),
        (State::UserSuspended, OF_USER),
        (State::UserDeleted, OF_USER),
        (State::MembershipRevoked, OF_SESSION),
        (State::MembershipRemoved, OF_MEMBER),
        (
            State::ClientDisabled,
            &[Exchange, ExchangeWithKey, ExchangeAtApplication, ExchangeForWorker],
        ),
        (
            State::ApplicationDisabled,
            &[PasswordAtApplication, ExchangeAtApplication, RefreshAtApplication],
        ),
        (State::TiktiDisabled, &[AccessTokenAdministers, WorkerAdministers]),
        (State::WorkerDisabled, &[ExchangeForWorker, WorkerAdministers]),
        (State::WorkerDisabledByRoute, &[ExchangeForWorker, WorkerAdministers]),
        (State::WorkerDeleted, &[ExchangeForWorker, WorkerAdministers]),
        (State::KeyDisabled, OF_KEY),
        (State::KeyExpired, OF_KEY),
        (State::TenantSuspended, OF_TENANT),
        (State::TenantDeleting, OF_TENANT),
        (State::TenantDeleted, OF_TENANT),
    ]
};

/// Everybody and everything that the grants of one state need, of its own.
struct Cast {
    person: Person,
    access: String,
    code: String,
    client: String,
    application: String,
    /// The session that the application opened: idToken and refresh token.
    at_application: [String; 2],
    worker: Worker,
    worker_token: String,
    key: String,
}

impl Cast {
    async fn of(world: &World, number: usize) -> Self {
        let (server, company) = (&world.server, &world.company);
        let tenant = company.tenant();
        let email = format!("cast-{number}@company.sys");
        let place = (COMPANY, email.as_str());
        let rights = ["TENANT_ADMIN", "JOBS_OPERATOR"];
        let person = member(server, &world.root, place, &rights).await;
        let (client_id, application) =
            (format!("client-{number}"), format!("application-{number}"));
        testing::put_client(&world.domain, &tenant, &client(&client_id, &json!({}))).await;
        let record = client(&application, &json!({"type": "APPLICATION"}));
        testing::put_client(&world.domain, &tenant, &record).await;
        let scopes = ["jobs:read", "roles:read"];
        let record = json!({"clients": [client_id, "tikti"], "scopes": scopes});
        let worker = worker(&format!("worker-{number}"), &record);
        testing::put_worker(&world.domain, &tenant, &worker).await;
        let worker_token = crate::world::token_of(world, &worker);
        let key = crate::world::tenant_key(&world.domain, &tenant, &format!("cast{number}")).await;
        let ask = json!({
            "email": email, "password": PASSWORD, "clientId": application, "returnSecureToken": true,
        });
        let opened = server.post("/v1/accounts/signIn").json(ask).send().await.json();
        let text = |name: &str| opened[name].as_str().unwrap().to_owned();
        let at_application = [text("idToken"), text("refreshToken")];
        let ask = json!({"requestType": "EMAIL_SIGNIN", "email": email});
        let code = server.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await.json();
        let code = code["oobCode"].as_str().unwrap().to_owned();
        let access = exchanged(server, &person.id_token, json!({"audience": "tikti"})).await;
        Self {
            person,
            access,
            code,
            client: client_id,
            application,
            at_application,
            worker,
            worker_token,
            key,
        }
    }
}

/// How the record of the built-in client differs from a common one, with this status.
fn tikti(status: &str) -> Value {
    let scopes = tikti_domain::scope::management_scopes();
    json!({
        "allowedScopes": scopes, "defaultScopes": scopes, "subjectPolicy": "user", "managed": true,
        "status": status,
    })
}

impl State {
    async fn come(self, world: &World, cast: &Cast) {
        let (domain, tenant) = (&world.domain, world.company.tenant());
        let user = UserId::parse(&cast.person.id).unwrap();
        let disabled = json!({"status": "DISABLED"});
        let put_client = async |id: &str, change: Value| {
            testing::put_client(domain, &tenant, &client(id, &change)).await;
        };
        let put_key = async |change: fn(&mut ApiKey)| {
            let scopes = [KeyScope::SignIn, KeyScope::Lookup, KeyScope::Exchange];
            testing::put_api_key(domain, &cast.key, &scopes, |key| {
                key.tenant_id = Some(tenant.clone());
                change(key);
            })
            .await;
        };
        match self {
            Self::UserInactive => {
                testing::set_user_status(domain, &user, UserStatus::Inactive).await
            }
            Self::UserSuspended => {
                testing::set_user_status(domain, &user, UserStatus::Suspended).await
            }
            Self::UserDeleted => {
                let path = format!("/v1/users/{user}");
                let gone = world.server.delete(&path).keyed().bearer(&world.root).send().await;
                assert_eq!(gone.status, 200, "{}", gone.text());
            }
            Self::MembershipRevoked => {
                let path = format!("/v1/tenants/{COMPANY}/memberships/{user}/revoke");
                let revoked =
                    world.server.post(&path).bearer(&world.root).json(json!({})).send().await;
                assert_eq!(revoked.status, 200, "{}", revoked.text());
            }
            Self::MembershipRemoved => {
                let path = format!("/v1/tenants/{COMPANY}/users/{user}");
                let removed = world.server.delete(&path).bearer(&world.root).send().await;
                assert_eq!(removed.status, 200, "{}", removed.text());
            }
            Self::ClientDisabled => put_client(&cast.client, disabled).await,
            Self::ApplicationDisabled => {
                let change = json!({"status": "DISABLED", "type": "APPLICATION"});
                put_client(&cast.application, change).await;
            }
            Self::TiktiDisabled => put_client("tikti", tikti("DISABLED")).await,
            Self::WorkerDisabled | Self::WorkerDisabledByRoute | Self::WorkerDeleted => {
                self.come_to_worker(world, &cast.worker).await;
            }
            Self::KeyDisabled => put_key(|key| key.status = ApiKeyStatus::Disabled).await,
            Self::KeyExpired => {
                put_key(|key| key.expires_at = Some(Timestamp::from_millis(1))).await
            }
            Self::TenantSuspended | Self::TenantDeleting | Self::TenantDeleted => {
                self.come_to_tenant(world).await;
            }
        }
    }

    async fn come_to_worker(self, world: &World, worker: &Worker) {
        let path = format!("/v1/tenants/{COMPANY}/workers/{}", worker.id);
        match self {
            // The route gives it another version, too: here its status is all that there is against it.
            Self::WorkerDisabled => {
                let record = Worker { status: WorkerStatus::Disabled, ..worker.clone() };
                testing::put_worker(&world.domain, &world.company.tenant(), &record).await;
            }
            Self::WorkerDisabledByRoute => {
                let request = world.server.patch(&path).bearer(&world.root);
                let changed = request.json(json!({"status": "DISABLED"})).send().await;
                assert_eq!(changed.status, 200, "{}", changed.text());
            }
            _ => {
                let gone = world.server.delete(&path).bearer(&world.root).send().await;
                assert_eq!(gone.status, 200, "{}", gone.text());
            }
        }
    }

    async fn come_to_tenant(self, world: &World) {
        let (domain, tenant) = (&world.domain, world.company.tenant());
        let status = match self {
            Self::TenantSuspended => TenantStatus::Suspended,
            Self::TenantDeleting => TenantStatus::Deleting,
            _ => return delete_tenant(domain, &tenant, Clock::system().now()).await.unwrap(),
        };
        testing::set_tenant_status(domain, &tenant, status).await;
    }

    /// Undoes what would be in the way of the next state.
    async fn go(self, world: &World) {
        let (domain, tenant) = (&world.domain, world.company.tenant());
        match self {
            Self::TiktiDisabled => {
                testing::put_client(domain, &tenant, &client("tikti", &tikti("ACTIVE"))).await;
            }
            Self::TenantSuspended | Self::TenantDeleting => {
                testing::set_tenant_status(domain, &tenant, TenantStatus::Active).await;
            }
            _ => {}
        }
    }
}

impl Grant {
    async fn ask(self, world: &World, cast: &Cast) -> Reply {
        let (server, person) = (&world.server, &cast.person);
        let post = |path: &str| server.post(&format!("/v1/accounts/{path}"));
        let sign_in = json!({"email": person.email, "password": PASSWORD, "tenantId": COMPANY});
        let audience = json!({"audience": cast.client, "tenantId": COMPANY});
        let refresh = async |token: &str| {
            let ask = json!({"grant_type": "refresh_token", "refresh_token": token});
            server.post("/v1/token").json(ask).send().await
        };
        let roles = async |bearer: &str| {
            server.get(&format!("/v1/tenants/{COMPANY}/roles")).bearer(bearer).send().await
        };
        let token = json!({"idToken": person.id_token});
        match self {
            Self::Password => post("signIn").json(sign_in).send().await,
            Self::PasswordWithKey => {
                post("signInWithPassword").header("X-API-Key", &cast.key).json(sign_in).send().await
            }
            Self::PasswordAtApplication => {
                let mut ask = sign_in;
                ask["clientId"] = json!(cast.application);
                post("signIn").json(ask).send().await
            }
            Self::Code => {
                let ask = json!({"email": person.email, "oobCode": cast.code});
                post("signInWithOobCode").json(ask).send().await
            }
            Self::Refresh => refresh(&person.refresh_token).await,
            Self::RefreshAtApplication => refresh(&cast.at_application[1]).await,
            Self::Exchange => world.exchange(&person.id_token, audience).await,
            Self::ExchangeWithKey => {
                let mut ask = audience;
                ask["idToken"] = json!(person.id_token);
                post("token/exchange").header("X-API-Key", &cast.key).json(ask).send().await
            }
            Self::ExchangeAtApplication => world.exchange(&cast.at_application[0], audience).await,
            Self::ExchangeForWorker => {
                let mut ask = audience;
                ask["subject"] = json!(cast.worker.id.as_str());
                world.exchange(&person.id_token, ask).await
            }
            Self::Lookup => post("lookup").keyed().json(token).send().await,
            Self::LookupWithKey => {
                post("lookup").header("X-API-Key", &cast.key).json(token).send().await
            }
            Self::Update => {
                let ask = json!({"idToken": person.id_token, "displayName": "Ann"});
                post("update").keyed().json(ask).send().await
            }
            Self::IdTokenAdministers => roles(&person.id_token).await,
            Self::AccessTokenAdministers => roles(&cast.access).await,
            Self::WorkerAdministers => roles(&cast.worker_token).await,
        }
    }
}

#[tokio::test]
async fn a8_no_grant_is_given_by_or_for_what_is_not_active() {
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
    let world = Box::pin(World::new()).await;
    let (mut faults, mut refused) = (vec![], 0);
    for (number, (state, ended)) in STATES.into_iter().enumerate() {
        // While all is active, each is given.
        let cast = Box::pin(Cast::of(&world, 2 * number)).await;
        for grant in ALL {
            let reply = grant.ask(&world, &cast).await;
            assert_eq!(reply.status, 200, "{grant:?} before {state:?}: {}", reply.text());
        }
        let cast = Box::pin(Cast::of(&world, 2 * number + 1)).await;
        state.come(&world, &cast).await;
        for grant in ALL {
            let reply = grant.ask(&world, &cast).await;
            let is_refused = (400..500).contains(&reply.status);
            // A grant that this state is not about is neither refused nor looked at.
            if ended.contains(&grant) && !is_refused {
                faults.push(format!("{state:?} {grant:?}: {}", reply.text()));
            }
            refused += usize::from(is_refused);
        }
        state.go(&world).await;
    }
    println!("{refused} pairs of state and grant refused");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(refused >= 100, "{refused}");
}
