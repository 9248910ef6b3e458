//! `GET /.well-known/openid-configuration` and its OAuth twin: where a stock library finds the
//! rest.
//!
//! Every address is made from the configured issuer, never from a header of the request, which
//! anybody can forge.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; OpenID Connect Discovery 1.0
//! section 3; RFC 8414 section 2.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tikti_domain::error::Code;
use tikti_domain::settings::{IdTokenAlgorithm, Settings};

use super::token::GRANT_TYPES;
use crate::api::DiscoveryReply;
use crate::error::ApiError;
use crate::extract::UnusedBody;
use crate::state::Shared;

/// How a resource server shows its secret, and anybody an API key.
const SECRETS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// Where the metadata of RFC 8414 are.
const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

const CLAIMS: [&str; 15] = [
    "iss",
    "aud",
    "sub",
    "tid",
    "scope",
    "eventTypes",
    "email",
    "role",
    "auth_time",
    "amr",
    "client_id",
    "act",
    "token_use",
    "iat",
    "exp",
];

/// Describes this issuer (OpenID Connect Discovery).
#[utoipa::path(
    get,
    path = "/.well-known/openid-configuration",
    tag = "discovery",
    responses((status = 200, description = "The issuer's metadata.", body = DiscoveryReply)),
)]
pub(crate) async fn openid_configuration(State(state): State<Shared>) -> Response {
    answer(state.pages.discovery.clone())
}

/// Describes this issuer (RFC 8414).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    tag = "discovery",
    responses((status = 200, description = "The issuer's metadata.", body = DiscoveryReply)),
)]
pub(crate) async fn oauth_authorization_server(State(state): State<Shared>) -> Response {
    answer(state.pages.discovery.clone())
}

/// Answers at the paths that are no row of the table: with the metadata where RFC 8414 (section 3.1) looks for
/// those of an issuer with a path, else that nothing is there.
///
/// That place is beside the issuer and not below it, so that it cannot be reached by the other's.
pub(crate) async fn at_no_row(
    State(state): State<Shared>,
    method: Method,
    uri: Uri,
    _: UnusedBody,
) -> Result<Response, ApiError> {
    let is_read = method == Method::GET || method == Method::HEAD;
    let behind = uri.path().strip_prefix(OAUTH_METADATA).filter(|path| !path.is_empty());
    if is_read && behind == Some(path_of(&state.domain.settings().issuer)) {
        return Ok(answer(state.pages.discovery.clone()));
    }
    Err(Code::NotFound.into())
}

/// The path of an issuer as it is written: empty where it has none.
fn path_of(issuer: &str) -> &str {
    let authority = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    authority.find('/').map_or("", |start| authority.split_at(start).1)
}

fn answer(document: Bytes) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, document).into_response()
}

/// The metadata of the issuer: only what this service does.
///
/// OpenID Connect Discovery wants RS256 named by everybody. Whoever reads it as a promise would then refuse
/// the idTokens of a deployment that signs with a secret, so it names the algorithm that is used.
pub(crate) fn document(settings: &Settings) -> DiscoveryReply {
    let issuer = &settings.issuer;
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    DiscoveryReply {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        token_endpoint: format!("{issuer}/oauth2/token"),
        token_endpoint_auth_methods_supported: owned(&[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "none",
        ]),
        token_endpoint_auth_signing_alg_values_supported: owned(&[
            "RS256", "ES256", "EdDSA", "Ed25519",
        ]),
        introspection_endpoint: format!("{issuer}/oauth2/introspect"),
        introspection_endpoint_auth_methods_supported: owned(&SECRETS),
        revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        revocation_endpoint_auth_methods_supported: owned(&SECRETS),
        response_types_supported: owned(&["none"]),
        grant_types_supported: owned(&GRANT_TYPES),
        subject_types_supported: owned(&["public"]),
        id_token_signing_alg_values_supported: owned(match settings.id_token_algorithm {
            IdTokenAlgorithm::Hs256 => &["HS256"],
            IdTokenAlgorithm::Rs256 => &["RS256"],
        }),
        claims_supported: owned(&CLAIMS),
        service_documentation: Some(format!("{issuer}/docs")),
    }
}
