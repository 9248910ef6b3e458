//! Under which id is this request known? The caller's, where it is sane, else one made here.
//!
//! A request id reaches logs and headers, so nothing but `[A-Za-z0-9._-]` is taken over.
//!
//! Spec: HTTP API, first paragraph.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tikti_domain::error::InternalError;
use tikti_domain::random::Random;

/// The header that carries the id in both directions.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;
/// Crockford's base32, the alphabet of a ULID.
const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The id of one request: 1 to 128 of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId {
    text: String,
    header: HeaderValue,
}

impl RequestId {
    /// Takes the id from `headers` where there is exactly one and it is sane, else makes one of 26
    /// random characters.
    pub(crate) fn of(headers: &HeaderMap, random: &Random) -> Result<Self, InternalError> {
        let mut given = headers.get_all(&HEADER).iter();
        let from_caller = match (given.next(), given.next()) {
            (Some(value), None) => Self::from_header(value),
            _ => None,
        };
        match from_caller {
            Some(id) => Ok(id),
            None => Self::make(random),
        }
    }

    fn from_header(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let is_sane = (1..=LONGEST).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        is_sane.then(|| Self { text: text.to_owned(), header: value.clone() })
    }

    fn make(random: &Random) -> Result<Self, InternalError> {
        let text = random.text(ALPHABET, 26)?;
        let header = HeaderValue::from_str(&text)
            .map_err(|_| InternalError::Crypto("making a request id"))?;
        Ok(Self { text, header })
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The id as the value of `X-Request-Id`.
    pub(crate) fn to_header(&self) -> HeaderValue {
        self.header.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(values: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&HEADER, HeaderValue::from_static(value));
        }
        RequestId::of(&headers, &Random::seeded(1)).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_sane_id_is_taken_over() {
        assert_eq!(id_for(&["a.B_9-z"]), "a.B_9-z");
    }

    #[test]
    fn anything_else_is_replaced() {
        let long: &'static str = "a".repeat(129).leak();
        for values in [&[][..], &[""], &["a b"], &["${jndi:x}"], &["a\"b"], &[long], &["a", "b"]] {
            let id = id_for(values);
            assert_eq!(id.len(), 26, "{values:?} gave {id}");
            assert!(id.bytes().all(|byte| ALPHABET.contains(&byte)));
        }
    }
}
