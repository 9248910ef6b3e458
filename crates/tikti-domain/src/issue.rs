//! From what was decided to signed tokens.
//!
//! Every claim of every token that Tikti makes is set here. RS256 signatures are made on the
//! signing pool; HS256 takes about a microsecond and is made in place.
//!
//! Invariant: what an idToken is for, this deployment or an application, is never the audience of an
//! exchange: whoever calls has seen that the session's client takes idTokens, which no service does.
//!
//! Spec: Tokens and keys, table of claims.

use std::collections::BTreeSet;

use secrecy::SecretString;
use tikti_token::{
    AccessClaims, Actor, Firebase, FirebaseIdentities, IdClaims, SignError, WorkerClaims,
};

use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::error::{Error, InternalError, Refusal};
use crate::id::{self, ClientId, EventType, TenantId};
use crate::scope::ScopeSet;
use crate::session::Session;
use crate::settings::IdTokenAlgorithm;
use crate::token_exchange::{Allowed, Issued, IssuedClass, Subject};
use crate::user::User;

/// Makes the idToken of a session.
///
/// # Errors
/// Where it is RS256: those of [`Domain::signer`]; `OVERLOADED`. Internal.
pub(crate) async fn id_token(
    domain: &Domain,
    user: &User,
    session: &Session,
    mver: Option<u64>,
    now: Timestamp,
) -> Result<SecretString, Error> {
    let claims = id_claims(domain, user, session, mver, now)?;
    let signed = match domain.settings.id_token_algorithm {
        IdTokenAlgorithm::Hs256 => tikti_token::mint_id(&domain.hs256, &claims),
        IdTokenAlgorithm::Rs256 => {
            let key = domain.signer(now)?;
            domain.signing.run(move || tikti_token::mint_id_rs256(&key, &claims)).await?
        }
    };
    Ok(signed.map_err(InternalError::from)?.into())
}

fn id_claims(
    domain: &Domain,
    user: &User,
    session: &Session,
    mver: Option<u64>,
    now: Timestamp,
) -> Result<IdClaims, InternalError> {
    let settings = &domain.settings;
    let issued_at = clock::seconds(now);
    let audience = session
        .client_id
        .as_ref()
        .map_or(settings.default_audience.as_str(), |client| client.as_str());
    let email = user.email.as_ref().map(|email| email.as_str().to_owned());
    let tenant = session.tenant_id.as_ref().map(|tenant| tenant.as_str().to_owned());
    Ok(IdClaims {
        iss: settings.issuer.clone(),
        aud: audience.to_owned(),
        sub: user.id.as_str().to_owned(),
        tid: tenant.clone(),
        role: user.role.as_str().to_owned(),
        auth_time: clock::seconds(session.created_at),
        amr: session.amr.clone(),
        sid: session.id.as_str().to_owned(),
        ver: user.ver,
        mver,
        iat: issued_at,
        exp: issued_at.saturating_add(settings.id_token_ttl.as_secs()),
        jti: id::new_ulid(now, &domain.random)?,
        user_id: user.id.as_str().to_owned(),
        email_verified: user.email_verified,
        // Read by Firebase clients, believed by nobody here.
        firebase: Firebase {
            sign_in_provider: "password".to_owned(),
            identities: FirebaseIdentities { email: email.iter().cloned().collect() },
            tenant,
        },
        email,
    })
}

/// What an access or worker token says, whoever asked for it.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    /// The tenant.
    pub(crate) tenant_id: &'a TenantId,
    /// The client.
    pub(crate) audience: &'a ClientId,
    /// Access, or worker where the client has event types.
    pub(crate) class: IssuedClass,
    /// What it may do: never empty.
    pub(crate) scopes: &'a ScopeSet,
    /// The events that a worker token may claim.
    pub(crate) event_types: &'a BTreeSet<EventType>,
    /// Its life in seconds.
    pub(crate) ttl_seconds: u64,
    /// Of whom it speaks.
    pub(crate) whose: Whose,
}

/// Of whom a token speaks, and the versions that it stands and falls with.
#[derive(Debug, Default)]
pub(crate) struct Whose {
    /// A user's or worker's id.
    pub(crate) sub: String,
    /// The session, where a user asked.
    pub(crate) sid: Option<String>,
    /// The version of the user who asked.
    pub(crate) ver: Option<u64>,
    /// The version of his membership.
    pub(crate) mver: Option<u64>,
    /// The version of the worker, where the subject is a registered one.
    pub(crate) wver: Option<u64>,
    /// The user who asked, where the subject is somebody else.
    pub(crate) act: Option<Actor>,
}

/// Makes the access or worker token of an allowed exchange.
pub(crate) async fn access_token(
    domain: &Domain,
    allowed: &Allowed,
    now: Timestamp,
) -> Result<Issued, Error> {
    let content = Content {
        tenant_id: &allowed.tenant_id,
        audience: &allowed.audience,
        class: allowed.class,
        scopes: &allowed.scopes,
        event_types: &allowed.event_types,
        ttl_seconds: allowed.ttl_seconds,
        whose: of_exchange(allowed),
    };
    Ok(Issued {
        token: sign(domain, content, now).await?,
        class: allowed.class,
        expires_in_seconds: allowed.ttl_seconds,
        scope: allowed.scopes.clone(),
        tenant_id: allowed.tenant_id.clone(),
        user_id: allowed.user_id.clone(),
    })
}

fn of_exchange(allowed: &Allowed) -> Whose {
    let user_id = allowed.user_id.as_str().to_owned();
    // RFC 8693, section 4.1: who acts is named wherever it is not the subject itself.
    let (sub, wver, act) = match &allowed.subject {
        Subject::Caller => (user_id, None, None),
        Subject::Worker { id, wver } => {
            (id.as_str().to_owned(), Some(*wver), Some(Actor { sub: user_id }))
        }
        Subject::Unregistered(id) => (id.as_str().to_owned(), None, Some(Actor { sub: user_id })),
    };
    Whose {
        sub,
        sid: allowed.session_id.as_ref().map(|session| session.as_str().to_owned()),
        ver: Some(allowed.ver),
        mver: allowed.mver,
        wver,
        act,
    }
}

/// Signs an access or worker token.
///
/// # Errors
/// `INVALID_ARGUMENT` for one of over 8 KiB; `OVERLOADED`; internal.
pub(crate) async fn sign(
    domain: &Domain,
    content: Content<'_>,
    now: Timestamp,
) -> Result<SecretString, Error> {
    let Content { class, event_types, .. } = content;
    let event_types: Vec<_> = event_types.iter().map(|event| event.as_str().to_owned()).collect();
    let claims = access_claims(domain, content, now)?;
    let key = domain.signer(now)?;
    let typ = domain.settings.access_token_type;
    let signed = domain
        .signing
        .run(move || match class {
            IssuedClass::Access => tikti_token::mint_access(&key, typ, &claims),
            IssuedClass::Worker => {
                let claims = WorkerClaims { access: claims, event_types };
                tikti_token::mint_worker(&key, typ, &claims)
            }
        })
        .await?;
    Ok(signed.map_err(too_large_or_broken)?.into())
}

/// A token that no verifier would take is the asker's to make smaller.
fn too_large_or_broken(error: SignError) -> Error {
    match error {
        SignError::TooLarge => {
            Refusal::invalid("scopes", "with the event types make a token of over 8 KiB").into()
        }
        SignError::Claim(_) | SignError::Signing => InternalError::from(error).into(),
    }
}

fn access_claims(
    domain: &Domain,
    content: Content<'_>,
    now: Timestamp,
) -> Result<AccessClaims, InternalError> {
    let issued_at = clock::seconds(now);
    let Whose { sub, sid, ver, mver, wver, act } = content.whose;
    let audience = content.audience.as_str();
    Ok(AccessClaims {
        iss: domain.settings.issuer.clone(),
        aud: audience.to_owned(),
        sub,
        tid: content.tenant_id.as_str().to_owned(),
        scope: content.scopes.to_string(),
        sid,
        ver,
        mver,
        wver,
        client_id: audience.to_owned(),
        act,
        iat: issued_at,
        exp: issued_at.saturating_add(content.ttl_seconds),
        jti: id::new_ulid(now, &domain.random)?,
    })
}
