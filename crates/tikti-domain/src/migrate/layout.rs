//! What did an older Tikti store, and under which names?
//!
//! | name | type | what |
//! |---|---|---|
//! | `users` | hash, by address | users |
//! | `users_v2` | hash, by id | the same, newer |
//! | `userByEmail:{address}` | string | a user's id |
//! | `tenants` | hash, by id | tenants |
//! | `memberships:{tenant}` | hash | memberships |
//! | `membershipsByUser:{user}` | set | ids of tenants |
//! | `roles:{tenant}`, `clients:{tenant}` | hash, by name | roles, clients |
//! | `oobs`, `oob:{code}` | hashes | codes, which live 15 minutes |
//!
//! Invariant: documents hold password hashes, so nothing here shows one.
//!
//! Spec: Real clients, "Older Tikti clients and data".

use std::collections::{BTreeMap, BTreeSet};

use tikti_store::Fields;

use super::report::Trouble;

pub(super) const USERS: &str = "users";
pub(super) const USERS_V2: &str = "users_v2";
pub(super) const USER_BY_EMAIL: &str = "userByEmail:";
pub(super) const TENANTS: &str = "tenants";
pub(super) const MEMBERSHIPS: &str = "memberships:";
pub(super) const MEMBERSHIPS_BY_USER: &str = "membershipsByUser:";
pub(super) const ROLES: &str = "roles:";
pub(super) const CLIENTS: &str = "clients:";
pub(super) const OOBS: &str = "oobs";
pub(super) const OOB: &str = "oob:";

/// Documents of tenants, by the old id of each.
pub(super) type ByTenant = BTreeMap<String, Fields>;

/// Everything that an older Tikti has stored.
#[derive(Default)]
pub struct OldLayout {
    pub(super) users: Fields,
    pub(super) users_v2: Fields,
    /// Addresses as they were written, each with a user's id.
    pub(super) user_by_email: BTreeMap<String, String>,
    pub(super) tenants: Fields,
    pub(super) memberships: ByTenant,
    /// Users, each with the old ids of tenants.
    pub(super) memberships_by_user: BTreeMap<String, BTreeSet<String>>,
    pub(super) roles: ByTenant,
    pub(super) clients: ByTenant,
    pub(super) oob_codes: u64,
    /// What could not be read as what its name says.
    pub(super) troubles: Vec<Trouble>,
}

impl OldLayout {
    /// Whether there is nothing of an older Tikti at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let hashes = [&self.users, &self.users_v2, &self.tenants];
        let of_tenants = [&self.memberships, &self.roles, &self.clients];
        hashes.iter().all(|hash| hash.is_empty())
            && of_tenants.iter().all(|kind| kind.is_empty())
            && self.troubles.is_empty()
    }
}

impl std::fmt::Debug for OldLayout {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users = self.users.len() + self.users_v2.len();
        write!(formatter, "OldLayout({users} users, {} tenants)", self.tenants.len())
    }
}
