//! Keys while processes die, while their tenant is deleted and while those who may are stripped of it; and
//! what is known of their use.

use crate::account::{Lookup, lookup};
use crate::audit::Chain;
use crate::audit::tests::links_of;
use crate::idempotency::Repeatable;
use crate::keyspace;
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use crate::tenancy::delete_tenant;
use crate::testing::{FaultPlan, Fixture, bearing};

use super::*;

fn acme() -> TenantRef {
    TenantRef::parse("acme").unwrap()
}

fn ask() -> CreateApiKey {
    CreateApiKey { name: None, scopes: [KeyScope::Introspect].into(), expires_at: None }
}

fn disabled() -> UpdateApiKey {
    UpdateApiKey { status: Some(ApiKeyStatus::Disabled), ..UpdateApiKey::default() }
}

async fn place() -> (Fixture, Caller, TenantId) {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    // A session of no tenant, that does not end with one.
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let tenant = fixture.tenant("root@corp.sys", "acme").await.id;
    (fixture, root, tenant)
}

async fn verify(fixture: &Fixture, when: &str) {
    let now = fixture.now();
    let report = crate::integrity::verify(&fixture.domain.store, now, &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (vec![], 0), "{when}");
}

async fn sweep_and_verify(fixture: &Fixture, when: &str) {
    fixture.clock.advance(SWEEP_AFTER_MILLIS + 1);
    let now = fixture.now();
    let swept = sweep(&fixture.domain, &mut SweepCursor::default(), now).await.unwrap();
    assert_eq!(swept.failed, 0, "{when}");
    verify(fixture, when).await;
}

/// How often an action is in the chain.
async fn told(fixture: &Fixture, chain: &Chain, action: Action) -> usize {
    let links = links_of(&fixture.domain, chain, fixture.now()).await;
    links.iter().filter(|link| link.event.contains(action.as_str())).count()
}

async fn keys(fixture: &Fixture, root: &Caller, of: KeysOf<'_>) -> Vec<ShownApiKey> {
    let page = PageRequest { size: 200, token: None };
    list_api_keys(&fixture.domain, root, (of, &page)).await.unwrap().items
}

/// What is done to a key of the deployment.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Make,
    Disable,
    Delete,
}

/// The keys of a tenant are tried in the sweep's own tests; these are decided in another partition.
#[tokio::test]
async fn a_key_of_the_deployment_is_as_its_list_says_wherever_a_change_dies() {
    let of = KeysOf::Deployment;
    for deed in [Deed::Make, Deed::Disable, Deed::Delete] {
        let mut happened = 0;
        for calls in 0.. {
            let when = format!("{deed:?} after {calls} calls");
            let (fixture, root, _) = place().await;
            let plan = FaultPlan::crash_after(calls);
            let replica = fixture.replica(2, &plan).await;
            let id = match deed {
                Deed::Make => None,
                Deed::Disable | Deed::Delete => {
                    let made = create_api_key(&fixture.domain, &root, (of, &ask())).await.unwrap();
                    Some(made.record.id)
                }
            };
            let outcome = match (deed, &id) {
                (Deed::Disable, Some(id)) => {
                    update_api_key(&replica, &root, (of, id, &disabled())).await.map(|_| ())
                }
                (Deed::Delete, Some(id)) => delete_api_key(&replica, &root, (of, id)).await,
                _ => create_api_key(&replica, &root, (of, &ask())).await.map(|_| ()),
            };
            sweep_and_verify(&fixture, &when).await;
            let found = keys(&fixture, &root, of).await;
            let (is_done, action) = match deed {
                Deed::Make => (!found.is_empty(), Action::ApiKeyCreate),
                Deed::Delete => (found.is_empty(), Action::ApiKeyDelete),
                Deed::Disable => {
                    let off = |key: &ShownApiKey| key.record.status == ApiKeyStatus::Disabled;
                    (found.iter().any(off), Action::ApiKeyUpdate)
                }
            };
            assert!(is_done || outcome.is_err(), "{when}");
            let told = told(&fixture, &Chain::Deployment, action).await;
            assert_eq!(told, usize::from(is_done), "{when}");
            happened += told;
            if plan.calls() <= calls {
                break;
            }
        }
        assert!(happened > 1, "{deed:?} {happened}");
    }
}

#[tokio::test]
async fn a_key_that_is_made_while_its_tenant_is_deleted_does_not_outlive_it() {
    for calls in 0.. {
        let (fixture, root, tenant) = place().await;
        let plan = FaultPlan::crash_after(calls);
        let replica = fixture.replica(2, &plan).await;
        let acme = acme();
        let of = KeysOf::Tenant(&acme);
        let _ = create_api_key(&replica, &root, (of, &ask())).await;
        delete_tenant(&fixture.domain, &tenant, fixture.now()).await.unwrap();
        let all = fixture.domain.store.walk(fixture.now()).await.unwrap().next().await.unwrap();
        let is_key = |(key, _): &(Key, _)| key.kind() == keyspace::api_key(&id()).kind();
        assert!(!all.unwrap().records.iter().any(is_key), "a key is left after {calls} calls");
        sweep_and_verify(&fixture, &format!("after {calls} calls")).await;
        if plan.calls() <= calls {
            break;
        }
    }
    let (fixture, root, tenant) = place().await;
    let domain = &fixture.domain;
    let (root, acme, ask) = (&root, &acme(), &ask());
    let make = || create_api_key(domain, root, (KeysOf::Tenant(acme), ask));
    let made = crate::testing::all((0..5).map(|_| make()));
    let (_, deleted) = tokio::join!(made, delete_tenant(domain, &tenant, fixture.now()));
    deleted.unwrap();
    sweep_and_verify(&fixture, "at once").await;
}

fn id() -> ApiKeyId {
    ApiKeyId::parse("any").unwrap()
}

/// Whoever follows late has read an entry that is not the newest any more.
#[tokio::test]
async fn who_lets_a_key_follow_late_takes_no_change_back() {
    let (fixture, root, tenant) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    let of = KeysOf::Tenant(&acme);
    let made = create_api_key(domain, &root, (of, &ask())).await.unwrap().record;
    let entry = keyspace::api_key_entry(Some(&tenant), &made.id);
    let first = domain.store.get(&entry, fixture.now()).await.unwrap().unwrap();
    update_api_key(domain, &root, (of, &made.id, &disabled())).await.unwrap();
    let second = domain.store.get(&entry, fixture.now()).await.unwrap().unwrap();
    for (read, stands) in [(&first, true), (&second, true), (&first, false), (&second, false)] {
        if !stands {
            let _ = delete_api_key(domain, &root, (of, &made.id)).await;
        }
        listed::put(domain, &ListedKey::decode(&entry, read).unwrap(), fixture.now())
            .await
            .unwrap();
        let key = keyspace::api_key(&made.id);
        let stored = domain.store.get(&key, fixture.now()).await.unwrap();
        let record = ApiKey::decode_optional(&key, stored.as_ref()).unwrap();
        let status = record.map(|record| record.status);
        assert_eq!(status, stands.then_some(ApiKeyStatus::Disabled));
        verify(&fixture, "after a late one").await;
    }
}

#[tokio::test]
async fn the_257th_key_is_refused_and_room_is_made_by_deleting_one() {
    let (fixture, root, tenant) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    for number in 0..MAX_API_KEYS {
        let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant.clone());
        fixture.api_key(&format!("key{number}"), &[KeyScope::Lookup], of_tenant).await;
    }
    let of = KeysOf::Tenant(&acme);
    let refused = create_api_key(domain, &root, (of, &ask())).await.unwrap_err();
    assert_eq!(refused.code(), Code::LimitExceeded);
    // Of another owner it says nothing.
    create_api_key(domain, &root, (KeysOf::Deployment, &ask())).await.unwrap();
    let one = ApiKeyId::parse("key7").unwrap();
    delete_api_key(domain, &root, (of, &one)).await.unwrap();
    create_api_key(domain, &root, (of, &ask())).await.unwrap();
}

/// Whoever is answered again knows that the key is as he was told, although its maker died halfway.
#[tokio::test]
async fn a_named_creation_that_died_is_finished_by_its_repeat_wherever_it_died() {
    let body = serde_json::json!({});
    let repeatable = Repeatable::new("n1", ("POST", "/v1/apiKeys"), &body).unwrap();
    for of_tenant in [true, false] {
        let mut shown_again = 0;
        for calls in 0.. {
            let when = format!("of a tenant: {of_tenant}, after {calls} calls");
            let (fixture, root, _) = place().await;
            let acme = acme();
            let of = if of_tenant { KeysOf::Tenant(&acme) } else { KeysOf::Deployment };
            let named = Caller { repeatable: Some(repeatable.clone()), ..root.clone() };
            let plan = FaultPlan::crash_after(calls);
            let replica = fixture.replica(2, &plan).await;
            let _ = Box::pin(create_api_key(&replica, &named, (of, &ask()))).await;
            let again = Box::pin(create_api_key(&fixture.domain, &named, (of, &ask()))).await;
            let again = again.unwrap();
            shown_again += usize::from(again.key.is_none());
            let key = keyspace::api_key(&again.record.id);
            let stored = fixture.store().get(&key, fixture.now()).await.unwrap();
            let stands = ApiKey::decode_optional(&key, stored.as_ref()).unwrap();
            assert_eq!(stands.as_ref(), Some(&again.record), "{when}");
            sweep_and_verify(&fixture, &when).await;
            let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
            assert_eq!(keys(&fixture, &root, of).await.len(), 1, "{when}");
            if plan.calls() <= calls {
                break;
            }
        }
        assert!(shown_again > 2, "{shown_again}");
    }
}

/// The last that there is room for, asked for once more.
#[tokio::test]
async fn a_repeat_of_the_256th_creation_is_answered() {
    let (fixture, root, tenant) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    for number in 1..MAX_API_KEYS {
        let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant.clone());
        fixture.api_key(&format!("key{number}"), &[KeyScope::Lookup], of_tenant).await;
    }
    let repeatable = Repeatable::new("n1", ("POST", "/"), &serde_json::json!({})).unwrap();
    let named = Caller { repeatable: Some(repeatable), ..root };
    let of = KeysOf::Tenant(&acme);
    let first = create_api_key(domain, &named, (of, &ask())).await.unwrap();
    let again = create_api_key(domain, &named, (of, &ask())).await.unwrap();
    assert_eq!((first.record, again.key.is_none()), (again.record, true));
}

#[tokio::test]
async fn a_key_is_used_once_an_hour_as_far_as_the_store_is_concerned() {
    let (fixture, root, _) = place().await;
    let (domain, of) = (&fixture.domain, KeysOf::Deployment);
    let other = fixture.replica(2, &FaultPlan::crash_after(1_000_000)).await;
    let lookup = CreateApiKey { scopes: [KeyScope::Lookup].into(), ..ask() };
    let made = create_api_key(domain, &root, (of, &lookup)).await.unwrap();
    let shown = async || {
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let shown = get_api_key(domain, &root, (of, &made.record.id)).await.unwrap();
        assert!(keys(&fixture, &root, of).await.contains(&shown));
        shown.last_used_at
    };
    let caller = Caller { api_key: made.key.clone(), ..Caller::default() };
    let carry =
        async |domain: &Domain, scope| domain.require_key(&caller, scope, now(domain)).await;
    let write = async |domain: &Domain| write_key_uses(domain, now(domain)).await.unwrap();
    assert_eq!((write(domain).await, shown().await), (0, None));
    // What is refused is no use.
    assert!(carry(domain, KeyScope::Exchange).await.is_err());
    assert_eq!((write(domain).await, shown().await), (0, None));
    let first = fixture.now();
    for replica in [domain, &other, domain] {
        carry(replica, KeyScope::Lookup).await.unwrap();
    }
    assert_eq!((write(domain).await, write(&other).await), (1, 0));
    fixture.clock.advance(3_599_999);
    carry(domain, KeyScope::Lookup).await.unwrap();
    assert_eq!((write(domain).await, shown().await), (0, Some(first)));
    fixture.clock.advance(1);
    carry(&other, KeyScope::Lookup).await.unwrap();
    carry(domain, KeyScope::Lookup).await.unwrap();
    assert_eq!((write(&other).await, write(domain).await), (1, 0));
    assert_eq!(shown().await, Some(fixture.now()));
    verify(&fixture, "used").await;
    // A key that goes before its use was written leaves nothing.
    fixture.clock.advance(3_600_000);
    carry(domain, KeyScope::Lookup).await.unwrap();
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    delete_api_key(&other, &root, (of, &made.record.id)).await.unwrap();
    assert_eq!(write(domain).await, 0);
    verify(&fixture, "gone").await;
}

fn now(domain: &Domain) -> Timestamp {
    domain.clock.now()
}

/// What is committed was allowed at that moment, not only a moment before.
#[tokio::test]
async fn who_is_stripped_of_his_right_meanwhile_changes_no_key() {
    let (fixture, root, tenant) = place().await;
    let (domain, acme) = (&fixture.domain, acme());
    let ann = fixture.user("ann@corp.sys", crate::user::GlobalRole::CompanyEmployee).await;
    fixture.member(&tenant, &ann, &["TENANT_ADMIN"]).await;
    let ann_calls = bearing(&fixture.sign_in("ann@corp.sys").await.id_token);
    let bob = fixture.admin("bob@corp.sys").await;
    let bob_calls = bearing(&fixture.sign_in("bob@corp.sys").await.id_token);
    for (of, caller, code) in [
        (KeysOf::Tenant(&acme), &ann_calls, Code::TenantNotFound),
        (KeysOf::Deployment, &bob_calls, Code::AdminRequired),
    ] {
        let made = create_api_key(domain, &root, (of, &ask())).await.unwrap().record;
        let keeper = Keeper::to_write(domain, caller, of, fixture.now()).await.unwrap();
        match of {
            KeysOf::Tenant(_) => {
                crate::tenancy::remove_member(domain, &tenant, &ann.id, fixture.now())
                    .await
                    .unwrap();
            }
            KeysOf::Deployment => {
                let role = Some(crate::user::GlobalRole::CompanyEmployee);
                let demoted = crate::user::UserChange { role, ..Default::default() };
                let change = crate::account::change_user::change_user;
                change(domain, &bob.id, &demoted, fixture.now()).await.unwrap();
            }
        }
        let act = act(Action::ApiKeyDelete, &made.id, BTreeMap::new());
        let gone = |found: Option<ListedKey>, _: &OperationId| {
            Ok(ListedKey { is_going: true, ..found.unwrap() })
        };
        let what = (&made.id, &act, &Once::default());
        let refused = change(domain, &keeper, what, fixture.now(), gone).await;
        assert_eq!(refused.unwrap_err().code(), code);
        assert_eq!(keys(&fixture, &root, of).await.len(), 1);
    }
}

#[tokio::test]
async fn a_lookup_by_a_key_is_one_call_of_the_store() {
    let (fixture, _, tenant) = place().await;
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(tenant);
    let key = fixture.api_key("tenants", &[KeyScope::Lookup], of_tenant).await;
    let caller = Caller { api_key: Some(key), ..Caller::default() };
    let id_token = fixture.sign_in("root@corp.sys").await.id_token;
    let plan = FaultPlan::crash_after(1_000_000);
    let replica = fixture.replica(2, &plan).await;
    let ask = Lookup { id_token, memberships: false };
    for calls in 1..=3 {
        lookup(&replica, &caller, &ask).await.unwrap();
        assert_eq!(plan.calls(), calls);
    }
}
