//! `tikti bootstrap`: the first administrator and API key of a new deployment.
//!
//! Password and key come from the environment or from files, as a secret of an orchestrator does, and are never
//! printed. A deployment that has an administrator is left as it is, so that this may run at every start.
//!
//! Spec: Command line, `bootstrap`; Operations, "Deployment".

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tikti_server::config::{self, LogConfig};
use tikti_server::maintenance::{Begun, MaintenanceError, begin_deployment};
use tikti_server::telemetry;

use super::store_args::not_done;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::next_step;
use crate::output::Output;
use crate::profile::Environment;

const PASSWORD: &str = "TIKTI_BOOTSTRAP_PASSWORD";
const API_KEY: &str = "TIKTI_BOOTSTRAP_API_KEY";

/// Give a new deployment its first administrator and, where one is given, an API key
///
/// Does nothing where there is an administrator, so every replica may run it at every start, all with the same
/// address; one that was stopped half-way is run again. The API key has every scope. A server on an embedded
/// store must be stopped; on others, servers may run.
#[derive(Args)]
#[command(after_help = "\
Examples:
  TIKTI_BOOTSTRAP_PASSWORD_FILE=/run/secrets/admin-password \\
      tikti bootstrap --config /etc/tikti/config.yaml --admin root@example.org
  TIKTI_BOOTSTRAP_PASSWORD_FILE=/run/secrets/admin-password \\
      TIKTI_BOOTSTRAP_API_KEY_FILE=/run/secrets/api-key \\
      tikti bootstrap --config /etc/tikti/config.yaml --admin root@example.org --output json

Environment:
  TIKTI_BOOTSTRAP_PASSWORD   Password of the administrator
  TIKTI_BOOTSTRAP_API_KEY    API key, tk_<id>_<secret>; none is made without it

Either may be in a file, which the variable with _FILE behind its name names. Neither is printed.
The key of the configuration (apiKey) is another one, and needs no bootstrap.")]
pub(crate) struct BootstrapArgs {
    /// Configuration of `tikti serve`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// E-mail address of the administrator
    #[arg(long, value_name = "EMAIL", aliases = ["email", "user", "admin-email"])]
    admin: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    /// Whether they were made; false where there was an administrator.
    made: bool,
    admin_email: &'a str,
}

pub(crate) async fn run(context: &Context, args: &BootstrapArgs) -> Result<(), Failure> {
    let config =
        config::load(&args.config).map_err(|problems| Failure::usage(problems.to_string()))?;
    let password = Environment::secret(PASSWORD)?.ok_or_else(|| {
        Failure::usage("no password is given")
            .next(format!("set {PASSWORD}, or {PASSWORD}_FILE to the name of a file"))
    })?;
    let api_key = Environment::secret(API_KEY)?;
    let made = if api_key.is_some() { " and the API key" } else { "" };
    // Who becomes an administrator is audited, and the audit trail is in the log.
    telemetry::init(&LogConfig::default());
    let begun = begin_deployment(config, (&args.admin, password), api_key).await;
    let begun = begun.map_err(not_begun)?;
    say(&context.output, begun, (&args.admin, made))
}

/// `made` is what there is beside the administrator.
fn say(output: &Output, begun: Begun, (admin, made): (&str, &str)) -> Result<(), Failure> {
    match begun {
        Begun::Made => {
            output.done(&format!("The administrator {admin}{made} can be used"));
            output.note(&format!("Sign in: `tikti auth login --user {admin}`"));
        }
        Begun::Before => output.done("There is an administrator: nothing was done"),
        Begun::Elsewhere => {
            return Err(Failure::refused(
                "the administrator is being made by another replica, or was left half made",
            )
            .next("run it again"));
        }
    }
    output.answer(&Reply { made: begun == Begun::Made, admin_email: admin }, "", admin)
}

/// What was given and does not fit the rules is a wrong configuration; everything else may be run again.
fn not_begun(cause: MaintenanceError) -> Failure {
    let code = match &cause {
        MaintenanceError::Refused(error) => error.code().as_str(),
        _ => "",
    };
    let failure = not_done(cause);
    match code {
        "WEAK_PASSWORD" | "PASSWORD_TOO_LONG" | "INVALID_EMAIL" | "INVALID_ARGUMENT" => {
            let failure = Failure { exit: Exit::Usage, ..failure };
            match next_step::for_code(code) {
                Some(step) => failure.next(step),
                None => failure.next(format!("look at {API_KEY}")),
            }
        }
        "EMAIL_EXISTS" => failure.next("give an address that nobody has with --admin"),
        "CONFLICT" => {
            failure.next(format!("run it again; if it stays so, give {API_KEY} another id"))
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Color, Format, Verbosity};

    /// Whoever starts a server behind it must not take that for done.
    #[test]
    fn a_replica_that_has_stopped_half_way_is_a_failure_that_may_be_repeated() {
        let output = Output::new(Format::Json, Verbosity::Normal, Color::Never);
        let failure = say(&output, Begun::Elsewhere, ("root@example.org", "")).unwrap_err();
        assert_eq!((failure.exit, failure.next.as_deref()), (Exit::Refused, Some("run it again")));
        assert!(failure.message.contains("by another replica"), "{}", failure.message);
    }
}
