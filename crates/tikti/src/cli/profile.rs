//! `tikti profile`: which servers are known, and which one is meant?
//!
//! No secret of a profile is shown, only whether it is there.
//!
//! Spec: Command line, "Profiles".

use clap::Subcommand;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Failure;
use crate::output;

/// List the known servers, choose one
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
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    current_profile: String,
}

pub(crate) fn run(context: &Context, command: &ProfileCommand) -> Result<(), Failure> {
    match command {
        ProfileCommand::List => list(context),
        ProfileCommand::Use { name } => choose(context, name),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let stored = context.profiles()?;
    let current = stored.current_profile.as_deref();
    let profiles = stored.profiles.iter().map(|(name, profile)| Listed {
        name: name.clone(),
        current: Some(name.as_str()) == current,
        base_url: profile.base_url.clone(),
        tenant_id: profile.tenant_id.clone(),
        has_api_key: profile.api_key.is_some(),
        has_session: profile.id_token.is_some(),
    });
    let profiles = Vec::from_iter(profiles);
    let names = profiles.iter().map(|profile| profile.name.as_str());
    let names = Vec::from_iter(names).join("\n");
    context.output.answer(&profiles, &people(&profiles), &names)
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
    output::table(["", "NAME", "SERVER", "TENANT", "API KEY", "SESSION"], rows.collect())
}

fn choose(context: &Context, name: &str) -> Result<(), Failure> {
    context.profile_file()?.update(|profiles| {
        if !profiles.profiles.contains_key(name) {
            return Err(Failure::usage(format!("there is no profile `{name}`"))
                .next("see `tikti profile list`"));
        }
        profiles.current_profile = Some(name.to_owned());
        Ok(())
    })?;
    context.output.done(&format!("Profile `{name}` is current."));
    let used = Used { current_profile: name.to_owned() };
    context.output.answer(&used, "", name)
}
