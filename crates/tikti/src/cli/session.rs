//! `tikti session`: where somebody is signed in, and how that ends. One's own sessions, or a member's.
//!
//! Spec: Command line, `session`; HTTP API, "Identity" and "Tenant administration", sessions.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;
use tikti_server::api::{EmptyReply, SessionListReply, SessionReply};
use tikti_token::peek;
use url::Url;

use super::tenant::reference;
use super::token::text_claim;
use super::user_ref::UserRef;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session::{Page, Session};
use crate::shown::{self, Shown};

/// List and end sessions: one's own, or those of a member
#[derive(Subcommand)]
pub(crate) enum SessionCommand {
    /// List one's own sessions, or those of a member in a tenant, in the order of their beginning
    #[command(
        after_help = "Examples:\n  tikti session list\n  tikti session list --user ann@example.org --tenant codecompany"
    )]
    List(ListArgs),
    /// End one of one's own sessions, or all of a member in a tenant
    ///
    /// Its tokens are refused at the next request. Services that verify access tokens by themselves take them
    /// until they expire.
    #[command(
        after_help = "Example:\n  tikti session revoke --user ann@example.org --tenant codecompany --yes"
    )]
    Revoke(RevokeArgs),
}

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    of: MemberArgs,
}

#[derive(Args)]
struct MemberArgs {
    /// Member whose sessions are meant, by id or e-mail address [default: oneself]
    #[arg(long, value_name = "USER", value_parser = UserRef::parse)]
    user: Option<UserRef>,
    /// Tenant of the member, by id or slug [default: TIKTI_TENANT, the profile's]
    #[arg(long, value_name = "REF", value_parser = reference, requires = "user")]
    tenant: Option<String>,
}

#[derive(Args)]
pub(crate) struct RevokeArgs {
    /// Session that ends: one of one's own
    #[arg(value_name = "SID", value_parser = reference, required_unless_present = "user", conflicts_with = "user")]
    sid: Option<String>,
    #[command(flatten)]
    of: MemberArgs,
    /// Do not ask before all sessions of a member end
    #[arg(long)]
    yes: bool,
}

/// A row of the table.
#[derive(Serialize)]
struct Row<'a> {
    session: &'a SessionReply,
    /// Whether it is the one that asks.
    is_own: bool,
}

pub(crate) async fn run(context: &Context, command: &SessionCommand) -> Result<(), Failure> {
    let session = Session::open(context).await?;
    match command {
        SessionCommand::List(args) => list(&session, args).await,
        SessionCommand::Revoke(args) => match (&args.sid, &args.of.user) {
            (Some(sid), _) => revoke(&session, sid).await,
            (None, Some(user)) => revoke_all(&session, user, args).await,
            (None, None) => Ok(()),
        },
    }
}

async fn list(session: &Session<'_>, args: &ListArgs) -> Result<(), Failure> {
    let url = match &args.of.user {
        None => session.url(&["v1", "accounts", "sessions"]),
        Some(user) => member_url(session, user, &args.of).await?,
    };
    let sessions = session.all::<SessionListReply>(&url).await?;
    let all = SessionListReply { sessions, next_page_token: None };
    let own = own_sid(session);
    let rows = all.sessions.iter();
    let rows = rows.map(|session| Row { session, is_own: own.as_ref() == Some(&session.sid) });
    shown::many(session.output(), &all, &Vec::from_iter(rows), "No session.")
}

async fn revoke(session: &Session<'_>, sid: &str) -> Result<(), Failure> {
    let is_own = own_sid(session).is_some_and(|own| own == sid);
    let url = session.url(&["v1", "accounts", "sessions", sid]);
    let ended: EmptyReply = session.delete(url).await?;
    let output = session.output();
    output.done(&format!("Session {sid} ended"));
    if is_own {
        output.note(
            "It was the one of this command: `tikti auth login --user EMAIL` begins another.",
        );
    }
    output.answer(&ended, "", "")
}

async fn revoke_all(
    session: &Session<'_>,
    user: &UserRef,
    RevokeArgs { of, yes, .. }: &RevokeArgs,
) -> Result<(), Failure> {
    let tenant = session.tenant(of.tenant.as_deref())?;
    let what = format!("every session of {user} in {tenant} at {}", session.target.host);
    input::confirm_revocation(session.output(), &what, *yes)?;
    let ended: EmptyReply = session.delete(member_url(session, user, of).await?).await?;
    session.output().done(&format!("All sessions of {user} in {tenant} ended"));
    session.output().answer(&ended, "", "")
}

async fn member_url(
    session: &Session<'_>,
    user: &UserRef,
    of: &MemberArgs,
) -> Result<Url, Failure> {
    let tenant = session.tenant(of.tenant.as_deref())?;
    let id = user.id_of_member(session).await?;
    Ok(session.tenant_url(tenant, &["users", &id, "sessions"]))
}

/// The session of the token that is shown to the server.
fn own_sid(session: &Session<'_>) -> Option<String> {
    let token = peek(session.target.id_token().ok()?.expose_secret()).ok()?;
    text_claim(&token, "sid").map(str::to_owned)
}

impl Page for SessionListReply {
    type Item = SessionReply;

    fn split(self) -> (Vec<SessionReply>, Option<String>) {
        (self.sessions, self.next_page_token)
    }
}

impl Shown for Row<'_> {
    const COLUMNS: &'static [&'static str] =
        &["SID", "CURRENT", "BEGAN", "REFRESHED", "BY", "TENANT", "FROM", "PROGRAM"];

    fn name(&self) -> String {
        self.session.sid.clone()
    }

    fn cells(&self) -> Vec<String> {
        let session = self.session;
        vec![
            session.sid.clone(),
            shown::yes(self.is_own),
            session.created_at.clone(),
            session.last_refreshed_at.clone(),
            shown::listed(&session.amr),
            shown::or_none(session.tenant_id.as_deref()),
            shown::or_none(session.ip.as_deref()),
            shown::or_none(session.user_agent.as_deref()),
        ]
    }
}
