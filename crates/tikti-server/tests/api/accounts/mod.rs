//! `/v1/accounts`

mod lookup;
mod sign_in;
mod sign_in_with_password;
mod token_exchange;
