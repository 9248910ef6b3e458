//! How is a change of a client made?
//!
//! It is decided twice by the same function: from records that were read, so that a refusal costs no write,
//! and in the transaction that makes it. Invariant: what is committed was allowed by the client and the
//! administrator's records as they were then.
//!
//! Spec: Authorization, "Administrative endpoints". Why: docs/decisions/0024.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tikti_store::{Entry, Key, Stored, Txn};

use super::WRITE;
use crate::audit::Action;
use crate::client::{Client, FormerClient};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error};
use crate::id::{ClientId, TenantId, TenantRef};
use crate::idempotency::{Answer, Once};
use crate::keyspace;
use crate::record::Record;
use crate::tenancy::administer::{Act, Administrator, Admission, Done};

/// A change of one client.
pub(super) struct Change<'a> {
    pub(super) id: &'a ClientId,
    /// What it is called in the audit.
    pub(super) action: Action,
    /// What the audit says of it; nothing secret.
    pub(super) details: BTreeMap<String, String>,
}

/// What a change is decided from.
pub(super) struct Found<'a> {
    pub(super) admission: &'a Admission,
    pub(super) client: Option<Client>,
    /// The client that bore the id before.
    pub(super) former: Option<FormerClient>,
}

impl Found<'_> {
    /// The client.
    ///
    /// # Errors
    /// `CLIENT_NOT_FOUND`.
    pub(super) fn live(&self) -> Result<&Client, Code> {
        self.client.as_ref().ok_or(Code::ClientNotFound)
    }
}

/// What was decided.
pub(super) enum Next<T> {
    /// All stays as it is.
    Same(T),
    /// The client is this from now on.
    Put(Box<Client>, T),
    /// There is no client any more, and this is kept of it.
    Delete(FormerClient, T),
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
        let tenant_id = administrator.tenant_id();
        let keys = self.keys(tenant_id);
        let more = keys.iter().cloned().chain(once.keys()).collect();
        let admitted = administrator.admit(domain, (tenant, WRITE), more, now).await?;
        let (admission, reads) = &admitted;
        if let Some(reply) = once.answered(reads)? {
            return Ok(Answer::Again(reply));
        }
        let found = self.found(admission, |key| reads.stored(key).map_err(Error::from))?;
        if let Next::Same(same) = decide(&found)? {
            return Ok(Answer::First(same));
        }
        let (action, details) = (self.action, self.details.clone());
        let act = Act { scope: WRITE, action, target: self.id.to_string(), details };
        let changed =
            administrator.change_once(domain, (act, &keys, once), now, |txn, admission| {
                let found = self.found(admission, |key| txn.get(key).map_err(Error::from))?;
                let next = decide(&found)?;
                write(txn, &keys, next)
            });
        // On the heap, as the change itself is.
        Box::pin(changed).await
    }

    /// The client, and what is kept of the one before it.
    fn keys(&self, tenant: &TenantId) -> [Key; 2] {
        [keyspace::client(tenant, self.id), keyspace::former_client(tenant, self.id)]
    }

    fn found<'a, 'b>(
        &self,
        admission: &'b Admission,
        stored: impl Fn(&Key) -> Result<Option<&'a Stored>, Error>,
    ) -> Result<Found<'b>, Error> {
        let [client, former] = self.keys(&admission.tenant.id);
        Ok(Found {
            admission,
            client: Client::decode_optional(&client, stored(&client)?)?,
            former: FormerClient::decode_optional(&former, stored(&former)?)?,
        })
    }
}

fn write<T>(txn: &mut Txn, keys: &[Key; 2], next: Next<T>) -> Result<Done<T>, Error> {
    let [client_key, former_key] = keys;
    match next {
        Next::Same(same) => Ok(Done::Same(same)),
        Next::Put(client, answer) => {
            txn.put(client_key, Entry::new(&client.encode()?))?;
            Ok(Done::Changed(answer))
        }
        Next::Delete(former, answer) => {
            txn.delete(client_key)?;
            let bytes = former.encode()?;
            txn.put(former_key, Entry::new(&bytes).expires_at(former.forgotten_at()))?;
            Ok(Done::Changed(answer))
        }
    }
}
