//! How is a change of a worker made?
//!
//! It is decided twice by the same function: from records that were read, so that a refusal costs no write,
//! and in the transaction that makes it, which declares the worker and the clients that are named.
//! Invariant: what is committed was allowed by the worker, the clients and the roles as they were then.
//!
//! Spec: Authorization, "Administrative endpoints". Why: docs/decisions/0024.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_store::{Entry, Key, Stored};

use super::WRITE;
use crate::audit::Action;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{ClientId, TenantId, TenantRef, WorkerId};
use crate::idempotency::{Answer, Once};
use crate::keyspace;
use crate::record::{Lasting, Record};
use crate::tenancy::administer::{Act, Administrator, Admission, Done};
use crate::worker::Worker;

/// A change of one worker.
pub(super) struct Change<'a> {
    pub(super) id: &'a WorkerId,
    /// What it is called in the audit.
    pub(super) action: Action,
    /// What the audit says of it; nothing secret.
    pub(super) details: BTreeMap<String, String>,
    /// The clients that are named.
    pub(super) clients: Option<&'a BTreeSet<ClientId>>,
    /// A record of another partition that is looked at first, and only then.
    pub(super) also_read: Option<Key>,
}

/// What a change is decided from.
pub(super) struct Found<'a> {
    pub(super) admission: &'a Admission,
    pub(super) worker: Option<Lasting<Worker>>,
    /// Those of the named clients that exist.
    pub(super) clients: BTreeMap<ClientId, Client>,
    /// Whether the record of another partition is there, as far as it was looked at.
    pub(super) also_is_there: bool,
}

impl Found<'_> {
    /// The worker, where it lives.
    ///
    /// # Errors
    /// `WORKER_NOT_FOUND`.
    pub(super) fn live(&self) -> Result<&Worker, Code> {
        match &self.worker {
            Some(Lasting::Live(worker)) => Ok(worker),
            Some(Lasting::Tombstone(_)) | None => Err(Code::WorkerNotFound),
        }
    }
}

/// What was decided, with the answer to the caller.
pub(super) enum Next<T> {
    /// This takes the worker's place.
    Put(Lasting<Worker>, T),
    /// All stays as it is.
    Same(T),
}

impl Change<'_> {
    /// Makes the change that `decide` decides on, which may be asked several times and has no effect; a
    /// request that comes again is answered as before.
    ///
    /// # Errors
    /// Those of every administrative call (`administer`); what `decide` refuses; `CONFLICT` where
    /// an earlier request of this name had another body; the store's.
    pub(super) async fn make<T: Serialize + DeserializeOwned + Send>(
        self,
        domain: &Domain,
        (administrator, tenant, once): (&Administrator, &TenantRef, &Once),
        now: Timestamp,
        decide: impl Fn(&Found<'_>) -> Result<Next<T>, Error> + Send + Sync,
    ) -> Result<Answer<T>, Error> {
        let keys = self.keys(administrator.tenant_id());
        let more = keys.iter().cloned().chain(self.also_read.clone()).chain(once.keys()).collect();
        let (admission, reads) = administrator.admit(domain, (tenant, WRITE), more, now).await?;
        if let Some(reply) = once.answered(&reads)? {
            return Ok(Answer::Again(reply));
        }
        let mut found = self.found(&admission, |key| reads.stored(key).map_err(Error::from))?;
        found.also_is_there = match &self.also_read {
            Some(key) => reads.stored(key)?.is_some(),
            None => false,
        };
        if let Next::Same(same) = decide(&found)? {
            return Ok(Answer::First(same));
        }
        let (action, details) = (self.action, self.details.clone());
        let act = Act { scope: WRITE, action, target: self.id.to_string(), details };
        let key = keyspace::worker(administrator.tenant_id(), self.id);
        administrator
            .change_once(domain, (act, &keys, once), now, |txn, admission| {
                let found = self.found(admission, |key| txn.get(key).map_err(Error::from))?;
                match decide(&found)? {
                    Next::Same(same) => Ok(Done::Same(same)),
                    Next::Put(next, answer) => {
                        txn.put(&key, Entry::new(&next.encode()?))?;
                        Ok(Done::Changed(answer))
                    }
                }
            })
            .await
    }

    /// The worker, then the clients; all in the tenant's partition.
    fn keys(&self, tenant: &TenantId) -> Vec<Key> {
        let clients = self.clients.into_iter().flatten();
        let clients = clients.map(|client| keyspace::client(tenant, client));
        std::iter::once(keyspace::worker(tenant, self.id)).chain(clients).collect()
    }

    fn found<'a, 'b>(
        &self,
        admission: &'b Admission,
        stored: impl Fn(&Key) -> Result<Option<&'a Stored>, Error>,
    ) -> Result<Found<'b>, Error> {
        let tenant = &admission.tenant.id;
        let key = keyspace::worker(tenant, self.id);
        let worker = Lasting::decode_optional(&key, stored(&key)?)?;
        let mut clients = BTreeMap::new();
        for id in self.clients.into_iter().flatten() {
            let key = keyspace::client(tenant, id);
            let client = Client::decode_optional(&key, stored(&key)?)?;
            clients.extend(client.map(|client| (id.clone(), client)));
        }
        Ok(Found { admission, worker, clients, also_is_there: false })
    }
}
