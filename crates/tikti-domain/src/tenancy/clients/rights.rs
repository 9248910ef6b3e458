//! May the administrator make the client this?
//!
//! Decided from records alone. What the deployment says about audiences stands above every tenant: one that
//! is listed in `resourceServers`, or came from the template, is the deployment's own to make, change and
//! delete, and so is a client that carries a scope that the platform keeps. Who only takes something away
//! from another client need not hold what it may do; who adds anything must.
//!
//! Spec: Domain, "Resource servers"; Authorization, "Nobody grants what they do not hold"; Attacks, row A9.
//! Why: docs/decisions/0028.

use crate::client::{Client, TIKTI};
use crate::domain::Domain;
use crate::error::{Code, Error, Refusal};
use crate::tenancy::administer::Admission;

/// Decides whether `before`, or nothing, may become `after`.
///
/// # Errors
/// `CONFLICT`; `ESCALATION_DENIED`.
pub(super) fn check(
    domain: &Domain,
    admission: &Admission,
    (before, after): (Option<&Client>, &Client),
) -> Result<(), Error> {
    match before {
        Some(before) => require_changeable(domain, admission, before)?,
        None => require_own(domain, admission, after)?,
    }
    if before.is_none_or(|before| widens(before, after)) {
        admission.require_grant(&after.allowed_scopes, &domain.settings)?;
    }
    Ok(())
}

/// The built-in client is nobody's to change; one of the template, of a listed audience or with scopes of
/// the platform, is the platform's.
///
/// # Errors
/// `CONFLICT`; `ESCALATION_DENIED`.
pub(super) fn require_changeable(
    domain: &Domain,
    admission: &Admission,
    client: &Client,
) -> Result<(), Error> {
    if client.id.as_str() == TIKTI {
        let message = "the built-in client can be neither changed nor deleted";
        return Err(Refusal::new(Code::Conflict, message).into());
    }
    require_own(domain, admission, client)?;
    let kept = client.allowed_scopes.filtered(|scope| domain.settings.keeps(scope));
    Ok(admission.require_grant(&kept, &domain.settings)?)
}

fn require_own(domain: &Domain, admission: &Admission, client: &Client) -> Result<(), Refusal> {
    if admission.is_platform() {
        return Ok(());
    }
    let message = if domain.settings.lists(&client.id) {
        "the audience is one of the deployment's: only its administrators make and change it"
    } else if client.managed {
        "the client is managed: only an administrator of the deployment changes it"
    } else {
        return Ok(());
    };
    Err(Refusal::new(Code::EscalationDenied, message))
}

/// Whether anything can be got by `after` that could not be got by `before`.
fn widens(before: &Client, after: &Client) -> bool {
    // Without event types its tokens are of another class.
    let is_of_another_class = before.event_types.is_empty() != after.event_types.is_empty();
    is_of_another_class
        || !after.event_types.is_subset(&before.event_types)
        || !after.allowed_scopes.is_subset(&before.allowed_scopes)
        || !after.default_scopes.is_subset(&before.default_scopes)
        || !after.allowed_grant_types.is_subset(&before.allowed_grant_types)
        || after.subject_policy > before.subject_policy
        || after.token_ttl_seconds > before.token_ttl_seconds
        || (after.is_active() && !before.is_active())
}
