//! `tikti worker provision`: from nothing to a worker whose process can start, and again the same.
//!
//! What is there stays and what is missing is made, so that a second run mends whatever a first one left.
//! A file of settings is marked before a secret is made, which is shown once: if the secret never arrived, the
//! next run finds the mark, revokes it and makes another one; where it is not clear which one that is, nothing is
//! revoked, and never the one that the file holds while a newer one is held by nobody knows whom. Else a secret is only made where the worker is
//! new, or because somebody says so.
//!
//! Spec: Command line, `worker provision`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_server::api::{
    ClientReply, CreatedClientReply, CreatedWorkerReply, TenantReply, WorkerReply,
};
use url::Url;

use super::tenant::reference;
use super::token::words;
use super::worker::Reference;
use super::worker_environment::{Environment, Mark};
use super::worker_plan::{Plan, Step, Wish, plan};
use super::worker_secret;
use super::worker_token::Asker;
use crate::clock;
use crate::exit::Failure;
use crate::session::Session;
use crate::shown;

/// How far from the mark the secret may have been made that it tells of: three calls, and the clocks.
const ON_ITS_WAY_SECONDS: u64 = 120;

/// Make a worker with all that it needs to get tokens; what is there stays, what is missing is made
///
/// Makes the worker, its secret, the client and their scopes and event types, and asks for a token to see that
/// it works. Said again it changes nothing. The secret is made where the worker is new, or with --rotate: then
/// the one before stays good until the next rotation. With --write-env, the settings of the process go into a
/// file that is its owner's alone; else they are printed, once.
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti worker provision worker-03 --tenant codecompany --aud backend-worker \\
      --scopes \"jobs:read jobs:write\" --rotate --write-env worker.env
  tikti worker run --env-file worker.env --token-file worker.token -- sh -c 'cat worker.token'

The file holds TIKTI_HOST TIKTI_TENANT TIKTI_WORKER_ID TIKTI_WORKER_SECRET TIKTI_AUDIENCE
TIKTI_SCOPES TIKTI_EVENT_TYPES, as Docker (--env-file), systemd (EnvironmentFile=) and a shell
read them; other lines of it stay.

Where a run was broken off, the next one revokes the secret that nobody has got. Where it is not
clear which one that is, it names them and revokes none.

With --quiet the secret is printed, or the id where a file has it. A client is not made then, since
it has a secret of its own: make it before, by `tikti client create`.")]
pub(crate) struct ProvisionArgs {
    #[command(flatten)]
    pub(super) reference: Reference,
    /// Client that its tokens are for; made where it is missing
    #[arg(long, alias = "audience", alias = "client", value_name = "CLIENT", value_parser = reference)]
    aud: String,
    /// Scopes, with spaces or commas between them [default: those of the client]
    #[arg(long, alias = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// Event types, with spaces or commas between them; its tokens are worker tokens then
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
    /// File to write the settings into, 0600 and in one step
    #[arg(long, value_name = "FILE")]
    pub(super) write_env: Option<PathBuf>,
    /// Make a new secret also for a worker that is there; of older ones the last stays good
    #[arg(long)]
    rotate: bool,
}

/// What was found, what was done, and the settings of the process. No `Debug`: it holds secrets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Provisioned {
    worker_id: String,
    tenant_id: String,
    audience: String,
    scopes: Vec<String>,
    event_types: Vec<String>,
    /// What was not there: `client`, `worker`, `secret`.
    made: Vec<&'static str>,
    /// What was there and lacked something: `client`, `worker`.
    changed: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env_file: Option<PathBuf>,
    /// The settings; with the secret where it was made now and no file holds it.
    environment: BTreeMap<String, String>,
    /// The secret of a client that was made, for its resource server; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// One invocation.
struct Provision<'a> {
    session: &'a Session<'a>,
    args: &'a ProvisionArgs,
    environment: Environment,
    done: Provisioned,
}

pub(crate) async fn run(session: &Session<'_>, args: &ProvisionArgs) -> Result<(), Failure> {
    let wish = Wish {
        worker: args.reference.worker.clone(),
        audience: args.aud.clone(),
        scopes: words("--scopes", &args.scopes)?,
        event_types: words("--event-types", &args.event_types)?,
    };
    let tenant = session.tenant(args.reference.tenant.as_deref())?;
    let clients = session.tenant_url(tenant, &["clients", &args.aud]);
    let tenant: TenantReply = session.get(session.tenant_url(tenant, &[])).await?;
    let client = find::<ClientReply>(session, clients, "CLIENT_NOT_FOUND").await?;
    let url = args.reference.url(session, &[])?;
    let worker = find::<WorkerReply>(session, url, "WORKER_NOT_FOUND").await?;

    let plan = plan(&wish, client.as_ref(), worker.as_ref())?;
    if session.output().is_quiet() && matches!(plan.client, Step::Make(_)) {
        let client = &args.aud;
        return Err(Failure::usage(format!(
            "client {client} is not there yet, and --quiet has no place for its secret"
        ))
        .next(format!("leave --quiet out, or make it before: `tikti client create {client}`")));
    }
    let environment = Environment::find(session, args, &tenant.id)?.with(&plan, &args.aud)?;
    if worker.is_some() && !args.rotate {
        environment.require_secret()?;
    }
    let done = Provisioned {
        worker_id: wish.worker,
        tenant_id: tenant.id,
        audience: wish.audience,
        scopes: plan.scopes.clone(),
        event_types: plan.event_types.clone(),
        made: Vec::new(),
        changed: Vec::new(),
        env_file: args.write_env.clone(),
        environment: BTreeMap::new(),
        client_secret: None,
    };
    let mut provision = Provision { session, args, environment, done };
    let ended = provision.carry_out(plan, worker.as_ref()).await;
    // A secret that was made is shown, whatever happened after that.
    let has_secret = provision.done.made.contains(&"secret");
    if ended.is_ok() || has_secret || provision.done.client_secret.is_some() {
        provision.answer()?;
    }
    ended
}

/// What lies at `url`; none where the server says `absent`.
async fn find<T: DeserializeOwned>(
    session: &Session<'_>,
    url: Url,
    absent: &str,
) -> Result<Option<T>, Failure> {
    match session.get(url).await {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.reply.as_ref().is_some_and(|reply| reply.code == absent) => {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The number of the secret that was made last. A server that does not say it is taken by what is there.
fn last_number(worker: &WorkerReply) -> u32 {
    let held = worker.secrets.iter().map(|secret| secret.n).max();
    worker.last_secret.or(held).unwrap_or_default()
}

/// The secret that was made for the run that left `mark`; none where there is none.
///
/// Errors: those that were made since, where any of them may be somebody else's.
fn lost(worker: &WorkerReply, mark: Mark) -> Result<Option<u32>, Vec<u32>> {
    let since = Vec::from_iter(worker.secrets.iter().filter(|secret| secret.n > mark.after));
    let is_next = |n: u32| mark.after.checked_add(1) == Some(n) && last_number(worker) == n;
    let is_of_then = |time: &str| match (clock::seconds(time), mark.at) {
        (Some(made), Some(marked)) => made.abs_diff(marked) <= ON_ITS_WAY_SECONDS,
        _ => false,
    };
    match since.as_slice() {
        [] => Ok(None),
        [one] if is_next(one.n) && is_of_then(&one.created_at) => Ok(Some(one.n)),
        _ => Err(since.iter().map(|secret| secret.n).collect()),
    }
}

/// Whether the server has said no or was not reached, and so done nothing.
fn is_refusal(failure: &Failure) -> bool {
    let is_unsure = |code: &str| matches!(code, "INTERNAL" | "STORE_UNAVAILABLE");
    failure.is_unsent || failure.reply.as_ref().is_some_and(|reply| !is_unsure(&reply.code))
}

impl Provision<'_> {
    async fn carry_out(&mut self, plan: Plan, worker: Option<&WorkerReply>) -> Result<(), Failure> {
        let (output, worker_id) = (self.session.output(), self.args.reference.worker.clone());
        let is_unfinished = self.environment.marked().is_some();
        self.give_client(&plan).await?;
        self.give_worker(&plan).await?;
        if let Some(worker) = worker.filter(|_| self.args.rotate || is_unfinished) {
            self.make_secret(worker).await?;
        }
        match self.environment.write() {
            Ok(Some(file)) => {
                output.done(&format!("Settings of worker {worker_id} are in {}", file.display()));
            }
            Ok(None) => {}
            Err(failure) => return Err(self.give_up_file(failure)),
        }
        self.try_out().await
    }

    /// Shows what is known instead of writing it. A mark that stays would have a secret revoked that somebody
    /// has got.
    fn give_up_file(&mut self, failure: Failure) -> Failure {
        let is_marked =
            self.done.made.contains(&"secret") && self.environment.forget_mark().is_err();
        self.environment.give_up_file();
        let Some(file) = self.args.write_env.as_deref().filter(|_| is_marked) else {
            return failure;
        };
        failure.next(format!(
            "mend {} before the next run: put the settings there that were printed, and take the line out \
             that says that a secret is being made, or that run revokes this one",
            file.display()
        ))
    }

    async fn give_client(&mut self, plan: &Plan) -> Result<(), Failure> {
        let (session, audience) = (self.session, &self.args.aud);
        let tenant = session.tenant(self.args.reference.tenant.as_deref())?;
        match &plan.client {
            Step::Stays => return Ok(()),
            Step::Make(request) => {
                let url = session.tenant_url(tenant, &["clients"]);
                let made: CreatedClientReply = session.post(url, request).await?;
                self.done.client_secret = made.secret;
                self.done.made.push("client");
                session.output().done(&format!("Client {audience} created"));
            }
            Step::Change(request) => {
                let url = session.tenant_url(tenant, &["clients", audience]);
                let _client: ClientReply = session.patch(url, request).await?;
                self.done.changed.push("client");
                session.output().done(&format!("Client {audience} changed"));
            }
        }
        Ok(())
    }

    async fn give_worker(&mut self, plan: &Plan) -> Result<(), Failure> {
        let (session, reference) = (self.session, &self.args.reference);
        let worker = &reference.worker;
        match &plan.worker {
            Step::Stays => {}
            Step::Make(request) => {
                let tenant = session.tenant(reference.tenant.as_deref())?;
                let url = session.tenant_url(tenant, &["workers"]);
                // Also finds out that the file cannot be written, before there is a secret.
                self.environment.mark(0)?;
                let made: Result<CreatedWorkerReply, Failure> = session.post(url, request).await;
                // Where the server has refused there is nothing to mend; where nobody knows there may be.
                if made.as_ref().is_err_and(is_refusal) {
                    self.environment.unmark()?;
                }
                let made = made?;
                self.environment.set_secret((last_number(&made.shown), made.secret.as_deref()))?;
                self.done.made.extend(["worker", "secret"]);
                session.output().done(&format!("Worker {worker} created"));
            }
            Step::Change(request) => {
                let url = reference.url(session, &[])?;
                let _worker: WorkerReply = session.patch(url, request).await?;
                self.done.changed.push("worker");
                session.output().done(&format!("Worker {worker} changed"));
            }
        }
        Ok(())
    }

    /// Makes a further secret. One that an earlier run has asked for, and that never arrived, goes first: the
    /// one that the file holds stays good.
    async fn make_secret(&mut self, worker: &WorkerReply) -> Result<(), Failure> {
        let (session, reference) = (self.session, &self.args.reference);
        let mut held = worker_secret::numbers(&worker.secrets);
        let marked = self.environment.marked();
        let lost = marked.map(|mark| lost(worker, mark)).transpose();
        let lost = lost.map_err(|since| self.unclear(&since))?.flatten();
        held.retain(|n| Some(*n) != lost);
        self.require_room(&held)?;
        // Before anything goes: also finds out that the file cannot be written. The old mark stays in it until
        // what it tells of is gone.
        match marked {
            Some(_) => drop(self.environment.write()?),
            None => self.environment.mark(last_number(worker))?,
        }
        if marked.is_some() {
            session.output().note("An earlier run was broken off: its secret has not arrived");
            if let Some(lost) = lost {
                worker_secret::revoke(session, reference, lost).await?;
                session.output().note(&format!("Secret {lost}, which nobody has got, revoked"));
            }
            self.environment.mark(last_number(worker))?;
        }
        worker_secret::make_room(session, reference, &mut held).await?;
        let added = match worker_secret::add(session, reference, None).await {
            Ok(added) => added,
            Err(failure) => return Err(self.not_added(failure)?),
        };
        self.environment.set_secret((added.n, added.secret.as_deref()))?;
        self.done.made.push("secret");
        session.output().done(&format!("Secret {} of worker {} made", added.n, reference.worker));
        Ok(())
    }

    /// Refuses to make room by the secret that the file holds: whoever made the newer one knows why.
    fn require_room(&self, held: &[u32]) -> Result<(), Failure> {
        let [oldest, .., newest] = held else {
            return Ok(());
        };
        if self.environment.secret_number() != Some(*oldest) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "secret {oldest}, which the file holds, would have to go, and secret {newest} is not from here"
        ))
        .next(format!("revoke the other one where nobody uses it: {}", self.revoking(newest))))
    }

    /// Which secret nobody has got cannot be told.
    fn unclear(&self, since: &[u32]) -> Failure {
        let numbers = Vec::from_iter(since.iter().map(u32::to_string)).join(", ");
        Failure::refused(format!(
            "an earlier run was broken off, and it is not clear whether its secret is among those that were \
             made since: {numbers}"
        ))
        .next(format!(
            "revoke what nobody has got: {}; where somebody has all of them, take the line out of the file \
             that says that a secret is being made",
            self.revoking(&"NUMBER")
        ))
    }

    fn revoking(&self, n: &dyn Display) -> String {
        worker_secret::revoking(self.session, &self.args.reference, n)
    }

    /// Where the server has refused there is nothing to mend; where nobody knows there may be.
    fn not_added(&self, failure: Failure) -> Result<Failure, Failure> {
        if is_refusal(&failure) {
            self.environment.unmark()?;
            return Ok(failure);
        }
        let how = match &self.args.write_env {
            Some(_) => "say the same again: the file knows of it",
            None => {
                "say the same again; `tikti worker get WORKER` shows the numbers of its secrets"
            }
        };
        Ok(failure.next(format!("a secret may have been made that nobody has got: {how}")))
    }

    /// Asks for a token as the process will, where its secret is at hand.
    async fn try_out(&self) -> Result<(), Failure> {
        let Some(secret) = self.environment.secret() else {
            return Ok(());
        };
        let session = self.session;
        let words = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
        let asker = Asker {
            host: session.target.host.clone(),
            tenant: self.done.tenant_id.clone(),
            worker: self.done.worker_id.clone(),
            secret: SecretString::from(secret),
            audience: Some(self.done.audience.clone()),
            scopes: words(&self.done.scopes),
            event_types: words(&self.done.event_types),
        };
        let got = asker.ask(&session.context.client(&asker.host)?).await;
        got.map_err(|failure| {
            let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
            match code {
                Some("INVALID_CLIENT_CREDENTIALS") => failure.next(
                    "the secret in the file is not one of the worker: --rotate makes a new one",
                ),
                _ => failure,
            }
        })?;
        let (worker, audience) = (&self.done.worker_id, &self.done.audience);
        session.output().done(&format!("Worker {worker} gets tokens for {audience}"));
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Failure> {
        let output = self.session.output();
        let is_made = self.done.made.contains(&"secret");
        self.done.environment = self.environment.shown();
        self.done.env_file = self.done.env_file.take().filter(|_| self.environment.has_file());
        let mut people = String::new();
        if !self.environment.has_file() {
            people = self.environment.text()?;
            if is_made {
                output.note("The secret is shown this once: keep it now");
            } else {
                output.note("Its secret was shown when it was made: --rotate makes a new one");
            }
        }
        if let Some(secret) = &self.done.client_secret {
            let client = &self.done.audience;
            output.note("The secret of the client is for its resource server, not for the worker");
            people.push_str(&format!("# Secret of client {client}, shown this once: {secret}\n"));
        }
        let secret = self.environment.secret().filter(|_| !self.environment.has_file());
        let bare = secret.unwrap_or_else(|| self.done.worker_id.clone());
        let holds_secret = is_made && !self.environment.has_file();
        if holds_secret || self.done.client_secret.is_some() {
            return shown::once(output, &self.done, (&people, &bare));
        }
        output.answer(&self.done, &people, &bare)
    }
}
