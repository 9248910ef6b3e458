//! `tikti user import`: users of another system move in with their ids and their passwords.
//!
//! Repeated, it goes on where it stopped. What it says names a user by number, never by address.
//!
//! Spec: Command line, `user import`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tikti_server::config::LogConfig;
use tikti_server::maintenance::{
    ImportReport, Progress, UserFileError, UserRow, examine_users, import_users,
    read_firebase_hash_config, read_firebase_users, read_user_lines,
};
use tikti_server::telemetry;

use super::store_args::{StoreArgs, not_done};
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

/// Most refused users that are shown to people; programs get them all.
const MAX_SHOWN: usize = 50;

/// Take over users of another system, with their ids and password hashes
///
/// FILE has one JSON object a line, or is what `firebase auth:export --format=JSON` wrote where
/// --firebase-hash-config is given. A server on an embedded store must be stopped. Users who are there already
/// are left as they are, so the same command can be run again.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti user import users.jsonl --config /etc/tikti/config.yaml --dry-run
  tikti user import export.json --firebase-hash-config hash.txt --data ./data

A line:
  {\"id\":\"u-1\",\"email\":\"ann@example.org\",\"emailVerified\":true,\"displayName\":\"Ann\",
   \"passwordHash\":\"$argon2id$v=19$m=65536,t=3,p=4$…\",\"disabled\":false,
   \"createdAt\":\"2024-01-31T12:00:00Z\",\"lastLoginAt\":1706702400000}   (on one line; id and email are enough)

Hashes: bcrypt ($2a$ $2b$ $2y$), Argon2id, scrypt, PBKDF2-SHA256 (PHC, passlib, Django).
The first sign-in replaces them. hash.txt is what the Firebase console shows as
password hash parameters.")]
pub(crate) struct ImportArgs {
    /// File with the users
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// File with the password hash parameters of the Firebase project that the users come from
    #[arg(long, value_name = "FILE")]
    firebase_hash_config: Option<PathBuf>,
    /// Only read the file and say what in it cannot be taken; opens no store
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    dry_run: bool,
    /// Of a dry run: how many the file has.
    #[serde(skip_serializing_if = "Option::is_none")]
    importable: Option<u64>,
    imported: u64,
    already_there: u64,
    refused: Vec<RefusedReply>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusedReply {
    number: u64,
    reason: String,
}

pub(crate) async fn run(context: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let rows = read(args)?;
    let report = if args.dry_run {
        examine_users(rows)
    } else {
        let config = args.store.deployment(context)?;
        // An import is audited, and the audit trail is in the log.
        telemetry::init(&LogConfig::default());
        let bar = context.output.progress();
        let mut tell = |at: Progress| bar.show("Importing", at.done, at.total);
        let imported = import_users(config, rows, &mut tell).await;
        drop(bar);
        imported.map_err(not_done)?
    };
    answer(context, args, report)
}

fn read(args: &ImportArgs) -> Result<Vec<UserRow>, Failure> {
    let open = |path: &Path| {
        let file = File::open(path).map_err(|cause| Failure::file("reading", path, &cause))?;
        Ok::<_, Failure>(BufReader::new(file))
    };
    let failed =
        |path: &Path, cause: &UserFileError| Failure::usage(format!("{}: {cause}", path.display()));
    let Some(parameters) = &args.firebase_hash_config else {
        let rows = read_user_lines(&mut open(&args.file)?);
        return rows.map_err(|cause| failed(&args.file, &cause));
    };
    let config = read_firebase_hash_config(&mut open(parameters)?);
    let config = config.map_err(|cause| failed(parameters, &cause))?;
    let rows = read_firebase_users(&mut open(&args.file)?, &config);
    rows.map_err(|cause| failed(&args.file, &cause))
}

fn answer(context: &Context, args: &ImportArgs, report: ImportReport) -> Result<(), Failure> {
    let dry_run = args.dry_run;
    let refused = report.refused.into_iter();
    let refused = refused.map(|user| RefusedReply { number: user.number, reason: user.reason });
    let reply = Reply {
        dry_run,
        importable: dry_run.then_some(report.made),
        imported: if dry_run { 0 } else { report.made },
        already_there: report.already_there,
        refused: refused.collect(),
    };
    let output = &context.output;
    output.answer(&reply, &people(&reply), &report.made.to_string())?;
    if dry_run {
        output.done(&format!("{} users can be imported; nothing was written", report.made));
    } else {
        output.done(&format!("{} users imported", reply.imported));
    }
    if reply.already_there > 0 {
        output.note(&format!("{} were there already and stay as they are", reply.already_there));
    }
    match reply.refused.len() {
        0 => Ok(()),
        number => Err(Failure::refused(format!("{number} users cannot be taken"))
            .next("correct them in the file and run the same command again")),
    }
}

fn people(reply: &Reply) -> String {
    if reply.refused.is_empty() {
        return String::new();
    }
    let rows = reply.refused.iter().take(MAX_SHOWN);
    let rows = rows.map(|user| [user.number.to_string(), user.reason.clone()]);
    let mut text = output::table(&["NUMBER", "REASON"], rows);
    let more = reply.refused.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        text.push_str(&format!("\nand {more} more: --output json shows all"));
    }
    text
}
