//! What makes a token one of its class, and what is read from it?
//!
//! A token is of exactly one class: its `typ`, its `token_use` and its claims must all say so. A claim that only another class has is refused, not ignored.
//!
//! Spec: Tokens and keys, table of claims. RFC 8725 sections 3.11 and 3.12; attack row A6.

use crate::{
    claims::{AccessClaims, Actor, Firebase, FirebaseIdentities, IdClaims, WorkerClaims, is_scope},
    error::VerifyError,
    reader::Reader,
};

/// The three classes. The caller of a verification names the one that it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Id,
    Access,
    Worker,
}

impl Class {
    /// Tells whether tokens of this class may have this `typ`. Media types are compared without
    /// regard to case (RFC 7519 section 5.1).
    pub(crate) fn has_type(self, typ: &str) -> bool {
        let is_access_type = typ.eq_ignore_ascii_case("at+jwt") && self != Self::Id;
        typ.eq_ignore_ascii_case("JWT") || is_access_type
    }

    /// The value of `token_use`.
    pub(crate) const fn token_use(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Access => "access",
            Self::Worker => "worker",
        }
    }

    /// Tells whether only tokens of other classes have the claim `name`.
    fn is_foreign(self, name: &str) -> bool {
        match self {
            Self::Id => matches!(name, "scope" | "eventTypes" | "wver" | "client_id" | "act"),
            Self::Access => matches!(name, "eventTypes" | "email" | "role" | "auth_time" | "amr"),
            Self::Worker => matches!(name, "email" | "role" | "auth_time" | "amr"),
        }
    }

    fn check(self, reader: &Reader<'_, '_>) -> Result<(), VerifyError> {
        let token_use = reader.text("token_use")?;
        if token_use != self.token_use() || reader.names().any(|name| self.is_foreign(name)) {
            return Err(VerifyError::WrongClass);
        }
        Ok(())
    }
}

/// Names the `typ` of access and worker tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessTokenType {
    /// `JWT`.
    #[default]
    Jwt,
    /// `at+jwt` of RFC 9068 section 2.1.
    AtJwt,
}

/// What every class has and the verifier reads first.
pub(crate) struct CommonClaims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
}

pub(crate) fn read_id(
    reader: &Reader<'_, '_>,
    CommonClaims { iss, aud, iat, exp }: CommonClaims,
) -> Result<IdClaims, VerifyError> {
    let claims = IdClaims {
        iss,
        aud,
        iat,
        exp,
        sub: reader.text("sub")?.into_owned(),
        tid: reader.optional_text("tid")?,
        email: reader.optional_text("email")?,
        role: reader.text("role")?.into_owned(),
        auth_time: reader.number("auth_time")?,
        amr: reader.texts("amr")?,
        sid: reader.text("sid")?.into_owned(),
        ver: reader.number("ver")?,
        mver: reader.optional_number("mver")?,
        jti: reader.text("jti")?.into_owned(),
        user_id: reader.text("user_id")?.into_owned(),
        email_verified: reader.flag("email_verified")?,
        firebase: read_firebase(&reader.object("firebase")?)?,
    };
    Class::Id.check(reader)?;
    Ok(claims)
}

fn read_firebase(reader: &Reader<'_, '_>) -> Result<Firebase, VerifyError> {
    Ok(Firebase {
        sign_in_provider: reader.text("sign_in_provider")?.into_owned(),
        identities: FirebaseIdentities {
            email: reader.object("identities")?.optional_texts("email")?.unwrap_or_default(),
        },
        tenant: reader.optional_text("tenant")?,
    })
}

pub(crate) fn read_access(
    reader: &Reader<'_, '_>,
    common: CommonClaims,
) -> Result<AccessClaims, VerifyError> {
    let claims = read_shared(reader, common)?;
    Class::Access.check(reader)?;
    Ok(claims)
}

pub(crate) fn read_worker(
    reader: &Reader<'_, '_>,
    common: CommonClaims,
) -> Result<WorkerClaims, VerifyError> {
    let access = read_shared(reader, common)?;
    // Before the claim that no other class has, so that an access token is called one.
    Class::Worker.check(reader)?;
    let event_types = reader.texts("eventTypes")?;
    if event_types.is_empty() {
        return Err(VerifyError::WrongClaim("eventTypes"));
    }
    Ok(WorkerClaims { access, event_types })
}

/// Reads what access and worker tokens share.
fn read_shared(
    reader: &Reader<'_, '_>,
    CommonClaims { iss, aud, iat, exp }: CommonClaims,
) -> Result<AccessClaims, VerifyError> {
    Ok(AccessClaims {
        iss,
        aud,
        iat,
        exp,
        sub: read_name(reader, "sub")?,
        tid: read_tenant(reader)?,
        scope: read_scope(reader)?,
        sid: reader.optional_text("sid")?,
        ver: reader.optional_number("ver")?,
        mver: reader.optional_number("mver")?,
        wver: reader.optional_number("wver")?,
        client_id: reader.text("client_id")?.into_owned(),
        act: match reader.optional_object("act")? {
            Some(actor) => Some(Actor { sub: actor.text("sub")?.into_owned() }),
            None => None,
        },
        jti: reader.text("jti")?.into_owned(),
    })
}

/// Reads what names somebody: an empty name would match every place where a name was forgotten.
fn read_name(reader: &Reader<'_, '_>, claim: &'static str) -> Result<String, VerifyError> {
    let name = reader.text(claim)?;
    if name.is_empty() { Err(VerifyError::WrongClaim(claim)) } else { Ok(name.into_owned()) }
}

/// Reads `tid`. Tikti writes the tenant nowhere else, so a claim by which others call it may repeat
/// it but not contradict it: whoever reads that one would serve another tenant (attack row T2).
fn read_tenant(reader: &Reader<'_, '_>) -> Result<String, VerifyError> {
    let tid = read_name(reader, "tid")?;
    for alias in ["tenantId", "tenant_id", "organizationId", "organization_id"] {
        if reader.optional_text(alias)?.is_some_and(|other| other != tid) {
            return Err(VerifyError::WrongClaim(alias));
        }
    }
    Ok(tid)
}

fn read_scope(reader: &Reader<'_, '_>) -> Result<String, VerifyError> {
    let scope = reader.text("scope")?;
    if is_scope(&scope) { Ok(scope.into_owned()) } else { Err(VerifyError::WrongClaim("scope")) }
}
