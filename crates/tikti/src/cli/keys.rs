//! `tikti keys`: the public keys of a server, and whether they may be believed.
//!
//! Keys come from the discovery document of the server that the profile names. An address that stands
//! in a token is never asked: whoever made the token would choose who vouches for it.
//!
//! Spec: Tokens and keys, "Signing keys"; Command line, `keys`.

use clap::Subcommand;
use tikti_server::api::DiscoveryReply;
use tikti_token::{Jwks, KeySet};
use url::Url;

use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;

/// Show the public signing keys
#[derive(Subcommand)]
pub(crate) enum KeysCommand {
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
        KeysCommand::Jwks => jwks(context).await,
    }
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
