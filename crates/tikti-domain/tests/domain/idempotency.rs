//! A creation that shows a secret and comes many times at once under one name.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde_json::json;
use tikti_domain::api_key::KeyScope;
use tikti_domain::api_keys::{CreateApiKey, KeysOf, create_api_key, list_api_keys};
use tikti_domain::error::{Code, Error};
use tikti_domain::id::TenantRef;
use tikti_domain::idempotency::Repeatable;
use tikti_domain::page::PageRequest;
use tikti_domain::tenancy::{
    CreateWorker, WorkerRights, add_worker_secret, create_client, create_worker, get_worker,
    list_clients, list_workers,
};
use tikti_domain::testing::{FaultPlan, Fixture, all, bearing, worker_id};
use tikti_domain::{Caller, Domain, integrity};

use crate::clients;

const PAGE: PageRequest = PageRequest { size: 200, token: None };

#[derive(Clone, Copy, Debug)]
enum What {
    Client,
    Worker,
    WorkerSecret,
    KeyOfTenant,
    KeyOfDeployment,
}

const ALL: [What; 5] =
    [What::Client, What::Worker, What::WorkerSecret, What::KeyOfTenant, What::KeyOfDeployment];

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn worker(id: &str) -> CreateWorker {
    CreateWorker { id: worker_id(id), rights: WorkerRights::default(), keys: vec![] }
}

async fn place() -> (Fixture, Caller) {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    create_worker(&fixture.domain, &root, (&acme(), &worker("rotated"))).await.unwrap();
    (fixture, root)
}

fn named(caller: &Caller, body: &str) -> Caller {
    let repeatable = Repeatable::new("n1", ("POST", "/v1/things"), &json!({"id": body})).unwrap();
    Caller { repeatable: Some(repeatable), ..caller.clone() }
}

/// What was made, and its secret where it is shown.
type Made = (String, Option<SecretString>);

async fn make(domain: &Domain, caller: &Caller, what: What) -> Result<Made, Error> {
    let acme = acme();
    let key = CreateApiKey { name: None, scopes: [KeyScope::Introspect].into(), expires_at: None };
    match what {
        What::Client => {
            let ask = clients::new("bills", "bills:read");
            let made = Box::pin(create_client(domain, caller, (&acme, &ask))).await?;
            Ok((format!("{:?}", made.client), made.secret))
        }
        What::Worker => {
            let made = create_worker(domain, caller, (&acme, &worker("made"))).await?;
            Ok((format!("{:?}", made.worker), made.secret))
        }
        What::WorkerSecret => {
            let place = (&acme, &worker_id("rotated"));
            let made = add_worker_secret(domain, caller, place, None).await?;
            Ok((format!("{:?}", made.n), made.secret))
        }
        What::KeyOfTenant => {
            let made = create_api_key(domain, caller, (KeysOf::Tenant(&acme), &key)).await?;
            Ok((format!("{:?}", made.record), made.key))
        }
        What::KeyOfDeployment => {
            let made = create_api_key(domain, caller, (KeysOf::Deployment, &key)).await?;
            Ok((format!("{:?}", made.record), made.key))
        }
    }
}

/// How many there are.
async fn count(domain: &Domain, caller: &Caller, what: What) -> usize {
    let acme = acme();
    match what {
        What::Client => list_clients(domain, caller, (&acme, &PAGE)).await.unwrap().items.len(),
        What::Worker => list_workers(domain, caller, (&acme, &PAGE)).await.unwrap().items.len(),
        What::WorkerSecret => {
            let place = (&acme, &worker_id("rotated"));
            get_worker(domain, caller, place).await.unwrap().credentials.secrets.len()
        }
        What::KeyOfTenant => {
            let of = KeysOf::Tenant(&acme);
            list_api_keys(domain, caller, (of, &PAGE)).await.unwrap().items.len()
        }
        What::KeyOfDeployment => {
            let of = KeysOf::Deployment;
            list_api_keys(domain, caller, (of, &PAGE)).await.unwrap().items.len()
        }
    }
}

#[tokio::test]
async fn twenty_at_once_under_one_name_make_one_thing_and_one_of_them_has_the_secret() {
    for what in ALL {
        let (fixture, root) = place().await;
        let (domain, ask) = (&fixture.domain, named(&root, "a"));
        let before = count(domain, &root, what).await;
        let never = FaultPlan::crash_after(u64::MAX - 1);
        let mut replicas = Vec::new();
        for seed in 2..6 {
            replicas.push(fixture.replica(seed, &never).await);
        }
        let asked = replicas.iter().cycle().take(20).map(|replica| make(replica, &ask, what));
        let made: Vec<_> = all(asked).await.into_iter().map(|made| made.unwrap()).collect();
        assert_eq!(made.iter().filter(|(_, secret)| secret.is_some()).count(), 1, "{what:?}");
        let things: BTreeSet<_> = made.iter().map(|(thing, _)| thing).collect();
        assert_eq!(things.len(), 1, "{what:?}");
        assert_eq!(count(domain, &root, what).await, before + 1, "{what:?}");
        let other = make(domain, &named(&root, "b"), what).await;
        assert_eq!(other.unwrap_err().code(), Code::Conflict, "{what:?}");
        let report = integrity::verify(fixture.store(), fixture.now(), &mut |_| ()).await.unwrap();
        assert_eq!((report.findings, report.pending), (vec![], 0), "{what:?}");
    }
}
