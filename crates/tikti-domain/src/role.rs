//! Roles: named permission sets of one tenant.
//!
//! All roles of a tenant are one record, so that an exchange reads them in one step, whatever their
//! number.
//!
//! Spec: Domain, "Role", "Built-in management scopes"; Storage, "Hot reads".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::RoleName;
use crate::record::Record;
use crate::scope::{ScopeSet, management_scopes};

/// The built-in role that holds every management scope.
pub const TENANT_ADMIN: &str = "TENANT_ADMIN";
/// The built-in role that holds none.
pub const TENANT_USER: &str = "TENANT_USER";
/// Most permissions of one role.
pub const MAX_PERMISSIONS: usize = 256;

/// What a role permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The scopes that it expands into.
    pub permissions: ScopeSet,
    /// Whether every tenant has it; such a role cannot be changed or deleted.
    #[serde(default)]
    pub built_in: bool,
    /// Whether it came from the template; a tenant admin assigns it, but cannot widen it.
    #[serde(default)]
    pub managed: bool,
}

/// All roles of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(BTreeMap<RoleName, Role>);

impl Roles {
    /// The roles that every tenant is born with.
    pub(crate) fn built_in() -> Self {
        let role = |permissions| Role { permissions, built_in: true, managed: false };
        let named =
            |name: &str, permissions| Some((RoleName::parse(name).ok()?, role(permissions)));
        Self(
            [named(TENANT_ADMIN, management_scopes()), named(TENANT_USER, ScopeSet::default())]
                .into_iter()
                .flatten()
                .collect(),
        )
    }

    /// Adds or replaces a role.
    pub(crate) fn insert(&mut self, name: RoleName, role: Role) {
        self.0.insert(name, role);
    }

    /// Removes a role.
    pub(crate) fn remove(&mut self, name: &RoleName) {
        self.0.remove(name);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The roles in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&RoleName, &Role)> {
        self.0.iter()
    }

    /// The role of this name.
    #[must_use]
    pub fn find(&self, name: &RoleName) -> Option<&Role> {
        self.0.get(name)
    }

    /// The union of the permissions of `names`; one that does not exist expands to nothing.
    #[must_use]
    pub fn expand<'a>(&self, names: impl IntoIterator<Item = &'a RoleName>) -> ScopeSet {
        let mut permissions = ScopeSet::default();
        for role in names.into_iter().filter_map(|name| self.0.get(name)) {
            permissions.extend(&role.permissions);
        }
        permissions
    }
}

impl Record for Roles {}

/// What is kept of a role that was deleted, for as long as its tenant lives: memberships and workers may
/// name it still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FormerRole {
    /// When it was deleted.
    pub(crate) deleted_at: Timestamp,
}

impl Record for FormerRole {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenant_is_born_with_the_two_built_in_roles() {
        let roles = Roles::built_in();
        let names = [TENANT_ADMIN, TENANT_USER].map(|name| RoleName::parse(name).unwrap());
        assert_eq!(roles.expand(&names[..1]), management_scopes());
        assert!(roles.expand(&names[1..]).is_empty());
    }

    #[test]
    fn a_role_that_no_longer_exists_expands_to_nothing() {
        assert!(Roles::built_in().expand(&[RoleName::parse("GONE").unwrap()]).is_empty());
    }
}
