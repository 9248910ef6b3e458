//! `tikti token verify`: what a resource server does with a token, done here.
//!
//! The algorithm is the one of every verifier (`tikti_token`); this file only brings key, issuer,
//! audience and time together. The server is asked for its public keys and for nothing else.
//!
//! Spec: Tokens and keys, "Verification"; Command line, `token`.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use tikti_token::{
    Audience, DEFAULT_SKEW_SECONDS, Policy, UnverifiedToken, VerifyError, peek, verify_access,
    verify_worker,
};

use super::keys::{TrustedKeys, trusted_keys};
use super::token::{TokenArgument, expires_at, text_claim, token_use, words};
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

/// Verify an access or worker token against the public keys, as a resource server does
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti token verify --aud backend-worker --scope jobs:read
  tikti token verify --aud backend-worker - < token.txt")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    token: TokenArgument,
    /// Audience that the token must be for; may be repeated, one must match
    #[arg(long, alias = "audience", value_name = "CLIENT", required = true)]
    aud: Vec<String>,
    /// Scopes that the token must have, with spaces or commas between them
    #[arg(long, alias = "scopes", value_name = "SCOPES")]
    scope: Vec<String>,
}

#[derive(Serialize)]
struct Accepted<'a> {
    valid: bool,
    claims: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Refused {
    valid: bool,
    step: &'static str,
    reason: String,
}

pub(crate) async fn run(context: &Context, args: &VerifyArgs) -> Result<(), Failure> {
    let scopes = words("--scope", &args.scope)?.unwrap_or_default();
    let scopes = Vec::from_iter(scopes.iter().map(String::as_str));
    let token = args.token.read(context)?;
    let trusted = trusted_keys(context, &context.target()?.host).await?;
    let audiences = Vec::from_iter(args.aud.iter().map(String::as_str));
    let policy = Policy {
        issuer: &trusted.issuer,
        audience: Audience::OneOf(&audiences),
        required_scopes: &scopes,
        skew_seconds: DEFAULT_SKEW_SECONDS,
    };
    let verified = peek(&token).and_then(|unverified| {
        verify(&token, &unverified, &trusted, &policy)?;
        Ok(unverified)
    });
    match verified {
        Ok(verified) => accepted(context, &verified),
        Err(cause) => Err(refused(context, cause)?),
    }
}

/// Verifies a token as the class that it says to be of: the class's algorithm refuses it if it lies.
pub(crate) fn verify(
    token: &str,
    unverified: &UnverifiedToken,
    trusted: &TrustedKeys,
    policy: &Policy<'_>,
) -> Result<(), VerifyError> {
    let now = clock::now_seconds();
    match token_use(unverified) {
        Some("worker") => verify_worker(token, &trusted.keys, policy, now).map(drop),
        _ => verify_access(token, &trusted.keys, policy, now).map(drop),
    }
}

fn accepted(context: &Context, token: &UnverifiedToken) -> Result<(), Failure> {
    context.output.done("Token verified.");
    let text = |name| text_claim(token, name).unwrap_or("-");
    let expires = expires_at(token);
    let people = output::fields(vec![
        ("subject", text("sub").to_owned()),
        ("tenant", text("tid").to_owned()),
        ("audience", audience(token)),
        ("scope", text("scope").to_owned()),
        ("until", expires.map_or_else(String::new, |at| clock::readable(at, clock::now_seconds()))),
    ]);
    let answer = Accepted { valid: true, claims: token.claims() };
    context.output.answer(&answer, &people, text("sub"))
}

/// The `aud`, one or several (RFC 7519, section 4.1.3).
fn audience(token: &UnverifiedToken) -> String {
    match token.claims().get("aud") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => {
            Vec::from_iter(several.iter().filter_map(Value::as_str)).join(" ")
        }
        _ => "-".to_owned(),
    }
}

/// Answers programs with the step that refused, and gives the failure that ends the command.
fn refused(context: &Context, cause: VerifyError) -> Result<Failure, Failure> {
    let answer = Refused { valid: false, step: cause.step(), reason: cause.to_string() };
    context.output.answer(&answer, "", "")?;
    Ok(Failure::refused(format!("refused at step {}: {cause}", cause.step()))
        .next("see what the token holds: `tikti token inspect TOKEN`"))
}
