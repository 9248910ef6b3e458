//! A real server on a port of its own, over a store of its own: in a temporary directory, or on a
//! Redis of its own where `TIKTI_TEST_STORE` is `redis`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use tempfile::TempDir;
use tikti_domain::Domain;
use tikti_domain::clock::Clock;
use tikti_domain::random::Random;
use tikti_domain::secret::Secrets;
use tikti_domain::settings::IdTokenAlgorithm;
use tikti_domain::testing::{RedisServer, far_limits, private_keys};
use tikti_server::config::Config;
use tikti_server::dev::{self, DevSetup};
use tikti_server::{Listener, Running, ShutdownHandle};
use tokio::net::TcpStream;

use super::leaks::Hidden;
use super::{LOG, Reply, Request};

/// The password of every user that a test makes.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Passwords are not what most tests are about.
const CHEAP: u32 = 4;
/// What the template's `backend-worker` allows.
pub(crate) const JOBS: &str = "jobs:read jobs:write";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) setup: DevSetup,
    pub(crate) running: Mutex<Option<Running>>,
    shutdown: ShutdownHandle,
    /// What must not be in any log: the secrets of the setup, and every token that was answered.
    pub(super) secrets: Mutex<Vec<Vec<u8>>>,
    /// What must not be in any reply.
    pub(super) hidden: Mutex<Hidden>,
    /// What the private keys in the store are sealed under.
    sealed_under: Secrets,
    place: Place,
}

/// Where a server keeps everything; what is in it outlives the server.
pub(crate) struct Place {
    directory: TempDir,
    redis: Option<RedisServer>,
}

impl Place {
    /// One with the store that the run of the tests is about.
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "chooses the store of a whole run")]
        let store = std::env::var_os("TIKTI_TEST_STORE");
        let is = |name: &str| store.as_deref().is_some_and(|store| store == name);
        // A mistyped one would be a run on the embedded store again.
        let is_known = store.is_none() || is("embedded") || is("redis");
        assert!(is_known, "TIKTI_TEST_STORE is neither embedded nor redis: {store:?}");
        if is("redis") { Self::on_redis() } else { Self::embedded() }
    }

    /// One for a test that is about the embedded store.
    pub(crate) fn embedded() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), redis: None }
    }

    /// One for a test that is about a store on a server.
    pub(crate) fn on_redis() -> Self {
        Self { redis: Some(RedisServer::start()), ..Self::embedded() }
    }

    /// The server that the store is on.
    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.redis.as_mut().unwrap()
    }

    fn setup(&self) -> DevSetup {
        let url = self.redis.as_ref().map(|redis| redis.url().into());
        dev::prepare(self.directory.path(), url).unwrap()
    }

    /// Does something with the rules before a server starts, which no route can do.
    pub(crate) async fn prepare(&self, work: impl AsyncFnOnce(&Domain)) {
        self.prepare_at(Clock::system(), work).await;
    }

    /// The same by a clock of its own.
    pub(crate) async fn prepare_at(&self, clock: Clock, work: impl AsyncFnOnce(&Domain)) {
        let mut config = self.setup().config("http://127.0.0.1:8080");
        config.domain.settings.password_cost = CHEAP;
        let store = config.store.open("a test").await.unwrap();
        let opened = Domain::open(store.clone(), config.domain, clock, Random::system()).await;
        let domain = opened.unwrap();
        work(&domain).await;
        drop(domain);
        store.close().await;
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_over(Place::new()).await
    }

    /// Starts over a place that may hold the store of an earlier server.
    pub(crate) async fn start_over(place: Place) -> Self {
        Self::start_with(place, |_| ()).await
    }

    /// Starts with a configuration that was changed by `change`.
    pub(crate) async fn start_with(place: Place, change: impl FnOnce(&mut Config)) -> Self {
        LazyLock::force(&LOG);
        let setup = place.setup();
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_address();
        let mut config = setup.config(&format!("http://{address}"));
        config.domain.settings.password_cost = CHEAP;
        // What is counted is counted in every test.
        config.domain.settings.limits = far_limits();
        config.domain.settings.id_token_algorithm = id_token_algorithm();
        change(&mut config);
        let sealed_under = config.domain.secrets.clone();
        // It holds a whole deployment while it starts, and so would every test.
        let starting = Box::pin(tikti_server::start(listener, config, setup.seed()));
        let running = starting.await.unwrap();
        assert_eq!(running.local_address(), address);
        let (secrets, hidden) = secrets(&setup);
        let server = Self {
            address,
            setup,
            shutdown: running.shutdown_handle(),
            running: Mutex::new(Some(running)),
            secrets: Mutex::new(secrets),
            hidden: Mutex::new(hidden),
            sealed_under,
            place,
        };
        server.learn_private_keys().await;
        server
    }

    /// From here on no reply may hold anything of the private keys that there are now.
    pub(super) async fn learn_private_keys(&self) {
        let store = self.running.lock().unwrap().as_ref().map(Running::store);
        let Some(store) = store else { return };
        // A store that is away has no new ones.
        let keys = private_keys(&store, &self.sealed_under).await.unwrap_or_default();
        let mut hidden = self.hidden.lock().unwrap();
        keys.iter().for_each(|der| hidden.add_private_key(der));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, "GET", path)
    }

    pub(crate) fn post(&self, path: &str) -> Request<'_> {
        Request::new(self, "POST", path)
    }

    pub(crate) fn put(&self, path: &str) -> Request<'_> {
        Request::new(self, "PUT", path)
    }

    pub(crate) fn delete(&self, path: &str) -> Request<'_> {
        Request::new(self, "DELETE", path)
    }

    pub(crate) fn patch(&self, path: &str) -> Request<'_> {
        Request::new(self, "PATCH", path)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(self, method, path)
    }

    /// A connection that has said nothing yet.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Signs the administrator in and gives the idToken.
    pub(crate) async fn admin(&self) -> String {
        let reply = self
            .post("/v1/accounts/signIn")
            .json(json!({"email": self.setup.admin_email, "password": self.setup.admin_password}))
            .send()
            .await;
        reply.json()["idToken"].as_str().unwrap().to_owned()
    }

    /// Signs the administrator in with a refresh token and gives the reply.
    pub(crate) async fn session(&self) -> Value {
        let (email, password) = (&self.setup.admin_email, &self.setup.admin_password);
        let ask = json!({"email": email, "password": password, "returnSecureToken": true});
        self.post("/v1/accounts/signIn").json(ask).send().await.json()
    }

    /// Makes a user with [`PASSWORD`] and signs him in; gives the reply of the sign-in.
    pub(crate) async fn user(&self, email: &str) -> Value {
        let admin = self.admin().await;
        let ask = json!({"email": email, "password": PASSWORD});
        let made = self.post("/v1/accounts/signUp").bearer(&admin).json(ask).send().await;
        assert_eq!(made.status, 200, "{}", made.text());
        self.sign_in(email, PASSWORD).await.json()
    }

    /// Signs somebody in, with a refresh token.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Reply {
        let ask = json!({"email": email, "password": password, "returnSecureToken": true});
        self.post("/v1/accounts/signIn").json(ask).send().await
    }

    /// Has a code sent to the administrator's address and gives it.
    pub(crate) async fn oob_code(&self, request_type: &str) -> String {
        let ask = json!({"requestType": request_type, "email": self.setup.admin_email});
        let reply = self.post("/v1/accounts/sendOobCode").keyed().json(ask).send().await;
        reply.json()["oobCode"].as_str().unwrap().to_owned()
    }

    /// Makes a tenant with the administrator's `token` and gives the reply.
    pub(crate) async fn tenant(&self, token: &str, slug: &str) -> Value {
        let reply =
            self.post("/v1/tenants").bearer(token).json(json!({ "slug": slug })).send().await;
        assert_eq!(reply.status, 200);
        reply.json()
    }

    /// Whether the server still does its work.
    pub(crate) async fn assert_alive(&self) {
        assert_eq!(self.get("/readyz").send().await.json(), json!({"status": "ok"}));
    }

    /// Asks the server to stop, as a signal would.
    pub(crate) fn ask_to_stop(&self) {
        self.shutdown.shut_down();
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&self) {
        let running = self.running.lock().unwrap().take().unwrap();
        running.stopped().await.unwrap();
    }

    /// The server that the store is on.
    pub(crate) fn redis(&mut self) -> &mut RedisServer {
        self.place.redis()
    }

    /// Stops the server and gives its place to another.
    pub(crate) async fn stop(mut self) -> Place {
        self.ask_to_stop();
        self.stopped().await;
        std::mem::replace(&mut self.place, Place::embedded())
    }
}

/// How a whole run of the tests has idTokens signed: as shipped, or with RS256 where
/// `TIKTI_TEST_ID_TOKENS` is `RS256`.
pub(crate) fn id_token_algorithm() -> IdTokenAlgorithm {
    #[expect(clippy::disallowed_methods, reason = "chooses the algorithm of a whole run")]
    let named = std::env::var_os("TIKTI_TEST_ID_TOKENS");
    let is = |name: &str| named.as_deref().is_some_and(|named| named == name);
    // A mistyped one would be a run with HS256 again.
    assert!(named.is_none() || is("HS256") || is("RS256"), "TIKTI_TEST_ID_TOKENS: {named:?}");
    if is("RS256") { IdTokenAlgorithm::Rs256 } else { IdTokenAlgorithm::Hs256 }
}

/// Every secret that the directory holds, as it is written and in the forms that a careless line
/// could give the bytes behind it.
fn secrets(setup: &DevSetup) -> (Vec<Vec<u8>>, Hidden) {
    let yaml = std::fs::read_to_string(setup.data_dir.join("secrets.yaml")).unwrap();
    let kept: BTreeMap<String, String> = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(kept.len(), 7);
    let (mut secrets, mut hidden) = (Vec::new(), Hidden::default());
    for (name, text) in &kept {
        if ["masterKey", "pepper", "hs256"].contains(&name.as_str()) {
            let bytes = BASE64.decode(text.as_bytes()).unwrap();
            hidden.add("a secret of the deployment", &bytes);
            let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
            secrets.push(HEXLOWER.encode(&bytes).into());
            secrets.push(BASE64URL_NOPAD.encode(&bytes).into());
            secrets.push(numbers.join(", ").into());
            secrets.push(numbers.join(",").into());
            secrets.push(bytes);
        }
        secrets.push(text.trim_start_matches('/').into());
    }
    (secrets, hidden)
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for secret in self.secrets.lock().unwrap().iter() {
            let text = String::from_utf8_lossy(secret);
            assert!(!LOG.contains(secret), "a secret was logged: {text}");
        }
    }
}
