//! What do the issuer's two documents say, and for how long?
//!
//! Pure: bytes and headers in, an address or keys out. A document is taken as a whole or not at all,
//! so that a broken one never takes half of the keys away.
//!
//! Spec: Tokens and keys, "Signing keys". OpenID Connect Discovery 1.0 section 4.3, RFC 7517 section
//! 5, RFC 9111 section 4.2.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use tikti_token::{Jwks, KeySet};

use crate::error::RefreshError;

/// How long keys are fresh whose reply does not say: what Tikti says.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Finds where the keys of `issuer` are. `origin` is the address that the document came from.
pub(crate) fn read_discovery(body: &[u8], issuer: &str, origin: &Url) -> Result<Url, RefreshError> {
    let document: Discovery = serde_json::from_slice(body).map_err(|_| RefreshError::Discovery)?;
    // Section 4.3: must be identical, or one issuer could speak for another.
    if document.issuer != issuer {
        return Err(RefreshError::OtherIssuer);
    }
    let url = Url::parse(&document.jwks_uri).map_err(|_| RefreshError::ForeignKeys)?;
    // Tikti's keys are beside the document. A document that points elsewhere is a mistake or a
    // way to make this server ask addresses inside its own network.
    if url.origin() != origin.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(RefreshError::ForeignKeys);
    }
    Ok(url)
}

/// Reads a key set.
pub(crate) fn read_keys(body: &[u8]) -> Result<KeySet, RefreshError> {
    let document: Jwks = serde_json::from_slice(body).map_err(|_| RefreshError::KeySet)?;
    let keys = KeySet::from_jwks(&document).map_err(RefreshError::Key)?;
    if keys.is_empty() { Err(RefreshError::NoKeys) } else { Ok(keys) }
}

/// How long a reply is fresh, from its `Cache-Control` and `Age`, before any bounds of ours.
pub(crate) fn lifetime<'a>(
    cache_control: impl Iterator<Item = &'a str>,
    age: Option<&str>,
) -> Duration {
    let mut max_age = None;
    for directive in cache_control.flat_map(|value| value.split(',')).map(str::trim) {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache")
        {
            return Duration::ZERO;
        }
        let Some((name, value)) = directive.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("max-age") {
            // RFC 9111 section 4.2.1: of conflicting values the shortest, and what is not a number
            // is stale.
            let seconds = value.trim_matches('"').parse::<u32>().unwrap_or(0);
            max_age = Some(max_age.map_or(seconds, |other: u32| other.min(seconds)));
        }
    }
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    // What a cache on the way has used up already.
    let age = age.and_then(|age| age.parse().ok()).map_or(Duration::ZERO, seconds);
    max_age.map_or(DEFAULT_MAX_AGE, seconds).saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(cache_control: &[&str], age: Option<&str>) -> u64 {
        lifetime(cache_control.iter().copied(), age).as_secs()
    }

    #[test]
    fn a_reply_says_how_long_it_is_fresh() {
        assert_eq!(seconds(&[], None), 300);
        assert_eq!(seconds(&["public, max-age=120"], None), 120);
        assert_eq!(seconds(&["public", "MAX-AGE=\"60\""], None), 60);
        assert_eq!(seconds(&["max-age=120, max-age=60"], None), 60);
        assert_eq!(seconds(&["max-age=120"], Some("100")), 20);
        assert_eq!(seconds(&["max-age=120"], Some("1000")), 0);
        for nothing in ["no-store", "max-age=300, No-Cache", "max-age=-1", "max-age=99999999999"] {
            assert_eq!(seconds(&[nothing], None), 0, "{nothing}");
        }
        assert_eq!(seconds(&["private, immutable, s-maxage=9"], Some("x")), 300);
    }

    #[test]
    fn discovery_is_of_the_issuer_and_its_keys_are_beside_it() {
        let origin = Url::parse("https://id.test/a/.well-known/openid-configuration").unwrap();
        let read = |body: &str| {
            read_discovery(body.as_bytes(), "https://id.test/a", &origin).map(String::from)
        };
        let with = |issuer: &str, uri: &str| {
            read(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"{uri}","more":[1]}}"#))
        };
        let keys = "https://id.test/a/jwks.json";
        assert_eq!(with("https://id.test/a", keys), Ok(keys.to_owned()));
        for issuer in ["https://id.test/a/", "https://id.test", "http://id.test/a", ""] {
            assert_eq!(with(issuer, keys), Err(RefreshError::OtherIssuer), "{issuer}");
        }
        for uri in [
            "http://id.test/jwks.json",
            "https://id.test:444/jwks.json",
            "https://id.test.evil.test/jwks.json",
            "https://user@id.test/jwks.json",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "/jwks.json",
            "",
        ] {
            let refused = Err(RefreshError::ForeignKeys);
            assert_eq!(with("https://id.test/a", uri), refused, "{uri}");
        }
        for body in [
            "",
            "[]",
            "null",
            r#"{"issuer":"https://id.test/a"}"#,
            r#"{"issuer":"x","issuer":"https://id.test/a","jwks_uri":"https://id.test/j"}"#,
        ] {
            assert_eq!(read(body), Err(RefreshError::Discovery), "{body}");
        }
    }
}
