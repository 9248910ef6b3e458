//! What stock OAuth clients call.

mod both_doors;
mod introspect;
mod revoke;
mod client_credentials;
mod token;
mod token_doors;
