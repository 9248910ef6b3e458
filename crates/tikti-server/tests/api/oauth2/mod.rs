//! What stock OAuth clients call.

mod both_doors;
mod client_credentials;
mod introspect;
mod revoke;
mod token;
mod token_doors;
mod workers;
