//! What the rules make of an old layout, and what carrying that out leaves behind.

mod carrying;
mod doubt;
mod properties;
mod table;

use super::layout::OldLayout;
use super::plan::{Plan, plan};
use super::report::Trouble;
use crate::clock::rfc3339;
use crate::settings::Settings;
use crate::testing::{ISSUER, START};

/// A bcrypt hash of cost 4 of `correct horse`, as an older Tikti kept it.
pub(super) const HASH: &str = "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
pub(super) const OLD: &str = "0193a5c8-1f6e-7000-8000-000000000000";

/// Builds an old layout, a document at a time.
#[derive(Default)]
pub(super) struct Build(pub(super) OldLayout);

impl Build {
    pub(super) fn user(mut self, email: &str, json: &str) -> Self {
        self.0.users.insert(email.into(), json.into());
        self
    }

    pub(super) fn newer_user(mut self, id: &str, json: &str) -> Self {
        self.0.users_v2.insert(id.into(), json.into());
        self
    }

    pub(super) fn index(mut self, email: &str, id: &str) -> Self {
        self.0.user_by_email.insert(email.into(), id.into());
        self
    }

    pub(super) fn tenant(mut self, id: &str, json: &str) -> Self {
        self.0.tenants.insert(id.into(), json.into());
        self
    }

    pub(super) fn role(mut self, tenant: &str, name: &str, json: &str) -> Self {
        self.0.roles.entry(tenant.into()).or_default().insert(name.into(), json.into());
        self
    }

    pub(super) fn client(mut self, tenant: &str, id: &str, json: &str) -> Self {
        self.0.clients.entry(tenant.into()).or_default().insert(id.into(), json.into());
        self
    }

    pub(super) fn member(mut self, tenant: &str, field: &str, json: &str) -> Self {
        self.0.memberships.entry(tenant.into()).or_default().insert(field.into(), json.into());
        self
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.0, &Settings::shipped(ISSUER).unwrap(), START)
    }
}

/// The plan in lines: things, then troubles.
pub(super) fn told(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for one in &plan.tenants {
        let tenant = &one.tenant;
        let status = tenant.status.as_str();
        lines.push(format!("tenant {} {} {:?} {status}", tenant.id, tenant.slug, tenant.name));
        for role in &one.roles {
            lines.push(format!("  role {} [{}]", role.name, role.permissions));
        }
        for one in &one.clients {
            let client = &one.client;
            let grants: Vec<_> =
                client.allowed_grant_types.iter().map(|one| one.as_str()).collect();
            lines.push(format!(
                "  client {} {} {} [{}] [{}] of [{}] {}",
                client.id,
                client.kind.as_str(),
                client.status.as_str(),
                grants.join(" "),
                client.default_scopes,
                client.allowed_scopes,
                client.subject_policy.as_str()
            ));
        }
    }
    for one in &plan.users {
        let user = &one.user;
        let role = if one.is_admin { "ADMIN" } else { user.role.as_str() };
        let hash = if user.password_hash.is_some() { "bcrypt" } else { "-" };
        let made = user.created_at.map_or("-".to_owned(), rfc3339);
        let status = user.status.as_str();
        lines.push(format!(
            "user {} {} {role} {status} {hash} {made}",
            user.id,
            user.email.as_str()
        ));
    }
    for one in &plan.memberships {
        let member = &one.membership;
        let roles: Vec<_> = member.roles.iter().map(|role| role.as_str()).collect();
        let first = if one.is_first { " first" } else { "" };
        let (user, tenant) = (&member.user_id, &member.tenant_id);
        lines.push(format!("member {user} in {tenant} [{}]{first}", roles.join(" ")));
    }
    lines.extend(plan.report.clone().sorted().troubles.iter().map(line));
    lines.join("\n")
}

pub(super) fn line(trouble: &Trouble) -> String {
    let Trouble { kind, key, field, detail } = trouble;
    let mark = if kind.loses() { '!' } else { '~' };
    let rest = [field.as_deref(), detail.as_deref()];
    let rest = rest.into_iter().flatten().fold(String::new(), |text, part| text + " " + part);
    format!("{mark} {} {key}{rest}", kind.as_str())
}
