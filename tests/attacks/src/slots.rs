//! Where does a request name a thing, and what of that kind does a tenant have?
//!
//! The places are read from the table of routes and from the served API document; [`rule`] says of each
//! what stands in it. Invariant: a place without a rule fails every test that crosses tenants.

use serde_json::Value;
use tikti_server::router::{Needs, ROUTES, Route};

use crate::fields::{self, Field, Place};
use crate::world::Estate;

/// What a name in a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Tenant,
    User,
    Email,
    Session,
    Role,
    Client,
    Worker,
    ApiKey,
}

/// What stands in a place of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The id or name of something.
    Names(Thing),
    /// A token, code, key or password: whoever has it may use it. Rows A3, A6, E5 and T6.
    Shows,
    /// Neither: a number, a word of a closed list, what something is to hold or to be called.
    Says,
}

/// A place in the requests of one route.
pub(crate) struct Slot {
    pub(crate) route: &'static Route,
    pub(crate) name: String,
    pub(crate) rule: Rule,
    pub(crate) place: At,
}

pub(crate) enum At {
    Header,
    Field(Field),
}

impl Slot {
    /// The member, parameter or header.
    pub(crate) fn member(&self) -> &str {
        self.name.split(['.', '[']).next().unwrap()
    }

    /// Of a list, one item stands for all.
    pub(crate) fn is_one(&self) -> bool {
        match &self.place {
            At::Field(field) => field.is_item() || !field.types.contains("array"),
            At::Header => true,
        }
    }

    pub(crate) fn is(&self, place: Place) -> bool {
        matches!(&self.place, At::Field(field) if field.place == place)
    }

    pub(crate) fn shown(&self) -> String {
        let Route { method, path, .. } = self.route;
        let place = match &self.place {
            At::Header => "header".to_owned(),
            At::Field(field) => format!("{:?}", field.place).to_ascii_lowercase(),
        };
        format!("{method} {path}: {place} {}", self.name)
    }
}

/// What the part of a path before its parameter is a list of.
fn listed(path: &str, parameter: &str) -> Option<Thing> {
    let (before, _) = path.split_once(&format!("/{{{parameter}}}"))?;
    match before.rsplit('/').next()? {
        "tenants" => Some(Thing::Tenant),
        "users" | "memberships" => Some(Thing::User),
        "sessions" => Some(Thing::Session),
        "roles" => Some(Thing::Role),
        "clients" => Some(Thing::Client),
        "workers" => Some(Thing::Worker),
        "apiKeys" => Some(Thing::ApiKey),
        _ => None,
    }
}

/// What stands in the place `member` of the requests of `path`; nothing where nobody has said so.
fn rule(path: &str, place: Option<Place>, member: &str) -> Option<Rule> {
    use Thing::{Client, Email, Role, Tenant, User, Worker};
    if place == Some(Place::Path) {
        return match member {
            "id" if path.starts_with("/v1/tenants/id/") => Some(Rule::Names(Tenant)),
            // Of a worker's secrets, one by its number.
            "n" => Some(Rule::Says),
            _ => listed(path, member).map(Rule::Names),
        };
    }
    // Of an exchange, which the good request of the OAuth endpoint is not: see `forms`.
    if (path, member) == ("/oauth2/token", "X-Tenant-Id") {
        return Some(Rule::Says);
    }
    let names = match member {
        "tenantId" | "defaultTenantId" | "X-Tenant-Id" => Some(Tenant),
        "id" | "slug" if path == "/v1/tenants" => Some(Tenant),
        "name" if path.contains("/roles") => Some(Role),
        "id" if path.contains("/workers") => Some(Worker),
        "email" | "newEmail" => Some(Email),
        "userId" | "actor" => Some(User),
        "clientId" | "audience" | "clients" => Some(Client),
        "subject" => Some(Worker),
        "roles" | "mintableBy" => Some(Role),
        _ => None,
    };
    if let Some(thing) = names {
        return Some(Rule::Names(thing));
    }
    match member {
        "idToken" | "token" | "refreshToken" | "refresh_token" | "oobCode" | "pageToken"
        | "password" | "newPassword" => Some(Rule::Shows),
        "action" | "allowedGrantTypes" | "allowedScopes" | "continueUrl" | "create"
        | "customTokens" | "defaultScopes" | "displayName" | "emailVerified" | "emergency"
        | "eventTypes" | "everywhere" | "expiresAt" | "from" | "keys" | "grant_type"
        | "If-Match" | "Idempotency-Key" | "If-None-Match" | "jwks" | "kid" | "memberships"
        | "mode" | "name" | "pageSize" | "permissions" | "requestType" | "returnSecureToken"
        | "role" | "scope" | "scopes" | "selfSignUp" | "status" | "strict" | "subjectPolicy"
        | "to" | "tokenTtlSeconds" | "ttlSeconds" | "type" => Some(Rule::Says),
        _ => None,
    }
}

/// Every place of every route. Fails where one has no rule, naming all of those.
pub(crate) fn slots(document: &Value) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut unknown = Vec::new();
    for route in ROUTES {
        let call = &document["paths"][route.path][route.method.to_ascii_lowercase()];
        assert!(call.is_object(), "{} {} is not in the document", route.method, route.path);
        // A form has the members of the JSON that the same call takes; those of the OAuth endpoints, which
        // take nothing else, are in `forms`.
        let fields = fields::of(document, call);
        let fields = fields.into_iter().filter(|field| field.place != Place::Form);
        let mut places: Vec<(String, At)> =
            fields.map(|field| (field.name.clone(), At::Field(field))).collect();
        let mut headers: Vec<_> = call["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "header")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        // Whoever administers a tenant, or ends it, may name it in the header, too.
        let header = "X-Tenant-Id".to_owned();
        let names_tenant = matches!(route.needs, Needs::Scope(_) | Needs::ScopeOfBody(_))
            || route.path.contains("{t}");
        headers.extend((names_tenant && !headers.contains(&header)).then_some(header));
        places.extend(headers.into_iter().map(|name| (name, At::Header)));
        for (name, place) in places {
            let member = name.split(['.', '[']).next().unwrap();
            let at = match &place {
                At::Header => None,
                At::Field(field) => Some(field.place),
            };
            match rule(route.path, at, member) {
                Some(rule) => slots.push(Slot { route, name, rule, place }),
                None => unknown.push(format!("{} {}: {name}", route.method, route.path)),
            }
        }
    }
    assert!(unknown.is_empty(), "say in `rule` what stands in {unknown:#?}");
    slots
}

impl Estate {
    /// What a place that names such a thing holds in this tenant's own requests.
    pub(crate) fn own(&self, thing: Thing) -> String {
        self.all(thing).swap_remove(0)
    }

    /// Everything of this kind that the tenant has, by each of its names.
    pub(crate) fn all(&self, thing: Thing) -> Vec<String> {
        let (admin, member) = (&self.admin, &self.member);
        let all = match thing {
            Thing::Tenant => vec![&self.id, &self.slug],
            Thing::User => vec![&member.id, &admin.id],
            Thing::Email => vec![&member.email, &admin.email],
            Thing::Session => vec![&member.session, &admin.session],
            Thing::Role => vec![&self.role],
            Thing::Client => vec![&self.client, &self.application],
            Thing::Worker => return vec![self.worker.id.as_str().to_owned()],
            Thing::ApiKey => vec![&self.key_id],
        };
        all.into_iter().cloned().collect()
    }
}

/// A name of the same form and length as `name`, which nobody bears.
pub(crate) fn nobodys(thing: Thing, name: &str) -> String {
    // The digits of ids, and the last letter of what a person has chosen.
    let is_id = matches!(thing, Thing::User | Thing::Session)
        || (thing == Thing::Tenant && name.starts_with("t-"));
    if is_id {
        let (head, tail) = name.split_at(name.len() - 8);
        let other = |letter: char| match letter {
            '-' => '-',
            '0' => '1',
            _ => '0',
        };
        return format!("{head}{}", tail.chars().map(other).collect::<String>());
    }
    match name.split_once('@') {
        Some((who, domain)) => format!("{}@{domain}", "x".repeat(who.len())),
        None => {
            format!("{}{}", &name[..name.len() - 1], if name.ends_with('x') { "y" } else { "x" })
        }
    }
}
