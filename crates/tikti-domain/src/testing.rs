//! What tests of the rules start from: a real store in a directory of its own, a clock that stands
//! still, repeatable randomness, and the people and tenants that most tests need.
//!
//! Only in test builds (feature `testing`).

#![expect(clippy::expect_used, reason = "a fixture that cannot be made is a failed test")]

mod records;

use std::any::Any;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
pub use tikti_store::testing::{Certificates, FaultPlan, RedisServer};
use tikti_store::{Entry, OpenOptions, Store};

use crate::account::{
    NewUser, OobRequest, SendOobCode, SignIn, SignInCall, SignedIn, create_user, send_oob_code,
    sign_in,
};
use crate::api_key::{ApiKey, ConfiguredApiKey, KeyScope};
use crate::audit::chain::Head;
use crate::client::Client;
use crate::clock::{Clock, Timestamp, parse_rfc3339};
use crate::domain::{Caller, Domain, DomainConfig};
use crate::email::Email;
use crate::error::Error;
use crate::id::{ClientId, RoleName, Slug, TenantId, WorkerId};
use crate::keyspace;
use crate::mail::{self, DueMail, MailCursor, NextMail};
use crate::membership::Membership;
use crate::password::{LOWEST_COST, PasswordHash, Passwords};
use crate::pool::PoolSize;
use crate::random::Random;
use crate::record::{Lasting, Record};
use crate::scope::ScopeSet;
use crate::secret::{NamedSecret, SecretBytes, Secrets};
use crate::settings::{Limits, Settings};
use crate::signing_key::{SigningKeys, first_key};
use crate::tenancy::{CreateTenant, add_member, create_tenant};
use crate::tenant::Tenant;
pub use crate::together::side_by_side as all;
use crate::user::{GlobalRole, User, UserStatus};
use crate::worker::{Credentials, Worker, WorkerStatus};

pub use records::{
    bury_worker, private_keys, put_api_key, put_client, put_worker, set_tenant_status,
    set_user_status, worker_token,
};

/// The deployment's API key in tests.
pub const API_KEY: &str = "tk_test_abcdefghijklmnopqrstuvwxyz012345";
/// The password of every user in tests.
pub const PASSWORD: &str = "correct horse battery";
/// When tests begin: 2026-01-27T16:43:34Z.
pub const START: Timestamp = Timestamp::from_millis(1_769_532_214_000);
/// The issuer in tests.
pub const ISSUER: &str = "https://api.tikti.test";

/// Limits that count and that no test meets: a hundred times the shipped ones.
#[must_use]
pub fn far_limits() -> Limits {
    let mut limits = Limits::shipped();
    for limit in [
        &mut limits.failed_sign_ins_per_network,
        &mut limits.failed_sign_ins_per_ip,
        &mut limits.failed_sign_ins_per_email,
        &mut limits.codes_per_email,
        &mut limits.codes_per_ip,
        &mut limits.redemptions_per_ip,
        &mut limits.redemptions_per_email,
        &mut limits.email_changes_per_user,
        &mut limits.exchanges_per_user,
        &mut limits.refreshes_per_session,
        &mut limits.unknown_members_per_caller,
        &mut limits.lookups_per_key,
    ] {
        *limit = limit.times(100);
    }
    limits
}

/// The rules over a real store.
#[derive(Debug)]
pub struct Fixture {
    /// The rules.
    pub domain: Domain,
    /// Its clock.
    pub clock: Clock,
    /// What the store lives in, for as long as the fixture.
    home: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A new deployment with the shipped settings and the cheapest password hash.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A new deployment whose settings were changed by `change`.
    pub async fn with(change: impl FnOnce(&mut Settings) + Send) -> Self {
        Self::configured(|config| change(&mut config.settings)).await
    }

    /// A new deployment whose configuration was changed by `change`.
    pub async fn configured(change: impl FnOnce(&mut DomainConfig) + Send) -> Self {
        let (store, home) = new_store(new_directory()).await;
        let clock = Clock::manual(START);
        let mut config = config();
        change(&mut config);
        let keys = Entry::new(signing_keys());
        store.put(&keyspace::signing_keys(), keys, START).await.expect("the store");
        let domain = Domain::open(store, config, clock.clone(), Random::seeded(1))
            .await
            .expect("a new deployment");
        Self { domain, clock, home }
    }

    /// Another replica of the same deployment, whose store fails as `plan` says.
    pub async fn replica(&self, seed: u64, plan: &Arc<FaultPlan>) -> Domain {
        self.replica_with(seed, plan, |_| ()).await
    }

    /// As [`Fixture::replica`], with settings that were changed by `change`.
    pub async fn replica_with(
        &self,
        seed: u64,
        plan: &Arc<FaultPlan>,
        change: impl FnOnce(&mut Settings) + Send,
    ) -> Domain {
        let store = self.domain.store.clone();
        let mut config = DomainConfig { settings: self.domain.settings.clone(), ..config() };
        change(&mut config.settings);
        let opened = Domain::open(store, config, self.clock.clone(), Random::seeded(seed)).await;
        let mut replica = opened.expect("a replica");
        replica.store = replica.store.with_faults(Arc::clone(plan));
        replica
    }

    /// What everything is kept in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.domain.store
    }

    /// The rules alone, and what has to live as long as they are asked.
    #[must_use]
    pub fn into_parts(self) -> (Domain, Box<dyn Any + Send + Sync>) {
        (self.domain, self.home)
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a user with [`PASSWORD`].
    pub async fn user(&self, email: &str, role: GlobalRole) -> User {
        let hash = self.domain.passwords.hash(&PASSWORD.to_owned().into()).await.expect("a hash");
        let email = Email::parse(email).expect("an address");
        let new = NewUser { email, password_hash: Some(hash), role };
        create_user(&self.domain, new, self.now()).await.expect("a new user")
    }

    /// Makes a global administrator with [`PASSWORD`].
    pub async fn admin(&self, email: &str) -> User {
        self.user(email, GlobalRole::Admin).await
    }

    /// Signs a user in, in the tenant that follows from his memberships.
    pub async fn sign_in(&self, email: &str) -> SignedIn {
        self.try_sign_in(email, PASSWORD).await.expect("a session")
    }

    /// Tries to sign a user in.
    ///
    /// # Errors
    /// The operation's.
    pub async fn try_sign_in(&self, email: &str, password: &str) -> Result<SignedIn, Error> {
        self.sign_in_from(email, password, None).await
    }

    /// Tries to sign a user in from an address.
    ///
    /// # Errors
    /// The operation's.
    pub async fn sign_in_from(
        &self,
        email: &str,
        password: &str,
        ip: Option<IpAddr>,
    ) -> Result<SignedIn, Error> {
        let ask = SignIn {
            call: SignInCall::Open,
            email: Email::parse(email)?,
            password: password.to_owned().into(),
            tenant: None,
            client: None,
            return_secure_token: true,
        };
        Box::pin(sign_in(&self.domain, &Caller { ip, ..Caller::default() }, &ask)).await
    }

    /// Has a code sent and gives it, as the deployment's own key gets it.
    pub async fn oob_code(&self, request: OobRequest) -> SecretString {
        let ask = SendOobCode { request, continue_url: None, language: None };
        let sent = send_oob_code(&self.domain, &keyed(), &ask).await.expect("a code");
        sent.code.expect("a code in the reply")
    }

    /// Takes every mail out of the queue that is due, as if it was delivered.
    pub async fn mails(&self) -> Vec<DueMail> {
        let (mut cursor, mut mails) = (MailCursor::default(), Vec::new());
        loop {
            let next = mail::next_due(&self.domain, &mut cursor, self.now()).await;
            match next.expect("the queue can be read") {
                NextMail::Due(due) => {
                    mail::delivered(&self.domain, &due).await.expect("it can be taken out");
                    mails.push(*due);
                }
                NextMail::More => {}
                NextMail::End => return mails,
            }
        }
    }

    /// Makes a tenant from the template; `admin` must be a global administrator.
    pub async fn tenant(&self, admin: &str, slug: &str) -> Tenant {
        let session = self.sign_in(admin).await;
        let ask = CreateTenant { slug: Slug::parse(slug).expect("a slug"), name: None, id: None };
        let caller = bearing(&session.id_token);
        Box::pin(create_tenant(&self.domain, &caller, &ask)).await.expect("a new tenant")
    }

    /// Adds a user to a tenant, or gives a member these roles.
    pub async fn member(&self, tenant: &TenantId, user: &User, roles: &[&str]) -> Membership {
        let roles = roles.iter().map(|role| RoleName::parse(role).expect("a role")).collect();
        let key = keyspace::member(tenant, &user.id);
        let stored = self.domain.store.get(&key, self.now()).await.expect("the store");
        let Some(stored) = stored else {
            let added =
                Box::pin(add_member(&self.domain, tenant, &user.id, roles, self.now())).await;
            return added.expect("a new member");
        };
        let held = Membership::decode(&key, &stored).expect("a membership");
        let held = Membership { roles, ..held };
        self.put_membership(&held).await;
        held
    }

    /// Reads a user as it is stored now.
    pub async fn reload(&self, user: &User) -> User {
        let key = keyspace::user(&user.id);
        let stored = self.domain.store.get(&key, self.now()).await.expect("the store");
        User::load(&key, stored.as_ref()).expect("a record").expect("a user")
    }

    /// Writes a user as it is given.
    pub async fn put_user(&self, user: &User) {
        self.put(&keyspace::user(&user.id), &Lasting::Live(user.clone())).await;
    }

    /// Writes a tenant as it is given.
    pub async fn put_tenant(&self, tenant: &Tenant) {
        self.put(&keyspace::tenant(&tenant.id), &Lasting::Live(tenant.clone())).await;
    }

    /// Writes a membership as it is given.
    pub async fn put_membership(&self, held: &Membership) {
        self.put(&keyspace::member(&held.tenant_id, &held.user_id), held).await;
    }

    /// Writes a client as it is given.
    pub async fn put_client(&self, tenant: &TenantId, client: &Client) {
        self.put(&keyspace::client(tenant, &client.id), client).await;
    }

    /// Writes a worker as it is given.
    pub async fn put_worker(&self, tenant: &TenantId, worker: &Worker) {
        self.put(&keyspace::worker(tenant, &worker.id), &Lasting::Live(worker.clone())).await;
    }

    /// Hashes a password at a cost of its own.
    pub async fn hash_of_cost(&self, password: &str, cost: u32) -> PasswordHash {
        let size = self.domain.settings.password_pool;
        let passwords = Passwords::start(size, cost, self.domain.random.clone());
        let passwords = passwords.expect("a pool");
        passwords.hash(&password.to_owned().into()).await.expect("a hash")
    }

    /// Makes an API key of the form `tk_<id>_secret…` with these scopes, as `change` leaves it.
    pub async fn api_key(
        &self,
        id: &str,
        scopes: &[KeyScope],
        change: impl FnOnce(&mut ApiKey) + Send,
    ) -> SecretString {
        let text = format!("tk_{id}_abcdefghijklmnopqrstuvwxyz012345");
        put_api_key(&self.domain, &text, scopes, change).await;
        text.into()
    }

    /// Reads a client of a tenant.
    pub async fn client(&self, tenant: &TenantId, id: &str) -> Client {
        let key = keyspace::client(tenant, &ClientId::parse(id).expect("a client id"));
        let stored = self.domain.store.get(&key, self.now()).await.expect("the store");
        Client::decode(&key, &stored.expect("a client")).expect("a client's record")
    }

    async fn put<T: Record + Sync>(&self, key: &tikti_store::Key, record: &T) {
        let bytes = record.encode().expect("a record");
        self.domain.store.put(key, Entry::new(&bytes), self.now()).await.expect("the store");
    }
}

/// The first signing key of every fixture's deployment, as it is stored: to make one takes longer
/// than most tests.
fn signing_keys() -> &'static [u8] {
    static RECORD: OnceLock<Vec<u8>> = OnceLock::new();
    RECORD.get_or_init(|| {
        let DomainConfig { settings, secrets, .. } = config();
        let random = Random::seeded(0);
        let key = first_key(settings.rsa_size, &secrets.master_key, START, &random);
        SigningKeys { keys: vec![key.expect("a key")], not_before: None }
            .encode()
            .expect("a record")
    })
}

/// What a signed head of the audit says, verified by `keys` as they are served: where the chain ended, and
/// how many events are gone, where it is a checkpoint.
#[must_use]
pub fn verified_head(keys: &str, jws: &str) -> (Head, Option<u64>) {
    let jwks: tikti_token::Jwks = serde_json::from_str(keys).expect("a set of keys");
    let keys = tikti_token::KeySet::from_jwks(&jwks).expect("usable keys");
    let claims = tikti_token::verify_audit_head(jws, &keys).expect("a signed head").into_claims();
    let chained_at = parse_rfc3339(&claims.chained_at).expect("a time");
    (Head { seq: claims.seq, chained_at, hash: claims.hash }, claims.pruned)
}

/// Whether this run of tests is one on Redis: `TIKTI_TEST_STORE` is `redis`.
///
/// # Panics
/// For a value that means nothing: it would be a run on the embedded store again.
#[must_use]
pub fn redis_is_chosen() -> bool {
    #[expect(clippy::disallowed_methods, reason = "chooses the store of a whole run of tests")]
    let chosen = std::env::var_os("TIKTI_TEST_STORE");
    let is = |name: &str| chosen.as_deref().is_some_and(|chosen| chosen == name);
    let is_known = chosen.is_none() || is("embedded") || is("redis");
    assert!(is_known, "TIKTI_TEST_STORE is neither embedded nor redis: {chosen:?}");
    is("redis")
}

/// A directory for an embedded store: in memory where the system has a place for that, since a test
/// that waits for a disk at every write shows nothing more.
#[must_use]
pub fn new_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    directory.expect("a temporary directory")
}

/// An empty store, and what it lives in: this directory, or a server of the Redis protocol where that
/// is chosen.
async fn new_store(directory: TempDir) -> (Store, Box<dyn Any + Send + Sync>) {
    let options = OpenOptions::new([7; 16], "test");
    if redis_is_chosen() {
        let server = RedisServer::start();
        return (Store::open(&server.url(), options).await.expect("a new store"), Box::new(server));
    }
    let url = format!("embedded:{}", directory.path().join("store").display());
    (Store::open(&url, options).await.expect("a new store"), Box::new(directory))
}

/// Makes a user with [`PASSWORD`] and this status.
pub async fn put_user(domain: &Domain, email: &str, status: UserStatus) {
    let hash = domain.passwords.hash(&PASSWORD.to_owned().into()).await.expect("a hash");
    let email = Email::parse(email).expect("an address");
    let new = NewUser { email, password_hash: Some(hash), role: GlobalRole::CompanyEmployee };
    let now = domain.clock.now();
    let user = create_user(domain, new, now).await.expect("a new user");
    let key = keyspace::user(&user.id);
    let bytes = Lasting::Live(User { status, ..user }).encode().expect("a record");
    domain.store.put(&key, Entry::new(&bytes), now).await.expect("the store");
}

/// The configuration of a deployment in tests.
#[must_use]
pub fn config() -> DomainConfig {
    let named = |kid: &str, byte: u8| {
        vec![NamedSecret { kid: kid.to_owned(), secret: SecretBytes::new(vec![byte; 32]) }]
    };
    let mut settings = Settings::shipped(ISSUER).expect("the shipped settings");
    settings.password_cost = LOWEST_COST;
    let size =
        PoolSize { threads: 2, queue: 1024, longest_wait: Duration::from_secs(60), niceness: 0 };
    settings.password_pool = size;
    settings.signing_pool = size;
    // Clocks of tests leap, and nobody reads the keys again meanwhile.
    settings.key_view_max_age = Duration::from_hours(100 * 365 * 24);
    // A test that is about limits switches them on.
    settings.limits.enabled = false;
    DomainConfig {
        settings,
        secrets: Secrets {
            master_key: named("m1", 1),
            pepper: named("p1", 2),
            hs256: named("h1", 3),
            hs256_legacy: None,
        },
        api_key: Some(ConfiguredApiKey::Plain(API_KEY.to_owned().into())),
    }
}

/// A hash of [`PASSWORD`] as it is stored, made by bcrypt alone.
#[must_use]
pub fn raw_bcrypt_hash(cost: u32) -> String {
    bcrypt::hash(PASSWORD, cost).expect("a hash")
}

/// A caller with the deployment's key.
#[must_use]
pub fn keyed() -> Caller {
    Caller { api_key: Some(API_KEY.to_owned().into()), ..Caller::default() }
}

/// A caller with a bearer token.
#[must_use]
pub fn bearing(token: &SecretString) -> Caller {
    Caller { bearer: Some(token.clone()), ..Caller::default() }
}

/// A caller with the deployment's key and a bearer token.
#[must_use]
pub fn keyed_bearing(token: &SecretString) -> Caller {
    Caller { bearer: Some(token.clone()), ..keyed() }
}

/// A worker's id.
#[must_use]
pub fn worker_id(text: &str) -> WorkerId {
    WorkerId::parse(text).expect("a worker id")
}

/// A worker that may act, and holds nothing.
#[must_use]
pub fn worker(id: &str, now: Timestamp) -> Worker {
    Worker {
        id: worker_id(id),
        clients: BTreeSet::new(),
        scopes: ScopeSet::default(),
        event_types: BTreeSet::new(),
        mintable_by: BTreeSet::new(),
        custom_tokens: false,
        credentials: Credentials::default(),
        status: WorkerStatus::Active,
        wver: now.as_millis(),
        created_at: now,
    }
}
