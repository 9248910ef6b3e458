//! `tikti tenant`: makes, lists, shows, changes, chooses and deletes tenants.
//!
//! Spec: Command line, `tenant`; HTTP API, "Tenant administration".

use clap::{Args, Subcommand};
use tikti_server::api::{CreateTenantRequest, TenantListReply, TenantReply, UpdateTenantRequest};

use super::deletion::Deletion;
use crate::context::{Context, Remembered};
use crate::exit::Failure;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Make, list, change and choose tenants
#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant, with the roles and clients of the template
    #[command(after_help = "Example:\n  tikti tenant create --slug codecompany")]
    Create(CreateArgs),
    /// List all tenants for a global ADMIN, one's own otherwise
    #[command(after_help = "Example:\n  tikti tenant list --output json")]
    List,
    /// Show a tenant
    #[command(after_help = "Example:\n  tikti tenant get codecompany")]
    Get(Reference),
    /// Change the name of a tenant, or whether people may join by themselves
    #[command(after_help = "Example:\n  tikti tenant update codecompany --name \"Code Company\"")]
    Update(UpdateArgs),
    /// Suspend a tenant: its tokens are refused and no new ones are given, nothing is lost
    #[command(after_help = "Example:\n  tikti tenant suspend codecompany")]
    Suspend(Reference),
    /// Activate a suspended tenant
    #[command(after_help = "Example:\n  tikti tenant activate codecompany")]
    Activate(Reference),
    /// Delete a tenant with its roles, clients, workers, keys and memberships
    #[command(after_help = "Example:\n  tikti tenant delete codecompany --yes")]
    Delete(DeleteArgs),
    /// Make a tenant the one that commands mean where none is named
    #[command(after_help = "Example:\n  tikti tenant use codecompany")]
    Use(Reference),
}

#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Name in references, fixed for ever: 2 to 63 of a-z, 0-9 and -
    #[arg(long)]
    slug: String,
    /// Name for people [default: the slug]
    #[arg(long)]
    name: Option<String>,
    /// Tenant id, where it must be a given one [default: made by the server]
    #[arg(long)]
    id: Option<String>,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id or slug of the tenant
    #[arg(value_name = "REF", value_parser = reference)]
    tenant: String,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    reference: Reference,
    /// Name for people
    #[arg(long, required_unless_present = "self_sign_up")]
    name: Option<String>,
    /// Whether people may join by themselves
    #[arg(long, value_name = "true|false")]
    self_sign_up: Option<bool>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Refuses what cannot be one segment of a path; everything else is judged by the server.
pub(super) fn reference(text: &str) -> Result<String, &'static str> {
    match text {
        "" | "." | ".." => Err("not an id or slug"),
        _ => Ok(text.to_owned()),
    }
}

pub(crate) async fn run(context: &Context, command: &TenantCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        TenantCommand::Create(args) => create(&session, args).await,
        TenantCommand::List => list(&session).await,
        TenantCommand::Get(reference) => {
            shown::one(session.output(), &find(&session, reference).await?)
        }
        TenantCommand::Update(args) => update(&session, args).await,
        TenantCommand::Suspend(reference) => set_status(&session, reference, "SUSPENDED").await,
        TenantCommand::Activate(reference) => set_status(&session, reference, "ACTIVE").await,
        TenantCommand::Delete(args) => delete(&session, args).await,
        TenantCommand::Use(reference) => choose(&session, reference).await,
    }
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), Failure> {
    let request = CreateTenantRequest {
        slug: args.slug.clone(),
        name: args.name.clone(),
        id: args.id.clone(),
    };
    let tenant: TenantReply = session.post(session.url(&["v1", "tenants"]), &request).await?;
    let said = format!("Tenant {} created ({})", tenant.slug, tenant.id);
    shown::done(session.output(), &said, &tenant)
}

async fn list(session: &Session<'_>) -> Result<(), Failure> {
    let tenants = session.all::<TenantListReply>(&session.url(&["v1", "tenants"])).await?;
    let all = TenantListReply { tenants, next_page_token: None };
    let none = "No tenant yet: `tikti tenant create --slug SLUG` makes one.";
    shown::many(session.output(), &all, &all.tenants, none)
}

async fn find(session: &Session<'_>, reference: &Reference) -> Result<TenantReply, Failure> {
    session.get(session.tenant_url(&reference.tenant, &[])).await
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    let request = UpdateTenantRequest {
        name: args.name.clone(),
        self_sign_up: args.self_sign_up,
        status: None,
    };
    let tenant = change(session, &args.reference, &request).await?;
    let said = format!("Tenant {} changed ({})", tenant.slug, tenant.id);
    shown::done(session.output(), &said, &tenant)
}

async fn set_status(
    session: &Session<'_>,
    reference: &Reference,
    status: &str,
) -> Result<(), Failure> {
    let request =
        UpdateTenantRequest { name: None, self_sign_up: None, status: Some(status.to_owned()) };
    let tenant = change(session, reference, &request).await?;
    let said = format!("Tenant {} is {} ({})", tenant.slug, tenant.status, tenant.id);
    shown::done(session.output(), &said, &tenant)
}

async fn change(
    session: &Session<'_>,
    reference: &Reference,
    request: &UpdateTenantRequest,
) -> Result<TenantReply, Failure> {
    session.patch(session.tenant_url(&reference.tenant, &[]), request).await
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let tenant = &args.reference.tenant;
    let what = format!(
        "tenant {tenant} of {} with its roles, clients, workers, API keys and memberships",
        session.target.host
    );
    let said = format!("Tenant {tenant} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }
        .at(session, session.tenant_url(tenant, &[]))
        .await
}

async fn choose(session: &Session<'_>, reference: &Reference) -> Result<(), Failure> {
    let tenant = find(session, reference).await?;
    let remembered = session.context.remember(&session.target, |profile| {
        profile.tenant_id = Some(tenant.id.clone());
    })?;
    if remembered == Remembered::Nowhere {
        let host = &session.target.host;
        return Err(Failure::usage(format!("no profile of {host} is in use"))
            .next(format!("make one: `tikti init --host {host}`")));
    }
    let said = format!(
        "Tenant {} is the one of profile `{}` now ({})",
        tenant.slug, session.target.profile_name, tenant.id
    );
    shown::done(session.output(), &said, &tenant)
}

impl Page for TenantListReply {
    type Item = TenantReply;

    fn split(self) -> (Vec<TenantReply>, Option<String>) {
        (self.tenants, self.next_page_token)
    }
}

impl Shown for TenantReply {
    const COLUMNS: &'static [&'static str] = &["ID", "SLUG", "NAME", "STATUS", "CREATED"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        [&self.id, &self.slug, &self.name, &self.status, &self.created_at].map(Clone::clone).into()
    }
}
