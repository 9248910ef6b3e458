//! What may an administrator do here, and what may he give to others?
//!
//! Invariant: nobody grants what he does not hold, and what the deployment keeps for itself is granted by
//! its own administrators alone. Who is admitted is decided in `administer`.
//!
//! Spec: Authorization, "Administrative endpoints"; Domain, "Resource servers". Why: docs/decisions/0024.

use crate::error::{Code, Refusal};
use crate::id::RoleName;
use crate::role::{Roles, TENANT_ADMIN};
use crate::scope::ScopeSet;
use crate::settings::Settings;
use crate::tenant::Tenant;

/// What an administrator may do in the tenant, as the records say now.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// The tenant's roles.
    pub(crate) roles: Roles,
    /// What the administrator holds here.
    pub(super) held: ScopeSet,
    /// May grant everything but what the deployment keeps for itself.
    pub(super) grants_all: bool,
    /// An administrator of the deployment, with all that he may do.
    pub(super) is_platform: bool,
    /// An administrator of the deployment who is no member here.
    pub(crate) cross_tenant: bool,
}

impl Admission {
    /// Requires that the tenant is active: nothing is added to one that is being deleted.
    ///
    /// # Errors
    /// `TENANT_DISABLED`.
    pub(crate) fn require_active(&self) -> Result<(), Code> {
        if self.tenant.is_active() { Ok(()) } else { Err(Code::TenantDisabled) }
    }

    /// Requires a further management scope.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub(crate) fn require(&self, scope: &str) -> Result<(), Refusal> {
        if self.held.contains(scope) {
            return Ok(());
        }
        Err(Refusal::of(Code::PermissionDenied).detail("scope", scope))
    }

    /// Whether an administrator of the deployment acts, with all that he may do.
    pub(crate) fn is_platform(&self) -> bool {
        self.is_platform
    }

    /// Requires that the administrator may give these scopes to a role, client, worker or member, or take
    /// them away: nobody grants what he does not hold, and what the deployment keeps for itself is
    /// granted by its own administrators alone.
    ///
    /// # Errors
    /// `ESCALATION_DENIED`, naming the scopes.
    pub(crate) fn require_grant(
        &self,
        scopes: &ScopeSet,
        settings: &Settings,
    ) -> Result<(), Refusal> {
        if self.is_platform {
            return Ok(());
        }
        let beyond = scopes.filtered(|scope| {
            settings.keeps(scope) || !(self.grants_all || self.held.contains(scope))
        });
        if beyond.is_empty() {
            return Ok(());
        }
        Err(Refusal::of(Code::EscalationDenied).detail("scopes", beyond.to_string()))
    }

    /// Requires that the administrator may give these roles: they exist, and he may grant what they hold.
    ///
    /// # Errors
    /// `ROLE_NOT_FOUND`; `ESCALATION_DENIED`.
    pub(crate) fn require_roles_given<'a>(
        &self,
        roles: impl IntoIterator<Item = &'a RoleName> + Clone,
        settings: &Settings,
    ) -> Result<(), Refusal> {
        for role in roles.clone() {
            if self.roles.find(role).is_none() {
                return Err(Refusal::of(Code::RoleNotFound).detail("roles", role.as_str()));
            }
            // It holds more than its permissions: the right to grant everything.
            if role.as_str() == TENANT_ADMIN && !self.grants_all {
                return Err(Refusal::of(Code::EscalationDenied).detail("roles", TENANT_ADMIN));
            }
        }
        self.require_grant(&self.roles.expand(roles), settings)
    }

    /// Requires that the administrator may take these roles from somebody: who administers the tenant is
    /// demoted by his equals.
    ///
    /// # Errors
    /// `ESCALATION_DENIED`.
    pub(crate) fn require_roles_taken<'a>(
        &self,
        roles: impl IntoIterator<Item = &'a RoleName>,
    ) -> Result<(), Refusal> {
        let is_admin = roles.into_iter().any(|role| role.as_str() == TENANT_ADMIN);
        if is_admin && !self.grants_all {
            return Err(Refusal::of(Code::EscalationDenied).detail("roles", TENANT_ADMIN));
        }
        Ok(())
    }
}
