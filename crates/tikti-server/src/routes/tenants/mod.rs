//! Tenants and what is in them: administered by whoever holds the management scopes there.

pub(crate) mod change;
pub(crate) mod clients;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod members;
pub(crate) mod oob;
pub(crate) mod read;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod workers;
