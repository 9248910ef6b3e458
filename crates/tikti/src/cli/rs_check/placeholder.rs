//! What does `${name}` in the catalogue stand for?
//!
//! Replaced in one pass, so that a value which looks like a placeholder stays what it is; a name that
//! is not known is an error.
//!
//! Spec: Command line, `rs-check`; `conformance/README.md`, "Placeholders".

use std::collections::BTreeMap;

use serde_json::Value;

use super::keys::PublicForms;
use crate::exit::Failure;

/// Stands where a verifier requires no scope.
const NO_SCOPE: &str = "rs-check:nothing";

/// What a good token says.
pub(super) struct Facts {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) tenant: String,
    pub(super) subject: String,
    /// Those that the verifier requires.
    pub(super) scopes: Vec<String>,
    pub(super) kid: String,
}

/// What a stranger publishes.
pub(super) struct Stranger<'a> {
    /// Where.
    pub(super) url: &'a str,
    pub(super) key: &'a PublicForms,
    pub(super) certificate: String,
}

/// The values by name.
#[derive(Clone)]
pub(super) struct Values(BTreeMap<&'static str, String>);

/// How a value is written into a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    Nothing,
    /// As within the quotes of a JSON text.
    Json,
}

impl Values {
    pub(super) fn new(facts: &Facts, stranger: &Stranger<'_>) -> Self {
        let Facts { issuer, audience, tenant, subject, scopes, kid } = facts;
        let scopes = if scopes.is_empty() { &vec![NO_SCOPE.to_owned()] } else { scopes };
        let scope = scopes.join(" ");
        let reversed = Vec::from_iter(scopes.iter().rev().map(String::as_str)).join(" ");
        let mut cut = audience.clone();
        cut.pop();
        Self(BTreeMap::from([
            ("iss_upper", issuer.to_uppercase()),
            ("iss_other_scheme", other_scheme(issuer)),
            ("iss", issuer.clone()),
            ("aud_upper", audience.to_uppercase()),
            ("aud_cut", cut),
            ("aud", audience.clone()),
            ("tid_upper", tenant.to_uppercase()),
            ("tid", tenant.clone()),
            ("sub", subject.clone()),
            ("scope_upper", scope.to_uppercase()),
            ("scope_reversed", reversed),
            ("scope_first", scopes.first().cloned().unwrap_or_default()),
            ("scope", scope),
            ("kid", kid.clone()),
            ("attacker", stranger.url.to_owned()),
            ("other_n", stranger.key.jwk.n.clone()),
            ("other_e", stranger.key.jwk.e.clone()),
            ("other_certificate", stranger.certificate.clone()),
        ]))
    }

    /// Those of the token that is called `name`, which has an address of its own at the stranger's: whoever
    /// asks there, sooner or later, tells which token he believed.
    pub(super) fn of_token(mut self, name: &str) -> Self {
        if let Some(url) = self.0.get_mut("attacker") {
            url.push('/');
            url.push_str(name);
        }
        self
    }

    /// Adds one that only one token has.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.insert(name, value);
        self
    }

    /// Replaces what stands in the texts of `value`, at any depth.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, Failure> {
        Ok(match value {
            Value::String(text) => Value::String(self.replace(text, Escape::Nothing)?),
            Value::Array(values) => {
                let filled: Result<Vec<Value>, Failure> =
                    values.iter().map(|value| self.fill(value)).collect();
                Value::Array(filled?)
            }
            Value::Object(members) => {
                let filled: Result<_, Failure> = members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), self.fill(value)?)))
                    .collect();
                Value::Object(filled?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// Replaces what stands in the JSON text of a part; `members` is JSON already.
    pub(super) fn fill_json(&self, text: &str, members: &str) -> Result<String, Failure> {
        let filled = text.split("${members}").map(|piece| self.replace(piece, Escape::Json));
        let filled: Result<Vec<String>, Failure> = filled.collect();
        Ok(filled?.join(members))
    }

    fn replace(&self, text: &str, escape: Escape) -> Result<String, Failure> {
        let mut pieces = text.split("${");
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let named = piece.split_once('}');
            let value = named.and_then(|(name, rest)| Some((self.0.get(name)?, rest)));
            let Some((value, rest)) = value else {
                return Err(Failure::refused(format!("no placeholder in the catalogue: {text}")));
            };
            filled.push_str(&match escape {
                Escape::Nothing => value.clone(),
                Escape::Json => escaped(value),
            });
            filled.push_str(rest);
        }
        Ok(filled)
    }
}

/// Without the quotes around it.
fn escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

fn other_scheme(issuer: &str) -> String {
    match issuer.split_once("://") {
        Some(("http", rest)) => format!("https://{rest}"),
        Some((_, rest)) => format!("http://{rest}"),
        None => format!("http://{issuer}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> Values {
        Values(BTreeMap::from([("iss", "https://${aud}".to_owned()), ("aud", "a\"b".to_owned())]))
    }

    #[test]
    fn a_value_is_not_looked_into_again() {
        let filled = values().fill(&json!({"x": ["${iss}/", 1], "y": "$ {aud}"})).unwrap();
        assert_eq!(filled, json!({"x": ["https://${aud}/", 1], "y": "$ {aud}"}));
    }

    #[test]
    fn a_value_in_json_is_escaped_and_members_are_not() {
        let filled = values().fill_json(r#"{"a":"${aud}",${members}}"#, r#""b":1"#).unwrap();
        assert_eq!(filled, r#"{"a":"a\"b","b":1}"#);
    }

    #[test]
    fn an_unknown_placeholder_is_an_error() {
        assert!(values().fill(&json!("${nobody}")).is_err());
        assert!(values().fill(&json!("${iss")).is_err());
    }

    #[test]
    fn the_other_scheme_is_the_other_one() {
        assert_eq!(other_scheme("http://a:1"), "https://a:1");
        assert_eq!(other_scheme("https://a"), "http://a");
    }
}
