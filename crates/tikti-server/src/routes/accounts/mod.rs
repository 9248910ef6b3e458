//! Signing in, looking up, exchanging: the calls that applications make.

pub(crate) mod lookup;
pub(crate) mod sign_in;
pub(crate) mod sign_in_with_password;
pub(crate) mod token_exchange;
