//! Shows what a token says, if it is good now; else which step says no.
//!
//! The steps are those of every verification, for the audience that is named. The last one, `revocation`,
//! is what the store says: session, versions, denied ids, and whether everybody and everything that the
//! token speaks of is still active.
//!
//! Spec: HTTP API, Identity, `validate`; Tokens and keys, "Verification".

use secrecy::SecretString;
use serde_json::{Map, Value};
use tikti_store::Key;
use tikti_token::{AccessClaims, Audience};

use super::any_token::{self, AnyToken};
use super::gate::{self, Access};
use crate::client::Client;
use crate::clock::{self, Timestamp};
use crate::domain::{Caller, Domain};
use crate::error::{Code, Error, Refusal};
use crate::id::{ClientId, TenantId, UserId, WorkerId};
use crate::id_token::{Holder, IdToken};
use crate::keyspace;
use crate::membership::Membership;
use crate::reads::Reads;
use crate::record::Lasting;
use crate::session::DeniedToken;
use crate::tenant::Tenant;
use crate::user::User;
use crate::worker::{Worker, WorkerStatus};

/// Asks whether a token is good.
#[derive(Debug)]
pub struct Validate {
    /// The token, of whichever class.
    pub token: SecretString,
    /// Whom it has to be for.
    pub audience: String,
}

/// Shows the claims of a token that is good now.
///
/// # Errors
/// Those of the gate of administrators; `INVALID_ID_TOKEN`, `TOKEN_EXPIRED`, `TOKEN_REVOKED`, each with the
/// step that failed; the store's.
pub async fn validate(
    domain: &Domain,
    caller: &Caller,
    ask: &Validate,
) -> Result<Map<String, Value>, Error> {
    let now = domain.clock.now();
    gate::require_admin(domain, caller, Access::Read, now).await?;
    let audience = [ask.audience.as_str()];
    let verified = AnyToken::verify(domain, &ask.token, Audience::OneOf(&audience), now);
    let verified = verified.map_err(any_token::refused)?;
    let of_user = verified.user_token(&domain.settings.default_audience);
    let is_good = match verified.access() {
        None => id_token_is_good(domain, of_user.as_ref(), now).await?,
        Some(claims) => access_token_is_good(domain, claims, of_user.as_ref(), now).await?,
    };
    if is_good {
        Ok(verified.claims()?)
    } else {
        Err(Refusal::of(Code::TokenRevoked).detail("step", "revocation").into())
    }
}

async fn id_token_is_good(
    domain: &Domain,
    token: Option<&IdToken>,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(token) = token else { return Ok(false) };
    let reads = Reads::load(&domain.store, Holder::keys(token), now).await?;
    Ok(Holder::find(&reads, token)?.check(token, domain.not_before).is_ok())
}

/// Whether everything that an access or worker token speaks of is there, active and of the version that
/// the token was made with.
async fn access_token_is_good(
    domain: &Domain,
    claims: &AccessClaims,
    of_user: Option<&IdToken>,
    now: Timestamp,
) -> Result<bool, Error> {
    let (Ok(tenant), Ok(client)) = (TenantId::parse(&claims.tid), ClientId::parse(&claims.aud))
    else {
        return Ok(false);
    };
    let tenant_key = keyspace::tenant(&tenant);
    let client_key = keyspace::client(&tenant, &client);
    let worker = claims.wver.and(WorkerId::parse(&claims.sub).ok());
    let worker_key = worker.as_ref().map(|worker| keyspace::worker(&tenant, worker));
    let mut keys = vec![tenant_key.clone(), client_key.clone()];
    keys.extend(worker_key.clone());
    keys.extend(of_user.iter().flat_map(|token| Holder::keys(token)));
    let sessionless = claims.sid.is_none().then(|| any_token::user_behind(claims)).flatten();
    keys.extend(sessionless.iter().flat_map(|user| sessionless_keys(&tenant, user, claims)));
    let reads = Reads::load(&domain.store, keys, now).await?;

    if let Some(user) = &sessionless
        && !sessionless_is_good(domain, &reads, (&tenant, user), claims)?
    {
        return Ok(false);
    }
    let tenant: Option<Tenant> = reads.find_live(&tenant_key)?;
    let client: Option<Client> = reads.find(&client_key)?;
    let is_fresh =
        |client: Client| client.is_active() && claims.iat >= clock::seconds(client.created_at);
    if !tenant.is_some_and(|tenant| tenant.is_active()) || !client.is_some_and(is_fresh) {
        return Ok(false);
    }
    if let Some(wver) = claims.wver {
        let Some(key) = worker_key else { return Ok(false) };
        let worker = reads.find::<Lasting<Worker>>(&key)?.and_then(Lasting::live);
        let is_current =
            |worker: Worker| worker.status == WorkerStatus::Active && worker.wver == wver;
        if !worker.is_some_and(is_current) {
            return Ok(false);
        }
    }
    let Some(token) = of_user else {
        // No session is behind it: then there is a user without one or a worker, or nobody vouches for it.
        let is_vouched_for =
            sessionless.is_some() || (claims.wver.is_some() && claims.ver.is_none());
        return Ok(is_vouched_for && claims.sid.is_none());
    };
    let holder = Holder::find(&reads, token)?;
    let is_in_place = match &holder.membership {
        Some(membership) => token.mver == Some(membership.mver),
        // A global administrator's token stands without membership.
        None => token.mver.is_none() && holder.user.as_ref().is_some_and(User::is_admin),
    };
    Ok(is_in_place && holder.check_alive(token, domain.not_before).is_ok())
}

fn sessionless_keys(tenant: &TenantId, user: &UserId, claims: &AccessClaims) -> [Key; 3] {
    [
        keyspace::user(user),
        keyspace::member(tenant, user),
        keyspace::denied_token(user, &claims.jti),
    ]
}

/// Whether the user stands behind a token that no session does: it was exchanged for one of an older
/// Tikti, and dies with the versions of user and membership.
fn sessionless_is_good(
    domain: &Domain,
    reads: &Reads,
    (tenant, user): (&TenantId, &UserId),
    claims: &AccessClaims,
) -> Result<bool, Error> {
    let [user_key, member_key, denied_key] = sessionless_keys(tenant, user, claims);
    let user: Option<User> = reads.find_live(&user_key)?;
    let membership: Option<Membership> = reads.find(&member_key)?;
    let is_denied = reads.find::<DeniedToken>(&denied_key)?.is_some();
    let is_cut_off = domain.not_before.is_some_and(|cut| claims.iat < clock::seconds(cut));
    let is_user = user.is_some_and(|user| user.is_active() && claims.ver == Some(user.ver));
    let is_member = membership.is_some_and(|held| claims.mver == Some(held.mver));
    Ok(is_user && is_member && !is_denied && !is_cut_off)
}
