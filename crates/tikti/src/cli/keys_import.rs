//! `tikti keys import`: a private key that was made elsewhere becomes a signing key.
//!
//! The file is judged before the store is opened. Nothing of it is ever printed.
//!
//! Spec: Tokens and keys, "Signing keys" (importing a PEM); Command line, `keys`.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::ExposeSecret;
use tikti_server::api::RotatedKeyReply;
use tikti_server::config::LogConfig;
use tikti_server::maintenance::import_key;
use tikti_server::telemetry;
use tikti_token::{MAX_KEY_FILE_BYTES, import_rsa_pem};

use super::store_args::{StoreArgs, not_done};
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::output::Output;

/// Take over an RSA key that was made elsewhere
///
/// FILE is one PEM block, PKCS#8 or PKCS#1, of 2048, 3072 or 4096 bits and not encrypted; - is standard input.
/// In an empty deployment it signs at once, else it waits for its turn as the key of a rotation does. A server
/// on an embedded store must be stopped; on others, servers may run.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti keys import key.pem --config /etc/tikti/config.yaml
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 | \\
      tikti keys import - --config /etc/tikti/config.yaml --kid hsm-2026")]
pub(crate) struct ImportArgs {
    /// File with the private key
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Name of the key in token headers [default: made as those of other keys]
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let file = input::secret_bytes(&args.file, MAX_KEY_FILE_BYTES)?;
    let name = shown(&args.file);
    import_rsa_pem(file.expose_secret())
        .map_err(|cause| Failure::usage(format!("{name} {cause}")))?;
    warn_of_readers(&context.output, &args.file);
    let config = args.store.deployment(context)?;
    // An import is audited, and the audit trail is in the log.
    telemetry::init(&LogConfig::default());
    let imported = import_key(&config, file.expose_secret(), args.kid.as_deref()).await;
    let imported = imported.map_err(not_done)?;
    let RotatedKeyReply { kid, state, activates_at } = &imported;
    let output = &context.output;
    output.done(&format!("Key {kid} imported: it is {state} and signs from {activates_at} on"));
    let settings = &config.domain.settings;
    let seconds = settings.key_refresh_interval.as_secs();
    output.note(&format!("Running servers know it within {seconds} s; `tikti keys list` shows it"));
    output.answer(&imported, "", kid)
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Says so where the file is not its owner's alone: who reads it can sign as this deployment.
#[cfg(unix)]
fn warn_of_readers(output: &Output, file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if file == Path::new("-") {
        return;
    }
    let Ok(found) = std::fs::metadata(file) else { return };
    let mode = found.permissions().mode() & 0o777;
    if found.is_file() && mode & 0o077 != 0 {
        let name = file.display();
        output.warn(&format!(
            "{name} can be read or changed by others (mode {mode:04o}): whoever has it signs as this \
             deployment; `chmod 600 {name}`, and remove it after the import"
        ));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Output, _: &Path) {}
