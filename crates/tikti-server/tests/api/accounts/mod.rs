//! `/v1/accounts`

mod lookup;
mod sessions;
mod sign_in;
mod sign_in_with_password;
mod sign_out;
mod token_exchange;
