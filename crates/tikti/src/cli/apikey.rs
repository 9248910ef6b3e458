//! `tikti apikey`: makes, lists, shows, changes and deletes API keys, of a tenant or of the deployment.
//!
//! A key is printed by the command that makes it and never again.
//!
//! Spec: Command line, `apikey`; HTTP API, "API key".

use clap::{Args, Subcommand};
use tikti_server::api::{
    ApiKeyListReply, ApiKeyReply, CreateApiKeyRequest, CreatedApiKeyReply, UpdateApiKeyRequest,
};
use url::Url;

use super::deletion::Deletion;
use super::tenant::reference;
use super::token::words;
use crate::context::Context;
use crate::exit::Failure;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Make, list, show, change and delete API keys
#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Make an API key, which is shown once
    #[command(after_help = "\
Example:
  tikti apikey create --tenant codecompany --name backend --scopes token:exchange
  KEY=$(tikti apikey create --deployment --scopes accounts:lookup,introspect --quiet)

A tenant's key may hold accounts:signin accounts:lookup oob:send token:exchange
token:revoke introspect.")]
    Create(CreateArgs),
    /// List the API keys of a tenant, or of the deployment
    #[command(after_help = "\
Example:
  tikti apikey list --tenant codecompany
  tikti apikey list --deployment")]
    List(Owner),
    /// Show an API key, without the key itself
    #[command(after_help = "\
Example:
  tikti apikey create --tenant codecompany --scopes introspect
  ID=$(tikti apikey list --tenant codecompany --quiet | head -1)
  tikti apikey get $ID --tenant codecompany")]
    Get(Reference),
    /// Change an API key; what is not given stays
    #[command(after_help = "\
Example:
  tikti apikey create --tenant codecompany --scopes introspect
  ID=$(tikti apikey list --tenant codecompany --quiet | head -1)
  tikti apikey update $ID --tenant codecompany --status DISABLED")]
    Update(UpdateArgs),
    /// Delete an API key: it is refused from then on
    #[command(after_help = "\
Example:
  tikti apikey create --tenant codecompany --scopes introspect
  ID=$(tikti apikey list --tenant codecompany --quiet | head -1)
  tikti apikey delete $ID --tenant codecompany --yes")]
    Delete(DeleteArgs),
}

/// Whose keys are meant.
#[derive(Args)]
pub(crate) struct Owner {
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
    /// Keys of the deployment, for a global ADMIN
    #[arg(long, conflicts_with = "tenant")]
    deployment: bool,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id of the key
    #[arg(value_name = "ID", value_parser = reference)]
    id: String,
    #[command(flatten)]
    owner: Owner,
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    owner: Owner,
    /// What it may be used for: scopes, with spaces or commas between them
    #[arg(long, alias = "scope", value_name = "SCOPES", required = true)]
    scopes: Vec<String>,
    /// Name for people
    #[arg(long)]
    name: Option<String>,
    /// When it ends by itself, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    reference: Reference,
    /// What it may be used for
    #[arg(long, alias = "scope", value_name = "SCOPES")]
    scopes: Vec<String>,
    /// Name for people
    #[arg(long)]
    name: Option<String>,
    /// ACTIVE, or DISABLED: it is refused
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// When it ends by itself, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, command: &ApiKeyCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        ApiKeyCommand::Create(args) => create(&session, args).await,
        ApiKeyCommand::List(owner) => list(&session, owner).await,
        ApiKeyCommand::Get(Reference { id, owner }) => {
            let key: ApiKeyReply = session.get(owner.url(&session, Some(id))?).await?;
            shown::one(session.output(), &key)
        }
        ApiKeyCommand::Update(args) => update(&session, args).await,
        ApiKeyCommand::Delete(args) => delete(&session, args).await,
    }
}

impl Owner {
    /// The address of the list, or of one key of it.
    fn url(&self, session: &Session<'_>, id: Option<&str>) -> Result<Url, Failure> {
        let path = Vec::from_iter(["apiKeys"].into_iter().chain(id));
        if self.deployment {
            return Ok(session.url(&[&["v1"], path.as_slice()].concat()));
        }
        Ok(session.tenant_url(session.tenant(self.tenant.as_deref())?, &path))
    }
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let request = CreateApiKeyRequest {
        name: args.name.clone(),
        scopes: words("--scopes", &args.scopes)?.unwrap_or_default(),
        expires_at: args.expires_at.clone(),
    };
    let url = args.owner.url(session, None)?;
    let made: CreatedApiKeyReply = session.post(url, &request).await?;
    let said = format!("API key {} created", made.shown.id);
    shown::secret(session.output(), &said, &made, made.key.as_deref())
}

async fn list(session: &Session<'_>, owner: &Owner) -> Result<(), Failure> {
    let api_keys = session.all::<ApiKeyListReply>(&owner.url(session, None)?).await?;
    let all = ApiKeyListReply { api_keys, next_page_token: None };
    let none = "No API key yet: `tikti apikey create --scopes SCOPES` makes one.";
    shown::many(session.output(), &all, &all.api_keys, none)
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    let request = UpdateApiKeyRequest {
        name: args.name.clone(),
        status: args.status.clone(),
        scopes: words("--scopes", &args.scopes)?,
        expires_at: args.expires_at.clone(),
    };
    let Reference { id, owner } = &args.reference;
    let key: ApiKeyReply = session.patch(owner.url(session, Some(id))?, &request).await?;
    shown::done(session.output(), &format!("API key {} changed", key.id), &key)
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let Reference { id, owner } = &args.reference;
    let url = owner.url(session, Some(id))?;
    let what = format!("API key {id} of {}", session.target.host);
    let said = format!("API key {id} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }.at(session, url).await
}

impl Page for ApiKeyListReply {
    type Item = ApiKeyReply;

    fn split(self) -> (Vec<ApiKeyReply>, Option<String>) {
        (self.api_keys, self.next_page_token)
    }
}

impl Shown for ApiKeyReply {
    const COLUMNS: &'static [&'static str] =
        &["ID", "NAME", "PREFIX", "STATUS", "SCOPES", "CREATED", "EXPIRES", "LAST USED"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            shown::or_none(self.name.as_deref()),
            self.prefix.clone(),
            self.status.clone(),
            shown::listed(&self.scopes),
            self.created_at.clone(),
            shown::or_none(self.expires_at.as_deref()),
            shown::or_none(self.last_used_at.as_deref()),
        ]
    }
}
