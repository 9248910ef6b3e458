//! Where the next page of a list begins.
//!
//! A token names the last thing of the page before and is sealed with the list that it came from:
//! one that was changed, or made for another list, is refused before anything is read. That thing need not
//! be one that the caller is shown (a filter may have passed over it): nobody but this deployment can read it.
//!
//! Spec: HTTP API, "Lists"; Attacks, row E5.

use data_encoding::BASE64URL_NOPAD;

use crate::domain::Domain;
use crate::error::{Error, Refusal};
use crate::secret::TAG_BYTES;

/// Makes the token that continues `list` after `last`.
pub(crate) fn make(domain: &Domain, list: &str, last: &[u8]) -> Result<String, Error> {
    let tag = domain.peppers.tag(&sealed(list, last))?;
    let veiled = domain.peppers.veils(&tag, last).next().unwrap_or_default();
    Ok(BASE64URL_NOPAD.encode(&[&tag[..], &veiled].concat()))
}

/// The thing after which `list` continues.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `pageToken`, for every token that was not made for this very list.
pub(crate) fn parse(domain: &Domain, list: &str, token: &str) -> Result<Vec<u8>, Refusal> {
    let refuse = || Refusal::invalid("pageToken", "is not one that this server made for this list");
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| refuse())?;
    let (tag, veiled) = bytes.split_at_checked(TAG_BYTES).ok_or_else(refuse)?;
    let mut found = domain.peppers.veils(tag, veiled);
    let is_ours = |last: &Vec<u8>| domain.peppers.confirms(&sealed(list, last), tag);
    found.find(is_ours).ok_or_else(refuse)
}

fn sealed(list: &str, last: &[u8]) -> Vec<u8> {
    [b"tikti page ", list.as_bytes(), b"\0", last].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{NamedSecret, Peppers, SecretBytes};
    use crate::testing::Fixture;

    fn pepper(kid: &str, byte: u8) -> NamedSecret {
        NamedSecret { kid: kid.to_owned(), secret: SecretBytes::new(vec![byte; 32]) }
    }

    #[tokio::test]
    async fn t7_a_token_shows_nothing_of_the_thing_that_it_names() {
        let fixture = Fixture::new().await;
        for last in ["01JD0000000000000000000000", "", &"x".repeat(100)] {
            let token = make(&fixture.domain, "a list", last.as_bytes()).unwrap();
            let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
            assert_eq!(bytes.len(), TAG_BYTES + last.len());
            let veiled = &bytes[TAG_BYTES..];
            let kept = veiled.iter().zip(last.as_bytes()).filter(|(veiled, byte)| veiled == byte);
            assert!(kept.count() <= 8, "{token}");
            assert_eq!(parse(&fixture.domain, "a list", &token).unwrap(), last.as_bytes());
            assert!(parse(&fixture.domain, "another list", &token).is_err());
        }
    }

    #[tokio::test]
    async fn a_token_outlives_the_pepper_that_it_was_made_under() {
        let mut fixture = Fixture::new().await;
        fixture.domain.peppers = Peppers::new(&[pepper("old", 7)]).unwrap();
        let token = make(&fixture.domain, "a list", b"u1").unwrap();
        fixture.domain.peppers = Peppers::new(&[pepper("new", 8), pepper("old", 7)]).unwrap();
        assert_eq!(parse(&fixture.domain, "a list", &token).unwrap(), b"u1");
        fixture.domain.peppers = Peppers::new(&[pepper("new", 8)]).unwrap();
        assert!(parse(&fixture.domain, "a list", &token).is_err());
    }
}
