//! What does each call of the API do? One file a call: the wire type becomes a command of typed
//! ids, exactly one operation is called, its outcome becomes the reply.
//!
//! No rule is judged here and no store is seen; which routes exist stands in [`crate::router`].

pub(crate) mod accounts;
pub(crate) mod action;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod mailbox;
pub(crate) mod oauth2;
pub(crate) mod platform;
pub(crate) mod tenants;
