//! `tikti user`: the users of a deployment, for its administrators.
//!
//! Spec: Command line, `user`; HTTP API, "Identity" (`/v1/users`, `status`).

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use serde::Serialize;
use tikti_server::api::{StatusReply, StatusRequest, UpdateUserRequest, UserListReply, UserReply};

use super::deletion::Deletion;
use super::user_ref::{self, UserRef};
use super::{tenant, user_create, user_import};
use crate::context::Context;
use crate::exit::Failure;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// Make, import, list, change and delete users
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    Create(user_create::CreateArgs),
    Import(user_import::ImportArgs),
    /// List all users, or the one who has an address
    #[command(
        after_help = "Examples:\n  tikti user list\n  tikti user list --email ann@example.org --quiet"
    )]
    List(ListArgs),
    /// Show a user
    #[command(after_help = "Example:\n  tikti user get ann@example.org")]
    Get(Reference),
    /// Change a user: his name, his role, whether his address is proven, his default tenant
    #[command(
        override_usage = "tikti user update [OPTIONS] <USER>",
        after_help = "Example:\n  tikti user update ann@example.org --name Ann"
    )]
    Update(UpdateArgs),
    /// Suspend a user: all his sessions end, and he cannot sign in; nothing is lost
    #[command(after_help = "Example:\n  tikti user suspend ann@example.org")]
    Suspend(Reference),
    /// Activate a user who is suspended or inactive
    #[command(after_help = "Example:\n  tikti user activate ann@example.org")]
    Activate(Reference),
    /// Delete a user with his memberships and sessions
    #[command(after_help = "Example:\n  tikti user delete ann@example.org --yes")]
    Delete(DeleteArgs),
    /// Mail a user a link by which he sets a new password
    #[command(after_help = "Example:\n  tikti user reset-password ann@example.org")]
    ResetPassword(Reference),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only the user who has this address
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// Most users to show [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroUsize>,
}

#[derive(Args)]
pub(crate) struct Reference {
    /// Id or e-mail address of the user
    #[arg(value_name = "USER", value_parser = UserRef::parse)]
    user: UserRef,
}

#[derive(Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// Name for people
    #[arg(long)]
    name: Option<String>,
    /// Role towards the deployment: ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE; to and from ADMIN ends all sessions
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// ACTIVE, INACTIVE or SUSPENDED; a change ends all sessions
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Whether the address was proven to be the user's
    #[arg(long, value_name = "true|false")]
    email_verified: Option<bool>,
    /// Tenant of sign-ins that name none, by id or slug: one that the user is a member of
    #[arg(long, value_name = "REF", value_parser = tenant::reference)]
    default_tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    reference: Reference,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// One user with all that is known of him; in lists there is less.
#[derive(Serialize)]
#[serde(transparent)]
struct Whole(UserReply);

pub(crate) async fn run(context: &Context, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Create(args) => return user_create::run(context, args).await,
        UserCommand::Import(args) => {
            context.refuse_server_options("user import")?;
            return user_import::run(context, args).await;
        }
        _ => {}
    }
    let session = Session::open_with_api_key(context).await?;
    match command {
        UserCommand::Create(_) | UserCommand::Import(_) => Ok(()),
        UserCommand::List(args) => list(&session, args).await,
        UserCommand::Get(reference) => get(&session, reference).await,
        UserCommand::Update(args) => update(&session, args).await,
        UserCommand::Suspend(reference) => set_status(&session, reference, "SUSPENDED").await,
        UserCommand::Activate(reference) => set_status(&session, reference, "ACTIVE").await,
        UserCommand::Delete(args) => delete(&session, args).await,
        UserCommand::ResetPassword(reference) => reset_password(&session, reference).await,
    }
}

async fn list(session: &Session<'_>, args: &ListArgs) -> Result<(), Failure> {
    let url = user_ref::list_url(session, args.email.as_deref());
    let limit = args.limit.map_or(usize::MAX, NonZeroUsize::get);
    let (users, next_page_token) = session.at_most::<UserListReply>(&url, limit).await?;
    let has_more = next_page_token.is_some();
    let some = UserListReply { users, next_page_token };
    let none = match args.email {
        Some(_) => "No user has this address.",
        None => "No user yet: `tikti user create EMAIL` makes one.",
    };
    shown::many(session.output(), &some, &some.users, none)?;
    if has_more {
        session.output().note("There may be more: a larger --limit shows them, or none.");
    }
    Ok(())
}

async fn get(session: &Session<'_>, Reference { user }: &Reference) -> Result<(), Failure> {
    let found = match user {
        UserRef::Id(id) => session.get(session.url(&["v1", "users", id])).await?,
        UserRef::Address(address) => user_ref::find(session, address).await?,
    };
    shown::one(session.output(), &Whole(found))
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), Failure> {
    let ChangeArgs { name, role, status, email_verified, default_tenant } = &args.change;
    let request = UpdateUserRequest {
        role: role.clone(),
        status: status.clone(),
        display_name: name.clone(),
        email_verified: *email_verified,
        default_tenant_id: default_tenant.clone(),
    };
    let id = args.reference.user.id(session).await?;
    let user: UserReply = session.patch(session.url(&["v1", "users", &id]), &request).await?;
    let said = format!("User {} changed ({})", name_of(&user), user.local_id);
    shown::done(session.output(), &said, &user)
}

/// By address there is a call of its own, which answers less.
async fn set_status(
    session: &Session<'_>,
    Reference { user }: &Reference,
    status: &str,
) -> Result<(), Failure> {
    let status = status.to_owned();
    match user {
        UserRef::Id(id) => {
            let request = UpdateUserRequest { status: Some(status), ..Default::default() };
            let user: UserReply =
                session.patch(session.url(&["v1", "users", id]), &request).await?;
            let said = format!("User {} is {} ({})", name_of(&user), user.status, user.local_id);
            shown::done(session.output(), &said, &user)
        }
        UserRef::Address(email) => {
            let request = StatusRequest { email: email.clone(), status };
            let url = session.url(&["v1", "accounts", "status"]);
            let user: StatusReply = session.post(url, &request).await?;
            session.output().done(&format!("User {email} is {} ({})", user.status, user.local_id));
            session.output().answer(&user, "", &user.local_id)
        }
    }
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), Failure> {
    let user = &args.reference.user;
    let host = &session.target.host;
    let id = user.id(session).await?;
    let what = format!("user {user} of {host} with all memberships and sessions");
    let said = format!("User {user} deleted");
    Deletion { what: &what, said: &said, is_meant: args.yes }
        .at(session, session.url(&["v1", "users", &id]))
        .await
}

async fn reset_password(
    session: &Session<'_>,
    Reference { user }: &Reference,
) -> Result<(), Failure> {
    let sent = user_create::mail(session, &user.id(session).await?).await?;
    let output = session.output();
    output.done(&format!("A link to set a new password is on its way to {}", sent.email));
    output.answer(&sent, "", sent.oob_code.as_deref().unwrap_or_default())?;
    if sent.oob_code.is_some() {
        output.note("--quiet prints its code instead: this API key may have it.");
    }
    Ok(())
}

fn name_of(user: &UserReply) -> &str {
    user.email.as_deref().unwrap_or("without an address")
}

impl Page for UserListReply {
    type Item = UserReply;

    fn split(self) -> (Vec<UserReply>, Option<String>) {
        (self.users, self.next_page_token)
    }
}

impl Shown for UserReply {
    const COLUMNS: &'static [&'static str] = &["ID", "EMAIL", "ROLE", "STATUS", "LAST SIGN-IN"];

    fn name(&self) -> String {
        self.local_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.local_id.clone(),
            shown::or_none(self.email.as_deref()),
            self.role.clone(),
            self.status.clone(),
            shown::or_none(self.last_login_at.as_deref()),
        ]
    }
}

impl Shown for Whole {
    const COLUMNS: &'static [&'static str] =
        &["ID", "EMAIL", "VERIFIED", "NAME", "ROLE", "STATUS", "TENANT", "CREATED", "LAST SIGN-IN"];

    fn name(&self) -> String {
        self.0.name()
    }

    fn cells(&self) -> Vec<String> {
        let Self(user) = self;
        vec![
            user.local_id.clone(),
            shown::or_none(user.email.as_deref()),
            shown::yes(user.email_verified),
            shown::or_none(user.display_name.as_deref()),
            user.role.clone(),
            user.status.clone(),
            shown::or_none(user.default_tenant_id.as_deref()),
            user.created_at.clone(),
            shown::or_none(user.last_login_at.as_deref()),
        ]
    }
}
