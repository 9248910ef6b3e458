//! A session: one sign-in of one user, with the door that opened it.
//!
//! The record expires with the session, so what can be read is alive. The door decides what the
//! session is good for: one that a tenant opened stays in that tenant, and only a plain one
//! administers.
//!
//! Spec: Domain, "Session"; Authorization, step 4 and "Administrative endpoints"; Tokens and keys,
//! "Refresh tokens".

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ClientId, SessionId, TenantId, UserId};
use crate::record::Record;
use crate::secret::TokenHash;
use crate::settings::Settings;
use crate::user::User;

/// Which door a session came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionDoor {
    /// Tikti's own sign-in, without a tenant's key.
    Plain,
    /// A tenant's API key.
    TenantKey,
    /// The Firebase paths.
    Firebase,
    /// A custom token of a worker.
    CustomToken,
    /// A code that a tenant sent.
    TenantCode,
}

/// The session's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The id, the `sid` claim.
    pub id: SessionId,
    /// Whose session it is.
    pub user_id: UserId,
    /// When it began: the `auth_time` of all its tokens.
    pub created_at: Timestamp,
    /// When its tokens were last renewed.
    pub refreshed_at: Timestamp,
    /// The user's token version that it belongs to: with another one it is over. Sessions from before
    /// versions were kept cannot be refreshed.
    #[serde(default)]
    pub ver: u64,
    /// The tenant context, the `tid` of its idTokens.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// The application that signed the user in, the `aud` of its idTokens.
    #[serde(default)]
    pub client_id: Option<ClientId>,
    /// The door that opened it.
    pub door: SessionDoor,
    /// How the user proved himself (RFC 8176): `pwd`, `otp`.
    pub amr: Vec<String>,
    /// The browser or program, as it named itself, at most 256 bytes.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// The address that it came from.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// What the next refresh must show; absent where no refresh token was asked for.
    #[serde(default)]
    pub refresh: Option<RefreshState>,
}

/// The refresh token that a session waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshState {
    /// How often it was rotated.
    pub generation: u64,
    /// The hash of its secret.
    pub hash: TokenHash,
}

impl Session {
    /// Whether it is a session of the user as he is now: everything of before a revocation is over.
    #[must_use]
    pub fn is_of(&self, user: &User) -> bool {
        self.user_id == user.id && self.ver == user.ver
    }

    /// When it ends if it is not refreshed after `now`.
    #[must_use]
    pub fn ends(&self, settings: &Settings, now: Timestamp) -> Timestamp {
        let longest = self.created_at.plus_millis(millis(settings.session_max));
        now.plus_millis(millis(settings.session_ttl)).min(longest)
    }

    /// Whether the session may speak for its own tenant only.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.client_id.is_some()
            || match self.door {
                SessionDoor::Plain => false,
                SessionDoor::Firebase => self.tenant_id.is_some(),
                SessionDoor::TenantKey | SessionDoor::CustomToken | SessionDoor::TenantCode => true,
            }
    }

    /// Whether whoever speaks for it may see and end `other`, a session of the same user: a bound one knows
    /// of its own tenant only.
    #[must_use]
    pub(crate) fn reaches(&self, other: &Self) -> bool {
        !self.is_bound()
            || self.id == other.id
            || (self.tenant_id.is_some() && self.tenant_id == other.tenant_id)
    }

    /// Whether its idTokens may administer: services and tenants that hold a user's token must not
    /// be able to act as an administrator with it.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.client_id.is_none() && self.door == SessionDoor::Plain
    }
}

impl Record for Session {}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A token that was revoked alone: the record lives as long as the token would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeniedToken {}

impl Record for DeniedToken {}
