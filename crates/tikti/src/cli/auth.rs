//! `tikti auth`: begins a session, and ends it.
//!
//! A password is asked for on a terminal or read from a pipe, never taken from the command line, where
//! every user of the machine could read it; no token is printed.
//!
//! Spec: Command line, `auth`; HTTP API, "Identity".

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tikti_server::api::{SignInReply, SignInRequest};

use super::auth_logout::{self, LogoutArgs};
use super::auth_status;
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::http_client::Credential;
use crate::input;
use crate::profile::{Profile, Profiles};

/// Sign in, sign out, see who is signed in
#[derive(Subcommand)]
pub(crate) enum AuthCommand {
    /// Sign in; asks for the password on a terminal
    #[command(after_help = "\
Example:
  tikti auth login --user root@corp.sys
  tikti auth login --user root@corp.sys --password-stdin < password.txt")]
    Login(LoginArgs),
    Logout(LogoutArgs),
    /// Show who is signed in, where, until when; exit code 2 where nobody is
    #[command(
        after_help = "Example:\n  tikti auth status || tikti auth login --user root@corp.sys"
    )]
    Status,
}

#[derive(Args)]
pub(crate) struct LoginArgs {
    /// E-mail address of the user
    #[arg(long, alias = "email", value_name = "EMAIL")]
    user: Option<String>,
    /// Read the password from standard input; one line end is stripped
    #[arg(long)]
    password_stdin: bool,
    /// Keep API key and tokens of the profile in the keyring of this system, not in the file
    #[arg(long)]
    keyring: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedIn {
    profile: String,
    base_url: String,
    email: Option<String>,
    local_id: String,
    tenant_id: Option<String>,
    expires_in: u64,
}

pub(crate) async fn run(context: &Context, command: &AuthCommand) -> Result<(), Failure> {
    match command {
        AuthCommand::Login(args) => login(context, args).await,
        AuthCommand::Logout(args) => auth_logout::run(context, args).await,
        AuthCommand::Status => auth_status::run(context).await,
    }
}

async fn login(context: &Context, args: &LoginArgs) -> Result<(), Failure> {
    let target = context.target()?;
    let file = context.profile_file()?;
    file.check_writable()?;
    // Before the password is asked for: a session that cannot be kept is not begun.
    let mut profile = own_profile(&mut file.load()?, &target)?.clone();
    profile.keyring |= args.keyring;
    file.with_secrets(&target.profile_name, profile)?;
    let email = match &args.user {
        Some(email) => email.clone(),
        None if input::is_interactive() => input::ask(&context.output, "E-mail")?,
        None => return Err(Failure::usage("no user is named").next("give --user EMAIL")),
    };
    let password = password(args, &email)?;
    let session = sign_in(context, &target, email, &password).await?;
    file.update(|profiles| {
        let profile = own_profile(profiles, &target)?;
        profile.keyring |= args.keyring;
        profile.forget_tokens();
        profile.id_token = Some(session.id_token.clone());
        profile.refresh_token = session.refresh_token.clone();
        if profile.tenant_id.is_none() {
            profile.tenant_id = session.tenant_id.clone();
        }
        let current = &mut profiles.current_profile;
        current.get_or_insert_with(|| target.profile_name.clone());
        Ok(())
    })?;
    context.output.done("Session active.");
    warn_of_variable(context);
    let answer = SignedIn {
        profile: target.profile_name,
        base_url: target.host.to_string(),
        email: session.email,
        local_id: session.local_id,
        tenant_id: session.tenant_id,
        expires_in: session.expires_in,
    };
    context.output.answer(&answer, "", "")
}

/// The profile that will hold the session: made where there is none, refused where it is another server's.
fn own_profile<'a>(
    profiles: &'a mut Profiles,
    target: &Target,
) -> Result<&'a mut Profile, Failure> {
    let name = &target.profile_name;
    let profile =
        profiles.profiles.entry(name.clone()).or_insert_with(|| Profile::new(&target.host));
    if profile.is_of(&target.host) {
        return Ok(profile);
    }
    let other = &profile.base_url;
    Err(Failure::usage(format!("profile `{name}` is of {other}, not of {}", target.host))
        .next(format!("name the server first: `tikti init --host {}`", target.host)))
}

fn password(args: &LoginArgs, email: &str) -> Result<SecretString, Failure> {
    if args.password_stdin {
        return input::piped_password();
    }
    if input::is_interactive() {
        return input::ask_secret(&format!("Password of {email}"));
    }
    Err(Failure::usage("there is no terminal to ask for the password")
        .next("pipe it: `tikti auth login --user EMAIL --password-stdin < FILE`"))
}

/// Signs in by the door of the API key where there is one: it settles the tenant of a tenant's key.
async fn sign_in(
    context: &Context,
    target: &Target,
    email: String,
    password: &SecretString,
) -> Result<SignInReply, Failure> {
    let client = context.client(&target.host)?;
    let request = SignInRequest {
        email,
        password: password.expose_secret().to_owned(),
        return_secure_token: Some(true),
        tenant_id: None,
        client_id: None,
    };
    let (call, credential) = match &target.api_key {
        Some(key) => ("signInWithPassword", Credential::ApiKey(Some(key))),
        None => ("signIn", Credential::Nothing),
    };
    let url = client.url(&["v1", "accounts", call]);
    client.post(url, credential, &request).await
}

/// A token of the environment stands over that of the profile, which may just have changed.
pub(super) fn warn_of_variable(context: &Context) {
    if context.environment.token.is_some() {
        context.output.warn("TIKTI_TOKEN is set and goes on being used");
    }
}
