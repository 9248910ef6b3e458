//! What is done to a field, and what has to come back for it?

use serde_json::Value;

use super::fields::{Field, Place};
use super::values;

/// The longest value, as it is written, that fits into a head with the rest of the request.
const LONG_IN_HEAD: usize = 20_000;

/// What has to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A success or a refusal: the field may be like this, or what it says is judged by a rule.
    Either,
    /// `INVALID_ARGUMENT` that names the field.
    Named,
}

/// One thing that is wrong with a request.
pub(super) enum Bad {
    Missing,
    Json(Value),
    /// As it is written in a form, a query or a path.
    Written(String),
    Twice,
}

impl Bad {
    pub(super) fn expected(&self, field: &Field) -> Expected {
        let fits = match self {
            Self::Missing => !field.is_required || field.is_item(),
            // By their own specifications (RFC 8693, RFC 8707).
            Self::Twice => {
                field.place == Place::Form && ["audience", "resource"].contains(&field.member())
            }
            Self::Json(value) => fits(field, value),
            // One that is empty counts as absent.
            Self::Written(text) if field.place == Place::Query && text.is_empty() => {
                !field.is_required
            }
            Self::Written(_) => field.types.contains("string"),
        };
        if fits { Expected::Either } else { Expected::Named }
    }

    /// The value for a person, cut.
    pub(super) fn shown(&self) -> String {
        let text = match self {
            Self::Missing => "missing".to_owned(),
            Self::Twice => "twice".to_owned(),
            Self::Json(value) => value.to_string(),
            Self::Written(text) => text.clone(),
        };
        text.chars().take(40).collect()
    }
}

/// Whether the value has a type that the document gives the field.
fn fits(field: &Field, value: &Value) -> bool {
    let types: &[&str] = match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(number) if number.is_i64() => &["integer", "number"],
        Value::Number(_) => &["number"],
        Value::String(_) => &["string"],
        Value::Array(items) => {
            // An item of another type than the field's own is refused by its own name.
            return field.types.contains("array") && items.is_empty();
        }
        Value::Object(_) => &["object"],
    };
    types.iter().any(|name| field.types.contains(*name))
}

/// Everything that is tried in place of a field.
pub(super) fn bad_values(field: &Field) -> Vec<Bad> {
    let written = || values::written_values().into_iter().map(Bad::Written);
    // A head that is too long is cut off before there is a call: see the tests of hostile requests.
    let in_head = |bad: &Bad| matches!(bad, Bad::Written(text) if text.len() <= LONG_IN_HEAD);
    let missing_and_twice = || [Bad::Missing, Bad::Twice].into_iter();
    match field.place {
        Place::Json => {
            let values = values::json_values().into_iter().map(Bad::Json);
            std::iter::once(Bad::Missing).chain(values).collect()
        }
        Place::Form => missing_and_twice().chain(written()).collect(),
        Place::Query => missing_and_twice().chain(written().filter(in_head)).collect(),
        // A path without it is another path.
        Place::Path => {
            let is_empty = |bad: &Bad| matches!(bad, Bad::Written(text) if text.is_empty());
            written().filter(in_head).filter(|bad| !is_empty(bad)).collect()
        }
    }
}
