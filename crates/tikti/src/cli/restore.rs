//! `tikti restore`: a backup becomes the store of a deployment again.
//!
//! Spec: Operations, "Backup".

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tikti_server::config::LogConfig;
use tikti_server::maintenance::{
    BackupError, MaintenanceError, Progress, Restoring, made_at, restore_into,
};
use tikti_server::telemetry;

use super::store_args::{KeyArgs, StoreArgs, not_done, note_expired};
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;

/// Fill an empty store from a backup
///
/// Wants the secrets that the deployment had: in the configuration, or in the `secrets.yaml` of the
/// directory. Whoever was signed in signs in again; until a restore is done, no server starts on the
/// store.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti restore tikti.backup --config /etc/tikti/config.yaml --key-file backup.key
  mkdir -m 700 data && cp old/secrets.yaml data/ && tikti restore tikti.backup --data data")]
pub(crate) struct RestoreArgs {
    /// File that `tikti backup` wrote
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Let sessions and tokens from before live on; those that were revoked since the backup, too
    #[arg(long)]
    keep_sessions: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    records: u64,
    expired: u64,
    created: String,
    engine: String,
    sessions_kept: bool,
}

pub(crate) async fn run(context: &Context, args: &RestoreArgs) -> Result<(), Failure> {
    let store = args.store.store(context)?;
    let secrets = args.store.secrets(context)?;
    let key = args.key.key()?;
    let file =
        File::open(&args.file).map_err(|cause| Failure::file("reading", &args.file, &cause))?;
    // A restore is audited, and the audit trail is in the log.
    telemetry::init(&LogConfig::default());
    let keep_sessions = args.keep_sessions;
    let restoring = Restoring { secrets: &secrets, key: key.as_ref(), keep_sessions };
    let bar = context.output.progress();
    let mut tell = |at: Progress| bar.show("Restoring", at.done, at.total);
    let mut input = BufReader::new(file);
    let restored = restore_into(&store, restoring, &mut input, &mut tell).await;
    drop(bar);
    let report = restored.map_err(not_restored)?;
    let reply = Reply {
        records: report.records,
        expired: report.expired,
        created: made_at(&report),
        engine: report.engine,
        sessions_kept: keep_sessions,
    };
    let output = &context.output;
    output.done(&format!("{} records restored, as of {}", reply.records, reply.created));
    note_expired(output, reply.expired);
    if !keep_sessions {
        output.note("Sessions and tokens from before are dead: everybody signs in again");
        output.note("The next start revokes the signing keys from before and makes a new one");
    } else {
        output.note(
            "Signing keys that were revoked since the backup are good again. If there may be one: \
             `tikti keys rotate --emergency`",
        );
    }
    if report.created > clock::now() {
        output.note(&format!(
            "The backup was made by a clock that is ahead of this machine's: set it right, or wait until \
             {}, since no session that begins before is accepted",
            reply.created
        ));
    }
    output.answer(&reply, "", &reply.records.to_string())
}

/// Secrets that do not fit are a wrong configuration, and so they are for a server.
fn not_restored(cause: MaintenanceError) -> Failure {
    match cause {
        MaintenanceError::Backup(BackupError::OtherSecrets(_)) => {
            Failure::usage(Failure::chain(&cause))
        }
        other => not_done(other),
    }
}
