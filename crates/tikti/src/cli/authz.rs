//! `tikti authz`: why would a user get a token, or not?
//!
//! The server decides by the same steps and from the same records as an exchange, and gives no token; here the
//! steps are shown, and the one that refuses is marked.
//!
//! Spec: Authorization, "Token exchange"; Command line, `authz`.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use tikti_server::api::{ExplainReply, ExplainRequest, ExplainStep, ScopeList};
use tikti_token::peek;

use super::token::{text_claim, words};
use crate::context::Context;
use crate::exit::Failure;
use crate::next_step;
use crate::output;
use crate::session::Session;

/// Explain what the server would decide
#[derive(Subcommand)]
pub(crate) enum AuthzCommand {
    /// Show how an exchange would be decided, step by step; no token is made
    ///
    /// The user is taken to have just signed in, with an API key that may exchange. --quiet prints ALLOW, or
    /// the code of the refusal.
    #[command(after_help = "\
Example:
  tikti authz explain --aud backend-worker --scope \"jobs:read jobs:write\" --tenant codecompany
  tikti authz explain --user ann@example.org --aud backend-worker --sub worker-01 --tenant codecompany")]
    Explain(ExplainArgs),
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Whose exchange: e-mail address or id of the user [default: the signed-in user]
    #[arg(long, alias = "email", value_name = "USER")]
    user: Option<String>,
    /// Client of the tenant that the token would be for
    #[arg(long, alias = "audience", value_name = "CLIENT")]
    aud: String,
    /// Scopes, with spaces or commas between them [default: those of the client]
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    scope: Vec<String>,
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF")]
    tenant: Option<String>,
    /// Worker that the token would speak for [default: the user]
    #[arg(long, alias = "subject", value_name = "WORKER")]
    sub: Option<String>,
    /// Event types, with spaces or commas between them
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
    /// Life of the token [default: that of the client]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<i64>,
}

pub(crate) async fn run(context: &Context, command: &AuthzCommand) -> Result<(), Failure> {
    let AuthzCommand::Explain(args) = command;
    let scopes = words("--scope", &args.scope)?;
    let event_types = words("--event-types", &args.event_types)?;
    let session = Session::open(context).await?;
    let (email, user_id) = user(&session, args.user.as_deref())?;
    let request = ExplainRequest {
        email,
        user_id,
        tenant_id: session.tenant(args.tenant.as_deref())?.to_owned(),
        audience: args.aud.clone(),
        scopes: scopes.map(ScopeList::List),
        event_types,
        subject: args.sub.clone(),
        ttl_seconds: args.ttl,
    };
    let url = session.url(&["v1", "authorization", "explain"]);
    let reply: ExplainReply = session.post(url, &request).await?;
    let output = session.output();
    output.answer(&reply, &people(&reply), reply.code.as_deref().unwrap_or("ALLOW"))?;
    if let Some(next) = reply.code.as_deref().and_then(next_step::for_code) {
        output.note(&format!("next: {next}"));
    }
    Ok(())
}

/// The user who is meant, by address or by id.
fn user(
    session: &Session<'_>,
    named: Option<&str>,
) -> Result<(Option<String>, Option<String>), Failure> {
    if let Some(named) = named {
        let named = Some(named.to_owned());
        return Ok(if named.as_ref().is_some_and(|named| named.contains('@')) {
            (named, None)
        } else {
            (None, named)
        });
    }
    let token = peek(session.target.id_token()?.expose_secret()).ok();
    let own = token.as_ref().and_then(|token| text_claim(token, "sub"));
    let own = own.ok_or_else(|| Failure::usage("no user is named").next("give --user USER"))?;
    Ok((None, Some(own.to_owned())))
}

fn people(reply: &ExplainReply) -> String {
    let rows = reply.trace.iter().map(|step| {
        let ExplainStep { step: number, name, input, result } = step;
        let mark = if reply.step == Some(*number) { "✘" } else { "" };
        let input = if input.is_empty() { "-" } else { input };
        [mark.to_owned(), number.to_string(), name.clone(), result.clone(), input.to_owned()]
    });
    let steps = output::table(&["", "STEP", "NAME", "RESULT", "LOOKED AT"], rows);
    format!("{steps}\n\n{}", verdict(reply))
}

fn verdict(reply: &ExplainReply) -> String {
    if reply.allow {
        let scope = reply.scope.as_deref().filter(|scope| !scope.is_empty());
        return scope.map_or_else(
            || "Allowed, without a scope.".to_owned(),
            |scope| format!("Allowed, with the scopes {scope}."),
        );
    }
    let code = reply.code.as_deref().unwrap_or("no code");
    match reply.step {
        Some(step) => format!("Refused at step {step}: {code}."),
        None => format!("Refused: {code}."),
    }
}
