//! A user: one global human identity.
//!
//! One normalised e-mail address maps to exactly one user; the claim in partition `e:` decides, the
//! user's record names the address.
//!
//! Spec: Domain, "User", "Global roles".

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tikti_store::{Key, Stored};

use crate::clock::Timestamp;
use crate::email::Email;
use crate::error::{InternalError, Refusal};
use crate::id::{OperationId, TenantId, UserId};
use crate::oob_code::{self, Recoveries};
use crate::password::PasswordHash;
use crate::record::{Lasting, Record};

/// The role of a user towards the whole deployment.
///
/// Only [`GlobalRole::Admin`] opens anything; the other two are told to old clients and grant
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GlobalRole {
    /// Platform administrator.
    Admin,
    /// Advisory.
    CompanyAdmin,
    /// Advisory, the default.
    CompanyEmployee,
}

impl GlobalRole {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::CompanyAdmin => "COMPANY_ADMIN",
            Self::CompanyEmployee => "COMPANY_EMPLOYEE",
        }
    }

    /// Reads the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `role`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let all = [Self::Admin, Self::CompanyAdmin, Self::CompanyEmployee];
        let found = all.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| {
            Refusal::invalid("role", "must be ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE")
        })
    }
}

/// Whether a user may sign in and be exchanged for: only while `ACTIVE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// Switched off by an administrator.
    Inactive,
    /// Suspended by an administrator.
    Suspended,
}

impl UserStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Suspended => "SUSPENDED",
        }
    }

    /// Reads the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `status`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let all = [Self::Active, Self::Inactive, Self::Suspended];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| Refusal::invalid("status", "must be ACTIVE, INACTIVE or SUSPENDED"))
    }
}

/// The user's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id, the `sub` claim.
    pub id: UserId,
    /// The address; absent for users made without one.
    #[serde(default)]
    pub email: Option<Email>,
    /// The claim that the address stands on: the operation that made it.
    #[serde(default)]
    pub(crate) email_claim: OperationId,
    /// Whether the user has shown to receive mail there.
    #[serde(default)]
    pub email_verified: bool,
    /// The hash of the password; absent where none was set.
    #[serde(default)]
    pub password_hash: Option<PasswordHash>,
    /// The role towards the deployment.
    pub role: GlobalRole,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// The token version: tokens with another one are revoked.
    pub ver: u64,
    /// A name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The tenant context of a sign-in that names none.
    #[serde(default)]
    pub default_tenant: Option<TenantId>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user last signed in.
    #[serde(default)]
    pub last_login_at: Option<Timestamp>,
    /// When an earlier address was last recovered by its owner: codes from when changes of address had
    /// no numbers are dead if they are older.
    #[serde(default)]
    pub(crate) recovered_at: Option<Timestamp>,
    /// How often the address has changed: each change has the number that stands here with it.
    #[serde(default, skip_serializing_if = "oob_code::is_none_yet")]
    pub(crate) email_changes: u64,
    /// What is to be told by mail of the latest change, until the mail is queued: before that there is
    /// no other change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) untold: Option<Untold>,
    /// By which operations he is about to be suspended or deleted: while there is one he comes to count
    /// in no tenant as one who administers it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) leaving: BTreeSet<OperationId>,
    /// Which of these changes have been undone.
    #[serde(default, skip_serializing_if = "Recoveries::is_empty")]
    pub(crate) recoveries: Recoveries,
    /// Whether he was imported to be made an administrator next. Any change by an administrator ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_to_rise: bool,
}

impl User {
    /// A new active user whose first token version is its creation time in milliseconds, so that a
    /// user made again never matches an older token.
    pub(crate) fn new(id: UserId, email: Email, role: GlobalRole, now: Timestamp) -> Self {
        Self {
            id,
            email: Some(email),
            email_claim: OperationId::default(),
            email_verified: false,
            password_hash: None,
            role,
            status: UserStatus::Active,
            ver: now.as_millis(),
            display_name: None,
            default_tenant: None,
            created_at: now,
            last_login_at: None,
            recovered_at: None,
            email_changes: 0,
            untold: None,
            leaving: BTreeSet::new(),
            recoveries: Recoveries::default(),
            is_to_rise: false,
        }
    }

    /// The token version that revokes everything of before.
    ///
    /// Spec: Tokens and keys, "Revocation".
    #[must_use]
    pub(crate) fn next_version(&self, now: Timestamp) -> u64 {
        self.ver.saturating_add(1).max(now.as_millis())
    }

    /// Whether `email` is this user's address.
    #[must_use]
    pub fn bears(&self, email: &Email) -> bool {
        self.email.as_ref() == Some(email)
    }

    /// Whether nobody else may have this address: the user's own, or the one that he has just left, until
    /// that change has come to its end.
    pub(crate) fn holds(&self, email: &Email) -> bool {
        self.bears(email) || matches!(&self.untold, Some(Untold::Left(old)) if old == email)
    }

    /// Whether his address is his by more than his own word: mail there has reached him, or he was made
    /// with it.
    pub(crate) fn has_proper_email(&self) -> bool {
        self.email.is_some() && (self.email_verified || self.email_changes == 0)
    }

    /// Whether the user may sign in and be exchanged for.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// Whether the user is active, and nobody is about to change that: only he is one to rely on in a
    /// tenant.
    pub(crate) fn may_be_relied_on(&self) -> bool {
        self.is_active() && self.leaving.is_empty()
    }

    /// Whether the stored role is that of a platform administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == GlobalRole::Admin
    }

    /// Whether the user may act as a platform administrator: only he is one to rely on.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.is_admin() && self.is_active()
    }

    /// Reads a user's record; a tombstone reads as absent.
    pub(crate) fn load(key: &Key, stored: Option<&Stored>) -> Result<Option<Self>, InternalError> {
        Ok(Lasting::<Self>::decode_optional(key, stored)?.and_then(Lasting::live))
    }
}

/// What an administrator changes of a user; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<GlobalRole>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<UserStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_tenant: Option<TenantId>,
}

impl UserChange {
    /// The user as he is after the change. Whoever is suspended, made active again, or becomes or ceases
    /// to be a platform administrator begins anew: all sessions and tokens of before are over.
    pub(crate) fn applied(&self, user: &User, now: Timestamp) -> User {
        let mut next = user.clone();
        next.is_to_rise = false;
        next.role = self.role.unwrap_or(user.role);
        next.status = self.status.unwrap_or(user.status);
        if next.status != user.status || next.is_admin() != user.is_admin() {
            next.ver = user.next_version(now);
        }
        if self.display_name.is_some() {
            next.display_name.clone_from(&self.display_name);
        }
        next.email_verified = self.email_verified.unwrap_or(user.email_verified);
        if self.default_tenant.is_some() {
            next.default_tenant.clone_from(&self.default_tenant);
        }
        next
    }

    /// What the audit says of the change. A name for people may be an address: only that there is one.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let role = self.role.map(|role| ("role", role.as_str().to_owned()));
        let status = self.status.map(|status| ("status", status.as_str().to_owned()));
        let name = self.display_name.as_ref().map(|_| ("displayName", "given".to_owned()));
        let verified = self.email_verified.map(|verified| ("emailVerified", verified.to_string()));
        let tenant = self.default_tenant.as_ref().map(|id| ("defaultTenantId", id.to_string()));
        let told = [role, status, name, verified, tenant].into_iter().flatten();
        told.map(|(member, value)| (member.to_owned(), value)).collect()
    }
}

impl Record for Lasting<User> {}

/// Which mail follows a change of address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Untold {
    /// To the address before: it was replaced, and here is the way back.
    Left(Email),
    /// To the address that was taken back: set a new password.
    Recovered,
}

/// Which user owns an address: the one that it names, while that user bears the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EmailClaim {
    pub(crate) user_id: UserId,
    /// The operation that made the claim.
    #[serde(default)]
    pub(crate) token: OperationId,
    /// Whether that operation was given the user's id. Such an id may be given again, so that it is
    /// not buried where the claim is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) given_id: bool,
    /// Until when nobody else may have an address that its user has left: he can take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_until: Option<Timestamp>,
    /// Whether the address was kept for this user before he claimed it again: it is kept again when he
    /// leaves it, so that nobody gets it by going back and forth with his account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) keep: bool,
}

impl EmailClaim {
    /// The claim of an operation for a user.
    pub(crate) fn new(user_id: &UserId, token: &OperationId) -> Self {
        let (user_id, token) = (user_id.clone(), token.clone());
        Self { user_id, token, given_id: false, kept_until: None, keep: false }
    }

    /// Whether it keeps an address, that its user has left, from `other`.
    pub(crate) fn is_kept_from(&self, other: &UserId, now: Timestamp) -> bool {
        self.user_id != *other && self.kept_until.is_some_and(|until| now < until)
    }

    /// Whether both were made by one operation for one user.
    pub(crate) fn is_that_of(&self, other: &Self) -> bool {
        (&self.user_id, &self.token) == (&other.user_id, &other.token)
    }
}

impl Record for EmailClaim {}

/// The set of global administrators: one record, so that "the last one" is free of races.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Admins {
    pub(crate) user_ids: BTreeSet<UserId>,
    /// Who is becoming or ceasing to be one at this moment, and by which operation: of each at most one
    /// at a time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) moving: BTreeMap<UserId, OperationId>,
}

impl Admins {
    /// Whether an administrator who was seen to live and to be active is one still: he stands in the
    /// set, and nobody is about to change that.
    pub(crate) fn may_rely_on(&self, user: &UserId) -> bool {
        self.user_ids.contains(user) && !self.moving.contains_key(user)
    }
}

impl Record for Admins {}

/// Longest display name in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// A name for people: 1 to 256 bytes without control characters or marks that reorder text.
///
/// # Errors
/// `INVALID_ARGUMENT` that names `member`.
pub fn parse_display_name(member: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NAME_BYTES {
        return Err(Refusal::invalid(member, "must be 1 to 256 bytes"));
    }
    if text.chars().any(is_deceptive) {
        return Err(Refusal::invalid(
            member,
            "must not hold control characters or marks that reorder text",
        ));
    }
    Ok(text.to_owned())
}

/// Control characters, and the marks that make text read otherwise than it is stored (Unicode TR
/// 9).
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
