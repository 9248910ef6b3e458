//! `POST /oauth2/token`: tokens for stock clients, by three grants.
//!
//! A grant is a reading of the form and one operation, the same as behind Tikti's own endpoints: what is
//! decided, and in which order, stands there. What a form names twice over, Tikti serves once: a token has
//! one audience, so more than one of `audience` and `resource` is `invalid_target`.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints"; RFC 6749, RFC 8693, RFC 8707. Why:
//! docs/decisions/0037.

use axum::extract::State;
use tikti_domain::Caller;
use tikti_domain::account::{self, Refresh};
use tikti_domain::client_credentials::{self, ClientCredentials};
use tikti_domain::error::{Code, Refusal};
use tikti_domain::id::{ClientId, EventType, TenantRef};
use tikti_domain::scope::ScopeSet;
use tikti_domain::secret::ExposeSecret;
use tikti_domain::token_exchange::{self, Exchange};

use crate::api::{OAuthTokenReply, OAuthTokenRequest};
use crate::error::ApiError;
use crate::extract::{OAuthAsker, OAuthForm, TenantHeader};
use crate::reply::Reply;
use crate::state::Shared;

/// The grants, as discovery names them.
pub(crate) const GRANT_TYPES: [&str; 3] = [TOKEN_EXCHANGE, CLIENT_CREDENTIALS, REFRESH_TOKEN];
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const CLIENT_CREDENTIALS: &str = "client_credentials";
const REFRESH_TOKEN: &str = "refresh_token";

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Gives a token, by the grant that the form names.
///
/// A token exchange (RFC 8693) needs an API key that holds `token:exchange`: as `X-API-Key`, as `?key=`, or
/// by HTTP Basic with the key's id and its secret. Client credentials are a worker's: its id is
/// `<tenant id>.<worker id>`, and it shows a secret, in Basic or in the form, or an assertion that it has signed.
/// A refresh needs nothing but its token.
#[utoipa::path(
    post,
    path = "/oauth2/token",
    tag = "oauth2",
    params(
        ("X-Tenant-Id" = Option<String>, Header, description = "Tenant, by id or slug; must agree with `tenant`. A refresh does not look at it"),
    ),
    request_body(content = OAuthTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token.", body = OAuthTokenReply)),
)]
pub(crate) async fn oauth_token(
    State(state): State<Shared>,
    TenantHeader(tenant_header): TenantHeader,
    asker: OAuthAsker,
) -> Result<Reply<OAuthTokenReply>, ApiError> {
    match asker.form.require("grant_type")? {
        TOKEN_EXCHANGE => exchange(&state, &asker, tenant_header).await,
        CLIENT_CREDENTIALS => own_token(&state, &asker, tenant_header).await,
        REFRESH_TOKEN => refresh(&state, &asker).await,
        _ => Err(Code::UnsupportedGrantType.into()),
    }
}

async fn exchange(
    state: &Shared,
    asker: &OAuthAsker,
    tenant_header: Option<TenantRef>,
) -> Result<Reply<OAuthTokenReply>, ApiError> {
    let OAuthAsker { caller, client, form } = asker;
    require_key(caller, client.is_some())?;
    let command = exchange_command(form, tenant_header)?;
    let issued = token_exchange::exchange(&state.domain, caller, &command).await?;
    let (tenant, user) = (issued.tenant_id.clone(), issued.user_id.clone());
    let reply = OAuthTokenReply {
        access_token: issued.token.expose_secret().to_owned(),
        issued_token_type: Some(ACCESS_TOKEN.to_owned()),
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_in_seconds,
        scope: Some(issued.scope.to_string()),
        tenant_id: Some(issued.tenant_id.into()),
        ..OAuthTokenReply::default()
    };
    Ok(Reply::new(reply).in_tenant(Some(tenant)).by_user(user))
}

/// Whoever shows no API key is refused before his form is looked at, as at Tikti's own endpoint.
fn require_key(caller: &Caller, is_client: bool) -> Result<(), Refusal> {
    match (&caller.api_key, is_client) {
        (Some(_), _) => Ok(()),
        (None, false) => Err(Refusal::of(Code::InvalidApiKey)),
        (None, true) => Err(Refusal::new(
            Code::InvalidApiKey,
            "A token exchange takes an API key, no client's credentials.",
        )),
    }
}

fn exchange_command(
    form: &OAuthForm,
    tenant_header: Option<TenantRef>,
) -> Result<Exchange, Refusal> {
    for actor in ["actor_token", "actor_token_type"] {
        if form.get(actor).is_some() {
            let reason = "is not taken: who acts is the user of the subject token";
            return Err(Refusal::invalid(actor, reason));
        }
    }
    let id_token = form.require("subject_token")?;
    if form.require("subject_token_type")? != ID_TOKEN {
        return Err(Refusal::invalid("subject_token_type", format!("must be {ID_TOKEN}")));
    }
    if form.get("requested_token_type").is_some_and(|wanted| ![ACCESS_TOKEN, JWT].contains(&wanted))
    {
        let reason = format!("must be {ACCESS_TOKEN} or {JWT}");
        return Err(Refusal::invalid("requested_token_type", reason));
    }
    let audience = audience(form)?.ok_or_else(|| Refusal::invalid("audience", "is missing"))?;
    Ok(Exchange {
        id_token: id_token.to_owned().into(),
        audience,
        scopes: scopes(form)?,
        event_types: event_types(form)?,
        ttl_seconds: None,
        subject: form.get("subject").map(str::to_owned),
        tenant: tenant(form)?,
        tenant_header,
    })
}

/// The one client that the token is to be for, by `audience` or by `resource`: a URI (RFC 8707) names the
/// client whose id it is, letter by letter, and no other.
///
/// # Errors
/// `UNKNOWN_AUDIENCE` for more than one, and for a `resource` that no client's id can be.
fn audience(form: &OAuthForm) -> Result<Option<ClientId>, Refusal> {
    let unknown = |reason: &str| Refusal::new(Code::UnknownAudience, reason.to_owned());
    let mut named: Option<ClientId> = None;
    for text in form.all("audience") {
        let audience = ClientId::parse(text)?;
        if named.replace(audience.clone()).is_some_and(|other| other != audience) {
            return Err(unknown("A token is for one audience: more than one is named."));
        }
    }
    for text in form.all("resource") {
        let is_uri = url::Url::parse(text).is_ok();
        let Some(resource) = ClientId::parse(text).ok().filter(|_| is_uri) else {
            return Err(unknown("The resource is no URI that is the id of a client."));
        };
        if named.replace(resource.clone()).is_some_and(|other| other != resource) {
            return Err(unknown("A token is for one audience: more than one is named."));
        }
    }
    Ok(named)
}

fn scopes(form: &OAuthForm) -> Result<Option<ScopeSet>, Refusal> {
    let scopes = form.get("scope").map(ScopeSet::parse).transpose();
    scopes.map_err(|refusal| refusal.about("scope"))
}

/// Event types come with spaces between them, as scopes do, or with commas.
fn event_types(form: &OAuthForm) -> Result<Option<Vec<EventType>>, Refusal> {
    let Some(text) = form.get("event_types") else {
        return Ok(None);
    };
    let types = text.split([' ', ',']).filter(|part| !part.is_empty()).map(EventType::parse);
    let types = types.collect::<Result<_, _>>().map_err(|refusal| refusal.about("event_types"))?;
    Ok(Some(types))
}

fn tenant(form: &OAuthForm) -> Result<Option<TenantRef>, Refusal> {
    let tenant = form.get("tenant").map(TenantRef::parse).transpose();
    tenant.map_err(|refusal| refusal.about("tenant"))
}

/// A token of a worker's own.
async fn own_token(
    state: &Shared,
    asker: &OAuthAsker,
    tenant_header: Option<TenantRef>,
) -> Result<Reply<OAuthTokenReply>, ApiError> {
    let OAuthAsker { caller, client, form } = asker;
    // Whoever shows nothing is refused before his form is looked at.
    let auth = client.clone().ok_or(Code::InvalidClientCredentials)?;
    if form.get("subject").is_some() {
        let reason = "is not taken: the token is the worker's own";
        return Err(Refusal::invalid("subject", reason).into());
    }
    let command = ClientCredentials {
        auth,
        audience: audience(form)?,
        scopes: scopes(form)?,
        event_types: event_types(form)?,
        tenant: tenant(form)?,
        tenant_header,
    };
    let issued = client_credentials::issue(&state.domain, caller, &command).await?;
    let tenant = issued.tenant_id.clone();
    let reply = OAuthTokenReply {
        access_token: issued.token.expose_secret().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: issued.expires_in_seconds,
        scope: Some(issued.scope.to_string()),
        tenant_id: Some(issued.tenant_id.into()),
        ..OAuthTokenReply::default()
    };
    Ok(Reply::new(reply).in_tenant(Some(tenant)))
}

async fn refresh(state: &Shared, asker: &OAuthAsker) -> Result<Reply<OAuthTokenReply>, ApiError> {
    let OAuthAsker { client, form, .. } = asker;
    let session =
        account::refresh(&state.domain, &refresh_command(client.is_some(), form)?).await?;
    let (tenant, user) = (session.tenant_id, session.user_id);
    let id_token = session.id_token.expose_secret();
    let reply = OAuthTokenReply {
        access_token: id_token.to_owned(),
        // It is named as what libraries ask for; what it is, is said here.
        issued_token_type: Some(ID_TOKEN.to_owned()),
        token_type: "Bearer".to_owned(),
        expires_in: session.expires_in_seconds,
        id_token: Some(id_token.to_owned()),
        refresh_token: Some(session.refresh_token.expose_secret().to_owned()),
        tenant_id: tenant.clone().map(Into::into),
        ..OAuthTokenReply::default()
    };
    Ok(Reply::new(reply).in_tenant(tenant).by_user(user))
}

fn refresh_command(is_client: bool, form: &OAuthForm) -> Result<Refresh, Refusal> {
    if is_client {
        let reason = "A session is its user's: no client refreshes it with credentials of its own.";
        return Err(Refusal::new(Code::GrantNotAllowed, reason));
    }
    let token = form.require("refresh_token")?;
    if form.get("scope").is_some() {
        let reason = "A refresh gives an idToken, which has no scopes: exchange it.";
        return Err(Refusal::new(Code::ScopeNotPermitted, reason));
    }
    if form.get("audience").or(form.get("resource")).is_some() {
        let reason = "A refresh gives an idToken, which has its audience: exchange it.";
        return Err(Refusal::new(Code::UnknownAudience, reason));
    }
    Ok(Refresh { token: token.to_owned().into(), tenant: tenant(form)? })
}
