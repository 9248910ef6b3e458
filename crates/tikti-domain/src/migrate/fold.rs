//! What do two records of the old layout make of one user?
//!
//! Invariant: an older record opens nothing that the newer one does not open, and neither does one that names no id
//! to whoever has one.
//!
//! Spec: Real clients, "id, role, status or date may be missing".

use std::cmp::Reverse;

use super::report::{Origin, Report, Thing, Trouble, TroubleKind};
use crate::clock::Timestamp;
use crate::email::Email;
use crate::id::UserId;
use crate::password::PasswordHash;
use crate::user::{GlobalRole, UserStatus};

/// What is known of a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum OldPassword {
    Absent,
    Hash(PasswordHash),
    /// Something stands here that cannot be checked, or two contradict each other.
    Unknown(Origin),
}

/// One record of the old layout, as it was read.
pub(super) struct OldUser {
    pub(super) is_newer: bool,
    pub(super) id: Option<UserId>,
    /// Whether the record itself names the id.
    pub(super) is_own: bool,
    pub(super) email: Email,
    /// As it was written.
    pub(super) spelling: String,
    pub(super) password: OldPassword,
    pub(super) role: Option<GlobalRole>,
    pub(super) status: Option<UserStatus>,
    pub(super) company: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) email_verified: Option<bool>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) origin: Origin,
}

/// Whoever names his id comes first, whatever its date.
pub(super) fn newest_first(mut records: Vec<OldUser>) -> Vec<OldUser> {
    records.sort_by_key(|user| {
        let age = (Reverse(user.is_newer), Reverse(user.created_at));
        (Reverse(user.is_own), age, user.spelling.to_lowercase(), user.origin.clone())
    });
    records
}

/// Fills what `user` lacks from an older record about him, or one that is as new.
pub(super) fn fold(user: &mut OldUser, other: OldUser, report: &mut Report) {
    report.counts(Thing::User).merged += 1;
    if other.spelling != user.spelling {
        report.note(Trouble::new(TroubleKind::AddressCase, &other.origin));
    }
    // A user who has only records without an id of their own is who they say.
    if user.is_own && !other.is_own {
        let has_hash = other.password != OldPassword::Absent && other.password != user.password;
        let is_more = other.role == Some(GlobalRole::Admin) && user.role != other.role
            || other.email_verified == Some(true) && user.email_verified != Some(true);
        if has_hash || is_more {
            report.note(Trouble::new(TroubleKind::NotHisOwn, &other.origin));
        }
    } else {
        fold_rights(user, &other, report);
    }
    user.status = match (user.status, other.status) {
        (Some(UserStatus::Active), Some(status)) if is_as_new(user, &other) => Some(status),
        (status, other) => status.or(other),
    };
    user.company = user.company.take().or(other.company);
    user.display_name = user.display_name.take().or(other.display_name);
    user.created_at = user.created_at.or(other.created_at);
}

/// Whether nothing says which of the two is the newer one.
fn is_as_new(user: &OldUser, other: &OldUser) -> bool {
    let age = |one: &OldUser| (one.is_own, one.is_newer, one.created_at);
    age(user) == age(other)
}

/// Password, role and whether the address is verified: nothing becomes more by an older record, and by one that is
/// as new only what both say.
fn fold_rights(user: &mut OldUser, other: &OldUser, report: &mut Report) {
    let is_as_new = is_as_new(user, other);
    match &user.password {
        OldPassword::Absent => user.password = other.password.clone(),
        OldPassword::Hash(_)
            if is_as_new
                && other.password != OldPassword::Absent
                && other.password != user.password =>
        {
            user.password = OldPassword::Unknown(other.origin.clone());
        }
        OldPassword::Hash(_) | OldPassword::Unknown(_) => {}
    }
    let admin = Some(GlobalRole::Admin);
    let is_more = other.role == admin && user.role.is_none()
        || is_as_new && (other.role == admin) != (user.role == admin);
    if is_more {
        report.note(Trouble::new(TroubleKind::OlderAdmin, &other.origin));
        user.role = Some(GlobalRole::CompanyEmployee);
    }
    user.role = user.role.or(other.role);
    user.email_verified = match (user.email_verified, other.email_verified) {
        (Some(true), Some(false)) if is_as_new => Some(false),
        (verified, other) => verified.or(other),
    };
}
