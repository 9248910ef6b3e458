//! `/v1/tenants/{t}/workers`: who in a tenant is no person, and what it proves itself by.

use std::collections::BTreeSet;

use axum::extract::State;
use serde_json::{Map, Value};
use tikti_domain::clock::{Timestamp, parse_rfc3339, rfc3339};
use tikti_domain::error::{Code, Refusal};
use tikti_domain::id::{ClientId, EventType, RoleName, WorkerId};
use tikti_domain::scope::ScopeSet;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::tenancy::{self, CreateWorker, UpdateWorker, WorkerRights, parse_worker_keys};
use tikti_domain::worker::{SecretNumber, Worker, WorkerSecret, WorkerStatus};
use tikti_domain::{AssertionKey, Caller};

use crate::api::{
    AddWorkerSecretRequest, AddedWorkerSecretReply, CreateWorkerRequest, CreatedWorkerReply,
    EmptyReply, UpdateWorkerRequest, WorkerKeys, WorkerListReply, WorkerReply, WorkerSecretReply,
};
use crate::error::ApiError;
use crate::extract::{
    JsonBody, Listed, Paging, PathId, RepeatableBody, RepeatableOrNothing, TenantAsker,
};
use crate::reply::Reply;
use crate::state::Shared;

/// Registers a worker. Its secret is in this reply alone; one that brings public keys is given none.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/workers",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, without the secret"),
    ),
    request_body = CreateWorkerRequest,
    responses((status = 200, description = "The worker.", body = CreatedWorkerReply)),
)]
pub(crate) async fn create_worker(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    RepeatableBody { repeatable, request }: RepeatableBody<CreateWorkerRequest>,
) -> Result<Reply<CreatedWorkerReply>, ApiError> {
    let caller = Caller { repeatable, ..caller };
    let rights = WorkerRights {
        clients: clients(request.clients)?.unwrap_or_default(),
        scopes: scopes(request.scopes)?.unwrap_or_default(),
        event_types: event_types(request.event_types)?.unwrap_or_default(),
        mintable_by: roles(request.mintable_by)?.unwrap_or_default(),
        custom_tokens: request.custom_tokens.unwrap_or_default(),
    };
    let id = WorkerId::parse(&request.id).map_err(|refusal| refusal.about("id"))?;
    let keys = parse_worker_keys("jwks", &request.jwks.unwrap_or_default().keys)?;
    let ask = CreateWorker { id, rights, keys };
    let made = tenancy::create_worker(&state.domain, &caller, (&tenant, &ask)).await?;
    let secret = made.secret.map(|secret| secret.expose_secret().to_owned());
    Ok(Reply::new(CreatedWorkerReply { secret, shown: shown(made.worker)? }))
}

/// Lists the workers of a tenant, page by page, in the order of their ids.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/workers",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most workers in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = WorkerListReply)),
)]
pub(crate) async fn list_workers(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Paging(page): Paging,
    listed: Listed,
) -> Result<Reply<Value>, ApiError> {
    let page = tenancy::list_workers(&state.domain, &caller, (&tenant, &page)).await?;
    let workers = page.items.into_iter().map(shown).collect::<Result<_, _>>()?;
    listed.reply(WorkerListReply { workers, next_page_token: page.next }, |list| &list.workers)
}

/// Shows a worker, without its secrets.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/workers/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
    ),
    responses((status = 200, description = "The worker.", body = WorkerReply)),
)]
pub(crate) async fn read_worker(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
) -> Result<Reply<WorkerReply>, ApiError> {
    let worker = tenancy::get_worker(&state.domain, &caller, (&tenant, &id)).await?;
    Ok(Reply::new(shown(worker)?))
}

/// Changes a worker. Disabling it kills its tokens at once.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{t}/workers/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
    ),
    request_body = UpdateWorkerRequest,
    responses((status = 200, description = "The worker as it is now.", body = WorkerReply)),
)]
pub(crate) async fn update_worker(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
    JsonBody(request): JsonBody<UpdateWorkerRequest>,
) -> Result<Reply<WorkerReply>, ApiError> {
    let ask = UpdateWorker {
        clients: clients(request.clients)?,
        scopes: scopes(request.scopes)?,
        event_types: event_types(request.event_types)?,
        mintable_by: roles(request.mintable_by)?,
        custom_tokens: request.custom_tokens,
        status: request.status.as_deref().map(WorkerStatus::parse).transpose()?,
    };
    let worker = tenancy::update_worker(&state.domain, &caller, (&tenant, &id, &ask)).await?;
    Ok(Reply::new(shown(worker)?))
}

/// Deletes a worker: its tokens are dead from then on, and none is made for its name.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/workers/{id}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
    ),
    responses((status = 200, description = "The worker is gone.", body = EmptyReply)),
)]
pub(crate) async fn delete_worker(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::delete_worker(&state.domain, &caller, (&tenant, &id)).await?;
    Ok(Reply::new(EmptyReply {}))
}

/// Gives a worker a further secret, which is in this reply alone. Two may be valid at the same time.
///
/// The body may be left out.
#[utoipa::path(
    post,
    path = "/v1/tenants/{t}/workers/{id}/secrets",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
        ("Idempotency-Key" = Option<String>, Header, description = "Name of this request, 1 to 255 visible ASCII characters: for ten minutes the same one is answered as before, without the secret"),
    ),
    request_body = AddWorkerSecretRequest,
    responses((status = 200, description = "The secret.", body = AddedWorkerSecretReply)),
)]
pub(crate) async fn add_worker_secret(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
    RepeatableOrNothing(body): RepeatableOrNothing<AddWorkerSecretRequest>,
) -> Result<Reply<AddedWorkerSecretReply>, ApiError> {
    let RepeatableBody { repeatable, request } = body;
    let caller = Caller { repeatable, ..caller };
    let end = end(request.expires_at.as_deref())?;
    let added = tenancy::add_worker_secret(&state.domain, &caller, (&tenant, &id), end).await?;
    Ok(Reply::new(AddedWorkerSecretReply {
        n: added.n.as_number(),
        secret: added.secret.map(|secret| secret.expose_secret().to_owned()),
        expires_at: added.expires_at.map(rfc3339),
    }))
}

/// Revokes a secret of a worker, and with it all tokens that the worker has.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{t}/workers/{id}/secrets/{n}",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
        ("n" = String, Path, description = "Number of the secret"),
    ),
    responses((status = 200, description = "The secret is gone.", body = EmptyReply)),
)]
pub(crate) async fn remove_worker_secret(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
    PathId(n): PathId<SecretNumber>,
) -> Result<Reply<EmptyReply>, ApiError> {
    tenancy::remove_worker_secret(&state.domain, &caller, (&tenant, &id, n)).await?;
    Ok(Reply::new(EmptyReply {}))
}

/// Puts public keys in the place of those that a worker has. Where one goes, its tokens go too.
#[utoipa::path(
    put,
    path = "/v1/tenants/{t}/workers/{id}/jwks",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("id" = String, Path, description = "Id of the worker"),
    ),
    request_body = WorkerKeys,
    responses((status = 200, description = "The worker as it is now.", body = WorkerReply)),
)]
pub(crate) async fn set_worker_keys(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    PathId(id): PathId<WorkerId>,
    JsonBody(request): JsonBody<WorkerKeys>,
) -> Result<Reply<WorkerReply>, ApiError> {
    let keys = parse_worker_keys("keys", &request.keys)?;
    let worker = tenancy::set_worker_keys(&state.domain, &caller, (&tenant, &id), &keys).await?;
    Ok(Reply::new(shown(worker)?))
}

/// Each of a list that may be absent.
fn each<T: Ord>(
    list: Option<Vec<String>>,
    member: &str,
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Option<BTreeSet<T>>, Refusal> {
    let parsed = list.map(|list| list.iter().map(|text| parse(text)).collect());
    parsed.transpose().map_err(|refusal: Refusal| refusal.about(member))
}

fn clients(list: Option<Vec<String>>) -> Result<Option<BTreeSet<ClientId>>, Refusal> {
    each(list, "clients", ClientId::parse)
}

fn event_types(list: Option<Vec<String>>) -> Result<Option<BTreeSet<EventType>>, Refusal> {
    each(list, "eventTypes", EventType::parse)
}

fn roles(list: Option<Vec<String>>) -> Result<Option<BTreeSet<RoleName>>, Refusal> {
    each(list, "mintableBy", RoleName::parse)
}

fn scopes(list: Option<Vec<String>>) -> Result<Option<ScopeSet>, Refusal> {
    list.map(|list| ScopeSet::from_list(list.iter().map(String::as_str))).transpose()
}

fn end(text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let refused = || Refusal::invalid("expiresAt", "must be a time as RFC 3339 writes it");
    text.map(|text| parse_rfc3339(text).ok_or_else(refused)).transpose()
}

fn shown(worker: Worker) -> Result<WorkerReply, Refusal> {
    let keys = worker.credentials.keys.iter().map(jwk).collect::<Result<_, _>>()?;
    Ok(WorkerReply {
        id: worker.id.into(),
        clients: worker.clients.into_iter().map(String::from).collect(),
        scopes: worker.scopes.iter().map(str::to_owned).collect(),
        event_types: worker.event_types.into_iter().map(String::from).collect(),
        mintable_by: worker.mintable_by.into_iter().map(String::from).collect(),
        jwks: WorkerKeys { keys },
        custom_tokens: worker.custom_tokens,
        secrets: worker.credentials.secrets.iter().map(named).collect(),
        last_secret: Some(worker.credentials.last_secret.as_number()),
        status: worker.status.as_str().to_owned(),
        created_at: rfc3339(worker.created_at),
    })
}

fn jwk(key: &AssertionKey) -> Result<Map<String, Value>, Refusal> {
    match serde_json::to_value(key) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(Refusal::of(Code::Internal)),
    }
}

fn named(secret: &WorkerSecret) -> WorkerSecretReply {
    WorkerSecretReply {
        n: secret.n.as_number(),
        created_at: rfc3339(secret.created_at),
        expires_at: secret.expires_at.map(rfc3339),
    }
}
