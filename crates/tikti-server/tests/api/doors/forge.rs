//! A token that was changed and signed again, with the secret of the server or with another.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;

use crate::support::Server;

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The secret with which the server signs idTokens.
pub(crate) fn secret(server: &Server) -> Vec<u8> {
    let yaml = std::fs::read_to_string(server.setup.data_dir.join("secrets.yaml")).unwrap();
    let kept: Value = serde_saphyr::from_str(&yaml).unwrap();
    BASE64.decode(kept["hs256"].as_str().unwrap().as_bytes()).unwrap()
}

/// A token with these parts, signed with HS256.
pub(crate) fn sign(header: &Value, claims: &Value, secret: &[u8]) -> String {
    sign_texts(&header.to_string(), &claims.to_string(), secret)
}

/// The same of texts, which need not be what a value is written as.
pub(crate) fn sign_texts(header: &str, claims: &str, secret: &[u8]) -> String {
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
}

/// `value` with one member set.
pub(crate) fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}
