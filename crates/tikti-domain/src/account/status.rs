//! Suspends a user, or makes him active again.
//!
//! Suspending raises the user's version, and every request looks at the status besides: access is cut
//! with the commit, at every replica. Made active again he signs in anew.
//!
//! Spec: HTTP API, Identity, `status`; Authorization, `LAST_ADMIN`.

use super::change_user::change_user_for;
use super::find_by_email;
use super::gate::{self, Access};
use crate::audit::Action;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::user::{User, UserChange, UserStatus};

/// Asks for another status of a user.
#[derive(Debug)]
pub struct SetStatus {
    /// The user's address.
    pub email: Email,
    /// The status.
    pub status: UserStatus,
}

/// Sets a user's status.
///
/// # Errors
/// Those of the gate of administrators; `USER_NOT_FOUND`; `LAST_ADMIN`; `CONFLICT`; the store's.
pub async fn set_status(domain: &Domain, caller: &Caller, ask: &SetStatus) -> Result<User, Error> {
    let now = domain.clock.now();
    let principal = gate::require_admin(domain, caller, Access::Write, now).await?;
    let found = find_by_email(domain, &ask.email, now).await?;
    let user = found.ok_or(Code::UserNotFound)?;
    let change = UserChange { status: Some(ask.status), ..UserChange::default() };
    let mut draft = principal.draft(caller, Action::UserUpdate, (&user.id, None));
    draft.details = change.told();
    change_user_for(domain, &user.id, (&change, &draft), now).await
}
