//! `tikti init`: names a server and makes it the current one.
//!
//! What is known of a server is kept as long as it is that server: the API key, tenant and session of
//! a profile go when its address changes, because they would be sent to somebody else.
//!
//! Spec: Command line, `init`.

use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;
use tikti_server::api::VersionReply;

use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::input;
use crate::profile::{Profile, Profiles};

/// Name the server to work with, and remember its API key
///
/// Writes the profile to ~/.tikti/config.yaml and makes it the current one. On a terminal it asks for
/// what is missing.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti init --host https://api.tikti.io
  tikti init --host https://api.tikti.io --api-key tk_... --tenant codecompany --profile work

With --keyring the secrets lie in GNOME Keyring, KWallet or another Secret Service, by way of
its program secret-tool, or in the keychain of macOS.")]
pub(crate) struct InitArgs {
    /// Tenant, by id or slug, that commands mean where none is named
    #[arg(long, value_name = "REF")]
    tenant: Option<String>,
    /// Keep API key and tokens of the profile in the keyring of this system, not in the file
    #[arg(long)]
    keyring: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    profile: String,
    base_url: String,
    /// Version of the server; absent where it did not answer.
    version: Option<String>,
    has_api_key: bool,
}

pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<(), Failure> {
    let host = host(context)?;
    let file = context.profile_file()?;
    file.check_writable()?;
    let known = known_profile(context, &file.load()?, &host);
    let api_key = api_key(context, known.as_ref())?;
    let version = reach(context, &host).await?;
    let (profile, has_api_key) = file.update(|profiles| {
        let name = profile_name(context.named_profile(), profiles, &host);
        let stored = profiles.profiles.remove(&name);
        let mut profile =
            stored.filter(|stored| stored.is_of(&host)).unwrap_or_else(|| Profile::new(&host));
        profile.api_key = api_key.or(profile.api_key);
        profile.keyring |= args.keyring;
        profile.tenant_id = args.tenant.clone().or(profile.tenant_id);
        let has_api_key = profile.api_key.is_some();
        profiles.profiles.insert(name.clone(), profile);
        profiles.current_profile = Some(name.clone());
        Ok((name, has_api_key))
    })?;
    context.output.done(&format!("Profile `{profile}` is current: {host}"));
    if !has_api_key {
        context.output.note("It has no API key: token exchange wants one (--api-key).");
    }
    let answer =
        Initialized { profile: profile.clone(), base_url: host.to_string(), version, has_api_key };
    context.output.answer(&answer, "", &profile)
}

fn host(context: &Context) -> Result<BaseUrl, Failure> {
    let given = context.globals.host.clone();
    let text = match given.or_else(|| context.environment.host.clone()) {
        Some(text) => text,
        None if input::is_interactive() => input::ask(&context.output, "Address of the server")?,
        None => {
            return Err(Failure::usage("no server is named")
                .next("give its address: `tikti init --host URL`"));
        }
    };
    BaseUrl::parse(&text)
}

/// The key to store: `None` keeps the one that the profile has.
fn api_key(context: &Context, known: Option<&Profile>) -> Result<Option<String>, Failure> {
    let given = context.globals.api_key.clone();
    if let Some(key) = given.or_else(|| context.environment.api_key.clone()) {
        return Ok(Some(key));
    }
    let is_known = known.is_some_and(|profile| profile.api_key.is_some() || profile.keyring);
    if is_known || !input::is_interactive() {
        return Ok(None);
    }
    let typed = input::ask_secret("API key (empty for none)")?;
    let typed = typed.expose_secret().trim();
    Ok(Some(typed.to_owned()).filter(|key| !key.is_empty()))
}

/// Asks the server for its version. One that is away may be named all the same.
async fn reach(context: &Context, host: &BaseUrl) -> Result<Option<String>, Failure> {
    let client = context.client(host)?;
    let reply = client.get::<VersionReply>(client.url(&["version"]), Credential::Nothing).await;
    match reply {
        Ok(found) => {
            let VersionReply { name, version } = found;
            context.output.done(&format!("{name} {version} answers at {host}"));
            Ok(Some(version))
        }
        Err(failure) => {
            context.output.warn(&format!("{} (stored all the same)", failure.message));
            Ok(None)
        }
    }
}

fn known_profile(context: &Context, profiles: &Profiles, host: &BaseUrl) -> Option<Profile> {
    let name = profile_name(context.named_profile(), profiles, host);
    let stored = profiles.profiles.get(&name).cloned();
    stored.filter(|stored| stored.is_of(host))
}

/// Chooses the profile: the one that is named, else one of this host (the current one first), else
/// `default` where that is free, else one named after the host.
fn profile_name(named: Option<&str>, profiles: &Profiles, host: &BaseUrl) -> String {
    if let Some(name) = named {
        return name.to_owned();
    }
    let is_of_host = |name: &&String| {
        let stored = profiles.profiles.get(*name);
        stored.is_some_and(|profile| profile.is_of(host))
    };
    let current = profiles.current_profile.iter();
    if let Some(name) = current.chain(profiles.profiles.keys()).find(is_of_host) {
        return name.clone();
    }
    let numbered = (2_u32..).map(|n| format!("{}-{n}", host.host_name()));
    ["default".to_owned(), host.host_name().to_owned()]
        .into_iter()
        .chain(numbered)
        .find(|name| !profiles.profiles.contains_key(name))
        .unwrap_or_else(|| "default".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap()
    }

    fn profiles(stored: &[(&str, &str)], current: Option<&str>) -> Profiles {
        let entries = stored.iter();
        Profiles {
            current_profile: current.map(str::to_owned),
            profiles: entries
                .map(|(name, host)| ((*name).to_owned(), Profile::new(&url(host))))
                .collect(),
        }
    }

    #[test]
    fn the_profile_is_chosen_by_name_then_host_then_what_is_free() {
        let local = ("dev", "http://127.0.0.1:8080");
        let work = ("default", "https://api.tikti.io");
        let twin = ("twin", "http://127.0.0.1:8080");
        for (named, stored, current, host, expected) in [
            (None, vec![], None, "http://127.0.0.1:8080", "default"),
            (None, vec![local], None, "http://127.0.0.1:8080/", "dev"),
            (None, vec![local, twin], Some("twin"), "http://127.0.0.1:8080", "twin"),
            (None, vec![local, twin], Some("other"), "http://127.0.0.1:8080", "dev"),
            (None, vec![local], None, "https://b.io", "default"),
            (None, vec![work], None, "https://b.io", "b.io"),
            (None, vec![work, ("b.io", "https://b.io:1")], None, "https://b.io", "b.io-2"),
            (Some("x"), vec![local], None, "http://127.0.0.1:8080", "x"),
        ] {
            let chosen = profile_name(named, &profiles(&stored, current), &url(host));
            assert_eq!(chosen, expected, "{host}");
        }
    }
}
