//! `/v1/tenants/{t}/clients`: the audiences that tokens of a tenant are made for.

use std::collections::BTreeSet;

use axum::extract::State;
use serde_json::Value;
use tikti_domain::Caller;
use tikti_domain::client::{Client, ClientStatus, ClientType, GrantType, SubjectPolicy};
use tikti_domain::error::Refusal;
use tikti_domain::id::{ClientId, EventType};
use tikti_domain::scope::ScopeSet;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::tenancy::{self, ClientSettings, CreateClient, UpdateClient};

use crate::api::{
    ClientListReply, ClientReply, CreateClientRequest, CreatedClientReply, EmptyReply,
    UpdateClientRequest,
};
use crate::error::ApiError;
use crate::extract::{JsonBody, Listed, Paging, PathId, RepeatableBody, TenantAsker};
use crate::reply::Reply;
use crate::state::Shared;

/// Makes a client. The secret of a service is in this reply alone.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/clients",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, without the secret"),
    ),
    request_body = CreateClientRequest,
    responses((status = 200, description = "The client.", body = CreatedClientReply)),
)]
pub(crate) async fn create_client(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    RepeatableBody { repeatable, request }: RepeatableBody<CreateClientRequest>,
) -> Result<Reply<CreatedClientReply>, ApiError> {
    let caller = Caller { repeatable, ..caller };
    let kind = request.kind.as_deref().map(ClientType::parse).transpose()?;
    let ask = CreateClient {
        id: ClientId::parse(&request.client_id).map_err(|refusal| refusal.about("clientId"))?,
        kind: kind.unwrap_or(ClientType::Service),
        settings: ClientSettings {
            allowed_grant_types: grant_types(request.allowed_grant_types)?,
            allowed_scopes: scopes(request.allowed_scopes, "allowedScopes")?,
            default_scopes: scopes(request.default_scopes, "defaultScopes")?,
            event_types: event_types(request.event_types)?,
            subject_policy: policy(request.subject_policy.as_deref())?,
            token_ttl_seconds: request.token_ttl_seconds,
        },
    };
    let made = tenancy::create_client(&state.domain, &caller, (&tenant, &ask)).await?;
    let secret = made.secret.map(|secret| secret.expose_secret().to_owned());
    Ok(Reply::new(CreatedClientReply { secret, shown: shown(made.client) }))
}

/// Lists the clients of a tenant, page by page, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/clients",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most clients in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = ClientListReply)),
)]
pub(crate) async fn list_clients(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Paging(page): Paging,
    listed: Listed,
) -> Result<Reply<Value>, ApiError> {
    let page = tenancy::list_clients(&state.domain, &caller, (&tenant, &page)).await?;
    let clients = page.items.into_iter().map(shown).collect();
    listed.reply(ClientListReply { clients, next_page_token: page.next }, |list| &list.clients)
}

/// Shows a client, without its secret.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/clients/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the client, percent-encoded"),
    ),
    responses((status = 200, description = "The client.", body = ClientReply)),
)]
pub(crate) async fn read_client(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ClientId>,
) -> Result<Reply<ClientReply>, ApiError> {
    let client = tenancy::get_client(&state.domain, &caller, (&tenant, &id)).await?;
    Ok(Reply::new(shown(client)))
}

/// Changes a client. What its tokens hold stays; while it is disabled they are refused.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{t}/clients/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the client, percent-encoded"),
    ),
    request_body = UpdateClientRequest,
    responses((status = 200, description = "The client as it is now.", body = ClientReply)),
)]
pub(crate) async fn update_client(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ClientId>,
    JsonBody(request): JsonBody<UpdateClientRequest>,
) -> Result<Reply<ClientReply>, ApiError> {
    if request.client_id.as_deref().is_some_and(|given| given != id.as_str()) {
        return Err(Refusal::invalid("clientId", "is not the one of the path").into());
    }
    let ask = UpdateClient {
        kind: request.kind.as_deref().map(ClientType::parse).transpose()?,
        settings: ClientSettings {
            allowed_grant_types: grant_types(request.allowed_grant_types)?,
            allowed_scopes: scopes(request.allowed_scopes, "allowedScopes")?,
            default_scopes: scopes(request.default_scopes, "defaultScopes")?,
            event_types: event_types(request.event_types)?,
            subject_policy: policy(request.subject_policy.as_deref())?,
            token_ttl_seconds: request.token_ttl_seconds,
        },
        status: request.status.as_deref().map(ClientStatus::parse).transpose()?,
    };
    let client = tenancy::update_client(&state.domain, &caller, (&tenant, &id, &ask)).await?;
    Ok(Reply::new(shown(client)))
}

/// Deletes a client: its tokens are dead from then on, also for one that is made again under its id.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/clients/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the client, percent-encoded"),
    ),
    responses((status = 200, description = "The client is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_client(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<ClientId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::delete_client(&state.domain, &caller, (&tenant, &id)).await?;
    Ok(Reply::new(EmptyReply {}))
}

fn grant_types(list: Option<Vec<String>>) -> Result<Option<BTreeSet<GrantType>>, Refusal> {
    list.map(|list| list.iter().map(|text| GrantType::parse(text)).collect()).transpose()
}

fn event_types(list: Option<Vec<String>>) -> Result<Option<BTreeSet<EventType>>, Refusal> {
    list.map(|list| list.iter().map(|text| EventType::parse(text)).collect()).transpose()
}

fn policy(text: Option<&str>) -> Result<Option<SubjectPolicy>, Refusal> {
    text.map(SubjectPolicy::parse).transpose()
}

fn scopes(list: Option<Vec<String>>, member: &str) -> Result<Option<ScopeSet>, Refusal> {
    let parsed = list.map(|list| ScopeSet::from_list(list.iter().map(String::as_str)));
    parsed.transpose().map_err(|refusal| refusal.about(member))
}

fn shown(client: Client) -> ClientReply {
    let texts = |scopes: &ScopeSet| scopes.iter().map(str::to_owned).collect();
    let grants = client.allowed_grant_types.iter();
    ClientReply {
        kind: client.kind.as_str().to_owned(),
        status: client.status.as_str().to_owned(),
        allowed_grant_types: grants.map(|grant| grant.as_str().to_owned()).collect(),
        allowed_scopes: texts(&client.allowed_scopes),
        default_scopes: texts(&client.default_scopes),
        event_types: client.event_types.into_iter().map(String::from).collect(),
        subject_policy: client.subject_policy.as_str().to_owned(),
        token_ttl_seconds: client.token_ttl_seconds,
        managed: client.managed,
        client_id: client.id.into(),
    }
}
