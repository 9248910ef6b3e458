//! What does the API document say beside its operations? Title, ways to authenticate, and the
//! answer that every operation can give: a refusal.
//!
//! Spec: HTTP API, first paragraph; OpenAPI 3.1.

use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::api::{ErrorReply, OAuthErrorReply};
use crate::error;
use crate::router::{Needs, Route};

const ABOUT: &str = "Tikti answers two questions: who is this, and what may they do, where. Sign in for an \
idToken, exchange it for an access token of one tenant and one audience, and verify that token anywhere \
with the public keys.\n\n\
JSON in and out, UTF-8, times by RFC 3339. A body has at most 64 KiB; members that are not known are \
ignored, a member of the wrong type is refused by its name. Every reply has `X-Request-Id`. \
`POST /v1/accounts:verb` works as `POST /v1/accounts/verb` does.";

const API_KEY: &str = "apiKey";
const API_KEY_IN_QUERY: &str = "apiKeyInQuery";
const BEARER: &str = "bearer";

/// The document before it has operations.
pub(crate) fn head() -> OpenApi {
    let mut components = Components::new();
    components.schemas.insert(ErrorReply::name().into_owned(), ErrorReply::schema());
    components.schemas.insert(OAuthErrorReply::name().into_owned(), OAuthErrorReply::schema());
    components.add_security_scheme(
        API_KEY,
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-API-Key",
            "An API key that holds the scope that the operation names.",
        ))),
    );
    components.add_security_scheme(
        API_KEY_IN_QUERY,
        SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
            "key",
            "The same, for older clients.",
        ))),
    );
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some(
                    "An idToken; in a tenant also an access token for audience `tikti`.",
                ))
                .build(),
        ),
    );
    let info = InfoBuilder::new()
        .title("Tikti")
        .description(Some(ABOUT))
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    let tags = [
        ("accounts", "Signing in, looking up, exchanging"),
        ("users", "The directory of users"),
        ("tenants", "The authorization boundaries"),
        ("oauth2", "What stock OAuth clients call"),
        ("discovery", "What verifiers read"),
        ("platform", "The service itself"),
    ]
    .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    OpenApiBuilder::new().info(info).components(Some(components)).tags(Some(tags)).build()
}

/// Adds to the operation of `route` what follows from its row.
pub(crate) fn complete(paths: &mut Paths, route: &Route) {
    for item in paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete_operation(operation, route);
        }
    }
}

fn complete_operation(operation: &mut Operation, route: &Route) {
    let nothing = Vec::<String>::new();
    let requirement = |name| SecurityRequirement::new(name, nothing.clone());
    let (security, sentence) = match route.needs {
        Needs::Nothing => (vec![], None),
        Needs::ApiKey(scope) => (
            vec![requirement(API_KEY), requirement(API_KEY_IN_QUERY)],
            Some(format!("Needs an API key with the scope `{}`.", scope.as_str())),
        ),
        Needs::ApiKeyOrClient(scope) => (
            vec![requirement(API_KEY), requirement(API_KEY_IN_QUERY)],
            Some(format!(
                "Needs an API key with the scope `{}`, or the secret of a client.",
                scope.as_str()
            )),
        ),
        Needs::Bearer => {
            (vec![requirement(BEARER)], Some("Needs the idToken of a user.".to_owned()))
        }
        Needs::AdminBearer => {
            let sentence = "Needs the idToken of a platform administrator.".to_owned();
            (vec![requirement(BEARER)], Some(sentence))
        }
        Needs::Scope(scope) | Needs::ScopeOfBody(scope) => {
            let sentence = format!(
                "Needs an idToken, or an access token for audience `tikti`, of somebody who holds `{scope}` in the tenant."
            );
            (vec![requirement(BEARER)], Some(sentence))
        }
        Needs::ApiKeyAndAdmin(scope) => {
            let scope = scope.as_str();
            let both = |key| requirement(key).add(BEARER, nothing.clone());
            let sentence = format!(
                "Needs an API key with the scope `{scope}` and the idToken of a platform administrator."
            );
            (vec![both(API_KEY), both(API_KEY_IN_QUERY)], Some(sentence))
        }
    };
    operation.security = Some(security);
    if let Some(sentence) = sentence {
        operation.description = Some(match operation.description.take() {
            Some(text) => format!("{text}\n\n{sentence}"),
            None => sentence,
        });
    }
    let is_oauth = error::is_oauth_path(route.path);
    let shape = if is_oauth { OAuthErrorReply::name() } else { ErrorReply::name() };
    let refusal =
        ResponseBuilder::new().description("A refusal or a failure; `code` says which.").content(
            "application/json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name(shape))).build(),
        );
    // Whoever opens the link of a mail is a person.
    let refusal = if route.path == "/action" {
        refusal.content("text/html", ContentBuilder::new().schema(Some(String::schema())).build())
    } else {
        refusal
    };
    let refusal = refusal.build();
    operation.responses.responses.insert("default".to_owned(), refusal.into());
}
