//! `/v1/tenants/{t}/audit` and `/v1/audit`: who did what.
//!
//! Spec: HTTP API, audit; Authorization, "Audit".

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use tikti_domain::audit::{self, Checkpoint, EventPage, SignedEnds};
use tikti_domain::clock::rfc3339;
use tikti_domain::error::{Code, Refusal};

use crate::api::{AuditCheckpointReply, AuditHeadReply, AuditLinkReply, AuditListReply, JwksReply};
use crate::audit_log;
use crate::error::ApiError;
use crate::extract::{AsLines, BearerAsker, Events, LINES, TenantAsker};
use crate::reply::Reply;
use crate::routes::oauth2::jwks;
use crate::state::Shared;

/// Where the token of the next page stands, in a reply of lines.
const NEXT_PAGE_TOKEN: HeaderName = HeaderName::from_static("x-next-page-token");

/// Lists the audit events of a tenant, page by page, in the order in which they were added.
///
/// A page may be short, or empty, and still have a next one, since a filter looks at so many events a
/// page. With `Accept: application/jsonl` each event is a line, and the token of the next page stands in
/// the header `X-Next-Page-Token`: the lines of all pages are a log that `tikti audit verify` takes.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/audit",
    tag = "tenants",
    params(
        ("t" = String, Path, description = "Id or slug of the tenant"),
        ("from" = Option<String>, Query, format = DateTime, description = "Only events that were added then or later"),
        ("to" = Option<String>, Query, format = DateTime, description = "Only events that were added before"),
        ("action" = Option<String>, Query, description = "Only events of this action, such as `role.create`"),
        ("actor" = Option<String>, Query, description = "Only what the user or worker of this id did"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most events in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", content(
        (AuditListReply = "application/json"),
        (AuditLinkReply = "application/jsonl"),
    ))),
)]
pub(crate) async fn list_events(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
    Events(query): Events,
    form: AsLines,
) -> Result<Response, ApiError> {
    let page = audit::list_events(&state.domain, &caller, (&tenant, &query)).await?;
    answer(page, form)
}

/// Lists the deployment's own audit events: what was done to it, to users, and to tenants as such.
///
/// In the same way and with the same parameters as those of a tenant.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "platform",
    params(
        ("from" = Option<String>, Query, format = DateTime, description = "Only events that were added then or later"),
        ("to" = Option<String>, Query, format = DateTime, description = "Only events that were added before"),
        ("action" = Option<String>, Query, description = "Only events of this action, such as `tenant.create`"),
        ("actor" = Option<String>, Query, description = "Only what the user of this id did"),
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most events in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", content(
        (AuditListReply = "application/json"),
        (AuditLinkReply = "application/jsonl"),
    ))),
)]
pub(crate) async fn list_deployment_events(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    Events(query): Events,
    form: AsLines,
) -> Result<Response, ApiError> {
    let page = audit::list_deployment_events(&state.domain, &caller, &query).await?;
    answer(page, form)
}

/// Shows where a tenant's chain of audit events ended when that was last signed.
///
/// Chains that have grown are signed hourly. Kept elsewhere, a head shows later that no event up to it was
/// cut off: `tikti audit verify --head`. Events older than `audit.retention` are removed, and then the
/// checkpoint is what a log begins with: `tikti audit verify --begin`.
#[utoipa::path(
    get,
    path = "/v1/tenants/{t}/audit/head",
    tag = "tenants",
    params(("t" = String, Path, description = "Id or slug of the tenant")),
    responses((status = 200, description = "The newest signed head.", body = AuditHeadReply)),
)]
pub(crate) async fn read_head(
    State(state): State<Shared>,
    TenantAsker { caller, tenant }: TenantAsker,
) -> Result<Reply<AuditHeadReply>, ApiError> {
    let head = audit::read_head(&state.domain, &caller, &tenant).await?;
    Ok(Reply::new(shown(head)))
}

/// Shows where the deployment's own chain ended when that was last signed.
#[utoipa::path(
    get,
    path = "/v1/audit/head",
    tag = "platform",
    responses((status = 200, description = "The newest signed head.", body = AuditHeadReply)),
)]
pub(crate) async fn read_deployment_head(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
) -> Result<Reply<AuditHeadReply>, ApiError> {
    let head = audit::read_deployment_head(&state.domain, &caller).await?;
    Ok(Reply::new(shown(head)))
}

/// Gives the public keys that signed heads and checkpoints are verified with, newest first.
///
/// Also those that sign no more and that no token is verified with any more: a head has no expiry. A key that
/// was revoked is not among them, since what it has signed may be a thief's.
#[utoipa::path(
    get,
    path = "/v1/audit/keys",
    tag = "platform",
    params(
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the keys that the caller has"),
    ),
    responses(
        (status = 200, description = "The keys.", body = JwksReply),
        (status = 304, description = "The caller has these keys already."),
    ),
)]
pub(crate) async fn keys(State(state): State<Shared>, headers: HeaderMap) -> Response {
    let held_for = state.domain.keys_may_be_held();
    jwks::served(held_for, &state.domain.audit_keys(), &headers)
}

fn shown(SignedEnds { head, checkpoint }: SignedEnds) -> AuditHeadReply {
    let checkpoint = checkpoint.map(|Checkpoint { seq, signed_at, jws, .. }| {
        AuditCheckpointReply { seq, signed_at: rfc3339(signed_at), checkpoint: jws }
    });
    AuditHeadReply { seq: head.seq, signed_at: rfc3339(head.signed_at), head: head.jws, checkpoint }
}

fn answer(page: EventPage, AsLines(as_lines): AsLines) -> Result<Response, ApiError> {
    let broken = |_| Refusal::of(Code::Internal);
    let shown = page.items.into_iter().map(audit_log::shown);
    let events = shown.collect::<Result<Vec<AuditLinkReply>, _>>().map_err(broken)?;
    if !as_lines {
        let reply = AuditListReply {
            events,
            head: page.head.map(|head| head.jws),
            checkpoint: page.checkpoint.map(|checkpoint| checkpoint.jws),
            next_page_token: page.next,
        };
        return Ok(Reply::new(reply).into_response());
    }
    let mut lines = String::new();
    for event in &events {
        lines.push_str(&serde_json::to_string(event).map_err(broken)?);
        lines.push('\n');
    }
    let mut response = ([(CONTENT_TYPE, LINES)], lines).into_response();
    if let Some(next) = page.next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(NEXT_PAGE_TOKEN, next);
    }
    Ok(response)
}
