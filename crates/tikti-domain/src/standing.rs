//! Is this verified token good now? What the store says of everything that it speaks of.
//!
//! The last step of every verification inside Tikti: session, versions, denied ids, and whether everybody
//! and everything that the token names is still active. `validate` and introspection both ask here, so that
//! there is one answer. [`Standing::keys`] says what must be read, so that it is read together with whatever
//! else the caller needs: one round trip for every class.
//!
//! Spec: Tokens and keys, "Verification", "Revocation".

use tikti_store::Key;
use tikti_token::AccessClaims;

use crate::any_token::{AnyToken, user_behind};
use crate::client::Client;
use crate::clock::{self, Timestamp};
use crate::denial;
use crate::error::InternalError;
use crate::id::{ClientId, TenantId, UserId, WorkerId};
use crate::id_token::{Holder, IdToken};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Lasting;
use crate::session::DeniedToken;
use crate::tenant::Tenant;
use crate::user::User;
use crate::worker::Worker;

/// What a verified token hangs on.
#[derive(Debug)]
pub(crate) enum Standing<'a> {
    /// An idToken's holder.
    Id(Box<IdToken>),
    /// Whatever an access or worker token names.
    Access(Box<Named<'a>>),
}

/// Everything that an access or worker token names.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    claims: &'a AccessClaims,
    tenant: TenantId,
    client: ClientId,
    /// The registered worker that is its subject.
    worker: Option<WorkerId>,
    behind: Behind,
}

/// Who vouches for an access or worker token.
#[derive(Debug)]
enum Behind {
    /// A user, by the session that asked for it.
    Session(IdToken),
    /// A user without one: it was exchanged for a token of an older Tikti.
    User(UserId),
    /// The worker that is its subject.
    Worker,
    /// Nobody: there is no such token.
    Nobody,
}

impl<'a> Standing<'a> {
    /// What `token` hangs on; `None` where it names what cannot be.
    pub(crate) fn of(token: &'a AnyToken, default_audience: &str) -> Option<Self> {
        let of_user = token.user_token(default_audience);
        let Some(claims) = token.access() else {
            return of_user.map(|token| Self::Id(Box::new(token)));
        };
        let behind = match (of_user, user_behind(claims)) {
            (Some(token), _) => Behind::Session(token),
            (None, Some(user)) if claims.sid.is_none() => Behind::User(user),
            (None, None) if claims.wver.is_some() && claims.ver.is_none() => Behind::Worker,
            (None, _) => Behind::Nobody,
        };
        Some(Self::Access(Box::new(Named {
            claims,
            tenant: TenantId::parse(&claims.tid).ok()?,
            client: ClientId::parse(&claims.aud).ok()?,
            worker: match claims.wver {
                Some(_) => Some(WorkerId::parse(&claims.sub).ok()?),
                None => None,
            },
            behind,
        })))
    }

    /// The keys of everything that the token hangs on.
    pub(crate) fn keys(&self) -> Vec<Key> {
        match self {
            Self::Id(token) => Holder::keys(token),
            Self::Access(named) => named.keys(),
        }
    }

    /// Whether all of it is there, active and of the version that the token was made with.
    pub(crate) fn is_good(
        &self,
        reads: &Reads,
        not_before: Option<Timestamp>,
    ) -> Result<bool, InternalError> {
        match self {
            Self::Id(token) => Ok(Holder::find(reads, token)?.check(token, not_before).is_ok()),
            Self::Access(named) => named.is_good(reads, not_before),
        }
    }
}

impl Named<'_> {
    fn keys(&self) -> Vec<Key> {
        let mut keys =
            vec![keyspace::tenant(&self.tenant), keyspace::client(&self.tenant, &self.client)];
        keys.extend(self.worker.iter().map(|worker| keyspace::worker(&self.tenant, worker)));
        match &self.behind {
            Behind::Session(token) => keys.extend(Holder::keys(token)),
            Behind::User(user) => {
                keys.extend([keyspace::user(user), keyspace::member(&self.tenant, user)]);
            }
            Behind::Worker | Behind::Nobody => {}
        }
        keys.extend(denial::key(self.claims));
        keys
    }

    fn is_good(&self, reads: &Reads, not_before: Option<Timestamp>) -> Result<bool, InternalError> {
        let is_cut_off = not_before.is_some_and(|cut| self.claims.iat < clock::seconds(cut));
        Ok(!is_cut_off
            && !self.is_denied(reads)?
            && self.is_served(reads)?
            && self.worker_is_as_it_was(reads)?
            && self.is_vouched_for(reads, not_before)?)
    }

    fn is_denied(&self, reads: &Reads) -> Result<bool, InternalError> {
        match denial::key(self.claims) {
            Some(key) => Ok(reads.find::<DeniedToken>(&key)?.is_some()),
            None => Ok(true),
        }
    }

    /// Whether tenant and audience are served, and the audience is the one that the token was made for.
    fn is_served(&self, reads: &Reads) -> Result<bool, InternalError> {
        let tenant: Option<Tenant> = reads.find_live(&keyspace::tenant(&self.tenant))?;
        let client: Option<Client> = reads.find(&keyspace::client(&self.tenant, &self.client))?;
        let is_fresh = |client: Client| {
            client.is_active() && self.claims.iat >= clock::seconds(client.created_at)
        };
        Ok(tenant.is_some_and(|tenant| tenant.is_active()) && client.is_some_and(is_fresh))
    }

    /// Whether the worker that the token is about, if it is about one, may act and lost no credential since.
    fn worker_is_as_it_was(&self, reads: &Reads) -> Result<bool, InternalError> {
        let Some(worker) = &self.worker else { return Ok(true) };
        let key = keyspace::worker(&self.tenant, worker);
        let worker = reads.find::<Lasting<Worker>>(&key)?.and_then(Lasting::live);
        Ok(worker.is_some_and(|held| held.is_active() && self.claims.wver == Some(held.wver)))
    }

    fn is_vouched_for(
        &self,
        reads: &Reads,
        not_before: Option<Timestamp>,
    ) -> Result<bool, InternalError> {
        match &self.behind {
            Behind::Session(token) => {
                let holder = Holder::find(reads, token)?;
                let is_in_place = match &holder.membership {
                    Some(membership) => token.mver == Some(membership.mver),
                    // A global administrator's token stands without membership.
                    None => {
                        token.mver.is_none() && holder.user.as_ref().is_some_and(User::is_admin)
                    }
                };
                Ok(is_in_place && holder.check_alive(token, not_before).is_ok())
            }
            Behind::User(user) => {
                let member: Option<Membership> =
                    reads.find(&keyspace::member(&self.tenant, user))?;
                let user: Option<User> = reads.find_live(&keyspace::user(user))?;
                let is_user =
                    user.is_some_and(|user| user.is_active() && self.claims.ver == Some(user.ver));
                Ok(is_user && member.is_some_and(|held| self.claims.mver == Some(held.mver)))
            }
            Behind::Worker => Ok(self.claims.sid.is_none()),
            Behind::Nobody => Ok(false),
        }
    }
}
