//! Tokens of an older Tikti: what opens to them, for whom, and until when.

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tikti_domain::account::{
    LookedUp, Lookup, RevokeScope, UpdateAccount, Validate, lookup, revoke, revoke_jti,
    update_account, validate,
};
use tikti_domain::account::{Revoke, delete_user};
use tikti_domain::clock::{Clock, Timestamp};
use tikti_domain::email::Email;
use tikti_domain::error::{Code, Error};
use tikti_domain::id::{ClientId, Slug, TenantId, TenantRef};
use tikti_domain::random::Random;
use tikti_domain::secret::{LegacySecrets, SecretBytes};
use tikti_domain::tenancy::{CreateTenant, create_tenant};
use tikti_domain::tenant::{Tenant, TenantStatus};
use tikti_domain::testing::{Fixture, START, config, keyed, keyed_bearing};
use tikti_domain::token_exchange::{Exchange, Issued, exchange};
use tikti_domain::user::{GlobalRole, User, UserStatus};
use tikti_domain::{Caller, Domain, StartError};
use tikti_token::HmacKey;

const ROOT: &str = "root@corp.sys";
const ANN: &str = "ann@example.org";
const OLD: &[u8] = b"the secret of an older deployment";
const HOUR: u64 = 3_600_000;

fn legacy(accept_until: Timestamp) -> LegacySecrets {
    LegacySecrets {
        secrets: vec![SecretBytes::new(OLD.to_vec())],
        accept_until,
        issuers: vec!["https://old.example.org".to_owned()],
    }
}

struct World {
    fixture: Fixture,
    acme: Tenant,
    ann: User,
}

impl World {
    async fn new() -> Self {
        let until = START.plus_millis(4 * HOUR);
        let fixture = Fixture::configured(|config| {
            config.secrets.hs256_legacy = Some(legacy(until));
        })
        .await;
        fixture.admin(ROOT).await;
        let acme = fixture.tenant(ROOT, "acme").await;
        let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
        fixture.member(&acme.id, &ann, &["JOBS_OPERATOR", "TENANT_ADMIN"]).await;
        fixture.clock.advance(10_000);
        Self { fixture, acme, ann }
    }

    fn seconds(&self) -> u64 {
        self.fixture.now().as_millis() / 1000
    }

    /// A token of now that names Ann and her tenant, as `change` leaves it.
    fn token(&self, change: impl FnOnce(&mut Value)) -> SecretString {
        let now = self.seconds();
        let mut claims = json!({
            "sub": self.ann.id.as_str(), "tid": self.acme.id.as_str(), "iat": now, "exp": now + 3600,
        });
        change(&mut claims);
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let input = format!("{}.{}", encode(&json!({"alg": "HS256"})), encode(&claims));
        let tag = HmacKey::new("old", OLD).unwrap().sign_raw(input.as_bytes());
        format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref())).into()
    }

    async fn look_up(&self, token: &SecretString) -> Result<LookedUp, Error> {
        let ask = Lookup { id_token: token.clone(), memberships: false };
        lookup(&self.fixture.domain, &keyed(), &ask).await
    }

    async fn exchange_for(
        &self,
        token: &SecretString,
        audience: &str,
        tenant: Option<&str>,
    ) -> Result<Issued, Error> {
        let ask = Exchange {
            id_token: token.clone(),
            audience: ClientId::parse(audience).unwrap(),
            scopes: None,
            event_types: None,
            ttl_seconds: None,
            subject: None,
            tenant: tenant.map(|tenant| TenantRef::parse(tenant).unwrap()),
            tenant_header: None,
        };
        exchange(&self.fixture.domain, &keyed(), &ask).await
    }

    /// What lookup and exchange say of a token.
    async fn refusals(&self, token: &SecretString) -> (Option<Code>, Option<Code>) {
        let exchanged = self.exchange_for(token, "backend-worker", None).await;
        let looked_up = self.look_up(token).await;
        (looked_up.err().map(|e| e.code()), exchanged.err().map(|e| e.code()))
    }

    async fn root(&self) -> Caller {
        keyed_bearing(&self.fixture.sign_in(ROOT).await.id_token)
    }

    async fn set_status(&self, status: UserStatus) {
        let mut user = self.ann.clone();
        user.status = status;
        self.fixture.put_user(&user).await;
    }

    async fn revoke(&self, scope: RevokeScope) {
        let ask = Revoke { email: Email::parse(ANN).unwrap(), scope };
        revoke(&self.fixture.domain, &self.root().await, &ask).await.unwrap();
    }
}

fn both(code: Code) -> (Option<Code>, Option<Code>) {
    (Some(code), Some(code))
}

#[tokio::test]
async fn a_token_of_an_older_tikti_is_looked_up_and_exchanged() {
    let world = World::new().await;
    let found = world.look_up(&world.token(|_| ())).await.unwrap();
    assert_eq!(
        (found.user_id, found.tenant_id),
        (world.ann.id.clone(), Some(world.acme.id.clone()))
    );
    // By address alone, and by both.
    for claims in [json!({"email": ANN, "sub": null}), json!({"email": ANN})] {
        let token = world.token(|token| {
            let members = token.as_object_mut().unwrap();
            members.extend(claims.as_object().unwrap().clone());
            members.retain(|_, value| !value.is_null());
        });
        assert_eq!(world.refusals(&token).await, (None, None));
    }
    let tenantless = world.token(|token| drop(token.as_object_mut().unwrap().remove("tid")));
    world.look_up(&tenantless).await.unwrap();
    let refused = world.exchange_for(&tenantless, "backend-worker", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::TenantRequired);
    let issued = world.exchange_for(&tenantless, "backend-worker", Some("acme")).await.unwrap();
    let payload = issued.token.expose_secret().split('.').nth(1).unwrap().as_bytes();
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(payload).unwrap()).unwrap();
    assert_eq!((&claims["sid"], &claims["ver"]), (&Value::Null, &json!(world.ann.ver)));
    assert!(claims["mver"].is_u64());
    world.fixture.tenant(ROOT, "other").await;
    let refused = world.exchange_for(&tenantless, "backend-worker", Some("other")).await;
    assert_eq!(refused.unwrap_err().code(), Code::MembershipRequired);
}

#[tokio::test]
async fn a_token_and_a_request_name_a_tenant_as_the_older_tikti_called_it() {
    let world = World::new().await;
    let id = TenantId::of_old("42").unwrap();
    let ask = CreateTenant { slug: Slug::parse("beta").unwrap(), name: None, id: Some(id.clone()) };
    let root = world.root().await;
    create_tenant(&world.fixture.domain, &root, &ask).await.unwrap();
    world.fixture.member(&id, &world.ann, &["JOBS_OPERATOR"]).await;
    world.fixture.clock.advance(10_000);
    for named in ["42", "t-42"] {
        let token = world.token(|claims| claims["tid"] = named.into());
        assert_eq!(world.look_up(&token).await.unwrap().tenant_id, Some(id.clone()));
        for tenant in [None, Some("42"), Some("t-42"), Some("beta")] {
            world.exchange_for(&token, "backend-worker", tenant).await.unwrap();
        }
    }
    let token = world.token(|claims| claims["tid"] = "43".into());
    assert!(world.look_up(&token).await.is_err());
}

#[tokio::test]
async fn a_token_names_one_active_user_or_is_none() {
    let world = World::new().await;
    for (member, value) in [
        ("sub", json!("nobody")),
        ("sub", json!("")),
        ("email", json!("nobody@example.org")),
        ("email", json!("no address")),
        ("iss", json!("https://api.tikti.test")),
        ("tid", json!("a tenant")),
    ] {
        let token = world.token(|token| token[member] = value);
        assert_eq!(world.refusals(&token).await, both(Code::InvalidIdToken), "{member}");
    }
    let token = world.token(|token| {
        let members = token.as_object_mut().unwrap();
        members.remove("sub");
        members.insert("email".to_owned(), json!("nobody@example.org"));
    });
    assert_eq!(world.refusals(&token).await, both(Code::InvalidIdToken));
    let token = world.token(|token| token["exp"] = json!(world.seconds() - 61));
    assert_eq!(world.refusals(&token).await, both(Code::TokenExpired));
    let token = world.token(|_| ());
    for status in [UserStatus::Suspended, UserStatus::Inactive] {
        world.set_status(status).await;
        assert_eq!(world.refusals(&token).await, both(Code::UserDisabled));
    }
    world.fixture.put_user(&world.ann).await;
    let suspended = Tenant { status: TenantStatus::Suspended, ..world.acme.clone() };
    world.fixture.put_tenant(&suspended).await;
    assert_eq!(
        world.refusals(&token).await,
        (Some(Code::TokenRevoked), Some(Code::TenantDisabled))
    );
    delete_user(&world.fixture.domain, &world.ann.id, world.fixture.now()).await.unwrap();
    assert_eq!(world.refusals(&token).await, both(Code::InvalidIdToken));
}

/// Attacks, row E9: neither Tikti's own administration nor an administrator is within reach.
#[tokio::test]
async fn e9_a_token_of_an_older_tikti_administers_nothing() {
    let world = World::new().await;
    let token = world.token(|_| ());
    let refused = world.exchange_for(&token, "tikti", None).await.unwrap_err();
    assert_eq!(refused.code(), Code::GrantNotAllowed);
    let root = world.look_up(&world.fixture.sign_in(ROOT).await.id_token).await.unwrap().user_id;
    let roots = world.token(|token| token["sub"] = json!(root.as_str()));
    assert_eq!(world.refusals(&roots).await, (None, Some(Code::InvalidIdToken)));
    for audience in ["tikti", "backend-worker"] {
        let refused = world.exchange_for(&roots, audience, Some("acme")).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidIdToken);
    }
    let ask = UpdateAccount {
        id_token: token,
        email: None,
        password: None,
        display_name: Some("Ann".to_owned()),
        default_tenant: None,
    };
    let refused = update_account(&world.fixture.domain, &keyed(), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidIdToken);
}

/// Attacks, rows A2 and A10.
#[tokio::test]
async fn a2_a_revocation_ends_older_tokens_and_what_was_exchanged_for_them() {
    let audience = "backend-worker".to_owned();
    for scope in ["global", "tenant", "jti", "user"] {
        let world = World::new().await;
        let token = world.token(|_| ());
        let issued = world.exchange_for(&token, "backend-worker", None).await.unwrap();
        let ask = Validate { token: issued.token, audience: audience.clone() };
        let caller = world.root().await;
        validate(&world.fixture.domain, &caller, &ask).await.unwrap();
        world.fixture.clock.advance(1500);
        match scope {
            "global" => world.revoke(RevokeScope::Global).await,
            "tenant" => {
                world.revoke(RevokeScope::Tenant(TenantRef::parse("acme").unwrap())).await;
            }
            "jti" => drop(revoke_jti(&world.fixture.domain, &caller, &ask.token).await.unwrap()),
            _ => world.set_status(UserStatus::Suspended).await,
        }
        let dead = validate(&world.fixture.domain, &caller, &ask).await.unwrap_err();
        assert_eq!(dead.code(), Code::TokenRevoked, "{scope}");
        let expected = match scope {
            "global" => both(Code::TokenRevoked),
            "tenant" => (Some(Code::TokenRevoked), Some(Code::MembershipRequired)),
            "jti" => (None, None),
            _ => both(Code::UserDisabled),
        };
        assert_eq!(world.refusals(&token).await, expected, "{scope}");
        if scope == "global" || scope == "tenant" {
            // The very second of the revocation is before it.
            assert_eq!(world.refusals(&world.token(|_| ())).await, expected);
            world.fixture.clock.advance(1000);
            assert_eq!(world.refusals(&world.token(|_| ())).await, (None, None));
        }
    }
}

#[tokio::test]
async fn none_is_taken_from_the_configured_moment_on() {
    let world = World::new().await;
    let until = START.plus_millis(4 * HOUR);
    world.fixture.clock.set(Timestamp::from_millis(until.as_millis() - 1));
    let token = world.token(|_| ());
    assert_eq!(world.refusals(&token).await, (None, None));
    world.fixture.clock.set(until);
    assert_eq!(world.refusals(&token).await, both(Code::InvalidIdToken));
}

#[tokio::test]
async fn without_the_secret_none_is_taken() {
    let world = World::new().await;
    let token = world.token(|_| ());
    let other = World { fixture: Fixture::new().await, ..world };
    assert_eq!(other.refusals(&token).await, both(Code::InvalidIdToken));
}

#[tokio::test]
async fn a_time_more_than_a_day_after_the_first_start_does_not_start() {
    let world = World::new().await;
    world.fixture.clock.advance(20 * HOUR);
    for (after, starts) in [(24 * HOUR, true), (24 * HOUR + 1, false)] {
        let mut config = config();
        config.secrets.hs256_legacy = Some(legacy(START.plus_millis(after)));
        let store = world.fixture.store().clone();
        let clock = Clock::manual(world.fixture.now());
        let opened = Domain::open(store, config, clock, Random::seeded(3)).await;
        match opened {
            Ok(_) => assert!(starts),
            Err(StartError::Setting { setting: "secrets.hs256Legacy", .. }) => assert!(!starts),
            Err(error) => panic!("{error}"),
        }
    }
}
