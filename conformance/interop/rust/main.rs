//! A resource server's check of Tikti's tokens with jsonwebtoken, from the issuer alone.
//!
//! Usage: `interop ISSUER AUDIENCE [TENANT] [SCOPES]`. The lines that go in and out:
//! `conformance/README.md`. Uses nothing of Tikti; an example of the crate `tikti`, so that what it
//! needs is not built twice.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program as somebody writes it who has never seen this workspace"
)]

use std::error::Error;
use std::io::BufRead as _;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

type Failed = Box<dyn Error>;

/// Names the version: a library does not tell its own.
const LOCK: &str = include_str!("../../../Cargo.lock");

#[derive(Deserialize)]
struct Asked {
    id: String,
    token: String,
    class: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Claims {
    tid: String,
    scope: String,
    token_use: String,
    #[serde(rename = "eventTypes", default)]
    event_types: Vec<String>,
}

/// The issuer's keys. The library has no fetcher: trusted for so long, and an unknown one asked for
/// only so often.
struct Keys {
    url: String,
    set: JwkSet,
    fetched: Instant,
    max_age: Duration,
    cooldown: Duration,
}

impl Keys {
    async fn discover(issuer: &str) -> Result<Self, Failed> {
        let place = format!("{issuer}/.well-known/openid-configuration");
        let document: Discovery = fetch(&place).await?;
        if document.issuer != issuer {
            return Err(format!("the document is of {}", document.issuer).into());
        }
        Ok(Self {
            set: fetch(&document.jwks_uri).await?,
            url: document.jwks_uri,
            fetched: Instant::now(),
            max_age: seconds("JWKS_MAX_AGE", 300.0),
            cooldown: seconds("JWKS_COOLDOWN", 30.0),
        })
    }

    async fn find(&mut self, kid: &str) -> Result<DecodingKey, Failed> {
        let age = self.fetched.elapsed();
        let is_unknown = self.set.find(kid).is_none();
        if age >= self.max_age || is_unknown && age >= self.cooldown {
            self.set = fetch(&self.url).await?;
            self.fetched = Instant::now();
        }
        let found = self.set.find(kid).ok_or("no key has this kid")?;
        Ok(DecodingKey::from_jwk(found)?)
    }
}

struct Verifier {
    keys: Keys,
    validation: Validation,
    tenant: String,
    scopes: String,
}

impl Verifier {
    async fn verify(&mut self, asked: &Asked) -> Result<(), Failed> {
        let kid = decode_header(&asked.token)?.kid.ok_or("there is no kid")?;
        let key = self.keys.find(&kid).await?;
        let claims = decode::<Claims>(&asked.token, &key, &self.validation)?.claims;
        if claims.token_use != asked.class {
            return Err(format!("token_use is not {}", asked.class).into());
        }
        if claims.tid.is_empty() || !self.tenant.is_empty() && claims.tid != self.tenant {
            return Err("tid is not the tenant".into());
        }
        let mut required = self.scopes.split_whitespace();
        if !required.all(|scope| claims.scope.split(' ').any(|granted| granted == scope)) {
            return Err("a scope is missing".into());
        }
        if asked.class == "worker" && claims.event_types.is_empty() {
            return Err("eventTypes are missing".into());
        }
        Ok(())
    }
}

async fn fetch<T: DeserializeOwned>(url: &str) -> Result<T, Failed> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

fn seconds(variable: &str, otherwise: f64) -> Duration {
    let value = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(value.unwrap_or(otherwise))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().unwrap_or_default();
    let (issuer, audience, tenant, scopes) = (argument(), argument(), argument(), argument());
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[&issuer]);
    validation.set_audience(&[&audience]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.validate_nbf = true;
    let mut verifier =
        Verifier { keys: Keys::discover(&issuer).await?, validation, tenant, scopes };
    let version = LOCK.split("name = \"jsonwebtoken\"\nversion = \"").nth(1);
    let version = version.and_then(|rest| rest.split('"').next());
    println!("{}", json!({"library": "jsonwebtoken", "version": version}));
    for line in std::io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        let reason = verifier.verify(&asked).await.err().map(|refused| refused.to_string());
        let reply =
            json!({"id": asked.id, "ok": reason.is_none(), "reason": reason.unwrap_or_default()});
        println!("{reply}");
    }
    Ok(())
}
