//! `tikti keys rotate`: the next signing key, in time or at once.
//!
//! An ordinary rotation breaks nothing and asks nobody. An emergency ends every token of the keys that it
//! revokes, so it is asked about first, and what it means stands in the question. Done twice it would revoke
//! the key of the first one as well, so each invocation has a name by which it may come again.
//!
//! Spec: Tokens and keys, "Signing keys"; Command line, `keys`.

use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use tikti_server::api::{RotateKeyRequest, RotatedKeyReply};

use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session::Session;

/// Make the key that signs next; in an emergency, revoke keys and sign with a new one at once
///
/// The next key is published now and signs as soon as every server and every verifier knows it; tokens in
/// circulation stay good. Where one waits for its turn already, nothing is made and that one is shown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti keys rotate
  tikti keys rotate --emergency           # a private key, or the store, is stolen
  tikti keys rotate --emergency --kid tikti-2026-01-7f3k --yes

An emergency revokes all keys, or the one that --kid names. The tokens that they signed
are refused by the servers within keys.refreshInterval (30 s as shipped), and by verifiers
within keys.jwksMaxAge (300 s as shipped), when their copy of the JWKS ends.
Where the reply is lost, it is asked for once more by itself; the error then says how to
go on without doing it twice.")]
pub(crate) struct RotateArgs {
    /// Revoke the existing keys with their tokens, and sign with a new one at once
    #[arg(long)]
    emergency: bool,
    /// In an emergency, revoke this key alone
    #[arg(long, value_name = "KID", requires = "emergency")]
    kid: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Repeat the invocation of this name, which is not done twice within ten minutes
    #[arg(long, value_name = "KEY", value_parser = request_name)]
    idempotency_key: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &RotateArgs) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    if args.emergency && !args.yes {
        let keys = revoked(args);
        let host = &session.target.host;
        context.output.warn(&format!(
            "{keys} of {host} will be revoked: access and worker tokens that it has signed are refused, by the \
             servers within keys.refreshInterval, by verifiers within keys.jwksMaxAge; programs have to get \
             new ones"
        ));
        input::confirm(&context.output, "Revoke now?")?;
    }
    let request =
        RotateKeyRequest { emergency: args.emergency.then_some(true), kid: args.kid.clone() };
    let url = session.url(&["v1", "keys", "rotate"]);
    let name = args.idempotency_key.clone().map_or_else(fresh_name, Ok)?;
    let rotated: RotatedKeyReply = session
        .post_named(url, (&name, &request))
        .await
        .map_err(|failure| repeatable(failure, &name))?;
    say(context, args, &rotated);
    context.output.answer(&rotated, "", &rotated.kid)
}

/// Says how to go on where the server may have done it all the same. Its refusals changed nothing, and what was
/// never sent did not either.
fn repeatable(failure: Failure, name: &str) -> Failure {
    let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
    if failure.is_unsent || !matches!(code, None | Some("INTERNAL" | "STORE_UNAVAILABLE")) {
        return failure;
    }
    let hint = format!(
        "it may have been done: say the same again with --idempotency-key {name}, which is not done twice \
         within ten minutes"
    );
    let next = failure.next.as_ref().map_or_else(|| hint.clone(), |next| format!("{next}; {hint}"));
    failure.next(next)
}

fn fresh_name() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    #[expect(clippy::disallowed_methods, reason = "the name of one invocation; no domain here")]
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Failure::refused("the system gives no random bytes"))?;
    Ok(format!("rotate-{}", BASE64URL_NOPAD.encode(&bytes)))
}

/// The grammar of the header: HTTP API, "Tenant administration".
fn request_name(text: &str) -> Result<String, String> {
    let is_name =
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name { Ok(text.to_owned()) } else { Err("1 to 255 visible ASCII characters".to_owned()) }
}

fn revoked(args: &RotateArgs) -> String {
    match &args.kid {
        Some(kid) => format!("the signing key {kid}"),
        None => "every signing key".to_owned(),
    }
}

fn say(context: &Context, args: &RotateArgs, rotated: &RotatedKeyReply) {
    let RotatedKeyReply { kid, state, activates_at } = rotated;
    let output = &context.output;
    if args.emergency {
        output.done(&format!("Revoked: {}. {kid} is {state}", revoked(args)));
        output.note("Servers refuse tokens of what is revoked within keys.refreshInterval (30 s as shipped)");
        output.note("Verifiers take them until their copy of the JWKS ends: keys.jwksMaxAge (300 s as shipped)");
    } else {
        output.done(&format!("Key {kid} is {state} and signs from {activates_at} on"));
        output.note("Servers know it within keys.refreshInterval (30 s as shipped)");
        output.note("Verifiers know it within keys.jwksMaxAge (300 s as shipped), before it signs");
        output.note("Tokens in circulation stay good: nothing else has to be done");
    }
}
