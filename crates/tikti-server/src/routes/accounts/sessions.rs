//! `GET /v1/accounts/sessions` and `DELETE /v1/accounts/sessions/{sid}`: one's own sessions.

use axum::extract::{Path, State};
use tikti_domain::account;
use tikti_domain::clock::rfc3339;
use tikti_domain::error::Code;
use tikti_domain::id::SessionId;
use tikti_domain::page::Page;
use tikti_domain::session::Session;

use crate::api::{EmptyReply, SessionListReply, SessionReply};
use crate::error::ApiError;
use crate::extract::{BearerAsker, Paging};
use crate::reply::Reply;
use crate::state::Shared;

/// Lists the sessions of the token's user, page by page, in the order of their beginning.
#[utoipa::path(
    get,
    path = "/v1/accounts/sessions",
    tag = "accounts",
    params(
        ("pageSize" = Option<u16>, Query, minimum = 1, maximum = 200, description = "Most sessions in one reply; 50 where absent"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
    ),
    responses((status = 200, description = "One page.", body = SessionListReply)),
)]
pub(crate) async fn list_sessions(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    Paging(page): Paging,
) -> Result<Reply<SessionListReply>, ApiError> {
    let page = account::list_sessions(&state.domain, &caller, &page).await?;
    Ok(Reply::new(page.into()))
}

/// Ends one session of the token's user; the others go on.
#[utoipa::path(
    delete,
    path = "/v1/accounts/sessions/{sid}",
    tag = "accounts",
    params(("sid" = String, Path, description = "Session id")),
    responses((status = 200, description = "It has ended.", body = EmptyReply)),
)]
pub(crate) async fn end_session(
    State(state): State<Shared>,
    BearerAsker(caller): BearerAsker,
    session: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Reply<EmptyReply>, ApiError> {
    // What is no id names no session.
    let session = session.ok().and_then(|Path(text)| SessionId::parse(&text).ok());
    let session = session.ok_or(Code::SessionNotFound)?;
    let user = account::end_session(&state.domain, &caller, &session).await?;
    Ok(Reply::new(EmptyReply {}).by_user(user))
}

impl From<Page<Session>> for SessionListReply {
    fn from(page: Page<Session>) -> Self {
        Self { sessions: page.items.into_iter().map(shown).collect(), next_page_token: page.next }
    }
}

fn shown(session: Session) -> SessionReply {
    SessionReply {
        sid: session.id.into(),
        created_at: rfc3339(session.created_at),
        last_refreshed_at: rfc3339(session.refreshed_at),
        user_agent: session.user_agent,
        ip: session.ip.map(|ip| ip.to_string()),
        amr: session.amr,
        tenant_id: session.tenant_id.map(String::from),
    }
}
