//! Which thing does the path name?
//!
//! What does not fit the grammar of an id names nothing: it is answered as an id that nobody bears.
//!
//! Spec: HTTP API, "Tenant administration"; attacks, row T7.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::id::{ApiKeyId, ClientId, RoleName, SessionId, UserId, WorkerId};
use tikti_domain::worker::SecretNumber;

use crate::error::ApiError;
use crate::state::Shared;

/// An id that stands in paths.
pub(crate) trait InPath: Sized {
    /// The name of the path's member, without its braces.
    const MEMBER: &'static str;
    /// What is said of an id that nobody bears.
    const NOT_FOUND: Code;

    /// Parses the decoded text.
    fn parse(text: &str) -> Result<Self, Refusal>;
}

macro_rules! in_path {
    ($($id:ident $member:literal $not_found:ident;)+) => {$(
        impl InPath for $id {
            const MEMBER: &'static str = $member;
            const NOT_FOUND: Code = Code::$not_found;

            fn parse(text: &str) -> Result<Self, Refusal> {
                Self::parse(text)
            }
        }
    )+};
}

in_path! {
    UserId "id" UserNotFound;
    RoleName "name" RoleNotFound;
    ClientId "id" ClientNotFound;
    WorkerId "id" WorkerNotFound;
    ApiKeyId "id" ApiKeyNotFound;
    SessionId "sid" SessionNotFound;
}

impl InPath for SecretNumber {
    const MEMBER: &'static str = "n";
    const NOT_FOUND: Code = Code::NotFound;

    /// What is no number is that of no secret: whether there is its worker is said first.
    fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(Self::parse(text))
    }
}

/// An id of the path.
pub(crate) struct PathId<T>(pub(crate) T);

impl<T: InPath> FromRequestParts<Shared> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let text = member(parts, state, T::MEMBER).await;
        let id = text.and_then(|text| T::parse(&text).ok());
        Ok(Self(id.ok_or(T::NOT_FOUND)?))
    }
}

/// A member of the path, percent-decoded; `None` also where it is no UTF-8.
pub(super) async fn member(parts: &mut Parts, state: &Shared, name: &str) -> Option<String> {
    let found = RawPathParams::from_request_parts(parts, state).await.ok()?;
    found.iter().find(|(member, _)| *member == name).map(|(_, text)| text.to_owned())
}
