//! Who asks, as far as the request tells: credentials, address, user agent, request id?
//!
//! Nothing here is verified; operations do that.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use tikti_domain::error::Code;
use tikti_domain::{Caller, Door};

use super::request_id::RequestId;
use super::{api_key, bearer};
use crate::error::ApiError;
use crate::state::Shared;

/// The caller of an operation, from the head of the request.
pub(crate) struct Asker(pub(crate) Caller);

impl FromRequestParts<Shared> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let request_id = parts.extensions.get::<RequestId>();
        Ok(Self(Caller {
            request_id: request_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            ip: state.client_ip.of(parts),
            user_agent: user_agent(parts),
            api_key: api_key::api_key(parts)?,
            bearer: bearer::bearer(parts)?,
            tenant: None,
            repeatable: None,
            door: Door::Tikti,
        }))
    }
}

/// Who opens a page: whatever credentials a browser sends along are not looked at.
pub(crate) struct Visitor(pub(crate) Caller);

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Infallible> {
        let request_id = parts.extensions.get::<RequestId>();
        Ok(Self(Caller {
            request_id: request_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            ip: state.client_ip.of(parts),
            user_agent: user_agent(parts),
            ..Caller::default()
        }))
    }
}

/// The caller of an operation that nobody may ask for without an API key.
///
/// Reads the head alone, so that who shows none is refused before his body is read.
pub(crate) struct KeyAsker(pub(crate) Caller);

impl FromRequestParts<Shared> for KeyAsker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Asker(caller) = Asker::from_request_parts(parts, state).await?;
        if caller.api_key.is_none() {
            return Err(Code::InvalidApiKey.into());
        }
        Ok(Self(caller))
    }
}

/// The caller of an operation that nobody may ask for without a bearer token.
///
/// Reads the head alone, so that who shows none is refused before his body is read.
pub(crate) struct BearerAsker(pub(crate) Caller);

impl FromRequestParts<Shared> for BearerAsker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Asker(caller) = Asker::from_request_parts(parts, state).await?;
        if caller.bearer.is_none() {
            return Err(Code::Unauthenticated.into());
        }
        Ok(Self(caller))
    }
}

/// The caller of an operation that nobody may ask for without both.
///
/// Reads the head alone, so that who shows one of them is refused before his body is read.
pub(crate) struct KeyBearerAsker(pub(crate) Caller);

impl FromRequestParts<Shared> for KeyBearerAsker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let KeyAsker(caller) = KeyAsker::from_request_parts(parts, state).await?;
        if caller.bearer.is_none() {
            return Err(Code::Unauthenticated.into());
        }
        Ok(Self(caller))
    }
}

/// The user agent as it came; what of it is kept is the session's matter.
fn user_agent(parts: &Parts) -> Option<String> {
    Some(parts.headers.get(USER_AGENT)?.to_str().ok()?.to_owned())
}
