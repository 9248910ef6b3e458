//! `POST /oauth2/revoke`: this token is needed no more, or in the wrong hands (RFC 7009).
//!
//! The answer is a success also where there was nothing to revoke, or nothing that is the asker's: it tells
//! nothing of the token.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints", "Revocation". Why: docs/decisions/0039.

use axum::extract::State;
use tikti_domain::revoke::{self, RevokeToken};

use super::about_token;
use crate::api::{EmptyReply, RevokeTokenRequest};
use crate::error::ApiError;
use crate::extract::OAuthAsker;
use crate::reply::Reply;
use crate::state::Shared;

/// Revokes one token (RFC 7009): an access token, worker token or idToken by its id, a refresh token with its
/// session.
///
/// In place of an API key a resource server may show its own secret, by HTTP Basic or in the form, for
/// tokens with its audience and tenant; a tenant's API key revokes that tenant's tokens. Every other token is
/// left as it is, with the same answer.
#[utoipa::path(
    post,
    path = "/oauth2/revoke",
    tag = "oauth2",
    request_body(content = RevokeTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "It is good no more, or never was.", body = EmptyReply)),
)]
pub(crate) async fn oauth_revoke(
    State(state): State<Shared>,
    asker: OAuthAsker,
) -> Result<Reply<EmptyReply>, ApiError> {
    let (caller, client, token) = about_token(asker)?;
    revoke::revoke_token(&state.domain, &caller, &RevokeToken { token, client }).await?;
    Ok(Reply::new(EmptyReply {}))
}
