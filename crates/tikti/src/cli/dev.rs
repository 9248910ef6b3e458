//! `tikti dev`: a whole server on this machine, ready for the next command.
//!
//! Programs get exactly one line on standard output, and it comes when the server answers; secrets
//! appear on standard output alone. The profile is written before that line, so that whoever read it
//! can go on at once.
//!
//! Spec: Command line, `tikti dev`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tikti_server::dev::{DevError, DevSetup, prepare};
use tikti_server::{Listener, start, telemetry};

use super::serve::{ended_badly, not_started, server_runtime};
use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::output;
use crate::profile::Profile;

/// Run a server on this machine, with an administrator and keys of its own
///
/// Everything is kept in one directory: the store, the secrets, the password. The profile `dev` is
/// written and made the current one, so that the next command just works.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti dev
  tikti dev --listen 127.0.0.1:0 --data ./data --output json")]
pub(crate) struct DevArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Directory for everything [default: ~/.tikti/dev]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Store to use [default: embedded, in the directory]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

/// The ready line; programs rely on its members and their order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    url: &'a str,
    api_key: &'a str,
    web_api_key: &'a str,
    admin_email: &'a str,
    admin_password: &'a str,
    firebase_admin_path: &'a str,
    data_dir: String,
}

pub(crate) fn run(context: &Context, args: &DevArgs) -> Result<(), Failure> {
    let directory = match &args.data {
        Some(directory) => directory.clone(),
        None => context.environment.directory()?.join("dev"),
    };
    let setup = prepare(&directory, args.store.clone()).map_err(not_prepared)?;
    server_runtime()?.block_on(serve(context, args.listen, &setup))
}

async fn serve(context: &Context, listen: SocketAddr, setup: &DevSetup) -> Result<(), Failure> {
    let listener = Listener::bind(listen).await.map_err(|cause| {
        not_started(cause).next("`--listen 127.0.0.1:0` takes a port that is free")
    })?;
    let url = url_of(listener.local_address());
    let config = setup.config(&url);
    let seed = setup.seed();
    telemetry::init(&config.log);
    let running = start(listener, config, seed).await.map_err(not_started)?;
    let profile = context.globals.profile.as_deref().unwrap_or("dev");
    let written = write_profile(context, profile, &url, &setup.api_key);
    if let Err(failure) = &written {
        context.output.warn(&format!("no profile is written: {}", failure.message));
    }
    let ready = Ready {
        url: &url,
        api_key: &setup.api_key,
        web_api_key: &setup.web_api_key,
        admin_email: &setup.admin_email,
        admin_password: &setup.admin_password,
        firebase_admin_path: &setup.firebase_admin_path,
        data_dir: setup.data_dir.display().to_string(),
    };
    let profile = written.is_ok().then_some(profile);
    context.output.answer(&ready, &people(&ready, profile), &url)?;
    running.stopped().await.map_err(ended_badly)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
fn not_prepared(cause: DevError) -> Failure {
    Failure::usage(Failure::chain(&cause))
}

/// The address under which this machine reaches the server: nobody connects to 0.0.0.0.
fn url_of(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(host, address.port()))
}

/// Makes the profile current. A session is kept where address and key are those of the last start;
/// another key is another deployment, which knows nothing of the old session and tenant.
fn write_profile(context: &Context, name: &str, url: &str, api_key: &str) -> Result<(), Failure> {
    let host = BaseUrl::parse(url)?;
    context.profile_file()?.update(|profiles| {
        let stored = profiles.profiles.remove(name);
        let same = stored
            .filter(|stored| stored.is_of(&host) && stored.api_key.as_deref() == Some(api_key));
        let profile = same.unwrap_or_else(|| Profile {
            api_key: Some(api_key.to_owned()),
            ..Profile::new(&host)
        });
        profiles.profiles.insert(name.to_owned(), profile);
        profiles.current_profile = Some(name.to_owned());
        Ok(())
    })
}

fn people(ready: &Ready<'_>, profile: Option<&str>) -> String {
    let Ready { url, .. } = ready;
    let facts = output::fields(vec![
        ("  admin", ready.admin_email.to_owned()),
        ("  password", ready.admin_password.to_owned()),
        ("  API key", ready.api_key.to_owned()),
        ("  web API key", ready.web_api_key.to_owned()),
        ("  data", ready.data_dir.clone()),
        ("  profile", profile.map_or_else(|| "-".to_owned(), |name| format!("{name} (current)"))),
    ]);
    format!(
        "Tikti is ready at {url}

{facts}

From another terminal:

  tikti init --host {url}
  tikti auth login --user {}
  tikti tenant create --slug codecompany
  tikti token exchange --aud backend-worker --scope \"jobs:read jobs:write\" --tenant codecompany --sub worker-01

Ctrl-C ends it; everything is kept for the next start.
",
        ready.admin_email
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_this_machine_can_reach() {
        for (listened, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:8080", "http://[::1]:8080"),
            ("[::1]:1", "http://[::1]:1"),
        ] {
            assert_eq!(url_of(listened.parse().unwrap()), url);
        }
    }

    #[test]
    fn the_ready_line_has_its_members_in_order() {
        let ready = Ready {
            url: "u",
            api_key: "k",
            web_api_key: "w",
            admin_email: "e",
            admin_password: "p",
            firebase_admin_path: "f",
            data_dir: "d".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&ready).unwrap(),
            r#"{"url":"u","apiKey":"k","webApiKey":"w","adminEmail":"e","adminPassword":"p","firebaseAdminPath":"f","dataDir":"d"}"#
        );
    }
}
