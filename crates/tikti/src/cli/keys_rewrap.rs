//! `tikti keys rewrap`: a master key goes out of use.
//!
//! Spec: Command line, `keys`; Operations, "Configuration" (`masterKey`).

use clap::Args;
use serde::Serialize;
use tikti_server::config::LogConfig;
use tikti_server::maintenance::rewrap_keys;
use tikti_server::telemetry;

use super::store_args::{StoreArgs, not_done};
use crate::context::Context;
use crate::exit::Failure;

/// Seal private keys and waiting mails anew under the first master key of the configuration
///
/// Afterwards the other master keys may leave the configuration. It may be interrupted and run again. A server
/// on an embedded store must be stopped; on others, servers may run.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti keys rewrap --config /etc/tikti/config.yaml

A master key is replaced in four steps: add the new one behind the old one in
secrets.masterKey and restart every server; move it to the first place and restart them;
run this; take the old one out.")]
pub(crate) struct RewrapArgs {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
struct Reply {
    rewrapped: u64,
    already: u64,
    lost: u64,
}

pub(crate) async fn run(context: &Context, args: &RewrapArgs) -> Result<(), Failure> {
    let config = args.store.deployment(context)?;
    let master_keys = &config.domain.secrets.master_key;
    let first = master_keys.first().map_or("-", |named| named.kid.as_str());
    // It is audited, and the audit trail is in the log.
    telemetry::init(&LogConfig::default());
    let done = rewrap_keys(&config).await.map_err(not_done)?;
    let reply = Reply { rewrapped: done.rewrapped, already: done.already, lost: done.lost };
    let output = &context.output;
    let Reply { rewrapped, already, lost } = &reply;
    output.done(&format!(
        "{rewrapped} sealed anew under the master key {first}, {already} were already"
    ));
    if *lost > 0 {
        output.warn(&format!(
            "{lost} waiting mails are sealed under no master key of this configuration: they cannot be sent"
        ));
    }
    if master_keys.len() > 1 {
        output.note("The other master keys may leave the configuration, once no server has one of them first");
    }
    output.answer(&reply, "", &rewrapped.to_string())
}
