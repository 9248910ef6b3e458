//! `GET /healthz` and `GET /readyz`: should this process be restarted, should work be sent here?
//!
//! A store that is away must not take the process out of its Service, since public keys and
//! discovery are still served: `/readyz` then says `degraded` with 200, and 503 only to monitors
//! that ask with `strict=1`.
//!
//! Spec: Operations, "Behaviour".

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tikti_domain::error::Refusal;

use crate::api::HealthReply;
use crate::error::ApiError;
use crate::extract::query_member;
use crate::reply::Reply;
use crate::state::Shared;

/// A store that needs longer than this for one read is as good as away.
const STORE_TIME: Duration = Duration::from_secs(1);

/// Says that the process lives; looks at nothing else.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "platform",
    responses((status = 200, description = "The process lives.", body = HealthReply)),
)]
pub(crate) async fn healthz() -> Reply<HealthReply> {
    Reply::new(health("ok"))
}

/// Says whether work should be sent here.
///
/// `ok`; `degraded` where the store is away (public keys are still served, so this is 200 unless
/// `strict=1`); `stopping` with 503 after the process was asked to end.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "platform",
    params(
        ("strict" = Option<bool>, Query, description = "`true` or `1`: 503 also where the store is away"),
    ),
    responses(
        (status = 200, description = "Send work.", body = HealthReply),
        (status = 503, description = "Send work elsewhere.", body = HealthReply),
    ),
)]
pub(crate) async fn readyz(
    State(state): State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    let is_strict = is_strict(query_member(&parts, "strict")?.as_deref())?;
    if state.is_stopping() {
        return Ok(unready("stopping"));
    }
    let check = tokio::time::timeout(STORE_TIME, state.domain.check_store()).await;
    let has_store = matches!(check, Ok(Ok(())));
    Ok(match (has_store, is_strict) {
        (true, _) => Reply::new(health("ok")).into_response(),
        (false, false) => Reply::new(health("degraded")).into_response(),
        (false, true) => unready("degraded"),
    })
}

/// A word that is not understood is refused: a monitor that asks for more than it gets sees nothing.
fn is_strict(text: Option<&str>) -> Result<bool, Refusal> {
    match text {
        Some("1" | "true") => Ok(true),
        None | Some("0" | "false") => Ok(false),
        Some(_) => Err(Refusal::invalid("strict", "must be true or false")),
    }
}

fn unready(status: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Reply::new(health(status))).into_response()
}

fn health(status: &str) -> HealthReply {
    HealthReply { status: status.to_owned() }
}
