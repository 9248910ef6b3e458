//! Which tenant does the request name, in its path or in `X-Tenant-Id`?
//!
//! Spec: Authorization, "Token exchange", step 4.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tikti_domain::Caller;
use tikti_domain::error::Refusal;
use tikti_domain::id::TenantRef;

use super::asker::BearerAsker;
use super::path;
use crate::error::ApiError;
use crate::state::Shared;

const HEADER: &str = "x-tenant-id";

/// The caller of an operation on the tenant that `{t}` of the path names, by id or slug; nobody may ask
/// for it without a bearer token. The header `X-Tenant-Id` must not name another tenant.
pub(crate) struct TenantAsker {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The tenant.
    pub(crate) tenant: TenantRef,
}

impl FromRequestParts<Shared> for TenantAsker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let BearerAsker(caller) = BearerAsker::from_request_parts(parts, state).await?;
        let TenantHeader(header) = TenantHeader::from_request_parts(parts, state).await?;
        let text = path::member(parts, state, "t")
            .await
            .ok_or_else(|| Refusal::invalid("tenantId", "the path is not percent-encoded UTF-8"))?;
        let tenant = TenantRef::parse(&text)?;
        Ok(Self { caller: Caller { tenant: header, ..caller }, tenant })
    }
}

/// The tenant that `X-Tenant-Id` names, where the header is there.
pub(crate) struct TenantHeader(pub(crate) Option<TenantRef>);

impl FromRequestParts<Shared> for TenantHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        if values.next().is_some() {
            return Err(Refusal::invalid("X-Tenant-Id", "is given twice").into());
        }
        // Whatever is no text is no tenant reference either: the grammar refuses it.
        Ok(Self(Some(TenantRef::parse(value.to_str().unwrap_or_default())?)))
    }
}
