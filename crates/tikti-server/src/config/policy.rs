//! What does the operator say about resource servers, and about what new tenants are born with?
//!
//! Spec: Domain, "Resource servers" and "Tenant template".

use std::collections::{BTreeMap, BTreeSet};

use tikti_domain::client::{MAX_TOKEN_TTL_SECONDS, MIN_TOKEN_TTL_SECONDS, SubjectPolicy};
use tikti_domain::id::{ClientId, EventType, RoleName};
use tikti_domain::scope::{Scope, ScopeSet};
use tikti_domain::settings::{GrantedBy, ResourceServer, TemplateClient, TenantTemplate};

use super::read::reason;
use super::section::Section;

/// Reads a client id.
pub(super) fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).map_err(reason)
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).map_err(reason)
}

fn role_name(text: &str) -> Result<RoleName, String> {
    RoleName::parse(text).map_err(reason)
}

fn event_type(text: &str) -> Result<EventType, String> {
    EventType::parse(text).map_err(reason)
}

/// Says so of a name that was used before: of two settings of one thing none is the right one.
const TWICE: &str = "stands twice in the list";

/// Reads the list of resource servers, each audience once.
pub(super) fn resource_servers(root: &mut Section<'_>) -> Option<Vec<ResourceServer>> {
    let servers = root.sections("resourceServers")?;
    let servers: Vec<_> = servers.into_iter().filter_map(resource_server).collect();
    refuse_repeats(root, "resourceServers", servers.iter().map(|server| &server.audience));
    Some(servers)
}

fn refuse_repeats<T: Ord + std::fmt::Display>(
    section: &Section<'_>,
    key: &str,
    names: impl Iterator<Item = T>,
) {
    let mut known = BTreeSet::new();
    for name in names {
        if let Some(name) = known.replace(name) {
            section.refuse(key, format_args!("{name} {TWICE}"));
        }
    }
}

/// Reads `{audience, scopes: [{scope, grantedBy}]}`.
fn resource_server(mut server: Section<'_>) -> Option<ResourceServer> {
    let audience = required(&mut server, "audience", client_id);
    let mut scopes = BTreeMap::new();
    for mut item in server.sections("scopes").unwrap_or_default() {
        let name = required(&mut item, "scope", scope);
        let choices = [("tenant", GrantedBy::Tenant), ("platform", GrantedBy::Platform)];
        let granted_by = item.choice("grantedBy", &choices);
        // Left out, it is the stricter one.
        let granted_by = granted_by.unwrap_or(GrantedBy::Platform);
        item.finish();
        if let Some(name) = name
            && scopes.insert(name.as_str().to_owned(), granted_by).is_some()
        {
            server.refuse("scopes", format_args!("{} {TWICE}", name.as_str()));
        }
    }
    server.finish();
    Some(ResourceServer { audience: audience?, scopes })
}

/// Reads `{roles, clients, creatorRoles}`. What is left out stays as shipped; an empty list empties
/// it.
pub(super) fn tenant_template(mut section: Section<'_>, template: &mut TenantTemplate) {
    if let Some(roles) = section.sections("roles") {
        // The shipped creator's roles are among the shipped roles: without these they mean nothing.
        template.creator_roles.clear();
        let roles: Vec<_> = roles.into_iter().filter_map(role).collect();
        refuse_repeats(&section, "roles", roles.iter().map(|(name, _)| name));
        template.roles = roles.into_iter().collect();
    }
    if let Some(clients) = section.sections("clients") {
        template.clients = clients.into_iter().filter_map(client).collect();
        refuse_repeats(&section, "clients", template.clients.iter().map(|client| &client.id));
    }
    if let Some(names) = section.texts("creatorRoles", role_name) {
        template.creator_roles = names.into_iter().collect();
    }
    for name in &template.creator_roles {
        if !template.roles.contains_key(name) {
            section.refuse("creatorRoles", format_args!("{name} is no role of the template"));
        }
    }
    section.finish();
}

fn role(mut section: Section<'_>) -> Option<(RoleName, ScopeSet)> {
    let name = required(&mut section, "name", role_name);
    let permissions = scopes(&mut section, "permissions");
    section.finish();
    Some((name?, permissions.unwrap_or_default()))
}

fn client(mut section: Section<'_>) -> Option<TemplateClient> {
    let id = required(&mut section, "clientId", client_id);
    let default_scopes = scopes(&mut section, "defaultScopes");
    let allowed_scopes = scopes(&mut section, "allowedScopes");
    let default_scopes = default_scopes.unwrap_or_default();
    let allowed_scopes = allowed_scopes.unwrap_or_else(|| default_scopes.clone());
    if !default_scopes.is_subset(&allowed_scopes) {
        section.refuse("defaultScopes", "must be among allowedScopes");
    }
    let event_types = section.texts("eventTypes", event_type).unwrap_or_default();
    let policies = [
        ("user", SubjectPolicy::User),
        ("registered", SubjectPolicy::Registered),
        ("any", SubjectPolicy::Any),
    ];
    let subject_policy = section.choice("subjectPolicy", &policies);
    let ttl = section.number("tokenTtlSeconds", MIN_TOKEN_TTL_SECONDS, MAX_TOKEN_TTL_SECONDS);
    section.finish();
    Some(TemplateClient {
        id: id?,
        allowed_scopes,
        default_scopes,
        event_types: event_types.into_iter().collect(),
        subject_policy: subject_policy.unwrap_or(SubjectPolicy::User),
        token_ttl_seconds: ttl.unwrap_or(MIN_TOKEN_TTL_SECONDS),
    })
}

fn scopes(section: &mut Section<'_>, key: &'static str) -> Option<ScopeSet> {
    let list = section.texts(key, scope)?;
    let set = ScopeSet::from_list(list.iter().map(Scope::as_str));
    set.map_err(|refusal| section.refuse(key, reason(refusal))).ok()
}

/// Reads a text that must be there.
fn required<T>(
    section: &mut Section<'_>,
    key: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    if !section.has(key) {
        section.refuse(key, "is missing");
    }
    section.parsed(key, parse)
}
