//! What does a server have of a tenant, as far as a file asks? Lists, read and nothing else.
//!
//! One call for the tenant, then one list for each section that the file has, at once; a list is read in pages
//! of 200. What a section does not name is neither asked for nor needs to be allowed.
//!
//! Spec: Command line, `apply`; HTTP API, "Tenant administration".

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value};
use tikti_server::api::TenantReply;
use tikti_token::peek;

use super::manifest::sorted;
use super::plan::{Fields, Found, FoundTenant, Kind, Standing, WantedTenant};
use crate::cli::token::text_claim;
use crate::exit::Failure;
use crate::session::{Page, Session};

/// The client that every tenant has: it is nobody's to change.
const BUILT_IN_CLIENT: &str = "tikti";

/// A page of any of the lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyList {
    #[serde(alias = "roles", alias = "clients", alias = "workers", alias = "users")]
    items: Vec<Map<String, Value>>,
    next_page_token: Option<String>,
}

impl Page for AnyList {
    type Item = Map<String, Value>;

    fn split(self) -> (Vec<Self::Item>, Option<String>) {
        (self.items, self.next_page_token)
    }
}

/// Reads a tenant and what it has of the sections that `wanted` has; none where there is no such tenant, or
/// none that the caller may see.
///
/// # Errors
/// The server's; exit code 3 where the file calls the tenant by its id.
pub(super) async fn read(
    session: &Session<'_>,
    wanted: &WantedTenant,
) -> Result<Option<FoundTenant>, Failure> {
    let slug = wanted.slug.as_str();
    let tenant: TenantReply = match session.get(session.tenant_url(slug, &[])).await {
        Ok(tenant) => tenant,
        Err(failure) if is_missing(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    if tenant.slug != slug {
        return Err(Failure::usage(format!("{slug} is the id of a tenant, not its slug"))
            .next(format!("write `slug: {}`", tenant.slug)));
    }
    let caller = caller(session);
    let list = |kind| section(session, wanted, kind, caller.as_deref());
    let (roles, clients, workers, members) = tokio::try_join!(
        list(Kind::Role),
        list(Kind::Client),
        list(Kind::Worker),
        list(Kind::Member)
    )?;
    let fields = serde_json::to_value(&tenant).ok();
    let fields = fields.as_ref().and_then(Value::as_object).map(|all| picked(Kind::Tenant, all));
    let sections = [
        (Kind::Role, roles),
        (Kind::Client, clients),
        (Kind::Worker, workers),
        (Kind::Member, members),
    ];
    let sections = sections.into_iter().filter_map(|(kind, things)| Some((kind, things?)));
    let fields = fields.unwrap_or_default();
    Ok(Some(FoundTenant { id: tenant.id, fields, sections: sections.collect() }))
}

fn is_missing(failure: &Failure) -> bool {
    failure.reply.as_ref().is_some_and(|reply| reply.code == "TENANT_NOT_FOUND")
}

/// Who asks, as the server calls him.
fn caller(session: &Session<'_>) -> Option<String> {
    let token = session.target.id_token().ok()?;
    text_claim(&peek(token.expose_secret()).ok()?, "sub").map(str::to_owned)
}

async fn section(
    session: &Session<'_>,
    wanted: &WantedTenant,
    kind: Kind,
    caller: Option<&str>,
) -> Result<Option<BTreeMap<String, Found>>, Failure> {
    if !wanted.sections.contains_key(&kind) {
        return Ok(None);
    }
    let url = session.tenant_url(&wanted.slug, &[collection(kind)]);
    let items = session.all::<AnyList>(&url).await?;
    Ok(Some(items.iter().filter_map(|item| found(kind, item, caller)).collect()))
}

/// The segment of a path below which things of this kind are.
pub(super) fn collection(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "tenants",
        Kind::Role => "roles",
        Kind::Client => "clients",
        Kind::Worker => "workers",
        Kind::Member => "users",
    }
}

/// The thing with its name; none where a file cannot name it: a member without an address.
fn found(kind: Kind, item: &Map<String, Value>, caller: Option<&str>) -> Option<(String, Found)> {
    let text = |member: &str| item.get(member).and_then(Value::as_str);
    let is = |member: &str| item.get(member) == Some(&Value::Bool(true));
    let (name, id) = match kind {
        Kind::Tenant => return None,
        Kind::Role => (text("name")?, text("name")?),
        Kind::Client => (text("clientId")?, text("clientId")?),
        Kind::Worker => (text("id")?, text("id")?),
        Kind::Member => (text("email")?, text("userId")?),
    };
    let is_built_in = kind == Kind::Client && name == BUILT_IN_CLIENT;
    let standing = if is_built_in || is("builtIn") || is("managed") {
        Standing::Given
    } else if matches!(kind, Kind::Member | Kind::Worker) && caller == Some(id) {
        Standing::Own
    } else {
        Standing::Ordinary
    };
    let thing = Found { id: id.to_owned(), fields: picked(kind, item), standing };
    Some((name.to_owned(), thing))
}

fn picked(kind: Kind, all: &Map<String, Value>) -> Fields {
    let names = kind.fields().iter();
    let pick = |name: &&str| Some(((*name).to_owned(), sorted(all.get(*name)?.clone())));
    names.filter_map(pick).collect()
}
