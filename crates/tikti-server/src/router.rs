//! Which routes does the service have, and what does each need? One table; the router and the API
//! document are built from it, so that no route exists without a row.
//!
//! The column *needs* says what the operation behind the route enforces. It is written into the
//! document, and a test calls every row without it.
//!
//! Spec: HTTP API; attacks, row T3.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tikti_domain::api_key::KeyScope;
use tikti_domain::error::Code;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::error::{self, ApiError};
use crate::extract::UnusedBody;
use crate::middleware::{access_log, carry_through, oauth_errors, request_id, security_headers};
use crate::openapi;
use crate::routes::{accounts, action, api_keys, audit, keys, oauth2, platform, tenants};
use crate::state::Shared;

/// What a caller has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// An API key with this scope.
    ApiKey(KeyScope),
    /// An API key with this scope, or the secret of a client, in the form or by HTTP Basic.
    ApiKeyOrClient(KeyScope),
    /// An idToken of a user as bearer token; what the user may do is decided from stored records.
    Bearer,
    /// The same, and the user must be a platform administrator.
    AdminBearer,
    /// An idToken, or an access token for audience `tikti`, as bearer token, of somebody who holds this
    /// management scope in the tenant that the path names.
    Scope(&'static str),
    /// The same, in the tenant that the body's `tenantId` names.
    ScopeOfBody(&'static str),
    /// An API key with this scope, and the idToken of a platform administrator as bearer token.
    ApiKeyAndAdmin(KeyScope),
}

/// A row of the table.
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Further paths that lead to the same handler, kept for older clients.
    pub aliases: &'static [&'static str],
    /// What a caller has to show.
    pub needs: Needs,
    /// The handler with its entry in the document.
    handler: fn() -> UtoipaMethodRouter<Shared>,
}

/// One row: method, path, its aliases, what it needs, the handler.
macro_rules! row {
    ($method:literal, $path:literal, [$($alias:literal),*], $needs:expr, $($handler:tt)+) => {
        Route {
            method: $method,
            path: $path,
            aliases: &[$($alias),*],
            needs: $needs,
            handler: || routes!($($handler)+),
        }
    };
}

/// Every route of the service.
#[rustfmt::skip] // A table: one row, one line.
pub const ROUTES: &[Route] = &[
    row!("POST", "/v1/accounts/signIn", ["/v1/accounts:signIn"], Needs::Nothing, accounts::sign_in::sign_in),
    row!("POST", "/v1/accounts/signInWithPassword", ["/v1/accounts:signInWithPassword"], Needs::ApiKey(KeyScope::SignIn), accounts::sign_in_with_password::sign_in_with_password),
    row!("POST", "/v1/accounts/signInWithOobCode", ["/v1/accounts:signInWithOobCode"], Needs::Nothing, accounts::sign_in_with_oob_code::sign_in_with_oob_code),
    row!("POST", "/v1/accounts/sendOobCode", ["/v1/accounts:sendOobCode"], Needs::ApiKey(KeyScope::OobSend), accounts::send_oob_code::send_oob_code),
    row!("POST", "/v1/accounts/resetPassword", ["/v1/accounts:resetPassword"], Needs::ApiKey(KeyScope::OobSend), accounts::reset_password::reset_password),
    row!("POST", "/v1/accounts/lookup", ["/v1/accounts:lookup"], Needs::ApiKey(KeyScope::Lookup), accounts::lookup::lookup),
    row!("POST", "/v1/accounts/token/exchange", ["/v1/accounts:token/exchange"], Needs::ApiKey(KeyScope::Exchange), accounts::token_exchange::token_exchange),
    row!("POST", "/v1/accounts/update", ["/v1/accounts:update"], Needs::ApiKey(KeyScope::Update), accounts::update::update),
    row!("POST", "/v1/accounts/delete", ["/v1/accounts:delete"], Needs::ApiKey(KeyScope::Delete), accounts::delete::delete),
    row!("POST", "/v1/accounts/signUp", ["/v1/accounts:signUp"], Needs::AdminBearer, accounts::sign_up::sign_up),
    row!("POST", "/v1/accounts/status", ["/v1/accounts:status"], Needs::ApiKeyAndAdmin(KeyScope::Admin), accounts::status::status),
    row!("POST", "/v1/accounts/revoke", ["/v1/accounts:revoke"], Needs::ApiKeyAndAdmin(KeyScope::Admin), accounts::revoke::revoke),
    row!("POST", "/v1/accounts/revokeJti", ["/v1/accounts:revokeJti"], Needs::ApiKeyAndAdmin(KeyScope::Admin), accounts::revoke_jti::revoke_jti),
    row!("POST", "/v1/accounts/validate", ["/v1/accounts:validate"], Needs::ApiKeyAndAdmin(KeyScope::Admin), accounts::validate::validate),
    row!("POST", "/v1/accounts/signOut", ["/v1/accounts:signOut"], Needs::Nothing, accounts::sign_out::sign_out),
    row!("POST", "/v1/token", [], Needs::Nothing, accounts::token::token),
    row!("GET", "/v1/accounts/sessions", [], Needs::Bearer, accounts::sessions::list_sessions),
    row!("DELETE", "/v1/accounts/sessions/{sid}", [], Needs::Bearer, accounts::sessions::end_session),
    row!("GET", "/v1/users", [], Needs::ApiKeyAndAdmin(KeyScope::Admin), platform::users::list_users),
    row!("GET", "/v1/users/{id}", [], Needs::ApiKeyAndAdmin(KeyScope::Admin), platform::users::read_user),
    row!("PATCH", "/v1/users/{id}", [], Needs::ApiKeyAndAdmin(KeyScope::Admin), platform::users::update_user),
    row!("DELETE", "/v1/users/{id}", [], Needs::ApiKeyAndAdmin(KeyScope::Admin), platform::users::delete_user),
    row!("POST", "/v1/users/{id}/passwordReset", [], Needs::ApiKeyAndAdmin(KeyScope::Admin), platform::users::reset_user_password),
    row!("POST", "/v1/tenants", [], Needs::AdminBearer, tenants::create::create_tenant),
    row!("GET", "/v1/tenants", [], Needs::Bearer, tenants::list::list_tenants),
    row!("GET", "/v1/tenants/{t}", ["/v1/tenants/id/{t}"], Needs::Scope("tenants:read"), tenants::read::read_tenant),
    row!("PATCH", "/v1/tenants/{t}", [], Needs::Scope("tenants:write"), tenants::change::update_tenant),
    row!("DELETE", "/v1/tenants/{t}", [], Needs::AdminBearer, tenants::change::delete_tenant),
    row!("POST", "/v1/tenants/{t}/users", [], Needs::Scope("memberships:write"), tenants::members::create_member),
    row!("GET", "/v1/tenants/{t}/users", [], Needs::Scope("memberships:read"), tenants::members::list_members),
    row!("POST", "/v1/tenants/{t}/users/remove", [], Needs::Scope("memberships:write"), tenants::members::remove_member),
    row!("GET", "/v1/tenants/{t}/users/{id}", [], Needs::Scope("memberships:read"), tenants::members::read_member),
    row!("PATCH", "/v1/tenants/{t}/users/{id}", [], Needs::Scope("memberships:write"), tenants::members::update_member),
    row!("DELETE", "/v1/tenants/{t}/users/{id}", [], Needs::Scope("memberships:write"), tenants::members::delete_member),
    row!("POST", "/v1/tenants/{t}/memberships/{id}/revoke", [], Needs::Scope("memberships:write"), tenants::members::revoke_member),
    row!("GET", "/v1/tenants/{t}/users/{id}/sessions", [], Needs::Scope("sessions:read"), tenants::sessions::list_member_sessions),
    row!("DELETE", "/v1/tenants/{t}/users/{id}/sessions", [], Needs::Scope("sessions:revoke"), tenants::sessions::end_member_sessions),
    row!("POST", "/v1/tenants/{t}/oob/send", [], Needs::Scope("users:write"), tenants::oob::send_code),
    row!("POST", "/v1/tenants/{t}/roles", [], Needs::Scope("roles:write"), tenants::roles::create_role),
    row!("GET", "/v1/tenants/{t}/roles", [], Needs::Scope("roles:read"), tenants::roles::list_roles),
    row!("GET", "/v1/tenants/{t}/roles/{name}", [], Needs::Scope("roles:read"), tenants::roles::read_role),
    row!("PUT", "/v1/tenants/{t}/roles/{name}", [], Needs::Scope("roles:write"), tenants::roles::put_role),
    row!("DELETE", "/v1/tenants/{t}/roles/{name}", [], Needs::Scope("roles:write"), tenants::roles::delete_role),
    row!("POST", "/v1/tenants/{t}/apiKeys", [], Needs::Scope("apikeys:write"), api_keys::create_api_key),
    row!("GET", "/v1/tenants/{t}/apiKeys", [], Needs::Scope("apikeys:read"), api_keys::list_api_keys),
    row!("GET", "/v1/tenants/{t}/apiKeys/{id}", [], Needs::Scope("apikeys:read"), api_keys::read_api_key),
    row!("PATCH", "/v1/tenants/{t}/apiKeys/{id}", [], Needs::Scope("apikeys:write"), api_keys::update_api_key),
    row!("DELETE", "/v1/tenants/{t}/apiKeys/{id}", [], Needs::Scope("apikeys:write"), api_keys::delete_api_key),
    row!("POST", "/v1/apiKeys", [], Needs::AdminBearer, api_keys::create_deployment_api_key),
    row!("GET", "/v1/apiKeys", [], Needs::AdminBearer, api_keys::list_deployment_api_keys),
    row!("GET", "/v1/apiKeys/{id}", [], Needs::AdminBearer, api_keys::read_deployment_api_key),
    row!("PATCH", "/v1/apiKeys/{id}", [], Needs::AdminBearer, api_keys::update_deployment_api_key),
    row!("DELETE", "/v1/apiKeys/{id}", [], Needs::AdminBearer, api_keys::delete_deployment_api_key),
    row!("POST", "/v1/tenants/{t}/workers", [], Needs::Scope("workers:write"), tenants::workers::create_worker),
    row!("GET", "/v1/tenants/{t}/workers", [], Needs::Scope("workers:read"), tenants::workers::list_workers),
    row!("GET", "/v1/tenants/{t}/workers/{id}", [], Needs::Scope("workers:read"), tenants::workers::read_worker),
    row!("PATCH", "/v1/tenants/{t}/workers/{id}", [], Needs::Scope("workers:write"), tenants::workers::update_worker),
    row!("DELETE", "/v1/tenants/{t}/workers/{id}", [], Needs::Scope("workers:write"), tenants::workers::delete_worker),
    row!("POST", "/v1/tenants/{t}/workers/{id}/secrets", [], Needs::Scope("workers:write"), tenants::workers::add_worker_secret),
    row!("DELETE", "/v1/tenants/{t}/workers/{id}/secrets/{n}", [], Needs::Scope("workers:write"), tenants::workers::remove_worker_secret),
    row!("PUT", "/v1/tenants/{t}/workers/{id}/jwks", [], Needs::Scope("workers:write"), tenants::workers::set_worker_keys),
    row!("POST", "/v1/tenants/{t}/clients", [], Needs::Scope("clients:write"), tenants::clients::create_client),
    row!("GET", "/v1/tenants/{t}/clients", [], Needs::Scope("clients:read"), tenants::clients::list_clients),
    row!("GET", "/v1/tenants/{t}/clients/{id}", [], Needs::Scope("clients:read"), tenants::clients::read_client),
    row!("PATCH", "/v1/tenants/{t}/clients/{id}", [], Needs::Scope("clients:write"), tenants::clients::update_client),
    row!("DELETE", "/v1/tenants/{t}/clients/{id}", [], Needs::Scope("clients:write"), tenants::clients::delete_client),
    row!("GET", "/v1/tenants/{t}/audit", [], Needs::Scope("audit:read"), audit::list_events),
    row!("GET", "/v1/audit", [], Needs::AdminBearer, audit::list_deployment_events),
    row!("GET", "/v1/tenants/{t}/audit/head", [], Needs::Scope("audit:read"), audit::read_head),
    row!("GET", "/v1/audit/head", [], Needs::AdminBearer, audit::read_deployment_head),
    row!("GET", "/v1/audit/keys", [], Needs::Nothing, audit::keys),
    row!("GET", "/v1/keys", [], Needs::AdminBearer, keys::list_keys),
    row!("POST", "/v1/keys/rotate", [], Needs::AdminBearer, keys::rotate_key),
    row!("POST", "/v1/authorization/explain", [], Needs::ScopeOfBody("memberships:read"), platform::authorization::explain),
    row!("GET", "/action", [], Needs::Nothing, action::show::show),
    row!("POST", "/action", [], Needs::Nothing, action::redeem::redeem),
    row!("GET", "/.well-known/jwks.json", ["/v1/.well-known/jwks.json"], Needs::Nothing, oauth2::jwks::jwks),
    row!("GET", "/.well-known/openid-configuration", [], Needs::Nothing, oauth2::discovery::openid_configuration),
    row!("GET", "/.well-known/oauth-authorization-server", [], Needs::Nothing, oauth2::discovery::oauth_authorization_server),
    row!("POST", "/oauth2/token", [], Needs::Nothing, oauth2::token::oauth_token),
    row!("POST", "/oauth2/introspect", [], Needs::ApiKeyOrClient(KeyScope::Introspect), oauth2::introspect::oauth_introspect),
    row!("POST", "/oauth2/revoke", [], Needs::ApiKeyOrClient(KeyScope::Revoke), oauth2::revoke::oauth_revoke),
    row!("GET", "/healthz", [], Needs::Nothing, platform::health::healthz),
    row!("GET", "/readyz", [], Needs::Nothing, platform::health::readyz),
    row!("GET", "/version", [], Needs::Nothing, platform::version::version),
    row!("GET", "/openapi.json", [], Needs::Nothing, platform::openapi::openapi),
    row!("GET", "/docs", [], Needs::Nothing, platform::docs::docs),
];

/// The paths that are asked with POST and change nothing.
const READING: [&str; 2] = ["/v1/accounts/lookup", "/v1/accounts:lookup"];

/// Whether calls of this path change nothing, whatever their method.
pub(crate) fn only_reads(path: &str) -> bool {
    READING.contains(&path)
}

/// The router of every route, without state and middleware, and the document that describes it.
pub(crate) fn routes() -> (Router<Shared>, OpenApi) {
    let mut documented = OpenApiRouter::with_openapi(openapi::head());
    let mut aliases = Router::new();
    for route in ROUTES {
        let (schemas, mut paths, methods) = (route.handler)();
        for alias in route.aliases {
            aliases = aliases.route(alias, methods.clone());
        }
        openapi::complete(&mut paths, route);
        documented = documented.routes((schemas, paths, methods));
    }
    let (router, document) = documented.split_for_parts();
    (router.merge(aliases), document)
}

/// Puts around `routes` what happens to every request, from the inside out.
pub(crate) fn with_middleware(routes: Router<Shared>, state: Shared) -> Router {
    routes
        .fallback(oauth2::discovery::at_no_row)
        .method_not_allowed_fallback(async |_: UnusedBody| ApiError::from(Code::MethodNotAllowed))
        .layer(from_fn_with_state(state.clone(), carry_through::carry_through))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(state.clone(), security_headers::security_headers))
        .layer(from_fn(oauth_errors::oauth_errors))
        .layer(from_fn(access_log::access_log))
        .layer(from_fn_with_state(state.clone(), request_id::request_id))
        .with_state(state)
}

#[cfg(test)]
mod tests;
