//! What is a worker's own token good for, once the worker has changed?

use secrecy::{ExposeSecret, SecretString};
use tikti_token::AccessClaims;

use super::*;
use crate::clock;
use crate::tenant::Tenant;
use crate::testing::{Fixture, ISSUER, bearing, keyed_bearing, worker_id};
use crate::{account, client};

struct World {
    fixture: Fixture,
    root: Caller,
    acme: Tenant,
    tenant: TenantRef,
}

impl World {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        fixture.admin("root@corp.sys").await;
        let acme = fixture.tenant("root@corp.sys", "acme").await;
        let root = keyed_bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let tenant = TenantRef::from(&acme.id);
        Self { fixture, root, acme, tenant }
    }

    /// Registers the worker `bot`, which may do this to its tenant.
    async fn bot(&self, scopes: &str) -> CreatedWorker {
        let rights = WorkerRights {
            clients: [ClientId::parse(client::TIKTI).unwrap()].into(),
            scopes: ScopeSet::parse(scopes).unwrap(),
            ..WorkerRights::default()
        };
        let ask = CreateWorker { id: worker_id("bot"), rights, keys: vec![] };
        create_worker(&self.fixture.domain, &self.root, (&self.tenant, &ask)).await.unwrap()
    }

    async fn stored(&self) -> Worker {
        let place = (&self.tenant, &worker_id("bot"));
        get_worker(&self.fixture.domain, &self.root, place).await.unwrap()
    }

    async fn update(&self, ask: UpdateWorker) -> Result<Worker, Error> {
        let place = (&self.tenant, &worker_id("bot"), &ask);
        update_worker(&self.fixture.domain, &self.root, place).await
    }

    /// The token that a worker gets by its own credentials.
    fn own_token(&self, worker: &Worker) -> SecretString {
        let (domain, now) = (&self.fixture.domain, clock::seconds(self.fixture.now()));
        let claims = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: client::TIKTI.to_owned(),
            iat: now,
            exp: now + 900,
            sub: worker.id.to_string(),
            tid: self.acme.id.to_string(),
            scope: worker.scopes.to_string(),
            sid: None,
            ver: None,
            mver: None,
            wver: Some(worker.wver),
            client_id: client::TIKTI.to_owned(),
            act: None,
            jti: "01JD0000000000000000000000".to_owned(),
        };
        let key = domain.signer(self.fixture.clock.now()).unwrap();
        tikti_token::mint_access(&key, domain.settings.access_token_type, &claims).unwrap().into()
    }

    /// Whether a token is good, as an administrator is told and as an administrative route finds.
    async fn is_good(&self, token: &SecretString) -> bool {
        let domain = &self.fixture.domain;
        let ask = account::Validate { token: token.clone(), audience: client::TIKTI.to_owned() };
        let told = account::validate(domain, &self.root, &ask).await;
        let page = PageRequest::new(None, None).unwrap();
        let listed = list_workers(domain, &bearing(token), (&self.tenant, &page)).await;
        match (&told, &listed) {
            (Ok(_), Ok(_)) => true,
            (Err(told), Err(listed)) => {
                assert_eq!(told.code(), Code::TokenRevoked);
                assert_eq!(listed.code(), Code::TenantNotFound);
                false
            }
            (told, listed) => panic!("{told:?}, but {listed:?}"),
        }
    }
}

#[tokio::test]
async fn a8_a_disabled_worker_is_dead_and_comes_back_without_its_old_tokens() {
    let world = World::new().await;
    let bot = world.bot("workers:read").await.worker;
    let token = world.own_token(&bot);
    assert!(world.is_good(&token).await);
    let status = |status| UpdateWorker { status: Some(status), ..UpdateWorker::default() };
    let disabled = world.update(status(WorkerStatus::Disabled)).await.unwrap();
    assert!(!world.is_good(&token).await && !world.is_good(&world.own_token(&disabled)).await);
    let active = world.update(status(WorkerStatus::Active)).await.unwrap();
    assert!(!world.is_good(&token).await && world.is_good(&world.own_token(&active)).await);
    // What changes nothing of that kind kills nothing.
    let event_types = Some([EventType::parse("render").unwrap()].into());
    world.update(UpdateWorker { event_types, ..UpdateWorker::default() }).await.unwrap();
    assert!(world.is_good(&world.own_token(&active)).await);
}

#[tokio::test]
async fn a_credential_that_is_taken_away_takes_the_tokens_with_it() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let bot = world.bot("workers:read").await.worker;
    let place = (&world.tenant, &bot.id);
    let token = world.own_token(&bot);
    let added = add_worker_secret(domain, &world.root, place, None).await.unwrap();
    assert!(world.is_good(&token).await, "a successor kills nothing");
    let first = bot.credentials.secrets[0].n;
    let of_first = (&world.tenant, &bot.id, first);
    remove_worker_secret(domain, &world.root, of_first).await.unwrap();
    assert!(!world.is_good(&token).await);
    let gone = remove_worker_secret(domain, &world.root, of_first).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let left: Vec<_> = world.stored().await.credentials.secrets.iter().map(|it| it.n).collect();
    assert_eq!(left, [added.n]);

    let token = world.own_token(&world.stored().await);
    let keys = parse_worker_keys("keys", &[ed25519("one")]).unwrap();
    set_worker_keys(domain, &world.root, place, &keys).await.unwrap();
    assert!(world.is_good(&token).await, "a further key kills nothing");
    set_worker_keys(domain, &world.root, place, &[]).await.unwrap();
    assert!(!world.is_good(&token).await);
}

fn ed25519(kid: &str) -> serde_json::Map<String, serde_json::Value> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
    jwk.as_object().unwrap().clone()
}

#[tokio::test]
async fn a10_a_worker_made_again_has_nothing_of_the_one_that_was_deleted() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let bot = world.bot("workers:read").await;
    let mut tokens = vec![world.own_token(&bot.worker)];
    // Within one millisecond its version runs ahead of the clock.
    for _ in 0..5 {
        let added = add_worker_secret(domain, &world.root, (&world.tenant, &bot.worker.id), None);
        let n = added.await.unwrap().n;
        let place = (&world.tenant, &bot.worker.id, n);
        remove_worker_secret(domain, &world.root, place).await.unwrap();
        tokens.push(world.own_token(&world.stored().await));
    }
    let place = (&world.tenant, &bot.worker.id);
    delete_worker(domain, &world.root, place).await.unwrap();
    for token in &tokens {
        assert!(!world.is_good(token).await);
    }
    assert_eq!(
        delete_worker(domain, &world.root, place).await.unwrap_err().code(),
        Code::WorkerNotFound
    );
    let again = world.bot("workers:read").await;
    for token in &tokens {
        assert!(!world.is_good(token).await);
    }
    assert!(world.is_good(&world.own_token(&again.worker)).await);
    let old = bot.secret.unwrap();
    let hashes = again.worker.credentials.secrets;
    let opens = |secret: &SecretString| {
        hashes.iter().any(|held| domain.peppers.matches(secret.expose_secret(), &held.hash))
    };
    assert!(!opens(&old) && opens(&again.secret.unwrap()));
}

/// A worker that administers gives away no more than it holds, itself included.
#[tokio::test]
async fn a4_a_worker_makes_neither_itself_nor_another_more_than_it_is() {
    let world = World::new().await;
    let domain = &world.fixture.domain;
    let bot = world.bot("workers:write jobs:read").await.worker;
    let caller = bearing(&world.own_token(&bot));
    let wider = ScopeSet::parse("workers:write jobs:read jobs:write").unwrap();
    let ask = UpdateWorker { scopes: Some(wider.clone()), ..UpdateWorker::default() };
    let refused = update_worker(domain, &caller, (&world.tenant, &bot.id, &ask)).await;
    assert_eq!(refused.unwrap_err().code(), Code::EscalationDenied);
    let rights = WorkerRights { scopes: wider, ..WorkerRights::default() };
    let ask = CreateWorker { id: worker_id("more"), rights, keys: vec![] };
    let refused = create_worker(domain, &caller, (&world.tenant, &ask)).await;
    assert_eq!(refused.unwrap_err().code(), Code::EscalationDenied);
    let scopes = ScopeSet::parse("jobs:read").unwrap();
    let rights = WorkerRights { scopes, ..WorkerRights::default() };
    let ask = CreateWorker { id: worker_id("less"), rights, keys: vec![] };
    create_worker(domain, &caller, (&world.tenant, &ask)).await.unwrap();
}
