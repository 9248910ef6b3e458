//! What operators and developers ask of the service itself.

pub(crate) mod authorization;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod openapi;
pub(crate) mod users;
pub(crate) mod version;
