//! API keys: what a program may call, before anybody has signed in.
//!
//! A key is `tk_<id>_<secret>`; the record is found by its id and holds only the HMAC of the whole.
//! The deployment's own key comes from the configuration and needs no record. A key is judged from
//! a fact that was read together with the others, so that disabling one is effective at once and
//! costs no round trip.
//!
//! Spec: HTTP API, "API key"; Domain, rule 6.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tikti_store::Key;

use crate::clock::Timestamp;
use crate::error::{Code, InternalError, Refusal};
use crate::id::{ApiKeyId, TenantId};
use crate::keyspace;
use crate::reads::Reads;
use crate::record::Record;
use crate::secret::{Peppers, TokenHash};

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyScope {
    /// Sign in with a password.
    #[serde(rename = "accounts:signin")]
    SignIn,
    /// Make users.
    #[serde(rename = "accounts:signup")]
    SignUp,
    /// Look users up by their idToken.
    #[serde(rename = "accounts:lookup")]
    Lookup,
    /// Change the user of an idToken.
    #[serde(rename = "accounts:update")]
    Update,
    /// Delete the user of an idToken.
    #[serde(rename = "accounts:delete")]
    Delete,
    /// Administer users, together with an administrator's token.
    #[serde(rename = "accounts:admin")]
    Admin,
    /// Have codes sent.
    #[serde(rename = "oob:send")]
    OobSend,
    /// Have codes returned in the reply.
    #[serde(rename = "oob:return")]
    OobReturn,
    /// Exchange idTokens.
    #[serde(rename = "token:exchange")]
    Exchange,
    /// Revoke tokens.
    #[serde(rename = "token:revoke")]
    Revoke,
    /// Introspect tokens.
    #[serde(rename = "introspect")]
    Introspect,
}

impl KeyScope {
    /// Every scope: what the deployment's own key holds.
    pub const ALL: [Self; 11] = [
        Self::SignIn,
        Self::SignUp,
        Self::Lookup,
        Self::Update,
        Self::Delete,
        Self::Admin,
        Self::OobSend,
        Self::OobReturn,
        Self::Exchange,
        Self::Revoke,
        Self::Introspect,
    ];

    /// What a key that stands in a public web page may hold: no code, no administration, no
    /// exchange.
    pub const BROWSER: [Self; 6] =
        [Self::SignIn, Self::SignUp, Self::Lookup, Self::Update, Self::Delete, Self::OobSend];

    /// What a key of a tenant may hold: nothing that reaches beyond the tenant.
    pub const TENANT: [Self; 6] =
        [Self::SignIn, Self::Lookup, Self::OobSend, Self::Exchange, Self::Revoke, Self::Introspect];

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `scopes`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| Refusal::invalid("scopes", "names a scope that API keys do not have"))
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "accounts:signin",
            Self::SignUp => "accounts:signup",
            Self::Lookup => "accounts:lookup",
            Self::Update => "accounts:update",
            Self::Delete => "accounts:delete",
            Self::Admin => "accounts:admin",
            Self::OobSend => "oob:send",
            Self::OobReturn => "oob:return",
            Self::Exchange => "token:exchange",
            Self::Revoke => "token:revoke",
            Self::Introspect => "introspect",
        }
    }
}

/// Whether a key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApiKeyStatus {
    /// Accepted.
    Active,
    /// Refused.
    Disabled,
}

impl ApiKeyStatus {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }

    /// Parses the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `status`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found = [Self::Active, Self::Disabled].into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Refusal::invalid("status", "must be ACTIVE or DISABLED"))
    }
}

/// The record of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The id, the middle part of the key.
    pub id: ApiKeyId,
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The hash of the whole key.
    pub hash: TokenHash,
    /// What it may be used for.
    pub scopes: BTreeSet<KeyScope>,
    /// The tenant that it belongs to; absent for a key of the whole deployment.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
    /// Whether it is accepted.
    pub status: ApiKeyStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// How often it was made or changed.
    #[serde(default)]
    pub rev: u64,
}

impl Record for ApiKey {}

/// What an accepted key lets its bearer do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedKey {
    /// What it may be used for.
    pub scopes: BTreeSet<KeyScope>,
    /// The only tenant that it may be used for, where it belongs to one.
    pub tenant_id: Option<TenantId>,
}

impl AcceptedKey {
    /// Checks that the key may be used for `scope`.
    ///
    /// # Errors
    /// `API_KEY_FORBIDDEN`.
    pub fn require(&self, scope: KeyScope) -> Result<(), Code> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Code::ApiKeyForbidden) }
    }

    /// Whether the key may be used for `tenant`.
    #[must_use]
    pub fn covers(&self, tenant: Option<&TenantId>) -> bool {
        self.tenant_id.is_none() || self.tenant_id.as_ref() == tenant
    }
}

/// The deployment's own key, as the configuration gives it.
#[derive(Clone, Debug)]
pub enum ConfiguredApiKey {
    /// The key itself, from the environment or a file.
    Plain(SecretString),
    /// Its hash under one of the peppers.
    Hash(TokenHash),
}

/// A key as a request showed it: either the deployment's own, or one whose record must be read.
#[derive(Debug)]
pub(crate) enum PresentedKey {
    /// None, or nothing that could be one.
    Missing,
    /// The deployment's own: holds every scope.
    Deployment,
    /// To be compared with the record at `key`.
    Recorded { id: ApiKeyId, key: Key, text: SecretString },
}

/// Recognises keys: knows the deployment's own and the peppers.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    deployment: Option<TokenHash>,
}

impl ApiKeys {
    pub(crate) fn new(
        configured: Option<&ConfiguredApiKey>,
        peppers: &Peppers,
    ) -> Result<Self, InternalError> {
        let deployment = match configured {
            None => None,
            Some(ConfiguredApiKey::Plain(text)) => Some(peppers.hash(text.expose_secret())?),
            Some(ConfiguredApiKey::Hash(hash)) => Some(hash.clone()),
        };
        Ok(Self { deployment })
    }

    /// Says what must be read to judge the key of a request.
    pub(crate) fn recognise(&self, text: Option<&SecretString>, peppers: &Peppers) -> PresentedKey {
        let Some(text) = text else {
            return PresentedKey::Missing;
        };
        let exposed = text.expose_secret();
        if self.deployment.as_ref().is_some_and(|hash| peppers.matches(exposed, hash)) {
            return PresentedKey::Deployment;
        }
        match parse_key_id(exposed) {
            Some(id) => {
                let key = keyspace::api_key(&id);
                PresentedKey::Recorded { id, key, text: text.clone() }
            }
            None => PresentedKey::Missing,
        }
    }
}

/// The id inside `tk_<id>_<secret>`.
pub(crate) fn parse_key_id(text: &str) -> Option<ApiKeyId> {
    let (id, secret) = text.strip_prefix("tk_")?.split_once('_')?;
    if secret.is_empty() { None } else { ApiKeyId::parse(id).ok() }
}

impl PresentedKey {
    /// The record that must be read, if any.
    pub(crate) fn key(&self) -> Option<&Key> {
        match self {
            Self::Recorded { key, .. } => Some(key),
            Self::Missing | Self::Deployment => None,
        }
    }

    /// The id of a key that has a record.
    pub(crate) fn id(&self) -> Option<&ApiKeyId> {
        match self {
            Self::Recorded { id, .. } => Some(id),
            Self::Missing | Self::Deployment => None,
        }
    }

    /// Judges the key from its record.
    ///
    /// # Errors
    /// `INVALID_API_KEY` alike for a missing, unknown, wrong, disabled or expired key.
    pub(crate) fn judge(
        &self,
        reads: &Reads,
        peppers: &Peppers,
        now: Timestamp,
    ) -> Result<Result<AcceptedKey, Code>, InternalError> {
        let (key, text) = match self {
            Self::Missing => return Ok(Err(Code::InvalidApiKey)),
            Self::Deployment => {
                return Ok(Ok(AcceptedKey { scopes: KeyScope::ALL.into(), tenant_id: None }));
            }
            Self::Recorded { key, text, .. } => (key, text),
        };
        let Some(record) = reads.find::<ApiKey>(key)? else {
            return Ok(Err(Code::InvalidApiKey));
        };
        let accepted = peppers.matches(text.expose_secret(), &record.hash)
            && record.status == ApiKeyStatus::Active
            && record.expires_at.is_none_or(|end| now < end);
        Ok(if accepted {
            Ok(AcceptedKey { scopes: record.scopes, tenant_id: record.tenant_id })
        } else {
            Err(Code::InvalidApiKey)
        })
    }
}

/// Checks that `text` has the form of a key, for configuration.
///
/// # Errors
/// `INVALID_ARGUMENT` naming `apiKey`, without the key in the message.
pub fn check_key_form(text: &str) -> Result<(), Refusal> {
    let fits = text.len() >= 32
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits {
        Ok(())
    } else {
        Err(Refusal::invalid("apiKey", "must be at least 32 characters of A-Z, a-z, 0-9, _ and -"))
    }
}
