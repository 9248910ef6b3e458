//! Which tenants, roles and clients does the old layout mean?
//!
//! A tenant keeps its id, or gets `t-` before it where it begins with a digit. What cannot be understood about who
//! may do something is taken for less: an unknown status stops, an unknown grant type or permission is left, and so is
//! a scope that only the deployment grants: over there any administrator of a tenant could write it. Of two tenants
//! that would get the same id neither is taken. What belongs to a tenant is looked for by the very id that it had.
//!
//! A client that the template gives to every tenant keeps what the template says of its tokens (event types,
//! subject policy, lifetime), since the old layout had no words for it and resource servers rely on it. Neither it
//! nor a role that the template names gets more scopes than it has there, and both stay the deployment's to change.
//!
//! Spec: Real clients, "Older Tikti clients and data"; Domain, "Tenant", "Role", "Client".

use std::collections::{BTreeMap, BTreeSet};

use tikti_store::Fields;

use super::document::{Date, Document};
use super::layout::{CLIENTS, OldLayout, ROLES, TENANTS};
use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use crate::client::{Client, ClientStatus, ClientType, GrantType};
use crate::clock::Timestamp;
use crate::id::{ClientId, RoleName, Slug, TenantId};
use crate::role::{MAX_PERMISSIONS, Roles};
use crate::scope::{Scope, ScopeSet};
use crate::settings::Settings;
use crate::tenancy::is_reserved;
use crate::tenant::{Tenant, TenantStatus};
use crate::user::parse_display_name;

/// A tenant to be taken over.
pub(super) struct PlannedTenant {
    pub(super) tenant: Tenant,
    pub(super) roles: Vec<PlannedRole>,
    pub(super) clients: Vec<PlannedClient>,
    pub(super) origin: Origin,
}

/// A role to be taken over.
pub(super) struct PlannedRole {
    pub(super) name: RoleName,
    pub(super) permissions: ScopeSet,
    /// Whether the template has it, too.
    pub(super) is_managed: bool,
    pub(super) origin: Origin,
}

/// A client to be taken over.
pub(super) struct PlannedClient {
    pub(super) client: Client,
    pub(super) origin: Origin,
}

/// Tenants to be taken over, by the very ids that they had.
pub(super) type ByOldId = BTreeMap<String, PlannedTenant>;

/// The tenants of the old layout with their roles and clients.
pub(super) fn tenants(
    layout: &OldLayout,
    settings: &Settings,
    now: Timestamp,
    report: &mut Report,
) -> ByOldId {
    let mut old = Vec::new();
    for (field, value) in &layout.tenants {
        report.counts(Thing::Tenant).found += 1;
        let origin = Origin::new(TENANTS, String::from_utf8_lossy(field));
        match tenant(field, value, (&origin, now), report) {
            Ok(parsed) => old.push(parsed),
            Err(kind) => report.leave(Thing::Tenant, Trouble::new(kind, &origin)),
        }
    }
    // Whoever was first keeps the names.
    old.sort_by(|(id, (a, _)), (other, (b, _))| {
        (a.tenant.created_at, id, &a.origin).cmp(&(b.tenant.created_at, other, &b.origin))
    });
    let mut bearers = BTreeMap::<TenantId, usize>::new();
    for (_, (one, _)) in &old {
        *bearers.entry(one.tenant.id.clone()).or_default() += 1;
    }
    let mut planned = ByOldId::new();
    let mut slugs = Vec::new();
    for (id, (one, slug)) in old {
        if bearers.get(&one.tenant.id).is_some_and(|bearers| *bearers > 1) {
            report.leave(Thing::Tenant, Trouble::new(TroubleKind::IdTwice, &one.origin));
            continue;
        }
        slugs.push((id.clone(), slug));
        planned.insert(id, one);
    }
    name(&mut planned, slugs, report);
    roles(layout, &mut planned, settings, report);
    clients(layout, &mut planned, (settings, now), report);
    planned
}

fn tenant(
    field: &[u8],
    value: &[u8],
    (origin, now): (&Origin, Timestamp),
    report: &mut Report,
) -> Result<(String, (PlannedTenant, Option<String>)), TroubleKind> {
    let field = std::str::from_utf8(field).map_err(|_| TroubleKind::Unreadable)?;
    let document = Document::parse(value).ok_or(TroubleKind::Unreadable)?;
    let old = document.text(&["id"])?.unwrap_or_else(|| field.to_owned());
    let (status, slug) = (document.text(&["status"])?, document.text(&["slug"])?);
    let id = TenantId::of_old(&old).filter(|id| !is_reserved(id.as_str()));
    let id = id.ok_or(TroubleKind::BadId)?;
    let mut note = |kind| report.note(Trouble::new(kind, origin));
    let status = status.map(|status| TenantStatus::parse(&status.to_ascii_uppercase()));
    let status = match status {
        None => TenantStatus::Active,
        Some(Ok(status)) => status,
        Some(Err(_)) => {
            note(TroubleKind::TenantStatus);
            TenantStatus::Suspended
        }
    };
    let date = document.created_at(now);
    if date == Date::Wrong {
        note(TroubleKind::Date);
    }
    // Both are decided when it is known whose the slugs are.
    let wanted = slug;
    let slug = Slug::parse(id.as_str()).map_err(|_| TroubleKind::BadId)?;
    let name = document.text(&["name"])?.unwrap_or_default();
    let created_at = date.known().unwrap_or(now);
    let tenant = Tenant { id, slug, name, status, self_sign_up: false, created_at };
    let (roles, clients, origin) = (Vec::new(), Vec::new(), origin.clone());
    Ok((old, (PlannedTenant { tenant, roles, clients, origin }, wanted)))
}

/// Gives each tenant its slug where that fits and is no other one's name, and its name for people.
fn name(planned: &mut ByOldId, slugs: Vec<(String, Option<String>)>, report: &mut Report) {
    let ids = BTreeSet::from_iter(planned.values().map(|one| one.tenant.id.as_str().to_owned()));
    let mut taken = BTreeSet::new();
    for (old, wanted) in slugs {
        let Some(PlannedTenant { tenant, origin, .. }) = planned.get_mut(&old) else { continue };
        if let Some(wanted) = wanted {
            let lower = wanted.to_ascii_lowercase();
            let is_free = (!ids.contains(&lower) || lower == tenant.id.as_str())
                && !is_reserved(&lower)
                && !taken.contains(&lower);
            match Slug::parse(&lower) {
                Ok(slug) if is_free => {
                    taken.insert(lower.clone());
                    tenant.slug = slug;
                    if lower != wanted {
                        report.note(Trouble::new(TroubleKind::Slug, origin).detail("lower case"));
                    }
                }
                Ok(_) | Err(_) => report.note(Trouble::new(TroubleKind::Slug, origin)),
            }
        }
        let wanted = std::mem::take(&mut tenant.name);
        tenant.name = match parse_display_name("name", &wanted) {
            Ok(name) => name,
            Err(_) => {
                if !wanted.is_empty() {
                    report.note(Trouble::new(TroubleKind::TenantName, origin));
                }
                tenant.slug.as_str().to_owned()
            }
        };
    }
}

/// The documents of one hash, each with the name of its field.
pub(super) fn documents(
    (key, fields): (&str, &Fields),
    thing: Thing,
    report: &mut Report,
) -> Vec<(String, Origin, Document)> {
    let mut read = Vec::with_capacity(fields.len());
    for (field, value) in fields {
        report.counts(thing).found += 1;
        let origin = Origin::new(key, String::from_utf8_lossy(field));
        match std::str::from_utf8(field).ok().zip(Document::parse(value)) {
            Some((field, document)) => read.push((field.to_owned(), origin, document)),
            None => report.leave(thing, Trouble::new(TroubleKind::Unreadable, &origin)),
        }
    }
    read
}

fn roles(layout: &OldLayout, planned: &mut ByOldId, settings: &Settings, report: &mut Report) {
    for (old, fields) in &layout.roles {
        let read = documents((&format!("{ROLES}{old}"), fields), Thing::Role, report);
        let mut owner = planned.get_mut(old);
        for (field, origin, document) in read {
            let Some(owner) = &mut owner else {
                report.leave(Thing::Role, Trouble::new(TroubleKind::TenantMissing, &origin));
                continue;
            };
            match role((&field, &document, &origin), settings, report) {
                Ok(Some(role)) => owner.roles.push(role),
                Ok(None) => report.counts(Thing::Role).present += 1,
                Err(kind) => report.leave(Thing::Role, Trouble::new(kind, &origin)),
            }
        }
    }
}

/// A role; `None` for one that every tenant has anyway.
fn role(
    (field, document, origin): (&str, &Document, &Origin),
    settings: &Settings,
    report: &mut Report,
) -> Result<Option<PlannedRole>, TroubleKind> {
    if document.text(&["name"])?.is_some_and(|own| own != field) {
        return Err(TroubleKind::ContradictsKey);
    }
    let name = RoleName::parse(field).map_err(|_| TroubleKind::BadId)?;
    let asked = document.texts("permissions")?.unwrap_or_default();
    let (permissions, is_whole) = scopes(&asked, MAX_PERMISSIONS);
    if let Some(built_in) = Roles::built_in().find(&name) {
        return match is_whole && permissions.is_subset(&built_in.permissions) {
            true => Ok(None),
            false => Err(TroubleKind::BuiltInRole),
        };
    }
    if !is_whole {
        report.note(Trouble::new(TroubleKind::Permission, origin));
    }
    let template = settings.tenant_template.roles.get(&name);
    let permissions = granted(&permissions, (settings, template), (origin, report));
    let (is_managed, origin) = (template.is_some(), origin.clone());
    Ok(Some(PlannedRole { name, permissions, is_managed, origin }))
}

/// Those of the scopes that a tenant may give, and that the template has where it names what they are for.
fn granted(
    asked: &ScopeSet,
    (settings, template): (&Settings, Option<&ScopeSet>),
    (origin, report): (&Origin, &mut Report),
) -> ScopeSet {
    let of_tenants = asked.filtered(|scope| !settings.keeps(scope));
    let granted = template.map_or_else(|| of_tenants.clone(), |most| of_tenants.intersection(most));
    let mut tell = |kind, lost: &ScopeSet| {
        for scope in lost.iter() {
            report.note(Trouble::new(kind, origin).detail(scope.to_owned()));
        }
    };
    tell(TroubleKind::PlatformScope, &asked.difference(&of_tenants));
    tell(TroubleKind::TemplateScope, &of_tenants.difference(&granted));
    granted
}

/// Those of the texts that are scopes, at most so many, and whether that is all.
fn scopes(texts: &[String], most: usize) -> (ScopeSet, bool) {
    let all = BTreeSet::from_iter(texts.iter().map(String::as_str));
    let fit = all.iter().copied().filter(|text| Scope::parse(text).is_ok());
    let fit = Vec::from_iter(fit.take(most));
    let is_whole = fit.len() == all.len();
    (ScopeSet::from_list(fit).unwrap_or_default(), is_whole)
}

fn clients(
    layout: &OldLayout,
    planned: &mut ByOldId,
    (settings, now): (&Settings, Timestamp),
    report: &mut Report,
) {
    for (old, fields) in &layout.clients {
        let read = documents((&format!("{CLIENTS}{old}"), fields), Thing::Client, report);
        let mut owner = planned.get_mut(old);
        for (field, origin, document) in read {
            let Some(owner) = &mut owner else {
                report.leave(Thing::Client, Trouble::new(TroubleKind::TenantMissing, &origin));
                continue;
            };
            match client((&field, &document, &origin), (settings, now), report) {
                Ok(client) => owner.clients.push(PlannedClient { client, origin }),
                Err(kind) => report.leave(Thing::Client, Trouble::new(kind, &origin)),
            }
        }
    }
}

fn client(
    (field, document, origin): (&str, &Document, &Origin),
    (settings, now): (&Settings, Timestamp),
    report: &mut Report,
) -> Result<Client, TroubleKind> {
    if document.text(&["clientId", "id"])?.is_some_and(|own| own != field) {
        return Err(TroubleKind::ContradictsKey);
    }
    let id = ClientId::parse(field).map_err(|_| TroubleKind::BadId)?;
    if settings.reserves(&id) {
        return Err(TroubleKind::ReservedClient);
    }
    let kind = document.text(&["type"])?.map(|kind| ClientType::parse(&kind)).transpose();
    let kind = kind.map_err(|_| TroubleKind::ClientType)?.unwrap_or(ClientType::Service);
    // An idToken may be for an application, and then no resource server may take it for its own.
    if kind == ClientType::Application && settings.is_served_everywhere(&id) {
        return Err(TroubleKind::ReservedClient);
    }
    let (status, grants) = (document.text(&["status"])?, grants(document)?);
    let asked = document.texts("defaultScopes")?.unwrap_or_default();
    let mut note = |kind| report.note(Trouble::new(kind, origin));
    let status = status.map(|status| ClientStatus::parse(&status.to_ascii_uppercase()));
    let status = status.unwrap_or(Ok(ClientStatus::Active)).unwrap_or_else(|_| {
        note(TroubleKind::ClientStatus);
        ClientStatus::Disabled
    });
    let (allowed_grant_types, has_unknown) = grants;
    if has_unknown {
        note(TroubleKind::GrantType);
    }
    let (asked, is_whole) = scopes(&asked, crate::scope::MAX_SCOPES);
    if !is_whole {
        note(TroubleKind::ClientScope);
    }
    if document.text(&["secretHash"]) != Ok(None) {
        note(TroubleKind::ClientSecret);
    }
    let mut client = bare(id, settings, now);
    let template = client.managed.then_some(&client.allowed_scopes);
    let default_scopes = granted(&asked, (settings, template), (origin, report));
    client.allowed_scopes.extend(&default_scopes);
    Ok(Client { kind, status, allowed_grant_types, default_scopes, ..client })
}

/// The grant types of a client, and whether it names others. Only where it names none at all it has the one that
/// every client had.
fn grants(document: &Document) -> Result<(BTreeSet<GrantType>, bool), TroubleKind> {
    let Some(asked) = document.texts("allowedGrantTypes")? else {
        return Ok(([GrantType::TokenExchange].into(), false));
    };
    let known = BTreeSet::from_iter(asked.iter().filter_map(|one| grant(one)));
    if known.is_empty() {
        return Err(TroubleKind::GrantType);
    }
    Ok((known, asked.iter().any(|one| grant(one).is_none())))
}

/// A client of which nothing is said, as the template has it where it does.
fn bare(id: ClientId, settings: &Settings, now: Timestamp) -> Client {
    let template = settings.tenant_template.clients(now).unwrap_or_default();
    let known = template.into_iter().find(|client| client.id == id);
    known.unwrap_or_else(|| Client::bare((id, ClientType::Service), now))
}

/// A grant type by its name here, or as RFC 8693 has it.
fn grant(text: &str) -> Option<GrantType> {
    let text = text.strip_prefix("urn:ietf:params:oauth:grant-type:").unwrap_or(text);
    GrantType::parse(&text.replace('-', "_")).ok()
}
