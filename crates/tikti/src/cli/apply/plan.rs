//! What has to change so that a tenant is as a file says? A function of the two, and of nothing else.
//!
//! Invariant: only what the file names is made or changed, and only the fields that it names; what it does not
//! name is deleted where pruning was asked for, in the sections that the file has, and nowhere else. Whatever
//! stands on something else comes after it, and goes before it. In a tenant that is suspended nothing changes,
//! so that suspending one comes last, and ending that first.
//!
//! Spec: Command line, `apply`. Why: docs/decisions/0043.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// The role whose last holder is not pruned: without him nobody administers the tenant.
const ADMINISTRATOR: &str = "TENANT_ADMIN";

/// The field that says whether a tenant is served, and what it says of a new one.
const STATUS: &str = "status";
const SERVED: &str = "ACTIVE";

/// What a new thing is asked with, and nothing shows afterwards.
const ONLY_WHEN_MADE: &str = "create";

/// What a tenant consists of, in the order in which one stands on the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Tenant,
    Role,
    Client,
    Worker,
    Member,
}

impl Kind {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Role => "role",
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Member => "member",
        }
    }

    /// Members of its wire type that a file can name.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Tenant => &["name", "selfSignUp", "status"],
            Self::Role => &["permissions"],
            Self::Client => &[
                "type",
                "status",
                "allowedGrantTypes",
                "allowedScopes",
                "defaultScopes",
                "eventTypes",
                "subjectPolicy",
                "tokenTtlSeconds",
            ],
            Self::Worker => {
                &["clients", "scopes", "eventTypes", "mintableBy", "jwks", "customTokens", "status"]
            }
            Self::Member => &["roles"],
        }
    }
}

/// Fields by name. Lists are sets to the server: here they are sorted, each word once.
pub(super) type Fields = BTreeMap<String, Value>;

/// What a file wants of one tenant: the things of each section that it has, by name.
#[derive(Clone, Debug)]
pub(super) struct WantedTenant {
    pub(super) slug: String,
    pub(super) fields: Fields,
    pub(super) sections: BTreeMap<Kind, BTreeMap<String, Fields>>,
}

/// What a server has of one tenant, as far as a file asks.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundTenant {
    pub(super) id: String,
    pub(super) fields: Fields,
    pub(super) sections: BTreeMap<Kind, BTreeMap<String, Found>>,
}

/// One thing that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// What names it in a path: its name, for a member the user's id.
    pub(super) id: String,
    pub(super) fields: Fields,
    pub(super) standing: Standing,
}

/// What is special about something that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Ordinary,
    /// Built in, or of the template: never pruned.
    Given,
    /// Whoever asks, a member or a worker: what is done to him is done last.
    Own,
}

/// Whether things are deleted that the file does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prune {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Create,
    Update,
    Delete,
}

/// One thing that has to be made, changed or deleted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) action: Action,
    pub(super) kind: Kind,
    /// Slug of the tenant.
    pub(super) tenant: String,
    pub(super) name: String,
    /// What names it in a path.
    #[serde(skip)]
    pub(super) id: String,
    pub(super) fields: Vec<FieldChange>,
}

/// A field that is to be another; `null` where there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct FieldChange {
    pub(super) name: String,
    pub(super) from: Value,
    pub(super) to: Value,
}

/// The changes that make `found` into `wanted`, in the order in which they are to be made: tenant, roles,
/// clients, workers, members; then what is pruned, the other way round; then the caller himself, and at last
/// that the tenant is served no more.
pub(super) fn plan(
    wanted: &WantedTenant,
    found: Option<&FoundTenant>,
    prune: Prune,
) -> Vec<Change> {
    let tenant = |action, kind, name: &str, id: &str, fields| Change {
        action,
        kind,
        tenant: wanted.slug.clone(),
        name: name.to_owned(),
        id: id.to_owned(),
        fields,
    };
    let mut changes = Vec::new();
    let mut own = Vec::new();
    let slug = wanted.slug.as_str();
    let (action, fields) = match found {
        None => (Action::Create, made(&wanted.fields)),
        Some(found) => (Action::Update, differences(&wanted.fields, &found.fields)),
    };
    let (at_last, fields): (Vec<_>, Vec<_>) = fields.into_iter().partition(suspends);
    if action == Action::Create || !fields.is_empty() {
        changes.push(tenant(action, Kind::Tenant, slug, slug, fields));
    }
    for (kind, things) in &wanted.sections {
        for (name, fields) in things {
            let Some(there) = found.and_then(|found| found.find(*kind, name)) else {
                changes.push(tenant(Action::Create, *kind, name, name, made(fields)));
                continue;
            };
            let fields = differences(fields, &there.fields);
            if !fields.is_empty() {
                let list = if there.standing == Standing::Own { &mut own } else { &mut changes };
                list.push(tenant(Action::Update, *kind, name, &there.id, fields));
            }
        }
    }
    let pruned = found.filter(|_| prune == Prune::Yes).map(|found| pruned(wanted, found));
    for (kind, name, there) in pruned.unwrap_or_default() {
        let list = if there.standing == Standing::Own { &mut own } else { &mut changes };
        list.push(tenant(Action::Delete, kind, name, &there.id, gone(&there.fields)));
    }
    changes.append(&mut own);
    if !at_last.is_empty() {
        changes.push(tenant(Action::Update, Kind::Tenant, slug, slug, at_last));
    }
    changes
}

/// Whether this of a tenant ends that it is served.
fn suspends(field: &FieldChange) -> bool {
    field.name == STATUS && field.to != SERVED
}

impl FoundTenant {
    fn find(&self, kind: Kind, name: &str) -> Option<&Found> {
        self.sections.get(&kind)?.get(name)
    }
}

/// What the sections of the file do not name and may go, last things first.
fn pruned<'a>(wanted: &WantedTenant, found: &'a FoundTenant) -> Vec<(Kind, &'a str, &'a Found)> {
    let mut list = Vec::new();
    for (kind, named) in wanted.sections.iter().rev() {
        // Where the file names nobody who administers the tenant, those who do stay.
        let administers = |fields: &Fields| *kind == Kind::Member && administers(fields);
        let is_administered = named.values().any(administers);
        let there = found.sections.get(kind).into_iter().flatten();
        let may_go = |(name, thing): &(&String, &Found)| {
            !named.contains_key(*name)
                && thing.standing != Standing::Given
                && (*kind, thing.standing) != (Kind::Worker, Standing::Own)
                && (is_administered || !administers(&thing.fields))
        };
        list.extend(there.filter(may_go).map(|(name, thing)| (*kind, name.as_str(), thing)));
    }
    list
}

fn administers(fields: &Fields) -> bool {
    words_of(fields.get("roles")).any(|role| role == ADMINISTRATOR)
}

fn made(fields: &Fields) -> Vec<FieldChange> {
    let new = |(name, to): (&String, &Value)| FieldChange {
        name: name.clone(),
        from: Value::Null,
        to: to.clone(),
    };
    fields.iter().map(new).collect()
}

fn gone(fields: &Fields) -> Vec<FieldChange> {
    let old = |(name, from): (&String, &Value)| FieldChange {
        name: name.clone(),
        from: from.clone(),
        to: Value::Null,
    };
    fields.iter().map(old).collect()
}

fn differences(wanted: &Fields, found: &Fields) -> Vec<FieldChange> {
    let other = |(name, to): (&String, &Value)| {
        let from = found.get(name).cloned().unwrap_or_default();
        let differs = name != ONLY_WHEN_MADE && from != *to;
        differs.then(|| FieldChange { name: name.clone(), from, to: to.clone() })
    };
    wanted.iter().filter_map(other).collect()
}

/// Whether `change` must not be made after `failed`, of the same tenant, was not.
///
/// Nothing is deleted where something before it was not done: what should have taken its place is not there.
/// Nobody is given a role, and no worker a client, that is not as the file says. No tenant is suspended before all
/// else is done, and nothing is done in one that is not served any more.
pub(super) fn depends(change: &Change, failed: &Change) -> bool {
    let is_status = |field: &FieldChange| field.name == STATUS;
    let opens_tenant = failed.kind == Kind::Tenant
        && (failed.action == Action::Create || failed.fields.iter().any(is_status));
    let closes_tenant = change.kind == Kind::Tenant && change.fields.iter().any(suspends);
    if opens_tenant || closes_tenant || change.action == Action::Delete {
        return true;
    }
    let names = |field: &FieldChange| match (field.name.as_str(), failed.kind) {
        ("roles" | "mintableBy", Kind::Role) | ("clients", Kind::Client) => {
            words_of(Some(&field.to)).any(|name| name == failed.name)
        }
        _ => false,
    };
    change.fields.iter().any(names)
}

/// The words of a list.
pub(super) fn words_of(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests;
