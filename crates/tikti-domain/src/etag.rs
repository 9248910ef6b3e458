//! Is a thing still the one that a caller has seen?
//!
//! Spec: HTTP API, roles (`If-Match`); RFC 9110, sections 8.8.3 and 13.1.1.

use crate::secret::sha256_hex;

/// What names one state of a thing: equal states have equal tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of a thing that is wholly described by these parts.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        Self(sha256_hex(parts.join("\0").as_bytes()).chars().take(32).collect())
    }

    /// As it stands in a header, in its quotes.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// What a caller expects to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing was said.
    #[default]
    None,
    /// `If-Match: *`: that there is one.
    Any,
    /// `If-Match: "…"`: that it is one of these, with their quotes. A weak one never matches.
    OneOf(Vec<String>),
}

impl Precondition {
    /// Whether what was found is what was expected.
    #[must_use]
    pub fn holds(&self, found: Option<&ETag>) -> bool {
        match (self, found) {
            (Self::None, _) | (Self::Any, Some(_)) => true,
            (Self::Any | Self::OneOf(_), None) => false,
            (Self::OneOf(expected), Some(found)) => expected.contains(&found.quoted()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precondition_holds_for_the_very_state_that_it_names() {
        let tag = ETag::of(&["A", "x y"]);
        assert_ne!(tag, ETag::of(&["A", "x"]));
        assert_ne!(ETag::of(&["ab", "c"]), ETag::of(&["a", "bc"]));
        let named = Precondition::OneOf(vec!["\"other\"".to_owned(), tag.quoted()]);
        assert!(named.holds(Some(&tag)) && !named.holds(None));
        assert!(!Precondition::OneOf(vec![format!("W/{}", tag.quoted())]).holds(Some(&tag)));
        assert!(Precondition::Any.holds(Some(&tag)) && !Precondition::Any.holds(None));
        assert!(Precondition::None.holds(Some(&tag)) && Precondition::None.holds(None));
    }
}
