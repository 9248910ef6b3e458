//! `tikti worker provision`: from nothing to a worker whose process can start, and again the same.
//!
//! What is there stays and what is missing is made, so that a second run mends whatever a first one left.
//! A file of settings is marked before a secret is made, which is shown once: if the secret never arrived, the
//! next run finds the mark, revokes it and makes another one. Else a secret is only made where the worker is
//! new, or because somebody says so.
//!
//! Spec: Command line, `worker provision`.

use std::collections::BTreeMap;
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
use super::worker_environment::Environment;
use super::worker_plan::{Plan, Step, Wish, plan};
use super::worker_secret;
use super::worker_token::Asker;
use crate::exit::Failure;
use crate::session::Session;
use crate::shown;

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

With --quiet the secret is printed, or the id where a file has it; in a second line that of a client
that was made.")]
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

/// Whether the server has said no, and so done nothing.
fn is_refusal(failure: &Failure) -> bool {
    let is_unsure = |code: &str| matches!(code, "INTERNAL" | "STORE_UNAVAILABLE");
    failure.reply.as_ref().is_some_and(|reply| !is_unsure(&reply.code))
}

impl Provision<'_> {
    async fn carry_out(&mut self, plan: Plan, worker: Option<&WorkerReply>) -> Result<(), Failure> {
        let (output, worker_id) = (self.session.output(), self.args.reference.worker.clone());
        let is_unfinished = self.environment.marked_after().is_some();
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
            Err(failure) => {
                self.environment.give_up_file();
                return Err(failure);
            }
        }
        self.try_out().await
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
                self.environment.set_secret(made?.secret.as_deref())?;
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
        let marked = self.environment.marked_after();
        let last = marked.into_iter().chain(held.iter().copied()).max().unwrap_or_default();
        // Before anything goes: also finds out that the file cannot be written.
        self.environment.mark(last)?;
        if let Some(after) = marked {
            session.output().note("An earlier run was broken off: its secret has not arrived");
            if let Some(place) = held.iter().position(|n| *n == after + 1) {
                let lost = held.remove(place);
                worker_secret::revoke(session, reference, lost).await?;
                session.output().note(&format!("Secret {lost}, which nobody has got, revoked"));
            }
        }
        worker_secret::make_room(session, reference, &mut held).await?;
        let added = match worker_secret::add(session, reference, None).await {
            Ok(added) => added,
            Err(failure) => return Err(self.not_added(failure)?),
        };
        self.environment.set_secret(added.secret.as_deref())?;
        self.done.made.push("secret");
        session.output().done(&format!("Secret {} of worker {} made", added.n, reference.worker));
        Ok(())
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
        let mut bare = secret.unwrap_or_else(|| self.done.worker_id.clone());
        if let Some(secret) = &self.done.client_secret {
            bare.push_str(&format!("\n{secret}"));
        }
        let holds_secret = is_made && !self.environment.has_file();
        if holds_secret || self.done.client_secret.is_some() {
            return shown::once(output, &self.done, (&people, &bare));
        }
        output.answer(&self.done, &people, &bare)
    }
}
