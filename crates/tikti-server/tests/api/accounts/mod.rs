//! `/v1/accounts`

mod delete;
mod lookup;
mod reset_password;
mod revoke;
mod revoke_jti;
mod send_oob_code;
mod sessions;
mod sign_in;
mod sign_in_with_oob_code;
mod sign_in_with_password;
mod sign_out;
mod sign_up;
mod status;
mod token_exchange;
mod update;
mod validate;
