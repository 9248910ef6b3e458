//! The identifiers of things: parsed once, then typed, so that no two kinds can be mixed up.
//!
//! A value of one of these types always fits its grammar. Ids are made here from the clock and the
//! random source that the caller passes.
//!
//! Spec: Domain, "Things and their identifiers".

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{InternalError, Refusal};
use crate::random::Random;

/// Declares an identifier: a string that fits `$valid`, else `INVALID_ARGUMENT` that names
/// `$member`.
macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident $member:literal $valid:path, $grammar:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text form.
            ///
            /// # Errors
            /// `INVALID_ARGUMENT` that names the grammar, where the text does not fit it.
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                if $valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Refusal::invalid($member, concat!("must be ", $grammar)))
                }
            }

            /// The text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Refusal;

            fn try_from(text: String) -> Result<Self, Refusal> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

identifiers! {
    /// A tenant's id, the `tid` claim.
    TenantId "tenantId" is_tenant_name, "2 to 63 characters of a-z, 0-9 and -, beginning with a letter";
    /// A tenant's slug: a name for people, in the same namespace as the ids.
    Slug "slug" is_tenant_name, "2 to 63 characters of a-z, 0-9 and -, beginning with a letter";
    /// A user's id, the `sub` claim and `localId`.
    UserId "userId" is_user_id, "1 to 128 characters of A-Z, a-z, 0-9, _ and -";
    /// A role's name.
    RoleName "role" is_role_name, "1 to 128 characters of A-Z, a-z, 0-9, _, ., : and -, beginning with a letter";
    /// A client's id, the `aud` of access tokens.
    ClientId "audience" is_client_id, "1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -";
    /// A worker's id, the `sub` of its tokens.
    WorkerId "worker" is_worker_id, "1 to 128 characters of A-Z, a-z, 0-9, ., _, :, / and -, and no UUID";
    /// A session's id, the `sid` claim: a ULID.
    SessionId "sid" is_ulid, "a ULID";
    /// The id of an operation of several steps: a ULID.
    OperationId "operation" is_ulid, "a ULID";
    /// The id of a mail in the queue: a ULID.
    MailId "mail" is_ulid, "a ULID";
    /// An API key's id: the middle part of `tk_<id>_<secret>`.
    ApiKeyId "key" is_api_key_id, "4 to 32 characters of a-z and 0-9";
    /// A signing key's id, the `kid` in the header of its tokens.
    KeyId "kid" is_key_id, "1 to 128 printable ASCII characters without spaces";
    /// A type of event that a worker may claim.
    EventType "eventTypes" is_event_type, "1 to 128 printable ASCII characters without spaces, quotes and backslashes";
}

/// A tenant named by a caller: its id or its slug, or the id that it had in an older Tikti.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantRef(String);

impl TenantRef {
    /// Parses the text form. An id of an older Tikti, which begins with a digit, means the tenant that was
    /// given the same id with [`OLD_ID_PREFIX`] before it: no other name can be meant by it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` that names the grammar, where the text does not fit it.
    ///
    /// Spec: Real clients, "Older Tikti clients and data".
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if is_tenant_name(text) {
            return Ok(Self(text.to_owned()));
        }
        let of_old = TenantId::of_old(text).map(|id| Self(id.0));
        of_old.ok_or_else(|| {
            let grammar = "must be a tenant id or slug: 2 to 63 characters of a-z, 0-9 and -, \
                           beginning with a letter";
            Refusal::invalid("tenantId", grammar)
        })
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TenantRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What stands before an id of an older Tikti that begins with a digit.
pub const OLD_ID_PREFIX: &str = "t-";

fn is_made_of(text: &str, longest: usize, extra: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
}

/// `^[a-z][a-z0-9-]{1,62}$`
fn is_tenant_name(text: &str) -> bool {
    (2..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_user_id(text: &str) -> bool {
    is_made_of(text, 128, b"_-")
}

fn is_role_name(text: &str) -> bool {
    is_made_of(text, 128, b"_.:-") && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn is_client_id(text: &str) -> bool {
    is_made_of(text, 128, b"._:/-")
}

fn is_worker_id(text: &str) -> bool {
    // A UUID would read as a user's id in `sub`.
    is_client_id(text) && !is_uuid(text)
}

fn is_ulid(text: &str) -> bool {
    // In its one canonical spelling: two texts must not name one session.
    ulid::Ulid::from_string(text).is_ok_and(|id| id.to_string() == text)
}

fn is_api_key_id(text: &str) -> bool {
    (4..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
}

fn is_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_event_type(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Whether the text is a UUID in any of its usual spellings.
pub(crate) fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// Makes a ULID of this moment: 48 bits of milliseconds, 80 random bits.
///
/// # Errors
/// [`InternalError::Crypto`] where there is no randomness.
pub(crate) fn new_ulid(now: Timestamp, random: &Random) -> Result<String, InternalError> {
    let mut draw = [0_u8; 16];
    random.fill(&mut draw)?;
    Ok(ulid::Ulid::from_parts(now.as_millis(), u128::from_be_bytes(draw)).to_string())
}

impl TenantId {
    /// The id of a tenant that an older Tikti called `old`: the same where it fits, else with
    /// [`OLD_ID_PREFIX`] before it where it begins with a digit and fits then.
    #[must_use]
    pub fn of_old(old: &str) -> Option<Self> {
        if old.starts_with(|first: char| first.is_ascii_digit()) {
            return Self::parse(&format!("{OLD_ID_PREFIX}{old}")).ok();
        }
        Self::parse(old).ok()
    }

    /// Makes a new id: `t-` and 26 lower-case characters of a ULID.
    pub(crate) fn generate(now: Timestamp, random: &Random) -> Result<Self, InternalError> {
        Ok(Self(format!("t-{}", new_ulid(now, random)?.to_ascii_lowercase())))
    }
}

impl UserId {
    /// Makes a new id: a UUID of version 7 (RFC 9562, section 5.7).
    pub(crate) fn generate(now: Timestamp, random: &Random) -> Result<Self, InternalError> {
        let bytes = random.bytes::<10>()?;
        let id = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &bytes).into_uuid();
        Ok(Self(id.to_string()))
    }
}

impl SessionId {
    /// Makes a new id.
    pub(crate) fn generate(now: Timestamp, random: &Random) -> Result<Self, InternalError> {
        new_ulid(now, random).map(Self)
    }
}

impl OperationId {
    /// Makes a new id.
    pub(crate) fn generate(now: Timestamp, random: &Random) -> Result<Self, InternalError> {
        new_ulid(now, random).map(Self)
    }

    /// When the id was made, by the clock that it was made with.
    pub(crate) fn made_at(&self) -> Timestamp {
        Timestamp::from_millis(ulid::Ulid::from_string(&self.0).map_or(0, |id| id.timestamp_ms()))
    }

    /// The four last bits of the id: they are random, whenever it was made.
    pub(crate) fn shard(&self) -> u8 {
        last_four_bits(&self.0)
    }
}

impl MailId {
    /// Makes a new id.
    pub(crate) fn generate(now: Timestamp, random: &Random) -> Result<Self, InternalError> {
        new_ulid(now, random).map(Self)
    }

    /// The four last bits of the id: they are random, whenever it was made.
    pub(crate) fn shard(&self) -> u8 {
        last_four_bits(&self.0)
    }
}

fn last_four_bits(text: &str) -> u8 {
    let number = ulid::Ulid::from_string(text).map_or(0, |id| id.0);
    u8::try_from(number & 0xf).unwrap_or_default()
}

/// Stands in records from before operations had ids: the ULID of zeros, which none is given.
impl Default for OperationId {
    fn default() -> Self {
        Self("0".repeat(26))
    }
}

impl From<&TenantId> for TenantRef {
    fn from(id: &TenantId) -> Self {
        Self(id.0.clone())
    }
}

impl From<&Slug> for TenantRef {
    fn from(slug: &Slug) -> Self {
        Self(slug.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_names_follow_the_grammar_that_consumers_check() {
        for good in ["ab", "codecompany", "t-01jd", "a-", &"a".repeat(63)] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "1a", "-a", "Ab", "a_b", "a b", "ä1", "a\0", &"a".repeat(64)] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_id_of_an_older_tikti_means_the_tenant_that_bears_it_behind_its_prefix() {
        let old = "0193a5c8-1f6e-7000-8000-000000000000";
        let id = TenantId::of_old(old).unwrap();
        assert_eq!(id.as_str(), format!("t-{old}"));
        for name in [old, id.as_str()] {
            assert_eq!(TenantRef::parse(name).unwrap(), TenantRef::from(&id), "{name}");
        }
        for (old, new) in [("acme", "acme"), ("f193-a", "f193-a"), ("42", "t-42"), ("7", "t-7")] {
            assert_eq!(TenantId::of_old(old).unwrap().as_str(), new);
        }
        for bad in ["", "a", "A1", "0A", "-1", "1 a", "1/a", "t", &"1".repeat(62)] {
            assert_eq!(TenantId::of_old(bad), None, "{bad:?}");
            assert!(TenantRef::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_worker_is_never_named_by_a_uuid() {
        assert!(WorkerId::parse("worker-01").is_ok());
        assert!(WorkerId::parse("0193a5c8-1f6e-7000-8000-000000000000").is_err());
        assert!(WorkerId::parse("0193a5c81f6e70008000000000000000").is_err());
    }

    #[test]
    fn made_ids_fit_their_own_grammar() {
        let random = Random::seeded(1);
        let now = Timestamp::from_millis(1_769_532_214_005);
        let tenant = TenantId::generate(now, &random).unwrap();
        assert_eq!(TenantId::parse(tenant.as_str()).unwrap(), tenant);
        assert_eq!(tenant.as_str().len(), 28);
        let user = UserId::generate(now, &random).unwrap();
        assert_eq!(uuid::Uuid::try_parse(user.as_str()).unwrap().get_version_num(), 7);
        let session = SessionId::generate(now, &random).unwrap();
        assert_eq!(SessionId::parse(session.as_str()).unwrap(), session);
    }
}
