//! `tikti config check`: would a server start with this, and with what?
//!
//! Opens no store and asks nobody. What is shown holds no secret and no password.
//!
//! Spec: Operations, "Configuration"; Command line, `config check`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tikti_server::config;

use crate::context::Context;
use crate::exit::Failure;
use crate::yaml::to_yaml;

/// Check the configuration of a server
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say every problem of a configuration at once, or show what it comes to
    ///
    /// File and TIKTI__... variables are read as `tikti serve` reads them; a wrong one is exit code 3. Settings that
    /// were left out are shown with the values that they have then, secrets as ***.
    #[command(after_help = "\
Example:
  tikti config check --config /etc/tikti/config.yaml
  tikti config check --config /etc/tikti/config.yaml --quiet && systemctl restart tikti")]
    Check(CheckArgs),
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The configuration, as YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(context: &Context, command: &ConfigCommand) -> Result<(), Failure> {
    let ConfigCommand::Check(args) = command;
    let config =
        config::load(&args.config).map_err(|problems| Failure::usage(problems.to_string()))?;
    let effective = config::effective(&config);
    let people = to_yaml(&effective)
        .map_err(|cause| Failure::refused(format!("writing the configuration: {cause}")))?;
    context.output.answer(&effective, &people, "")?;
    context.output.done(&format!("{} can be served.", args.config.display()));
    Ok(())
}
