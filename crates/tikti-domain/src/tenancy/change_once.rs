//! How is something made in a tenant whose secret is shown once?
//!
//! Invariant: what was made and what was answered are committed together, so that whoever comes again finds
//! both or neither.
//!
//! Spec: HTTP API, "Tenant administration" (`Idempotency-Key`). Why: docs/decisions/0033.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_store::{Key, Txn};

use super::administer::{Act, Administrator, Admission, Done};
use crate::clock::Timestamp;
use crate::domain::{Caller, Domain};
use crate::error::Error;
use crate::idempotency::{Answer, Once};
use crate::keyspace;

impl Administrator {
    /// Where the answer to this request stands, if its client gave it a name.
    pub(crate) fn once(&self, domain: &Domain, caller: &Caller) -> Once {
        Once::of(domain, (caller, &self.name()), &keyspace::of_tenant(self.tenant_id()))
    }

    /// As [`Administrator::change`], for a request that may come again: an earlier answer is given again
    /// and `work` left alone. What `work` gives is kept, and holds no secret.
    ///
    /// # Errors
    /// Those of [`Administrator::change`]; `CONFLICT` where an earlier request of this name had another
    /// body.
    pub(crate) async fn change_once<T: Serialize + DeserializeOwned + Send>(
        &self,
        domain: &Domain,
        (act, keys, once): (Act, &[Key], &Once),
        now: Timestamp,
        work: impl Fn(&mut Txn, &Admission) -> Result<Done<T>, Error> + Send + Sync,
    ) -> Result<Answer<T>, Error> {
        let keys: Vec<_> = keys.iter().cloned().chain(once.keys()).collect();
        let work = |txn: &mut Txn, admission: &Admission| {
            if let Some(reply) = once.recall(txn)? {
                return Ok(Done::Same(Answer::Again(reply)));
            }
            match work(txn, admission)? {
                Done::Changed(reply) => {
                    once.remember(txn, &reply, now)?;
                    Ok(Done::Changed(Answer::First(reply)))
                }
                Done::Same(reply) => Ok(Done::Same(Answer::First(reply))),
            }
        };
        self.change(domain, (act, &keys), now, work).await
    }
}
