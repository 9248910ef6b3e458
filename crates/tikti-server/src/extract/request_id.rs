//! Under which id is this request known? The caller's, where it is sane, else one made here.
//!
//! A request id reaches logs and headers, so nothing but `[A-Za-z0-9._-]` is taken over.
//!
//! Spec: HTTP API, first paragraph.

use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tikti_domain::error::InternalError;
use tikti_domain::random::Random;

/// The header that carries the id in both directions.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;
/// Length of an id that is made here: 130 random bits.
const LENGTH: usize = 26;
/// Crockford's base32, the alphabet of a ULID.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Bytes that are drawn at once, for 39 ids: a draw costs about as much as the rest of a short request.
const DRAWN: usize = 1024;

/// Makes the ids of requests.
pub(crate) struct RequestIds {
    random: Random,
    drawn: Mutex<Drawn>,
}

/// Random bytes, those before `used` used up.
struct Drawn {
    bytes: [u8; DRAWN],
    used: usize,
}

impl RequestIds {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, drawn: Mutex::new(Drawn { bytes: [0; DRAWN], used: DRAWN }) }
    }

    /// Takes the id from `headers` where there is exactly one and it is sane, else makes one of 26
    /// random characters.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Result<RequestId, InternalError> {
        let mut given = headers.get_all(&HEADER).iter();
        let from_caller = match (given.next(), given.next()) {
            (Some(value), None) => RequestId::from_header(value),
            _ => None,
        };
        from_caller.map_or_else(|| self.make(), Ok)
    }

    fn make(&self) -> Result<RequestId, InternalError> {
        let text = self.draw()?.map(|byte| {
            // Five bits: every character is as likely as any other.
            ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or_default()
        });
        let header = HeaderValue::from_bytes(&text);
        header.map(RequestId).map_err(|_| InternalError::Crypto("making a request id"))
    }

    /// Bytes that nobody has got before.
    fn draw(&self) -> Result<[u8; LENGTH], InternalError> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.used + LENGTH > DRAWN {
            drawn.bytes = self.random.bytes()?;
            drawn.used = 0;
        }
        let start = drawn.used;
        drawn.used += LENGTH;
        let bytes = drawn.bytes.get(start..).and_then(|rest| rest.first_chunk()).copied();
        bytes.ok_or(InternalError::Crypto("making a request id"))
    }
}

/// The id of one request: 1 to 128 of `[A-Za-z0-9._-]`.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn from_header(value: &HeaderValue) -> Option<Self> {
        let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let bytes = value.as_bytes();
        let is_id = (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(is_sane);
        is_id.then(|| Self(value.clone()))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        // It is ASCII.
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of `X-Request-Id`.
    pub(crate) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id_for(values: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&HEADER, HeaderValue::from_static(value));
        }
        RequestIds::new(Random::seeded(1)).of(&headers).unwrap().as_str().to_owned()
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

    #[test]
    fn no_id_is_made_twice_and_every_character_is_used_at_every_place() {
        let ids = RequestIds::new(Random::seeded(1));
        let made: Vec<_> = (0..2000).map(|_| ids.make().unwrap().as_str().to_owned()).collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        for place in 0..LENGTH {
            let used: HashSet<_> = made.iter().map(|id| id.as_bytes()[place]).collect();
            assert_eq!(used, HashSet::from_iter(*ALPHABET), "{place}");
        }
    }
}
