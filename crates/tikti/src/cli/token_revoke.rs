//! `tikti token revoke`: one token is good no more.
//!
//! The server's answer is the same for every token, so that nobody learns of one that is not for him: what is
//! said here promises no more than that. A token that was revoked leaves the profile.
//!
//! Spec: Command line, `token`; Tokens and keys, "Revocation". RFC 7009.

use clap::Args;
use tikti_server::api::EmptyReply;
use tikti_token::peek;

use super::token::{Kind, expires_at, stored, token_use};
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::input;
use crate::profile::Profile;

/// Every refresh token begins so.
const REFRESH_TOKEN: &str = "rt_";

/// Revoke a token, so that the server and whoever asks it take it no more
///
/// The API key decides how far it reaches: one of the deployment revokes every token, a tenant's the tokens of
/// that tenant. A refresh token ends its session.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti token revoke
  tikti token revoke --type access
  tikti token show --type access | tikti token revoke -

`tikti session revoke` ends a session with all that came from it.")]
pub(crate) struct RevokeArgs {
    /// The token; `-` reads it from standard input [default: the access token of the profile]
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// Which token of the profile
    #[arg(long = "type", value_enum, conflicts_with = "token")]
    kind: Option<Kind>,
}

pub(crate) async fn run(context: &Context, args: &RevokeArgs) -> Result<(), Failure> {
    let token = match args.token.as_deref() {
        Some("-") => input::piped_token()?,
        Some(token) => token.to_owned(),
        None => stored(context, args.kind.unwrap_or(Kind::Access))?,
    };
    let named = Named::of(&token)?;
    let target = context.target()?;
    let client = context.client(&target.host)?;
    let url = client.url(&["oauth2", "revoke"]);
    let key = Credential::ApiKey(target.api_key.as_ref());
    let reply: EmptyReply = client.post_form(url, key, &[("token", &token)]).await?;
    if let Err(failure) = context.remember(&target, |profile| forget(profile, &token)) {
        context.output.warn(&format!("the profile still holds it: {}", failure.message));
    }
    let output = &context.output;
    output.done(&format!("{} takes the {} no more.", target.host, named.what));
    if let Some(until) = named.believed_until {
        let until = clock::readable(until, clock::now_seconds());
        output.note(&format!("Services that verify it offline may take it until {until}."));
    }
    output.note(
        "A token that is not this server's, or not within reach of the API key, stays as it is.",
    );
    output.answer(&reply, "", "")
}

/// What a token says of itself.
struct Named {
    what: &'static str,
    /// When it ends for those who do not ask the server.
    believed_until: Option<u64>,
}

impl Named {
    /// Errors: exit code 3 for what is no token: it would be answered as if it had been revoked.
    fn of(token: &str) -> Result<Self, Failure> {
        if token.starts_with(REFRESH_TOKEN) {
            return Ok(Self { what: "refresh token and its session", believed_until: None });
        }
        let token = peek(token)
            .map_err(|cause| Failure::usage(format!("this cannot be read as a token: {cause}")))?;
        let (what, believed_until) = match token_use(&token) {
            Some("access") => ("access token", expires_at(&token)),
            Some("worker") => ("worker token", expires_at(&token)),
            Some("id") => ("idToken", None),
            _ => ("token", expires_at(&token)),
        };
        Ok(Self { what, believed_until })
    }
}

fn forget(profile: &mut Profile, token: &str) {
    let Profile { id_token, refresh_token, access_token, worker_token, .. } = profile;
    let is_revoked = |stored: &mut String| stored.as_str() == token;
    if refresh_token.take_if(is_revoked).is_some() {
        // Its session has ended.
        *id_token = None;
    }
    for stored in [id_token, access_token, worker_token] {
        let _forgotten = stored.take_if(is_revoked);
    }
}
