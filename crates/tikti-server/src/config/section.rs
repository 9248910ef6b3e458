//! How is one group of settings read? Typed, and with every problem noted instead of only the
//! first.
//!
//! A [`Section`] hands out its members one by one; whatever nobody asked for is unknown, and said
//! so when the section is finished. A problem names the setting by its path and never shows a
//! secret.
//!
//! Spec: Operations, "Configuration".

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};
use tikti_domain::secret::SecretString;

/// What was found wrong so far, one line each.
#[derive(Debug, Default)]
pub(super) struct Problems {
    lines: RefCell<Vec<String>>,
    /// Settings that the environment gave, and the variable that each came from.
    variables: BTreeMap<String, String>,
}

impl Problems {
    /// Notes that the setting at `path` is wrong; names the variable that it came from, if one gave
    /// it.
    pub(super) fn add(&self, path: &str, reason: impl std::fmt::Display) {
        let line = match self.variables.get(path) {
            Some(variable) => format!("{path} ({variable}): {reason}"),
            None => format!("{path}: {reason}"),
        };
        self.lines.borrow_mut().push(line);
    }

    /// Remembers that `variable` gave the setting at `path`; false where another one did so before.
    pub(super) fn note_variable(&mut self, path: &str, variable: &str) -> bool {
        self.variables.insert(path.to_owned(), variable.to_owned()).is_none()
    }

    /// Whether the environment gave the setting at `path`.
    pub(super) fn is_from_environment(&self, path: &str) -> bool {
        self.variables.contains_key(path)
    }

    /// Gives back what was noted, in order.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into_inner()
    }
}

/// A group of settings while it is read.
pub(super) struct Section<'a> {
    path: String,
    members: Map<String, Value>,
    asked: BTreeSet<&'static str>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// The outermost group.
    pub(super) fn root(members: Map<String, Value>, problems: &'a Problems) -> Self {
        Self { path: String::new(), members, asked: BTreeSet::new(), problems }
    }

    /// The path of the member `key`, as in `tokens.idTtl`.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes that the member `key` is wrong.
    pub(super) fn refuse(&self, key: &str, reason: impl std::fmt::Display) {
        self.problems.add(&self.path_of(key), reason);
    }

    /// Whether the member `key` is given, whatever its type.
    pub(super) fn has(&self, key: &str) -> bool {
        self.members.get(key).is_some_and(|value| !value.is_null())
    }

    /// Takes the member `key` as it stands; absent where it is missing or null.
    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.insert(key);
        self.members.remove(key).filter(|value| !value.is_null())
    }

    /// Reads a text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            Value::Number(_)
            | Value::Bool(_)
            | Value::Array(_)
            | Value::Object(_)
            | Value::Null => {
                self.refuse(key, "must be a text; a number or a yes/no word needs quotes");
                None
            }
        }
    }

    /// Reads a text that nobody may see.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    /// Reads a text and turns it into a `T`.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|reason| self.refuse(key, reason)).ok()
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        self.parsed(key, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(
                || {
                    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                    format!("must be one of: {}", words.join(", "))
                },
            )
        })
    }

    /// Reads yes or no.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let flag = match self.take(key)? {
            Value::Bool(flag) => Some(flag),
            // The environment knows texts only.
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
        };
        if flag.is_none() {
            self.refuse(key, "must be true or false");
        }
        flag
    }

    /// Reads a number from `least` to `most`.
    pub(super) fn number(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let number = match self.take(key)? {
            Value::Number(number) => number.as_u64(),
            // The environment knows texts only.
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
        };
        let fitting = number.filter(|number| (least..=most).contains(number));
        if fitting.is_none() {
            self.refuse(key, format_args!("must be a number from {least} to {most}"));
        }
        fitting
    }

    /// Reads a duration: seconds as a number, or a number with `s`, `m`, `h` or `d`.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        let duration = duration(&self.take(key)?);
        if duration.is_none() {
            self.refuse(key, "must be seconds, or a number with s, m, h or d, such as 15m");
        }
        duration
    }

    /// The same, or a word for none at all: then there is nothing within what is there.
    pub(super) fn duration_or(
        &mut self,
        key: &'static str,
        word: &str,
    ) -> Option<Option<Duration>> {
        let value = self.take(key)?;
        if value.as_str().is_some_and(|text| text.trim() == word) {
            return Some(None);
        }
        let duration = duration(&value);
        if duration.is_none() {
            let units = "must be seconds, or a number with s, m, h or d, such as 15m";
            self.refuse(key, format_args!("{units}, or {word}"));
        }
        duration.map(Some)
    }

    /// Reads the group `key`; an absent one is empty.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let members = match self.take(key) {
            None => Map::new(),
            Some(Value::Object(members)) => members,
            Some(Value::String(json)) => self.object_of(key, &json),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Null) => {
                self.refuse(key, "must be a group of settings");
                Map::new()
            }
        };
        Section { path: self.path_of(key), ..Self::root(members, self.problems) }
    }

    /// A group given as JSON, which is how the environment can give one.
    fn object_of(&self, key: &str, json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap_or_else(|_| {
            self.refuse(key, "must be a group of settings (in the environment: as JSON)");
            Map::new()
        })
    }

    /// Reads a list of groups; absent where it is not given.
    pub(super) fn sections(&mut self, key: &'static str) -> Option<Vec<Section<'a>>> {
        let items = self.list(key)?;
        let mut sections = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item {
                Value::Object(members) => {
                    sections.push(Section { path, ..Self::root(members, self.problems) });
                }
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => self.problems.add(&path, "must be a group of settings"),
            }
        }
        Some(sections)
    }

    /// Reads a list of texts, each turned into a `T`; absent where it is not given.
    pub(super) fn texts<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = self.list(key)?;
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            match item.as_str().map(&parse) {
                Some(Ok(value)) => texts.push(value),
                Some(Err(reason)) => self.problems.add(&path, reason),
                None => self.problems.add(&path, "must be a text"),
            }
        }
        Some(texts)
    }

    fn list(&mut self, key: &'static str) -> Option<Vec<Value>> {
        let items = match self.take(key)? {
            Value::Array(items) => Some(items),
            Value::String(json) => serde_json::from_str(&json).ok(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        if items.is_none() {
            self.refuse(key, "must be a list (in the environment: as JSON)");
        }
        items
    }

    /// Notes every member that nobody asked for.
    pub(super) fn finish(self) {
        for key in self.members.keys() {
            let known: Vec<_> = self.asked.iter().copied().collect();
            self.refuse(key, format_args!("unknown setting; known here: {}", known.join(", ")));
        }
    }
}

fn duration(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => seconds(text.trim()),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) | Value::Null => None,
    };
    seconds.map(Duration::from_secs)
}

/// Reads `90`, `90s`, `15m`, `12h` or `30d` as seconds.
fn seconds(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(digits) => (digits, text.chars().last()?),
        None => (text, 's'),
    };
    let seconds_each = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => 1,
    };
    digits.parse::<u64>().ok()?.checked_mul(seconds_each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_carry_their_unit() {
        for (text, expected) in [
            ("900", Some(900)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("", None),
            ("m", None),
            ("15 m", None),
            ("1.5h", None),
            ("-1", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
