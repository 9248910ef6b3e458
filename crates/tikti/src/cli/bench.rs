//! `tikti bench`: loads a running server, measures it, and measures the machine beside it.
//!
//! No number stands alone: what the machine does without Tikti is measured in the same run, before and after,
//! and every result is a ratio to that. A call that failed never counts as a good one.
//!
//! Spec: Performance; Command line, `bench`.

mod clients;
mod echo;
mod filler;
mod measure;
mod options;
mod own;
mod plot;
mod raw;
mod report;
mod scenario;
mod server;

use clap::Subcommand;

pub(crate) use self::echo::{EchoArgs, run as run_echo};
use self::measure::{Finished, measure};
use self::options::{
    ExchangeArgs, Load, LoadArgs, MixedArgs, Person, PersonArgs, RefreshArgs, SessionsArgs,
    SignInArgs,
};
use self::own::Own;
use self::report::Report;
use self::scenario::{Subject, To};
use self::server::Server;
use super::block_on;
use crate::context::{Context, Target};
use crate::exit::Failure;
use crate::session::{Session, holds_for};

/// Load a running server, and measure it beside what the machine does without it
#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// Look an idToken up; beside a bare HTTP echo of the same payloads
    #[command(after_help = "\
Examples:
  tikti bench lookup --duration 1s --warm-up 0s
  tikti bench lookup --rate 500 --duration 1s --svg lookup.svg")]
    Lookup(LoadArgs),
    /// Exchange the session for access tokens; beside raw RSA-2048 signatures
    #[command(after_help = "\
Example:
  tikti bench exchange --aud backend-worker --scope jobs:read \\
      --tenant codecompany --requests 100")]
    Exchange(ExchangeArgs),
    /// Sign in with a password; beside raw bcrypt. Each sign-in leaves a session behind
    #[command(after_help = "\
Example:
  tikti bench signin --user root@corp.sys --password-file password.txt \\
      --requests 10")]
    Signin(SignInArgs),
    /// Refresh sessions of its own, one a connection, which are signed out at the end
    #[command(after_help = "\
Example:
  tikti bench refresh --user root@corp.sys --password-file password.txt \\
      --connections 2 --requests 100")]
    Refresh(RefreshArgs),
    /// Get the public keys; beside a bare HTTP echo of the same payload
    #[command(after_help = "Example:\n  tikti bench jwks --duration 1s --warm-up 0s")]
    Jwks(LoadArgs),
    /// Of 20 calls 14 lookups, 4 exchanges, 1 refresh and 1 get of the public keys
    #[command(after_help = "\
Example:
  tikti bench mixed --user root@corp.sys --password-file password.txt \\
      --aud backend-worker --scope jobs:read --tenant codecompany \\
      --connections 2 --requests 100")]
    Mixed(MixedArgs),
    /// Begin so many sessions, by sign-ins, and leave them there
    #[command(after_help = "\
Example:
  tikti bench sessions --user root@corp.sys --password-file password.txt \\
      --sessions 10

A sign-in costs a bcrypt: thousands take minutes. More of a deployment's size: docs/bench.md.")]
    Sessions(SessionsArgs),
    /// Look up at a fixed rate while sign-ins take all of the hash pool; beside the same without them
    #[command(after_help = "\
Example:
  tikti bench isolation --user root@corp.sys --password-file password.txt \\
      --rate 200 --duration 1s --warm-up 0s")]
    Isolation(SignInArgs),
}

pub(crate) fn run(context: &Context, command: &BenchCommand) -> Result<(), Failure> {
    let load = command.load();
    load.check()?;
    let target = context.target()?;
    // Before anything is asked for or sent.
    let server = Server::settle(&target.host, load.is_meant)?;
    load.check_plot()?;
    let asking = Asker::settle(context, command, &load)?;
    let finished = Finished::watch(&context.output);
    let server = server.until(finished.stop());
    let own = Own::of(&server);
    let to = To { server: &server, load: &load, own: &own, bar: finished.bar() };
    let told = subject(command, to, &asking).and_then(|mut subject| {
        let Some(measured) = measure(&mut subject, (&load, &finished))? else { return Ok(()) };
        let report = Report::of(&server, &load, &subject, &measured);
        report.tell(&context.output)?;
        if let Some(file) = load.svg.as_ref().filter(|_| report.has_numbers()) {
            plot::write(file, &report.title(), &measured)?;
        }
        report.judge()
    });
    drop(own);
    finished.end();
    told
}

/// Who asks: settled before signals are caught, since a person may be asked for a password.
struct Asker {
    target: Target,
    person: Option<Person>,
}

impl Asker {
    fn settle(context: &Context, command: &BenchCommand, load: &Load) -> Result<Self, Failure> {
        let target = match command {
            // These need no session.
            BenchCommand::Jwks(_)
            | BenchCommand::Signin(_)
            | BenchCommand::Refresh(_)
            | BenchCommand::Sessions(_) => {
                let target = context.target()?;
                // Says where others on the way could read the password.
                drop(context.client(&target.host)?);
                target
            }
            _ => {
                let target = block_on(Session::open_for(context, load.lasts()))?.target;
                load.outlasted_by(holds_for(target.id_token()?))?;
                target
            }
        };
        Ok(Self { target, person: command.person().map(PersonArgs::settled).transpose()? })
    }

    fn person(&self) -> Result<&Person, Failure> {
        self.person.as_ref().ok_or_else(|| Failure::usage("nobody is named who signs in"))
    }
}

impl BenchCommand {
    fn person(&self) -> Option<&PersonArgs> {
        match self {
            Self::Signin(args) | Self::Isolation(args) => Some(&args.person),
            Self::Refresh(args) => Some(&args.person),
            Self::Mixed(args) => Some(&args.person),
            Self::Sessions(args) => Some(&args.person),
            Self::Lookup(_) | Self::Exchange(_) | Self::Jwks(_) => None,
        }
    }
}

/// What the command loads, and with what: everything is asked for once, and what is refused then ends it.
fn subject(command: &BenchCommand, to: To<'_>, asker: &Asker) -> Result<Subject, Failure> {
    let Asker { target, .. } = asker;
    let mut subject = match command {
        BenchCommand::Lookup(_) => scenario::lookup(to, target),
        BenchCommand::Exchange(args) => scenario::exchange(to, target, &args.wanted),
        BenchCommand::Signin(args) => {
            scenario::sign_in(to, target, ("signin", asker.person()?, args.hashing.settled()?))
        }
        BenchCommand::Refresh(_) => scenario::refresh(to, target, asker.person()?),
        BenchCommand::Jwks(_) => scenario::jwks(to),
        BenchCommand::Mixed(args) => scenario::mixed(to, target, (asker.person()?, &args.wanted)),
        BenchCommand::Sessions(args) => {
            scenario::sign_in(to, target, ("sessions", asker.person()?, args.hashing.settled()?))
        }
        BenchCommand::Isolation(args) => {
            scenario::isolation(to, target, (asker.person()?, args.hashing.settled()?))
        }
    }?;
    if !to.server.is_here() {
        subject.is_away();
    }
    Ok(subject)
}
