//! Where the next page of a list begins.
//!
//! A token names the last thing of the page before and is sealed with the list that it came from:
//! one that was changed, or made for another list, is refused before anything is read.
//!
//! Spec: HTTP API, "Lists"; Attacks, row E5.

use data_encoding::BASE64URL_NOPAD;

use crate::domain::Domain;
use crate::error::{Error, Refusal};
use crate::secret::TAG_BYTES;

/// Makes the token that continues `list` after `last`.
pub(crate) fn make(domain: &Domain, list: &str, last: &[u8]) -> Result<String, Error> {
    let mut bytes = domain.peppers.tag(&sealed(list, last))?.to_vec();
    bytes.extend_from_slice(last);
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// The thing after which `list` continues.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `pageToken`, for every token that was not made for this very list.
pub(crate) fn parse(domain: &Domain, list: &str, token: &str) -> Result<Vec<u8>, Refusal> {
    let refuse = || Refusal::invalid("pageToken", "is not one that this server made for this list");
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| refuse())?;
    let (tag, last) = bytes.split_at_checked(TAG_BYTES).ok_or_else(refuse)?;
    if domain.peppers.confirms(&sealed(list, last), tag) {
        Ok(last.to_vec())
    } else {
        Err(refuse())
    }
}

fn sealed(list: &str, last: &[u8]) -> Vec<u8> {
    [b"tikti page ", list.as_bytes(), b"\0", last].concat()
}
