//! What stock OAuth clients call.

mod both_doors;
mod token;
mod introspect;
mod revoke;
mod token_doors;
