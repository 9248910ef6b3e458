//! A tenant's key in use: every use of it, in every state of the key and of its tenant.

use secrecy::SecretString;
use tikti_domain::Caller;
use tikti_domain::account::{
    Lookup, OobRequest, ResetPassword, SendOobCode, SignIn, SignInCall, lookup, reset_password,
    send_oob_code, sign_in,
};
use tikti_domain::api_key::{ApiKeyStatus, KeyScope};
use tikti_domain::api_keys::{
    CreateApiKey, KeysOf, UpdateApiKey, create_api_key, delete_api_key, update_api_key,
};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ApiKeyId, ClientId, TenantId, TenantRef};
use tikti_domain::tenancy::{UpdateTenant, delete_tenant, update_tenant};
use tikti_domain::tenant::TenantStatus;
use tikti_domain::testing::{Fixture, PASSWORD, bearing};
use tikti_domain::token_exchange::{Exchange, exchange};
use tikti_domain::user::GlobalRole;

const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";

/// The tenant `acme` with its member Ann, a stranger, and a key that may all that a tenant's key may.
struct World {
    fixture: Fixture,
    root: Caller,
    acme: TenantId,
    id: ApiKeyId,
    key: Caller,
    /// Ann's, in `acme`.
    token: SecretString,
}

/// What came of each use of the key.
#[derive(Debug, PartialEq, Eq)]
struct Uses {
    sign_in: Option<Code>,
    lookup: Option<Code>,
    exchange: Option<Code>,
    /// Whether a mail went out; a refusal.
    mail: Result<bool, Code>,
    reset: Option<Code>,
}

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn code<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let tenant = fixture.tenant("root@corp.sys", "acme").await;
        let ann = fixture.user(ANN, GlobalRole::CompanyAdmin).await;
        fixture.member(&tenant.id, &ann, &["TENANT_USER", "JOBS_OPERATOR"]).await;
        fixture.user(BOB, GlobalRole::CompanyEmployee).await;
        let token = fixture.sign_in(ANN).await.id_token;
        let ask = CreateApiKey { name: None, scopes: KeyScope::TENANT.into(), expires_at: None };
        let of = KeysOf::Tenant(&acme());
        let made = create_api_key(&fixture.domain, &root, (of, &ask)).await.unwrap();
        let key = Caller { api_key: made.key, ..Caller::default() };
        Self { fixture, root, acme: tenant.id, id: made.record.id, key, token }
    }

    async fn sign_in(&self, email: &str) -> Option<Code> {
        let ask = SignIn {
            call: SignInCall::Keyed,
            email: Email::parse(email).unwrap(),
            password: PASSWORD.to_owned().into(),
            tenant: None,
            client: None,
            return_secure_token: false,
        };
        code(sign_in(&self.fixture.domain, &self.key, &ask).await)
    }

    /// Whether a code went to this address.
    async fn send(&self, email: &str) -> Result<bool, Code> {
        self.fixture.mails().await;
        let request = OobRequest::PasswordReset(Email::parse(email).unwrap());
        let ask = SendOobCode { request, continue_url: None, language: None };
        let sent = send_oob_code(&self.fixture.domain, &self.key, &ask).await;
        let sent = sent.map_err(|error| error.code())?;
        assert!(sent.code.is_none(), "a tenant's key is never given a code");
        Ok(!self.fixture.mails().await.is_empty())
    }

    /// Uses the key for Ann in each way; `mailed` was sent to her before.
    async fn uses(&self, mailed: &SecretString) -> Uses {
        let domain = &self.fixture.domain;
        let look = Lookup { id_token: self.token.clone(), memberships: true };
        let ask = Exchange {
            id_token: self.token.clone(),
            audience: ClientId::parse("backend-worker").unwrap(),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: None,
            tenant_header: None,
        };
        let check = ResetPassword { code: mailed.clone(), new_password: None };
        Uses {
            sign_in: self.sign_in(ANN).await,
            lookup: code(lookup(domain, &self.key, &look).await),
            exchange: code(exchange(domain, &self.key, &ask).await),
            mail: self.send(ANN).await,
            reset: code(reset_password(domain, &self.key, &check).await),
        }
    }

    /// A code that the tenant has sent to Ann.
    async fn mailed(&self) -> SecretString {
        self.fixture.mails().await;
        let request = OobRequest::PasswordReset(Email::parse(ANN).unwrap());
        let ask = SendOobCode { request, continue_url: None, language: None };
        send_oob_code(&self.fixture.domain, &self.key, &ask).await.unwrap();
        self.fixture.mails().await.pop().unwrap().code
    }

    async fn change(&self, ask: UpdateApiKey) {
        let of = KeysOf::Tenant(&acme());
        update_api_key(&self.fixture.domain, &self.root, (of, &self.id, &ask)).await.unwrap();
    }

    async fn set(&self, status: TenantStatus) {
        let ask = UpdateTenant { status: Some(status), ..UpdateTenant::default() };
        update_tenant(&self.fixture.domain, &self.root, (&acme(), &ask)).await.unwrap();
    }
}

fn all_refused(code: Code) -> Uses {
    let refused = Some(code);
    Uses { sign_in: refused, lookup: refused, exchange: refused, mail: Err(code), reset: refused }
}

const GOOD: Uses =
    Uses { sign_in: None, lookup: None, exchange: None, mail: Ok(true), reset: None };

/// Attacks, row A8: every state of a key but the active one, for every use of it.
#[tokio::test]
async fn a8_a_key_that_is_not_active_opens_nothing() {
    let world = World::new().await;
    let (domain, mailed) = (&world.fixture.domain, world.mailed().await);
    assert_eq!(world.uses(&mailed).await, GOOD);
    let to = |status| UpdateApiKey { status: Some(status), ..UpdateApiKey::default() };
    world.change(to(ApiKeyStatus::Disabled)).await;
    assert_eq!(world.uses(&mailed).await, all_refused(Code::InvalidApiKey));
    world.change(to(ApiKeyStatus::Active)).await;
    assert_eq!(world.uses(&mailed).await, GOOD);
    let end = world.fixture.now().plus_millis(1000);
    world.change(UpdateApiKey { expires_at: Some(end), ..UpdateApiKey::default() }).await;
    world.fixture.clock.advance(999);
    assert_eq!(world.uses(&mailed).await, GOOD);
    world.fixture.clock.advance(1);
    assert_eq!(world.uses(&mailed).await, all_refused(Code::InvalidApiKey));
    // One that has ended may be given more time.
    let end = world.fixture.now().plus_millis(1_000_000);
    world.change(UpdateApiKey { expires_at: Some(end), ..UpdateApiKey::default() }).await;
    assert_eq!(world.uses(&mailed).await, GOOD);
    let none = UpdateApiKey { scopes: Some([KeyScope::Revoke].into()), ..UpdateApiKey::default() };
    world.change(none).await;
    assert_eq!(world.uses(&mailed).await, all_refused(Code::ApiKeyForbidden));
    delete_api_key(domain, &world.root, (KeysOf::Tenant(&acme()), &world.id)).await.unwrap();
    assert_eq!(world.uses(&mailed).await, all_refused(Code::InvalidApiKey));
}

/// Attacks, row A8: every state of the key's tenant but the active one.
#[tokio::test]
async fn a8_a_key_of_a_tenant_that_is_not_served_opens_nothing() {
    let world = World::new().await;
    let mailed = world.mailed().await;
    world.set(TenantStatus::Suspended).await;
    let suspended = Uses {
        sign_in: Some(Code::TenantDisabled),
        lookup: Some(Code::TokenRevoked),
        exchange: Some(Code::TenantDisabled),
        mail: Ok(false),
        reset: Some(Code::InvalidOobCode),
    };
    assert_eq!(world.uses(&mailed).await, suspended);
    world.set(TenantStatus::Active).await;
    assert_eq!(world.uses(&mailed).await, GOOD);
    delete_tenant(&world.fixture.domain, &world.acme, world.fixture.now()).await.unwrap();
    assert_eq!(world.uses(&mailed).await, all_refused(Code::InvalidApiKey));
}

#[tokio::test]
async fn t5_to_a_key_of_a_tenant_who_is_no_member_is_a_stranger() {
    let world = World::new().await;
    for stranger in [BOB, "nobody@example.org"] {
        assert_eq!(world.sign_in(stranger).await, Some(Code::InvalidLoginCredentials));
        assert_eq!(world.send(stranger).await, Ok(false));
    }
}
