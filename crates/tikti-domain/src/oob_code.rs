//! A code that leaves by mail: proof, good once, that somebody reads what is sent to an address.
//!
//! The record stands alone under the code's HMAC and under its type, and both the HMAC and the record
//! say the type again: a code of one type is not found as another, and bytes that were moved there
//! prove nothing. What it names (user, address, tenant, the user's version) must still be so when it
//! is handed in.
//!
//! | type | good for | good until |
//! |---|---|---|
//! | `PASSWORD_RESET` | a new password | 15 minutes |
//! | `EMAIL_SIGNIN` | a session | 15 minutes |
//! | `VERIFY_EMAIL` | the address is confirmed | 15 minutes |
//! | `VERIFY_AND_CHANGE_EMAIL` | the new address becomes the user's | 15 minutes |
//! | `RECOVER_EMAIL` | the old address becomes the user's again | 7 days |
//!
//! Spec: Domain, "OOB code", rule 6; HTTP API, "Identity"; attacks, rows L4, T6. Why `RECOVER_EMAIL` is
//! judged by rules of its own: docs/decisions/0020, 0026.

use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Key};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::Error;
use crate::id::{OperationId, TenantId, UserId};
use crate::keyspace;
use crate::mail::MailKind;
use crate::membership::Membership;
use crate::record::Record;
use crate::secret::{Peppers, TokenHash};
use crate::tenant::Tenant;
use crate::user::User;

pub(crate) use recovery::Recoveries;

mod recovery;

/// Random bytes of a code: 160 bits.
const CODE_BYTES: usize = 20;
const MINUTE_MILLIS: u64 = 60 * 1000;
const DAY_MILLIS: u64 = 24 * 60 * MINUTE_MILLIS;

/// What a code is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OobType {
    /// A new password.
    PasswordReset,
    /// A session.
    #[serde(rename = "EMAIL_SIGNIN")]
    EmailSignIn,
    /// The user's address is confirmed.
    VerifyEmail,
    /// A new address becomes the user's.
    VerifyAndChangeEmail,
    /// An old address becomes the user's again.
    RecoverEmail,
}

impl OobType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::PasswordReset,
        Self::EmailSignIn,
        Self::VerifyEmail,
        Self::VerifyAndChangeEmail,
        Self::RecoverEmail,
    ];

    /// The name on the wire and in keys, `requestType`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "PASSWORD_RESET",
            Self::EmailSignIn => "EMAIL_SIGNIN",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::VerifyAndChangeEmail => "VERIFY_AND_CHANGE_EMAIL",
            Self::RecoverEmail => "RECOVER_EMAIL",
        }
    }

    /// The name in links, `mode`, as Firebase has it.
    #[must_use]
    pub const fn mode(self) -> &'static str {
        match self {
            Self::PasswordReset => "resetPassword",
            Self::EmailSignIn => "signIn",
            Self::VerifyEmail => "verifyEmail",
            Self::VerifyAndChangeEmail => "verifyAndChangeEmail",
            Self::RecoverEmail => "recoverEmail",
        }
    }

    /// The type that a link names.
    #[must_use]
    pub fn of_mode(mode: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.mode() == mode)
    }

    /// What the mail with such a code is about.
    pub(crate) const fn mail_kind(self) -> MailKind {
        match self {
            Self::PasswordReset => MailKind::PasswordReset,
            Self::EmailSignIn => MailKind::EmailSignIn,
            Self::VerifyEmail => MailKind::VerifyEmail,
            Self::VerifyAndChangeEmail => MailKind::VerifyAndChangeEmail,
            Self::RecoverEmail => MailKind::RecoverEmail,
        }
    }

    pub(crate) const fn life_millis(self) -> u64 {
        match self {
            Self::RecoverEmail => 7 * DAY_MILLIS,
            Self::PasswordReset
            | Self::EmailSignIn
            | Self::VerifyEmail
            | Self::VerifyAndChangeEmail => 15 * MINUTE_MILLIS,
        }
    }
}

/// The record of a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OobCode {
    /// What it is good for.
    #[serde(rename = "type")]
    pub(crate) kind: OobType,
    /// The pepper of the HMAC that is its key.
    pub(crate) pepper: String,
    /// Whom it is about.
    pub(crate) user_id: UserId,
    /// The user's address when it was made; of `RECOVER_EMAIL` the one before.
    #[serde(default)]
    pub(crate) email: Option<Email>,
    /// The claim that the user's address stood on: of an address that was left and taken again the
    /// codes of before are dead.
    #[serde(default)]
    pub(crate) email_claim: OperationId,
    /// The address that the user is to get, with `VERIFY_AND_CHANGE_EMAIL`.
    #[serde(default)]
    pub(crate) new_email: Option<Email>,
    /// The number of the user's latest change of address: with `RECOVER_EMAIL` the one that it undoes.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub(crate) change: u64,
    /// The tenant whose key or administrator had it sent.
    #[serde(default)]
    pub(crate) tenant_id: Option<TenantId>,
    /// The user's version.
    pub(crate) ver: u64,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// The first millisecond at which it is no good any more.
    pub(crate) expires_at: Timestamp,
}

impl Record for OobCode {}

/// Whether a number stands for no change of address: the first one has 1.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_none_yet(change: &u64) -> bool {
    *change == 0
}

/// What is known of a code when it is handed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The user that it names, where he lives.
    pub(crate) user: Option<&'a User>,
    /// The tenant that it names, and the user's membership there.
    pub(crate) tenant: Option<&'a Tenant>,
    /// The user's membership there.
    pub(crate) membership: Option<&'a Membership>,
    /// What was made before is dead.
    pub(crate) not_before: Option<Timestamp>,
}

impl OobCode {
    /// A code about a user as he is now.
    pub(crate) fn about(user: &User, kind: OobType, now: Timestamp) -> Self {
        Self {
            kind,
            pepper: String::new(),
            user_id: user.id.clone(),
            email: user.email.clone(),
            email_claim: user.email_claim.clone(),
            new_email: None,
            change: user.email_changes,
            tenant_id: None,
            ver: user.ver,
            created_at: now,
            expires_at: now.plus_millis(kind.life_millis()),
        }
    }

    /// Whether the code is of this type and what it names is still so.
    pub(crate) fn is_good(&self, kind: OobType, facts: &Facts<'_>, now: Timestamp) -> bool {
        self.kind == kind
            && now < self.expires_at
            && facts.not_before.is_none_or(|cut| self.created_at >= cut)
            && facts.user.is_some_and(|user| self.fits(user))
            && self.tenant_id.as_ref().is_none_or(|tenant| self.is_in(tenant, facts))
    }

    /// Whether the user is still as the code says. Asked again in the transaction that the code leads
    /// to.
    pub(crate) fn fits(&self, user: &User) -> bool {
        if self.user_id != user.id || !user.is_active() {
            return false;
        }
        match self.kind {
            // Whoever holds the account may raise its version, change its address once more, and recover
            // that one: the owner of the first address must be able to undo it all.
            OobType::RecoverEmail => {
                self.email.is_some() && self.email != user.email && !self.is_undone(user)
            }
            OobType::PasswordReset
            | OobType::EmailSignIn
            | OobType::VerifyEmail
            | OobType::VerifyAndChangeEmail => {
                self.ver == user.ver
                    && self.email == user.email
                    && self.email_claim == user.email_claim
            }
        }
    }

    /// Whether the change that the code would undo was undone already, alone or with an earlier one.
    fn is_undone(&self, user: &User) -> bool {
        if self.change == 0 {
            // Made when changes had no numbers.
            return user.recovered_at.is_some_and(|recovered| self.created_at <= recovered);
        }
        user.recoveries.have_undone(self.change)
    }

    /// Whether the user is a member of the tenant, and has been since the code was made.
    fn is_in(&self, tenant: &TenantId, facts: &Facts<'_>) -> bool {
        let is_served = facts.tenant.is_some_and(|found| found.id == *tenant && found.is_active());
        is_served
            && facts.membership.is_some_and(|held| {
                held.tenant_id == *tenant
                    && held.user_id == self.user_id
                    && held.created_at <= self.created_at
                    && !held.cuts_off(self.created_at)
            })
    }
}

/// Makes the text of a code and stores `record` under it. Durable on return.
///
/// # Errors
/// The store's; internal where there is no randomness.
pub(crate) async fn put(
    domain: &Domain,
    mut record: OobCode,
    now: Timestamp,
) -> Result<SecretString, Error> {
    let text = BASE32_NOPAD.encode(&domain.random.bytes::<CODE_BYTES>()?);
    let hash = domain.peppers.hash(&spelt(record.kind, &text))?;
    let key = key_of(record.kind, &hash);
    record.pepper = hash.pepper;
    let entry = record.encode()?;
    let entry = Entry::new(&entry).expires_at(record.expires_at);
    domain.store.put(&key, entry, now).await?;
    Ok(text.into())
}

/// Where a code of this text and type would stand: once for each pepper, the newest first. Nowhere,
/// where the text cannot be a code.
pub(crate) fn keys(peppers: &Peppers, kind: OobType, text: &SecretString) -> Vec<Key> {
    let Some(text) = parse(text) else { return Vec::new() };
    peppers.hashes(&spelt(kind, text.expose_secret())).map(|hash| key_of(kind, &hash)).collect()
}

fn key_of(kind: OobType, hash: &TokenHash) -> Key {
    keyspace::oob_code(kind, &hash.hmac)
}

/// What is hashed: the same characters are another code in another type.
fn spelt(kind: OobType, text: &str) -> String {
    format!("oob {} {text}", kind.as_str())
}

/// The code in its one spelling: people may type it in lower case, with spaces around it.
fn parse(text: &SecretString) -> Option<SecretString> {
    let text = text.expose_secret().trim().to_ascii_uppercase();
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).ok()?;
    (bytes.len() == CODE_BYTES).then(|| text.into())
}

#[cfg(test)]
mod tests;
