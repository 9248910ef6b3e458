//! Which names are there? Those of the profile file, and those that the server of the profile has.
//!
//! The session is used as it is: an idToken that has ended gets no names, and no refresh. A line that names
//! another server or key gets none either: it is not yet meant, so no credential goes there.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Arg;
use serde::de::DeserializeOwned;
use tikti_server::api::{
    ClientListReply, MemberListReply, RoleListReply, SessionListReply, TenantListReply,
    WorkerListReply,
};
use tokio::runtime;

use super::place::Place;
use crate::context::{Context, Globals};
use crate::exit::Failure;
use crate::session::Session;

/// A person waits for it, and the program has to start as well.
const TIME_LIMIT: Duration = Duration::from_millis(800);

/// As many as a page of a list holds; whoever has more types a letter.
const PAGE_SIZE: &str = "200";

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Profiles,
    Tenants,
    Clients,
    Roles,
    Workers,
    Members,
    Sessions,
}

/// What the values of `arg` name, in the command with the names `path`.
pub(super) fn kind_of(path: &[&str], arg: &Arg) -> Option<Kind> {
    let kind = match (path, arg.get_long()) {
        // What it makes has no name yet.
        ([.., "create" | "provision"], None) => return None,
        (_, Some("profile")) => {
            let is_made = matches!(path, ["init"]);
            return (!is_made).then_some(Kind::Profiles);
        }
        (_, Some("tenant")) => Kind::Tenants,
        (_, Some("aud" | "client" | "clients" | "add-client")) => Kind::Clients,
        (_, Some("role" | "roles" | "mintable-by")) => Kind::Roles,
        (_, Some("sub" | "worker")) => Kind::Workers,
        (["profile", ..], None) => Kind::Profiles,
        (["tenant", ..], None) => Kind::Tenants,
        (["client", ..], None) => Kind::Clients,
        (["role", ..], None) => Kind::Roles,
        (["worker", verb], None) if *verb != "run" => Kind::Workers,
        (["member", verb], None) if *verb != "add" => Kind::Members,
        (["session", ..], None) => Kind::Sessions,
        _ => return None,
    };
    Some(kind)
}

/// The names of a kind; none where something is amiss.
pub(super) fn of(context: &Context, kind: Kind, place: &Place<'_>) -> Vec<String> {
    // A profile of the line is the one that it will be run with.
    let globals = Globals {
        output: context.globals.output,
        quiet: true,
        profile: place.given("profile").map(str::to_owned),
        host: None,
        api_key: None,
    };
    let output = context.output.clone();
    let context = Context { output, globals, environment: context.environment.clone() };
    let tenant = place.given("tenant").map(str::to_owned);
    let is_elsewhere = place.given("host").is_some() || place.given("api-key").is_some();
    if kind != Kind::Profiles && is_elsewhere {
        return Vec::new();
    }
    let (said, heard) = mpsc::channel();
    let look = move || {
        // Whoever waited may have gone.
        let _unheard = said.send(found(&context, kind, tenant.as_deref()));
    };
    // On a thread that nobody waits for: a keyring that is locked, a name that does not resolve or a file that
    // nobody writes to may take for ever, and end with the program.
    match thread::Builder::new().spawn(look) {
        Ok(_) => heard.recv_timeout(TIME_LIMIT).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

fn found(context: &Context, kind: Kind, tenant: Option<&str>) -> Vec<String> {
    if kind == Kind::Profiles {
        let stored = context.profiles().map(|stored| stored.profiles);
        return stored.unwrap_or_default().into_keys().collect();
    }
    let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    runtime.block_on(ask(context, kind, tenant)).unwrap_or_default()
}

async fn ask(context: &Context, kind: Kind, tenant: Option<&str>) -> Result<Vec<String>, Failure> {
    let session = Session::as_it_is(context)?;
    let names = match kind {
        Kind::Profiles => Vec::new(),
        Kind::Tenants => {
            let page: TenantListReply = page(&session, &["v1", "tenants"]).await?;
            page.tenants.into_iter().map(|tenant| tenant.slug).collect()
        }
        Kind::Clients => {
            let page: ClientListReply = of_tenant(&session, tenant, "clients").await?;
            page.clients.into_iter().map(|client| client.client_id).collect()
        }
        Kind::Roles => {
            let page: RoleListReply = of_tenant(&session, tenant, "roles").await?;
            page.roles.into_iter().map(|role| role.name).collect()
        }
        Kind::Workers => {
            let page: WorkerListReply = of_tenant(&session, tenant, "workers").await?;
            page.workers.into_iter().map(|worker| worker.id).collect()
        }
        Kind::Members => {
            let page: MemberListReply = of_tenant(&session, tenant, "users").await?;
            let named = page.users.into_iter();
            named.map(|member| member.email.unwrap_or(member.user_id)).collect()
        }
        Kind::Sessions => {
            let page: SessionListReply = page(&session, &["v1", "accounts", "sessions"]).await?;
            page.sessions.into_iter().map(|session| session.sid).collect()
        }
    };
    Ok(names)
}

async fn of_tenant<T: DeserializeOwned>(
    session: &Session<'_>,
    tenant: Option<&str>,
    things: &str,
) -> Result<T, Failure> {
    let tenant = session.tenant(tenant)?;
    page(session, &["v1", "tenants", tenant, things]).await
}

async fn page<T: DeserializeOwned>(session: &Session<'_>, segments: &[&str]) -> Result<T, Failure> {
    let mut url = session.url(segments);
    url.query_pairs_mut().append_pair("pageSize", PAGE_SIZE);
    session.get(url).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_argument_names_follows_from_its_command_and_its_name() {
        let option = |name: &'static str| Arg::new(name).long(name);
        for (path, arg, kind) in [
            (&["tenant", "get"][..], Arg::new("tenant"), Some(Kind::Tenants)),
            (&["tenant", "create"], Arg::new("slug"), None),
            (&["role", "delete"], Arg::new("name"), Some(Kind::Roles)),
            (&["token", "exchange"], option("aud"), Some(Kind::Clients)),
            (&["token", "exchange"], option("sub"), Some(Kind::Workers)),
            (&["token", "exchange"], option("scope"), None),
            (&["profile", "use"], Arg::new("name"), Some(Kind::Profiles)),
            (&["tenant", "list"], option("profile"), Some(Kind::Profiles)),
            (&["init"], option("profile"), None),
            (&["worker", "run"], Arg::new("command"), None),
            (&["completions"], Arg::new("shell"), None),
        ] {
            assert_eq!(kind_of(path, &arg), kind, "{path:?} {arg:?}");
        }
    }
}
