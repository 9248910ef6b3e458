//! Verifies Tikti's tokens in a resource server: a [`Verifier`] that finds and keeps the issuer's
//! keys, and a layer for any server built on [`tower`](https://docs.rs/tower).
//!
//! It needs to know two things, the issuer and this server's client id (the *audience* of its
//! tokens); everything else is found through the issuer's discovery document. Tokens are verified
//! offline: a revoked one is good here until its `exp`. Who must see it at once asks introspection.
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use tikti_verify::{BearerLayer, Caller, RequireScopes, Verifier};
//!
//! # fn main() -> Result<(), tikti_verify::BuildError> {
//! let verifier = Verifier::builder("https://id.example.com").audience("jobs").build()?;
//!
//! async fn jobs(Extension(caller): Extension<Caller>) -> String {
//!     // Whose data? That of the token's tenant, never of one that the request names.
//!     format!("the jobs of {}", caller.tenant())
//! }
//!
//! let app: Router = Router::new()
//!     .route("/jobs", get(jobs).layer(RequireScopes::all(["jobs:read"])?))
//!     .layer(BearerLayer::access(&verifier));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! Without the feature `tower` (on by default) there is [`Verifier::verify_access`] and
//! [`Verifier::verify_worker`], and a [`Refusal`] says what to answer. The whole of a server is in
//! `examples/resource_server.rs`.
//!
//! # How keys are kept
//!
//! | when | what happens |
//! |---|---|
//! | the first token comes | it waits for the keys, one fetch for all who wait |
//! | three quarters of the reply's `max-age` (1 s to 1 h) are over | the next token starts a fetch and does not wait; [`Verifier::keep_fresh`] needs no token |
//! | all of it is over | the next token waits for the fetch, since a key may have been revoked |
//! | a token names an unknown key | it waits for one fetch, at most one each 10 s whatever strangers send; a key that the issuer, asked for it, did not have is no reason to ask again for 20 s |
//! | the issuer is away, or its documents are broken | the keys that are held stay good for 24 h; it is asked again after 1, 2, 4 … 30 s; [`Verifier::status`] tells |
//! | no key is held, and none can be had | [`Refusal::KeysUnavailable`], 503 |
//!
//! Documents are at most 64 KiB, fetched over HTTPS (HTTP from loopback, or where
//! [`allow_http`](VerifierBuilder::allow_http) says so), redirects are not followed, and keys come
//! from the issuer's own origin.
//!
//! # Modules
//!
//! | question | module |
//! |---|---|
//! | what must a token have? | `builder` |
//! | may this token be believed? | `verifier`, over `tikti-token` |
//! | when are keys fetched, and who waits? | `plan` (pure), `keys` (acts) |
//! | what do the issuer's documents say? | `document` (pure), `fetch` |
//! | who sent this request? | `caller` |
//! | which requests get through? | `bearer`, `scopes`, `answer` |
//!
//! Spec: Tokens and keys, "Verification" and "Signing keys". RFC 6750, RFC 8725.

#![forbid(unsafe_code)]

#[cfg(feature = "tower")]
mod answer;
#[cfg(feature = "tower")]
mod bearer;
mod builder;
mod caller;
mod clock;
mod document;
mod error;
mod fetch;
mod keys;
mod plan;
#[cfg(feature = "tower")]
mod scopes;
mod verifier;

#[cfg(feature = "tower")]
pub use bearer::{Bearer, BearerLayer};
pub use builder::VerifierBuilder;
pub use caller::{Caller, Claims};
pub use error::{BuildError, RefreshError, Refusal};
pub use keys::Status;
pub use plan::Freshness;
#[cfg(feature = "tower")]
pub use scopes::{RequireScopes, Scoped};
pub use tikti_token::{AccessClaims, Actor, Verified, VerifyError, WorkerClaims};
pub use verifier::Verifier;
