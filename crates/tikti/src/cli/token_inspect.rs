//! `tikti token inspect`: what does a token hold, and is it good?
//!
//! Shows every token, also one that is not believed, and says beside it whether it is. It succeeds
//! either way: `verify` is the command that judges.
//!
//! Spec: Command line, `token`.

use serde::Serialize;
use serde_json::{Map, Value};
use tikti_token::{Audience, DEFAULT_SKEW_SECONDS, Policy, UnverifiedToken, peek};

use super::keys::trusted_keys;
use super::token::TokenArgument;
use super::token_verify;
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

/// Claims that hold a time in seconds (RFC 7519 section 4.1, OpenID Connect Core section 2).
const TIMES: [&str; 4] = ["auth_time", "exp", "iat", "nbf"];

#[derive(Serialize)]
struct Inspected<'a> {
    header: &'a Map<String, Value>,
    claims: &'a Map<String, Value>,
    verified: bool,
    /// Why it is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) async fn run(context: &Context, argument: &TokenArgument) -> Result<(), Failure> {
    let token = argument.read(context)?;
    let unverified = peek(&token)
        .map_err(|cause| Failure::refused(format!("this cannot be read as a token: {cause}")))?;
    let reason = doubt(context, &token, &unverified).await.err();
    let people = people(&unverified, reason.as_deref());
    let inspected = Inspected {
        header: unverified.header(),
        claims: unverified.claims(),
        verified: reason.is_none(),
        reason,
    };
    let bare = serde_json::to_string(inspected.claims)
        .map_err(|cause| Failure::refused(format!("writing the claims: {cause}")))?;
    context.output.answer(&inspected, &people, &bare)
}

/// Succeeds where the token is good; the error says why that is not known or not so.
async fn doubt(context: &Context, token: &str, unverified: &UnverifiedToken) -> Result<(), String> {
    let member = |name| unverified.header().get(name).and_then(Value::as_str);
    // Of RS256 too: whether its session lives is what matters, and only the server knows.
    let is_id = unverified.claims().get("token_use").is_some_and(|token_use| token_use == "id");
    if member("alg") == Some("HS256") || is_id {
        return Err("only the server can verify an idToken; `tikti auth status` asks it".into());
    }
    let target = context.target().map_err(|failure| failure.message)?;
    let trusted = trusted_keys(context, &target.host).await.map_err(|failure| failure.message)?;
    let policy = Policy {
        issuer: &trusted.issuer,
        audience: Audience::Deferred,
        required_scopes: &[],
        skew_seconds: DEFAULT_SKEW_SECONDS,
    };
    token_verify::verify(token, unverified, &trusted, &policy)
        .map_err(|cause| format!("{cause} (step {})", cause.step()))
}

fn people(token: &UnverifiedToken, reason: Option<&str>) -> String {
    let now = clock::now_seconds();
    let members = |map: &Map<String, Value>| {
        let pairs = map.iter().map(|(name, value)| {
            let name = name.as_str();
            (name, readable(name, value, now))
        });
        output::fields(pairs)
    };
    let verdict = match reason {
        None => "yes, by the public keys of the profile's server".to_owned(),
        Some(reason) => format!("no: {reason}"),
    };
    format!(
        "HEADER\n{}\n\nCLAIMS\n{}\n\n{}",
        members(token.header()),
        members(token.claims()),
        output::fields(vec![("VERIFIED", verdict)])
    )
}

fn readable(name: &str, value: &Value, now: u64) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if TIMES.contains(&name) => {
            number.as_u64().map_or_else(|| number.to_string(), |at| clock::readable(at, now))
        }
        _ => value.to_string(),
    }
}
