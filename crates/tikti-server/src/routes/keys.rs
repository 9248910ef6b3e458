//! `/v1/keys`: the signing keys of the deployment, for its administrators.
//!
//! Spec: HTTP API, row "keys"; Tokens and keys, "Signing keys".

use axum::extract::State;
use tikti_domain::Caller;
use tikti_domain::clock::rfc3339;
use tikti_domain::error::Refusal;
use tikti_domain::id::KeyId;
use tikti_domain::keys::{self, ListedKey, Rotate, Rotated};

use crate::api::{KeyListReply, KeyReply, RotateKeyRequest, RotatedKeyReply};
use crate::error::ApiError;
use crate::extract::{BearerAsker, RepeatableBody, RepeatableOrNothing};
use crate::reply::Reply;
use crate::state::Shared;

/// Lists all signing keys that ever were, newest first: what each may do, and what becomes of it.
#[utoipa::path(
    get,
    path = "/v1/keys",
    tag = "platform",
    responses((status = 200, description = "The keys.", body = KeyListReply)),
)]
pub(crate) async fn list_keys(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
) -> Result<Reply<KeyListReply>, ApiError> {
    let keys = keys::list(&state.domain, &caller).await?;
    Ok(Reply::new(KeyListReply { keys: keys.into_iter().map(shown).collect() }))
}

/// Makes the key that signs next; where one waits for its turn already, that one is the answer.
///
/// It is published at once, and signs when every replica and every verifier that keeps to `Cache-Control`
/// knows it; no token in circulation suffers. With `emergency` the existing keys, or the one that `kid` names,
/// are revoked: their private parts are destroyed, their tokens are refused by replicas within
/// `keys.refreshInterval` and by verifiers within `keys.jwksMaxAge`, and a new key signs at once. Asked again
/// without an `Idempotency-Key`, it is another emergency. The body may be left out.
#[utoipa::path(
    post,
    path = "/v1/keys/rotate",
    tag = "platform",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, and makes and revokes nothing more"),
    ),
    request_body(content = RotateKeyRequest, description = "May be left out"),
    responses((status = 200, description = "The next key.", body = RotatedKeyReply)),
)]
pub(crate) async fn rotate_key(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    RepeatableOrNothing(body): RepeatableOrNothing<RotateKeyRequest>,
) -> Result<Reply<RotatedKeyReply>, ApiError> {
    let RepeatableBody { repeatable, request } = body;
    let caller = Caller { repeatable, ..caller };
    let ask = Rotate::try_from(request)?;
    let rotated = keys::rotate(&state.domain, &caller, &ask).await?;
    Ok(Reply::new(rotated.into()))
}

impl TryFrom<RotateKeyRequest> for Rotate {
    type Error = Refusal;

    fn try_from(request: RotateKeyRequest) -> Result<Self, Refusal> {
        let kid = request.kid.as_deref().map(KeyId::parse).transpose()?;
        Ok(Self { emergency: request.emergency.unwrap_or_default(), kid })
    }
}

impl From<Rotated> for RotatedKeyReply {
    fn from(rotated: Rotated) -> Self {
        let Rotated { kid, state, activates_at } = rotated;
        Self { kid, state: state.as_str().to_owned(), activates_at: rfc3339(activates_at) }
    }
}

fn shown(key: ListedKey) -> KeyReply {
    KeyReply {
        kid: key.kid,
        state: key.state.as_str().to_owned(),
        created_at: rfc3339(key.created_at),
        activates_at: rfc3339(key.activates_at),
        changes_at: key.changes_at.map(rfc3339),
        becomes: key.becomes.map(|state| state.as_str().to_owned()),
        revoked_at: key.revoked_at.map(rfc3339),
        tokens_alive_until: key.tokens_alive_until.map(rfc3339),
        safe_to_retire: key.safe_to_retire,
        imported: key.imported,
        bits: key.bits,
    }
}
