//! Has somebody done this too often? Every limit of the service, by name.
//!
//! A call is counted in the store, so that all replicas share one count; who is far over is refused by
//! this process alone. Invariant: what is counted is named by a keyed hash; no address, whether of mail
//! or of a machine, reaches the store, and each name has a partition of its own, so that counters
//! spread over the nodes of a cluster.
//!
//! | what | counted by | where |
//! |---|---|---|
//! | failed sign-ins | address and network, host, address | `sign_in` |
//! | one-time codes sent | host, address | [`code_send`] |
//! | codes handed in | host | [`code_redemption`] |
//! | codes handed in that are not good | address | [`failed_redemption`] |
//! | addresses asked for | user | `email_change` |
//! | exchanges | user | `exchange` |
//! | tokens that workers ask for themselves | worker | `own_token` |
//! | credentials of clients that are not good | client, host | `failed_client_auth` |
//! | refreshes | session | `refresh` |
//! | tokens that may be used ones | session | `old_token` |
//! | unknown addresses to be added to a tenant | user or worker who asks | `unknown_member` |
//! | lookups | API key, in this process only | `lookup` |
//!
//! Spec: Operations, "Rate limits"; Attacks, rows E2 and E10. Choices: docs/decisions/0022.

use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Code, Error, InternalError, Refusal};
use crate::id::{SessionId, TenantId, UserId, WorkerId};
use crate::keyspace;
use crate::network;
use crate::rate_limit::{Tag, retry_after_seconds};
use crate::settings::Limit;

pub(crate) use block::Block;
pub(crate) use sign_in::Attempt;

mod block;
mod sign_in;

#[cfg(test)]
mod tests;

/// Counts a request for a one-time code to `email`, whether or not anybody has that address, and
/// whatever kind of code. To be called before anything is looked up.
///
/// # Errors
/// `RATE_LIMITED` beyond what one host or one address may have; the store's.
pub async fn code_send(
    domain: &Domain,
    email: &Email,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let limits = &domain.settings.limits;
    // The host first: what it asks for beyond its own limit uses up nobody's codes.
    if let Some(ip) = ip {
        count(domain, ("code ip", &network::host(ip)), limits.codes_per_ip, now).await?;
    }
    count(domain, ("code email", email.as_str()), limits.codes_per_email, now).await
}

/// Counts a code that a host hands in, good or not, before it is looked for.
///
/// # Errors
/// `RATE_LIMITED`; the store's.
pub async fn code_redemption(
    domain: &Domain,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(ip) = ip else { return Ok(()) };
    let limit = domain.settings.limits.redemptions_per_ip;
    count(domain, ("redemption ip", &network::host(ip)), limit, now).await
}

/// Counts a code of `email` that was found not to be good: guessing from many hosts is no quicker than from
/// one. A good code is not counted and meets no block: its 160 bits are no guess, and whoever could use up
/// the tries of an address would keep its owner out.
///
/// # Errors
/// `RATE_LIMITED`; the store's.
pub async fn failed_redemption(
    domain: &Domain,
    email: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.redemptions_per_email;
    count(domain, ("redemption", email.as_str()), limit, now).await
}

/// Counts an address that a user wants in place of his own, taken or not: the answer tells which.
pub(crate) async fn email_change(
    domain: &Domain,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.email_changes_per_user;
    count(domain, ("email change", user.as_str()), limit, now).await
}

/// Counts an exchange of a user who may have it.
pub(crate) async fn exchange(domain: &Domain, user: &UserId, now: Timestamp) -> Result<(), Error> {
    let limit = domain.settings.limits.exchanges_per_user;
    count(domain, ("exchange", user.as_str()), limit, now).await
}

/// Counts a token that a worker asks for itself, once it has proved itself, as exchanges of a user.
pub(crate) async fn own_token(
    domain: &Domain,
    (tenant, worker): (&TenantId, &WorkerId),
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.exchanges_per_user;
    count(domain, ("own token", &format!("{tenant}\0{worker}")), limit, now).await
}

/// Counts credentials that are not those of the client which they name, whether or not there is one, as failed
/// sign-ins. Good ones are not counted and meet no block: they have more than 160 bits or are a signature, which
/// nobody guesses, and whoever could use up the tries of a client would keep its owner out.
///
/// # Errors
/// `RATE_LIMITED`; the store's.
pub(crate) async fn failed_client_auth(
    domain: &Domain,
    client_id: &str,
    ip: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let limits = &domain.settings.limits;
    // The host first: what it tries beyond its own limit is nobody else's failure.
    if let Some(ip) = ip {
        let host = network::host(ip);
        count(domain, ("client ip", &host), limits.failed_sign_ins_per_ip, now).await?;
    }
    count(domain, ("client", client_id), limits.failed_sign_ins_per_network, now).await
}

/// Counts a refresh by whoever holds a session's token.
pub(crate) async fn refresh(
    domain: &Domain,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.refreshes_per_session;
    count(domain, ("refresh", session.as_str()), limit, now).await
}

/// Counts a token that may be one that a session had long ago, before it is looked at: by a name of its
/// own, since a stranger may have made it up.
pub(crate) async fn old_token(
    domain: &Domain,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.refreshes_per_session;
    count(domain, ("old token", session.as_str()), limit, now).await
}

/// Counts an address that nobody bears and that an administrator of a tenant wanted to add: he learns of
/// few. `caller` names him.
///
/// # Errors
/// `RATE_LIMITED`; the store's.
pub(crate) async fn unknown_member(
    domain: &Domain,
    caller: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let limit = domain.settings.limits.unknown_members_per_caller;
    count(domain, ("unknown member", caller), limit, now).await
}

/// Counts a lookup with this API key, as far as this process has seen them. By the whole key, since
/// others may know its id.
pub(crate) fn lookup(domain: &Domain, key: &SecretString, now: Timestamp) -> Result<(), Error> {
    let limits = &domain.settings.limits;
    let limit = limits.lookups_per_key;
    if !limits.enabled || !limit.is_on() {
        return Ok(());
    }
    let tag = tag(domain, ("lookup", key.expose_secret()), limit)?;
    domain.buckets.take(&tag, limit, now).map_err(|wait| refused(wait).into())
}

/// Counts one more of something, and refuses it beyond the limit.
async fn count(
    domain: &Domain,
    what: (&'static str, &str),
    limit: Limit,
    now: Timestamp,
) -> Result<(), Error> {
    if !domain.settings.limits.enabled || !limit.is_on() {
        return Ok(());
    }
    let tag = tag(domain, what, limit)?;
    let buckets = &domain.buckets;
    // With more at once than the store allows: what only the store can know, it is asked.
    buckets.take(&tag, limit.relaxed(), now).map_err(refused)?;
    let key = keyspace::counter(&tag);
    let counted = domain.store.count_in_window(&key, limit.window_millis, now).await?;
    if limit.allows(counted) {
        return Ok(());
    }
    // What is refused from here on is not counted any more, so that it does not prolong itself.
    let wait = limit.wait_millis(counted);
    buckets.close(&tag, now.plus_millis(wait), now);
    Err(refused(wait).into())
}

/// The name of a counter. With the length of its window: another length is another count.
fn tag(
    domain: &Domain,
    (what, whom): (&'static str, &str),
    limit: Limit,
) -> Result<Tag, InternalError> {
    let text = format!("tikti limit {what}\0{}\0{whom}", limit.window_millis);
    domain.peppers.tag(text.as_bytes())
}

fn refused(wait_millis: u64) -> Refusal {
    Refusal::of(Code::RateLimited).retry_after(retry_after_seconds(wait_millis))
}
