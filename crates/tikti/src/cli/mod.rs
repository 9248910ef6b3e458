//! The command tree: which commands are there, and where is each one done?
//!
//! One file a group. A command settles whom it talks to ([`Context::target`]), makes its calls, and
//! prints one answer; it decides nothing that the server decides. The asynchronous runtime exists only
//! for commands that use the network.
//!
//! Spec: Command line.

mod audit;
mod audit_verify;
mod auth;
mod auth_status;
mod backup;
mod completions;
mod dev;
mod init;
mod keys;
mod keys_import;
mod keys_rewrap;
mod keys_rotate;
mod profile;
mod restore;
mod rs_check;
mod serve;
mod store;
mod store_args;
mod store_copy;
mod store_verify;
mod tenant;
mod token;
mod token_exchange;
mod token_inspect;
mod token_verify;
mod user;
mod user_import;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use tokio::runtime;

use crate::context::{Context, Globals};
use crate::exit::{Exit, Failure};

/// Tikti: a multi-tenant identity and token service, and its command line
#[derive(Parser)]
#[command(name = "tikti", version, propagate_version = false, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Get started:
  tikti dev                          start a server on this machine, then elsewhere:
  tikti init --host http://127.0.0.1:8080
  tikti auth login --user root@corp.sys
  tikti tenant create --slug codecompany
  tikti token exchange --aud backend-worker --scope \"jobs:read jobs:write\" \\
      --tenant codecompany --sub worker-01

Exit codes: 0 done, 1 refused or failed, 2 authentication, 3 configuration or usage.";

#[derive(Subcommand)]
enum Command {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
    #[command(subcommand)]
    Store(store::StoreCommand),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Init(init::InitArgs),
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    #[command(subcommand)]
    Token(token::TokenCommand),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    RsCheck(Box<rs_check::RsCheckArgs>),
    Completions(completions::CompletionsArgs),
}

/// Runs one command line, the program's name first, and says how it ended.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(mut error) => {
            hide_passwords(&mut error);
            return show(&error);
        }
    };
    let context = Context::new(cli.globals);
    match dispatch(&context, &cli.command) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit
        }
    }
}

/// Takes out of the message what may be a password: the URL of a store, where none belongs.
///
/// A value that an option refuses may be an address without one, and its mistake can be seen then.
fn hide_passwords(error: &mut clap::Error) {
    const HIDDEN: &str = "a text with a URL or an @, which is not shown";
    let is_suspect = |kind, text: &str| {
        text.contains('@') || kind != ContextKind::InvalidValue && text.contains("://")
    };
    let told: Vec<ContextKind> = error
        .context()
        .filter(|(kind, value)| {
            *kind != ContextKind::Usage && is_suspect(*kind, &value.to_string())
        })
        .map(|(kind, _)| kind)
        .collect();
    for kind in told {
        match kind {
            // A proposal what else could have been meant, which repeats it.
            ContextKind::Suggested => drop(error.remove(kind)),
            _ => drop(error.insert(kind, ContextValue::String(HIDDEN.to_owned()))),
        }
    }
}

/// Help and version go to standard output, everything else about the command line is a wrong usage.
fn show(error: &clap::Error) -> Exit {
    let _nowhere_to_tell = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

fn dispatch(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Dev(args) => {
            context.refuse_server_options("dev")?;
            dev::run(context, args)
        }
        Command::Serve(args) => {
            context.refuse_server_options("serve")?;
            serve::run(args)
        }
        Command::Store(command) => {
            context.refuse_server_options("store")?;
            block_on(store::run(context, command))
        }
        Command::Backup(args) => {
            context.refuse_server_options("backup")?;
            block_on(backup::run(context, args))
        }
        Command::Restore(args) => {
            context.refuse_server_options("restore")?;
            block_on(restore::run(context, args))
        }
        Command::Init(args) => block_on(init::run(context, args)),
        Command::Auth(command) => block_on(auth::run(context, command)),
        Command::Tenant(command) => block_on(tenant::run(context, command)),
        Command::Token(command) => block_on(token::run(context, command)),
        Command::User(command) => block_on(user::run(context, command)),
        Command::Audit(command) => block_on(audit::run(context, command)),
        Command::Keys(command) => block_on(keys::run(context, command)),
        Command::Profile(command) => {
            context.refuse_server_options("profile")?;
            profile::run(context, command)
        }
        Command::RsCheck(args) => block_on(rs_check::run(context, args)),
        Command::Completions(args) => {
            context.refuse_server_options("completions")?;
            completions::run(context, args, Cli::command())
        }
    }
}

/// Runs a client command: one thread is enough to wait for one reply.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::refused(format!("starting the runtime: {cause}")))?
        .block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn leaves(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            if !command.has_subcommands() && command.get_after_help().is_none() {
                missing.push(path.clone());
            }
            for child in command.get_subcommands() {
                leaves(child, &path, missing);
            }
        }
        let mut missing = Vec::new();
        leaves(&Cli::command(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in [
            "tikti --output json tenant list",
            "tikti tenant --output json list",
            "tikti tenant list --output json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.globals.output, crate::output::Format::Json, "{line}");
        }
    }

    #[test]
    fn names_of_the_specification_are_understood() {
        for line in [
            "tikti init --base-url http://127.0.0.1:1 --api-key k --tenant t --profile p",
            "tikti auth login --email a@b.c --password-stdin",
            "tikti token exchange --audience a --scopes x,y --subject w --event-types e --ttl 900",
            "tikti token verify --aud a --scope x -",
            "tikti token inspect",
            "tikti tenant create --slug s --name n --id i",
            "tikti audit list --tenant t --action role.create --limit 9",
            "tikti audit export --deployment --from f --to t",
            "tikti audit verify f --head h --begin b --jwks j",
            "tikti dev --listen 127.0.0.1:0 --data d --store embedded:d",
            "tikti serve --config f",
            "tikti store verify --data d",
            "tikti store verify --store redis://h",
            "tikti store copy --from embedded:d --to redis+cluster://h1,h2",
            "tikti store copy --from @u --to-config f",
            "tikti store copy --from-config f --to-config g",
            "tikti store compact",
            "tikti store status --config f --output json",
            "tikti backup f --key-file k --force",
            "tikti restore f --data d --store @u --keep-sessions",
            "tikti keys list --output json",
            "tikti keys rotate",
            "tikti keys rotate --emergency --kid k --yes",
            "tikti keys rotate --emergency --yes --idempotency-key rotate-1",
            "tikti keys import f --config f --kid k",
            "tikti keys rewrap --config f",
            "tikti user import f --data d --dry-run",
            "tikti rs-check http://127.0.0.1:1/jobs --aud a --scope s --tenant t --issue-at 127.0.0.1:2",
            "tikti rs-check http://127.0.0.1:1/jobs --token - --method POST --header X-A:b --strict",
            "tikti user import f --config c --firebase-hash-config h",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap();
        }
    }
}
