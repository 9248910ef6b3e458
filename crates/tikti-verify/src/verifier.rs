//! May this token be believed by this resource server?
//!
//! The algorithm is that of `tikti-token`, with the issuer's keys and what the builder asks for. A
//! token that names a key that is not held is refused only after the issuer was asked, as far as the
//! limits allow, and a token that is not worth asking for asks nobody.
//!
//! Spec: Tokens and keys, "Verification".

use std::fmt;
use std::sync::Arc;

use tikti_token::{
    AccessClaims, Audience, KeySet, Policy, Verified, VerifyError, WorkerClaims, peek,
    verify_access, verify_worker,
};

use crate::builder::VerifierBuilder;
use crate::caller::Caller;
use crate::error::{RefreshError, Refusal};
use crate::keys::{Keys, Sought, Status};

/// The longest key id that a key can have.
const MAX_KEY_ID_BYTES: usize = 128;

/// Verifies tokens of one issuer. Cheap to clone; clones share keys.
///
/// Works on a Tokio runtime with time and I/O. The fetch that may run ends with the last clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    keys: Keys,
    expected: Expected,
}

/// What every token must have.
pub(crate) struct Expected {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) skew_seconds: u64,
    pub(crate) now_seconds: fn() -> u64,
}

impl Verifier {
    /// Begins a verifier of the tokens of `issuer`, which is the exact text of their `iss` and the
    /// URL under which `/.well-known/openid-configuration` is.
    pub fn builder(issuer: &str) -> VerifierBuilder {
        VerifierBuilder::new(issuer)
    }

    pub(crate) fn new(keys: Keys, expected: Expected) -> Self {
        Self(Arc::new(Inner { keys, expected }))
    }

    /// Verifies an access token; a worker token is refused.
    ///
    /// # Errors
    /// [`Refusal::Token`] for a token that is not to be believed here, [`Refusal::ForeignTenant`],
    /// [`Refusal::MissingScope`]; [`Refusal::KeysUnavailable`] where it cannot be told.
    pub async fn verify_access(&self, token: &str) -> Result<Verified<AccessClaims>, Refusal> {
        self.verify(token, verify_access, |claims| claims).await
    }

    /// Verifies a worker token; an access token without event types is refused.
    ///
    /// # Errors
    /// Those of [`Self::verify_access`].
    pub async fn verify_worker(&self, token: &str) -> Result<Verified<WorkerClaims>, Refusal> {
        self.verify(token, verify_worker, |claims| &claims.access).await
    }

    /// Verifies a token of either class.
    ///
    /// # Errors
    /// Those of [`Self::verify_access`].
    pub async fn verify_either(&self, token: &str) -> Result<Caller, Refusal> {
        // Only a hint which of the two to try: whichever runs believes nothing that it says.
        let hint = peek(token)?;
        if hint.claims().get("token_use").is_some_and(|class| class == "worker") {
            self.verify_worker(token).await.map(Caller::from)
        } else {
            self.verify_access(token).await.map(Caller::from)
        }
    }

    /// Fetches the keys now: at the start, to find a wrong address before the first request does.
    ///
    /// # Errors
    /// Why they could not be fetched. Those that are held stay.
    pub async fn refresh(&self) -> Result<(), RefreshError> {
        self.0.keys.refresh().await
    }

    /// Keeps the keys fresh for as long as it is polled, also while no token comes: never returns.
    ///
    /// Run it beside the server. Without it keys are fetched when tokens need it, which costs the
    /// first request after a pause the time of a fetch.
    pub async fn keep_fresh(&self) {
        loop {
            self.0.keys.refresh_when_due().await;
        }
    }

    /// Tells how the keys are.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.keys.status()
    }

    /// Returns the first audience, which names this server in a challenge.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.0.expected.audiences.first().map_or("", String::as_str)
    }

    /// Returns the scopes that every token must have.
    #[must_use]
    pub fn required_scopes(&self) -> &[String] {
        &self.0.expected.scopes
    }

    async fn verify<T>(
        &self,
        token: &str,
        algorithm: Algorithm<T>,
        access: fn(&T) -> &AccessClaims,
    ) -> Result<Verified<T>, Refusal> {
        let Inner { keys, expected } = &*self.0;
        let view = keys.current().await;
        let verified = match expected.apply(token, &view.keys, algorithm) {
            Err(VerifyError::UnknownKey) => {
                let keys = find_key(keys, token).await?;
                expected.apply(token, &keys, algorithm)?
            }
            result => result?,
        };
        let tid = &access(verified.claims()).tid;
        if expected.tenant.as_ref().is_some_and(|tenant| tenant != tid) {
            return Err(Refusal::ForeignTenant);
        }
        Ok(verified)
    }
}

/// `verify_access` or `verify_worker`.
type Algorithm<T> = fn(&str, &KeySet, &Policy<'_>, u64) -> Result<Verified<T>, VerifyError>;

impl Expected {
    fn apply<T>(
        &self,
        token: &str,
        keys: &KeySet,
        algorithm: Algorithm<T>,
    ) -> Result<Verified<T>, VerifyError> {
        let audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let policy = Policy {
            issuer: &self.issuer,
            audience: Audience::OneOf(&audiences),
            required_scopes: &scopes,
            skew_seconds: self.skew_seconds,
        };
        algorithm(token, keys, &policy, (self.now_seconds)())
    }
}

/// Looks for the key that `token` names and that is not held.
async fn find_key(keys: &Keys, token: &str) -> Result<Arc<KeySet>, Refusal> {
    let unknown = Refusal::Token(VerifyError::UnknownKey);
    let hint = peek(token)?;
    let kid = hint.header().get("kid").and_then(|kid| kid.as_str()).unwrap_or_default();
    // No key can have such an id, so none that is published does.
    if kid.len() > MAX_KEY_ID_BYTES || !kid.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unknown);
    }
    match keys.look_for(kid).await {
        Sought::Found(keys) => Ok(keys),
        Sought::Stranger => Err(unknown),
        Sought::Untold => Err(Refusal::KeysUnavailable),
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { issuer, audiences, tenant, scopes, .. } = &self.0.expected;
        formatter
            .debug_struct("Verifier")
            .field("issuer", issuer)
            .field("audiences", audiences)
            .field("tenant", tenant)
            .field("scopes", scopes)
            .finish_non_exhaustive()
    }
}
