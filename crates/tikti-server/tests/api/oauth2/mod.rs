//! What stock OAuth clients call.

mod both_doors;
mod token;
