//! How often may somebody try, and who sets it?
//!
//! Spec: Operations, "Rate limits".

use std::time::Duration;

pub use crate::rate_limit::Limit;

/// Everything that is limited. A limit of 0 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whether anything is limited at all.
    pub enabled: bool,
    /// Failed sign-ins with one address from one network: beyond it, blocks that double each time. As many
    /// wrong credentials may name one client of the OAuth endpoints.
    pub failed_sign_ins_per_network: Limit,
    /// Failed sign-ins from one host, whatever the address; as many wrong credentials of clients.
    pub failed_sign_ins_per_ip: Limit,
    /// Failed sign-ins with one address, wherever from: beyond it, networks are refused that the account
    /// has not signed in from.
    pub failed_sign_ins_per_email: Limit,
    /// The longest block of an address and a network.
    pub longest_backoff: Duration,
    /// How long after its last sign-in a network is one that the account has signed in from.
    pub known_network_ttl: Duration,
    /// One-time codes sent to one address.
    pub codes_per_email: Limit,
    /// One-time codes asked for by one host.
    pub codes_per_ip: Limit,
    /// Codes handed in by one host, good or not.
    pub redemptions_per_ip: Limit,
    /// Codes handed in for one address that are not good.
    pub redemptions_per_email: Limit,
    /// Addresses that one user asks for in place of his own: the answer says whether one is taken.
    pub email_changes_per_user: Limit,
    /// Token exchanges of one user; as many tokens may one worker have for itself.
    pub exchanges_per_user: Limit,
    /// Refreshes of one session.
    pub refreshes_per_session: Limit,
    /// Unknown addresses that one administrator of tenants may ask to be added.
    pub unknown_members_per_caller: Limit,
    /// Lookups with one API key, counted by each process for itself.
    pub lookups_per_key: Limit,
}

impl Limits {
    /// The shipped values.
    #[must_use]
    pub const fn shipped() -> Self {
        Self {
            enabled: true,
            failed_sign_ins_per_network: Limit::per_minute(10),
            failed_sign_ins_per_ip: Limit::per_minute(100),
            failed_sign_ins_per_email: Limit::per_hour(100),
            longest_backoff: Duration::from_mins(15),
            known_network_ttl: Duration::from_hours(30 * 24),
            codes_per_email: Limit::per_hour(3),
            codes_per_ip: Limit::per_hour(30),
            redemptions_per_ip: Limit::per_minute(100),
            redemptions_per_email: Limit::per_minute(10),
            email_changes_per_user: Limit::per_hour(30),
            exchanges_per_user: Limit::per_minute(600),
            refreshes_per_session: Limit::per_minute(60),
            unknown_members_per_caller: Limit::per_hour(30),
            lookups_per_key: Limit::per_minute(0),
        }
    }
}
