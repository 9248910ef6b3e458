//! Assertions over a real store: which are taken, how often, and what is written down of them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use secrecy::ExposeSecret;
use tikti_token::AssertionKey;

use super::*;
use crate::domain::Domain;
use crate::integrity::verify;
use crate::keyspace;
use crate::settings::Limits;
use crate::testing::{FaultPlan, ISSUER, all, put_worker};

const MINUTE: u64 = 60_000;

/// A worker `t-acme.<id>` of a tenant, with a key of its own.
struct Signer {
    fixture: Fixture,
    tenant: TenantId,
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn public() -> AssertionKey {
    let x = BASE64URL_NOPAD.encode(pair().public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
    AssertionKey::parse(jwk.as_object().unwrap()).unwrap()
}

impl Signer {
    async fn new() -> Self {
        Self::within(Fixture::new().await).await
    }

    async fn within(fixture: Fixture) -> Self {
        fixture.admin("root@corp.sys").await;
        let tenant = fixture.tenant("root@corp.sys", "acme").await.id;
        let signer = Self { fixture, tenant };
        for id in ["worker-01", "worker-02"] {
            signer.put(&Worker { id: worker_id(id), ..signer.worker() }).await;
        }
        signer
    }

    fn worker(&self) -> Worker {
        let mut worker = testing::worker("worker-01", START);
        worker.clients = [ClientId::parse("backend-worker").unwrap()].into();
        worker.scopes = scopes("jobs:read");
        worker.credentials.keys = vec![public()];
        worker
    }

    async fn put(&self, worker: &Worker) {
        put_worker(&self.fixture.domain, &self.tenant, worker).await;
    }

    fn client_id(&self, worker: &str) -> String {
        format!("{}.{worker}", self.tenant)
    }

    fn claims(&self, worker: &str, jti: &str) -> Value {
        let (id, now) = (self.client_id(worker), crate::clock::seconds(self.fixture.now()));
        json!({"iss": id, "sub": id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti})
    }

    fn sign(claims: &Value) -> SecretString {
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": "k"});
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature = pair().sign(input.as_bytes());
        format!("{input}.{}", BASE64URL_NOPAD.encode(signature.as_ref())).into()
    }

    async fn show(&self, claims: &Value) -> Result<IssuedToWorker, Code> {
        self.show_to(&self.fixture.domain, (None, Self::sign(claims))).await
    }

    async fn show_to(
        &self,
        domain: &Domain,
        (client_id, assertion): (Option<&str>, SecretString),
    ) -> Result<IssuedToWorker, Code> {
        let client_id = client_id.map(str::to_owned);
        let auth = ClientAuth::Assertion { client_id, assertion };
        issue(domain, &Caller::default(), &request(auth)).await.map_err(|error| error.code())
    }

    /// How many assertions the store remembers.
    async fn remembered(&self) -> usize {
        let partition = keyspace::of_tenant(&self.tenant);
        let kind = tikti_store::Kind::new("assertion");
        let store = self.fixture.store();
        store.scan(&partition, kind, None, 500, self.fixture.now()).await.unwrap().entries.len()
    }
}

const INVALID: Result<(), Code> = Err(Code::InvalidClientCredentials);

#[tokio::test]
async fn an_assertion_is_good_once_until_no_replica_would_take_it() {
    let signer = Signer::new().await;
    let claims = signer.claims("worker-01", "j1");
    let issued = signer.show(&claims).await.unwrap();
    assert_eq!(issued.worker_id, worker_id("worker-01"));
    assert_eq!(issued.scope, scopes("jobs:read"));
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
    // The same name of another worker's assertion is another.
    signer.show(&signer.claims("worker-02", "j1")).await.unwrap();
    signer.show(&signer.claims("worker-01", "j2")).await.unwrap();
    assert_eq!(signer.remembered().await, 3);
    // In the last moment of the skew it is still remembered, then it is too old by itself.
    signer.fixture.clock.advance(2 * MINUTE);
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
    assert_eq!(signer.remembered().await, 3);
    signer.fixture.clock.advance(1000);
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
    assert_eq!(signer.remembered().await, 0);
}

#[tokio::test]
async fn l6_of_a_hundred_uses_of_one_assertion_at_once_one_gives_a_token() {
    let signer = Signer::new().await;
    let replica = signer.fixture.replica(2, &FaultPlan::crash_after(10_000)).await;
    let assertion = Signer::sign(&signer.claims("worker-01", "j1"));
    let shown = (0..100).map(|number| {
        let domain = if number % 2 == 0 { &signer.fixture.domain } else { &replica };
        signer.show_to(domain, (None, assertion.clone()))
    });
    let outcomes = all(shown).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(refused.into_iter().all(|code| *code == Code::InvalidClientCredentials));
    assert_eq!(signer.remembered().await, 1);
}

/// Whoever has caught one that was used has the worker's signature, and none of its limit.
#[tokio::test]
async fn e10_an_assertion_that_was_used_keeps_no_worker_out_however_often_it_is_shown() {
    let mut signer = Signer::new().await;
    let limits = &mut signer.fixture.domain.settings.limits;
    *limits = Limits::shipped();
    limits.exchanges_per_user.most = 3;
    let used = signer.claims("worker-01", "j0");
    signer.show(&used).await.unwrap();
    for _ in 0..10 {
        assert_eq!(signer.show(&used).await.map(drop), INVALID);
    }
    for jti in ["j1", "j2"] {
        signer.show(&signer.claims("worker-01", jti)).await.unwrap();
    }
    // The worker's own are counted, and what is too much is not written down.
    let more = signer.show(&signer.claims("worker-01", "j3")).await;
    assert_eq!(more.map(drop), Err(Code::RateLimited));
    assert_eq!(signer.remembered().await, 3);
}

/// Else it could be shown again with another request that is allowed.
#[tokio::test]
async fn an_assertion_is_used_by_a_request_that_is_refused() {
    let signer = Signer::new().await;
    let disabled = Worker { status: WorkerStatus::Disabled, ..signer.worker() };
    signer.put(&disabled).await;
    let claims = signer.claims("worker-01", "j1");
    assert_eq!(signer.show(&claims).await.map(drop), Err(Code::WorkerDisabled));
    signer.put(&signer.worker()).await;
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
}

#[tokio::test]
async fn nothing_is_written_of_what_the_worker_has_not_signed() {
    let signer = Signer::new().await;
    let good = signer.claims("worker-01", "j1");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        Signer::sign(&claims)
    };
    let now = crate::clock::seconds(signer.fixture.now());
    let text = Signer::sign(&good).expose_secret().to_owned();
    let (beheaded, _) = text.rsplit_once('.').unwrap();
    let nobody = signer.client_id("nobody");
    let mut stranger = good.clone();
    (stranger["iss"], stranger["sub"]) = (json!(nobody), json!(nobody));
    for (name, assertion) in [
        ("another audience", with("aud", json!("https://other.test"))),
        ("another issuer", with("iss", json!(signer.client_id("worker-02")))),
        ("another subject", with("sub", json!(signer.client_id("worker-02")))),
        ("too long", with("exp", json!(now + 301))),
        ("expired", with("exp", json!(now - 61))),
        ("no jti", with("jti", json!(""))),
        ("a worker that is none", Signer::sign(&stranger)),
        ("a signature with more behind it", format!("{text}AA").into()),
        ("no signature", format!("{beheaded}.").into()),
        ("nothing", String::new().into()),
    ] {
        let shown = signer.show_to(&signer.fixture.domain, (None, assertion)).await;
        assert_eq!(shown.map(drop), INVALID, "{name}");
    }
    let other = signer.client_id("worker-02");
    let shown = signer.show_to(&signer.fixture.domain, (Some(&other), Signer::sign(&good))).await;
    assert_eq!(shown.map(drop), INVALID);
    assert_eq!(signer.remembered().await, 0);
    let own = signer.client_id("worker-01");
    signer.show_to(&signer.fixture.domain, (Some(&own), Signer::sign(&good))).await.unwrap();
}

#[tokio::test]
async fn the_token_endpoint_is_an_audience_too() {
    let signer = Signer::new().await;
    for (number, aud) in [
        json!(format!("{ISSUER}/oauth2/token")),
        json!([ISSUER]),
        json!(["https://a.test", ISSUER]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = signer.claims("worker-01", &format!("j{number}"));
        claims["aud"] = aud;
        signer.show(&claims).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_was_taken_away_proves_nothing() {
    let signer = Signer::new().await;
    let mut worker = signer.worker();
    worker.credentials.keys.clear();
    signer.put(&worker).await;
    assert_eq!(signer.show(&signer.claims("worker-01", "j1")).await.map(drop), INVALID);
}

/// Of a tenant made again: the other one's records are not read.
#[tokio::test]
async fn t7_a_worker_of_another_tenant_is_another_worker() {
    let signer = Signer::new().await;
    let other = signer.fixture.tenant("root@corp.sys", "other").await.id;
    let mut worker = signer.worker();
    worker.credentials.keys.clear();
    put_worker(&signer.fixture.domain, &other, &worker).await;
    let mut claims = signer.claims("worker-01", "j1");
    let id = format!("{other}.worker-01");
    (claims["iss"], claims["sub"]) = (json!(id), json!(id));
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
}

/// A restored store has forgotten what was shown since the backup.
#[tokio::test]
async fn no_assertion_from_before_a_restore_is_taken() {
    let mut signer = Signer::new().await;
    let claims = signer.claims("worker-01", "j1");
    let mut undated = signer.claims("worker-01", "j2");
    undated.as_object_mut().unwrap().remove("iat");
    // Of a clock that is ahead by all of the skew: it would be good now already.
    let mut ahead = signer.claims("worker-01", "j4");
    ahead["iat"] = json!(ahead["iat"].as_u64().unwrap() + 60);
    ahead["exp"] = json!(ahead["exp"].as_u64().unwrap() + 60);
    signer.show(&ahead).await.unwrap();
    // Of another name, as if the store had forgotten it.
    ahead["jti"] = json!("j5");
    signer.fixture.clock.advance(1000);
    signer.fixture.domain.not_before = Some(signer.fixture.now());
    assert_eq!(signer.show(&claims).await.map(drop), INVALID);
    assert_eq!(signer.show(&undated).await.map(drop), INVALID);
    assert_eq!(signer.show(&ahead).await.map(drop), INVALID);
    signer.fixture.clock.advance(MINUTE);
    signer.show(&signer.claims("worker-01", "j3")).await.unwrap();
}

#[tokio::test]
async fn a_remembered_assertion_breaks_no_rule_of_the_store() {
    let signer = Signer::new().await;
    signer.show(&signer.claims("worker-01", "j1")).await.unwrap();
    let domain = &signer.fixture.domain;
    let report = verify(signer.fixture.store(), domain.clock.now(), &mut |_| ()).await.unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
}
