//! `tikti keys`: the signing keys of a server, what becomes of them, and whether they may be believed.
//!
//! Keys come from the discovery document of the server that the profile names. An address that stands
//! in a token is never asked: whoever made the token would choose who vouches for it.
//!
//! Spec: Tokens and keys, "Signing keys"; Command line, `keys`.

use clap::Subcommand;
use tikti_server::api::{DiscoveryReply, KeyListReply, KeyReply};
use tikti_token::{Jwks, KeySet};
use url::Url;

use super::{keys_import, keys_rewrap, keys_rotate};
use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::output;
use crate::session::Session;

/// Show, rotate, revoke and import signing keys
#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// List the signing keys: what each may do, what becomes of it, and how long it is needed
    #[command(after_help = "\
Example:
  tikti keys list

NEXT is the next state and when it begins. TOKENS UNTIL is how long somebody may take a
token of the key: of one that signs, if it ended now.")]
    List,
    Rotate(keys_rotate::RotateArgs),
    Import(keys_import::ImportArgs),
    Rewrap(keys_rewrap::RewrapArgs),
    /// Print the JSON Web Key Set that verifies access and worker tokens
    #[command(after_help = "Example:\n  tikti keys jwks > jwks.json")]
    Jwks,
}

/// Whose tokens are believed, and the keys that prove it.
pub(crate) struct TrustedKeys {
    pub(crate) issuer: String,
    pub(crate) keys: KeySet,
}

pub(crate) async fn run(context: &Context, command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::List => list(context).await,
        KeysCommand::Rotate(args) => keys_rotate::run(context, args).await,
        KeysCommand::Import(args) => {
            context.refuse_server_options("keys import")?;
            keys_import::run(context, args).await
        }
        KeysCommand::Rewrap(args) => {
            context.refuse_server_options("keys rewrap")?;
            keys_rewrap::run(context, args).await
        }
        KeysCommand::Jwks => jwks(context).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    let list: KeyListReply = session.get(session.url(&["v1", "keys"])).await?;
    let kids = list.keys.iter().map(|key| key.kid.as_str());
    let kids = Vec::from_iter(kids).join("\n");
    let rows = list.keys.iter().map(row);
    let headers = ["KID", "STATE", "NEXT", "TOKENS UNTIL", "SAFE TO RETIRE", "KEY", "CREATED"];
    let people = output::table(&headers, rows);
    context.output.answer(&list, &people, &kids)
}

fn row(key: &KeyReply) -> [String; 7] {
    let none = || "-".to_owned();
    let next = key.becomes.as_ref().zip(key.changes_at.as_ref());
    let origin = if key.imported { ", imported" } else { "" };
    [
        key.kid.clone(),
        key.state.clone(),
        next.map_or_else(none, |(state, at)| format!("{state} {at}")),
        key.tokens_alive_until.clone().unwrap_or_else(none),
        if key.safe_to_retire { "yes" } else { "no" }.to_owned(),
        format!("RSA {}{origin}", key.bits),
        key.created_at.clone(),
    ]
}

async fn jwks(context: &Context) -> Result<(), Failure> {
    let target = context.target()?;
    let client = context.client(&target.host)?;
    let url = client.url(&[".well-known", "jwks.json"]);
    let jwks: Jwks = client.get(url, Credential::Nothing).await?;
    let people = serde_json::to_string_pretty(&jwks)
        .map_err(|cause| Failure::refused(format!("writing the keys: {cause}")))?;
    let kids = jwks.keys.iter().map(|key| key.kid.as_str());
    let kids = Vec::from_iter(kids).join("\n");
    context.output.answer(&jwks, &people, &kids)
}

/// Fetches what `host` says of itself: its issuer, and the keys at its `jwks_uri`.
pub(crate) async fn trusted_keys(
    context: &Context,
    host: &BaseUrl,
) -> Result<TrustedKeys, Failure> {
    let client = context.client(host)?;
    let url = client.url(&[".well-known", "openid-configuration"]);
    let discovery: DiscoveryReply = client.get(url, Credential::Nothing).await?;
    let url = jwks_url(host, &discovery)?;
    let client = context.client(&BaseUrl::parse(&url.origin().ascii_serialization())?)?;
    let jwks: Jwks = client.get(url, Credential::Nothing).await?;
    let keys = KeySet::from_jwks(&jwks)
        .map_err(|cause| Failure::refused(format!("the keys of {host}: {cause}")))?;
    Ok(TrustedKeys { issuer: discovery.issuer, keys })
}

/// Refuses to leave TLS: keys read over plain HTTP could be anybody's.
fn jwks_url(host: &BaseUrl, discovery: &DiscoveryReply) -> Result<Url, Failure> {
    let wrong =
        || Failure::refused(format!("the discovery document of {host} names no usable jwks_uri"));
    let url = Url::parse(&discovery.jwks_uri).map_err(|_| wrong())?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if !host.is_https() => Ok(url),
        _ => Err(wrong()),
    }
}
