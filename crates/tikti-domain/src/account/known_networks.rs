//! From which networks has an account signed in lately?
//!
//! Kept beside the user, as keyed hashes that differ from user to user: they answer whether a network
//! is one of them, and nobody can read which those are, or who shares one. Invariant: at most
//! [`MOST_NETWORKS`] of them, the latest; and a network that was seen within a day is not written
//! again, so that an ordinary sign-in writes nothing for it.
//!
//! Spec: Operations, "Rate limits" (an HMAC of the prefix is kept).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::InternalError;
use crate::id::UserId;
use crate::network::Network;
use crate::record::Record;

/// How many networks are kept: more than a person has, fewer than a record is heavy with.
const MOST_NETWORKS: usize = 16;
/// How long a network counts as just seen, in milliseconds.
const FRESH_MILLIS: u64 = 24 * 3_600_000;

/// The record beside a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KnownNetworks {
    /// In the order in which they were last seen.
    #[serde(default)]
    networks: Vec<KnownNetwork>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KnownNetwork {
    /// Keyed hash of user and network, base64url.
    tag: String,
    /// When a sign-in came from it, to the day.
    seen_at: Timestamp,
}

impl Record for KnownNetworks {}

/// A network from which a user signs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whence<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) user: &'a UserId,
    pub(crate) network: &'a Network,
}

impl Whence<'_> {
    fn text(&self) -> Vec<u8> {
        let Self { user, network, .. } = self;
        format!("tikti network {user}\0{}", network.as_str()).into_bytes()
    }

    fn is(&self, known: &KnownNetwork) -> bool {
        let tag = BASE64URL_NOPAD.decode(known.tag.as_bytes());
        tag.is_ok_and(|tag| self.domain.peppers.confirms(&self.text(), &tag))
    }

    fn ttl_millis(&self) -> u64 {
        let ttl = self.domain.settings.limits.known_network_ttl;
        u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
    }
}

impl KnownNetworks {
    /// Whether the account has signed in from there within the time that counts.
    pub(crate) fn know(&self, whence: Whence<'_>, now: Timestamp) -> bool {
        let ttl = whence.ttl_millis();
        self.networks.iter().any(|known| !is_older(known, ttl, now) && whence.is(known))
    }

    /// Whether the record says so already, as exactly as it has to.
    pub(crate) fn are_current(&self, whence: Whence<'_>, now: Timestamp) -> bool {
        self.networks.iter().any(|known| !is_older(known, FRESH_MILLIS, now) && whence.is(known))
    }

    /// The record after a sign-in from there.
    pub(crate) fn after(
        mut self,
        whence: Whence<'_>,
        now: Timestamp,
    ) -> Result<Self, InternalError> {
        let tag = BASE64URL_NOPAD.encode(&whence.domain.peppers.tag(&whence.text())?);
        let ttl = whence.ttl_millis();
        self.networks.retain(|known| !is_older(known, ttl, now) && !whence.is(known));
        let surplus = (self.networks.len() + 1).saturating_sub(MOST_NETWORKS);
        self.networks.drain(..surplus);
        self.networks.push(KnownNetwork { tag, seen_at: now });
        Ok(self)
    }
}

fn is_older(known: &KnownNetwork, millis: u64, now: Timestamp) -> bool {
    now >= known.seen_at.plus_millis(millis)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::testing::Fixture;

    const DAY: u64 = 24 * 3_600_000;

    fn network(number: u8) -> Network {
        Network::of(IpAddr::from([203, 0, number, 7]))
    }

    #[tokio::test]
    async fn a_network_is_known_for_30_days_and_written_once_a_day() {
        let fixture = Fixture::new().await;
        let domain = &fixture.domain;
        let user = UserId::parse("u1").unwrap();
        let (home, away) = (network(1), network(2));
        let home = Whence { domain, user: &user, network: &home };
        let at = |millis| fixture.now().plus_millis(millis);
        let known = KnownNetworks::default();
        assert!(!known.know(home, at(0)) && !known.are_current(home, at(0)));
        let known = known.after(home, at(0)).unwrap();
        for (after, is_known, is_current) in [
            (0, true, true),
            (DAY - 1, true, true),
            (DAY, true, false),
            (30 * DAY - 1, true, false),
            (30 * DAY, false, false),
        ] {
            let says = (known.know(home, at(after)), known.are_current(home, at(after)));
            assert_eq!(says, (is_known, is_current), "{after}");
        }
        assert!(!known.know(Whence { network: &away, ..home }, at(0)));
        // The same network of another user is another hash.
        let other = UserId::parse("u2").unwrap();
        assert!(!known.know(Whence { user: &other, ..home }, at(0)));
    }

    #[tokio::test]
    async fn of_many_networks_the_latest_are_kept_each_once() {
        let fixture = Fixture::new().await;
        let (domain, now) = (&fixture.domain, fixture.now());
        let user = UserId::parse("u1").unwrap();
        let mut known = KnownNetworks::default();
        for number in (0..40).chain(30..40) {
            let network = network(number);
            known = known.after(Whence { domain, user: &user, network: &network }, now).unwrap();
        }
        assert_eq!(known.networks.len(), MOST_NETWORKS);
        for number in 0..40 {
            let network = network(number);
            let whence = Whence { domain, user: &user, network: &network };
            assert_eq!(known.know(whence, now), number >= 24, "{number}");
        }
        let stored = String::from_utf8(known.encode().unwrap()).unwrap();
        assert!(!stored.contains("203"), "{stored}");
    }
}
