//! Why would an exchange be allowed or refused? The decision, without a token.
//!
//! The very function that decides an exchange decides here, from the same records, for a user who has just
//! signed in with a key that may exchange: what is taken for granted is only what a request would show.
//! Nothing is signed, counted or written.
//!
//! Spec: Authorization, first paragraph; HTTP API, `POST /v1/authorization/explain`.

use secrecy::SecretString;

use super::decide::{Decision, decide};
use super::facts::{Facts, Named, find_place, place_keys};
use super::{Exchange, Step};
use crate::account;
use crate::api_key::{AcceptedKey, KeyScope};
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::id::{ClientId, EventType, SessionId, TenantRef, UserId};
use crate::id_token::{Holder, IdToken};
use crate::keyspace;
use crate::legacy::Shown;
use crate::limits;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::scope::ScopeSet;
use crate::session::{Session, SessionDoor};
use crate::tenancy::administer::{Administrator, Admission};
use crate::user::User;

const READ: &str = "memberships:read";

/// Whom the question is about.
#[derive(Debug)]
pub enum AskedUser {
    /// By id.
    Id(UserId),
    /// By address.
    Email(Email),
}

/// Asks how an exchange would be decided.
#[derive(Debug)]
pub struct Explain {
    /// Who would ask.
    pub user: AskedUser,
    /// In which tenant.
    pub tenant: TenantRef,
    /// For which client.
    pub audience: ClientId,
    /// The scopes that he would want; none: the client's defaults.
    pub scopes: Option<ScopeSet>,
    /// The event types that he would want.
    pub event_types: Option<Vec<EventType>>,
    /// The life that he would want, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Whom the token would speak for.
    pub subject: Option<String>,
}

/// Whether a step was taken for granted: it is about what a request shows, and there was none.
#[must_use]
pub fn is_assumed(step: Step) -> bool {
    matches!(step, Step::ApiKey | Step::IdToken)
}

/// Decides an exchange that nobody asked for, and says how.
///
/// # Errors
/// Those of every administrative call (`administer`), for `memberships:read`; `USER_NOT_FOUND` for whoever
/// is no member, but to administrators of the deployment, who are told the decision; `RATE_LIMITED` after 30
/// such answers an hour; the store's.
pub async fn explain(domain: &Domain, caller: &Caller, ask: &Explain) -> Result<Decision, Error> {
    let now = domain.clock.now();
    let administrator = Administrator::recognise(domain, caller, &ask.tenant, now).await?;
    let (admission, _) = administrator.admit(domain, (&ask.tenant, READ), vec![], now).await?;
    let found = match &ask.user {
        AskedUser::Id(id) => {
            let key = keyspace::user(id);
            User::load(&key, domain.store.get(&key, now).await?.as_ref())?
        }
        AskedUser::Email(email) => account::find_by_email(domain, email, now).await?,
    };
    let request = request(ask);
    let facts = match found {
        Some(user) => Some(facts(domain, (user, &admission), &request, now).await?),
        None => None,
    };
    let is_shown = |facts: &Facts| facts.place.membership.is_some() || admission.is_platform();
    let Some(facts) = facts.filter(is_shown) else {
        limits::unknown_member(domain, &administrator.name(), now).await?;
        return Err(Code::UserNotFound.into());
    };
    Ok(decide(&facts, &request))
}

fn request(ask: &Explain) -> Exchange {
    Exchange {
        id_token: SecretString::default(),
        audience: ask.audience.clone(),
        scopes: ask.scopes.clone(),
        event_types: ask.event_types.clone(),
        ttl_seconds: ask.ttl_seconds,
        subject: ask.subject.clone(),
        tenant: Some(ask.tenant.clone()),
        tenant_header: None,
    }
}

/// What an exchange would find that this user asked for right after a plain sign-in to this tenant.
async fn facts(
    domain: &Domain,
    (user, admission): (User, &Admission),
    request: &Exchange,
    now: Timestamp,
) -> Result<Facts, Error> {
    let tenant = &admission.tenant;
    let keys = place_keys(Some(&tenant.id), Some(&user.id), request);
    let reads = Reads::load(&domain.store, keys, now).await?;
    let place = find_place(domain, &reads, (Some(&tenant.id), Some(&user.id)), request)?;
    let session_id = SessionId::generate(now, &domain.random)?;
    let token = IdToken {
        user_id: user.id.clone(),
        session_id: session_id.clone(),
        tenant_id: Some(tenant.id.clone()),
        client_id: None,
        ver: user.ver,
        mver: place.membership.as_ref().map(|held: &Membership| held.mver),
        jti: String::new(),
        issued_at: clock::seconds(now),
    };
    let session = Session {
        id: session_id,
        user_id: user.id.clone(),
        created_at: now,
        refreshed_at: now,
        ver: user.ver,
        tenant_id: Some(tenant.id.clone()),
        client_id: None,
        door: SessionDoor::Plain,
        amr: vec!["pwd".to_owned()],
        user_agent: None,
        ip: None,
        refresh: None,
    };
    Ok(Facts {
        api_key: Ok(AcceptedKey { scopes: KeyScope::ALL.into(), tenant_id: None }),
        holder: Holder {
            user: Some(user),
            session: Some(session),
            tenant: place.tenant.clone(),
            membership: place.membership.clone(),
            ..Holder::default()
        },
        token: Ok(Shown::Own(token)),
        not_before: None,
        body_tenant: Named::Tenant(tenant.id.clone()),
        header_tenant: Named::Nothing,
        place,
    })
}
