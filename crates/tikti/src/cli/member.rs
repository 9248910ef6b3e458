//! `tikti member`: who belongs to a tenant, and with which roles.
//!
//! Spec: Command line, `member`; HTTP API, "Tenant administration", members.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use tikti_server::api::{
    CreateMemberRequest, MemberListReply, MemberReply, RemoveMemberRequest, RemovedMemberReply,
    UpdateMemberRequest,
};

use super::tenant::reference;
use super::token::words;
use super::user_ref::UserRef;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Add, list and remove the members of a tenant, and give them roles
#[derive(Subcommand)]
pub(crate) enum MemberCommand {
    /// Add a user to a tenant, at once
    #[command(
        after_help = "Example:\n  tikti member add ann@example.org --roles BILLING --tenant codecompany"
    )]
    Add(AddArgs),
    /// List the members of a tenant
    #[command(after_help = "Example:\n  tikti member list --tenant codecompany")]
    List(ListArgs),
    /// Show a member
    #[command(after_help = "Example:\n  tikti member get ann@example.org --tenant codecompany")]
    Get(Reference),
    /// Give a member other roles: those that are named and no more
    #[command(
        after_help = "Example:\n  tikti member set-roles ann@example.org --roles BILLING --tenant codecompany"
    )]
    SetRoles(SetRolesArgs),
    /// Remove a member: his tokens of the tenant are refused from then on
    #[command(
        after_help = "Example:\n  tikti member remove ann@example.org --tenant codecompany --yes"
    )]
    Remove(RemoveArgs),
}

#[derive(Args)]
struct TenantArgs {
    /// Tenant, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
}

#[derive(Args)]
struct RolesArgs {
    /// All roles that the member is to have, with spaces or commas between them
    #[arg(long, alias = "role", value_name = "ROLES", required = true)]
    roles: Vec<String>,
}

#[derive(Args)]
pub(crate) struct AddArgs {
    /// E-mail address of the user
    #[arg(value_name = "EMAIL")]
    email: String,
    #[command(flatten)]
    having: RolesArgs,
    /// Make the user where nobody has the address, and mail a link to set a password
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    of: TenantArgs,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    of: TenantArgs,
    /// Most members to show [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id or e-mail address of the member
    #[arg(value_name = "USER", value_parser = UserRef::parse)]
    user: UserRef,
    #[command(flatten)]
    of: TenantArgs,
}

#[derive(Args)]
pub(crate) struct SetRolesArgs {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    having: RolesArgs,
}

#[derive(Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, command: &MemberCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        MemberCommand::Add(args) => add(&session, args).await,
        MemberCommand::List(args) => list(&session, args).await,
        MemberCommand::Get(reference) => get(&session, reference).await,
        MemberCommand::SetRoles(args) => set_roles(&session, args).await,
        MemberCommand::Remove(args) => remove(&session, args).await,
    }
}

async fn add(session: &Session<'_>, args: &AddArgs) -> Result<(), Failure> {
    let tenant = args.of.tenant(session)?;
    let request = CreateMemberRequest {
        email: args.email.clone(),
        roles: args.having.roles()?,
        create: args.create.then_some(true),
    };
    let url = session.tenant_url(tenant, &["users"]);
    let member: MemberReply = session.post(url, &request).await.map_err(|failure| {
        let code = failure.reply.as_ref().map(|reply| reply.code.as_str());
        if code != Some("USER_NOT_FOUND") {
            return failure;
        }
        failure.next("give --create as well, and the user is made and gets a mail")
    })?;
    let said = format!("{} is a member of {tenant} ({})", args.email, member.user_id);
    shown::done(session.output(), &said, &member)
}

async fn list(session: &Session<'_>, args: &ListArgs) -> Result<(), Failure> {
    let url = session.tenant_url(args.of.tenant(session)?, &["users"]);
    let limit = args.limit.map_or(usize::MAX, NonZeroUsize::get);
    let (users, next_page_token) = session.at_most::<MemberListReply>(&url, limit).await?;
    let has_more = next_page_token.is_some();
    let some = MemberListReply { users, next_page_token };
    let none = "No member yet: `tikti member add EMAIL --roles ROLES` adds one.";
    shown::many(session.output(), &some, &some.users, none)?;
    if has_more {
        session.output().note("There may be more: a larger --limit shows them, or none.");
    }
    Ok(())
}

async fn get(session: &Session<'_>, Reference { user, of }: &Reference) -> Result<(), Failure> {
    let tenant = of.tenant(session)?;
    let id = user.id_of_member(session).await?;
    let member: MemberReply = session.get(session.tenant_url(tenant, &["users", &id])).await?;
    shown::one(session.output(), &member)
}

async fn set_roles(session: &Session<'_>, args: &SetRolesArgs) -> Result<(), Failure> {
    let Reference { user, of } = &args.reference;
    let (tenant, roles) = (of.tenant(session)?, args.having.roles()?);
    let id = user.id_of_member(session).await?;
    let url = session.tenant_url(tenant, &["users", &id]);
    let member: MemberReply = session.patch(url, &UpdateMemberRequest { roles }).await?;
    let said = format!("{user} has these roles in {tenant}: {}", shown::listed(&member.roles));
    shown::done(session.output(), &said, &member)
}

/// One request either way: there is a call for each name.
async fn remove(session: &Session<'_>, args: &RemoveArgs) -> Result<(), Failure> {
    let Reference { user, of } = &args.reference;
    let tenant = of.tenant(session)?;
    let host = &session.target.host;
    let what = format!("the membership of {user} in tenant {tenant} of {host}");
    input::confirm_deletion(session.output(), &what, args.yes)?;
    let removed: RemovedMemberReply = match user {
        UserRef::Id(id) => session.delete(session.tenant_url(tenant, &["users", id])).await?,
        UserRef::Address(email) => {
            let request = RemoveMemberRequest { email: email.clone() };
            session.post(session.tenant_url(tenant, &["users", "remove"]), &request).await?
        }
    };
    session.output().done(&format!("{user} is no member of {tenant} any more"));
    session.output().answer(&removed, "", &removed.user_id)
}

impl TenantArgs {
    fn tenant<'t>(&'t self, session: &'t Session<'_>) -> Result<&'t str, Failure> {
        session.tenant(self.tenant.as_deref())
    }
}

impl RolesArgs {
    fn roles(&self) -> Result<Vec<String>, Failure> {
        let roles = words("--roles", &self.roles);
        Ok(roles.map_err(|failure| failure.next("name at least one role"))?.unwrap_or_default())
    }
}

impl Page for MemberListReply {
    type Item = MemberReply;

    fn split(self) -> (Vec<MemberReply>, Option<String>) {
        (self.users, self.next_page_token)
    }
}

impl Shown for MemberReply {
    const COLUMNS: &'static [&'static str] = &["ID", "EMAIL", "ROLES", "STATUS", "ADDED"];

    fn name(&self) -> String {
        self.user_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.user_id.clone(),
            shown::or_none(self.email.as_deref()),
            shown::listed(&self.roles),
            self.status.clone(),
            self.created_at.clone(),
        ]
    }
}
