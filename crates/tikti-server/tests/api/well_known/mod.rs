//! `/.well-known`

mod discovery;
mod jwks;
