//! `tikti worker rotate-secret`: a new secret for a worker, and the end of the old one.
//!
//! The new secret is shown before an old one is revoked: whatever fails in between, somebody has one that is
//! good. A worker has two secrets at most, so that its processes can be moved from one to the other.
//!
//! Spec: Command line, `worker`; HTTP API, "Tenant administration", workers.

use std::fmt::Display;

use clap::Args;
use tikti_server::api::{
    AddWorkerSecretRequest, AddedWorkerSecretReply, EmptyReply, WorkerReply, WorkerSecretReply,
};

use super::worker::Reference;
use crate::exit::Failure;
use crate::input;
use crate::session::Session;
use crate::shown;

/// Make a new secret for a worker, which is shown once; the old one stays good until it is revoked
///
/// Two secrets may be good at the same time: make the new one, roll it out, then revoke the old one. With a
/// secret, the tokens that the worker has are revoked too.
#[derive(Args)]
#[command(after_help = "\
Example:
  SECRET=$(tikti worker rotate-secret worker-01 --tenant codecompany --quiet)
  tikti worker rotate-secret worker-01 --tenant codecompany --revoke 1 --yes
  tikti worker rotate-secret worker-01 --tenant codecompany --revoke-old --yes

`tikti worker get WORKER` shows the numbers of its secrets.")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    reference: Reference,
    /// Revoke all older secrets at once, with the tokens that the worker has
    #[arg(long)]
    revoke_old: bool,
    /// Make no new secret: revoke the one of this number, when nobody uses it any more
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["revoke_old", "expires_at"])]
    revoke: Option<u32>,
    /// When the new secret ends by itself, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Do not ask before secrets are revoked
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn rotate(session: &Session<'_>, args: &RotateArgs) -> Result<(), Failure> {
    let (worker, output) = (&args.reference.worker, session.output());
    if let Some(n) = args.revoke {
        let what =
            format!("secret {n} of worker {worker} at {}, with its tokens,", session.target.host);
        input::confirm_revocation(output, &what, args.yes)?;
        let gone = revoke(session, &args.reference, n).await?;
        output.done(&format!("Secret {n} of worker {worker} revoked, and its tokens with it"));
        return output.answer(&gone, "", "");
    }
    let mut old = Vec::new();
    if args.revoke_old {
        let host = &session.target.host;
        let what = format!("all older secrets of worker {worker} at {host}, with its tokens,");
        input::confirm_revocation(output, &what, args.yes)?;
        old = held(session, &args.reference).await?;
        make_room(session, &args.reference, &mut old).await?;
    }
    let added = add(session, &args.reference, args.expires_at.clone()).await?;
    let said = format!("Secret {} of worker {worker} made", added.n);
    // Nothing is revoked where nobody has got it.
    shown::secret(output, &said, &added, added.secret.as_deref()).map_err(|failure| {
        let n = added.n;
        failure.next(format!(
            "the secret before it stays good; revoke the new one, {}, and say the same again",
            revoking(session, &args.reference, &n)
        ))
    })?;
    if !args.revoke_old {
        let revoking = revoking(session, &args.reference, &"NUMBER");
        output.note(&format!("Older ones stay good: {revoking}"));
    }
    for n in old {
        revoke(session, &args.reference, n).await.map_err(|failure| {
            failure.next(format!(
                "the new secret is good, and the old one is, too: say {}",
                revoking(session, &args.reference, &n)
            ))
        })?;
        output.note(&format!("Secret {n} revoked, and the worker's tokens with it"));
    }
    Ok(())
}

/// The numbers of the secrets that the worker has, the oldest first.
async fn held(session: &Session<'_>, reference: &Reference) -> Result<Vec<u32>, Failure> {
    let worker: WorkerReply = session.get(reference.url(session, &[])?).await?;
    Ok(numbers(&worker.secrets))
}

/// How to revoke secret `n`, as it can be pasted.
pub(super) fn revoking(session: &Session<'_>, reference: &Reference, n: &dyn Display) -> String {
    let worker = &reference.worker;
    let tenant = session.tenant(reference.tenant.as_deref()).unwrap_or("REF");
    format!("`tikti worker rotate-secret {worker} --tenant {tenant} --revoke {n} --yes`")
}

/// The numbers of secrets, the oldest first.
pub(super) fn numbers(secrets: &[WorkerSecretReply]) -> Vec<u32> {
    let mut numbers = Vec::from_iter(secrets.iter().map(|secret| secret.n));
    numbers.sort_unstable();
    numbers
}

/// Revokes the oldest where two are held, and takes it off the list.
pub(super) async fn make_room(
    session: &Session<'_>,
    reference: &Reference,
    held: &mut Vec<u32>,
) -> Result<(), Failure> {
    if held.len() >= 2 {
        let oldest = held.remove(0);
        revoke(session, reference, oldest).await?;
        let worker = &reference.worker;
        session.output().note(&format!("Secret {oldest} of worker {worker} revoked"));
    }
    Ok(())
}

pub(super) async fn add(
    session: &Session<'_>,
    reference: &Reference,
    expires_at: Option<String>,
) -> Result<AddedWorkerSecretReply, Failure> {
    let url = reference.url(session, &["secrets"])?;
    session.post(url, &AddWorkerSecretRequest { expires_at }).await.map_err(|failure: Failure| {
        let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
        if code != Some("LIMIT_EXCEEDED") {
            return failure;
        }
        let (worker, tenant) = (&reference.worker, session.tenant(reference.tenant.as_deref()));
        failure.next(format!(
            "it has two secrets: revoke one, {}; `tikti worker get {worker} --tenant {}` shows their numbers",
            revoking(session, reference, &"NUMBER"),
            tenant.unwrap_or("REF")
        ))
    })
}

pub(super) async fn revoke(
    session: &Session<'_>,
    reference: &Reference,
    n: u32,
) -> Result<EmptyReply, Failure> {
    session.delete(reference.url(session, &["secrets", &n.to_string()])?).await
}
