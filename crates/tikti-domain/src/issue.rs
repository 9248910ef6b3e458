//! From what was decided to signed tokens.
//!
//! Every claim of every token that Tikti makes is set here. RS256 signatures are made on the
//! signing pool; HS256 takes about a microsecond and is made in place.
//!
//! Spec: Tokens and keys, table of claims.

use secrecy::SecretString;
use tikti_token::{
    AccessClaims, Actor, Firebase, FirebaseIdentities, IdClaims, SignError, WorkerClaims,
};

use crate::clock::{self, Timestamp};
use crate::domain::Domain;
use crate::error::{Error, InternalError, Refusal};
use crate::id;
use crate::session::Session;
use crate::token_exchange::{Allowed, Issued, IssuedClass, Subject};
use crate::user::User;

/// Makes the idToken of a session.
pub(crate) fn id_token(
    domain: &Domain,
    user: &User,
    session: &Session,
    mver: Option<u64>,
    now: Timestamp,
) -> Result<SecretString, InternalError> {
    let settings = &domain.settings;
    let issued_at = clock::seconds(now);
    let audience = session
        .client_id
        .as_ref()
        .map_or(settings.default_audience.as_str(), |client| client.as_str());
    let email = user.email.as_ref().map(|email| email.as_str().to_owned());
    let tenant = session.tenant_id.as_ref().map(|tenant| tenant.as_str().to_owned());
    let claims = IdClaims {
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
    };
    Ok(tikti_token::mint_id(&domain.hs256, &claims)?.into())
}

/// Makes the access or worker token of an allowed exchange.
pub(crate) async fn access_token(
    domain: &Domain,
    allowed: &Allowed,
    now: Timestamp,
) -> Result<Issued, Error> {
    let claims = access_claims(domain, allowed, now)?;
    let key = domain.signer(now)?;
    let typ = domain.settings.access_token_type;
    let event_types: Vec<_> =
        allowed.event_types.iter().map(|event| event.as_str().to_owned()).collect();
    let class = allowed.class;
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
    Ok(Issued {
        token: signed.map_err(too_large_or_broken)?.into(),
        class,
        expires_in_seconds: allowed.ttl_seconds,
        scope: allowed.scopes.clone(),
        tenant_id: allowed.tenant_id.clone(),
        user_id: allowed.user_id.clone(),
    })
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
    allowed: &Allowed,
    now: Timestamp,
) -> Result<AccessClaims, InternalError> {
    let issued_at = clock::seconds(now);
    let user_id = allowed.user_id.as_str().to_owned();
    // RFC 8693, section 4.1: who acts is named wherever it is not the subject itself.
    let (sub, wver, act) = match &allowed.subject {
        Subject::Caller => (user_id, None, None),
        Subject::Worker { id, wver } => {
            (id.as_str().to_owned(), Some(*wver), Some(Actor { sub: user_id }))
        }
        Subject::Unregistered(id) => (id.as_str().to_owned(), None, Some(Actor { sub: user_id })),
    };
    Ok(AccessClaims {
        iss: domain.settings.issuer.clone(),
        aud: allowed.audience.as_str().to_owned(),
        sub,
        tid: allowed.tenant_id.as_str().to_owned(),
        scope: allowed.scopes.to_string(),
        sid: allowed.session_id.as_ref().map(|session| session.as_str().to_owned()),
        ver: Some(allowed.ver),
        mver: allowed.mver,
        wver,
        client_id: allowed.audience.as_str().to_owned(),
        act,
        iat: issued_at,
        exp: issued_at.saturating_add(allowed.ttl_seconds),
        jti: id::new_ulid(now, &domain.random)?,
    })
}
