//! What must be known to decide an exchange, and how it is read: in one round trip, or two where
//! the tenant is named by a slug that was not resolved lately. A token of an older Tikti that names no
//! user id costs one before.
//!
//! Spec: Authorization, first paragraph; Storage, "Hot reads".

use tikti_store::Key;

use super::Exchange;
use crate::api_key::{AcceptedKey, KeyScope, PresentedKey};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, InternalError};
use crate::id::{SessionId, TenantId, TenantRef, UserId, WorkerId};
use crate::id_token::Holder;
use crate::keyspace;
use crate::legacy::{self, Shown};
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Lasting;
use crate::role::Roles;
use crate::tenant::{NameClaim, Tenant};
use crate::user::User;
use crate::worker::Worker;

/// Everything that the decision looks at beside the request.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the API key allows.
    pub(super) api_key: Result<AcceptedKey, Code>,
    /// What the idToken says, if it verified.
    pub(super) token: Result<Shown, Code>,
    /// What the store says of the token's holder.
    pub(super) holder: Holder,
    /// Tokens issued before are dead.
    pub(super) not_before: Option<Timestamp>,
    /// What the names in body and header mean.
    pub(super) body_tenant: Named,
    pub(super) header_tenant: Named,
    /// The records of the tenant that the exchange is for.
    pub(super) place: Place,
}

/// What a tenant reference of the request means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Named {
    /// The request names none.
    #[default]
    Nothing,
    /// The name of a tenant.
    Tenant(TenantId),
    /// A name that no tenant bears.
    Nobody,
}

/// The records of the tenant that the exchange is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) tenant: Option<Tenant>,
    pub(super) membership: Option<Membership>,
    pub(super) roles: Roles,
    pub(super) client: Option<Client>,
    pub(super) worker: Option<Lasting<Worker>>,
    /// Whether the requested subject is, or was, the id of some user.
    pub(super) subject_is_user: bool,
}

impl Facts {
    /// Reads the facts of an exchange.
    ///
    /// # Errors
    /// The store's, or a record that cannot be read; everything else is a fact.
    pub async fn load(
        domain: &Domain,
        caller: &Caller,
        request: &Exchange,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let presented = domain.present_key(caller);
        // Without a key the first step refuses: a stranger costs no signature check and no read.
        let token = match presented {
            PresentedKey::Missing => Err(Code::InvalidIdToken),
            PresentedKey::Deployment | PresentedKey::Recorded { .. } => {
                legacy::verify(domain, &request.id_token, now).await?
            }
        };

        let mut keys: Vec<Key> = presented.key().cloned().into_iter().collect();
        let names = token.as_ref().map(|token| Names::of(domain, request, token, now)).ok();
        keys.extend(token.iter().flat_map(Shown::keys));
        keys.extend(names.iter().flat_map(Names::keys));
        let early = names.as_ref().and_then(Names::target);
        let user_id = token.as_ref().ok().map(|token| token.user_id().clone());
        keys.extend(place_keys(early.as_ref(), user_id.as_ref(), request));
        let mut reads = Reads::load(&domain.store, keys, now).await?;

        let (mut body_tenant, mut header_tenant) = (Named::Nothing, Named::Nothing);
        if let Some(names) = &names {
            body_tenant = names.body.meaning(domain, &reads, now)?;
            header_tenant = names.header.meaning(domain, &reads, now)?;
        }
        let target = target(&body_tenant, &header_tenant, token.as_ref().ok());
        if target != early {
            let keys = place_keys(target.as_ref(), user_id.as_ref(), request);
            reads.extend(&domain.store, keys, now).await?;
        }
        let mut place = find_place(domain, &reads, (target.as_ref(), user_id.as_ref()), request)?;
        if let Some(tenant) = &place.tenant
            && !bears_its_names(tenant, (request, &body_tenant, &header_tenant))
        {
            domain.names.forget(&tenant.id);
            place = Place::default();
        }
        Ok(Self {
            api_key: domain.judge_key(&presented, &reads, KeyScope::Exchange, now)?,
            holder: match &token {
                Ok(token) => token.find(&reads)?,
                Err(_) => Holder::default(),
            },
            place,
            not_before: domain.not_before,
            token,
            body_tenant,
            header_tenant,
        })
    }

    /// The user who asks, if the token verified.
    pub(super) fn user_id(&self) -> Option<&UserId> {
        self.token.as_ref().ok().map(Shown::user_id)
    }

    /// The session that asks, if the token verified and has one.
    pub(super) fn session_id(&self) -> Option<&SessionId> {
        match &self.token {
            Ok(Shown::Own(token)) => Some(&token.session_id),
            Ok(Shown::Legacy(_)) | Err(_) => None,
        }
    }

    /// The tenant that the exchange is for, if it exists.
    pub(super) fn tenant_id(&self) -> Option<&TenantId> {
        self.place.tenant.as_ref().map(|tenant| &tenant.id)
    }
}

/// A tenant reference of the request on its way to an id.
enum Name {
    Nothing,
    /// Known without reading.
    Known(TenantId),
    /// To be read at this key.
    Unread(TenantRef, Key),
}

impl Name {
    fn of(domain: &Domain, reference: Option<&TenantRef>, token: &Shown, now: Timestamp) -> Self {
        let Some(reference) = reference else {
            return Self::Nothing;
        };
        // Ids and slugs share one namespace: the id of the token's own tenant means that tenant.
        if let Some(own) = token.tenant_id()
            && own.as_str() == reference.as_str()
        {
            return Self::Known(own.clone());
        }
        match domain.names.find(reference, now) {
            Some(tenant) => Self::Known(tenant),
            None => Self::Unread(reference.clone(), keyspace::name_claim(reference.as_str())),
        }
    }

    fn meaning(
        &self,
        domain: &Domain,
        reads: &Reads,
        now: Timestamp,
    ) -> Result<Named, InternalError> {
        let (reference, key) = match self {
            Self::Nothing => return Ok(Named::Nothing),
            Self::Known(tenant) => return Ok(Named::Tenant(tenant.clone())),
            Self::Unread(reference, key) => (reference, key),
        };
        let Some(claim) = reads.find::<NameClaim>(key)? else {
            return Ok(Named::Nobody);
        };
        domain.names.keep(reference, &claim.tenant_id, now);
        Ok(Named::Tenant(claim.tenant_id))
    }
}

/// The tenant references of a request.
struct Names {
    body: Name,
    header: Name,
    own: Option<TenantId>,
}

impl Names {
    fn of(domain: &Domain, request: &Exchange, token: &Shown, now: Timestamp) -> Self {
        Self {
            body: Name::of(domain, request.tenant.as_ref(), token, now),
            header: Name::of(domain, request.tenant_header.as_ref(), token, now),
            own: token.tenant_id().cloned(),
        }
    }

    /// The claims that must be read.
    fn keys(&self) -> impl Iterator<Item = Key> {
        [&self.body, &self.header].into_iter().filter_map(|name| match name {
            Name::Unread(_, key) => Some(key.clone()),
            Name::Nothing | Name::Known(_) => None,
        })
    }

    /// The tenant that the exchange is for, where that is known before anything is read.
    fn target(&self) -> Option<TenantId> {
        match (&self.body, &self.header) {
            (Name::Known(tenant), _) | (Name::Nothing, Name::Known(tenant)) => Some(tenant.clone()),
            (Name::Nothing, Name::Nothing) => self.own.clone(),
            (Name::Unread(..), _) | (Name::Nothing, Name::Unread(..)) => None,
        }
    }
}

/// The tenant that the exchange is for: the body's, else the header's, else the token's.
fn target(body: &Named, header: &Named, token: Option<&Shown>) -> Option<TenantId> {
    match (body, header) {
        (Named::Tenant(tenant), _) | (Named::Nothing, Named::Tenant(tenant)) => {
            Some(tenant.clone())
        }
        (Named::Nothing, Named::Nothing) => token.and_then(|token| token.tenant_id().cloned()),
        (Named::Nobody, _) | (Named::Nothing, Named::Nobody) => None,
    }
}

/// Whether the tenant that was read bears the names by which it was asked for: a claim on a name
/// may belong to a creation that never finished.
fn bears_its_names(tenant: &Tenant, (request, body, header): (&Exchange, &Named, &Named)) -> bool {
    [(&request.tenant, body), (&request.tenant_header, header)].into_iter().all(|(name, means)| {
        match (name, means) {
            (Some(name), Named::Tenant(id)) if *id == tenant.id => tenant.bears(name),
            _ => true,
        }
    })
}

/// The subject where it could be a worker's id.
fn worker_id(request: &Exchange) -> Option<WorkerId> {
    request.subject.as_deref().and_then(|subject| WorkerId::parse(subject).ok())
}

/// The subject where it could be a user's id.
fn subject_user(request: &Exchange) -> Option<UserId> {
    request.subject.as_deref().and_then(|subject| UserId::parse(subject).ok())
}

pub(super) fn place_keys(
    tenant: Option<&TenantId>,
    user: Option<&UserId>,
    request: &Exchange,
) -> Vec<Key> {
    let (Some(tenant), Some(user)) = (tenant, user) else {
        return vec![];
    };
    let mut keys = vec![
        keyspace::tenant(tenant),
        keyspace::member(tenant, user),
        keyspace::roles(tenant),
        keyspace::client(tenant, &request.audience),
    ];
    keys.extend(worker_id(request).map(|worker| keyspace::worker(tenant, &worker)));
    keys.extend(subject_user(request).map(|subject| keyspace::user(&subject)));
    keys
}

pub(super) fn find_place(
    domain: &Domain,
    reads: &Reads,
    (tenant_id, user): (Option<&TenantId>, Option<&UserId>),
    request: &Exchange,
) -> Result<Place, InternalError> {
    let (Some(tenant_id), Some(user)) = (tenant_id, user) else {
        return Ok(Place::default());
    };
    let tenant = reads.find_live(&keyspace::tenant(tenant_id))?;
    if tenant.is_none() {
        domain.names.forget(tenant_id);
    }
    let subject_is_user = match subject_user(request) {
        Some(subject) => reads.find::<Lasting<User>>(&keyspace::user(&subject))?.is_some(),
        None => false,
    };
    Ok(Place {
        tenant,
        membership: reads.find(&keyspace::member(tenant_id, user))?,
        roles: reads.find(&keyspace::roles(tenant_id))?.unwrap_or_default(),
        client: reads.find(&keyspace::client(tenant_id, &request.audience))?,
        worker: match worker_id(request) {
            Some(worker) => reads.find(&keyspace::worker(tenant_id, &worker))?,
            None => None,
        },
        subject_is_user,
    })
}
