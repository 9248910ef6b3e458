//! What is read where a tenant, client or worker is not there, so that time tells nobody who is?
//!
//! Whoever tries credentials has the record read that he names, and his secret compared. Where there is none, one
//! that is nobody's is read in its place: as long as most are, with every member. The round trip to the store is
//! the same anyway. Invariant: nothing that a decoy says is looked at.
//!
//! Spec: Attacks, row E6; RFC 6749, section 10.1. Choices: docs/decisions/0038, 0039.

use std::hint::black_box;

use crate::client::Client;
use crate::record::{Lasting, Record};
use crate::tenant::Tenant;
use crate::worker::Worker;

/// What has a record that strangers may name.
pub(crate) trait Named: Sized {
    /// What is stored of it.
    type Record: Record;
    /// A record that is nobody's, without its schema.
    const DECOY: &'static str;
}

/// Gives on what was found, after the work that reading a record is.
pub(crate) fn as_if_found<T: Named>(found: Option<T>) -> Option<T> {
    if found.is_none() {
        black_box(serde_json::from_str::<T::Record>(black_box(T::DECOY)).is_ok());
    }
    found
}

impl Named for Tenant {
    type Record = Lasting<Self>;
    const DECOY: &'static str = r#"{"live":{"id":"t-00000000000000000000000000","slug":"decoy","name":"Decoy","status":"ACTIVE","selfSignUp":false,"createdAt":1769532214000}}"#;
}

impl Named for Client {
    type Record = Self;
    const DECOY: &'static str = r#"{"id":"decoy-api","type":"SERVICE","status":"ACTIVE","allowedGrantTypes":["token_exchange"],"allowedScopes":["decoy:read"],"defaultScopes":["decoy:read"],"eventTypes":[],"subjectPolicy":"user","tokenTtlSeconds":900,"managed":false,"createdAt":1769532214000,"secret":{"pepper":"p1","hmac":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
}

impl Named for Worker {
    type Record = Lasting<Self>;
    const DECOY: &'static str = r#"{"live":{"id":"decoy-01","clients":["decoy-api"],"scopes":["decoy:read"],"eventTypes":[],"mintableBy":[],"customTokens":false,"credentials":{"secrets":[{"n":1,"hash":{"pepper":"p1","hmac":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"createdAt":1769532214000}],"lastSecret":1,"keys":[]},"status":"ACTIVE","wver":1769532214000,"createdAt":1769532214000}}"#;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that cannot be read is refused early, for less work.
    fn assert_is_whole<T: Named>() {
        let record: T::Record = serde_json::from_str(T::DECOY).unwrap();
        let bytes = record.encode().unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes[1..]), T::DECOY);
        assert!(as_if_found::<T>(None).is_none());
    }

    #[test]
    fn every_decoy_is_a_whole_record_and_found_by_nobody() {
        assert_is_whole::<Tenant>();
        assert_is_whole::<Client>();
        assert_is_whole::<Worker>();
    }
}
