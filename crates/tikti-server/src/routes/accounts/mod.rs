//! Signing in, looking up, exchanging: the calls that applications make.

pub(crate) mod lookup;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod sign_in_with_password;
pub(crate) mod sign_out;
pub(crate) mod token;
pub(crate) mod token_exchange;
