//! `tikti keys rotate`: the next signing key, in time or at once.
//!
//! An ordinary rotation breaks nothing and asks nobody. An emergency ends every token of the keys that it
//! revokes, so it is asked about first, and what it means stands in the question.
//!
//! Spec: Tokens and keys, "Signing keys"; Command line, `keys`.

use clap::Args;
use tikti_server::api::{RotateKeyRequest, RotatedKeyReply};

use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::input;

/// Make the key that signs next; in an emergency, revoke keys and sign with a new one at once
///
/// The next key is published now and signs as soon as every server and every verifier knows it; tokens in
/// circulation stay good. Where one waits for its turn already, nothing is made and that one is shown.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti keys rotate
  tikti keys rotate --emergency                    a private key, or the store, is stolen
  tikti keys rotate --emergency --kid tikti-2026-01-7f3k --yes

An emergency revokes all keys, or the one that --kid names. The tokens that they signed
are refused by the servers within keys.refreshInterval (30 s as shipped), and by verifiers
within keys.jwksMaxAge (300 s as shipped), when their copy of the JWKS ends.")]
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
}

pub(crate) async fn run(context: &Context, args: &RotateArgs) -> Result<(), Failure> {
    let target = context.target()?;
    let client = context.client(&target.host)?;
    let bearer = Credential::Bearer(target.id_token()?);
    if args.emergency && !args.yes {
        let keys = revoked(args);
        let host = &target.host;
        context.output.warn(&format!(
            "{keys} of {host} will be revoked: access and worker tokens that it has signed are refused, by the \
             servers within keys.refreshInterval, by verifiers within keys.jwksMaxAge; programs have to get \
             new ones"
        ));
        input::confirm(&context.output, "Revoke now?")?;
    }
    let request =
        RotateKeyRequest { emergency: args.emergency.then_some(true), kid: args.kid.clone() };
    let url = client.url(&["v1", "keys", "rotate"]);
    let rotated: RotatedKeyReply = client.post(url, bearer, &request).await?;
    say(context, args, &rotated);
    context.output.answer(&rotated, "", &rotated.kid)
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
