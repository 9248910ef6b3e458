//! Is this token good now, and what does it say? For whoever was shown one and cannot tell (RFC 7662).
//!
//! Whatever is wrong, with the token or with who asks about it, is one answer: it is not active. Everything
//! is read in one round trip, whichever class the token is of: the records of who asks and those that the
//! token hangs on. A refresh token whose hint is not what its session's record says costs one more.
//!
//! Resource servers look at `active` alone. So what is not for them, an idToken or a refresh token, is active
//! only to whoever names that kind.
//!
//! Nothing is told of a user but his id, and of a token but what a resource server decides by. Tokens of an
//! older Tikti are not active here: they are good for `lookup` and for the exchange alone.
//!
//! Spec: Tokens and keys, "Standards beside Tikti's own endpoints", "Verification"; HTTP API, "API key".
//! Choices: docs/decisions/0039.

use secrecy::SecretString;
use tikti_token::{AccessClaims, Audience, IdClaims};

use crate::account::refresh_standing::{self, Refreshable, ShownRefresh};
use crate::any_token::AnyToken;
use crate::api_key::KeyScope;
use crate::client_auth::ClientAuth;
use crate::clock;
use crate::domain::{Caller, Domain};
use crate::error::{Error, InternalError};
use crate::reads::Reads;
use crate::standing::Standing;
use crate::token_asker::{self, Shown, TokenAsker};

/// Asks about a token.
#[derive(Debug)]
pub struct Introspect {
    /// The token, of whichever class.
    pub token: SecretString,
    /// The kind that it is held for. An idToken or a refresh token is active only where it is this one;
    /// access and worker tokens are whatever it is.
    pub held_for: Option<TokenUse>,
    /// The client that asks, where it is one; else it is whoever has the caller's API key.
    pub client: Option<ClientAuth>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// An idToken.
    Id,
    /// An access token.
    Access,
    /// A worker token.
    Worker,
    /// A refresh token.
    Refresh,
}

impl TokenUse {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Access => "access",
            Self::Worker => "worker",
            Self::Refresh => "refresh",
        }
    }

    /// The kind that a `token_type_hint` names, by the short name or as a URN (RFC 8693, section 3); `None`
    /// of one that is unknown. An access token and a worker token have one name.
    #[must_use]
    pub fn of_hint(hint: &str) -> Option<Self> {
        match hint.strip_prefix("urn:ietf:params:oauth:token-type:").unwrap_or(hint) {
            "id_token" => Some(Self::Id),
            "access_token" => Some(Self::Access),
            "refresh_token" => Some(Self::Refresh),
            _ => None,
        }
    }

    /// Whether it is shown to resource servers: only such a token has a type (RFC 6749, section 7.1).
    #[must_use]
    pub const fn is_bearer(self) -> bool {
        matches!(self, Self::Access | Self::Worker)
    }
}

/// A token that is good now, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveToken {
    /// What it is.
    pub token_use: TokenUse,
    /// Who made it.
    pub issuer: String,
    /// The user or worker that it is about.
    pub subject: String,
    /// Whom it is for; a refresh token is for this service alone.
    pub audience: Option<String>,
    /// The client that it was made for or through.
    pub client_id: Option<String>,
    /// Scopes, one space between two.
    pub scope: Option<String>,
    /// What a worker may claim.
    pub event_types: Vec<String>,
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The session that it goes back to.
    pub session_id: Option<String>,
    /// The user who asked for it, where it is about somebody else.
    pub actor: Option<String>,
    /// Its own id; refresh tokens have none.
    pub jti: Option<String>,
    /// When it was made, in seconds since the Unix epoch.
    pub issued_at: u64,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: u64,
}

/// A token that was shown, as far as it can be judged without the store.
enum Seen<'a> {
    Token(&'a AnyToken, Standing<'a>),
    Refresh(ShownRefresh),
    /// Nothing that this service gave out, or ended.
    Nothing,
}

/// Tells whether a token is good now; `None` where it is not, or where that is not for the asker to know.
///
/// # Errors
/// `INVALID_API_KEY`, `API_KEY_FORBIDDEN`, `INVALID_CLIENT_CREDENTIALS`; the store's.
pub async fn introspect(
    domain: &Domain,
    caller: &Caller,
    ask: &Introspect,
) -> Result<Option<ActiveToken>, Error> {
    let now = domain.clock.now();
    let shown = Shown::of(domain, caller, ask.client.as_ref())?;
    let verified = AnyToken::verify(domain, &ask.token, Audience::Deferred, now).ok();
    let seen = see(domain, &ask.token, verified.as_ref());
    let mut keys = shown.keys();
    keys.extend(seen.keys());
    let mut reads = Reads::load(&domain.store, keys, now).await?;
    // Whoever has no credentials learns nothing, not even by the time that it takes.
    let asking = (&shown, &reads, KeyScope::Introspect);
    let asker = token_asker::judge_counted(domain, caller, asking, now).await?;
    let further = seen.further_keys(domain, &reads, &asker)?;
    reads.extend(&domain.store, further, now).await?;
    let found = seen.describe(domain, &reads, &asker)?;
    // Last, so that whatever is held for something else takes the same time.
    let is_meant =
        |found: &ActiveToken| found.token_use.is_bearer() || ask.held_for == Some(found.token_use);
    Ok(found.filter(is_meant))
}

fn see<'a>(domain: &Domain, token: &SecretString, verified: Option<&'a AnyToken>) -> Seen<'a> {
    let audience = &domain.settings.default_audience;
    let standing = verified.and_then(|token| Some((token, Standing::of(token, audience)?)));
    match (standing, ShownRefresh::parse(token)) {
        (Some((token, standing)), _) => Seen::Token(token, standing),
        (None, Some(refresh)) => Seen::Refresh(refresh),
        (None, None) => Seen::Nothing,
    }
}

impl Seen<'_> {
    fn keys(&self) -> Vec<tikti_store::Key> {
        match self {
            Self::Token(_, standing) => standing.keys(),
            Self::Refresh(token) => token.keys(),
            Self::Nothing => Vec::new(),
        }
    }

    /// What else there is to read of a token that the asker is told of.
    fn further_keys(
        &self,
        domain: &Domain,
        reads: &Reads,
        asker: &TokenAsker,
    ) -> Result<Vec<tikti_store::Key>, InternalError> {
        match self {
            Self::Refresh(token) => {
                token.further_keys(domain, reads, |tenant| asker.covers(tenant))
            }
            Self::Token(..) | Self::Nothing => Ok(Vec::new()),
        }
    }

    fn describe(
        &self,
        domain: &Domain,
        reads: &Reads,
        asker: &TokenAsker,
    ) -> Result<Option<ActiveToken>, InternalError> {
        match self {
            Self::Token(token, standing) => {
                let is_told =
                    asker.covers_token(token) && standing.is_good(reads, domain.not_before)?;
                Ok(is_told.then(|| ActiveToken::of(token)))
            }
            Self::Refresh(token) => {
                let found = token.find(domain, reads)?;
                let found = found.filter(|found| asker.covers(found.tenant_id.as_ref()));
                Ok(found.map(|found| ActiveToken::of_session(domain, &found)))
            }
            Self::Nothing => Ok(None),
        }
    }
}

impl ActiveToken {
    fn of(token: &AnyToken) -> Self {
        match token {
            AnyToken::Id(claims) => Self::of_id(claims),
            AnyToken::Access(claims) => Self::of_access(TokenUse::Access, claims, &[]),
            AnyToken::Worker(claims) => {
                Self::of_access(TokenUse::Worker, &claims.access, &claims.event_types)
            }
        }
    }

    fn of_id(claims: &IdClaims) -> Self {
        Self {
            token_use: TokenUse::Id,
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            audience: Some(claims.aud.clone()),
            client_id: None,
            scope: None,
            event_types: Vec::new(),
            tenant_id: claims.tid.clone(),
            session_id: Some(claims.sid.clone()),
            actor: None,
            jti: Some(claims.jti.clone()),
            issued_at: claims.iat,
            expires_at: claims.exp,
        }
    }

    fn of_access(token_use: TokenUse, claims: &AccessClaims, event_types: &[String]) -> Self {
        Self {
            token_use,
            issuer: claims.iss.clone(),
            subject: claims.sub.clone(),
            audience: Some(claims.aud.clone()),
            client_id: Some(claims.client_id.clone()),
            scope: Some(claims.scope.clone()),
            event_types: event_types.to_vec(),
            tenant_id: Some(claims.tid.clone()),
            session_id: claims.sid.clone(),
            actor: claims.act.as_ref().map(|actor| actor.sub.clone()),
            jti: Some(claims.jti.clone()),
            issued_at: claims.iat,
            expires_at: claims.exp,
        }
    }

    fn of_session(domain: &Domain, found: &Refreshable) -> Self {
        let Refreshable { session, tenant_id } = found;
        let text = |id: &dyn std::fmt::Display| id.to_string();
        Self {
            token_use: TokenUse::Refresh,
            issuer: domain.settings.issuer.clone(),
            subject: text(&session.user_id),
            audience: None,
            client_id: session.client_id.as_ref().map(|client| text(client)),
            scope: None,
            event_types: Vec::new(),
            tenant_id: tenant_id.as_ref().map(|tenant| text(tenant)),
            session_id: Some(text(&session.id)),
            actor: None,
            jti: None,
            issued_at: clock::seconds(session.refreshed_at),
            expires_at: clock::seconds(refresh_standing::ends(domain, session)),
        }
    }
}
