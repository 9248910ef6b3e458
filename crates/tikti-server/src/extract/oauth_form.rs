//! What is asked at an OAuth endpoint: the parameters of a form, and of nothing but a form.
//!
//! Invariant: a parameter has one value or none. What two readers could read differently is refused: a
//! repeated parameter, bytes that are no UTF-8, a `%` that encodes nothing. A parameter without a value
//! counts as left out. `audience` and `resource` may be repeated by their own specifications; how many of
//! them a grant takes is the grant's matter.
//!
//! Spec: RFC 6749 sections 3.1, 3.2 and appendix B; RFC 8693 section 2.1; RFC 8707 section 2.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use tikti_domain::error::{Code, Refusal};

use super::json;

/// What may come more than once.
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// Most parameters of a request. Each is compared with those before it, so that many of them would keep
/// a core busy for whoever sends them, known or not.
const MOST: usize = 64;

/// The parameters of a request, without those that have no value. No `Debug`: they hold secrets.
pub(crate) struct OAuthForm(Vec<(String, String)>);

impl OAuthForm {
    /// Reads the form of a request, of at most 64 KiB.
    pub(super) async fn read(parts: &Parts, body: Body) -> Result<Self, Refusal> {
        let mut types = parts.headers.get_all(CONTENT_TYPE).iter();
        let essence = types.next().map(json::essence).unwrap_or_default();
        let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        if !is_form || types.next().is_some() {
            let advice = "must be application/x-www-form-urlencoded";
            return Err(Refusal::new(
                Code::UnsupportedMediaType,
                format!("Content-Type: {advice}"),
            )
            .detail("Content-Type", advice));
        }
        Self::parse(&json::read_in_time(parts, body).await?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Refusal::invalid("body", "is not UTF-8"));
        };
        let mut members: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(Refusal::invalid("body", "is not percent-encoded UTF-8"));
            };
            if value.is_empty() {
                continue;
            }
            if members.len() == MOST {
                return Err(Refusal::invalid("body", format!("holds more than {MOST} parameters")));
            }
            let is_known = members.iter().any(|(known, _)| *known == name);
            if is_known && !REPEATABLE.contains(&name.as_str()) {
                return Err(Refusal::invalid("body", "holds a parameter twice"));
            }
            members.push((name, value));
        }
        Ok(Self(members))
    }

    /// The value of a parameter; of a repeated one the first.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that may be repeated.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that has to be there.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming it.
    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid(name, "is missing"))
    }
}

#[cfg(test)]
impl OAuthForm {
    /// The form of a well-formed body.
    pub(super) fn of(body: &str) -> Self {
        Self::parse(body.as_bytes()).unwrap()
    }
}

/// Decodes a name or a value of a form; `None` where it is not percent-encoded UTF-8.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        OAuthForm::parse(text.as_bytes()).err().unwrap().message.into_owned()
    }

    #[test]
    fn a_parameter_is_decoded_and_one_without_a_value_is_left_out() {
        let form = OAuthForm::parse(b"a=x%2By+z&b=&c&&d=%C3%A4=1&%65=f").unwrap();
        let read = ["a", "b", "c", "d", "e", ""].map(|name| form.get(name));
        assert_eq!(read, [Some("x+y z"), None, None, Some("\u{e4}=1"), Some("f"), None]);
        assert_eq!(form.require("b").unwrap_err().message, "b: is missing");
    }

    #[test]
    fn a_repeated_parameter_is_refused_however_it_is_written() {
        for text in ["a=1&a=1", "a=1&%61=2", "a=1&b=2&a=3", "unknown=1&unknown=2"] {
            assert_eq!(refused(text), "body: holds a parameter twice", "{text}");
        }
        // As if it were not there, as RFC 6749, section 3.2, says.
        assert_eq!(OAuthForm::parse(b"a=&a=1&a").unwrap().get("a"), Some("1"));
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        let flood = |names: usize| (0..names).map(|n| format!("p{n}=1&")).collect::<String>();
        assert!(OAuthForm::parse(flood(MOST).as_bytes()).is_ok());
        assert_eq!(refused(&flood(MOST + 1)), "body: holds more than 64 parameters");
        let repeated = "audience=a&".repeat(MOST + 1);
        assert_eq!(refused(&repeated), "body: holds more than 64 parameters");
    }

    #[test]
    fn audience_and_resource_may_be_repeated() {
        let form = OAuthForm::parse(b"audience=a&resource=r&audience=b").unwrap();
        assert_eq!(form.all("audience").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["r"]);
    }

    #[test]
    fn what_encodes_nothing_is_refused_and_never_guessed() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%+1", "%=1", "a=%ff", "a=%c3", "a=%C3%28"] {
            assert_eq!(refused(text), "body: is not percent-encoded UTF-8", "{text}");
        }
        assert_eq!(OAuthForm::parse(b"a=\xff").err().unwrap().message, "body: is not UTF-8");
    }
}
