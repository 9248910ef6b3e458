//! Which tenant does the request name, in its path or in `X-Tenant-Id`?
//!
//! Spec: Authorization, "Token exchange", step 4.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use tikti_domain::error::Refusal;
use tikti_domain::id::TenantRef;

use crate::error::ApiError;
use crate::state::Shared;

const HEADER: &str = "x-tenant-id";

/// The `{t}` of a path: an id or a slug.
pub(crate) struct PathTenant(pub(crate) TenantRef);

impl FromRequestParts<Shared> for PathTenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(
            |_: PathRejection| {
                Refusal::invalid("tenantId", "the path is not percent-encoded UTF-8")
            },
        )?;
        Ok(Self(TenantRef::parse(&text)?))
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
