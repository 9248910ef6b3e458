//! How is one token denied until it would have expired, and where does that stand?
//!
//! With the user who is behind the token, or, behind a worker's own, with its tenant: in both places it is
//! read together with what everything that takes the token reads anyway. The record expires when the token
//! does, after the difference of clocks that a verification allows. Invariant: the denial and its audit event
//! are committed together, once, however often it is asked for.
//!
//! Spec: Tokens and keys, "Revocation".

use tikti_store::{Entry, Key};
use tikti_token::AccessClaims;

use crate::any_token::{AnyToken, user_behind};
use crate::audit::{self, Chain, Draft, NotePlace};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::{TenantId, UserId};
use crate::keyspace;
use crate::record::Record;
use crate::session::DeniedToken;
use crate::tenancy::administer::Done;

/// Where it stands that an access or worker token is denied; `None` where its tenant cannot be one.
pub(crate) fn key(claims: &AccessClaims) -> Option<Key> {
    let home = Home::of_access(claims)?;
    Some(home.key(&claims.jti))
}

/// With whom a denial stands.
#[derive(Debug)]
enum Home {
    User(UserId),
    Tenant(TenantId),
}

impl Home {
    fn of_access(claims: &AccessClaims) -> Option<Self> {
        match user_behind(claims) {
            Some(user) => Some(Self::User(user)),
            None => TenantId::parse(&claims.tid).ok().map(Self::Tenant),
        }
    }

    fn key(&self, jti: &str) -> Key {
        match self {
            Self::User(user) => keyspace::denied_token(user, jti),
            Self::Tenant(tenant) => keyspace::denied_in_tenant(tenant, jti),
        }
    }
}

/// The denial of one token.
#[derive(Debug)]
pub(crate) struct Denial {
    home: Home,
    /// The token's id.
    pub(crate) jti: String,
    /// When it ends by itself.
    pub(crate) expires_at: Timestamp,
    /// The subject, where no user is behind the token.
    worker: Option<String>,
    token_use: &'static str,
}

impl Denial {
    /// The denial of `token`; `None` where it names nobody that could be.
    pub(crate) fn of(token: &AnyToken) -> Option<Self> {
        let home = match token.access() {
            Some(claims) => Home::of_access(claims)?,
            None => Home::User(token.user_id()?),
        };
        let worker = match &home {
            Home::User(_) => None,
            Home::Tenant(_) => token.access().map(|claims| claims.sub.clone()),
        };
        Some(Self {
            home,
            jti: token.jti().to_owned(),
            expires_at: Timestamp::from_millis(token.expires_at().saturating_mul(1000)),
            worker,
            token_use: token.token_use(),
        })
    }

    /// Where it stands.
    pub(crate) fn key(&self) -> Key {
        self.home.key(&self.jti)
    }

    /// Adds whose token it was to what the audit is told.
    fn tell(&self, draft: &mut Draft) {
        let details = &mut draft.details;
        match &self.home {
            Home::User(user) => details.insert("userId".to_owned(), user.to_string()),
            Home::Tenant(_) => {
                details.insert("workerId".to_owned(), self.worker.clone().unwrap_or_default())
            }
        };
        details.insert("tokenUse".to_owned(), self.token_use.to_owned());
    }

    /// Denies the token from now on.
    ///
    /// # Errors
    /// `CONFLICT` where it took longer than a minute; the store's: then it may or may not be denied.
    pub(crate) async fn write(
        &self,
        domain: &Domain,
        (chain, mut draft): (&Chain, Draft),
        now: Timestamp,
    ) -> Result<(), Error> {
        self.tell(&mut draft);
        let skew = domain.settings.skew.as_secs().saturating_add(1).saturating_mul(1000);
        let key = self.key();
        let bytes = DeniedToken {}.encode()?;
        let keys = [key.clone()];
        let place = match &self.home {
            Home::User(user) => NotePlace::User(user.clone()),
            Home::Tenant(tenant) => NotePlace::Tenant(tenant.clone()),
        };
        let change = audit::change(domain, (place, &keys[..]), (chain, &draft), now, |txn| {
            if txn.get(&key)?.is_some() {
                return Ok(Done::Same(()));
            }
            let entry = Entry::new(&bytes).expires_at(self.expires_at.plus_millis(skew));
            Ok(Done::Changed(txn.put(&key, entry)?))
        });
        change.await
    }
}
