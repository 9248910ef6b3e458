//! What does one document of the old layout say?
//!
//! Invariant: what is missing, `null` or empty reads as absent; what is there and cannot be understood is told
//! apart from that. Nothing of a document is ever shown.
//!
//! Spec: Real clients, "id, role, status or date may be missing".

use serde_json::{Map, Value};

use super::report::TroubleKind;
use crate::clock::{Timestamp, parse_rfc3339};

/// From here on a number is milliseconds since 1970, below it seconds: the year 5138, and March 1973.
const LEAST_MILLIS: u64 = 100_000_000_000;
/// How Go writes a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00";

/// A member is there, and of a type that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong;

impl From<Wrong> for TroubleKind {
    fn from(Wrong: Wrong) -> Self {
        Self::WrongMember
    }
}

/// A JSON object.
pub(super) struct Document(Map<String, Value>);

/// A date that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Date {
    Absent,
    At(Timestamp),
    /// No date, or one of the future.
    Wrong,
}

impl Date {
    pub(super) fn known(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Absent | Self::Wrong => None,
        }
    }
}

impl Document {
    /// Reads it; `None` for anything but an object.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// The text at the first of these members that is not absent; a number reads as its digits.
    ///
    /// # Errors
    /// [`Wrong`] where that is of another type.
    pub(super) fn text(&self, names: &[&str]) -> Result<Option<String>, Wrong> {
        for name in names {
            match self.0.get(*name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => return Ok(Some(text.clone())),
                Some(Value::Number(number)) => return Ok(Some(number.to_string())),
                Some(_) => return Err(Wrong),
            }
        }
        Ok(None)
    }

    /// Whether this is said to be so, where anything is said; what is no truth value is not so.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => Some(*value == Value::Bool(true)),
        }
    }

    /// The texts of a list; those of one text, between spaces; `None` where it is absent. What is no text in it
    /// reads as empty, which fits nothing. Lua writes an empty list as `{}`.
    ///
    /// # Errors
    /// [`Wrong`] where it is anything else.
    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Wrong> {
        let texts = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
            }
            Some(Value::Object(members)) if members.is_empty() => Vec::new(),
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            Some(_) => return Err(Wrong),
        };
        Ok(Some(texts))
    }

    /// When it was made.
    pub(super) fn created_at(&self, now: Timestamp) -> Date {
        let read = match self.0.get("createdAt") {
            None | Some(Value::Null) => return Date::Absent,
            Some(Value::String(text)) if text.is_empty() || text.starts_with(NEVER) => {
                return Date::Absent;
            }
            Some(Value::String(text)) => {
                parse_rfc3339(text).or_else(|| text.parse().ok().map(of_number))
            }
            // JavaScript and Lua write whole numbers of this size with a fraction at times.
            Some(Value::Number(number)) => {
                number.as_u64().or_else(|| whole(number.as_f64()?)).map(of_number)
            }
            Some(_) => None,
        };
        read.filter(|time| *time <= now).map_or(Date::Wrong, Date::At)
    }
}

fn of_number(number: u64) -> Timestamp {
    let millis = if number < LEAST_MILLIS { number.saturating_mul(1000) } else { number };
    Timestamp::from_millis(millis)
}

fn whole(number: f64) -> Option<u64> {
    let is_date = (0.0..1e15).contains(&number);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the bounds, and a fraction of a unit is of no use"
    )]
    is_date.then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::START;

    #[test]
    fn dates_are_read_as_programs_write_them() {
        let at = |millis| Date::At(Timestamp::from_millis(millis));
        for (json, read) in [
            (r#"{}"#, Date::Absent),
            (r#"{"createdAt":null}"#, Date::Absent),
            (r#"{"createdAt":""}"#, Date::Absent),
            (r#"{"createdAt":"0001-01-01T00:00:00Z"}"#, Date::Absent),
            (r#"{"createdAt":"2024-01-31T12:00:00Z"}"#, at(1_706_702_400_000)),
            (r#"{"createdAt":"2024-01-31T14:00:00.123456789+02:00"}"#, at(1_706_702_400_123)),
            (r#"{"createdAt":1706702400}"#, at(1_706_702_400_000)),
            (r#"{"createdAt":1706702400000}"#, at(1_706_702_400_000)),
            (r#"{"createdAt":1706702400.5}"#, at(1_706_702_400_000)),
            (r#"{"createdAt":"1706702400"}"#, at(1_706_702_400_000)),
            (r#"{"createdAt":"yesterday"}"#, Date::Wrong),
            (r#"{"createdAt":"1960-01-01T00:00:00Z"}"#, Date::Wrong),
            (r#"{"createdAt":-1}"#, Date::Wrong),
            (r#"{"createdAt":true}"#, Date::Wrong),
            (r#"{"createdAt":"2999-01-01T00:00:00Z"}"#, Date::Wrong),
        ] {
            let document = Document::parse(json.as_bytes()).unwrap();
            assert_eq!(document.created_at(START), read, "{json}");
        }
    }

    #[test]
    fn what_is_empty_is_absent_and_what_is_no_object_is_none() {
        let document = Document::parse(br#"{"id":"","localId":7,"a":["x",1],"b":"x  y"}"#).unwrap();
        assert_eq!(document.text(&["id", "localId"]), Ok(Some("7".to_owned())));
        assert_eq!(document.text(&["email"]), Ok(None));
        assert_eq!(document.texts("a"), Ok(Some(vec!["x".to_owned(), String::new()])));
        assert_eq!(document.texts("b"), Ok(Some(vec!["x".to_owned(), "y".to_owned()])));
        assert_eq!(document.texts("c"), Ok(None));
        for wrong in ["", "[]", "7", "{", "\u{1}", "{\"a\":1} x"] {
            assert!(Document::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
    #[test]
    fn what_is_of_a_wrong_type_is_told_from_what_is_absent() {
        let json = br#"{"no":false,"one":{"a":1},"lua":{},"seven":7,"nil":null}"#;
        let document = Document::parse(json).unwrap();
        assert_eq!(document.text(&["no"]), Err(Wrong));
        assert_eq!(document.text(&["nil", "one"]), Err(Wrong));
        assert_eq!(document.text(&["nil"]), Ok(None));
        assert_eq!(document.texts("lua"), Ok(Some(Vec::new())));
        for wrong in ["no", "one", "seven"] {
            assert_eq!(document.texts(wrong), Err(Wrong), "{wrong}");
        }
        let truths = ["no", "seven", "nil", "gone"].map(|name| document.truth(name));
        assert_eq!(truths, [Some(false), Some(false), None, None]);
    }
}
