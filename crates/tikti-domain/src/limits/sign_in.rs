//! May this sign-in be tried, and what follows when it fails?
//!
//! | failures of | beyond the limit |
//! |---|---|
//! | an address from a network | the pair is refused for a minute, then twice as long each time |
//! | a host | the host is refused until the count allows one more |
//! | an address | networks are refused that the account has not signed in from lately |
//!
//! Invariant: what is refused costs no bcrypt, is not counted, and is decided by counters and blocks
//! that are named by the address as it was written in the request: whether anybody has it changes
//! nothing, except towards networks that its owner has signed in from. So nobody can lock another out
//! of where he is used to be.
//!
//! A right password is never counted. Since failures are counted after bcrypt, tries that wait for it
//! are looked at once more when their turn comes: all at once are no more than one after the other.
//!
//! Spec: Operations, "Rate limits"; Domain, rule 7; Attacks, row E10.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tikti_store::{Entry, Key, WindowCount};

use super::{Block, refused, tag};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::email::Email;
use crate::error::{Error, InternalError};
use crate::keyspace;
use crate::network::{self, Network};
use crate::rate_limit::Tag;
use crate::reads::Reads;
use crate::record::Record;
use crate::settings::Limit;

/// Whose failures are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those of an address from a network.
    Network,
    /// Those of a host.
    Host,
    /// Those of an address.
    Email,
}

/// A sign-in on its way, as the limits see it.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    domain: &'a Domain,
    /// None where nothing is limited.
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    scope: Scope,
    tag: Tag,
    limit: Limit,
    /// What the store says, once it was read.
    block: Option<Block>,
}

impl<'a> Attempt<'a> {
    /// A sign-in with `email` from `ip`. Where no address of the caller is known, all such callers are
    /// one network that nobody has signed in from.
    pub(crate) fn new(
        domain: &'a Domain,
        email: &Email,
        ip: Option<IpAddr>,
    ) -> Result<Self, InternalError> {
        let limits = &domain.settings.limits;
        let network = ip.map(Network::of);
        let network = network.as_ref().map_or("", Network::as_str);
        let pair = format!("{}\0{network}", email.as_str());
        let host = ip.map(network::host);
        let all = [
            (Scope::Network, "sign-in network", Some(pair), limits.failed_sign_ins_per_network),
            (Scope::Host, "sign-in ip", host, limits.failed_sign_ins_per_ip),
            (
                Scope::Email,
                "sign-in email",
                Some(email.as_str().to_owned()),
                limits.failed_sign_ins_per_email,
            ),
        ];
        let mut counters = Vec::with_capacity(all.len());
        for (scope, what, whom, limit) in all {
            if let Some(whom) = whom.filter(|_| limits.enabled && limit.is_on()) {
                let tag = tag(domain, (what, &whom), limit)?;
                counters.push(Counter { scope, tag, limit, block: None });
            }
        }
        Ok(Self { domain, counters })
    }

    /// Refuses what this process knows to be blocked, before anything is read.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn check_here(&self, now: Timestamp) -> Result<(), Error> {
        let closed = self.told_here().map(|it| self.domain.buckets.closed_millis(&it.tag, now));
        admit(closed.max())
    }

    /// What has to be read to judge it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        self.counters.iter().map(|counter| keyspace::block(&counter.tag))
    }

    /// Takes what was read, and refuses a pair and a host that are blocked.
    ///
    /// # Errors
    /// `RATE_LIMITED`; internal where a record cannot be read.
    pub(crate) fn check(&mut self, reads: &Reads, now: Timestamp) -> Result<(), Error> {
        for counter in &mut self.counters {
            counter.block = reads.find(&keyspace::block(&counter.tag))?;
        }
        for counter in self.told_here() {
            if let Some(block) = &counter.block {
                self.domain.buckets.close(&counter.tag, block.until, now);
            }
        }
        admit(self.told_here().map(|counter| counter.blocked_millis(now)).max())
    }

    /// Refuses an address that is blocked, in a network that its account does not know.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub(crate) fn check_stranger(&self, now: Timestamp) -> Result<(), Error> {
        admit(self.find(Scope::Email).map(|counter| counter.blocked_millis(now)))
    }

    /// Says, when the turn to check the password has come, whether it is still to be checked.
    pub(crate) fn may_go_on(&self) -> impl FnOnce() -> bool + Send + use<> {
        let (buckets, clock) = (Arc::clone(&self.domain.buckets), self.domain.clock.clone());
        let counters: Vec<_> = self.told_here().map(|it| (it.tag, it.limit)).collect();
        move || {
            let now = clock.now();
            !counters.iter().any(|(tag, limit)| buckets.is_spent(tag, *limit, now))
        }
    }

    /// The answer to a try whose turn came too late.
    pub(crate) fn too_late(&self) -> Error {
        let windows = self.told_here().map(|counter| counter.limit.window_millis);
        refused(windows.max().unwrap_or_default()).into()
    }

    /// Counts a failure, and blocks who has had too many.
    ///
    /// # Errors
    /// The store's. Whoever gets one learns nothing of the password.
    pub(crate) async fn failed(&self) -> Result<(), Error> {
        let now = self.domain.clock.now();
        // Before anything is waited for: the next try in the queue must see it.
        for counter in self.told_here() {
            self.domain.buckets.spend(&counter.tag, counter.limit, now);
        }
        tokio::try_join!(
            self.count(Scope::Network, now),
            self.count(Scope::Host, now),
            self.count(Scope::Email, now)
        )?;
        Ok(())
    }

    /// Forgets that the pair was blocked before, now that the right password came from there.
    pub(crate) async fn succeeded(&self) {
        let Some(counter) = self.find(Scope::Network).filter(|counter| counter.block.is_some())
        else {
            return;
        };
        // The session stands. A block that stays makes the next one longer, no more.
        let _ = self.domain.store.delete(&keyspace::block(&counter.tag)).await;
    }

    async fn count(&self, scope: Scope, now: Timestamp) -> Result<(), Error> {
        let (Domain { store, buckets, settings, .. }, Some(counter)) =
            (self.domain, self.find(scope))
        else {
            return Ok(());
        };
        let key = keyspace::counter(&counter.tag);
        let counted = store.count_in_window(&key, counter.limit.window_millis, now).await?;
        let longest = millis(settings.limits.longest_backoff);
        let Some(block) = counter.next_block(counted, longest, now) else { return Ok(()) };
        if scope != Scope::Email {
            buckets.close(&counter.tag, block.until, now);
        }
        let remembered = if scope == Scope::Network { longest } else { 0 };
        let bytes = block.encode()?;
        let entry = Entry::new(&bytes).expires_at(block.until.plus_millis(remembered));
        store.put(&keyspace::block(&counter.tag), entry, now).await?;
        Ok(())
    }

    fn find(&self, scope: Scope) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.scope == scope)
    }

    /// Those that this process may refuse by itself: which networks an account knows stands in the
    /// store alone.
    fn told_here(&self) -> impl Iterator<Item = &Counter> {
        self.counters.iter().filter(|counter| counter.scope != Scope::Email)
    }
}

impl Counter {
    fn blocked_millis(&self, now: Timestamp) -> u64 {
        let until = self.block.as_ref().map_or(0, |block| block.until.as_millis());
        until.saturating_sub(now.as_millis())
    }

    /// The block that follows from one more failure, if one does. A pair that was blocked lately is
    /// blocked again by its next failure.
    fn next_block(
        &self,
        counted: WindowCount,
        longest_millis: u64,
        now: Timestamp,
    ) -> Option<Block> {
        let before = self.block.as_ref().map_or(0, |block| block.strikes);
        let wait = self.limit.wait_millis(counted);
        if wait == 0 && before == 0 {
            return None;
        }
        let (strikes, lasts) = match self.scope {
            Scope::Network => {
                let strikes = before.saturating_add(1);
                (strikes, self.limit.backoff_millis(strikes, longest_millis))
            }
            Scope::Host | Scope::Email => (0, wait),
        };
        Some(Block { until: now.plus_millis(lasts), strikes })
    }
}

fn admit(blocked_millis: Option<u64>) -> Result<(), Error> {
    match blocked_millis {
        None | Some(0) => Ok(()),
        Some(wait) => Err(refused(wait).into()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
