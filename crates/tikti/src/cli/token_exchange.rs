//! `tikti token exchange`: from the session's idToken to a token for one audience.
//!
//! The token is printed before it is stored: a profile that cannot be written costs a warning, never
//! the token.
//!
//! Spec: Command line, `token`; Authorization, "Token exchange".

use clap::Args;
use secrecy::ExposeSecret;
use tikti_server::api::{ExchangeReply, ExchangeRequest, ScopeList};
use tikti_token::peek;

use super::token::{token_use, words};
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::session;

/// Exchange the session for a token that one audience accepts
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti token exchange --aud backend-worker --scope \"jobs:read jobs:write\" \\
      --tenant codecompany --sub worker-01
  T=$(tikti token exchange --aud codeq-worker --event-types render_video --quiet)")]
pub(crate) struct ExchangeArgs {
    /// Client of the tenant that the token is for
    #[arg(long, alias = "audience", value_name = "CLIENT")]
    pub(crate) aud: String,
    /// Scopes, with spaces or commas between them [default: those of the client]
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    pub(crate) scope: Vec<String>,
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's, the session's]
    #[arg(long, value_name = "REF")]
    pub(crate) tenant: Option<String>,
    /// Worker that the token speaks for [default: the signed-in user]
    #[arg(long, alias = "subject", value_name = "WORKER")]
    pub(crate) sub: Option<String>,
    /// Event types, with spaces or commas between them; gives a worker token
    #[arg(long, value_name = "TYPES")]
    pub(crate) event_types: Vec<String>,
    /// Life of the token [default: that of the client]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) ttl: Option<i64>,
}

/// The two classes that an exchange yields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Access,
    Worker,
}

pub(crate) async fn run(context: &Context, args: &ExchangeArgs) -> Result<(), Failure> {
    let target = context.target()?;
    let reply = ask(context, &target, args).await?;
    let class = class_of(&reply.access_token);
    context.output.done(match class {
        Class::Access => "Access Token (RS256) minted.",
        Class::Worker => "Worker Token (RS256) minted.",
    });
    let token = &reply.access_token;
    context.output.answer(&reply, token, token)?;
    store(context, &target, class, token);
    Ok(())
}

/// Asks the server for a token; nothing is printed, and nothing stored but a session that was refreshed.
pub(crate) async fn ask(
    context: &Context,
    target: &Target,
    args: &ExchangeArgs,
) -> Result<ExchangeReply, Failure> {
    let scopes = words("--scope", &args.scope)?;
    let event_types = words("--event-types", &args.event_types)?;
    let client = context.client(&target.host)?;
    let target = session::refreshed(context, target.clone(), &client).await?;
    let request = ExchangeRequest {
        id_token: target.id_token()?.expose_secret().to_owned(),
        audience: args.aud.clone(),
        scopes: scopes.map(ScopeList::List),
        event_types,
        ttl_seconds: args.ttl,
        subject: args.sub.clone(),
        tenant_id: args.tenant.clone().or_else(|| target.tenant.clone()),
    };
    let url = client.url(&["v1", "accounts", "token", "exchange"]);
    client.post(url, Credential::ApiKey(target.api_key.as_ref()), &request).await
}

/// Only for words and for the place in the profile; nothing is believed because of it.
fn class_of(token: &str) -> Class {
    match peek(token) {
        Ok(token) if token_use(&token) == Some("worker") => Class::Worker,
        _ => Class::Access,
    }
}

fn store(context: &Context, target: &Target, class: Class, token: &str) {
    let stored = context.remember(target, |profile| match class {
        Class::Access => profile.access_token = Some(token.to_owned()),
        Class::Worker => profile.worker_token = Some(token.to_owned()),
    });
    if let Err(failure) = stored {
        context.output.warn(&format!("the token is not stored: {}", failure.message));
    }
}
