//! What must be known to decide, and how it is read: in one round trip, or two where the worker does not say
//! for which of its clients it asks. The second one is for whoever has proved himself, so that it tells a
//! stranger nothing.
//!
//! Spec: Authorization, first paragraph.

use tikti_store::Key;

use super::ClientCredentials;
use super::proof::{Proof, Unproven, prove};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::decoy;
use crate::domain::Domain;
use crate::error::Error;
use crate::id::{ClientId, TenantId, WorkerId};
use crate::keyspace;
use crate::reads::Reads;
use crate::tenant::Tenant;
use crate::worker::Worker;

/// Everything that the decision looks at beside the request.
#[derive(Debug)]
pub(super) struct Facts {
    /// Whom the request named, as it wrote it: empty where it named nobody.
    pub(super) client_id: String,
    /// The same, where it could be a worker.
    pub(super) name: Option<Name>,
    /// Whether the credentials are the worker's.
    pub(super) proof: Result<Proof, Unproven>,
    pub(super) tenant: Option<Tenant>,
    pub(super) worker: Option<Worker>,
    /// The client that was asked for, else the only one that the worker has.
    pub(super) audience: Option<ClientId>,
    pub(super) client: Option<Client>,
}

/// A worker as `client_id` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) tenant_id: TenantId,
    pub(super) worker_id: WorkerId,
}

impl Name {
    /// Takes `<tenant id>.<worker id>` apart: a tenant's id has no dot.
    pub(super) fn parse(client_id: &str) -> Option<Self> {
        let (tenant, worker) = client_id.split_once('.')?;
        let tenant_id = TenantId::parse(tenant).ok()?;
        Some(Self { tenant_id, worker_id: WorkerId::parse(worker).ok()? })
    }

    fn client_key(&self, client: &ClientId) -> Key {
        keyspace::client(&self.tenant_id, client)
    }
}

impl Facts {
    /// Reads the facts of a request.
    ///
    /// # Errors
    /// The store's, or a record that cannot be read; everything else is a fact.
    pub(super) async fn load(
        domain: &Domain,
        request: &ClientCredentials,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let client_id = request.auth.claimed_id();
        let name = Name::parse(&client_id);
        let mut reads = Reads::default();
        let (mut tenant, mut worker) = (None, None);
        if let Some(name) = &name {
            let tenant_key = keyspace::tenant(&name.tenant_id);
            let worker_key = keyspace::worker(&name.tenant_id, &name.worker_id);
            let mut keys = vec![tenant_key.clone(), worker_key.clone()];
            keys.extend(request.audience.iter().map(|client| name.client_key(client)));
            reads.extend(&domain.store, keys, now).await?;
            tenant = reads.find_live::<Tenant>(&tenant_key)?;
            worker = reads.find_live::<Worker>(&worker_key)?;
        }
        let (tenant, worker) = (decoy::as_if_found(tenant), decoy::as_if_found(worker));
        // The workers of a tenant that is gone may be there a moment longer.
        let worker = worker.filter(|_| tenant.is_some());
        let proof = prove(domain, (&request.auth, &client_id), worker.as_ref(), now);
        let mut facts =
            Self { client_id, name, proof, tenant, worker, audience: None, client: None };
        facts.find_client(domain, request, reads, now).await?;
        Ok(facts)
    }

    async fn find_client(
        &mut self,
        domain: &Domain,
        request: &ClientCredentials,
        mut reads: Reads,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (Some(name), Some(worker), Ok(_)) = (&self.name, &self.worker, &self.proof) else {
            return Ok(());
        };
        let mut own = worker.clients.iter();
        let only = own.next().filter(|_| own.next().is_none());
        let Some(audience) = request.audience.as_ref().or(only) else { return Ok(()) };
        let key = name.client_key(audience);
        reads.extend(&domain.store, vec![key.clone()], now).await?;
        self.client = reads.find(&key)?;
        self.audience = Some(audience.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_split_at_its_first_dot() {
        let name = Name::parse("t-acme.render.01/eu").unwrap();
        assert_eq!((name.tenant_id.as_str(), name.worker_id.as_str()), ("t-acme", "render.01/eu"));
        for none in [
            "",
            ".",
            "t-acme",
            "t-acme.",
            ".worker",
            "T-acme.worker",
            "t-acme .worker",
            "t-acme.wor ker",
            "t-acme.w\0",
            "t-acme.0193a5c8-1f6e-7000-8000-00000000000a",
        ] {
            assert_eq!(Name::parse(none), None, "{none:?}");
        }
    }
}
