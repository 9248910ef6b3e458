//! The rules of Tikti: *who is this*, and *what may they do, where*.
//!
//! A request becomes one command for one operation. The operation reads its facts in at most two
//! round trips, a pure function decides, and what is written is written in one transaction. Five
//! rules hold everywhere:
//!
//! 1. Decisions are functions of stored state, token and request alone; time and randomness are
//!    passed in ([`clock`], [`random`]).
//! 2. Keys of the store are built in `keyspace` and nowhere else; records are read and written by the
//!    entity's own module.
//! 3. Membership is the only source of truth for what a user may do in a tenant.
//! 4. What crosses partitions is a list of idempotent steps under an intent, which the sweep finishes;
//!    the record that grants access is written last and removed first.
//! 5. A refusal is a [`error::Code`]; nothing here knows a status code, a header or a command line.
//!
//! | to find | look in |
//! |---|---|
//! | how an exchange is decided | [`token_exchange`], its `decide` |
//! | what token a worker gets for itself | [`client_credentials`], its `decide` |
//! | who may administer what | `permission` |
//! | what a token holds | `issue`, and the `tikti-token` crate |
//! | sign-in and lookup | [`account`] |
//! | whether a token is good now, and who is told | `standing`, [`introspect`], [`revoke`] |
//! | how often somebody may try | [`limits`], `rate_limit` |
//! | codes that leave by mail | [`oob_code`], [`action_link`] |
//! | tenants | [`tenancy`] |
//! | API keys, and who makes them | [`api_key`], [`api_keys`] |
//! | who did what | [`audit`] |
//! | whether a request was answered already | [`idempotency`] |
//! | how a mail waits, and who delivers it | [`mail`] |
//! | what a backup holds | [`backup`] |
//! | what an older Tikti leaves to this one | [`migrate`] |
//! | what becomes of an operation whose process died | [`sweep`], `intent`, `fence` |
//! | which rules a sound store keeps | [`integrity`] |
//! | what the machine does without us | [`baseline`] |

#![forbid(unsafe_code)]
// An operation on a server of the Redis protocol is a future in a future many times over: more than the
// compiler's usual bound for its layout.
#![recursion_limit = "256"]

pub mod account;
pub mod action_link;
mod any_token;
pub mod api_key;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod baseline;
pub mod bootstrap;
mod claim;
pub mod client;
pub mod client_auth;
pub mod client_credentials;
pub mod clock;
mod decoy;
mod denial;
mod deployment;
mod domain;
pub mod email;
pub mod error;
pub mod etag;
mod fence;
pub mod id;
mod id_token;
pub mod idempotency;
pub mod integrity;
mod intent;
pub mod introspect;
mod issue;
pub mod keys;
mod keyspace;
mod legacy;
pub mod limits;
mod listing;
pub mod mail;
pub mod membership;
pub mod migrate;
mod network;
pub mod oob_code;
pub mod page;
mod page_token;
pub mod password;
mod permission;
pub mod pool;
mod purge;
pub mod random;
mod rate_limit;
mod reads;
mod record;
pub mod revoke;
pub mod role;
pub mod scope;
pub mod secret;
pub mod session;
pub mod settings;
mod signing_key;
mod standing;
pub mod sweep;
pub mod tenancy;
pub mod tenant;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod together;
mod token_asker;
pub mod token_exchange;
pub mod user;
pub mod worker;

pub use deployment::StartError;
pub use domain::{Caller, Domain, DomainConfig, Door};
pub use signing_key::JwksDocument;
pub use tikti_store::{Foreign, OpenError, OpenOptions, RedisOptions, Store, StoreError, TlsFiles};
pub use tikti_token::{AccessTokenType, AssertionKey, RsaSize};
