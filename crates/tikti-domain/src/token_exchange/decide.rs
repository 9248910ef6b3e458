//! Decides whether an idToken may be exchanged: eleven steps, the first that fails answers.
//!
//! | # | step | refused with |
//! |---|---|---|
//! | 1 | the API key may exchange (for this tenant: judged after step 4) | `INVALID_API_KEY`, `API_KEY_FORBIDDEN` |
//! | 2 | the idToken verifies, and its audience takes idTokens | `INVALID_ID_TOKEN`, `TOKEN_EXPIRED` |
//! | 3 | session alive, version current, user active (and, for another tenant than the token's own: its own context still holds) | `TOKEN_REVOKED`, `USER_DISABLED` |
//! | 4 | the tenant is named once, by body, header or token; a bound session stays in its own | `TENANT_REQUIRED`, `TENANT_CONFLICT` |
//! | 5 | the tenant exists and is active (told to members and administrators only) | `TENANT_NOT_FOUND`, `TENANT_DISABLED` |
//! | 6 | the user holds a membership there that was not revoked since the session began | `MEMBERSHIP_REQUIRED` |
//! | 7 | the audience is an active client there that allows the exchange | `UNKNOWN_AUDIENCE`, `CLIENT_DISABLED`, `GRANT_NOT_ALLOWED` |
//! | 8 | scopes ⊆ permissions of the roles ∩ the client's | `SCOPE_NOT_PERMITTED` |
//! | 9 | event types ⊆ the client's and the worker's | `EVENT_TYPES_REQUIRED`, `EVENT_TYPE_NOT_PERMITTED` |
//! | 10 | the token may be made for the subject | `SUBJECT_NOT_PERMITTED` |
//! | 11 | the lifetime is within its bounds | `INVALID_TTL` |
//!
//! Pure: the same facts and request give the same decision on every replica.
//!
//! Spec: Authorization, "Token exchange, in order".

use std::collections::BTreeSet;

use super::describe;
use super::event_types::event_types;
use super::facts::{Facts, Named};
use super::subject::{bounded, subject};
use super::trace::{Step, Trace};
use super::{Exchange, IssuedClass};
use crate::api_key::AcceptedKey;
use crate::client::{
    Client, ClientType, GrantType, MAX_TOKEN_TTL_SECONDS, MIN_TOKEN_TTL_SECONDS, TIKTI,
};
use crate::error::{Code, Refusal};
use crate::id::{ClientId, EventType, SessionId, TenantId, UserId, WorkerId};
use crate::legacy::Shown;
use crate::membership::Membership;
use crate::permission::administers;
use crate::record::Lasting;
use crate::scope::{ScopeSet, management_scopes};
use crate::session::Session;
use crate::user::User;
use crate::worker::Worker;

/// What was decided, and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the token may be, or why there is none.
    pub outcome: Result<Allowed, Refusal>,
    /// The steps that were taken.
    pub trace: Trace,
}

impl Decision {
    /// The step that refused.
    #[must_use]
    pub fn failed_step(&self) -> Option<Step> {
        self.trace.entries().find(|entry| entry.refused.is_some()).map(|entry| entry.step)
    }
}

/// What the token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The client.
    pub audience: ClientId,
    /// Access, or worker where the client has event types.
    pub class: IssuedClass,
    /// What it may do: never empty.
    pub scopes: ScopeSet,
    /// The events that a worker token may claim.
    pub event_types: BTreeSet<EventType>,
    /// Whom it speaks for.
    pub subject: Subject,
    /// Its life in seconds.
    pub ttl_seconds: u64,
    /// Who asked.
    pub user_id: UserId,
    /// In which session; absent where a token of an older Tikti was shown.
    pub session_id: Option<SessionId>,
    /// The version of the user.
    pub ver: u64,
    /// The version of the membership; absent for an administrator without one.
    pub mver: Option<u64>,
    /// Whether an administrator acts in a tenant that he is no member of.
    pub cross_tenant: bool,
}

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The user who asked.
    Caller,
    /// A registered worker, at this version.
    Worker {
        /// The worker.
        id: WorkerId,
        /// Its version.
        wver: u64,
    },
    /// A name that nothing in the tenant bears.
    Unregistered(WorkerId),
}

/// Decides whether `request` may be exchanged, from facts already read.
///
/// Steps run in the order of the table; the first that fails answers. Does no I/O and reads no
/// clock: what had expired was not read.
#[must_use]
pub fn decide(facts: &Facts, request: &Exchange) -> Decision {
    let mut trace = Trace::with_room();
    let outcome = run(facts, request, &mut trace);
    Decision { outcome, trace }
}

/// What steps 1 to 6 have found: who asks, and with what standing in which tenant.
pub(super) struct Member<'a> {
    pub(super) token: &'a Shown,
    session: Option<&'a Session>,
    user: &'a User,
    tenant_id: TenantId,
    pub(super) permissions: ScopeSet,
    mver: Option<u64>,
    cross_tenant: bool,
}

fn run(facts: &Facts, request: &Exchange, trace: &mut Trace) -> Result<Allowed, Refusal> {
    let member = who_asks(facts, request, trace)?;
    what_for(facts, request, member, trace)
}

/// Steps 1 to 6.
fn who_asks<'a>(
    facts: &'a Facts,
    request: &Exchange,
    trace: &mut Trace,
) -> Result<Member<'a>, Refusal> {
    let key = trace.record(Step::ApiKey, describe::key(facts), api_key(facts))?;
    let token = trace.record(Step::IdToken, describe::token(facts), id_token(facts))?;
    let found = session(facts, token);
    let (user, session) = trace.record(Step::Session, describe::session(facts), found)?;
    let context = tenant_context(facts, token, session);
    let context = trace.record(Step::TenantContext, describe::context(request, token), context)?;
    if key.tenant_id.is_some() {
        let covered = key_covers(key, context.as_ref(), token);
        trace.record(Step::ApiKey, describe::key(facts), covered)?;
    }
    if context.as_ref() != token.tenant_id() {
        // Judged before anything is said of the other tenant, so that it tells nothing of it.
        let current = token.check_context(&facts.holder).map_err(Refusal::of);
        trace.record(Step::Session, describe::own_context(token), current)?;
    }
    let tenant_id = tenant(facts, user, context.as_ref(), trace)?;
    let member = membership(facts, request, (token, user, session), tenant_id);
    trace.record(Step::Membership, describe::membership(facts), member)
}

/// Steps 7 to 11.
fn what_for(
    facts: &Facts,
    request: &Exchange,
    member: Member<'_>,
    trace: &mut Trace,
) -> Result<Allowed, Refusal> {
    let client = audience(facts, request, &member);
    let client = trace.record(Step::Audience, request.audience.to_string(), client)?;
    let input = describe::scopes(request, client, &member.permissions);
    let scopes = trace.record(Step::Scopes, input, scopes(request, client, &member.permissions))?;
    let worker = registered_worker(facts, request, &member);
    let events = event_types(request.event_types.as_deref(), client, worker);
    let event_types = trace.record(Step::EventTypes, describe::events(request, client), events)?;
    let subject = subject(facts, request, client, &member)
        .and_then(|subject| bounded(subject, worker, request, scopes));
    let input = describe::subject(request, client);
    let (subject, scopes) = trace.record(Step::Subject, input, subject)?;
    let input = describe::lifetime(request, client);
    let ttl_seconds = trace.record(Step::Lifetime, input, lifetime(request, client))?;
    let worker_class = !client.event_types.is_empty();
    Ok(Allowed {
        tenant_id: member.tenant_id,
        audience: client.id.clone(),
        class: if worker_class { IssuedClass::Worker } else { IssuedClass::Access },
        scopes,
        event_types,
        subject,
        ttl_seconds,
        user_id: member.user.id.clone(),
        session_id: member.session.map(|session| session.id.clone()),
        ver: member.user.ver,
        mver: member.mver,
        cross_tenant: member.cross_tenant,
    })
}

/// Step 1: an accepted key that may exchange.
fn api_key(facts: &Facts) -> Result<&AcceptedKey, Refusal> {
    facts.api_key.as_ref().map_err(|code| Refusal::of(*code))
}

/// Step 2: the token verified, and its audience is this deployment's or an application of its
/// tenant.
///
/// A token of an older Tikti is for no audience of ours, but never good for an administrator.
fn id_token(facts: &Facts) -> Result<&Shown, Refusal> {
    let token = facts.token.as_ref().map_err(|code| Refusal::of(*code))?;
    match token {
        Shown::Own(token) => facts.holder.check_audience(token).map_err(Refusal::of)?,
        Shown::Legacy(_) if facts.holder.user.as_ref().is_some_and(User::is_admin) => {
            return Err(Refusal::of(Code::InvalidIdToken));
        }
        Shown::Legacy(_) => {}
    }
    Ok(token)
}

/// Step 3: session alive, token version current, user active.
/// Behind a token of an older
/// Tikti there is no session.
fn session<'a>(
    facts: &'a Facts,
    token: &Shown,
) -> Result<(&'a User, Option<&'a Session>), Refusal> {
    let alive = match token {
        Shown::Own(token) => {
            let alive = facts.holder.check_alive(token, facts.not_before);
            alive.map(|(user, session)| (user, Some(session)))
        }
        Shown::Legacy(token) => {
            token.check_user(&facts.holder, facts.not_before).map(|user| (user, None))
        }
    };
    alive.map_err(Refusal::of)
}

/// Step 4: one tenant is named. `None` is a name that nobody bears: step 5 answers for it.
fn tenant_context(
    facts: &Facts,
    token: &Shown,
    session: Option<&Session>,
) -> Result<Option<TenantId>, Refusal> {
    let context = match (&facts.body_tenant, &facts.header_tenant) {
        (Named::Nothing, Named::Nothing) => match token.tenant_id() {
            Some(own) => Some(own.clone()),
            None => return Err(Refusal::of(Code::TenantRequired)),
        },
        (Named::Tenant(named), Named::Nothing) | (Named::Nothing, Named::Tenant(named)) => {
            Some(named.clone())
        }
        (Named::Tenant(body), Named::Tenant(header)) if body == header => Some(body.clone()),
        (Named::Nobody, Named::Nothing) | (Named::Nothing, Named::Nobody) => None,
        // Two names of which not both are known to mean the same.
        (Named::Tenant(_) | Named::Nobody, Named::Tenant(_) | Named::Nobody) => {
            return Err(Refusal::new(
                Code::TenantConflict,
                "body and header name different tenants",
            ));
        }
    };
    if session.is_some_and(|session| session.is_bound() && context != session.tenant_id) {
        return Err(Refusal::new(Code::TenantConflict, "the session is bound to another tenant"));
    }
    Ok(context)
}

/// Step 1, second half: a tenant's key exchanges only tokens of its tenant, for its tenant.
fn key_covers(key: &AcceptedKey, context: Option<&TenantId>, token: &Shown) -> Result<(), Refusal> {
    if key.covers(context) && key.covers(token.tenant_id()) {
        return Ok(());
    }
    Err(Refusal::of(Code::ApiKeyForbidden))
}

/// Step 5: the tenant exists and is active. A stranger is told what step 6 would tell him, so that
/// tenants cannot be enumerated; the trace says the truth.
fn tenant(
    facts: &Facts,
    user: &User,
    context: Option<&TenantId>,
    trace: &mut Trace,
) -> Result<TenantId, Refusal> {
    let found = match (&facts.place.tenant, context) {
        (Some(tenant), Some(named)) if tenant.id == *named && tenant.is_active() => {
            Ok(tenant.id.clone())
        }
        (Some(_), Some(_)) => Err(Refusal::of(Code::TenantDisabled)),
        _ => Err(Refusal::of(Code::TenantNotFound)),
    };
    let input = match &facts.place.tenant {
        Some(tenant) => format!("{} {}", tenant.id, tenant.status.as_str()),
        None => "no such tenant".to_owned(),
    };
    let insider = facts.place.membership.is_some() || user.is_admin();
    trace
        .record(Step::Tenant, input, found)
        .map_err(|refusal| if insider { refusal } else { Refusal::of(Code::MembershipRequired) })
}

/// Step 6: an active membership, not revoked since the session began, of the version that the token
/// was made with where the token is of this tenant. An administrator without one passes for Tikti's
/// own administration only.
fn membership<'a>(
    facts: &Facts,
    request: &Exchange,
    (token, user, session): (&'a Shown, &'a User, Option<&'a Session>),
    tenant_id: TenantId,
) -> Result<Member<'a>, Refusal> {
    let own = token.tenant_id() == Some(&tenant_id);
    let current = |held: &&Membership| {
        let (began, fits) = match (token, session) {
            (Shown::Own(token), Some(session)) => {
                (session.created_at, token.mver == Some(held.mver))
            }
            (Shown::Legacy(token), _) => (token.made_at(), token.fits(held)),
            (Shown::Own(_), None) => return false,
        };
        !held.cuts_off(began) && (!own || fits)
    };
    let held = facts.place.membership.as_ref();
    let (permissions, mver) = match held.filter(current) {
        Some(held) => (facts.place.roles.expand(&held.roles), Some(held.mver)),
        None if held.is_none() && user.is_admin() && request.audience.as_str() == TIKTI => {
            (management_scopes(), None)
        }
        None => return Err(Refusal::of(Code::MembershipRequired)),
    };
    let cross_tenant = mver.is_none();
    Ok(Member { token, session, user, tenant_id, permissions, mver, cross_tenant })
}

/// Step 7: a registered, active client that allows the exchange. For Tikti's own administration the
/// idToken must be one that administers by itself.
fn audience<'a>(
    facts: &'a Facts,
    request: &Exchange,
    member: &Member<'_>,
) -> Result<&'a Client, Refusal> {
    let Some(client) = &facts.place.client else {
        return Err(Refusal::of(Code::UnknownAudience));
    };
    if !client.is_active() {
        return Err(Refusal::of(Code::ClientDisabled));
    }
    let exchanges = client.kind == ClientType::Service
        && client.allowed_grant_types.contains(&GrantType::TokenExchange);
    let administers = match (member.token, member.session) {
        (Shown::Own(token), Some(session)) => administers(token, session.may_administer()),
        (Shown::Own(_), None) | (Shown::Legacy(_), _) => false,
    };
    if !exchanges || (request.audience.as_str() == TIKTI && !administers) {
        return Err(Refusal::of(Code::GrantNotAllowed));
    }
    Ok(client)
}

/// Step 8: what was asked for, or the client's defaults, within roles and client; never nothing.
fn scopes(
    request: &Exchange,
    client: &Client,
    permissions: &ScopeSet,
) -> Result<ScopeSet, Refusal> {
    let allowed = permissions.intersection(&client.allowed_scopes);
    let asked = request.scopes.as_ref().filter(|scopes| !scopes.is_empty());
    let Some(asked) = asked else {
        let granted = client.default_scopes.intersection(&allowed);
        if granted.is_empty() {
            let refusal = Refusal::of(Code::ScopeNotPermitted);
            return Err(refusal.detail("scopes", client.default_scopes.to_string()));
        }
        return Ok(granted);
    };
    let beyond = asked.difference(&allowed);
    if beyond.is_empty() {
        return Ok(asked.clone());
    }
    Err(Refusal::of(Code::ScopeNotPermitted).detail("scopes", beyond.to_string()))
}

/// The registered worker that the request names: nobody who asks for himself.
fn registered_worker<'a>(
    facts: &'a Facts,
    request: &Exchange,
    member: &Member<'_>,
) -> Option<&'a Worker> {
    let own = request.subject.as_deref() == Some(member.token.user_id().as_str());
    match &facts.place.worker {
        Some(Lasting::Live(worker)) if !own => Some(worker),
        Some(Lasting::Live(_) | Lasting::Tombstone(_)) | None => None,
    }
}

/// Step 11: 900 to 3600 seconds and within the client's own bound; refused, never cut.
fn lifetime(request: &Exchange, client: &Client) -> Result<u64, Refusal> {
    let longest = client.token_ttl_seconds.min(MAX_TOKEN_TTL_SECONDS);
    let asked = match request.ttl_seconds {
        None => Some(client.token_ttl_seconds),
        Some(seconds) => u64::try_from(seconds).ok(),
    };
    match asked {
        Some(seconds) if (MIN_TOKEN_TTL_SECONDS..=longest).contains(&seconds) => Ok(seconds),
        _ => {
            let bounds = format!("must be {MIN_TOKEN_TTL_SECONDS} to {longest} seconds");
            Err(Refusal::of(Code::InvalidTtl).detail("ttlSeconds", bounds))
        }
    }
}
