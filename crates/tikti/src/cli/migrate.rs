//! `tikti migrate`: takes over what another store holds.
//!
//! Spec: Operations, "migrate legacy"; Real clients, "Older Tikti clients and data".

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use tikti_server::config::LogConfig;
use tikti_server::maintenance::{
    MaintenanceError, MigratedThing, MigrationPhase, MigrationReport, MigrationSource,
    MigrationTrouble, Progress, TlsFiles, migrate_legacy, plan_migration,
};
use tikti_server::telemetry;

use super::store_args::{StoreArgs, not_done};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::interrupt::PutBack;
use crate::output;
use crate::private_file;

/// Most troubles that are shown to people; programs and the report get them all.
const MAX_SHOWN: usize = 100;

/// Take over what an older Tikti has stored
#[derive(Subcommand)]
pub(crate) enum MigrateCommand {
    Legacy(LegacyArgs),
}

/// Take over users, tenants, roles, clients and memberships from the Redis of an older Tikti
///
/// Says what it would do; with --yes it does it. The old data is only read, and nothing that is here is changed, so
/// the same command can be run again: it goes on where it stopped. Stop the old Tikti first. A server on an embedded
/// store must be stopped too. What was not taken as it stood there is listed, with its place in the old data, which
/// may be an e-mail address; then the command ends with 4. docs/migrate.md has the rules.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti migrate legacy --from redis://127.0.0.1:6380 --config /etc/tikti/config.yaml
  tikti migrate legacy --from redis://127.0.0.1:6380/2 --config /etc/tikti/config.yaml --yes
  tikti migrate legacy --from @old-url.txt --data ./data --report troubles.json --yes

Exit codes: 0 everything was taken or was there, 4 something was not, or not as it was, 1 it stopped half-way.")]
pub(crate) struct LegacyArgs {
    /// Redis or KVRocks of the older Tikti: redis://USER:PASSWORD@HOST:PORT/DB, or rediss: for TLS; @FILE
    /// reads the URL from a file, since others can see the password of one on the command line
    #[arg(long, value_name = "URL")]
    from: String,
    /// Authorities to trust instead of the system's, for rediss:
    #[arg(long, value_name = "FILE")]
    from_ca: Option<PathBuf>,
    /// Certificate to show, for rediss:
    #[arg(long, value_name = "FILE", requires = "from_key")]
    from_cert: Option<PathBuf>,
    /// Private key of that certificate
    #[arg(long, value_name = "FILE", requires = "from_cert")]
    from_key: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// Do it; without, only say what would be done
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// File for the answer as JSON, with everything that was not taken; only its owner can read it
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    dry_run: bool,
    tenants: CountReply,
    roles: CountReply,
    clients: CountReply,
    users: CountReply,
    memberships: CountReply,
    /// Codes that were sent by mail: they live 15 minutes.
    oob_codes_left: u64,
    /// How many of the troubles lose something, or leave open who is who.
    lost: u64,
    troubles: Vec<TroubleReply>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct CountReply {
    found: u64,
    /// Of a dry run: what would be taken.
    taken: u64,
    present: u64,
    merged: u64,
    left: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TroubleReply {
    kind: &'static str,
    says: &'static str,
    /// Whether something is lost, or who is who needs a look; else a rule has said what to do.
    loses: bool,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

pub(crate) async fn run(context: &Context, command: &MigrateCommand) -> Result<(), Failure> {
    match command {
        MigrateCommand::Legacy(args) => legacy(context, args).await,
    }
}

async fn legacy(context: &Context, args: &LegacyArgs) -> Result<(), Failure> {
    // A migration whose report cannot be written is not begun.
    args.report.as_deref().map_or(Ok(()), private_file::try_to)?;
    let source = MigrationSource {
        url: input::store_url(&args.from)?,
        tls: TlsFiles {
            ca: args.from_ca.clone(),
            client: args.from_cert.clone().zip(args.from_key.clone()),
        },
    };
    let config = args.store.deployment(context)?;
    let said = context.output.clone();
    let is_dry = !args.yes;
    let _told = PutBack::at_signal(move |_| {
        said.ended(if is_dry {
            "nothing was written"
        } else {
            "the same command goes on where this one stopped"
        });
    });
    let bar = context.output.progress();
    let mut tell = |phase: MigrationPhase, at: Progress| {
        let doing = match phase {
            MigrationPhase::Reading => "Reading",
            MigrationPhase::Comparing => "Comparing",
            MigrationPhase::Writing => "Writing",
        };
        bar.show(doing, at.done, at.total);
    };
    let report = if is_dry {
        plan_migration(config, &source, &mut tell).await
    } else {
        // What is made is audited, and the audit trail is in the log.
        telemetry::init(&LogConfig::default());
        migrate_legacy(config, &source, &mut tell).await
    };
    drop(bar);
    answer(context, args, &report.map_err(not_migrated)?)
}

fn not_migrated(cause: MaintenanceError) -> Failure {
    match cause {
        MaintenanceError::Source(_) => {
            not_done(cause).next("--from names the Redis of the older Tikti")
        }
        MaintenanceError::SourceEmpty { .. } => not_done(cause)
            .next("look at the address and the number of the database: redis://HOST:PORT/DB"),
        MaintenanceError::SourceRead(_) | MaintenanceError::MigrationStopped(_) => {
            not_done(cause).next("run the same command again, it goes on there")
        }
        other => not_done(other),
    }
}

fn answer(context: &Context, args: &LegacyArgs, report: &MigrationReport) -> Result<(), Failure> {
    let reply = reply(!args.yes, report);
    let output = &context.output;
    let taken: u64 = counts(&reply).iter().map(|(_, count)| count.taken).sum();
    // What was done is said, also where the file cannot be written any more.
    let written = write_report(args, &reply);
    output.answer(&reply, &people(&reply), &taken.to_string())?;
    written?;
    if args.yes {
        output.done(&format!("{taken} things were taken over"));
    } else {
        output.done(&format!("{taken} things would be taken over; nothing was written"));
    }
    if reply.oob_codes_left > 0 {
        let number = reply.oob_codes_left;
        output.note(&format!("{number} codes sent by mail are not taken over: ask for new ones"));
    }
    let merged = reply.troubles.len() as u64 - reply.lost;
    if merged > 0 {
        output.note(&format!("{merged} were taken by a rule, otherwise than they stood there"));
    }
    if reply.lost == 0 {
        if !args.yes {
            output.note("Do it: the same command with --yes");
        }
        return Ok(());
    }
    let doing = if args.yes { "could not be taken" } else { "cannot be taken" };
    let failure = Failure::refused(format!("{} {doing} as they are", reply.lost));
    let next = if args.yes {
        "what was left: correct it in the old data and run the same command again, or make it here; what was taken \
         already is changed here alone"
    } else {
        "correct them in the old data, or take the others: the same command with --yes"
    };
    Err(Failure { exit: Exit::Drift, ..failure }.next(next))
}

fn write_report(args: &LegacyArgs, reply: &Reply) -> Result<(), Failure> {
    let Some(file) = &args.report else { return Ok(()) };
    let text = serde_json::to_string_pretty(reply)
        .map_err(|cause| Failure::refused(format!("writing the report: {cause}")))?;
    private_file::replace(file, &format!("{text}\n"))
}

fn reply(dry_run: bool, report: &MigrationReport) -> Reply {
    let count = |thing| {
        let count = report.count(thing);
        let (found, taken, present) = (count.found, count.taken, count.present);
        CountReply { found, taken, present, merged: count.merged, left: count.left }
    };
    Reply {
        dry_run,
        tenants: count(MigratedThing::Tenant),
        roles: count(MigratedThing::Role),
        clients: count(MigratedThing::Client),
        users: count(MigratedThing::User),
        memberships: count(MigratedThing::Membership),
        oob_codes_left: report.oob_codes,
        lost: report.lost(),
        troubles: report.troubles.iter().map(TroubleReply::from).collect(),
    }
}

impl From<&MigrationTrouble> for TroubleReply {
    fn from(trouble: &MigrationTrouble) -> Self {
        Self {
            kind: trouble.kind.as_str(),
            says: trouble.kind.meaning(),
            loses: trouble.kind.loses(),
            key: trouble.key.clone(),
            field: trouble.field.clone(),
            detail: trouble.detail.as_ref().map(ToString::to_string),
        }
    }
}

fn counts(reply: &Reply) -> [(&'static str, CountReply); 5] {
    [
        ("tenants", reply.tenants),
        ("roles", reply.roles),
        ("clients", reply.clients),
        ("users", reply.users),
        ("memberships", reply.memberships),
    ]
}

fn people(reply: &Reply) -> String {
    let taken = if reply.dry_run { "TO TAKE" } else { "TAKEN" };
    let rows = counts(reply).map(|(name, count)| {
        let CountReply { found, taken, present, merged, left } = count;
        let numbers = [found, taken, present, merged, left].map(|number| number.to_string());
        let [found, taken, present, merged, left] = numbers;
        [name.to_owned(), found, taken, present, merged, left]
    });
    let mut text = output::table(&["", "FOUND", taken, "PRESENT", "MERGED", "LEFT"], rows);
    if reply.troubles.is_empty() {
        return text;
    }
    let shown = reply.troubles.iter().take(MAX_SHOWN).map(|trouble| {
        let place = match &trouble.field {
            Some(field) => format!("{} {field}", trouble.key),
            None => trouble.key.clone(),
        };
        let says = match &trouble.detail {
            Some(detail) => format!("{} ({detail})", trouble.says),
            None => trouble.says.to_owned(),
        };
        let lost = if trouble.loses { "look" } else { "taken" };
        [place, lost.to_owned(), says]
    });
    text.push_str("\n\n");
    text.push_str(&output::table(&["OLD DATA", "", "WHY"], shown));
    let more = reply.troubles.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        text.push_str(&format!("\nand {more} more: --report FILE or --output json has all"));
    }
    text
}
