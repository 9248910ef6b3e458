//! `tikti store`: looks after a store, without a server.
//!
//! Spec: Command line, `store`; Operations, "Backup".

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use tikti_server::ServeError;
use tikti_store::{Status, Store};

use super::serve::not_started;
use super::store_args::StoreArgs;
use super::{store_copy, store_verify};
use crate::context::Context;
use crate::exit::Failure;
use crate::output;

/// Verify, copy, compact and show the store of a server
#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Compare everything that is stored with the rules, beside a running server or without one
    ///
    /// Nothing is written. Ends with 1 where a rule is broken.
    #[command(after_help = "\
Example:
  tikti store verify
  tikti store verify --config /etc/tikti/config.yaml --output json")]
    Verify(StoreArgs),
    Copy(store_copy::CopyArgs),
    /// Give the free space of an embedded store back to the file system
    ///
    /// The server must be stopped. A crash leaves the old file or the new one, whole.
    #[command(after_help = "Example:\n  tikti store compact --data ./data")]
    Compact(StoreArgs),
    /// Say which engine it is, how large, and what a crash could lose
    #[command(after_help = "Example:\n  tikti store status --store redis://127.0.0.1:6379")]
    Status(StatusArgs),
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompactReply {
    before_bytes: u64,
    after_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReply {
    engine: String,
    size_bytes: Option<u64>,
    used_bytes: Option<u64>,
    free_bytes: Option<u64>,
    limit_bytes: Option<u64>,
    entries: Option<u64>,
    readers: Option<u64>,
    remarks: Vec<String>,
}

pub(crate) async fn run(context: &Context, command: &StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Verify(args) => store_verify::run(context, args).await,
        StoreCommand::Copy(args) => store_copy::run(context, args).await,
        StoreCommand::Compact(args) => compact(context, args),
        StoreCommand::Status(args) => status(context, &args.store).await,
    }
}

fn compact(context: &Context, args: &StoreArgs) -> Result<(), Failure> {
    let store = args.store(context)?;
    let options = store.options("tikti store compact").map_err(not_started)?;
    let compacted = Store::compact(store.url.expose_secret(), &options)
        .map_err(|cause| not_started(ServeError::Store(cause)))?;
    let (before_bytes, after_bytes) = (compacted.before_bytes, compacted.after_bytes);
    let output = &context.output;
    output.done(&format!("Compacted from {} to {}", bytes(before_bytes), bytes(after_bytes)));
    output.answer(&CompactReply { before_bytes, after_bytes }, "", &after_bytes.to_string())
}

async fn status(context: &Context, args: &StoreArgs) -> Result<(), Failure> {
    let store = args.store(context)?;
    let store = store.open_read_only("tikti store status").await.map_err(not_started)?;
    let status = store.status().await.map_err(|cause| Failure::refused(Failure::chain(&cause)))?;
    let Status {
        engine,
        size_bytes,
        used_bytes,
        free_bytes,
        limit_bytes,
        entries,
        readers,
        remarks,
    } = status;
    let reply = StatusReply {
        engine,
        size_bytes,
        used_bytes,
        free_bytes,
        limit_bytes,
        entries,
        readers,
        remarks,
    };
    context.output.answer(&reply, &people(&reply), &reply.engine)
}

fn people(reply: &StatusReply) -> String {
    let mut rows = vec![("engine", reply.engine.clone())];
    let figures = [
        ("size", reply.size_bytes.map(bytes)),
        ("used", reply.used_bytes.map(bytes)),
        ("free", reply.free_bytes.map(bytes)),
        ("limit", reply.limit_bytes.map(bytes)),
        ("entries", reply.entries.map(|entries| entries.to_string())),
        ("readers", reply.readers.map(|readers| readers.to_string())),
    ];
    rows.extend(figures.into_iter().filter_map(|(name, figure)| Some((name, figure?))));
    rows.extend(reply.remarks.iter().map(|remark| ("remark", remark.clone())));
    output::fields(rows)
}

/// A size for people: `3.4 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = bytes.saturating_mul(10);
    let mut unit = "bytes";
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_in_the_unit_that_fits() {
        for (size, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1_500_000, "1.4 MiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }
}
