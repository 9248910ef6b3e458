//! `POST /oauth2/introspect`: is this token good now, and what does it say? (RFC 7662)
//!
//! Of a token that is not, or that is not for the asker to know of, the answer is `{"active":false}` and
//! nothing else, whatever the reason.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; HTTP API, "API key". Why:
//! docs/decisions/0039.

use axum::extract::State;
use tikti_domain::introspect::{self, ActiveToken, Introspect, TokenUse};

use super::about_token;
use crate::api::{ActorReply, IntrospectRequest, IntrospectionReply};
use crate::error::ApiError;
use crate::extract::OAuthAsker;
use crate::reply::Reply;
use crate::state::Shared;

/// Tells whether a token is good now, of whichever class, and what it says (RFC 7662).
///
/// In place of an API key a resource server may show its own secret, by HTTP Basic or in the form, for
/// tokens with its audience and tenant; a tenant's API key is told of that tenant's tokens. Every other
/// token is `{"active": false}`, and so is an idToken or a refresh token unless `token_type_hint` names it.
#[utoipa::path(
    post,
    path = "/oauth2/introspect",
    tag = "oauth2",
    request_body(content = IntrospectRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "What the token says, if it is active.", body = IntrospectionReply)),
)]
pub(crate) async fn oauth_introspect(
    State(state): State<Shared>,
    asker: OAuthAsker,
) -> Result<Reply<IntrospectionReply>, ApiError> {
    let held_for = asker.form.get("token_type_hint").and_then(TokenUse::of_hint);
    let (caller, client, token) = about_token(asker)?;
    let ask = Introspect { token, held_for, client };
    let found = introspect::introspect(&state.domain, &caller, &ask).await?;
    Ok(Reply::new(found.map(shown).unwrap_or_default()))
}

fn shown(token: ActiveToken) -> IntrospectionReply {
    let event_types = Some(token.event_types).filter(|types| !types.is_empty());
    IntrospectionReply {
        active: true,
        token_use: Some(token.token_use.as_str().to_owned()),
        token_type: token.token_use.is_bearer().then(|| "Bearer".to_owned()),
        scope: token.scope,
        client_id: token.client_id,
        sub: Some(token.subject),
        aud: token.audience,
        iss: Some(token.issuer),
        tid: token.tenant_id,
        act: token.actor.map(|sub| ActorReply { sub }),
        event_types,
        sid: token.session_id,
        jti: token.jti,
        iat: Some(token.issued_at),
        exp: Some(token.expires_at),
    }
}
