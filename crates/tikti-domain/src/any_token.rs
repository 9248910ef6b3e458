//! What does a token of whichever class say, once it is verified?
//!
//! For whoever has a token in hand and wants to know of it or to revoke it: administrators, introspection,
//! revocation. Everywhere else a place that takes a token names the class that it expects.
//!
//! Spec: HTTP API, Identity, `revokeJti`, `validate`; Tokens and keys, "Verification", "Standards beside
//! Tikti's own endpoints".

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use tikti_token::{AccessClaims, Audience, IdClaims, VerifyError, WorkerClaims};

use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::error::{Code, InternalError, Refusal};
use crate::id::{SessionId, TenantId, UserId};
use crate::id_token::{self, IdToken};

/// The claims of a verified token.
#[derive(Debug)]
pub(crate) enum AnyToken {
    Id(IdClaims),
    Access(AccessClaims),
    Worker(WorkerClaims),
}

impl AnyToken {
    /// Verifies signature, issuer, audience and times, whatever the class.
    ///
    /// # Errors
    /// The step that fails, of the class that the token comes nearest to.
    pub(crate) fn verify(
        domain: &Domain,
        token: &SecretString,
        audience: Audience<'_>,
        now: Timestamp,
    ) -> Result<Self, VerifyError> {
        let policy = domain.policy(audience);
        let (text, seconds) = (token.expose_secret(), clock::seconds(now));
        let as_id = || id_token::verify_claims(domain, token, audience, now).map(Self::Id);
        // The classes differ in their header first, then in a claim.
        match tikti_token::verify_id(text, &domain.hs256, &policy, seconds) {
            Err(VerifyError::HeaderType | VerifyError::Algorithm) => {}
            other => return other.map(|verified| Self::Id(verified.into_claims())),
        }
        let keys = &*domain.verifiers();
        match tikti_token::verify_access(text, keys, &policy, seconds) {
            // What has not what an access token must have may be an idToken of RS256, if it says so itself.
            Err(VerifyError::MissingClaim(_)) if says_id(text) => return as_id(),
            Err(VerifyError::WrongClass) => {}
            other => return other.map(|verified| Self::Access(verified.into_claims())),
        }
        tikti_token::verify_worker(text, keys, &policy, seconds)
            .map(|verified| Self::Worker(verified.into_claims()))
    }

    /// The claims of an access or worker token.
    pub(crate) fn access(&self) -> Option<&AccessClaims> {
        match self {
            Self::Id(_) => None,
            Self::Access(claims) => Some(claims),
            Self::Worker(claims) => Some(&claims.access),
        }
    }

    /// When it ends, in seconds since the Unix epoch.
    pub(crate) fn expires_at(&self) -> u64 {
        match self {
            Self::Id(claims) => claims.exp,
            Self::Access(claims) | Self::Worker(WorkerClaims { access: claims, .. }) => claims.exp,
        }
    }

    /// The user behind the token; `None` where there is none, as behind one that a worker asked for.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Id(claims) => UserId::parse(&claims.sub).ok(),
            Self::Access(claims) | Self::Worker(WorkerClaims { access: claims, .. }) => {
                user_behind(claims)
            }
        }
    }

    /// The token's own id.
    pub(crate) fn jti(&self) -> &str {
        match self {
            Self::Id(claims) => &claims.jti,
            Self::Access(claims) | Self::Worker(WorkerClaims { access: claims, .. }) => &claims.jti,
        }
    }

    /// What it is called: the claim `token_use`.
    pub(crate) fn token_use(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Access(_) => "access",
            Self::Worker(_) => "worker",
        }
    }

    /// The tenant that it speaks for.
    pub(crate) fn tenant_id(&self) -> Option<TenantId> {
        let tenant = match self {
            Self::Id(claims) => claims.tid.as_deref(),
            Self::Access(claims) | Self::Worker(WorkerClaims { access: claims, .. }) => {
                Some(claims.tid.as_str())
            }
        };
        TenantId::parse(tenant?).ok()
    }

    /// What the token says of the user who is behind it, in the shape that the holder's checks take: the
    /// one who asked for it, where it is about somebody else. `None` where there is no user or no session.
    pub(crate) fn user_token(&self, default_audience: &str) -> Option<IdToken> {
        let claims = match self {
            Self::Id(claims) => return IdToken::parse(claims.clone(), default_audience).ok(),
            Self::Access(claims) | Self::Worker(WorkerClaims { access: claims, .. }) => claims,
        };
        asked_by(claims)
    }

    /// Every claim by its name on the wire.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, InternalError> {
        let mut claims = match self {
            Self::Id(claims) => members(claims)?,
            Self::Access(claims) => members(claims)?,
            Self::Worker(claims) => members(claims)?,
        };
        claims.insert("token_use".to_owned(), self.token_use().into());
        Ok(claims)
    }
}

/// What an access or worker token says of the user who asked for it, in the shape that the holder's checks
/// take. `None` where there is no user or no session.
pub(crate) fn asked_by(claims: &AccessClaims) -> Option<IdToken> {
    Some(IdToken {
        user_id: user_behind(claims)?,
        session_id: SessionId::parse(claims.sid.as_deref()?).ok()?,
        tenant_id: Some(TenantId::parse(&claims.tid).ok()?),
        client_id: None,
        ver: claims.ver?,
        mver: claims.mver,
        jti: claims.jti.clone(),
        issued_at: claims.iat,
    })
}

/// The user who asked for an access or worker token: only then it has a `ver`.
pub(crate) fn user_behind(claims: &AccessClaims) -> Option<UserId> {
    let user = claims.act.as_ref().map_or(&claims.sub, |actor| &actor.sub);
    claims.ver.and(UserId::parse(user).ok())
}

fn members(claims: &impl Serialize) -> Result<Map<String, Value>, InternalError> {
    let broken = |reason: String| InternalError::Record { key: "claims".to_owned(), reason };
    match serde_json::to_value(claims) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(broken("they are no object".to_owned())),
        Err(error) => Err(broken(error.to_string())),
    }
}

/// Whether a token calls itself an idToken, believed or not.
fn says_id(text: &str) -> bool {
    tikti_token::peek(text).is_ok_and(|token| {
        token.claims().get("token_use").is_some_and(|token_use| token_use == "id")
    })
}

/// What a caller is told of a token that does not verify: the step that failed.
pub(crate) fn refused(error: VerifyError) -> Refusal {
    let code = match error {
        VerifyError::Expired => Code::TokenExpired,
        _ => Code::InvalidIdToken,
    };
    Refusal::new(code, error.to_string()).detail("step", error.step())
}
