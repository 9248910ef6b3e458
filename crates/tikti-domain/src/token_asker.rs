//! Who asks about somebody else's token, or has it revoked? And which tokens are they told of?
//!
//! | credential | tokens |
//! |---|---|
//! | an API key of the deployment with the scope | all |
//! | a tenant's API key with the scope | those whose `tid` is this tenant |
//! | a client's secret | access and worker tokens with its own audience and `tid` |
//!
//! Invariant: whatever is wrong with a client's credentials is one answer and the same work; and what the
//! credentials are judged from is read together with what the token is judged from.
//!
//! Spec: HTTP API, "API key"; Tokens and keys, "Standards beside Tikti's own endpoints" ("A client's
//! secret").

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use tikti_store::Key;

use crate::any_token::AnyToken;
use crate::api_key::{KeyScope, PresentedKey};
use crate::audit::{Action, Actor, Chain, Draft, Who};
use crate::client::Client;
use crate::client_auth::ClientAuth;
use crate::clock::Timestamp;
use crate::decoy;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error};
use crate::id::{ApiKeyId, ClientId, TenantId};
use crate::keyspace;
use crate::limits;
use crate::reads::Reads;
use crate::tenant::Tenant;

/// By what name the audit calls the deployment's own key, which has no id.
const DEPLOYMENT_KEY: &str = "deployment";

/// Credentials as they were shown. Nothing of them is believed yet.
#[derive(Debug)]
pub(crate) enum Shown {
    Key(PresentedKey),
    Client {
        /// Which client it says to be; `None` for what is no name of one.
        named: Option<(TenantId, ClientId)>,
        secret: SecretString,
    },
}

/// Who asks.
#[derive(Debug)]
pub(crate) enum TokenAsker {
    /// A program with an API key.
    Key { id: Option<ApiKeyId>, tenant_id: Option<TenantId> },
    /// A resource server.
    Client { tenant_id: TenantId, client_id: ClientId },
}

impl Shown {
    /// What `caller` shows: a client's credentials where there are any, else an API key.
    ///
    /// # Errors
    /// `INVALID_API_KEY` where there is neither; `INVALID_CLIENT_CREDENTIALS` for an assertion: those are
    /// workers', and open nothing here.
    pub(crate) fn of(
        domain: &Domain,
        caller: &Caller,
        client: Option<&ClientAuth>,
    ) -> Result<Self, Code> {
        match client {
            Some(ClientAuth::Assertion { .. }) => Err(Code::InvalidClientCredentials),
            Some(ClientAuth::Secret { client_id, secret }) => {
                let named = client_id.split_once('.').and_then(|(tenant, client)| {
                    Some((TenantId::parse(tenant).ok()?, ClientId::parse(client).ok()?))
                });
                Ok(Self::Client { named, secret: secret.clone() })
            }
            None => match domain.present_key(caller) {
                PresentedKey::Missing => Err(Code::InvalidApiKey),
                key => Ok(Self::Key(key)),
            },
        }
    }

    /// The records that it is judged from.
    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Key(key) => key.key().cloned().into_iter().collect(),
            Self::Client { named, .. } => {
                let both = named.iter().flat_map(|(tenant, client)| {
                    [keyspace::tenant(tenant), keyspace::client(tenant, client)]
                });
                both.collect()
            }
        }
    }

    /// Judges the credentials, for one use.
    ///
    /// # Errors
    /// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`, `INVALID_CLIENT_CREDENTIALS`; a record that cannot be read.
    fn judge(
        &self,
        domain: &Domain,
        reads: &Reads,
        scope: KeyScope,
        now: Timestamp,
    ) -> Result<TokenAsker, Error> {
        match self {
            Self::Key(presented) => {
                let key = domain.judge_key(presented, reads, scope, now)??;
                Ok(TokenAsker::Key { id: presented.id().cloned(), tenant_id: key.tenant_id })
            }
            Self::Client { named, secret } => judge_client(domain, reads, named.as_ref(), secret),
        }
    }
}

/// Judges the credentials, for one use; those of a client that are not good are counted and logged, as at the
/// token endpoint.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`, `INVALID_CLIENT_CREDENTIALS`, `RATE_LIMITED`; a record that cannot be
/// read; the store's.
pub(crate) async fn judge_counted(
    domain: &Domain,
    caller: &Caller,
    (shown, reads, scope): (&Shown, &Reads, KeyScope),
    now: Timestamp,
) -> Result<TokenAsker, Error> {
    let judged = shown.judge(domain, reads, scope, now);
    if let (Err(Error::Refused(_)), Shown::Client { named, .. }) = (&judged, shown) {
        let (tenant, client) = named
            .as_ref()
            .map_or(("-", "-"), |(tenant, client)| (tenant.as_str(), client.as_str()));
        tracing::info!(
            target: "tikti::audit",
            action = "client_authentication",
            outcome = "deny",
            code = Code::InvalidClientCredentials.as_str(),
            request.id = caller.request_id,
            ip = caller.ip.map(tracing::field::display),
            tenant.id = tenant,
            client.id = client,
            scope = scope.as_str(),
            "a client could not be authenticated"
        );
        limits::failed_client_auth(domain, &format!("{tenant}.{client}"), caller.ip, now).await?;
    }
    judged
}

fn judge_client(
    domain: &Domain,
    reads: &Reads,
    named: Option<&(TenantId, ClientId)>,
    secret: &SecretString,
) -> Result<TokenAsker, Error> {
    let (mut tenant, mut client) = (None, None);
    if let Some((tenant_id, client_id)) = named {
        tenant = reads.find_live::<Tenant>(&keyspace::tenant(tenant_id))?;
        client = reads.find::<Client>(&keyspace::client(tenant_id, client_id))?;
    }
    let (tenant, client) = (decoy::as_if_found(tenant), decoy::as_if_found(client));
    let hash = client.as_ref().and_then(|client| client.secret.as_ref());
    // Before anything else is looked at: whoever guesses waits as long, whatever is there.
    let knows_it = domain.peppers.matches_if_any(secret.expose_secret(), hash);
    let is_served = tenant.is_some_and(|tenant| tenant.is_active())
        && client.is_some_and(|client| client.is_active());
    match named {
        Some((tenant_id, client_id)) if knows_it && is_served => {
            Ok(TokenAsker::Client { tenant_id: tenant_id.clone(), client_id: client_id.clone() })
        }
        _ => Err(Code::InvalidClientCredentials.into()),
    }
}

impl TokenAsker {
    /// Whether it is told of a token of this context, and may have it revoked; a client never, since that
    /// is no token with its audience.
    pub(crate) fn covers(&self, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::Key { tenant_id: None, .. } => true,
            Self::Key { tenant_id: own, .. } => own.as_ref() == tenant,
            Self::Client { .. } => false,
        }
    }

    /// Whether it is told of this token, and may have it revoked.
    pub(crate) fn covers_token(&self, token: &AnyToken) -> bool {
        let tenant = token.tenant_id();
        match self {
            Self::Key { .. } => self.covers(tenant.as_ref()),
            Self::Client { tenant_id, client_id } => {
                tenant.as_ref() == Some(tenant_id)
                    && token.access().is_some_and(|claims| claims.aud == client_id.as_str())
            }
        }
    }

    /// Requires that the tenant is served whose key asks to change something of its own. A client's tenant was
    /// looked at together with its secret.
    ///
    /// # Errors
    /// `TENANT_DISABLED`; a record that cannot be read; the store's.
    pub(crate) async fn require_served(
        &self,
        domain: &Domain,
        reads: &mut Reads,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Self::Key { tenant_id: Some(own), .. } = self else { return Ok(()) };
        let key = keyspace::tenant(own);
        reads.extend(&domain.store, vec![key.clone()], now).await?;
        let tenant: Option<Tenant> = reads.find_live(&key)?;
        if tenant.is_some_and(|tenant| tenant.is_active()) {
            return Ok(());
        }
        Err(Code::TenantDisabled.into())
    }

    /// What the audit says of a token that was revoked: whose chain tells of it, and how it begins.
    ///
    /// # Errors
    /// None: the name of the deployment's key is one of a key.
    pub(crate) fn draft(&self, caller: &Caller, target: &str) -> Result<(Chain, Draft), Error> {
        let (who, credential, owner) = match self {
            Self::Key { id: Some(id), tenant_id } => {
                (Who::ApiKey(id.clone()), "api_key", tenant_id)
            }
            Self::Key { id: None, tenant_id } => {
                (Who::ApiKey(ApiKeyId::parse(DEPLOYMENT_KEY)?), "deployment_key", tenant_id)
            }
            Self::Client { tenant_id, client_id } => {
                let who = Who::Client(client_id.clone());
                (who, "client_secret", &Some(tenant_id.clone()))
            }
        };
        let chain = owner.clone().map_or(Chain::Deployment, Chain::Tenant);
        let draft = Draft {
            action: Action::TokenRevoke,
            target: target.to_owned(),
            tenant_id: owner.clone(),
            actor: Actor { who, session_id: None, ip: caller.ip },
            request_id: caller.request_id.clone(),
            cross_tenant: false,
            details: BTreeMap::from([("credential".to_owned(), credential.to_owned())]),
        };
        Ok((chain, draft))
    }
}
