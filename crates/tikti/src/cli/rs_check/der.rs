//! How is a public RSA key written in ASN.1? In the forms that key confusion takes for a secret, and as a
//! certificate that nobody signed.
//!
//! Writes alone, and only these few shapes: nothing here reads what came from elsewhere.
//!
//! Spec: Attacks, K1. RFC 8017 appendix A.1.1, RFC 5280 section 4.1, RFC 7468.

use data_encoding::BASE64;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// `rsaEncryption` with its parameters, as an `AlgorithmIdentifier`.
const RSA_ENCRYPTION: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// `sha256WithRSAEncryption`, likewise.
const SHA256_WITH_RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];
/// The object identifier of `commonName`.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const LINE: usize = 64;

/// `RSAPublicKey` of PKCS#1, from big-endian numbers without leading zeros.
pub(super) fn pkcs1(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    sequence(&[&number(modulus), &number(exponent)])
}

/// `SubjectPublicKeyInfo` of a key in PKCS#1.
pub(super) fn subject_public_key(pkcs1: &[u8]) -> Vec<u8> {
    sequence(&[RSA_ENCRYPTION, &bit_string(pkcs1)])
}

/// What of a certificate is signed, for a key that vouches for itself.
pub(super) fn to_be_signed(subject_public_key: &[u8]) -> Vec<u8> {
    let name = [COMMON_NAME, &element(UTF8_STRING, b"rs-check")].concat();
    let name = sequence(&[&element(SET, &element(SEQUENCE, &name))]);
    let time = |text: &[u8]| element(UTC_TIME, text);
    let validity = sequence(&[&time(b"250101000000Z"), &time(b"491231235959Z")]);
    let serial = number(&[1]);
    sequence(&[&serial, SHA256_WITH_RSA, &name, &validity, &name, subject_public_key])
}

/// The certificate, with the signature of what [`to_be_signed`] gave.
pub(super) fn certificate(to_be_signed: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[to_be_signed, SHA256_WITH_RSA, &bit_string(signature)])
}

/// The text form, with lines of 64 and a line end after the last.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (position, character) in BASE64.encode(der).chars().enumerate() {
        if position > 0 && position % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

fn bit_string(content: &[u8]) -> Vec<u8> {
    // No bit of the last byte is unused.
    element(BIT_STRING, &[&[0], content].concat())
}

/// A number that is not negative: a first bit that is set would say so.
fn number(big_endian: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if big_endian.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, big_endian].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => der.push(short),
        // A usize has eight bytes at most.
        _ => {
            der.push(0x80 | u8::try_from(length.len()).unwrap_or(u8::MAX));
            der.extend_from_slice(&length);
        }
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_where_they_can_be() {
        let head = |length: usize| {
            let mut der = element(0x04, &vec![7; length]);
            der.truncate(der.len() - length);
            der
        };
        assert_eq!(head(0), [0x04, 0]);
        assert_eq!(head(127), [0x04, 127]);
        assert_eq!(head(128), [0x04, 0x81, 128]);
        assert_eq!(head(256), [0x04, 0x82, 1, 0]);
    }

    #[test]
    fn a_number_with_its_first_bit_set_is_not_negative() {
        assert_eq!(number(&[0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(number(&[1, 0, 1]), [INTEGER, 3, 1, 0, 1]);
    }

    #[test]
    fn text_has_lines_of_64() {
        let text = pem("X", &[0; 49]);
        let lengths = Vec::from_iter(text.lines().map(str::len));
        assert_eq!(lengths, [17, 64, 4, 15]);
        assert!(text.ends_with("-----END X-----\n"));
    }
}
