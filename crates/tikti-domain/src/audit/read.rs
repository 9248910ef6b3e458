//! Which events are in a chain? A page of them, in the order of their numbers.
//!
//! A page costs in proportion to its size, whatever the length of the chain: a time is looked for among
//! the numbers, since the links' times never go back, and a filter looks at so many links and no more.
//! Invariant: what is read is what was hashed, byte by byte; and pages that follow one another have no gap:
//! where what comes next was pruned meanwhile, the token is refused.
//!
//! Spec: HTTP API, "Tenant administration", audit, "Lists"; Authorization, "Audit"; attacks, row E5.

use serde::Deserialize;
use tikti_store::Key;

use super::chain::Link;
use super::prune::{self, Checkpoint};
use super::{Action, Chain, SignedHead};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::{Error, Refusal};
use crate::id::{TenantRef, UserId, WorkerId};
use crate::keyspace;
use crate::page::{Page, PageRequest};
use crate::page_token;
use crate::permission;
use crate::record::Record;
use crate::tenancy::Administrator;

/// The management scope of a tenant's audit.
const READ: &str = "audit:read";
/// Links that one page looks at: more than the largest page, since a filter passes over some.
const MOST_LOOKED_AT: u64 = 1000;
/// Links that are read at a time: one may be of 40 KiB.
const AT_A_TIME: u64 = 50;
/// Bytes of events after which a page ends, in whole links.
const MOST_BYTES: usize = 1024 * 1024;
/// Links that are looked at in one step of the search for a time.
const PROBES: u64 = 16;

/// Asks for events.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// Only those that were added then or later.
    pub from: Option<Timestamp>,
    /// Only those that were added before.
    pub to: Option<Timestamp>,
    /// Only of this action.
    pub action: Option<Action>,
    /// Only by this user or worker.
    pub actor: Option<String>,
    /// Which page.
    pub page: PageRequest,
}

/// One page of events.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events.
    pub items: Vec<Link>,
    /// What to ask for the next page with; absent on the last one.
    pub next: Option<String>,
    /// The newest signed head of the chain; absent while none was signed.
    pub head: Option<SignedHead>,
    /// Behind which event the chain begins; absent while none was removed.
    pub checkpoint: Option<Checkpoint>,
}

/// What a filter looks at.
#[derive(Deserialize)]
struct Seen {
    action: String,
    actor: SeenActor,
}

#[derive(Deserialize)]
struct SeenActor {
    id: String,
}

impl Action {
    /// Parses the name on the wire.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `action`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.iter().find(|action| action.as_str() == text);
        found.copied().ok_or_else(|| Refusal::invalid("action", "is no action of the audit"))
    }
}

impl AuditQuery {
    /// Refuses what nothing can answer.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming `to` or `actor`.
    fn check(&self) -> Result<(), Refusal> {
        if self.from.zip(self.to).is_some_and(|(from, to)| to <= from) {
            return Err(Refusal::invalid("to", "must be later than `from`"));
        }
        let is_id = |text: &String| UserId::parse(text).is_ok() || WorkerId::parse(text).is_ok();
        if !self.actor.as_ref().is_none_or(is_id) {
            return Err(Refusal::invalid(
                "actor",
                "is no id of a user, a worker, a client or an API key",
            ));
        }
        Ok(())
    }

    /// Whether the filters let an event through. One that cannot be read passes none.
    fn takes(&self, link: &Link) -> bool {
        if self.action.is_none() && self.actor.is_none() {
            return true;
        }
        let Ok(seen) = serde_json::from_str::<Seen>(&link.event) else { return false };
        self.action.is_none_or(|action| action.as_str() == seen.action)
            && self.actor.as_ref().is_none_or(|actor| *actor == seen.actor.id)
    }
}

/// Reads a page of a tenant's events. It may be short, or empty, and not the last.
///
/// # Errors
/// Those of every administrative call; `INVALID_ARGUMENT` naming `to`, `actor` or `pageToken`; the
/// store's.
pub async fn list_events(
    domain: &Domain,
    caller: &Caller,
    (tenant, ask): (&TenantRef, &AuditQuery),
) -> Result<EventPage, Error> {
    let now = domain.clock.now();
    let chain = admit(domain, caller, tenant, now).await?;
    with_head(domain, &chain, ask, now).await
}

/// Reads a page of the deployment's own events, as [`list_events`]; for its administrators.
///
/// # Errors
/// `UNAUTHENTICATED`, `ADMIN_REQUIRED`; `INVALID_ARGUMENT` as [`list_events`]; the store's.
pub async fn list_deployment_events(
    domain: &Domain,
    caller: &Caller,
    ask: &AuditQuery,
) -> Result<EventPage, Error> {
    let now = domain.clock.now();
    permission::by_id_token(domain, caller, now).await?.require_admin()?;
    with_head(domain, &Chain::Deployment, ask, now).await
}

/// The chain of a tenant, for whoever may read it.
pub(super) async fn admit(
    domain: &Domain,
    caller: &Caller,
    tenant: &TenantRef,
    now: Timestamp,
) -> Result<Chain, Error> {
    let administrator = Administrator::recognise(domain, caller, tenant, now).await?;
    let (admission, _) = administrator.admit(domain, (tenant, READ), vec![], now).await?;
    Ok(Chain::Tenant(admission.tenant.id))
}

async fn with_head(
    domain: &Domain,
    chain: &Chain,
    ask: &AuditQuery,
    now: Timestamp,
) -> Result<EventPage, Error> {
    ask.check()?;
    let (checkpoint, end) = prune::bounds(domain, chain, now).await?;
    let gone = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.seq);
    let Page { items, next } = page(domain, chain, (ask, gone, end), now).await?;
    let head = super::head::find(domain, chain, now).await?;
    Ok(EventPage { items, next, head, checkpoint })
}

/// A page of the links behind number `gone`, up to `end`.
async fn page(
    domain: &Domain,
    chain: &Chain,
    (ask, gone, end): (&AuditQuery, u64, u64),
    now: Timestamp,
) -> Result<Page<Link>, Error> {
    let list = format!("{}/link", keyspace::of_chain(chain));
    let after = ask.page.token.as_deref().map(|token| page_token::parse(domain, &list, token));
    let after = after.transpose()?.as_deref().and_then(number);
    let mut next = match (after, ask.from) {
        (Some(after), _) if after < gone => return Err(pruned().into()),
        (Some(after), _) => after.saturating_add(1),
        (None, None) => gone.saturating_add(1),
        (None, Some(from)) => first_since(domain, chain, (gone, end, from), now).await?,
    };
    let stop = next.saturating_add(MOST_LOOKED_AT);
    let (mut items, mut bytes) = (Vec::new(), 0);
    let is_full =
        |items: &Vec<Link>, bytes| items.len() >= usize::from(ask.page.size) || bytes >= MOST_BYTES;
    while next <= end && next < stop && !is_full(&items, bytes) {
        let upto = end.min(stop.saturating_sub(1)).min(next.saturating_add(AT_A_TIME - 1));
        for (seq, link) in links(domain, chain, next..=upto, now).await? {
            if is_full(&items, bytes) {
                let before = seq.saturating_sub(1);
                let token = page_token::make(domain, &list, &before.to_be_bytes())?;
                return Ok(Page { items, next: Some(token) });
            }
            let Some(link) = link else { continue };
            if ask.to.is_some_and(|to| link.chained_at >= to) {
                return Ok(Page { items, next: None });
            }
            if ask.takes(&link) {
                bytes += link.event.len();
                items.push(link);
            }
        }
        next = upto.saturating_add(1);
    }
    if next > end {
        return Ok(Page { items, next: None });
    }
    let token = page_token::make(domain, &list, &next.saturating_sub(1).to_be_bytes())?;
    Ok(Page { items, next: Some(token) })
}

/// Going on with the first event that is left would leave a gap in an export.
fn pruned() -> Refusal {
    Refusal::invalid("pageToken", "names an event that was too old to be kept: begin anew")
}

fn number(token: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(token.try_into().ok()?))
}

/// Some links by number; a missing one hides no other.
pub(super) async fn links(
    domain: &Domain,
    chain: &Chain,
    numbers: impl IntoIterator<Item = u64>,
    now: Timestamp,
) -> Result<Vec<(u64, Option<Link>)>, Error> {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let keys: Vec<Key> = numbers.iter().map(|seq| keyspace::link(chain, *seq)).collect();
    let found = domain.store.get_many(&keys, now).await?;
    let mut links = Vec::with_capacity(found.len());
    for ((seq, key), stored) in numbers.into_iter().zip(&keys).zip(found) {
        links.push((seq, Link::decode_optional(key, stored.as_ref())?));
    }
    Ok(links)
}

/// The first link behind number `gone` that was added at `from` or later, `end` + 1 where there is none. One that is missing
/// counts as older.
async fn first_since(
    domain: &Domain,
    chain: &Chain,
    (gone, end, from): (u64, u64, Timestamp),
    now: Timestamp,
) -> Result<u64, Error> {
    // All before `low` are older, all from `high` on are not.
    let (mut low, mut high) = (gone.saturating_add(1), end.saturating_add(1));
    while low < high {
        let stride = (high - low).div_ceil(PROBES);
        let probes = (0..PROBES).map(|probe| low + probe * stride).filter(|seq| *seq < high);
        for (seq, link) in links(domain, chain, probes.collect::<Vec<_>>(), now).await? {
            if link.is_some_and(|link| link.chained_at >= from) {
                high = seq;
                break;
            }
            low = seq.saturating_add(1);
        }
    }
    Ok(low)
}
