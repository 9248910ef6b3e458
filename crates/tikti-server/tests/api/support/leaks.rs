//! Does a reply hold a secret? Looked for in every reply of the whole suite, body and headers.
//!
//! What must never leave: private and symmetric keys, as JWK, as PEM, or their bytes in any usual encoding; the
//! deployment's secrets; hashes of passwords. What a reply may be there to give is known by its form, and is
//! looked for wherever it stands: only a call of [`SHOWS`] may give it.
//!
//! Spec: attacks, row K2.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;
use tikti_server::router::ROUTES;

use super::PASSWORD;
use super::log::holds;

/// The members of a JWK that hold a private or symmetric key (RFC 7518, section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Texts that no reply has, and what they would be.
const MARKERS: [(&str, &str); 9] = [
    ("-----BEGIN", "a PEM file"),
    ("PRIVATE KEY", "a PEM file"),
    ("$2a$", "a hash of a password"),
    ("$2b$", "a hash of a password"),
    ("$2y$", "a hash of a password"),
    ("$argon2", "a hash of a password"),
    ("$scrypt$", "a hash of a password"),
    ("$pbkdf2", "a hash of a password"),
    (PASSWORD, "the password of a user"),
];

/// Bytes of a secret that are looked for: as many as no accident brings together.
const PIECE: usize = 24;

/// What is good for something in the hands of whoever reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    IdToken,
    AccessToken,
    WorkerToken,
    /// A signed statement that nobody takes for a token.
    AuditHead,
    /// Another JWS: nobody gives one.
    OtherSigned,
    RefreshToken,
    ApiKey,
    ClientSecret,
    WorkerSecret,
}

use Credential::{
    AccessToken, ApiKey, AuditHead, ClientSecret, IdToken, OtherSigned, RefreshToken, WorkerSecret,
    WorkerToken,
};

/// Which calls are there to give a credential, and which ones. Everywhere else it is a leak.
#[rustfmt::skip] // A table: one row, one line.
const SHOWS: &[(&str, &str, &[Credential])] = &[
    ("POST", "/v1/accounts/signIn", &[IdToken, RefreshToken]),
    ("POST", "/v1/accounts/signInWithPassword", &[IdToken, RefreshToken]),
    ("POST", "/v1/accounts/signInWithOobCode", &[IdToken, RefreshToken]),
    ("POST", "/v1/accounts/update", &[IdToken, RefreshToken]),
    ("POST", "/v1/accounts/token/exchange", &[AccessToken, WorkerToken]),
    ("POST", "/v1/token", &[IdToken, RefreshToken]),
    ("POST", "/oauth2/token", &[IdToken, AccessToken, WorkerToken, RefreshToken]),
    ("POST", "/v1/apiKeys", &[ApiKey]),
    ("POST", "/v1/tenants/{t}/apiKeys", &[ApiKey]),
    ("POST", "/v1/tenants/{t}/clients", &[ClientSecret]),
    ("PATCH", "/v1/tenants/{t}/clients/{id}", &[ClientSecret]),
    ("POST", "/v1/tenants/{t}/workers", &[WorkerSecret]),
    ("POST", "/v1/tenants/{t}/workers/{id}/secrets", &[WorkerSecret]),
    ("GET", "/v1/audit", &[AuditHead]),
    ("GET", "/v1/audit/head", &[AuditHead]),
    ("GET", "/v1/tenants/{t}/audit", &[AuditHead]),
    ("GET", "/v1/tenants/{t}/audit/head", &[AuditHead]),
];

/// Secrets that no reply ever gives, in the forms that a careless line could give them in.
#[derive(Default)]
pub(crate) struct Hidden(Vec<(&'static str, Vec<u8>)>);

impl Hidden {
    /// From here on these bytes are a secret.
    pub(crate) fn add(&mut self, what: &'static str, bytes: &[u8]) {
        self.0.extend(forms(bytes).into_iter().map(|form| (what, form)));
    }

    /// From here on the numbers of this private key (PKCS#8 of RSA) are secrets.
    pub(crate) fn add_private_key(&mut self, der: &[u8]) {
        let numbers = private_numbers(der);
        assert_eq!(numbers.len(), 6, "d, p, q, dp, dq and qi");
        for number in numbers {
            self.add("a private key", number);
        }
    }

    /// What a reply, head and body, holds that none may hold.
    pub(crate) fn find(&self, reply: &[u8]) -> Option<&'static str> {
        let marked = MARKERS.iter().find(|(marker, _)| holds(reply, marker.as_bytes()));
        let known = || self.0.iter().find(|(_, form)| holds(reply, form));
        marked.map(|(_, what)| *what).or_else(|| known().map(|(what, _)| *what))
    }
}

/// What stands in every text that holds these bytes, raw, as hexadecimal or as base64, alone or within others.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    assert!(bytes.len() >= PIECE + 2, "too short to be told from an accident");
    let piece = &bytes[..PIECE];
    let mut forms = vec![piece.to_vec()];
    forms.extend([HEXLOWER.encode(piece), HEXUPPER.encode(piece)].map(String::into_bytes));
    let numbers: Vec<_> = piece.iter().map(u8::to_string).collect();
    forms.extend([numbers.join(", "), numbers.join(",")].map(String::into_bytes));
    // Three bytes are four characters: where they begin depends on what stands before.
    for begin in 0..3 {
        let piece = &bytes[begin..begin + PIECE];
        forms.extend([BASE64.encode(piece), BASE64URL_NOPAD.encode(piece)].map(String::into_bytes));
    }
    forms
}

/// The private numbers of an RSA key (RFC 5208; RFC 8017, appendix A.1.2), without the sign.
fn private_numbers(pkcs8: &[u8]) -> Vec<&[u8]> {
    let (_, info, _) = der_value(pkcs8);
    let (_, _version, info) = der_value(info);
    let (_, _algorithm, info) = der_value(info);
    let (_, key, _) = der_value(info);
    let (_, mut rest, _) = der_value(key);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (_, number, next) = der_value(rest);
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number));
        rest = next;
    }
    // Version, modulus and public exponent are no secrets.
    numbers.split_off(3)
}

/// Tag and contents of the first value, and what comes after it (X.690, section 8.1).
fn der_value(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, length) = (bytes[0], usize::from(bytes[1]));
    let (length, begin) = match length.checked_sub(0x80) {
        None => (length, 2),
        Some(count) => {
            let digits = bytes[2..2 + count].iter();
            (digits.fold(0, |sum, digit| sum << 8 | usize::from(*digit)), 2 + count)
        }
    };
    (tag, &bytes[begin..begin + length], &bytes[begin + length..])
}

/// What a reply shows that this call may not show; `call` is its method and path, where they are known.
pub(crate) fn find_shown(call: Option<(&str, &str)>, status: u16, reply: &str) -> Option<String> {
    let row = call.and_then(|(method, path)| route(method, path).map(|path| (method, path)));
    let row = SHOWS.iter().find(|(method, path, _)| Some((*method, *path)) == row);
    let allowed = row.filter(|_| status < 300).map_or(&[][..], |(_, _, shows)| *shows);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let words = reply.split(|c| !is_word(c)).filter_map(credential);
    let mut leaked = words.filter(|found| !allowed.contains(found));
    leaked.next().map(|found| format!("{found:?}"))
}

/// The path of the row of the table of routes that a request leads to.
fn route(method: &str, path: &str) -> Option<&'static str> {
    let segments = |path: &'_ str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let asked = segments(path.split('?').next().unwrap_or_default());
    let fits = |row: &str| {
        let row = segments(row);
        let same = |(row, asked): (&String, &String)| row.starts_with('{') || row == asked;
        row.len() == asked.len() && row.iter().zip(&asked).all(same)
    };
    let rows = ROUTES.iter().filter(|route| route.method == method);
    let rows = rows.filter(|route| fits(route.path) || route.aliases.iter().any(|row| fits(row)));
    // Of two that fit, that without a parameter is meant.
    rows.map(|route| route.path).min_by_key(|path| path.matches('{').count())
}

/// Which credential a word is, by its form.
fn credential(word: &str) -> Option<Credential> {
    let word = word.trim_matches('.');
    let is_long = |text: &str| text.len() >= 30;
    match word.get(..3)? {
        "rt_" if is_long(word) => Some(RefreshToken),
        "cs_" if is_long(word) => Some(ClientSecret),
        "ws_" if is_long(word) => Some(WorkerSecret),
        "tk_" if word[3..].split_once('_').is_some_and(|(_, secret)| is_long(secret)) => {
            Some(ApiKey)
        }
        "eyJ" => signed(word),
        _ => None,
    }
}

/// Which kind of JWS a word is, if it is one.
fn signed(word: &str) -> Option<Credential> {
    let parts: Vec<_> = word.split('.').collect();
    let [header, claims, _] = parts[..] else { return None };
    let object = |part: &str| {
        let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let (header, claims) = (object(header)?, object(claims)?);
    if header["typ"] == "tikti-audit-head+jwt" {
        return Some(AuditHead);
    }
    Some(match claims["token_use"].as_str() {
        Some("id") => IdToken,
        Some("access") => AccessToken,
        Some("worker") => WorkerToken,
        _ => OtherSigned,
    })
}

/// The first member of a private or symmetric JWK, in a reply of one JSON value or of one a line.
pub(crate) fn find_private_member(body: &str) -> Option<String> {
    let whole = serde_json::from_str::<Value>(body).map(|value| vec![value]);
    let lines = || body.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    whole.unwrap_or_else(|_| lines()).iter().find_map(private_member)
}

fn private_member(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => {
            let named = members.keys().find(|name| PRIVATE_MEMBERS.contains(&name.as_str()));
            named.cloned().or_else(|| members.values().find_map(private_member))
        }
        Value::Array(items) => items.iter().find_map(private_member),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
