//! One request of one tenant, as somebody sends it who shows one credential.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tikti_server::router::Route;

use crate::fields::Place;
use crate::slots::{At, Rule, Slot, Thing};
use crate::support::{GoodRequest, PASSWORD, Reply};
use crate::world::{Estate, World};

/// What somebody shows.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) name: &'static str,
    pub(crate) key: Option<String>,
    /// A bearer token, which stands in the body, too, where a call takes an idToken there.
    pub(crate) token: Option<String>,
    pub(crate) refresh_token: String,
}

/// A request that is to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) route: &'static Route,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
    /// What stands in a member of the body whatever the credential is.
    pub(crate) shown: Option<(String, String)>,
}

impl Credential {
    /// A key and a bearer token.
    pub(crate) fn pair(name: &'static str, key: &str, token: &str) -> Self {
        Self { key: Some(key.to_owned()), ..Self::bearing(name, token) }
    }

    /// A bearer token alone.
    pub(crate) fn bearing(name: &'static str, token: &str) -> Self {
        Self { name, key: None, token: Some(token.to_owned()), refresh_token: String::new() }
    }
}

impl Call {
    /// The good request of a route, about what it was made for.
    pub(crate) fn as_it_is(route: &'static Route, good: &GoodRequest) -> Self {
        let owned = |(name, value): (&&str, &String)| ((*name).to_owned(), value.clone());
        Self {
            route,
            path: good.path.iter().map(owned).collect(),
            query: good.query.iter().map(|(name, value)| owned((name, value))).collect(),
            headers: vec![],
            body: good.body.clone(),
            shown: None,
        }
    }

    /// The good request of a route, about things of `estate` wherever it names any. `slots` are all
    /// places of the route.
    pub(crate) fn of(
        route: &'static Route,
        good: &GoodRequest,
        (slots, estate): (&[Slot], &Estate),
    ) -> Self {
        let mut call = Self::as_it_is(route, good);
        for slot in slots {
            if let Rule::Names(thing) = slot.rule
                && call.names(slot)
            {
                call.put(slot, &estate.own(thing));
            }
        }
        if call.body.get("password").is_some() {
            call.body["password"] = json!(PASSWORD);
        }
        call
    }

    /// Whether the request has something in this place already.
    fn names(&self, slot: &Slot) -> bool {
        match &slot.place {
            At::Header => false,
            At::Field(field) => match field.place {
                Place::Path => true,
                Place::Json | Place::Form => {
                    self.body.get(slot.member()).is_some_and(|value| !value.is_null())
                }
                Place::Query => false,
            },
        }
    }

    /// Puts `value` in its place.
    pub(crate) fn put(&mut self, slot: &Slot, value: &str) {
        let named = || (slot.name.clone(), value.to_owned());
        match &slot.place {
            At::Header => self.headers.push(named()),
            At::Field(field) => match field.place {
                Place::Path => {
                    self.path.insert(slot.name.clone(), value.to_owned());
                }
                Place::Query => self.query.push(named()),
                Place::Json | Place::Form if field.types.contains("array") => {
                    self.body[slot.member()] = json!([value]);
                }
                Place::Json | Place::Form => field.put(&mut self.body, Some(json!(value))),
            },
        }
    }

    /// Adds what the call needs beside this place, so that it looks at it at all.
    pub(crate) fn accompany(&mut self, slot: &Slot) {
        let body = &mut self.body;
        match (self.route.path, slot.member()) {
            ("/v1/accounts/revoke", "tenantId") => body["scope"] = json!("tenant"),
            ("/v1/accounts/sendOobCode", "newEmail") => {
                body["requestType"] = json!("VERIFY_AND_CHANGE_EMAIL");
                body["idToken"] = json!("");
            }
            // Of somebody else's password nobody knows more than that there is one.
            (_, "email") if body.get("password").is_some() => {
                body["password"] = json!("not the password");
            }
            ("/v1/authorization/explain", "userId") => {
                body.as_object_mut().unwrap().remove("email");
            }
            _ => {}
        }
    }

    /// Sends it as the bearer of `credential` would.
    pub(crate) async fn send(&self, world: &World, credential: &Credential) -> Reply {
        let mut path = self.route.path.to_owned();
        for (name, value) in &self.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        for (number, (name, value)) in self.query.iter().enumerate() {
            let sign = if number == 0 { '?' } else { '&' };
            path = format!("{path}{sign}{name}={value}");
        }
        let mut request = world.server.request(self.route.method, &path);
        if let Some(key) = &credential.key {
            request = request.header("X-API-Key", key);
        }
        if let Some(token) = &credential.token {
            request = request.bearer(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.body.is_null() {
            return request.send().await;
        }
        let mut body = self.body.clone();
        for name in ["idToken", "token"] {
            if body.get(name).is_some() {
                body[name] = json!(credential.token.as_deref().unwrap_or_default());
            }
        }
        for name in ["refreshToken", "refresh_token"] {
            if body.get(name).is_some() {
                body[name] = json!(credential.refresh_token);
            }
        }
        if let Some((name, value)) = &self.shown {
            body[name] = json!(value);
        }
        request.json(body).send().await
    }
}

/// Whether this is what introspection and revocation answer of a token that is none, or not the asker's.
pub(crate) fn tells_nothing(route: &Route, reply: &Reply) -> bool {
    let nothing = match route.path {
        "/oauth2/introspect" => json!({"active": false}),
        "/oauth2/revoke" => json!({}),
        _ => return false,
    };
    reply.status == 200 && reply.json() == nothing
}

impl Estate {
    /// Everything that people and programs of this tenant can show, with the keys that there are.
    pub(crate) fn credentials(&self, world: &World) -> Vec<Credential> {
        let setup = &world.server.setup;
        let keys = [
            ("the deployment's key", &setup.api_key),
            ("the tenant's key", &self.key),
            ("a browser's key", &setup.web_api_key),
        ];
        let expired = expired(world, &self.admin.id_token);
        let tokens = [
            ("the administrator's idToken, the deployment's key", &self.admin.id_token),
            ("the administrator's access token, the deployment's key", &self.access),
            ("the worker's token, the deployment's key", &self.worker_token),
            ("the member's idToken, the deployment's key", &self.member.id_token),
            ("the idToken of a bound session, the deployment's key", &self.bound),
            ("a token made for a worker, the deployment's key", &self.event_token),
            ("an expired idToken, the deployment's key", &expired),
            ("a refresh token, the deployment's key", &self.admin.refresh_token),
        ];
        let credential = |name, key: Option<&String>, token: Option<&str>| Credential {
            name,
            key: key.cloned(),
            token: token.map(str::to_owned),
            refresh_token: self.admin.refresh_token.clone(),
        };
        let mut all: Vec<_> = tokens
            .into_iter()
            .map(|(name, token)| credential(name, Some(&setup.api_key), Some(token)))
            .collect();
        for (name, key) in keys {
            all.push(credential(name, Some(key), None));
        }
        let token = Some(self.admin.id_token.as_str());
        all.push(credential(
            "the administrator's idToken, the tenant's key",
            Some(&self.key),
            token,
        ));
        all.push(credential(
            "the bound idToken, the tenant's key",
            Some(&self.key),
            Some(&self.bound),
        ));
        let member = Some(self.member.id_token.as_str());
        all.push(credential(
            "the member's idToken, a browser's key",
            Some(&setup.web_api_key),
            member,
        ));
        all.push(credential("nothing", None, None));
        all
    }
}

/// The same idToken, of yesterday.
fn expired(world: &World, token: &str) -> String {
    use crate::forge;
    let (header, mut claims) = (forge::header(token), forge::claims(token));
    for name in ["iat", "exp", "auth_time"] {
        claims[name] = json!(claims[name].as_u64().unwrap() - 86_400);
    }
    forge::sign(&header, &claims, &forge::secret(&world.server))
}

/// Every route with its places and a good request about the company.
pub(crate) async fn good_requests(
    world: &World,
    document: &Value,
) -> Vec<(&'static Route, Vec<Slot>, GoodRequest)> {
    let mut all: Vec<(&'static Route, Vec<Slot>, GoodRequest)> = Vec::new();
    let mut slots = crate::slots::slots(document);
    for (number, route) in tikti_server::router::ROUTES.iter().enumerate() {
        let is_own =
            |slot: &Slot| (slot.route.method, slot.route.path) == (route.method, route.path);
        let (own, rest) = slots.into_iter().partition(is_own);
        slots = rest;
        let slug = format!("attacked-{number}");
        let good = world.server.good_request(route, &world.root, &slug).await;
        all.push((route, own, good));
    }
    all
}

/// What a tenant has of a kind, and the like of it that nobody has.
pub(crate) fn pairs(estate: &Estate, thing: Thing) -> Vec<(String, String)> {
    let all = estate.all(thing).into_iter();
    all.map(|name| (name.clone(), crate::slots::nobodys(thing, &name))).collect()
}
