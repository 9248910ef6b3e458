//! The operations over a real store: what each promises, races included.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; this holds for its helpers too"
)]

mod api_keys;
mod bootstrap;
mod client_credentials;
mod clients;
mod clock;
mod codes;
mod idempotency;
mod interleavings;
mod introspection;
mod introspection_hints;
mod legacy;
mod limits;
mod lookup;
mod member_sessions;
mod refresh_token_hints;
mod revocation;
mod roles;
mod sign_in;
mod sign_up;
mod start;
mod suspended_askers;
mod tenant_admins;
mod tenant_codes;
mod tenants;
mod token_doors;
mod token_exchange;
mod token_revocation;
mod unknown_clients;
mod update;
mod users;
mod workers;
