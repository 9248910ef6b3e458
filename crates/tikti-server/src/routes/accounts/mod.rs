//! Signing in, looking up, exchanging: the calls that applications make; changing one's own account, and
//! administering those of others.

pub(crate) mod delete;
pub(crate) mod lookup;
pub(crate) mod reset_password;
pub(crate) mod revoke;
pub(crate) mod revoke_jti;
pub(crate) mod send_oob_code;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod sign_in_with_oob_code;
pub(crate) mod sign_in_with_password;
pub(crate) mod sign_out;
pub(crate) mod sign_up;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod token_exchange;
pub(crate) mod update;
pub(crate) mod validate;
