//! What a scope is: an atomic permission string; a set of them has neither order nor repeats.
//!
//! Comparison is by exact string: no wildcard, no hierarchy.
//!
//! Spec: Tokens and keys, "Scope is a set"; RFC 6749, section 3.3.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// Longest scope in bytes.
pub const MAX_SCOPE_BYTES: usize = 128;
/// Most scopes in one request.
pub const MAX_SCOPES: usize = 256;

/// One permission string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Parses one scope-token: `1*( %x21 / %x23-5B / %x5D-7E )` of at most 128 bytes.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `scopes`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = !text.is_empty()
            && text.len() <= MAX_SCOPE_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::invalid(
                "scopes",
                "a scope is 1 to 128 printable ASCII characters without spaces, quotes and backslashes",
            ))
        }
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Scope {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

/// A set of scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// Parses a space-delimited string; empty text is the empty set.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `scopes`, where one does not fit the grammar or there are too
    /// many.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::from_list(text.split(' ').filter(|part| !part.is_empty()))
    }

    /// Parses a list of scopes.
    ///
    /// # Errors
    /// As [`ScopeSet::parse`].
    pub fn from_list<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Self, Refusal> {
        let set = list.into_iter().map(Scope::parse).collect::<Result<BTreeSet<_>, _>>()?;
        if set.len() > MAX_SCOPES {
            return Err(Refusal::invalid("scopes", "at most 256 scopes in one request"));
        }
        Ok(Self(set))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this very string is in the set.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held.as_str() == scope)
    }

    /// Whether every scope is in `other` too.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The scopes that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scopes of this set that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// The scopes that `keep` keeps.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope.as_str())).cloned().collect())
    }

    /// Adds all scopes of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Scope::as_str)
    }
}

impl std::fmt::Display for ScopeSet {
    /// Space-delimited, in byte order: the `scope` claim.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" ")?;
            }
            formatter.write_str(scope)?;
        }
        Ok(())
    }
}

/// The management scopes: what can be done to a tenant, for audience `tikti`.
///
/// Spec: Domain, "Built-in management scopes".
pub const MANAGEMENT_SCOPES: [&str; 18] = [
    "tenants:read",
    "tenants:write",
    "users:read",
    "users:write",
    "memberships:read",
    "memberships:write",
    "roles:read",
    "roles:write",
    "clients:read",
    "clients:write",
    "workers:read",
    "workers:write",
    "workers:impersonate",
    "apikeys:read",
    "apikeys:write",
    "sessions:read",
    "sessions:revoke",
    "audit:read",
];

/// All management scopes as a set.
#[must_use]
pub fn management_scopes() -> ScopeSet {
    ScopeSet(MANAGEMENT_SCOPES.iter().map(|scope| Scope((*scope).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repeats_mean_nothing() {
        let set = ScopeSet::parse("b a  b").unwrap();
        assert_eq!(set, ScopeSet::from_list(["a", "b"]).unwrap());
        assert_eq!(set.to_string(), "a b");
    }

    #[test]
    fn comparison_is_exact() {
        let set = ScopeSet::parse("jobs:read").unwrap();
        for other in ["jobs:*", "Jobs:read", "jobs", "jobs:read:all"] {
            assert!(!set.contains(other));
        }
    }

    #[test]
    fn refuses_what_rfc_6749_does_not_allow() {
        for bad in ["\"", "\\", "a\u{7f}", "a\tb", "ü", "a\0"] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ScopeSet::from_list([""]).is_err());
        assert!(ScopeSet::from_list(["a b"]).is_err());
    }

    #[test]
    fn every_management_scope_fits_the_grammar() {
        assert_eq!(management_scopes().len(), MANAGEMENT_SCOPES.len());
        assert!(MANAGEMENT_SCOPES.iter().all(|scope| Scope::parse(scope).is_ok()));
    }
}
