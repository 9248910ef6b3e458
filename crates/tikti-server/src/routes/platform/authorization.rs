//! `POST /v1/authorization/explain`: why an exchange would be allowed or refused.

use axum::extract::State;
use tikti_domain::email::Email;
use tikti_domain::error::Refusal;
use tikti_domain::id::{ClientId, EventType, TenantRef, UserId};
use tikti_domain::scope::ScopeSet;
use tikti_domain::token_exchange::{self, AskedUser, Decision, Explain, TraceEntry, is_assumed};

use crate::api::{ExplainReply, ExplainRequest, ExplainStep};
use crate::error::ApiError;
use crate::extract::{BearerAsker, JsonBody, TenantHeader};
use crate::reply::Reply;
use crate::state::Shared;

/// Decides an exchange that nobody asked for, by the same steps and from the same records, and shows how.
///
/// The user is taken to have just signed in, with a key that may exchange.
#[utoipa::path(
    post,
    path = "/v1/authorization/explain",
    tag = "tenants",
    request_body = ExplainRequest,
    responses((status = 200, description = "The decision.", body = ExplainReply)),
)]
pub(crate) async fn explain(
    State(state): State<Shared>,
    BearerAsker(mut caller): BearerAsker,
    TenantHeader(header): TenantHeader,
    JsonBody(request): JsonBody<ExplainRequest>,
) -> Result<Reply<ExplainReply>, ApiError> {
    caller.tenant = header;
    let command = Explain::try_from(request)?;
    let decision = token_exchange::explain(&state.domain, &caller, &command).await?;
    Ok(Reply::new(shown(&decision)))
}

impl TryFrom<ExplainRequest> for Explain {
    type Error = Refusal;

    fn try_from(request: ExplainRequest) -> Result<Self, Refusal> {
        let user = match (request.email, request.user_id) {
            (Some(email), None) => AskedUser::Email(Email::parse(&email)?),
            (None, Some(id)) => AskedUser::Id(UserId::parse(&id)?),
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "userId",
                    "and email name one user: give one of them",
                ));
            }
            (None, None) => return Err(Refusal::invalid("userId", "or email is missing")),
        };
        let scopes = request.scopes.as_ref().map(|scopes| ScopeSet::from_list(scopes.iter()));
        let event_types = request
            .event_types
            .map(|types| types.iter().map(|text| EventType::parse(text)).collect::<Result<_, _>>());
        Ok(Self {
            user,
            tenant: TenantRef::parse(&request.tenant_id)?,
            audience: ClientId::parse(&request.audience)?,
            scopes: scopes.transpose()?,
            event_types: event_types.transpose()?,
            ttl_seconds: request.ttl_seconds,
            subject: request.subject,
        })
    }
}

fn shown(decision: &Decision) -> ExplainReply {
    let refusing = decision.trace.entries().find(|entry| entry.refused.is_some());
    ExplainReply {
        allow: decision.outcome.is_ok(),
        step: refusing.map(|entry| entry.step.number()),
        code: decision.outcome.as_ref().err().map(|refusal| refusal.code.as_str().to_owned()),
        scope: decision.outcome.as_ref().ok().map(|allowed| allowed.scopes.to_string()),
        trace: decision.trace.entries().map(step).collect(),
    }
}

fn step(entry: &TraceEntry) -> ExplainStep {
    let (input, result) = match entry.refused {
        _ if is_assumed(entry.step) => (String::new(), "assumed"),
        None => (entry.input.clone(), "pass"),
        Some(code) => (entry.input.clone(), code.as_str()),
    };
    ExplainStep {
        step: entry.step.number(),
        name: entry.step.name().to_owned(),
        input,
        result: result.to_owned(),
    }
}
