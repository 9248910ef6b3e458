//! Which hostile tokens are there? The catalogue of `conformance/hostile-tokens.json`, built in.
//!
//! The document is shared with programs in other languages, so it is data alone: what its members mean
//! stands in `conformance/README.md`, and a word in it that this program does not know is an error, never
//! an attack that is quietly another one.
//!
//! Spec: Command line, `rs-check`; Attacks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exit::Failure;

const DOCUMENT: &str = include_str!("../../../../../conformance/hostile-tokens.json");
const FORMAT: u32 = 1;

#[derive(Deserialize)]
pub(super) struct Catalogue {
    format: u32,
    /// How a good token of each class is made.
    pub(super) base: BTreeMap<Class, Change>,
    pub(super) tokens: Vec<Entry>,
}

/// A class of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Class {
    Access,
    Worker,
    Id,
}

/// One token, good or bad.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) expect: Expect,
    #[serde(default)]
    pub(super) level: Level,
    pub(super) about: String,
    pub(super) fix: String,
    pub(super) rows: Vec<String>,
    pub(super) cves: Vec<String>,
    class: Aim,
    pub(super) needs_key: bool,
    #[serde(default)]
    pub(super) needs: Vec<Need>,
    pub(super) made_from: Option<Class>,
    pub(super) original: Option<Change>,
    #[serde(flatten)]
    pub(super) change: Change,
    pub(super) header_text: Option<String>,
    pub(super) payload_text: Option<String>,
    pub(super) sign: Sign,
    pub(super) shape: Option<Shape>,
    pub(super) size: Option<usize>,
}

/// What of a token is set; a member that is `null` is taken away.
#[derive(Default, Deserialize)]
pub(super) struct Change {
    #[serde(default)]
    pub(super) header: Map<String, Value>,
    #[serde(default)]
    pub(super) claims: Map<String, Value>,
    /// Claims in seconds from now.
    #[serde(default)]
    pub(super) times: BTreeMap<String, i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    Accept,
    Refuse,
}

/// How much it matters that a hostile token is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Whoever takes it has a hole.
    #[default]
    Must,
    /// The RFCs leave it open, or stock libraries are lenient.
    Hardening,
}

/// Whose verifier an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aim {
    Access,
    Worker,
    Any,
}

/// What a verifier must require for an entry to be hostile at all.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Need {
    Tenant,
    Scope,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Sign {
    Key,
    KeyRs512,
    KeyPs256,
    Kept,
    OtherKey,
    Hs256PublicPem,
    Hs256PublicPemTrimmed,
    Hs256PublicPkcs1Pem,
    Hs256PublicDer,
    Hs256PublicJwk,
    Hs256PublicJwkN,
    Hs256Empty,
    Hs256Random,
    Hs256Word,
    Hs512PublicPem,
    EmptySignature,
    ZeroSignature,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    Empty,
    TwoParts,
    ExtraPart,
    Twice,
    FlattenedJson,
    HalfSignature,
    FlippedSignature,
    PaddedSignature,
    StandardAlphabetSignature,
    SpaceInSignature,
    LooseBitsSignature,
}

impl Catalogue {
    /// Reads the catalogue that was built in.
    pub(super) fn read() -> Result<Self, Failure> {
        let broken = |why: String| Failure::refused(format!("the catalogue of tokens: {why}"));
        let catalogue: Self =
            serde_json::from_str(DOCUMENT).map_err(|cause| broken(cause.to_string()))?;
        match catalogue.format {
            FORMAT => Ok(catalogue),
            other => Err(broken(format!("its format is {other}, not {FORMAT}"))),
        }
    }
}

impl Entry {
    /// Whether it is meant for a verifier that expects tokens of `class`.
    pub(super) fn is_for(&self, class: Class) -> bool {
        match self.class {
            Aim::Any => true,
            Aim::Access => class == Class::Access,
            Aim::Worker => class == Class::Worker,
        }
    }

    /// Whether it names an address of the stranger's.
    pub(super) fn names_stranger(&self) -> bool {
        let is_there =
            |value: &Value| value.as_str().is_some_and(|text| text.contains("${attacker}"));
        self.change.header.values().chain(self.change.claims.values()).any(is_there)
    }

    /// Whether it is the control: the base as it is.
    pub(super) fn is_control(&self) -> bool {
        self.expect == Expect::Accept && self.change.is_nothing()
    }
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.header.is_empty() && self.claims.is_empty() && self.times.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_is_understood_named_once_and_explained() {
        let catalogue = Catalogue::read().unwrap();
        let mut names = BTreeSet::new();
        for entry in &catalogue.tokens {
            let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(entry.name.chars().all(is_kebab), "{}", entry.name);
            assert!(names.insert(&entry.name), "{} stands twice", entry.name);
            assert!(entry.about.ends_with('.') && entry.fix.ends_with('.'), "{}", entry.name);
            assert!(entry.original.is_none() || entry.sign == Sign::Kept, "{}", entry.name);
        }
        assert!(names.len() > 100, "{}", names.len());
    }

    #[test]
    fn an_address_of_the_stranger_stands_where_it_is_looked_for() {
        let catalogue = Catalogue::read().unwrap();
        let names = catalogue.tokens.iter().filter(|entry| entry.names_stranger());
        let names = Vec::from_iter(names.map(|entry| entry.name.as_str()));
        assert_eq!(names, ["kid-is-a-url", "jku", "x5u"]);
        assert_eq!(DOCUMENT.matches("${attacker}").count(), names.len());
    }

    #[test]
    fn there_is_one_control_for_each_class() {
        let catalogue = Catalogue::read().unwrap();
        for class in [Class::Access, Class::Worker] {
            let controls = catalogue.tokens.iter().filter(|entry| entry.is_for(class));
            assert_eq!(controls.filter(|entry| entry.is_control()).count(), 1, "{class:?}");
        }
    }

    #[test]
    fn who_signs_with_the_key_needs_it() {
        for entry in Catalogue::read().unwrap().tokens {
            let by_key = matches!(entry.sign, Sign::Key | Sign::KeyRs512 | Sign::KeyPs256);
            let needs_key = by_key || entry.original.is_some();
            assert_eq!(entry.needs_key, needs_key, "{}", entry.name);
        }
    }
}
