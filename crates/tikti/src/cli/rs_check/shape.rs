//! What is done with the three finished parts of a token?
//!
//! Spec: `conformance/README.md`, "shape". RFC 7515 sections 2, 7.1 and 7.2.2.

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use super::catalogue::Shape;

/// The token; none where the shape would be the token as it is.
pub(super) fn shaped(
    header: &str,
    payload: &str,
    signature: &str,
    shape: Option<Shape>,
) -> Option<String> {
    let with = |signature: &str| format!("{header}.{payload}.{signature}");
    let token = with(signature);
    let Some(shape) = shape else { return Some(token) };
    let made = match shape {
        Shape::Empty => String::new(),
        Shape::TwoParts => format!("{header}.{payload}"),
        Shape::ExtraPart => format!("{token}.{signature}"),
        Shape::Twice => format!("{token}.{token}"),
        Shape::FlattenedJson => {
            json!({"payload": payload, "protected": header, "signature": signature}).to_string()
        }
        Shape::HalfSignature => with(&reencoded(signature, |bytes| {
            bytes.truncate(bytes.len() / 2);
        })?),
        Shape::FlippedSignature => with(&reencoded(signature, |bytes| {
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        })?),
        Shape::PaddedSignature => {
            let missing = signature.len().next_multiple_of(4) - signature.len();
            with(&format!("{signature}{}", "=".repeat(missing)))
        }
        Shape::StandardAlphabetSignature => with(&signature.replace('-', "+").replace('_', "/")),
        Shape::SpaceInSignature => {
            let (front, back) = signature.split_at_checked(signature.len() / 2)?;
            with(&format!("{front} {back}"))
        }
        Shape::LooseBitsSignature => with(&with_a_loose_bit(signature)?),
    };
    (made != token).then_some(made)
}

fn reencoded(signature: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
    let mut bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    change(&mut bytes);
    Some(BASE64URL_NOPAD.encode(&bytes))
}

/// Sets the lowest bit of the last character, where that is not one of the bytes'.
fn with_a_loose_bit(signature: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if signature.len().is_multiple_of(4) {
        return None;
    }
    let last = signature.chars().next_back()?;
    let place = ALPHABET.find(last)?;
    let other = ALPHABET.chars().nth(place | 1)?;
    let front = signature.strip_suffix(last)?;
    Some(format!("{front}{other}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(signature: &str, shape: Shape) -> Option<String> {
        shaped("h", "p", signature, Some(shape))
    }

    #[test]
    fn each_shape_is_what_the_catalogue_says() {
        for (shape, token) in [
            (Shape::Empty, ""),
            (Shape::TwoParts, "h.p"),
            (Shape::ExtraPart, "h.p._-8.x"),
            (Shape::HalfSignature, "h.p._w"),
            (Shape::FlippedSignature, "h.p._-4"),
            (Shape::PaddedSignature, "h.p._-8="),
            (Shape::StandardAlphabetSignature, "h.p./+8"),
            (Shape::SpaceInSignature, "h.p._ -8"),
            (Shape::LooseBitsSignature, "h.p._-9"),
        ] {
            let token = token.replace(".x", "._-8");
            assert_eq!(of("_-8", shape), Some(token));
        }
        assert_eq!(of("_-8", Shape::Twice).unwrap(), "h.p._-8.h.p._-8");
        let json = r#"{"payload":"p","protected":"h","signature":"_-8"}"#;
        assert_eq!(of("_-8", Shape::FlattenedJson).unwrap(), json);
    }

    #[test]
    fn a_shape_that_changes_nothing_is_none() {
        assert_eq!(of("AAAA", Shape::PaddedSignature), None);
        assert_eq!(of("AAAA", Shape::LooseBitsSignature), None);
        assert_eq!(of("AAAA", Shape::StandardAlphabetSignature), None);
    }
}
