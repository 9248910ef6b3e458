//! What does a file ask for? Tenants with their roles, clients, workers and members.
//!
//! Names are those of the wire types. One that means nothing is refused with its line: a field that was
//! overlooked would be believed. What is absent, or empty as in `roles:`, is not touched; `roles: []` is a
//! section that names nothing.
//!
//! Spec: Command line, `apply`; HTTP API, "Tenant administration". Why: docs/decisions/0043.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use tikti_token::AssertionKey;

use super::plan::{Fields, Kind, WantedTenant};
use crate::exit::Failure;
use crate::input;

/// More than a file that somebody reads.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    tenants: Vec<TenantEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TenantEntry {
    #[serde(skip_serializing)]
    slug: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_sign_up: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing)]
    roles: Option<Vec<RoleEntry>>,
    #[serde(skip_serializing)]
    clients: Option<Vec<ClientEntry>>,
    #[serde(skip_serializing)]
    workers: Option<Vec<WorkerEntry>>,
    #[serde(skip_serializing)]
    members: Option<Vec<MemberEntry>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RoleEntry {
    #[serde(skip_serializing)]
    name: Spanned<String>,
    permissions: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientEntry {
    #[serde(skip_serializing, alias = "clientId")]
    id: Spanned<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_grant_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_ttl_seconds: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WorkerEntry {
    #[serde(skip_serializing)]
    id: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mintable_by: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Keys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_tokens: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// The public keys of a worker, in the form and with the members that the server keeps.
#[derive(Deserialize, Serialize)]
#[serde(try_from = "GivenKeys")]
struct Keys {
    keys: Vec<AssertionKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenKeys {
    keys: Vec<Map<String, Value>>,
}

impl TryFrom<GivenKeys> for Keys {
    type Error = String;

    /// No value of a key is repeated: it may be a private one.
    fn try_from(given: GivenKeys) -> Result<Self, String> {
        let keys = given.keys.iter().zip(1..).map(|(key, number)| {
            AssertionKey::parse(key).map_err(|why| format!("key {number} of jwks {why}"))
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MemberEntry {
    #[serde(skip_serializing)]
    email: Spanned<String>,
    roles: Vec<String>,
    /// Whether a user is made where nobody bears the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    create: Option<bool>,
}

/// One entry of a section.
trait Entry: Serialize {
    const KIND: Kind;

    fn name(&self) -> &Spanned<String>;
}

macro_rules! entries {
    ($($entry:ty, $kind:ident, $name:ident;)+) => {$(
        impl Entry for $entry {
            const KIND: Kind = Kind::$kind;

            fn name(&self) -> &Spanned<String> {
                &self.$name
            }
        }
    )+};
}

entries! {
    TenantEntry, Tenant, slug;
    RoleEntry, Role, name;
    ClientEntry, Client, id;
    WorkerEntry, Worker, id;
    MemberEntry, Member, email;
}

/// Reads the file, or standard input where it is `-`.
///
/// # Errors
/// Exit code 3 with the place in the file.
pub(super) fn read(file: &Path) -> Result<Vec<WantedTenant>, Failure> {
    let bytes = input::secret_bytes(file, MAX_FILE_BYTES)?;
    let named = if file == Path::new("-") { Path::new("standard input") } else { file }.display();
    if bytes.expose_secret().len() > MAX_FILE_BYTES {
        return Err(Failure::usage(format!("{named} is larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes.expose_secret())
        .map_err(|_| Failure::usage(format!("{named} is no UTF-8")))?;
    parse(text).map_err(|problem| {
        Failure::usage(format!("{named}: {problem}"))
            .next("docs/apply.md and examples/apply.yaml show what a file may say")
    })
}

/// What is wrong with a file, with its place.
type Problem = String;

fn parse(text: &str) -> Result<Vec<WantedTenant>, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Vec<Document> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|cause| cause.to_string())?;
    let mut tenants: Vec<WantedTenant> = Vec::new();
    for entry in documents.into_iter().flat_map(|document| document.tenants) {
        if tenants.iter().any(|tenant| tenant.slug == entry.slug.value) {
            return Err(twice(&entry));
        }
        tenants.push(wanted(entry)?);
    }
    if tenants.is_empty() {
        return Err("names no tenant".to_owned());
    }
    Ok(tenants)
}

fn wanted(entry: TenantEntry) -> Result<WantedTenant, Problem> {
    let fields = fields(&entry)?;
    let mut sections = BTreeMap::new();
    section(&mut sections, entry.roles)?;
    section(&mut sections, entry.clients)?;
    section(&mut sections, entry.workers)?;
    section(&mut sections, entry.members)?;
    Ok(WantedTenant { slug: entry.slug.value, fields, sections })
}

fn section<T: Entry>(
    sections: &mut BTreeMap<Kind, BTreeMap<String, Fields>>,
    entries: Option<Vec<T>>,
) -> Result<(), Problem> {
    let Some(entries) = entries else {
        return Ok(());
    };
    let mut things = BTreeMap::new();
    for entry in entries {
        let name = match T::KIND {
            // As the server keeps it: otherwise one who is there would be added again.
            Kind::Member => entry.name().value.trim_matches(' ').to_ascii_lowercase(),
            _ => entry.name().value.clone(),
        };
        if things.insert(name, fields(&entry)?).is_some() {
            return Err(twice(&entry));
        }
    }
    sections.insert(T::KIND, things);
    Ok(())
}

fn fields<T: Entry>(entry: &T) -> Result<Fields, Problem> {
    let name = &entry.name().value;
    // What would be another path is nothing's name.
    if matches!(name.trim(), "" | "." | "..") {
        return Err(at(entry, &format!("`{name}` is no name of a {}", T::KIND.word())));
    }
    let value = serde_json::to_value(entry).map_err(|cause| cause.to_string())?;
    let members = value.as_object().into_iter().flatten();
    Ok(members.map(|(name, value)| (name.clone(), sorted(value.clone()))).collect())
}

/// A list as a set: sorted, each word once. That of public keys is sorted by what they are called.
pub(super) fn sorted(mut value: Value) -> Value {
    if let Some(Value::Array(keys)) = value.get_mut("keys") {
        keys.sort_by(|a, b| kid(a).cmp(&kid(b)));
    }
    let Value::Array(mut words) = value else {
        return value;
    };
    words.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    words.dedup();
    Value::Array(words)
}

/// What a public key is called.
pub(super) fn kid(key: &Value) -> Option<&str> {
    key.get("kid").and_then(Value::as_str)
}

fn twice<T: Entry>(entry: &T) -> Problem {
    at(entry, &format!("{} {} is named twice", T::KIND.word(), entry.name().value))
}

fn at<T: Entry>(entry: &T, problem: &str) -> Problem {
    let place = &entry.name().referenced;
    format!("line {} column {}: {problem}", place.line(), place.column())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_the_wire_types_are_fields_and_absent_ones_are_not_touched() {
        let text = "\
tenants:
  - slug: codecompany
    selfSignUp: true
    roles:
    clients:
      - {id: 'https://api.example/billing', type: SERVICE, defaultScopes: [b, a, b], tokenTtlSeconds: 900}
      - {clientId: backend-worker}
    workers: []
---
# nothing here
---
tenants:
  - slug: second
    members: [{email: ' Ann@Example.org ', roles: [BILLING], create: true}]
";
        let [first, second] = parse(text).unwrap().try_into().unwrap();
        assert_eq!(first.fields, fields_of(json!({"selfSignUp": true})));
        assert_eq!(Vec::from_iter(first.sections.keys()), [&Kind::Client, &Kind::Worker]);
        let clients = &first.sections[&Kind::Client];
        let billing =
            json!({"type": "SERVICE", "defaultScopes": ["a", "b"], "tokenTtlSeconds": 900});
        assert_eq!(clients["https://api.example/billing"], fields_of(billing));
        assert_eq!(clients["backend-worker"], Fields::new());
        assert!(first.sections[&Kind::Worker].is_empty());
        assert_eq!(second.slug, "second");
        let ann = &second.sections[&Kind::Member]["ann@example.org"];
        assert_eq!(*ann, fields_of(json!({"roles": ["BILLING"], "create": true})));
    }

    fn fields_of(value: Value) -> Fields {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_field_that_is_read_is_one_that_is_compared() {
        let text = "\
tenants:
  - slug: s
    name: n
    selfSignUp: false
    status: s
    roles: [{name: R, permissions: []}]
    clients:
      - id: c
        type: t
        status: s
        allowedGrantTypes: []
        allowedScopes: []
        defaultScopes: []
        eventTypes: []
        subjectPolicy: p
        tokenTtlSeconds: 1
    workers:
      - id: w
        clients: []
        scopes: []
        eventTypes: []
        mintableBy: []
        jwks: {keys: []}
        customTokens: false
        status: s
    members: [{email: a@b.c, roles: []}]
";
        let [tenant] = parse(text).unwrap().try_into().unwrap();
        let all = |kind: Kind| {
            let mut fields = Vec::from_iter(kind.fields().iter().map(|name| (*name).to_owned()));
            fields.sort();
            fields
        };
        assert_eq!(Vec::from_iter(tenant.fields.into_keys()), all(Kind::Tenant));
        for (kind, things) in tenant.sections {
            let [(_, fields)] = Vec::from_iter(things).try_into().unwrap();
            assert_eq!(Vec::from_iter(fields.into_keys()), all(kind), "{kind:?}");
        }
    }

    #[test]
    fn public_keys_are_in_the_form_that_the_server_keeps() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let head =
            "tenants:\n  - slug: s\n    workers:\n      - id: w\n        jwks:\n          keys:\n";
        let key =
            |more: &str| format!("            - {{kty: OKP, crv: Ed25519, x: {x}, {more}}}\n");
        let text =
            format!("{head}{}{}", key("kid: b, key_ops: [verify]"), key("kid: a, alg: Ed25519"));
        let [tenant] = parse(&text).unwrap().try_into().unwrap();
        let kept = |kid: &str| json!({"kty": "OKP", "use": "sig", "alg": "EdDSA", "kid": kid, "crv": "Ed25519", "x": x});
        let keys = json!({"jwks": {"keys": [kept("a"), kept("b")]}});
        assert_eq!(tenant.sections[&Kind::Worker]["w"], fields_of(keys));
        for (more, said) in [
            ("kid: a, d: s3cret", "key 1 of jwks"),
            ("alg: EdDSA", "key 1 of jwks must have a kid"),
            ("kid: a, use: s3cret", "key 1 of jwks"),
        ] {
            let problem = parse(&format!("{head}{}", key(more))).map(|_| ()).unwrap_err();
            assert!(problem.contains(said) && problem.contains("line "), "{problem}");
            assert!(!problem.contains("s3cret"), "{problem}");
        }
        let other = head.replace("keys:", "keys: []\n          key:");
        assert!(parse(&other).map(|_| ()).unwrap_err().contains("unknown field `key`"));
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_line() {
        let tenant = "tenants:\n  - slug: s\n";
        let long = "x".repeat(20);
        for (text, line, said) in [
            ("", "", "names no tenant"),
            ("tenants: []", "", "names no tenant"),
            ("tenant: []", "line 1", "tenant"),
            ("tenants:\n  - name: n", "line 2", "slug"),
            (&format!("{tenant}    role: []"), "line 3", "role"),
            (
                &format!("{tenant}    roles:\n      - {{name: A, permission: [x]}}"),
                "line 4",
                "permission",
            ),
            (&format!("{tenant}    roles: [{{name: A}}]"), "line 3", "permissions"),
            (&format!("{tenant}    selfSignUp: maybe"), "line 3", "bool"),
            (&format!("{tenant}    clients: [{{id: c, jwks: {{keys: []}}}}]"), "line 3", "jwks"),
            (&format!("{tenant}    roles: [{{name: A, permissions: x}}]"), "line 3", "sequence"),
            (&format!("{tenant}  - slug: s"), "line 3", "tenant s is named twice"),
            (&format!("{tenant}---\n{tenant}"), "line 5", "tenant s is named twice"),
            (
                &format!("{tenant}    workers:\n      - id: w\n      - id: w"),
                "line 5",
                "worker w is named twice",
            ),
            (
                &format!(
                    "{tenant}    members: [{{email: A@b.c, roles: []}}, {{email: a@B.c, roles: []}}]"
                ),
                "line 3",
                "member a@B.c is named twice",
            ),
            (&format!("{tenant}    workers: [{{id: ..}}]"), "line 3", "no name of a worker"),
            (&format!("{tenant}    workers: [{{id: ''}}]"), "line 3", "no name of a worker"),
            (&format!("{tenant}    name: a\n    name: b"), "line 4", "name"),
            (&format!("{tenant}    [{long}"), "line 3", ""),
        ] {
            let problem = parse(text).map(|_| ()).unwrap_err();
            assert!(problem.contains(line) && problem.contains(said), "{text}\n{problem}");
            assert!(!problem.contains('\n'), "{problem}");
        }
    }
}
