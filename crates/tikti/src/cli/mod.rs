//! The command tree: which commands are there, and where is each one done?
//!
//! One file a group. A command settles whom it talks to ([`Context::target`]), makes its calls, and
//! prints one answer; it decides nothing that the server decides. The asynchronous runtime exists only
//! for commands that use the network.
//!
//! Spec: Command line.

mod apikey;
mod apply;
mod audit;
mod audit_tail;
mod audit_verify;
mod auth;
mod auth_logout;
mod auth_status;
mod authz;
mod backup;
mod bench;
mod bootstrap;
mod client;
mod complete;
mod completions;
mod config;
mod deletion;
mod dev;
mod examples;
mod init;
mod keys;
mod keys_import;
mod keys_rewrap;
mod keys_rotate;
mod man;
mod member;
mod migrate;
mod profile;
mod reference;
mod restore;
mod role;
mod rs_check;
mod serve;
mod session;
mod store;
mod store_args;
mod store_copy;
mod store_verify;
mod tenant;
pub(crate) mod token;
mod token_exchange;
mod token_inspect;
mod token_revoke;
mod token_verify;
mod user;
mod user_create;
mod user_import;
mod user_ref;
mod worker;
mod worker_child;
mod worker_environment;
mod worker_plan;
mod worker_provision;
mod worker_renewal;
mod worker_run;
mod worker_secret;
mod worker_token;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::{self, Runtime};

use crate::context::{Context, Globals};
use crate::exit::{Exit, Failure};

/// Tikti: a multi-tenant identity and token service, and its command line
#[derive(Parser)]
#[command(name = "tikti", version, propagate_version = false, after_help = EXAMPLES)]
#[command(max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Get started:
  tikti dev                          # starts a server on this machine; then, elsewhere:
  tikti init --host http://127.0.0.1:8080
  tikti auth login --user root@corp.sys
  tikti tenant create --slug codecompany
  tikti token exchange --aud backend-worker --scope \"jobs:read jobs:write\" \\
      --tenant codecompany --sub worker-01

Exit codes: 0 done, 1 refused or failed, 2 authentication, 3 configuration or usage,
4 something differs (`tikti diff`) or was left (`tikti migrate`), 130 ended by Ctrl-C.";

#[derive(Subcommand)]
enum Command {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Bootstrap(bootstrap::BootstrapArgs),
    #[command(subcommand)]
    Store(store::StoreCommand),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    Init(init::InitArgs),
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    #[command(subcommand)]
    Token(token::TokenCommand),
    #[command(subcommand)]
    User(user::UserCommand),
    #[command(subcommand, alias = "membership")]
    Member(member::MemberCommand),
    #[command(subcommand)]
    Role(role::RoleCommand),
    #[command(subcommand)]
    Session(session::SessionCommand),
    #[command(subcommand)]
    Client(client::ClientCommand),
    #[command(subcommand)]
    Worker(Box<worker::WorkerCommand>),
    #[command(subcommand, name = "apikey", alias = "api-key")]
    ApiKey(apikey::ApiKeyCommand),
    #[command(subcommand)]
    Authz(authz::AuthzCommand),
    Apply(apply::ApplyArgs),
    Diff(apply::DiffArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    RsCheck(Box<rs_check::RsCheckArgs>),
    #[command(subcommand)]
    Bench(Box<bench::BenchCommand>),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
    #[command(name = "__echo", hide = true)]
    Echo(bench::EchoArgs),
    #[command(name = "__reference", hide = true)]
    Reference(reference::ReferenceArgs),
}

/// The command line with its two forms of help.
fn tree() -> clap::Command {
    examples::in_two_forms(Cli::command())
}

/// The tree, whose own `--help` ends with what all commands share.
fn helpful_tree() -> clap::Command {
    tree().after_long_help(format!("{EXAMPLES}\n\n{}", reference::shared()))
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut tree = helpful_tree();
    let mut matches = tree.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut tree))
}

/// Runs one command line, the program's name first, and says how it ended.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(mut error) => {
            hide_passwords(&mut error);
            return show(&error).into();
        }
    };
    let context = Context::new(cli.globals);
    let child = match &cli.command {
        Command::Worker(command) => command.runs(),
        _ => None,
    };
    let ended = match child {
        // Ends as its child does.
        Some(args) => block_on(worker_run::run(&context, args)),
        None => dispatch(&context, &cli.command).map(|()| Exit::Done.into()),
    };
    ended.unwrap_or_else(|failure| {
        context.output.failure(&failure);
        failure.exit.into()
    })
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

/// The name of a command to which no server can be named.
const fn asks_no_server(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Dev(_) => "dev",
        Command::Serve(_) => "serve",
        Command::Config(_) => "config",
        Command::Bootstrap(_) => "bootstrap",
        Command::Store(_) => "store",
        Command::Backup(_) => "backup",
        Command::Restore(_) => "restore",
        Command::Migrate(_) => "migrate",
        Command::Profile(_) => "profile",
        Command::Completions(_) => "completions",
        Command::Man(_) => "man",
        _ => return None,
    })
}

fn dispatch(context: &Context, command: &Command) -> Result<(), Failure> {
    if let Some(name) = asks_no_server(command) {
        context.refuse_server_options(name)?;
    }
    match command {
        Command::Dev(args) => dev::run(context, args),
        Command::Serve(args) => serve::run(args),
        Command::Config(command) => config::run(context, command),
        Command::Bootstrap(args) => block_on(bootstrap::run(context, args)),
        Command::Store(command) => block_on(store::run(context, command)),
        Command::Backup(args) => block_on(backup::run(context, args)),
        Command::Restore(args) => block_on(restore::run(context, args)),
        Command::Migrate(command) => block_on(migrate::run(context, command)),
        Command::Init(args) => block_on(init::run(context, args)),
        Command::Auth(command) => block_on(auth::run(context, command)),
        Command::Tenant(command) => block_on(tenant::run(context, command)),
        Command::Token(command) => block_on(token::run(context, command)),
        Command::User(command) => block_on(user::run(context, command)),
        Command::Member(command) => block_on(member::run(context, command)),
        Command::Role(command) => block_on(role::run(context, command)),
        Command::Session(command) => block_on(session::run(context, command)),
        Command::Client(command) => block_on(client::run(context, command)),
        Command::Worker(command) => block_on(worker::run(context, command)),
        Command::ApiKey(command) => block_on(apikey::run(context, command)),
        Command::Authz(command) => block_on(authz::run(context, command)),
        Command::Apply(args) => block_on(apply::apply(context, args)),
        Command::Diff(args) => block_on(apply::diff(context, args)),
        Command::Audit(command) => block_on(audit::run(context, command)),
        Command::Keys(command) => block_on(keys::run(context, command)),
        Command::Profile(command) => profile::run(context, command),
        Command::RsCheck(args) => block_on(rs_check::run(context, args)),
        Command::Bench(command) => bench::run(context, command),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(context, args, tree()),
        Command::Complete(args) => complete::run(context, args, tree()),
        Command::Echo(args) => bench::run_echo(context, args),
        Command::Reference(_) => reference::run(context, tree()),
    }
}

/// Runs a client command: one thread is enough to wait for one reply.
fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime()?.block_on(command)
}

/// Of one thread.
fn runtime() -> Result<Runtime, Failure> {
    let built = runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|cause| Failure::refused(format!("starting the runtime: {cause}")))
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
            if !command.has_subcommands() && examples::below(command).examples.is_empty() {
                missing.push(path.clone());
            }
            for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
                leaves(child, &path, missing);
            }
        }
        let mut missing = Vec::new();
        leaves(&Cli::command(), "", &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// Text that stands as it is written is not wrapped, and a terminal breaks it anywhere.
    #[test]
    fn help_fits_a_hundred_columns() {
        let tree = reference::built(helpful_tree());
        let mut wide = Vec::new();
        reference::walk(&tree, &mut |command| {
            for help in [command.clone().render_help(), command.clone().render_long_help()] {
                let help = help.to_string();
                let lines = help.lines().filter(|line| line.chars().count() > 100);
                wide.extend(lines.map(str::to_owned));
            }
        });
        assert_eq!(wide, Vec::<String>::new());
    }

    #[test]
    fn every_exit_code_is_in_the_help_and_the_reference() {
        use Exit::{Authentication, Done, Drift, Interrupted, Refused, Usage};
        let all = [Done, Refused, Authentication, Usage, Drift, Interrupted];
        let told = reference::EXIT_CODES.map(|(code, _)| code.to_owned());
        assert_eq!(told, all.map(|exit| (exit as u8).to_string()));
        let (_, line) = EXAMPLES.split_once("Exit codes: ").unwrap();
        for code in told {
            assert!(line.split([' ', '\n']).any(|word| word == code), "{code}: {line}");
        }
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
    #[expect(clippy::too_many_lines, reason = "a table: a line a command")]
    fn names_of_the_specification_are_understood() {
        for line in [
            "tikti init --base-url http://127.0.0.1:1 --api-key k --tenant t --profile p",
            "tikti init --host http://127.0.0.1:1 --keyring",
            "tikti auth login --email a@b.c --password-stdin",
            "tikti auth login --user a@b.c --keyring",
            "tikti token exchange --audience a --scopes x,y --subject w --event-types e --ttl 900",
            "tikti token verify --aud a --scope x -",
            "tikti token inspect",
            "tikti token revoke",
            "tikti token revoke --type worker",
            "tikti token revoke -",
            "tikti authz explain --aud a --scope x --tenant t --sub w --event-types e --ttl 900",
            "tikti authz explain --email a@b.c --audience a --scopes x,y --subject w",
            "tikti audit tail --tenant t --follow --lines 5",
            "tikti tenant create --slug s --name n --id i",
            "tikti tenant list",
            "tikti tenant get t",
            "tikti tenant update t --name n --self-sign-up true",
            "tikti tenant suspend t",
            "tikti tenant activate t",
            "tikti tenant delete t --yes",
            "tikti tenant use t",
            "tikti auth logout --local",
            "tikti user create a@b.c --password-stdin --role ADMIN --tenant t --roles x,y",
            "tikti user create a@b.c --no-password",
            "tikti user list --email a@b.c",
            "tikti user list --limit 9",
            "tikti user get u",
            "tikti user update a@b.c --name n --role r --status s --email-verified true",
            "tikti user update u --default-tenant t",
            "tikti user suspend u",
            "tikti user activate a@b.c",
            "tikti user delete u --yes",
            "tikti user reset-password a@b.c",
            "tikti member add a@b.c --tenant t --roles x --roles y --create",
            "tikti membership list --tenant t --limit 9",
            "tikti member get u",
            "tikti member set-roles a@b.c --roles x,y",
            "tikti member remove u --yes",
            "tikti role create R --permissions x,y --tenant t",
            "tikti role list",
            "tikti role get R",
            "tikti role update R --permission x",
            "tikti role delete R --yes",
            "tikti session list",
            "tikti session list --user u --tenant t",
            "tikti session revoke s",
            "tikti session revoke --user a@b.c --tenant t --yes",
            "tikti client create c --tenant t --type SERVICE --scopes s --default-scopes s --event-types e",
            "tikti client create c --grant-types token_exchange --subject-policy any --ttl 900",
            "tikti client list --tenant t",
            "tikti client get c --tenant t",
            "tikti client update c --tenant t --allowed-scopes s --status DISABLED --clear event-types",
            "tikti client delete c --tenant t --yes",
            "tikti worker create w --tenant t --clients c --scopes s --event-types e --mintable-by R",
            "tikti worker list --tenant t",
            "tikti worker get w --tenant t",
            "tikti worker update w --tenant t --status ACTIVE --custom-tokens true --clear mintable-by",
            "tikti worker update w --tenant t --jwks f",
            "tikti worker delete w --tenant t --yes",
            "tikti worker rotate-secret w --tenant t --revoke-old --yes",
            "tikti worker rotate-secret w --tenant t --revoke 1 --yes",
            "tikti worker token w --tenant t --audience a --scopes s --event-types e --secret-stdin",
            "tikti worker token --env-file f",
            "tikti worker provision w --tenant t --audience a --scopes s --event-types e --write-env f --rotate",
            "tikti worker run --env-file f --token-file g -- sh -c x --output json",
            "tikti apikey create --tenant t --scopes s --name n --expires-at x",
            "tikti apikey list --deployment",
            "tikti apikey get i --tenant t",
            "tikti apikey update i --deployment --status DISABLED",
            "tikti apikey delete i --tenant t --yes",
            "tikti profile list",
            "tikti profile use p",
            "tikti profile delete p --yes",
            "tikti apply -f f --yes --prune --write-env d",
            "tikti apply --file -",
            "tikti diff -f f --prune --output json",
            "tikti audit list --tenant t --action role.create --limit 9",
            "tikti audit export --deployment --from f --to t",
            "tikti audit verify f --head h --begin b --jwks j",
            "tikti dev --listen 127.0.0.1:0 --data d --store embedded:d",
            "tikti serve --config f",
            "tikti config check --config f",
            "tikti bootstrap --config f --admin a@b.c",
            "tikti bootstrap --config f --email a@b.c",
            "tikti store verify --data d",
            "tikti store verify --store redis://h",
            "tikti store copy --from embedded:d --to redis+cluster://h1,h2",
            "tikti store copy --from @u --to-config f",
            "tikti store copy --from-config f --to-config g",
            "tikti store compact",
            "tikti store status --config f --output json",
            "tikti backup f --key-file k --force",
            "tikti restore f --data d --store @u --keep-sessions",
            "tikti migrate legacy --from redis://h:1/2 --config f --yes --report r",
            "tikti migrate legacy --from rediss://h --from-ca a --from-cert c --from-key k --data d",
            "tikti migrate legacy --from @u --store redis://h --dry-run",
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
            "tikti bench lookup --rate 2000/s --duration 10s --connections 32 --warm-up 2s --svg f",
            "tikti bench exchange --audience a --scopes s --tenant t --subject w --requests 9",
            "tikti bench signin --email a@b.c --password-stdin --bcrypt-cost 12 --hash-threads 1",
            "tikti bench refresh --user a@b.c --password-file f",
            "tikti bench jwks --host http://10.0.0.1 --yes",
            "tikti bench mixed --user a@b.c --password-file f --aud a",
            "tikti bench sessions --user a@b.c --password-file f --sessions 1000",
            "tikti bench isolation --user a@b.c --password-file f --output json",
            "tikti man --dir d",
            "tikti man token exchange",
            "tikti completions zsh",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap();
        }
    }
}
