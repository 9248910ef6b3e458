//! `tikti dev`: a whole server on this machine, ready for the next command.
//!
//! Programs get exactly one line on standard output, and it comes when the server answers; secrets
//! appear on standard output alone. The profile is written before that line, so that whoever read it
//! can go on at once. Mails are not sent: the person who started it is shown each, with its link, and
//! programs find it as a file or ask the server for it.
//!
//! Spec: Command line, `tikti dev`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tikti_server::dev::{DevError, DevSetup, prepare};
use tikti_server::{Listener, ServeError, start, telemetry};

use super::serve::{ended_badly, not_started, server_runtime};
use crate::base_url::BaseUrl;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::output;
use crate::profile::{Profile, Profiles};

/// Run a server on this machine, with an administrator and keys of its own
///
/// Everything is kept in one directory: the store (unless --store names another), the secrets, the
/// password. The profile `dev` is
/// written and made the current one, so that the next command just works.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti dev
  tikti dev --listen 127.0.0.1:0 --data ./data --output json
  tikti dev --store redis://127.0.0.1:6379

Mails are not sent. They are shown here and at /dev/mailbox, and to programs at /dev/mailbox.json, for requests
of this machine alone; the last 100 lie in the directory below mail, as JSON:
to requestType oobCode link subject sentAt.

With --store everything but the secrets and these lies in that Redis, Valkey or KVRocks; one that keeps nothing
over a restart is accepted, other than by `tikti serve`.")]
pub(crate) struct DevArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,
    /// Directory for everything [default: ~/.tikti/dev]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Store to use, such as redis://127.0.0.1:6379; @FILE reads the URL from a file [default:
    /// embedded, in the directory]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Limit how often somebody may try, as a deployment does; else nothing is limited
    #[arg(long)]
    limits: bool,
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
    let store = args.store.as_deref().map(input::store_url).transpose()?;
    let output = context.output.clone();
    let setup = prepare(&directory, store).map_err(not_prepared)?;
    let setup = setup.showing_mails(move |mail| output.happened(mail));
    let setup = if args.limits { setup.limited() } else { setup };
    server_runtime()?.block_on(serve(context, args.listen, &setup))
}

async fn serve(context: &Context, listen: SocketAddr, setup: &DevSetup) -> Result<(), Failure> {
    let listener = Listener::bind_over(listen, setup.store()).await.map_err(not_bound)?;
    if !listen.ip().is_loopback() {
        context.output.warn(&format!(
            "{listen} can be reached from other machines, in plain text; dev is made for this one"
        ));
    }
    let url = url_of(listener.local_address());
    let config = setup.config(&url);
    let seed = setup.seed();
    telemetry::init(&config.log);
    let running = start(listener, config, seed).await.map_err(not_started)?;
    let written = write_profile(context, &url, &setup.api_key);
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
    let profile = written.ok();
    context.output.answer(&ready, &people(&ready, profile.as_deref()), &url)?;
    running.stopped().await.map_err(ended_badly)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
pub(crate) fn not_prepared(cause: DevError) -> Failure {
    Failure::usage(Failure::chain(&cause))
}

fn not_bound(cause: ServeError) -> Failure {
    let is_taken = matches!(cause, ServeError::Bind { .. });
    let failure = not_started(cause);
    if is_taken {
        failure.next("`--listen 127.0.0.1:0` takes a port that is free")
    } else {
        failure
    }
}

/// Reads `--listen`: the address is a number, because a name can mean several.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text);
    Err(match port.parse::<u16>() {
        Ok(port) => format!("write 127.0.0.1:{port}"),
        Err(_) => "must be an address and a port, such as 127.0.0.1:8080".to_owned(),
    })
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

/// Makes the profile current and gives its name. A session is kept where address and key are those of
/// the last start; another key is another deployment, which knows nothing of the old session and
/// tenant.
fn write_profile(context: &Context, url: &str, api_key: &str) -> Result<String, Failure> {
    let host = BaseUrl::parse(url)?;
    let wanted = context.globals.profile.as_deref().unwrap_or("dev");
    let name = context.profile_file()?.update(|profiles| {
        let name = profile_name(wanted, profiles, &host);
        let stored = profiles.profiles.remove(&name);
        let same = stored
            .filter(|stored| stored.is_of(&host) && stored.api_key.as_deref() == Some(api_key));
        let profile = same.unwrap_or_else(|| Profile {
            api_key: Some(api_key.to_owned()),
            ..Profile::new(&host)
        });
        profiles.profiles.insert(name.clone(), profile);
        profiles.current_profile = Some(name.clone());
        Ok(name)
    })?;
    if name != wanted {
        context.output.warn(&format!(
            "profile `{wanted}` is of another server and stays: this one is `{name}`"
        ));
    }
    Ok(name)
}

/// Chooses the profile: the wanted one, unless it is of a server elsewhere; what this machine runs
/// takes the place of nothing but what this machine ran.
fn profile_name(wanted: &str, profiles: &Profiles, host: &BaseUrl) -> String {
    let may_be_replaced = |name: &String| match profiles.profiles.get(name) {
        None => true,
        Some(stored) => BaseUrl::parse(&stored.base_url)
            .is_ok_and(|stored| stored == *host || stored.is_loopback()),
    };
    let numbered = (2_u32..).map(|n| format!("{wanted}-{n}"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(may_be_replaced)
        .unwrap_or_else(|| wanted.to_owned())
}

/// Where mails are shown: at a page for this machine, and where that is asked under another address, in files.
fn mails(url: &str, data_dir: &str) -> String {
    if BaseUrl::parse(url).is_ok_and(|url| url.is_loopback()) {
        format!("{url}/dev/mailbox")
    } else {
        format!("{data_dir}/mail")
    }
}

fn people(ready: &Ready<'_>, profile: Option<&str>) -> String {
    let Ready { url, .. } = ready;
    let facts = output::fields(vec![
        ("  admin", ready.admin_email.to_owned()),
        ("  password", ready.admin_password.to_owned()),
        ("  API key", ready.api_key.to_owned()),
        ("  web API key", ready.web_api_key.to_owned()),
        ("  data", ready.data_dir.clone()),
        ("  mails", mails(url, &ready.data_dir)),
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
    fn mails_are_looked_for_where_they_are_shown() {
        for (url, place) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/dev/mailbox"),
            ("http://[::1]:8080", "http://[::1]:8080/dev/mailbox"),
            ("http://192.0.2.1:8080", "/data/mail"),
        ] {
            assert_eq!(mails(url, "/data"), place);
        }
    }

    #[test]
    fn an_address_that_is_none_is_told_how_to_write_it() {
        assert_eq!(listen_address("0.0.0.0:1"), Ok(SocketAddr::from(([0, 0, 0, 0], 1))));
        for text in ["8080", ":8080", "localhost:8080"] {
            assert_eq!(listen_address(text), Err("write 127.0.0.1:8080".to_owned()), "{text}");
        }
        assert!(listen_address("here:80").unwrap_err().contains("such as 127.0.0.1:8080"));
    }

    #[test]
    fn the_profile_of_a_server_elsewhere_stays() {
        let host = BaseUrl::parse("http://127.0.0.1:8080").unwrap();
        for (stored, expected) in [
            (vec![], "dev"),
            (vec![("dev", "http://127.0.0.1:7")], "dev"),
            (vec![("dev", "http://localhost:7")], "dev"),
            (vec![("dev", "https://api.tikti.io")], "dev-2"),
            (vec![("dev", "no address")], "dev-2"),
            (vec![("dev", "https://a.io"), ("dev-2", "https://b.io")], "dev-3"),
            (vec![("dev", "https://a.io"), ("dev-2", "http://[::1]:7")], "dev-2"),
        ] {
            let stored = stored.into_iter().map(|(name, url)| {
                (name.to_owned(), Profile { base_url: url.to_owned(), ..Profile::default() })
            });
            let profiles = Profiles { profiles: stored.collect(), ..Profiles::default() };
            assert_eq!(profile_name("dev", &profiles, &host), expected);
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
