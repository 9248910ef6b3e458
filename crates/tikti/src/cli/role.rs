//! `tikti role`: what the members of a tenant may be given.
//!
//! Spec: Command line, `role`; HTTP API, "Tenant administration", roles.

use clap::{Args, Subcommand};
use tikti_server::api::{CreateRoleRequest, PutRoleRequest, RoleListReply, RoleReply};

use super::deletion::Deletion;
use super::tenant::reference;
use super::token::words;
use crate::context::Context;
use crate::exit::Failure;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Make, list, change and delete the roles of a tenant
#[derive(Subcommand)]
pub(crate) enum RoleCommand {
    /// Make a role
    #[command(
        after_help = "Example:\n  tikti role create BILLING --permissions \"bills:read bills:write\" --tenant codecompany"
    )]
    Create(PutArgs),
    /// List the roles of a tenant
    #[command(after_help = "Example:\n  tikti role list --tenant codecompany")]
    List(TenantArgs),
    /// Show a role
    #[command(after_help = "Example:\n  tikti role get BILLING --tenant codecompany")]
    Get(Reference),
    /// Give a role other permissions: those that are named and no more
    ///
    /// Whoever holds the role holds them from then on.
    #[command(
        after_help = "Example:\n  tikti role update BILLING --permissions bills:read,bills:write --tenant codecompany"
    )]
    Update(PutArgs),
    /// Delete a role: whoever holds it holds nothing by it from then on
    #[command(after_help = "Example:\n  tikti role delete BILLING --tenant codecompany --yes")]
    Delete(DeleteArgs),
}

#[derive(Args)]
pub(crate) struct TenantArgs {
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Name of the role
    #[arg(value_name = "ROLE", value_parser = reference)]
    role: String,
    #[command(flatten)]
    of: TenantArgs,
}

#[derive(Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    reference: Reference,
    /// All scopes that the role is to have, with spaces or commas between them
    #[arg(long, alias = "permission", value_name = "SCOPES", required = true)]
    permissions: Vec<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, command: &RoleCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        RoleCommand::Create(args) => create(&session, args).await,
        RoleCommand::List(args) => list(&session, args).await,
        RoleCommand::Get(Reference { role, of }) => {
            let url = session.tenant_url(session.tenant(of.tenant.as_deref())?, &["roles", role]);
            shown::one(session.output(), &session.get::<RoleReply>(url).await?)
        }
        RoleCommand::Update(args) => update(&session, args).await,
        RoleCommand::Delete(args) => delete(&session, args).await,
    }
}

async fn create(session: &Session<'_>, args: &PutArgs) -> Result<(), Failure> {
    let Reference { role, of } = &args.reference;
    let tenant = session.tenant(of.tenant.as_deref())?;
    let request = CreateRoleRequest { name: role.clone(), permissions: permissions(args)? };
    let made: RoleReply = session.post(session.tenant_url(tenant, &["roles"]), &request).await?;
    shown::done(session.output(), &format!("Role {role} of {tenant} created"), &made)
}

async fn list(session: &Session<'_>, args: &TenantArgs) -> Result<(), Failure> {
    let tenant = session.tenant(args.tenant.as_deref())?;
    let roles = session.all::<RoleListReply>(&session.tenant_url(tenant, &["roles"])).await?;
    let all = RoleListReply { roles, next_page_token: None };
    let none = "No role yet: `tikti role create ROLE --permissions SCOPES` makes one.";
    shown::many(session.output(), &all, &all.roles, none)
}

async fn update(session: &Session<'_>, args: &PutArgs) -> Result<(), Failure> {
    let Reference { role, of } = &args.reference;
    let tenant = session.tenant(of.tenant.as_deref())?;
    let request = PutRoleRequest { name: None, permissions: permissions(args)? };
    let url = session.tenant_url(tenant, &["roles", role]);
    let changed: RoleReply = session.replace(url, &request).await.map_err(|failure| {
        // What was asked for is that there is one.
        let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
        if code != Some("PRECONDITION_FAILED") {
            return failure;
        }
        let message = format!("there is no role {role} in this tenant");
        Failure { message, ..failure }.next("see which roles there are: `tikti role list`")
    })?;
    shown::done(session.output(), &format!("Role {role} of {tenant} changed"), &changed)
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let Reference { role, of } = &args.reference;
    let tenant = session.tenant(of.tenant.as_deref())?;
    let what = format!("role {role} of tenant {tenant} of {}", session.target.host);
    let said = format!("Role {role} of {tenant} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }
        .at(session, session.tenant_url(tenant, &["roles", role]))
        .await
}

fn permissions(args: &PutArgs) -> Result<Vec<String>, Failure> {
    let scopes = words("--permissions", &args.permissions);
    Ok(scopes.map_err(|failure| failure.next("name at least one scope"))?.unwrap_or_default())
}

impl Page for RoleListReply {
    type Item = RoleReply;

    fn split(self) -> (Vec<RoleReply>, Option<String>) {
        (self.roles, self.next_page_token)
    }
}

impl Shown for RoleReply {
    // The widest cell last.
    const COLUMNS: &'static [&'static str] = &["NAME", "BUILT-IN", "MANAGED", "PERMISSIONS"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            shown::yes(self.built_in),
            shown::yes(self.managed),
            shown::listed(&self.permissions),
        ]
    }
}
