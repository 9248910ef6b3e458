//! `tikti apply` and `tikti diff`: is a server as a file says, and what makes it so?
//!
//! The file is read whole before the server is asked, the plan is shown whole before anything is changed.
//! Both are idempotent: what is as the file says is not touched.
//!
//! Spec: Command line, `apply`. Why: docs/decisions/0043.

mod env_files;
mod found;
mod manifest;
mod plan;
mod run;
mod show;

use std::path::PathBuf;

use clap::Args;

use self::env_files::EnvFiles;
use self::plan::Prune;
use self::run::{Outcome, Plan, Run};
use self::show::{Reply, counted};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::output::Output;
use crate::session::Session;

/// Make tenants as a file says: shows what would change, asks, then changes that and nothing else
///
/// The file names tenants with their roles, clients, workers and members. What it does not name stays; with
/// --prune it is deleted in those sections of a tenant that the file has. Built-in things, those of the
/// template, the last TENANT_ADMIN and whole tenants are never pruned. Running it again changes nothing.
///
/// A refusal stops what depends on it and nothing else; what is done stays. The same command goes on there.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti apply -f examples/apply.yaml --yes
  tikti apply -f examples/apply.yaml --yes --write-env ./env

A file:
  tenants:
    - slug: codecompany
      roles:
        - {name: BILLING, permissions: [bills:read, bills:write]}
      clients:
        - {id: billing, allowedScopes: [bills:read, bills:write]}
      workers:
        - {id: biller-01, clients: [billing], scopes: [bills:read], mintableBy: [BILLING]}
      members:
        - {email: ann@example.org, roles: [BILLING], create: true}

docs/apply.md says what else it may say.")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Write the secret of each new worker and client into a file below DIR, readable by its owner alone
    ///
    /// DIR/TENANT/workers/ID.env and DIR/TENANT/clients/ID.env. Without it nobody is given these secrets:
    /// `tikti worker rotate-secret` gives a worker another one.
    #[arg(long, value_name = "DIR")]
    write_env: Option<PathBuf>,
}

/// Show where a server is not as a file says; changes nothing, and ends with exit code 4 where it differs
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti diff -f examples/apply.yaml

Exit codes: 0 nothing differs, 4 something does; others as everywhere.")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Args)]
struct FileArgs {
    /// File with the tenants as YAML, - for standard input
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Also delete what the file does not name, in the sections that it has
    #[arg(long)]
    prune: bool,
}

pub(crate) async fn diff(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let (session, plans) = survey(context, &args.file).await?;
    let output = session.output();
    let reply = Reply::planned(&plans);
    let number = reply.changes.len();
    output.answer(&reply, &show::people(&plans).join("\n"), &number.to_string())?;
    let file = args.file.file.display();
    if number == 0 {
        output.done(&format!("0 changes: {} is as {file} says", session.target.host));
        return Ok(());
    }
    let prune = if args.file.prune { " --prune" } else { "" };
    let message = format!("{} differs from {file}: {}", session.target.host, counted(number));
    Err(Failure { exit: Exit::Drift, ..Failure::refused(message) }
        .next(format!("`tikti apply -f {file}{prune}` makes it as the file says")))
}

pub(crate) async fn apply(context: &Context, args: &ApplyArgs) -> Result<(), Failure> {
    let (session, plans) = survey(context, &args.file).await?;
    let output = session.output();
    let number = plans.iter().map(|plan| plan.changes.len()).sum();
    if number == 0 {
        output.done(&format!(
            "0 changes: {} is as {} says",
            session.target.host,
            args.file.file.display()
        ));
        return output.answer(&Reply::planned(&plans), "", "0");
    }
    let env_files = args.write_env.as_deref().map(EnvFiles::new);
    for change in plans.iter().flat_map(|plan| &plan.changes) {
        env_files
            .iter()
            .try_for_each(|files| files.refuse_another(&session.target.host, change))?;
    }
    for line in show::people(&plans) {
        output.happened(&line);
    }
    if !args.yes {
        confirm(output, &format!("Make {} at {}?", counted(number), session.target.host))?;
    }
    let progress = output.progress_of("changes");
    let mut run = Run::new(&session, env_files.as_ref(), (&progress, number));
    let mut outcomes = Vec::with_capacity(number);
    for plan in &plans {
        outcomes.append(&mut Box::pin(run.carry_out(plan)).await);
    }
    let unknown_secrets = run.unknown_secrets;
    drop(progress);
    report(output, &plans, &outcomes)?;
    tell_of_secrets(output, unknown_secrets);
    finish(&outcomes)
}

/// Reads the file, then what the server has of it.
async fn survey<'a>(
    context: &'a Context,
    args: &FileArgs,
) -> Result<(Session<'a>, Vec<Plan>), Failure> {
    let wanted = manifest::read(&args.file)?;
    let session = Session::open(context).await?;
    let prune = if args.prune { Prune::Yes } else { Prune::No };
    let progress = context.output.progress_of("tenants");
    let total = wanted.len() as u64;
    let mut plans = Vec::with_capacity(wanted.len());
    for (wanted, read) in wanted.into_iter().zip(1..) {
        progress.show("Reading", read, Some(total));
        let found = Box::pin(found::read(&session, &wanted)).await?;
        let changes = plan::plan(&wanted, found.as_ref(), prune);
        let tenant_id = found.map(|found| found.id);
        plans.push(Plan { wanted, tenant_id, changes });
    }
    Ok((session, plans))
}

/// Asks, where a person has seen what it is about.
fn confirm(output: &Output, question: &str) -> Result<(), Failure> {
    if !output.talks_to_people() {
        return Err(Failure::usage("nobody was shown what would change")
            .next("look with `tikti diff`, then say --yes"));
    }
    input::confirm(output, question)
}

fn report(output: &Output, plans: &[Plan], outcomes: &[Outcome]) -> Result<(), Failure> {
    let changes = plans.iter().flat_map(|plan| &plan.changes);
    for (change, outcome) in changes.zip(outcomes) {
        if let Outcome::Failed(failure) = outcome {
            output.failure(&show::failed(change, failure));
        }
    }
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done)).count();
    if done > 0 {
        output.done(&format!("{} made", counted(done)));
    }
    output.answer(&Reply::made(plans, outcomes), "", &done.to_string())
}

fn tell_of_secrets(output: &Output, number: usize) {
    if number > 0 {
        output.note(&format!(
            "Secrets of new workers and clients that nobody was given: {number} (--write-env DIR keeps them)"
        ));
        output.note("A worker gets another one: `tikti worker rotate-secret ID --tenant REF`");
    }
}

/// Says how it ended where not everything was done.
fn finish(outcomes: &[Outcome]) -> Result<(), Failure> {
    let mut failures = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed(failure) => Some(failure),
        Outcome::Done | Outcome::Left => None,
    });
    let left = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Left)).count();
    let number = failures.clone().count();
    let Some(last) = failures.next_back() else {
        return Ok(());
    };
    let exit = match last.exit {
        Exit::Authentication => Exit::Authentication,
        _ => Exit::Refused,
    };
    let message = match (counted(outcomes.len()), left) {
        (total, 0) => format!("of {total} {number} failed"),
        (total, _) => format!("of {total} {number} failed and {left} were left out"),
    };
    Err(Failure { exit, ..Failure::refused(message) }
        .next("mend what is said above and run the same again: what is done is not done twice"))
}
