//! Which code does a mailed link hold, and was its form sent from our own page?
//!
//! Both are for the pages at `/action`, which anybody may open.
//!
//! Spec: HTTP API, "Identity", `/action`.

use axum::extract::FromRequestParts;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use tikti_domain::error::{Code, Refusal};
use tikti_domain::oob_code::OobType;
use tikti_domain::secret::SecretString;
use url::Url;

use super::query;
use crate::error::ApiError;
use crate::state::Shared;

/// Says where a form was sent from (Fetch Metadata); a page cannot set or change it.
const FETCH_SITE: &str = "sec-fetch-site";

/// What a link asks for.
pub(crate) struct ActionLink {
    /// What its code is for.
    pub(crate) kind: OobType,
    /// The code.
    pub(crate) code: SecretString,
    /// Where it goes on to, unchecked.
    pub(crate) continue_url: Option<String>,
}

impl ActionLink {
    /// Types what the query or the form says.
    pub(crate) fn parse(
        mode: &str,
        code: String,
        continue_url: Option<String>,
    ) -> Result<Self, Refusal> {
        let kind = OobType::of_mode(mode)
            .ok_or_else(|| Refusal::invalid("mode", "names nothing that a link can do"))?;
        let continue_url = continue_url.filter(|url| !url.is_empty());
        Ok(Self { kind, code: code.into(), continue_url })
    }
}

impl FromRequestParts<Shared> for ActionLink {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        let needed =
            |name| query::member(parts, name)?.ok_or_else(|| Refusal::invalid(name, "is missing"));
        let (mode, code) = (needed("mode")?, needed("oobCode")?);
        Ok(Self::parse(&mode, code, query::member(parts, "continueUrl")?)?)
    }
}

/// The form came from a page of this deployment, or from no page at all.
///
/// `Sec-Fetch-Site` decides where it is there. Our pages send no referrer, so that a browser says
/// `Origin: null` of them, as it does of many a hostile page: without `Sec-Fetch-Site` only the
/// issuer's own origin counts. Who sends neither is no browser, and has no form to be tricked with.
pub(crate) struct OwnForm;

impl FromRequestParts<Shared> for OwnForm {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let is_own = match (parts.headers.get(FETCH_SITE), parts.headers.get(ORIGIN)) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => {
                let issuer = Url::parse(&state.domain.settings().issuer);
                let issuer = issuer.map(|url| url.origin().ascii_serialization());
                issuer.is_ok_and(|issuer| origin.as_bytes() == issuer.as_bytes())
            }
            (None, None) => true,
        };
        if is_own {
            Ok(Self)
        } else {
            let message = "the form was sent from another site: open the link of the mail";
            Err(Refusal::new(Code::PermissionDenied, message).into())
        }
    }
}
