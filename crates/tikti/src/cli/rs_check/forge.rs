//! How is a token of the catalogue made? Minting refuses to make bad ones, so they are forged here.
//!
//! Signs with keys made for the check alone. Where there is a good token of a deployment instead, only
//! what anybody could do with it is done: a part that nothing changes stays as it was, byte for byte.
//!
//! Spec: Command line, `rs-check`; `conformance/README.md`; Attacks, K1 and L5. RFC 7515 section 3.1.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::catalogue::{Change, Class, Entry, Sign};
use super::keys::{self, Algorithm, FreshKey, PublicForms};
use super::placeholder::{Facts, Stranger, Values};
use super::shape::shaped;
use crate::exit::Failure;

/// Who makes good tokens, and so what can be made of them.
pub(super) enum Source {
    /// The check is the issuer: it can sign everything.
    Issuer(FreshKey),
    /// A deployment is: there is one good token, and its public key.
    Token { good: GoodToken, public: PublicForms },
}

/// A token that a deployment made.
pub(super) struct GoodToken {
    header: Part,
    claims: Part,
    signature: String,
}

/// One of the two parts that are JSON.
#[derive(Clone)]
struct Part {
    members: Map<String, Value>,
    encoded: String,
}

pub(super) struct Forge {
    source: Source,
    /// The class that the verifier expects.
    class: Class,
    base: BTreeMap<Class, Change>,
    stranger: FreshKey,
    values: Values,
}

impl GoodToken {
    /// Takes `token` apart; `header` and `claims` are what it says.
    pub(super) fn new(
        token: &str,
        header: Map<String, Value>,
        claims: Map<String, Value>,
    ) -> Option<Self> {
        let mut parts = token.split('.').map(str::to_owned);
        let mut next = || parts.next();
        Some(Self {
            header: Part { members: header, encoded: next()? },
            claims: Part { members: claims, encoded: next()? },
            signature: next()?,
        })
    }
}

impl Part {
    fn new(members: Map<String, Value>) -> Result<Self, Failure> {
        let text = serde_json::to_string(&members).map_err(|cause| unwritable(&cause))?;
        Ok(Self { members, encoded: BASE64URL_NOPAD.encode(text.as_bytes()) })
    }
}

impl Forge {
    /// A forge for a verifier that expects tokens of `class`; `stranger` publishes its key at `url`.
    pub(super) fn new(
        source: Source,
        class: Class,
        base: BTreeMap<Class, Change>,
        facts: &Facts,
        (stranger, url): (FreshKey, &str),
    ) -> Result<Self, Failure> {
        let certificate = keys::x5c(&stranger.certificate()?);
        let values = Values::new(facts, &Stranger { url, key: &stranger.public, certificate });
        Ok(Self { source, class, base, stranger, values })
    }

    /// Makes the token of `entry` at `now`; none where its changes change nothing here.
    pub(super) fn make(&self, entry: &Entry, now: u64) -> Result<Option<String>, Failure> {
        let values = self.values.clone().of_token(&entry.name);
        let values = values.with("jti", keys::fresh_name("rs-check-")?);
        let good = self.good(entry, &values, now)?;
        let exp = good.claims.members.get("exp").map(Value::to_string).unwrap_or_default();
        let values = values.with("exp", exp);

        let header = changed(&good.header, &entry.change.header, &BTreeMap::new(), &values, now)?;
        let Change { claims, times, .. } = &entry.change;
        let mut claims = changed(&good.claims, claims, times, &values, now)?;
        if let Some(size) = entry.size {
            // Of four characters of base64url three are bytes.
            claims.members.insert("padding".to_owned(), "x".repeat(size / 4 * 3).into());
            claims = Part::new(claims.members)?;
        }
        let header = written(header, entry.header_text.as_deref(), &values)?;
        let claims = written(claims, entry.payload_text.as_deref(), &values)?;

        let is_same = header == good.header.encoded && claims == good.claims.encoded;
        if is_same && !entry.change.is_nothing() && matches!(entry.sign, Sign::Key | Sign::Kept) {
            return Ok(None);
        }
        let signature = match entry.sign {
            Sign::Kept => good.signature,
            sign => {
                let input = format!("{header}.{claims}");
                BASE64URL_NOPAD.encode(&self.signature(sign, input.as_bytes())?)
            }
        };
        Ok(shaped(&header, &claims, &signature, entry.shape))
    }

    /// The token that is changed. It has a signature where that is kept.
    fn good(&self, entry: &Entry, values: &Values, now: u64) -> Result<GoodToken, Failure> {
        let key = match &self.source {
            Source::Token { good: GoodToken { header, claims, signature }, .. } => {
                let (header, claims) = (header.clone(), claims.clone());
                return Ok(GoodToken { header, claims, signature: signature.clone() });
            }
            Source::Issuer(key) => key,
        };
        let base = self.base.get(&entry.made_from.unwrap_or(self.class));
        let base = base.ok_or_else(|| Failure::refused("the catalogue has no base of a class"))?;
        let nothing = Part { members: Map::new(), encoded: String::new() };
        let mut header = changed(&nothing, &base.header, &BTreeMap::new(), values, now)?;
        let mut claims = changed(&nothing, &base.claims, &base.times, values, now)?;
        if let Some(original) = &entry.original {
            header = changed(&header, &original.header, &BTreeMap::new(), values, now)?;
            claims = changed(&claims, &original.claims, &original.times, values, now)?;
        }
        let signature = if entry.sign == Sign::Kept {
            let input = format!("{}.{}", header.encoded, claims.encoded);
            BASE64URL_NOPAD.encode(&key.sign(Algorithm::Rs256, input.as_bytes())?)
        } else {
            String::new()
        };
        Ok(GoodToken { header, claims, signature })
    }

    fn signature(&self, sign: Sign, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let public = self.public();
        let hs256 = |secret: &[u8]| Ok(tag(hmac::HMAC_SHA256, secret, input));
        match sign {
            Sign::Key => self.signed_as_issuer(Algorithm::Rs256, input),
            Sign::KeyRs512 => self.signed_as_issuer(Algorithm::Rs512, input),
            Sign::KeyPs256 => self.signed_as_issuer(Algorithm::Ps256, input),
            Sign::OtherKey => self.stranger.sign(Algorithm::Rs256, input),
            Sign::Hs256PublicPem => hs256(public.pem.as_bytes()),
            Sign::Hs256PublicPemTrimmed => hs256(public.pem.trim_end().as_bytes()),
            Sign::Hs256PublicPkcs1Pem => hs256(public.pkcs1_pem.as_bytes()),
            Sign::Hs256PublicDer => hs256(&public.der),
            Sign::Hs256PublicJwk => {
                let jwk = serde_json::to_vec(&public.jwk).map_err(|cause| unwritable(&cause))?;
                hs256(&jwk)
            }
            Sign::Hs256PublicJwkN => hs256(public.jwk.n.as_bytes()),
            Sign::Hs256Empty => hs256(b""),
            Sign::Hs256Random => hs256(&keys::random::<32>()?),
            Sign::Hs256Word => hs256(b"secret"),
            Sign::Hs512PublicPem => Ok(tag(hmac::HMAC_SHA512, public.pem.as_bytes(), input)),
            Sign::ZeroSignature => Ok(vec![0; 256]),
            Sign::EmptySignature | Sign::Kept => Ok(Vec::new()),
        }
    }

    fn signed_as_issuer(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>, Failure> {
        match &self.source {
            Source::Issuer(key) => key.sign(algorithm, input),
            Source::Token { .. } => Err(Failure::refused("only the issuer can sign as such")),
        }
    }

    fn public(&self) -> &PublicForms {
        match &self.source {
            Source::Issuer(key) => &key.public,
            Source::Token { public, .. } => public,
        }
    }
}

/// Sets and takes away members. A part in which that changes nothing stays as it is.
fn changed(
    part: &Part,
    change: &Map<String, Value>,
    times: &BTreeMap<String, i64>,
    values: &Values,
    now: u64,
) -> Result<Part, Failure> {
    let mut members = part.members.clone();
    for (name, value) in change {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), values.fill(value)?)),
        }
    }
    for (name, seconds) in times {
        members.insert(name.clone(), now.saturating_add_signed(*seconds).into());
    }
    if members == part.members { Ok(part.clone()) } else { Part::new(members) }
}

/// The part as it stands in the token: its own JSON, or the `text` that the catalogue has instead.
fn written(part: Part, text: Option<&str>, values: &Values) -> Result<String, Failure> {
    let Some(text) = text else { return Ok(part.encoded) };
    let object = serde_json::to_string(&part.members).map_err(|cause| unwritable(&cause))?;
    let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let text = values.fill_json(text, members.unwrap_or_default())?;
    Ok(BASE64URL_NOPAD.encode(text.as_bytes()))
}

/// With any secret at all, also one that no verifier should have.
fn tag(algorithm: hmac::Algorithm, secret: &[u8], input: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret), input).as_ref().to_vec()
}

fn unwritable(cause: &serde_json::Error) -> Failure {
    Failure::refused(format!("writing a token: {cause}"))
}

#[cfg(test)]
mod tests;
