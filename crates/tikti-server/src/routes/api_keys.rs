//! `/v1/tenants/{t}/apiKeys` and `/v1/apiKeys`: what programs call with.

use std::collections::BTreeSet;

use axum::extract::State;
use tikti_domain::Caller;
use tikti_domain::api_key::{ApiKeyStatus, KeyScope};
use tikti_domain::api_keys::{
    self, CreateApiKey, CreatedApiKey, KeysOf, ShownApiKey, UpdateApiKey,
};
use tikti_domain::clock::{Timestamp, parse_rfc3339, rfc3339};
use tikti_domain::error::Refusal;
use tikti_domain::id::ApiKeyId;
use tikti_domain::page::Page;
use tikti_domain::secret::ExposeSecret;

use crate::api::{
    ApiKeyListReply, ApiKeyReply, CreateApiKeyRequest, CreatedApiKeyReply, EmptyReply,
    UpdateApiKeyRequest,
};
use crate::error::ApiError;
use crate::extract::{BearerAsker, JsonBody, Listed, Paging, PathId, RepeatableBody, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Makes an API key of a tenant. The key itself is in this reply alone.
///
/// It may hold what stays within the tenant: `accounts:signin accounts:lookup oob:send token:exchange
/// token:revoke introspect`.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/apiKeys",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, without the secret"),
    ),
    request_body = CreateApiKeyRequest,
    responses((status = 200, description = "The key.", body = CreatedApiKeyReply)),
)]
pub(crate) async fn create_api_key(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    RepeatableBody { repeatable, request }: RepeatableBody<CreateApiKeyRequest>,
) -> Result<Reply<CreatedApiKeyReply>, ApiError> {
    let caller = Caller { repeatable, ..caller };
    let (of, ask) = (KeysOf::Tenant(&tenant), CreateApiKey::try_from(request)?);
    let made = api_keys::create_api_key(&state.domain, &caller, (of, &ask)).await?;
    Ok(Reply::new(made.into()))
}

/// Lists the API keys of a tenant, page by page, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/apiKeys",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most keys in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = ApiKeyListReply)),
)]
pub(crate) async fn list_api_keys(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Paging(page): Paging,
    listed: Listed,
) -> Result<Reply<serde_json::Value>, ApiError> {
    let of = KeysOf::Tenant(&tenant);
    let page = api_keys::list_api_keys(&state.domain, &caller, (of, &page)).await?;
    listed.reply(page.into(), |list: &ApiKeyListReply| &list.api_keys)
}

/// Shows an API key of a tenant, without the key itself.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/apiKeys/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the key"),
    ),
    responses((status = 200, description = "The key.", body = ApiKeyReply)),
)]
pub(crate) async fn read_api_key(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Reply<ApiKeyReply>, ApiError> {
    let of = KeysOf::Tenant(&tenant);
    let key = api_keys::get_api_key(&state.domain, &caller, (of, &id)).await?;
    Ok(Reply::new(key.into()))
}

/// Changes an API key of a tenant. What it may no longer do ends at once.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{t}/apiKeys/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the key"),
    ),
    request_body = UpdateApiKeyRequest,
    responses((status = 200, description = "The key as it is now.", body = ApiKeyReply)),
)]
pub(crate) async fn update_api_key(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ApiKeyId>,
    JsonBody(request): JsonBody<UpdateApiKeyRequest>,
) -> Result<Reply<ApiKeyReply>, ApiError> {
    let (of, ask) = (KeysOf::Tenant(&tenant), UpdateApiKey::try_from(request)?);
    let key = api_keys::update_api_key(&state.domain, &caller, (of, &id, &ask)).await?;
    Ok(Reply::new(key.into()))
}

/// Deletes an API key of a tenant: it is refused from then on.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/apiKeys/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the key"),
    ),
    responses((status = 200, description = "The key is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_api_key(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    let of = KeysOf::Tenant(&tenant);
    api_keys::delete_api_key(&state.domain, &caller, (of, &id)).await?;
    Ok(Reply::new(EmptyReply {}))
}

/// Makes an API key of the deployment. The key itself is in this reply alone.
///
/// It may hold every scope. A key for public web pages holds no more than `accounts:signin accounts:signup
/// accounts:lookup accounts:update accounts:delete oob:send`.
#[utoipa::path(
    post,
    path = "/v1/apiKeys",
    tag = "platform",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, without the secret"),
    ),
    request_body = CreateApiKeyRequest,
    responses((status = 200, description = "The key.", body = CreatedApiKeyReply)),
)]
pub(crate) async fn create_deployment_api_key(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    RepeatableBody { repeatable, request }: RepeatableBody<CreateApiKeyRequest>,
) -> Result<Reply<CreatedApiKeyReply>, ApiError> {
    let caller = Caller { repeatable, ..caller };
    let (of, ask) = (KeysOf::Deployment, CreateApiKey::try_from(request)?);
    let made = api_keys::create_api_key(&state.domain, &caller, (of, &ask)).await?;
    Ok(Reply::new(made.into()))
}

/// Lists the API keys of the deployment, page by page, in the order of their ids. The one of the
/// configuration is not among them.
#[utoipa::path(
    get,
    path = "/v1/apiKeys",
    tag = "platform",
    params(
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most keys in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = ApiKeyListReply)),
)]
pub(crate) async fn list_deployment_api_keys(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    Paging(page): Paging,
) -> Result<Reply<ApiKeyListReply>, ApiError> {
    let of = KeysOf::Deployment;
    let page = api_keys::list_api_keys(&state.domain, &caller, (of, &page)).await?;
    Ok(Reply::new(page.into()))
}

/// Shows an API key of the deployment, without the key itself.
#[utoipa::path(
    get,
    path = "/v1/apiKeys/{id}",
    tag = "platform",
    params(("id" = String, Path, description = "Id of the key")),
    responses((status = 200, description = "The key.", body = ApiKeyReply)),
)]
pub(crate) async fn read_deployment_api_key(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Reply<ApiKeyReply>, ApiError> {
    let of = KeysOf::Deployment;
    let key = api_keys::get_api_key(&state.domain, &caller, (of, &id)).await?;
    Ok(Reply::new(key.into()))
}

/// Changes an API key of the deployment. What it may no longer do ends at once.
#[utoipa::path(
    patch,
    path = "/v1/apiKeys/{id}",
    tag = "platform",
    params(("id" = String, Path, description = "Id of the key")),
    request_body = UpdateApiKeyRequest,
    responses((status = 200, description = "The key as it is now.", body = ApiKeyReply)),
)]
pub(crate) async fn update_deployment_api_key(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    PathId(id): PathId<ApiKeyId>,
    JsonBody(request): JsonBody<UpdateApiKeyRequest>,
) -> Result<Reply<ApiKeyReply>, ApiError> {
    let (of, ask) = (KeysOf::Deployment, UpdateApiKey::try_from(request)?);
    let key = api_keys::update_api_key(&state.domain, &caller, (of, &id, &ask)).await?;
    Ok(Reply::new(key.into()))
}

/// Deletes an API key of the deployment: it is refused from then on.
#[utoipa::path(
    delete,
    path = "/v1/apiKeys/{id}",
    tag = "platform",
    params(("id" = String, Path, description = "Id of the key")),
    responses((status = 200, description = "The key is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_deployment_api_key(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    let of = KeysOf::Deployment;
    api_keys::delete_api_key(&state.domain, &caller, (of, &id)).await?;
    Ok(Reply::new(EmptyReply {}))
}

impl TryFrom<CreateApiKeyRequest> for CreateApiKey {
    type Error = Refusal;

    fn try_from(request: CreateApiKeyRequest) -> Result<Self, Refusal> {
        let CreateApiKeyRequest { name, scopes, expires_at } = request;
        Ok(Self { name, scopes: parsed(&scopes)?, expires_at: end(expires_at.as_deref())? })
    }
}

impl TryFrom<UpdateApiKeyRequest> for UpdateApiKey {
    type Error = Refusal;

    fn try_from(request: UpdateApiKeyRequest) -> Result<Self, Refusal> {
        let UpdateApiKeyRequest { name, status, scopes, expires_at } = request;
        Ok(Self {
            name,
            status: status.as_deref().map(ApiKeyStatus::parse).transpose()?,
            scopes: scopes.as_deref().map(parsed).transpose()?,
            expires_at: end(expires_at.as_deref())?,
        })
    }
}

fn parsed(scopes: &[String]) -> Result<BTreeSet<KeyScope>, Refusal> {
    scopes.iter().map(|text| KeyScope::parse(text)).collect()
}

fn end(text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let refused = || Refusal::invalid("expiresAt", "must be a time as RFC 3339 writes it");
    text.map(|text| parse_rfc3339(text).ok_or_else(refused)).transpose()
}

impl From<CreatedApiKey> for CreatedApiKeyReply {
    fn from(made: CreatedApiKey) -> Self {
        let key = made.key.map(|key| key.expose_secret().to_owned());
        Self { key, shown: ShownApiKey { record: made.record, last_used_at: None }.into() }
    }
}

impl From<ShownApiKey> for ApiKeyReply {
    fn from(ShownApiKey { record: key, last_used_at }: ShownApiKey) -> Self {
        Self {
            prefix: format!("tk_{}", key.id),
            id: key.id.into(),
            name: key.name,
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            status: key.status.as_str().to_owned(),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            last_used_at: last_used_at.map(rfc3339),
        }
    }
}

impl From<Page<ShownApiKey>> for ApiKeyListReply {
    fn from(page: Page<ShownApiKey>) -> Self {
        let api_keys = page.items.into_iter().map(Into::into).collect();
        Self { api_keys, next_page_token: page.next }
    }
}
