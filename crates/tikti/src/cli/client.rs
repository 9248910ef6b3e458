//! `tikti client`: makes, lists, shows, changes and deletes the clients of a tenant, its audiences.
//!
//! A change sends what was given and nothing else. A list that is to hold nothing is cleared by name: an
//! empty option is an unset variable more often.
//!
//! Spec: Command line, `client`; HTTP API, "Tenant administration", clients.

use clap::{Args, Subcommand, ValueEnum};
use tikti_server::api::{
    ClientListReply, ClientReply, CreateClientRequest, CreatedClientReply, UpdateClientRequest,
};

use super::deletion::Deletion;
use super::tenant::reference;
use super::token::words;
use crate::context::Context;
use crate::exit::Failure;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Make, list, show, change and delete clients: the audiences of a tenant's tokens
#[derive(Subcommand)]
pub(crate) enum ClientCommand {
    /// Make a client; its secret is shown once
    #[command(after_help = "\
Example:
  tikti client create jobs-api --tenant codecompany --scopes \"jobs:read jobs:write\" \\
      --grant-types token_exchange,client_credentials")]
    Create(Box<CreateArgs>),
    /// List the clients of a tenant
    #[command(after_help = "Example:\n  tikti client list --tenant codecompany")]
    List(ListArgs),
    /// Show a client
    #[command(after_help = "Example:\n  tikti client get backend-worker --tenant codecompany")]
    Get(Reference),
    /// Change a client; what is not given stays
    #[command(after_help = "\
Example:
  tikti client update backend-worker --tenant codecompany --ttl 1800
  tikti client update backend-worker --tenant codecompany --status DISABLED")]
    Update(Box<UpdateArgs>),
    /// Delete a client: tokens for it are refused from then on
    #[command(
        after_help = "Example:\n  tikti client delete backend-worker --tenant codecompany --yes"
    )]
    Delete(DeleteArgs),
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id of the client
    #[arg(value_name = "CLIENT", value_parser = reference)]
    client: String,
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
}

/// What a client may be told about in both, at its making and later.
#[derive(Args)]
pub(crate) struct Settings {
    /// Most that its tokens may hold: scopes, with spaces or commas between them
    #[arg(long, alias = "allowed-scopes", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// What a token holds when nothing was asked for
    #[arg(long, value_name = "SCOPES")]
    default_scopes: Vec<String>,
    /// Event types that its tokens may hold, * means any; with one of them it takes worker tokens
    #[arg(long, value_name = "TYPES")]
    event_types: Vec<String>,
    /// How its tokens may be got: token_exchange, client_credentials
    #[arg(long, alias = "allowed-grant-types", value_name = "GRANTS")]
    grant_types: Vec<String>,
    /// For whom tokens may be made: user, registered or any
    #[arg(long, value_name = "POLICY")]
    subject_policy: Option<String>,
    /// Life of its tokens, 900 to 3600
    #[arg(long, alias = "token-ttl", value_name = "SECONDS")]
    ttl: Option<i64>,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    reference: Reference,
    /// SERVICE takes access tokens, APPLICATION signs users in [default: SERVICE]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    settings: Settings,
    /// ACTIVE, or DISABLED: tokens for it are refused
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Empty this list; may come often
    #[arg(long, value_enum, value_name = "LIST")]
    clear: Vec<List>,
}

/// The lists of a client that may hold nothing.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    Scopes,
    DefaultScopes,
    EventTypes,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, command: &ClientCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        ClientCommand::Create(args) => create(&session, args).await,
        ClientCommand::List(args) => list(&session, args).await,
        ClientCommand::Get(reference) => {
            let client: ClientReply = session.get(reference.url(&session)?).await?;
            shown::one(session.output(), &client)
        }
        ClientCommand::Update(args) => update(&session, args).await,
        ClientCommand::Delete(args) => delete(&session, args).await,
    }
}

impl Reference {
    fn url(&self, session: &Session<'_>) -> Result<url::Url, Failure> {
        let tenant = session.tenant(self.tenant.as_deref())?;
        Ok(session.tenant_url(tenant, &["clients", &self.client]))
    }
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let CreateArgs { reference, kind, settings } = args;
    let request = CreateClientRequest {
        client_id: reference.client.clone(),
        kind: kind.clone(),
        allowed_grant_types: words("--grant-types", &settings.grant_types)?,
        allowed_scopes: words("--scopes", &settings.scopes)?,
        default_scopes: words("--default-scopes", &settings.default_scopes)?,
        event_types: words("--event-types", &settings.event_types)?,
        subject_policy: settings.subject_policy.clone(),
        token_ttl_seconds: settings.ttl,
    };
    let tenant = session.tenant(reference.tenant.as_deref())?;
    let url = session.tenant_url(tenant, &["clients"]);
    let made: CreatedClientReply = session.post(url, &request).await?;
    let said = format!("Client {} created", made.shown.client_id);
    shown::secret(session.output(), &said, &made, made.secret.as_deref())
}

async fn list(session: &Session<'_>, args: &ListArgs) -> Result<(), Failure> {
    let tenant = session.tenant(args.tenant.as_deref())?;
    let clients = session.all::<ClientListReply>(&session.tenant_url(tenant, &["clients"])).await?;
    let all = ClientListReply { clients, next_page_token: None };
    let none = "No client yet: `tikti client create CLIENT` makes one.";
    shown::many(session.output(), &all, &all.clients, none)
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    let Settings { scopes, default_scopes, event_types, grant_types, .. } = &args.settings;
    let listed =
        |option: &str, given: &[String], list| cleared(option, given, args.clear.contains(&list));
    let request = UpdateClientRequest {
        client_id: None,
        kind: None,
        status: args.status.clone(),
        allowed_grant_types: words("--grant-types", grant_types)?,
        allowed_scopes: listed("--scopes", scopes, List::Scopes)?,
        default_scopes: listed("--default-scopes", default_scopes, List::DefaultScopes)?,
        event_types: listed("--event-types", event_types, List::EventTypes)?,
        subject_policy: args.settings.subject_policy.clone(),
        token_ttl_seconds: args.settings.ttl,
    };
    let url = args.reference.url(session)?;
    let client: ClientReply = session.patch(url, &request).await?;
    let said = format!("Client {} changed", client.client_id);
    shown::done(session.output(), &said, &client)
}

/// The words of an option, or none at all where the list is cleared.
pub(super) fn cleared(
    option: &str,
    given: &[String],
    is_cleared: bool,
) -> Result<Option<Vec<String>>, Failure> {
    match words(option, given)? {
        Some(_) if is_cleared => {
            let list = option.trim_start_matches('-');
            Err(Failure::usage(format!("{option} and --clear {list} contradict each other")))
        }
        None if is_cleared => Ok(Some(Vec::new())),
        words => Ok(words),
    }
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let client = &args.reference.client;
    let url = args.reference.url(session)?;
    let what = format!("client {client} of {}", session.target.host);
    let said = format!("Client {client} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }.at(session, url).await
}

impl Page for ClientListReply {
    type Item = ClientReply;

    fn split(self) -> (Vec<ClientReply>, Option<String>) {
        (self.clients, self.next_page_token)
    }
}

impl Shown for ClientReply {
    const COLUMNS: &'static [&'static str] = &[
        "CLIENT", "TYPE", "STATUS", "GRANTS", "SCOPES", "DEFAULT", "EVENTS", "SUBJECTS", "TTL",
        "MANAGED",
    ];

    fn name(&self) -> String {
        self.client_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.client_id.clone(),
            self.kind.clone(),
            self.status.clone(),
            shown::listed(&self.allowed_grant_types),
            shown::listed(&self.allowed_scopes),
            shown::listed(&self.default_scopes),
            shown::listed(&self.event_types),
            self.subject_policy.clone(),
            self.token_ttl_seconds.to_string(),
            shown::yes(self.managed),
        ]
    }
}
