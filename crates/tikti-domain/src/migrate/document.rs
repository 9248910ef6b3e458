//! What does one document of the old layout say?
//!
//! Invariant: what is missing, `null` or empty reads as absent; what is there and cannot be understood is told
//! apart from that. Nothing of a document is ever shown.
//!
//! Spec: Real clients, "id, role, status or date may be missing".

use serde_json::{Map, Value};

use crate::clock::{Timestamp, parse_rfc3339};

/// From here on a number is milliseconds since 1970, below it seconds: the year 5138, and March 1973.
const LEAST_MILLIS: u64 = 100_000_000_000;
/// How Go writes a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00";

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

    /// The text at the first of these members that has one; a number reads as its digits.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| match self.0.get(*name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// The texts of a list; those of one text, between spaces. What is no text in it reads as empty, which
    /// fits nothing.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
            }
            Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
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
        assert_eq!(document.text(&["id", "localId"]).as_deref(), Some("7"));
        assert_eq!(document.text(&["email"]), None);
        assert_eq!(document.texts("a"), ["x", ""]);
        assert_eq!(document.texts("b"), ["x", "y"]);
        assert!(document.texts("c").is_empty());
        for wrong in ["", "[]", "7", "{", "\u{1}", "{\"a\":1} x"] {
            assert!(Document::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
