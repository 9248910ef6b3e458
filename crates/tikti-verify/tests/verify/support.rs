//! An issuer on a socket, its keys, its tokens and its moods.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_token::{
    AccessTokenType, KeySet, RsaSize, SigningKey, generate_rsa, mint_access, mint_worker, peek,
};
use tikti_verify::{AccessClaims, Refusal, Verifier, VerifierBuilder, WorkerClaims};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub(crate) const NOW: u64 = 1_769_532_214;
pub(crate) const AUDIENCE: &str = "jobs";
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

/// What the issuer says at one path.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    Says(String),
    Answers(u16),
    SendsTo(String),
    /// An answer never comes.
    Hangs,
}

#[derive(Default)]
struct World {
    moods: Mutex<HashMap<String, Mood>>,
    asked: Mutex<HashMap<String, usize>>,
    not_modified: AtomicUsize,
    cache_control: Mutex<String>,
    hanging: AtomicUsize,
}

/// A running issuer; it ends with the test.
pub(crate) struct Issuer {
    pub(crate) url: String,
    world: Arc<World>,
    _tasks: JoinSet<()>,
}

impl Issuer {
    /// Publishes `keys`.
    pub(crate) async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(World::default());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&world));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let issuer = Self { url, world, _tasks: tasks };
        issuer.caches("public, max-age=300");
        issuer.set(DISCOVERY, Mood::Says(issuer.discovery(&issuer.url, JWKS)));
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn discovery(&self, issuer: &str, path: &str) -> String {
        json!({ "issuer": issuer, "jwks_uri": format!("{}{path}", self.url) }).to_string()
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        self.set(JWKS, Mood::Says(jwks(keys)));
    }

    pub(crate) fn set(&self, path: &str, mood: Mood) {
        self.world.moods.lock().unwrap().insert(path.to_owned(), mood);
    }

    pub(crate) fn caches(&self, cache_control: &str) {
        cache_control.clone_into(&mut self.world.cache_control.lock().unwrap());
    }

    /// How often `path` was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.world.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    pub(crate) fn not_modified(&self) -> usize {
        self.world.not_modified.load(Ordering::SeqCst)
    }

    /// How many requests hang at this moment.
    pub(crate) fn hanging(&self) -> usize {
        self.world.hanging.load(Ordering::SeqCst)
    }

    /// A busy machine is no slow issuer, so the time limit is long.
    pub(crate) fn builder(&self) -> VerifierBuilder {
        let builder = Verifier::builder(&self.url).audience(AUDIENCE).clock(|| NOW);
        builder.timeouts(seconds(60), seconds(60))
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.builder().build().unwrap()
    }

    /// A good access token.
    pub(crate) fn token(&self, key: &SigningKey) -> String {
        mint_access(key, AccessTokenType::Jwt, &self.access_claims()).unwrap()
    }

    pub(crate) fn worker_token(&self, key: &SigningKey) -> String {
        let claims =
            WorkerClaims { access: self.access_claims(), event_types: vec!["render".to_owned()] };
        mint_worker(key, AccessTokenType::Jwt, &claims).unwrap()
    }

    pub(crate) fn access_claims(&self) -> AccessClaims {
        AccessClaims {
            iss: self.url.clone(),
            aud: AUDIENCE.to_owned(),
            iat: NOW,
            exp: FAR,
            sub: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
            tid: "acme".to_owned(),
            scope: "jobs:read jobs:list".to_owned(),
            sid: Some("01K4X3VQ5T8Y6W2Z9R7N1M0P4S".to_owned()),
            ver: Some(1),
            mver: Some(2),
            wver: None,
            client_id: AUDIENCE.to_owned(),
            act: None,
            jti: "01K4X3VQ5T8Y6W2Z9R7N1M0P4V".to_owned(),
        }
    }

    /// The claims of a good token, to be changed.
    pub(crate) fn claims(&self) -> Value {
        claims_of(&self.token(key(0)))
    }
}

/// 2100-01-01: an independent library reads the real clock.
pub(crate) const FAR: u64 = 4_102_444_800;

pub(crate) fn claims_of(token: &str) -> Value {
    Value::Object(peek(token).unwrap().claims().clone())
}

pub(crate) fn jwks(keys: &[&SigningKey]) -> String {
    let set = KeySet::new(keys.iter().map(|key| key.public_key()));
    serde_json::to_string(&set.to_jwks()).unwrap()
}

async fn serve(State(world): State<Arc<World>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    *world.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
    let mood = world.moods.lock().unwrap().get(&path).cloned();
    match mood.unwrap_or(Mood::Answers(404)) {
        Mood::Says(body) => say(&world, request.headers(), body),
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::SendsTo(place) => (StatusCode::FOUND, [(LOCATION, place)], "{}").into_response(),
        Mood::Hangs => {
            let _hanging = Hanging::new(&world.hanging);
            std::future::pending().await
        }
    }
}

fn say(world: &World, headers: &HeaderMap, body: String) -> Response {
    let etag = format!("\"{}\"", BASE64URL_NOPAD.encode(digest(&body).as_ref()));
    let cache_control = world.cache_control.lock().unwrap().clone();
    let validators = [(ETAG, etag.clone()), (CACHE_CONTROL, cache_control)];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known == etag.as_str()) {
        world.not_modified.fetch_add(1, Ordering::SeqCst);
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    (validators, body).into_response()
}

fn digest(body: &str) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes())
}

/// Counts for as long as somebody waits.
struct Hanging<'a>(&'a AtomicUsize);

impl<'a> Hanging<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One of four keys, `key-0` to `key-3`. Making one takes a while, so all tests share them.
pub(crate) fn key(number: usize) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let make = |number: usize| {
        let der = generate_rsa(RsaSize::Bits2048).unwrap();
        SigningKey::from_pkcs8(&format!("key-{number}"), &der).unwrap()
    };
    &KEYS.get_or_init(|| (0..4).map(make).collect())[number]
}

/// Signs whatever it is given with key 0.
pub(crate) fn forge(header: &str, payload: &str) -> String {
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = key(0).sign_raw(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
}

pub(crate) fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "key-0" })
}

pub(crate) fn forge_claims(claims: &Value) -> String {
    forge(&header().to_string(), &claims.to_string())
}

/// A token with a signature of nobody, which names `kid`.
pub(crate) fn token_naming(kid: &str) -> String {
    let header = json!({ "alg": "RS256", "kid": kid }).to_string();
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}.AAAA", encode(&header), encode("{}"))
}

pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).expect("it is there to be removed");
    object
}

/// Why `token` is refused, `None` where it is taken.
pub(crate) async fn refusal(verifier: &Verifier, token: &str) -> Option<Refusal> {
    verifier.verify_access(token).await.err()
}

/// Moves the runtime's clock; the sockets do not notice. Between two moves it goes on by itself, so
/// what is asserted holds for some seconds around.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets the other tasks run until `condition` holds, a minute at the most.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < seconds(60), "it does not come to that");
        tokio::task::yield_now().await;
    }
}
