//! Which token comes in `Authorization`: `Bearer x`, or `x` alone as old clients send it?
//!
//! Spec: RFC 6750 section 2.1; real clients, "Older Tikti clients and data".

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tikti_domain::error::Refusal;
use tikti_domain::secret::SecretString;

/// Reads the bearer token; a header of another scheme counts as absent.
pub(super) fn bearer(parts: &Parts) -> Result<Option<SecretString>, Refusal> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::invalid("Authorization", "is given twice"));
    }
    let Ok(text) = value.to_str() else {
        return Ok(None);
    };
    Ok(token(text).map(SecretString::from))
}

fn token(text: &str) -> Option<&str> {
    let text = text.trim();
    let token = match text.split_once(' ') {
        // RFC 9110 section 11.1: the scheme is case-insensitive.
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        Some(_) => return None,
        None => text,
    };
    (!token.is_empty() && !token.eq_ignore_ascii_case("bearer")).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_token_with_and_without_its_scheme() {
        for text in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", "a.b.c", " a.b.c "] {
            assert_eq!(token(text), Some("a.b.c"), "{text}");
        }
    }

    #[test]
    fn other_schemes_and_empty_tokens_are_no_bearer_token() {
        for text in ["", " ", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", "Digest a=b"] {
            assert_eq!(token(text), None, "{text}");
        }
    }
}
