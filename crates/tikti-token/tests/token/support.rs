//! Keys, claims and forgeries for all modules.
//!
//! A forger here holds the real keys: what is refused is refused although the signature is good,
//! unless a test says otherwise.

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeyPairComponents, PublicKeyComponents},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_token::*;

pub(crate) const NOW: u64 = 1_769_532_214;
pub(crate) const ISSUER: &str = "https://tikti.test";
pub(crate) const SECRET: &[u8; 32] =
    b"thirty-two bytes of a test secret".first_chunk().expect("long enough");

pub(crate) fn policy<'a>(audience: &'a [&'a str]) -> Policy<'a> {
    Policy {
        issuer: ISSUER,
        audience: Audience::OneOf(audience),
        required_scopes: &[],
        skew_seconds: DEFAULT_SKEW_SECONDS,
    }
}

pub(crate) const ID: Policy<'static> = Policy {
    issuer: ISSUER,
    audience: Audience::OneOf(&["tikti"]),
    required_scopes: &[],
    skew_seconds: DEFAULT_SKEW_SECONDS,
};

pub(crate) const CODEQ: Policy<'static> =
    Policy { audience: Audience::OneOf(&["codeq-worker"]), ..ID };

pub(crate) fn private_key_der() -> &'static [u8] {
    static DER: OnceLock<Vec<u8>> = OnceLock::new();
    DER.get_or_init(|| generate_rsa(RsaSize::Bits2048).unwrap().to_vec())
}

pub(crate) fn rsa_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_pkcs8("rsa-1", private_key_der()).unwrap())
}

pub(crate) fn public_keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| KeySet::new([rsa_key().public_key()]))
}

pub(crate) fn secrets() -> &'static HmacKeys {
    static KEYS: OnceLock<HmacKeys> = OnceLock::new();
    KEYS.get_or_init(|| HmacKeys::new(vec![HmacKey::new("hmac-1", SECRET).unwrap()]).unwrap())
}

/// Both algorithms.
pub(crate) fn id_keys() -> IdKeys<'static> {
    IdKeys { secrets: secrets(), public: Some(public_keys()) }
}

pub(crate) fn id_claims() -> IdClaims {
    IdClaims {
        iss: ISSUER.to_owned(),
        aud: "tikti".to_owned(),
        sub: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
        tid: Some("acme".to_owned()),
        email: Some("ada@acme.test".to_owned()),
        role: "COMPANY_ADMIN".to_owned(),
        auth_time: NOW,
        amr: vec!["pwd".to_owned()],
        sid: "01K4X3VQ5T8Y6W2Z9R7N1M0P4S".to_owned(),
        ver: 1_769_532_000_123,
        mver: Some(1_769_532_000_456),
        iat: NOW,
        exp: NOW + 3600,
        jti: "01K4X3VQ5T8Y6W2Z9R7N1M0P4T".to_owned(),
        user_id: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned(),
        email_verified: true,
        firebase: Firebase {
            sign_in_provider: "password".to_owned(),
            identities: FirebaseIdentities { email: vec!["ada@acme.test".to_owned()] },
            tenant: Some("acme".to_owned()),
        },
    }
}

pub(crate) fn access_claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: "codeq-worker".to_owned(),
        sub: "worker-1".to_owned(),
        tid: "acme".to_owned(),
        scope: "codeq:claim codeq:heartbeat codeq:result".to_owned(),
        sid: Some("01K4X3VQ5T8Y6W2Z9R7N1M0P4S".to_owned()),
        ver: Some(1_769_532_000_123),
        mver: Some(1_769_532_000_456),
        wver: Some(1_769_532_000_789),
        client_id: "codeq-worker".to_owned(),
        act: Some(Actor { sub: "0199c3f2-6f0a-7c3e-8a4e-5b1d2c3e4f50".to_owned() }),
        iat: NOW,
        exp: NOW + 900,
        jti: "01K4X3VQ5T8Y6W2Z9R7N1M0P4V".to_owned(),
    }
}

pub(crate) fn worker_claims() -> WorkerClaims {
    WorkerClaims {
        access: access_claims(),
        event_types: vec!["render_video".to_owned(), "generate_master".to_owned()],
    }
}

/// The three classes behind one face, so that a table of forgeries runs over all. IdTokens are two: by a
/// secret and by an RSA key, both verified with both kinds of key at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    IdRs256,
    Access,
    Worker,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Id, Self::IdRs256, Self::Access, Self::Worker];

    pub(crate) fn is_id(self) -> bool {
        matches!(self, Self::Id | Self::IdRs256)
    }

    pub(crate) fn mint(self) -> String {
        match self {
            Self::Id => mint_id(secrets(), &id_claims()),
            Self::IdRs256 => mint_id_rs256(rsa_key(), &id_claims()),
            Self::Access => mint_access(rsa_key(), AccessTokenType::Jwt, &access_claims()),
            Self::Worker => mint_worker(rsa_key(), AccessTokenType::Jwt, &worker_claims()),
        }
        .unwrap()
    }

    pub(crate) fn header(self) -> Value {
        match self {
            Self::Id => json!({ "alg": "HS256", "typ": "JWT", "kid": "hmac-1" }),
            Self::IdRs256 | Self::Access | Self::Worker => {
                json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa-1" })
            }
        }
    }

    pub(crate) fn claims(self) -> Value {
        Value::Object(peek(&self.mint()).unwrap().claims().clone())
    }

    /// Signs whatever it is given with the key of this class.
    pub(crate) fn forge(self, header: &str, payload: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = match self {
            Self::Id => secrets().signing_key().sign_raw(input.as_bytes()).as_ref().to_vec(),
            Self::IdRs256 | Self::Access | Self::Worker => {
                rsa_key().sign_raw(input.as_bytes()).unwrap()
            }
        };
        format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    pub(crate) fn forge_claims(self, claims: &Value) -> String {
        self.forge(&self.header().to_string(), &claims.to_string())
    }

    pub(crate) fn forge_header(self, header: &Value) -> String {
        self.forge(&header.to_string(), &self.claims().to_string())
    }

    pub(crate) fn verify(self, token: &str) -> Result<(), VerifyError> {
        match self {
            Self::Id | Self::IdRs256 => self.verify_with(token, &ID, NOW),
            Self::Access | Self::Worker => self.verify_with(token, &CODEQ, NOW),
        }
    }

    pub(crate) fn verify_with(
        self,
        token: &str,
        policy: &Policy<'_>,
        now_seconds: u64,
    ) -> Result<(), VerifyError> {
        match self {
            Self::Id | Self::IdRs256 => verify_id(token, id_keys(), policy, now_seconds).map(drop),
            Self::Access => verify_access(token, public_keys(), policy, now_seconds).map(drop),
            Self::Worker => verify_worker(token, public_keys(), policy, now_seconds).map(drop),
        }
    }

    pub(crate) fn step(self, token: &str) -> &'static str {
        self.verify(token).map_or_else(|error| error.step(), |()| "accepted")
    }
}

pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name).expect("the claim is there to be removed");
    object
}

/// Makes PKCS#8 of the private members of a JWK, in the order n e d p q dp dq qi.
pub(crate) fn pkcs8_from_jwk(members: [&str; 8]) -> Vec<u8> {
    let [n, e, d, p, q, dp, dq, qi] =
        members.map(|member| BASE64URL_NOPAD.decode(member.as_bytes()).unwrap());
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d,
        p,
        q,
        dP: dp,
        dQ: dq,
        qInv: qi,
    };
    KeyPair::from_components(&components).unwrap().as_der().unwrap().as_ref().to_vec()
}
