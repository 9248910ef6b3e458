//! `tikti store copy`: moves a deployment to another engine.
//!
//! Ended at any moment, it leaves a target that no server serves and that the same command goes on
//! to fill.
//!
//! Spec: Operations, "Backup" (`store copy`).

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tikti_server::ServeError;
use tikti_server::config::{self, StoreConfig};
use tikti_store::Store;
use tikti_store::copy::{CopyPhase, CopyProgress, CopyReport, copy};

use super::serve::not_started;
use super::store_args::note_expired;
use crate::clock;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::interrupt::PutBack;

const HOLDER: &str = "tikti store copy";

/// Copy everything from one store into another, empty one, and compare the two
///
/// Stop all servers of the source first: what they write meanwhile is not in the copy. Ended early, the same command
/// goes on where it stopped; until it is done, no server starts on the copy.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti store copy --from embedded:/var/lib/tikti --to redis://127.0.0.1:6666
  tikti store copy --from embedded:/var/lib/tikti --to @/run/secrets/store-url
  tikti store copy --from embedded:/var/lib/tikti --to-config kvrocks.yaml

A directory of `tikti dev` has its store in DIR/store.")]
pub(crate) struct CopyArgs {
    /// Store to read; @FILE reads the URL from a file
    #[arg(long, value_name = "URL", required_unless_present = "from_config")]
    from: Option<String>,
    /// Configuration whose store is read, with all that is set below `store`
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    from_config: Option<PathBuf>,
    /// Store to fill; @FILE reads the URL from a file, since others can see the password of one on the
    /// command line
    #[arg(long, value_name = "URL", required_unless_present = "to_config")]
    to: Option<String>,
    /// Configuration whose store is filled, with all that is set below `store`: waitReplicas, tls and
    /// others
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_config: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    records: u64,
    expired: u64,
    checksum: String,
    resumed: bool,
}

pub(crate) async fn run(context: &Context, args: &CopyArgs) -> Result<(), Failure> {
    let from = named(args.from.as_deref(), args.from_config.as_deref())?;
    let to = named(args.to.as_deref(), args.to_config.as_deref())?;
    let from = source(from).await.map_err(not_started)?;
    let to = to.open(HOLDER).await.map_err(not_started)?;
    let said = context.output.clone();
    let _told =
        PutBack::at_signal(move |_| said.ended("the same command goes on where this one stopped"));
    let bar = context.output.progress();
    let mut tell = |at: CopyProgress| {
        let doing = match at.phase {
            CopyPhase::Copying => "Copying",
            CopyPhase::Verifying => "Comparing",
        };
        bar.show(doing, at.done, at.total);
    };
    let copied = copy(&from, &to, clock::now(), &mut tell).await;
    drop(bar);
    from.close().await;
    to.close().await;
    let CopyReport { records, expired, checksum, resumed } =
        copied.map_err(|cause| Failure::refused(Failure::chain(&cause)))?;
    let reply = Reply { records, expired, checksum: format!("{checksum:016x}"), resumed };
    let output = &context.output;
    output.done(&format!("{records} records copied and compared, checksum {}", reply.checksum));
    note_expired(output, expired);
    output.note("Start the server with this store, and keep the old one until you are sure");
    output.answer(&reply, "", &records.to_string())
}

/// The store of a URL, or of a configuration.
fn named(url: Option<&str>, file: Option<&Path>) -> Result<StoreConfig, Failure> {
    match (url, file) {
        (_, Some(file)) => {
            let config = config::load(file);
            Ok(config.map_err(|problems| Failure::usage(problems.to_string()))?.store)
        }
        (Some(url), None) => Ok(StoreConfig::new(input::store_url(url)?)),
        (None, None) => Err(Failure::usage("a store is missing: give its URL")),
    }
}

/// Opens what is read so that nobody else writes to it, where the engine can do that.
async fn source(mut from: StoreConfig) -> Result<Store, ServeError> {
    // What it keeps over a restart is not asked of a store that is only read.
    from.redis.allow_volatile = true;
    let read_only = from.open_read_only(HOLDER).await?;
    if !from.is_embedded() {
        return Ok(read_only);
    }
    // There is a store: opening it for itself makes none and keeps every server out.
    read_only.close().await;
    from.open(HOLDER).await
}
