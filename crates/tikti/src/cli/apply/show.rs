//! How is a plan shown, and what became of it?
//!
//! For people a line a change, below its tenant: `+` made, `~` changed, `-` deleted. For programs one value.
//!
//! Spec: Command line, `apply`, "Output".

use serde::Serialize;
use serde_json::Value;
use tikti_server::api::ErrorReply;

use super::manifest::kid;
use super::plan::{Action, Change, FieldChange, Kind};
use super::run::{Outcome, Plan};
use crate::exit::Failure;
use crate::output;

/// The answer of both commands.
#[derive(Serialize)]
pub(super) struct Reply<'a> {
    pub(super) changes: Vec<ChangeReply<'a>>,
}

/// A change, and after `apply` what became of it.
#[derive(Serialize)]
pub(super) struct ChangeReply<'a> {
    #[serde(flatten)]
    change: &'a Change,
    /// `done`, `failed` or `left`.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    /// What the server answered to one that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorReply>,
}

impl<'a> Reply<'a> {
    /// What would be done.
    pub(super) fn planned(plans: &'a [Plan]) -> Self {
        let changes = plans.iter().flat_map(|plan| &plan.changes);
        let shown = |change| ChangeReply { change, result: None, error: None };
        Self { changes: changes.map(shown).collect() }
    }

    /// What was done.
    pub(super) fn made(plans: &'a [Plan], outcomes: &'a [Outcome]) -> Self {
        let changes = plans.iter().flat_map(|plan| &plan.changes).zip(outcomes);
        let shown = |(change, outcome): (&'a Change, &'a Outcome)| {
            let (result, error) = match outcome {
                Outcome::Done => ("done", None),
                Outcome::Failed(failure) => ("failed", failure.reply.as_deref()),
                Outcome::Left => ("left", None),
            };
            ChangeReply { change, result: Some(result), error }
        };
        Self { changes: changes.map(shown).collect() }
    }
}

/// The plans for people.
pub(super) fn people(plans: &[Plan]) -> Vec<String> {
    plans.iter().filter(|plan| !plan.changes.is_empty()).flat_map(tenant).collect()
}

fn tenant(plan: &Plan) -> Vec<String> {
    let is_changed = plan.changes.first().is_some_and(|change| change.kind == Kind::Tenant);
    let head = (!is_changed).then(|| format!("  tenant {}", plan.wanted.slug));
    let changes = plan.changes.iter().map(line);
    head.into_iter().chain(changes).map(|line| output::printable(&line)).collect()
}

fn line(change: &Change) -> String {
    let (kind, name) = (change.kind.word(), &change.name);
    let indent = if change.kind == Kind::Tenant { "" } else { "  " };
    let (sign, fields) = match change.action {
        Action::Create => ("+", change.fields.iter().map(new).collect()),
        Action::Update => ("~", change.fields.iter().map(other).collect()),
        Action::Delete => ("-", Vec::new()),
    };
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join("; ")) };
    format!("{indent}{sign} {kind} {name}{fields}")
}

fn new(field: &FieldChange) -> String {
    format!("{} {}", field.name, text(&field.to))
}

fn other(field: &FieldChange) -> String {
    format!("{} {} → {}", field.name, text(&field.from), text(&field.to))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(words) if words.is_empty() => "-".to_owned(),
        Value::Array(words) => Vec::from_iter(words.iter().map(text)).join(" "),
        // Public keys, by what they are called.
        Value::Object(members) if members.contains_key("keys") => {
            let keys = members.get("keys").and_then(Value::as_array).into_iter().flatten();
            let kids = Vec::from_iter(keys.filter_map(kid));
            if kids.is_empty() { "-".to_owned() } else { kids.join(" ") }
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// `12 changes`, `1 change`.
pub(super) fn counted(number: usize) -> String {
    if number == 1 { "1 change".to_owned() } else { format!("{number} changes") }
}

/// The failure of one change, which says what it was.
pub(super) fn failed(change: &Change, failure: &Failure) -> Failure {
    let Change { kind, name, tenant, .. } = change;
    let what = match kind {
        Kind::Tenant => format!("tenant {name}"),
        kind => format!("{} {name} of {tenant}", kind.word()),
    };
    Failure {
        exit: failure.exit,
        message: format!("{what}: {}", failure.message),
        reply: failure.reply.clone(),
        next: failure.next.clone(),
        is_unsent: failure.is_unsent,
    }
}
