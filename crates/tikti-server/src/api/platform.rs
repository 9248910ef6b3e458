//! What the service tells everybody about itself: health, version, discovery, public keys.
//!
//! Nothing here depends on who asks, and nothing here is secret: [`JwkReply`] has no member that
//! could hold a private part.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; Operations, "Behaviour".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `/healthz` and `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthReply {
    /// `ok`; from `/readyz` also `degraded` (the store is away) and `stopping`.
    #[schema(example = "ok")]
    pub status: String,
}

/// Answer of `/version`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionReply {
    /// Always `tikti`, so that a client knows whom it reached.
    #[schema(example = "tikti")]
    pub name: String,
    /// Version of the program, by semantic versioning.
    #[schema(example = "0.1.0")]
    pub version: String,
}

/// The discovery document, at both of its addresses.
///
/// OpenID Connect Discovery 1.0, section 3, and RFC 8414, section 2. Only what this deployment does
/// is listed: there is no authorization endpoint, because Tikti has no redirecting sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryReply {
    /// `iss` of every token, without a trailing slash.
    #[schema(example = "https://api.tikti.io")]
    pub issuer: String,
    /// Where the public keys are.
    #[schema(example = "https://api.tikti.io/.well-known/jwks.json")]
    pub jwks_uri: String,
    /// Where tokens are given.
    #[serde(default)]
    #[schema(example = "https://api.tikti.io/oauth2/token")]
    pub token_endpoint: String,
    /// How a client says there who it is; `none` for a refresh.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Algorithms that sign the assertions of `private_key_jwt`.
    #[serde(default)]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Where a resource server asks whether a token is good (RFC 7662).
    #[serde(default)]
    #[schema(example = "https://api.tikti.io/oauth2/introspect")]
    pub introspection_endpoint: String,
    /// How it says there who it is.
    #[serde(default)]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where a token is revoked (RFC 7009).
    #[serde(default)]
    #[schema(example = "https://api.tikti.io/oauth2/revoke")]
    pub revocation_endpoint: String,
    /// How whoever revokes says there who it is.
    #[serde(default)]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// OAuth response types: `none`, as there is no authorization endpoint that could give anything. The
    /// member is required and may not be empty.
    #[serde(default)]
    pub response_types_supported: Vec<String>,
    /// OAuth grant types of the token endpoint.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// `public`: the same user has the same `sub` towards everybody.
    #[serde(default)]
    pub subject_types_supported: Vec<String>,
    /// Algorithms that sign tokens.
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Claims that tokens may carry.
    #[serde(default)]
    pub claims_supported: Vec<String>,
    /// Where people read on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

/// The public signing keys, newest first (RFC 7517, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwksReply {
    /// Every key that may verify a token in circulation.
    pub keys: Vec<JwkReply>,
}

/// A public RSA key (RFC 7518, section 6.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwkReply {
    /// Always `RSA`.
    #[schema(example = "RSA")]
    pub kty: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub key_use: String,
    /// Always `RS256`.
    #[schema(example = "RS256")]
    pub alg: String,
    /// Name of the key in token headers.
    #[schema(example = "tikti-2026-01-7f3k")]
    pub kid: String,
    /// Modulus, base64url without padding.
    pub n: String,
    /// Exponent, base64url without padding.
    #[schema(example = "AQAB")]
    pub e: String,
}
