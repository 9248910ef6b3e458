//! `tikti serve`: the server of a deployment.
//!
//! What keeps a server from starting is always the fault of its configuration or surroundings, so it
//! ends with 3; what ends it later is a failure.
//!
//! Spec: Command line, `serve`; Operations.

use std::path::PathBuf;

use clap::Args;
use tikti_server::{Listener, ServeError, config, start, telemetry};
use tokio::runtime::{self, Runtime};

use crate::exit::Failure;

/// Run the server of a deployment
///
/// Every setting of the file can also come from the environment, as TIKTI__LEVEL__KEY.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti serve --config /etc/tikti/config.yaml
  TIKTI__STORE__URL_FILE=/run/secrets/store-url tikti serve --config /etc/tikti/config.yaml

examples/tikti.yaml is the least that it wants, with the commands that make the secrets.
A new deployment has no users yet: `tikti bootstrap` makes the first one. To try things out,
use `tikti dev`.")]
pub(crate) struct ServeArgs {
    /// The configuration, as YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config =
        config::load(&args.config).map_err(|problems| Failure::usage(problems.to_string()))?;
    telemetry::init(&config.log);
    server_runtime()?.block_on(async {
        let listener = Listener::bind_over(config.listen, &config.store).await;
        let listener = listener.map_err(not_started)?;
        // Nothing to begin with: only `dev` makes users by itself.
        let running = start(listener, config, Default::default()).await.map_err(not_started)?;
        running.stopped().await.map_err(ended_badly)
    })
}

/// A server uses every core.
pub(crate) fn server_runtime() -> Result<Runtime, Failure> {
    runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::refused(format!("starting the runtime: {cause}")))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
pub(crate) fn not_started(cause: ServeError) -> Failure {
    Failure::usage(Failure::chain(&cause))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` wants")]
pub(crate) fn ended_badly(cause: ServeError) -> Failure {
    Failure::refused(Failure::chain(&cause))
}
