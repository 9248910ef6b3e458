//! `tikti worker`: makes, lists, shows, changes and deletes the workers of a tenant; who acts without a person.
//!
//! What a worker proves itself by is printed by the command that makes it and never again.
//!
//! Spec: Command line, `worker`; HTTP API, "Tenant administration", workers.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use tikti_server::api::{
    CreateWorkerRequest, CreatedWorkerReply, UpdateWorkerRequest, WorkerKeys, WorkerListReply,
    WorkerReply,
};
use url::Url;

use super::client::cleared;
use super::deletion::Deletion;
use super::tenant::reference;
use super::token::words;
use super::worker_provision::{self, ProvisionArgs};
use super::worker_run::RunArgs;
use super::worker_secret::{self, RotateArgs};
use super::worker_token::{self, TokenArgs};
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// More than 8 public keys may have.
const MAX_JWKS_BYTES: usize = 64 * 1024;

/// Make, change, run and delete workers: who acts without a person
#[derive(Subcommand)]
pub(crate) enum WorkerCommand {
    /// Make a worker; its secret is shown once
    #[command(after_help = "\
Example:
  tikti worker create worker-02 --tenant codecompany --clients backend-worker \\
      --scopes jobs:read")]
    Create(CreateArgs),
    /// List the workers of a tenant
    #[command(after_help = "Example:\n  tikti worker list --tenant codecompany")]
    List(ListArgs),
    /// Show a worker with the numbers of its secrets
    #[command(after_help = "Example:\n  tikti worker get worker-01 --tenant codecompany")]
    Get(Reference),
    /// Change a worker; what is not given stays
    #[command(after_help = "\
Example:
  tikti worker update worker-01 --tenant codecompany --scopes \"jobs:read jobs:write\"
  tikti worker update worker-01 --tenant codecompany --status DISABLED")]
    Update(UpdateArgs),
    /// Delete a worker: its tokens are dead from then on
    #[command(after_help = "Example:\n  tikti worker delete worker-01 --tenant codecompany --yes")]
    Delete(DeleteArgs),
    RotateSecret(RotateArgs),
    Token(TokenArgs),
    Provision(ProvisionArgs),
    Run(RunArgs),
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id of the worker
    #[arg(value_name = "WORKER", value_parser = reference)]
    pub(super) worker: String,
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    pub(super) tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
}

/// What a worker may do.
#[derive(Args)]
pub(crate) struct Rights {
    /// Audiences that its tokens may have: clients, with spaces or commas between them
    #[arg(long, alias = "aud", alias = "audience", value_name = "CLIENTS")]
    clients: Vec<String>,
    /// Most that its tokens may hold
    #[arg(long, alias = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// Event types that its tokens may hold, * means any
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
    /// Roles whose holders may have tokens made for it
    #[arg(long, value_name = "ROLES")]
    mintable_by: Vec<String>,
    /// Whether it may sign users of its tenant in by custom tokens; for a global ADMIN
    #[arg(long, value_name = "true|false")]
    custom_tokens: Option<bool>,
    /// File with the public keys (a JWKS) by which it proves itself; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    rights: Rights,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    rights: Rights,
    /// ACTIVE, or DISABLED: its tokens are dead at once
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Empty this list; may come often
    #[arg(long, value_enum, value_name = "LIST")]
    clear: Vec<List>,
}

/// The lists of a worker.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    Clients,
    Scopes,
    EventTypes,
    MintableBy,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Every command but `run`, which ends as its child does.
pub(crate) async fn run(context: &Context, command: &WorkerCommand) -> Result<(), Failure> {
    if let WorkerCommand::Token(args) = command {
        return worker_token::run(context, args).await;
    }
    let session = Session::open(context).await?;
    match command {
        WorkerCommand::Create(args) => create(&session, args).await,
        WorkerCommand::List(args) => list(&session, args).await,
        WorkerCommand::Get(reference) => {
            let worker: WorkerReply = session.get(reference.url(&session, &[])?).await?;
            shown::one(session.output(), &worker)
        }
        WorkerCommand::Update(args) => update(&session, args).await,
        WorkerCommand::Delete(args) => delete(&session, args).await,
        WorkerCommand::RotateSecret(args) => worker_secret::rotate(&session, args).await,
        WorkerCommand::Provision(args) => worker_provision::run(&session, args).await,
        WorkerCommand::Token(_) | WorkerCommand::Run(_) => Ok(()),
    }
}

impl WorkerCommand {
    /// The child process that the command is about.
    pub(crate) fn runs(&self) -> Option<&RunArgs> {
        match self {
            Self::Run(args) => Some(args),
            _ => None,
        }
    }
}

impl Reference {
    /// The address of the worker, or of what lies below it.
    pub(super) fn url(&self, session: &Session<'_>, below: &[&str]) -> Result<Url, Failure> {
        let tenant = session.tenant(self.tenant.as_deref())?;
        Ok(session.tenant_url(tenant, &[&["workers", &self.worker], below].concat()))
    }
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let CreateArgs { reference, rights } = args;
    let request = CreateWorkerRequest {
        id: reference.worker.clone(),
        clients: words("--clients", &rights.clients)?,
        scopes: words("--scopes", &rights.scopes)?,
        event_types: words("--event-types", &rights.event_types)?,
        mintable_by: words("--mintable-by", &rights.mintable_by)?,
        jwks: rights.jwks.as_deref().map(read_jwks).transpose()?,
        custom_tokens: rights.custom_tokens,
    };
    let tenant = session.tenant(reference.tenant.as_deref())?;
    let url = session.tenant_url(tenant, &["workers"]);
    let made: CreatedWorkerReply = session.post(url, &request).await?;
    let said = format!("Worker {} created", made.shown.id);
    shown::secret(session.output(), &said, &made, made.secret.as_deref())
}

/// Reads a JWKS. It holds public keys, yet a private one may be given by mistake: nothing of it is told.
fn read_jwks(file: &Path) -> Result<WorkerKeys, Failure> {
    let bytes = input::secret_bytes(file, MAX_JWKS_BYTES)?;
    serde_json::from_slice(bytes.expose_secret())
        .map_err(|_| Failure::usage(format!("{} is no JWKS: {{\"keys\":[...]}}", file.display())))
}

async fn list(session: &Session<'_>, args: &ListArgs) -> Result<(), Failure> {
    let tenant = session.tenant(args.tenant.as_deref())?;
    let workers = session.all::<WorkerListReply>(&session.tenant_url(tenant, &["workers"])).await?;
    let all = WorkerListReply { workers, next_page_token: None };
    let none = "No worker yet: `tikti worker create WORKER` makes one.";
    shown::many(session.output(), &all, &all.workers, none)
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    let Rights { clients, scopes, event_types, mintable_by, custom_tokens, jwks } = &args.rights;
    let listed =
        |option: &str, given: &[String], list| cleared(option, given, args.clear.contains(&list));
    let request = UpdateWorkerRequest {
        clients: listed("--clients", clients, List::Clients)?,
        scopes: listed("--scopes", scopes, List::Scopes)?,
        event_types: listed("--event-types", event_types, List::EventTypes)?,
        mintable_by: listed("--mintable-by", mintable_by, List::MintableBy)?,
        custom_tokens: *custom_tokens,
        status: args.status.clone(),
    };
    let keys = jwks.as_deref().map(read_jwks).transpose()?;
    let url = args.reference.url(session, &[])?;
    let worker: WorkerReply = match keys {
        // Its keys lie at an address of their own.
        Some(keys) => {
            let worker = session.put(args.reference.url(session, &["jwks"])?, &keys).await?;
            if is_empty(&request) { worker } else { session.patch(url, &request).await? }
        }
        None => session.patch(url, &request).await?,
    };
    shown::done(session.output(), &format!("Worker {} changed", worker.id), &worker)
}

fn is_empty(request: &UpdateWorkerRequest) -> bool {
    let UpdateWorkerRequest { clients, scopes, event_types, mintable_by, custom_tokens, status } =
        request;
    [clients, scopes, event_types, mintable_by].into_iter().all(Option::is_none)
        && custom_tokens.is_none()
        && status.is_none()
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let worker = &args.reference.worker;
    let url = args.reference.url(session, &[])?;
    let what = format!("worker {worker} of {} with its tokens", session.target.host);
    let said = format!("Worker {worker} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }.at(session, url).await
}

impl Page for WorkerListReply {
    type Item = WorkerReply;

    fn split(self) -> (Vec<WorkerReply>, Option<String>) {
        (self.workers, self.next_page_token)
    }
}

impl Shown for WorkerReply {
    const COLUMNS: &'static [&'static str] = &[
        "WORKER",
        "STATUS",
        "CLIENTS",
        "SCOPES",
        "EVENTS",
        "MINTABLE BY",
        "SECRETS",
        "KEYS",
        "CREATED",
    ];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let secrets = Vec::from_iter(self.secrets.iter().map(|secret| secret.n.to_string()));
        vec![
            self.id.clone(),
            self.status.clone(),
            shown::listed(&self.clients),
            shown::listed(&self.scopes),
            shown::listed(&self.event_types),
            shown::listed(&self.mintable_by),
            shown::listed(&secrets),
            self.jwks.keys.len().to_string(),
            self.created_at.clone(),
        ]
    }
}
