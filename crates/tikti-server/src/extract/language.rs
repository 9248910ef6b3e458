//! Which language does the caller read, of those that we write?
//!
//! Spec: RFC 9110, section 12.5.4.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;
use tikti_domain::mail::Language;

use crate::state::Shared;

/// The language that `Accept-Language` likes best; absent where it names none of ours.
pub(crate) struct Reads(pub(crate) Option<Language>);

impl FromRequestParts<Shared> for Reads {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        let header = parts.headers.get(ACCEPT_LANGUAGE);
        let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self(best(text)))
    }
}

fn best(text: &str) -> Option<Language> {
    let mut best: Option<(Language, f32)> = None;
    for item in text.split(',') {
        let (tag, parameter) = item.split_once(';').unwrap_or((item, ""));
        let weight = match parameter.trim().strip_prefix("q=") {
            None => 1.0,
            Some(number) => number.trim().parse().unwrap_or(0.0),
        };
        let Some(language) = language(tag.trim()) else { continue };
        // Of equals the first one counts.
        if weight > 0.0 && best.is_none_or(|(_, before)| weight > before) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

fn language(tag: &str) -> Option<Language> {
    let primary = tag.split('-').next().unwrap_or_default();
    if primary.eq_ignore_ascii_case("pt") {
        Some(Language::Portuguese)
    } else if primary.eq_ignore_ascii_case("en") {
        Some(Language::English)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_of_ours_is_read() {
        let (english, portuguese) = (Some(Language::English), Some(Language::Portuguese));
        for (text, expected) in [
            ("", None),
            ("de", None),
            ("*", None),
            ("pt", portuguese),
            ("PT-br", portuguese),
            ("en-GB,en;q=0.9", english),
            ("pt-BR,pt;q=0.9,en;q=0.8", portuguese),
            ("de, en;q=0.5, pt;q=0.7", portuguese),
            ("en;q=0.5,pt;q=0.5", english),
            ("pt;q=0, en;q=0.1", english),
            ("pt;q=x", None),
            ("ptx, enx", None),
        ] {
            assert_eq!(best(text), expected, "{text}");
        }
    }
}
