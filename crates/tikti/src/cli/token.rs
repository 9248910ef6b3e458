//! `tikti token`: gets tokens, and says what one holds and whether it is good.
//!
//! A token is printed only where it was asked for: by `exchange` and `show`.
//!
//! Spec: Command line, `token`.

use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use tikti_token::UnverifiedToken;

use super::token_exchange::{self, ExchangeArgs};
use super::token_inspect;
use super::token_revoke::{self, RevokeArgs};
use super::token_verify::{self, VerifyArgs};
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session;

/// Get, show, decode, verify and revoke tokens
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    Exchange(ExchangeArgs),
    /// Decode a token and say whether it is good, and why not
    ///
    /// Keys are taken from the server of the profile, never from an address in the token.
    #[command(after_help = "\
Example:
  tikti token inspect
  tikti token show --type id | tikti token inspect -")]
    Inspect(TokenArgument),
    Verify(VerifyArgs),
    Revoke(RevokeArgs),
    /// Print a token of the profile; an idToken that has ended is refreshed
    #[command(after_help = "\
Example:
  curl -H \"Authorization: Bearer $(tikti token show --type access)\" http://127.0.0.1:9000/jobs")]
    Show(ShowArgs),
}

#[derive(Args)]
pub(crate) struct TokenArgument {
    /// The token; `-` reads it from standard input [default: the access token of the profile]
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Which token
    #[arg(long = "type", value_enum)]
    kind: Kind,
}

#[derive(Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    /// Of the session: good at Tikti alone
    Id,
    /// The last one from `token exchange`
    Access,
    /// The last one from `token exchange` for a client with event types
    Worker,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    token: &'a str,
}

pub(crate) async fn run(context: &Context, command: &TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Exchange(args) => token_exchange::run(context, args).await,
        TokenCommand::Inspect(token) => token_inspect::run(context, token).await,
        TokenCommand::Verify(args) => token_verify::run(context, args).await,
        TokenCommand::Revoke(args) => token_revoke::run(context, args).await,
        TokenCommand::Show(args) => show(context, args.kind).await,
    }
}

impl TokenArgument {
    /// The token that is meant.
    pub(crate) fn read(&self, context: &Context) -> Result<String, Failure> {
        match self.token.as_deref() {
            Some("-") => input::piped_token(),
            Some(token) => Ok(token.to_owned()),
            None => stored(context, Kind::Access),
        }
    }
}

async fn show(context: &Context, kind: Kind) -> Result<(), Failure> {
    let token = match kind {
        // Whoever uses it wants one that holds.
        Kind::Id if context.environment.token.is_none() => id_token(context).await?,
        _ => stored(context, kind)?,
    };
    let shown = Shown { kind, token: &token };
    context.output.answer(&shown, &token, &token)
}

async fn id_token(context: &Context) -> Result<String, Failure> {
    let token = stored(context, Kind::Id)?;
    let target = context.target()?;
    // Of another server than the profile's there is none.
    if target.id_token().is_err() {
        return Ok(token);
    }
    let client = context.client(&target.host)?;
    let target = session::refreshed(context, target, &client).await?;
    Ok(target.id_token()?.expose_secret().to_owned())
}

pub(crate) fn stored(context: &Context, kind: Kind) -> Result<String, Failure> {
    let (name, profile) = context.selected(&mut context.profiles()?)?;
    let profile = profile.unwrap_or_default();
    let (token, what, next) = match kind {
        Kind::Id => {
            let given = context.environment.token.clone();
            let login = "sign in: `tikti auth login --user EMAIL`";
            (given.or(profile.id_token), "idToken", login)
        }
        Kind::Access => {
            let exchange = "get one: `tikti token exchange --aud CLIENT`";
            (profile.access_token, "access token", exchange)
        }
        Kind::Worker => {
            let exchange = "get one: `tikti token exchange --aud CLIENT --event-types TYPES`";
            (profile.worker_token, "worker token", exchange)
        }
    };
    token.ok_or_else(|| {
        Failure::authentication(format!("profile `{name}` holds no {what}")).next(next)
    })
}

/// The class that a token says to be of.
pub(crate) fn token_use(token: &UnverifiedToken) -> Option<&str> {
    text_claim(token, "token_use")
}

/// What a token says of itself, believed or not.
pub(crate) fn text_claim<'a>(token: &'a UnverifiedToken, name: &str) -> Option<&'a str> {
    token.claims().get(name).and_then(Value::as_str)
}

/// When a token ends by its own words, in seconds since 1970.
pub(crate) fn expires_at(token: &UnverifiedToken) -> Option<u64> {
    token.claims().get("exp").and_then(Value::as_u64)
}

/// Splits at spaces and commas. An option that is given and holds nothing is an unset variable more
/// often than a wish for none, so it is refused.
pub(crate) fn words(option: &str, given: &[String]) -> Result<Option<Vec<String>>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    let words = given
        .iter()
        .flat_map(|text| text.split(|c: char| c == ',' || c.is_whitespace()))
        .filter(|word| !word.is_empty())
        .map(str::to_owned);
    match Vec::from_iter(words) {
        words if words.is_empty() => Err(Failure::usage(format!("{option} is empty"))
            .next(format!("leave {option} out if none is meant"))),
        words => Ok(Some(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_spaces_and_commas() {
        for given in [
            vec!["jobs:read jobs:write"],
            vec!["jobs:read,jobs:write"],
            vec![" jobs:read ,\tjobs:write, "],
            vec!["jobs:read", "jobs:write"],
        ] {
            let given = Vec::from_iter(given.into_iter().map(str::to_owned));
            let scopes = words("--scope", &given).unwrap().unwrap();
            assert_eq!(scopes, ["jobs:read", "jobs:write"]);
        }
    }

    #[test]
    fn an_absent_option_means_none_and_an_empty_one_is_refused() {
        assert_eq!(words("--scope", &[]).unwrap(), None);
        for empty in ["", " ", ","] {
            assert!(words("--scope", &[empty.to_owned()]).is_err());
        }
    }
}
