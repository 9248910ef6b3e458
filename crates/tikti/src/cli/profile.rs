//! `tikti profile`: which servers are known, which one is meant, and which one is known no more?
//!
//! No secret of a profile is shown, only whether it is there.
//!
//! Spec: Command line, "Profiles".

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::output;
use crate::profile::Profile;

/// List the known servers, choose one, forget one
#[derive(Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles; the current one is marked
    #[command(after_help = "Example:\n  tikti profile list --output json")]
    List,
    /// Make a profile the current one
    #[command(after_help = "Example:\n  tikti profile use dev")]
    Use {
        /// Name of the profile
        name: String,
    },
    /// Delete a profile: its API key, tenant and session are forgotten here, and go on at the server
    #[command(after_help = "Example:\n  tikti profile delete dev --yes")]
    Delete {
        /// Name of the profile
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    current: bool,
    base_url: String,
    tenant_id: Option<String>,
    has_api_key: bool,
    has_session: bool,
    /// Whether its secrets lie in the keyring of the system.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keyring: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    current_profile: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    profile: String,
    /// The one that is meant now; absent where the deleted one was.
    current_profile: Option<String>,
}

pub(crate) fn run(context: &Context, command: &ProfileCommand) -> Result<(), Failure> {
    match command {
        ProfileCommand::List => list(context),
        ProfileCommand::Use { name } => choose(context, name),
        ProfileCommand::Delete { name, yes } => delete(context, name, *yes),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let stored = context.profiles()?;
    let current = stored.current_profile.as_deref();
    let profiles = stored.profiles.iter().map(|(name, profile)| {
        let profile = with_secrets(context, name, profile);
        Listed {
            name: name.clone(),
            current: Some(name.as_str()) == current,
            base_url: profile.base_url,
            tenant_id: profile.tenant_id,
            has_api_key: profile.api_key.is_some(),
            has_session: profile.id_token.or(profile.refresh_token).is_some(),
            keyring: profile.keyring,
        }
    });
    let profiles = Vec::from_iter(profiles);
    let names = profiles.iter().map(|profile| profile.name.as_str());
    let names = Vec::from_iter(names).join("\n");
    context.output.answer(&profiles, &people(&profiles), &names)
}

/// The profile as it is, where its keyring cannot be used: the others are shown all the same.
fn with_secrets(context: &Context, name: &str, profile: &Profile) -> Profile {
    let whole = context.profile_file().and_then(|file| file.with_secrets(name, profile.clone()));
    whole.unwrap_or_else(|failure| {
        context.output.warn(&format!("profile `{name}`: {}", failure.message));
        profile.clone()
    })
}

fn people(profiles: &[Listed]) -> String {
    if profiles.is_empty() {
        return "No profile yet: `tikti init --host URL` makes one.".to_owned();
    }
    let yes = |is: bool| if is { "yes" } else { "-" }.to_owned();
    let rows = profiles.iter().map(|profile| {
        [
            if profile.current { "*" } else { "" }.to_owned(),
            profile.name.clone(),
            profile.base_url.clone(),
            profile.tenant_id.clone().unwrap_or_else(|| "-".to_owned()),
            yes(profile.has_api_key),
            yes(profile.has_session),
        ]
    });
    output::table(&["", "NAME", "SERVER", "TENANT", "API KEY", "SESSION"], rows)
}

fn choose(context: &Context, name: &str) -> Result<(), Failure> {
    context.profile_file()?.update(|profiles| {
        if !profiles.profiles.contains_key(name) {
            return Err(unknown(name));
        }
        profiles.current_profile = Some(name.to_owned());
        Ok(())
    })?;
    context.output.done(&format!("Profile `{name}` is current."));
    let used = Used { current_profile: name.to_owned() };
    context.output.answer(&used, "", name)
}

fn delete(context: &Context, name: &str, is_meant: bool) -> Result<(), Failure> {
    let stored = context.profiles()?.profiles.remove(name).ok_or_else(|| unknown(name))?;
    let what = format!("profile `{name}` of {} with its API key and session", stored.base_url);
    input::confirm_deletion(&context.output, &what, is_meant)?;
    let current_profile = context.profile_file()?.update(|profiles| {
        profiles.profiles.remove(name).ok_or_else(|| unknown(name))?;
        profiles.current_profile.take_if(|current| current.as_str() == name);
        Ok(profiles.current_profile.clone())
    })?;
    context.output.done(&format!("Profile `{name}` deleted."));
    if stored.id_token.or(stored.refresh_token).is_some() {
        context
            .output
            .note("Its session goes on until its expiry: a copy of its tokens stays good");
    }
    if current_profile.is_none() {
        context.output.note("No profile is current now: `tikti profile use NAME` chooses one");
    }
    let deleted = Deleted { profile: name.to_owned(), current_profile };
    context.output.answer(&deleted, "", name)
}

fn unknown(name: &str) -> Failure {
    Failure::usage(format!("there is no profile `{name}`")).next("see `tikti profile list`")
}
