//! What stock programs send to the OAuth endpoints: a good form for each grant, each question and each way to
//! show who asks, all of it about one tenant.
//!
//! The table of routes gives those endpoints one good request each; what is put in the place of something
//! here is the only thing about a form that is not good.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_domain::clock::Clock;
use tikti_server::router::ROUTES;

use crate::fields;
use crate::slots::{Thing, nobodys};
use crate::support::Reply;
use crate::world::{Estate, Person, World, exchanged, signed_in};

pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const REVOKE: &str = "/oauth2/revoke";
pub(crate) const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The header that names a tenant, as a member of a form is called.
pub(crate) const HEADER: &str = "X-Tenant-Id";

/// What is attacked of a form: each name of something, each thing that is shown; and what is neither.
const KNOWN: [&str; 17] = [
    "audience",
    "client_assertion",
    "client_id",
    "client_secret",
    "refresh_token",
    "resource",
    "subject",
    "subject_token",
    "tenant",
    "token",
    "client_assertion_type",
    "event_types",
    "grant_type",
    "requested_token_type",
    "scope",
    "subject_token_type",
    "token_type_hint",
];

/// Fails where the served document has a form, or a place in one, that nobody has looked at here.
pub(crate) fn assert_all_are_known(document: &Value) {
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/oauth2/")) {
        assert!(
            [TOKEN, INTROSPECT, REVOKE].contains(&route.path),
            "{} is not attacked",
            route.path
        );
        let call = &document["paths"][route.path][route.method.to_ascii_lowercase()];
        let fields = fields::of(document, call);
        let names: Vec<_> = fields.iter().map(fields::Field::member).collect();
        assert!(names.contains(&"client_id"), "{names:?}");
        let unknown: Vec<_> = names.iter().filter(|name| !KNOWN.contains(name)).collect();
        // An API key may stand in the query.
        assert!(unknown.iter().all(|name| **name == "key"), "{}: attack {unknown:?}", route.path);
    }
}

/// The programs of a tenant, with what each proves itself by.
pub(crate) struct Programs {
    pub(crate) tenant: String,
    pub(crate) slug: String,
    /// A resource server, by its id in the tenant.
    pub(crate) service: String,
    pub(crate) service_secret: String,
    /// A client whose id is a URI.
    pub(crate) resource: String,
    /// A worker with a secret, by its id in the tenant.
    pub(crate) robot: String,
    pub(crate) robot_secret: String,
    /// A worker that signs.
    pub(crate) signer: String,
    /// Whose key that worker has.
    seed: u8,
    /// The tenant's API key.
    pub(crate) key: String,
    /// Signed in, and of the estate's own rights.
    pub(crate) user: Person,
    /// The user's token for the resource server.
    pub(crate) access: String,
}

/// How a form shows who asks.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Nothing,
    /// `X-API-Key`.
    Key(String),
    /// HTTP Basic: of a client, a worker, or a key by its id.
    Basic(String, String),
    /// `client_id` and `client_secret`.
    Posted(String, String),
    /// A `client_assertion` about whoever has this id, signed with the key of this seed.
    Signed(String, u8),
}

/// A form that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) path: &'static str,
    pub(crate) proof: Proof,
    pub(crate) header: Option<String>,
    pub(crate) members: Value,
}

impl Form {
    pub(crate) fn new(path: &'static str, proof: Proof, members: Value) -> Self {
        Self { path, proof, header: None, members }
    }

    /// The same with `value` in the place `name`; the id of a client is that of who proves himself, but for an
    /// assertion, beside which it stands.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut form = self.clone();
        match (name, &mut form.proof) {
            (HEADER, _) => form.header = Some(value.to_owned()),
            // All keys of these tests have one secret.
            ("client_id", Proof::Basic(id, secret)) if !id.contains('.') => {
                value.clone_into(id);
                *secret = spoiled(secret);
            }
            ("client_id", Proof::Basic(id, _) | Proof::Posted(id, _)) => value.clone_into(id),
            ("sub", Proof::Signed(id, _)) => value.clone_into(id),
            _ => form.members[name] = json!(value),
        }
        form
    }

    /// The same without a member.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut form = self.clone();
        form.members[name] = Value::Null;
        form
    }

    pub(crate) fn by(&self, proof: Proof) -> Self {
        Self { proof, ..self.clone() }
    }

    pub(crate) async fn send(&self, world: &World) -> Reply {
        let mut members = self.members.clone();
        match &self.proof {
            Proof::Posted(id, secret) => {
                members["client_id"] = json!(id);
                members["client_secret"] = json!(secret);
            }
            Proof::Signed(id, seed) => {
                members["client_assertion"] = json!(assertion(world, id, *seed));
                members["client_assertion_type"] = json!(ASSERTION);
            }
            Proof::Nothing | Proof::Key(_) | Proof::Basic(..) => {}
        }
        let mut request = world.server.post(self.path).form(&members);
        match &self.proof {
            Proof::Key(key) => request = request.header("X-API-Key", key),
            Proof::Basic(id, secret) => request = request.basic(id, secret),
            Proof::Nothing | Proof::Posted(..) | Proof::Signed(..) => {}
        }
        if let Some(tenant) = &self.header {
            request = request.header(HEADER, tenant);
        }
        request.send().await
    }
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// An assertion that was never shown.
pub(crate) fn assertion(world: &World, id: &str, seed: u8) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = Clock::system().now().as_millis() / 1000;
    let claims = json!({
        "iss": id, "sub": id, "aud": format!("{}{TOKEN}", world.server.url()),
        "iat": now, "exp": now + 60, "jti": format!("a-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
    });
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let input = format!("{}.{}", encode(&json!({"alg": "EdDSA"})), encode(&claims));
    let signature = pair(seed).sign(input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

impl Programs {
    /// Registers the programs of a tenant and signs its member in once more. `seed` is of no other tenant.
    pub(crate) async fn of(world: &World, estate: &Estate, seed: u8) -> Self {
        let (server, slug) = (&world.server, estate.slug.as_str());
        let make = async |list: &str, ask: Value| {
            let request = server.post(&format!("/v1/tenants/{slug}/{list}")).bearer(&world.root);
            let made = request.json(ask).send().await;
            assert_eq!(made.status, 200, "{}", made.text());
            made.json()["secret"].as_str().unwrap_or_default().to_owned()
        };
        let (service, robot, signer) =
            (format!("service-of-{slug}"), format!("robot-of-{slug}"), format!("signer-of-{slug}"));
        let resource = format!("https://{slug}.test/api");
        let mut secrets = Vec::new();
        for id in [&service, &resource] {
            let grants = ["token_exchange", "client_credentials"];
            let ask = json!({
                "clientId": id, "allowedGrantTypes": grants, "allowedScopes": ["jobs:read"],
                "defaultScopes": ["jobs:read"],
            });
            secrets.push(make("clients", ask).await);
        }
        let rights = json!({"clients": [service, resource], "scopes": ["jobs:read"]});
        let with = |more: Value| {
            let mut ask = rights.clone();
            ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            ask
        };
        let robot_secret = make("workers", with(json!({ "id": robot }))).await;
        let x = BASE64URL_NOPAD.encode(pair(seed).public_key().as_ref());
        let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]});
        make("workers", with(json!({"id": signer, "jwks": jwks}))).await;
        let user = signed_in(server, &estate.member.email).await;
        let ask = json!({"audience": service, "tenantId": estate.id});
        let access = exchanged(server, &user.id_token, ask).await;
        Self {
            tenant: estate.id.clone(),
            slug: estate.slug.clone(),
            service_secret: secrets.swap_remove(0),
            service,
            resource,
            robot,
            robot_secret,
            signer,
            seed,
            key: estate.key.clone(),
            user,
            access,
        }
    }

    /// What a program of this name is called in `client_id`.
    pub(crate) fn client_id(&self, name: &str) -> String {
        format!("{}.{name}", self.tenant)
    }

    /// The tenant's key as a stock client shows it.
    fn key_in_basic(&self) -> Proof {
        let (id, secret) = self.key.strip_prefix("tk_").unwrap().split_once('_').unwrap();
        Proof::Basic(id.to_owned(), secret.to_owned())
    }

    /// The three ways in which workers authenticate.
    pub(crate) fn workers(&self) -> [(&'static str, Proof); 3] {
        let (robot, secret) = (self.client_id(&self.robot), &self.robot_secret);
        [
            ("client_secret_basic", Proof::Basic(robot.clone(), secret.clone())),
            ("client_secret_post", Proof::Posted(robot, secret.clone())),
            ("private_key_jwt", Proof::Signed(self.client_id(&self.signer), self.seed)),
        ]
    }

    /// Whoever may ask about a token.
    pub(crate) fn askers(&self) -> [(&'static str, Proof); 4] {
        let (service, secret) = (self.client_id(&self.service), &self.service_secret);
        [
            ("the tenant's key", Proof::Key(self.key.clone())),
            ("the tenant's key in Basic", self.key_in_basic()),
            ("the client in Basic", Proof::Basic(service.clone(), secret.clone())),
            ("the client in the form", Proof::Posted(service, secret.clone())),
        ]
    }

    pub(crate) fn exchange(&self, proof: Proof) -> Form {
        let members = json!({
            "grant_type": EXCHANGE, "subject_token": self.user.id_token,
            "subject_token_type": ID_TOKEN, "audience": self.service, "tenant": self.tenant,
        });
        Form::new(TOKEN, proof, members)
    }

    pub(crate) fn own_token(&self, proof: Proof) -> Form {
        let members = json!({
            "grant_type": "client_credentials", "audience": self.service, "tenant": self.tenant,
        });
        Form::new(TOKEN, proof, members)
    }

    pub(crate) fn refresh(&self) -> Form {
        let members = json!({
            "grant_type": "refresh_token", "refresh_token": self.user.refresh_token,
            "tenant": self.tenant,
        });
        Form::new(TOKEN, Proof::Nothing, members)
    }

    pub(crate) fn question(&self, path: &'static str, proof: Proof) -> Form {
        Form::new(path, proof, json!({ "token": self.access }))
    }

    /// Every good form.
    pub(crate) fn forms(&self, world: &World) -> Vec<(String, Form)> {
        let deployment = || Proof::Key(world.server.setup.api_key.clone());
        let mut forms = vec![
            ("exchange by the deployment's key".to_owned(), self.exchange(deployment())),
            (
                "exchange by the tenant's key".to_owned(),
                self.exchange(Proof::Key(self.key.clone())),
            ),
            (
                "exchange by the tenant's key in Basic".to_owned(),
                self.exchange(self.key_in_basic()),
            ),
            ("refresh".to_owned(), self.refresh()),
        ];
        for (name, proof) in self.workers() {
            forms.push((name.to_owned(), self.own_token(proof)));
        }
        for path in [INTROSPECT, REVOKE] {
            for (name, proof) in self.askers() {
                forms.push((format!("{path} by {name}"), self.question(path, proof)));
            }
        }
        forms
    }
}

/// A place of a form, with what the one tenant has there and the like that nobody has.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    pub(crate) foreign: String,
    pub(crate) nobodys: String,
    /// Left out beside it, since the two say the same.
    pub(crate) beside: Option<&'static str>,
}

impl Pair {
    fn new(name: &'static str, (foreign, nobodys): (String, String)) -> Self {
        Self { name, foreign, nobodys, beside: None }
    }
}

fn like(thing: Thing, name: &str) -> (String, String) {
    (name.to_owned(), nobodys(thing, name))
}

/// A token of the person with a member's value that nobody has, signed as ours: as if it were somebody's who is
/// no more.
fn of_nobody(world: &World, token: &str, member: &str, value: &str) -> String {
    use crate::forge;
    let mut claims = forge::claims(token);
    claims[member] = json!(value);
    forge::sign(&forge::header(token), &claims, &forge::secret(&world.server))
}

/// The last letter changed: nobody was given that one.
fn spoiled(text: &str) -> String {
    let last = if text.ends_with('A') { 'B' } else { 'A' };
    format!("{}{last}", &text[..text.len() - 1])
}

impl Programs {
    /// What stands in the places of `form`, which is somebody else's, when it is about this tenant.
    pub(crate) fn pairs(&self, world: &World, form: &Form) -> Vec<Pair> {
        let mut pairs = match (form.path, form.members["grant_type"].as_str()) {
            (TOKEN, Some(EXCHANGE)) => self.pairs_of_exchange(world),
            (TOKEN, Some("client_credentials")) => {
                [self.pairs_of_tenant(), self.pairs_of_audience()].concat()
            }
            (TOKEN, _) => {
                let mut pairs = self.pairs_of_tenant();
                // A refresh does not look at the header.
                pairs.retain(|pair| pair.name != HEADER);
                [pairs, self.pairs_of_refresh("refresh_token")].concat()
            }
            _ => [self.pairs_of_token(world), self.pairs_of_refresh("token")].concat(),
        };
        pairs.extend(self.pairs_of_proof(&form.proof));
        pairs
    }

    fn pairs_of_tenant(&self) -> Vec<Pair> {
        let both = [&self.tenant, &self.slug].map(|name| like(Thing::Tenant, name));
        let mut pairs = Vec::new();
        for names in both {
            pairs.push(Pair::new("tenant", names.clone()));
            pairs.push(Pair::new(HEADER, names.clone()));
            pairs.push(Pair { beside: Some("tenant"), ..Pair::new(HEADER, names) });
        }
        pairs
    }

    fn pairs_of_audience(&self) -> Vec<Pair> {
        let by_uri = || like(Thing::Client, &self.resource);
        vec![
            Pair::new("audience", like(Thing::Client, &self.service)),
            Pair::new("audience", by_uri()),
            Pair::new("resource", by_uri()),
            Pair { beside: Some("audience"), ..Pair::new("resource", by_uri()) },
        ]
    }

    fn pairs_of_exchange(&self, world: &World) -> Vec<Pair> {
        let mut pairs = [self.pairs_of_tenant(), self.pairs_of_audience()].concat();
        for worker in [&self.robot, &self.signer] {
            pairs.push(Pair::new("subject", like(Thing::Worker, worker)));
        }
        pairs.push(Pair::new("subject", like(Thing::User, &self.user.id)));
        let token = &self.user.id_token;
        let stranger = of_nobody(world, token, "tid", &nobodys(Thing::Tenant, &self.tenant));
        pairs.push(Pair::new("actor_token", (token.clone(), stranger)));
        pairs
    }

    /// The ids in a refresh token, whose secret nobody was given.
    fn pairs_of_refresh(&self, name: &'static str) -> Vec<Pair> {
        let parts: Vec<_> = self.user.refresh_token.split('.').collect();
        let write = |user: &str, session: &str, secret: &str| {
            let mut parts: Vec<_> = parts.iter().map(|part| (*part).to_owned()).collect();
            (parts[0], parts[1], parts[3]) =
                (format!("rt_{user}"), session.to_owned(), secret.to_owned());
            parts.join(".")
        };
        let (user, session, secret) = (&self.user.id, &self.user.session, spoiled(parts[3]));
        let own = write(user, session, &secret);
        let no_user = write(&nobodys(Thing::User, user), session, &secret);
        let no_session = write(user, &nobodys(Thing::Session, session), &secret);
        [no_user, no_session].map(|other| Pair::new(name, (own.clone(), other))).into()
    }

    /// Tokens of this tenant, which whoever asks is not told of.
    fn pairs_of_token(&self, world: &World) -> Vec<Pair> {
        let (access, id) = (&self.access, &self.user.id_token);
        let mut pairs = vec![Pair::new("token", (access.clone(), spoiled(access)))];
        for (member, value) in [
            ("tid", nobodys(Thing::Tenant, &self.tenant)),
            ("sub", nobodys(Thing::User, &self.user.id)),
            ("sid", nobodys(Thing::Session, &self.user.session)),
        ] {
            pairs.push(Pair::new("token", (id.clone(), of_nobody(world, id, member, &value))));
        }
        pairs
    }

    /// Who proves himself says to be one of this tenant's.
    fn pairs_of_proof(&self, proof: &Proof) -> Vec<Pair> {
        let full = |name: &str| {
            let (own, other) = like(Thing::Worker, name);
            (self.client_id(&own), self.client_id(&other))
        };
        let elsewhere = |name: &str| {
            let tenant = nobodys(Thing::Tenant, &self.tenant);
            (self.client_id(name), format!("{tenant}.{name}"))
        };
        let names = [&self.robot, &self.signer, &self.service];
        let each = |place: &'static str| {
            let known = names.iter().flat_map(|name| [full(name), elsewhere(name)]);
            known.map(|names| Pair::new(place, names)).collect::<Vec<_>>()
        };
        match proof {
            Proof::Basic(id, _) if !id.contains('.') => {
                let key = self.key.split('_').nth(1).unwrap();
                vec![Pair::new("client_id", like(Thing::ApiKey, key))]
            }
            Proof::Basic(..) | Proof::Posted(..) => each("client_id"),
            Proof::Signed(..) => [each("client_id"), each("sub")].concat(),
            Proof::Nothing | Proof::Key(_) => vec![],
        }
    }
}
