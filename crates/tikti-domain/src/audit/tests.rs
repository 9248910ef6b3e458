//! Events and their changes: neither without the other, and each event in its chain once, whoever
//! repeats, sleeps or comes at the same time.

use std::collections::BTreeSet;

use super::chain::{Head, Link};
use super::*;
use crate::domain::Caller;
use crate::error::Code;
use crate::etag::Precondition;
use crate::id::{RoleName, TenantRef};
use crate::intent::{Changing, Work};
use crate::page::PageRequest;
use crate::scope::ScopeSet;
use crate::sweep::{SWEEP_AFTER_MILLIS, SweepCursor, sweep};
use crate::tenancy::{PutRole, create_role};
use crate::testing::{FaultPlan, Fixture, all, bearing};

mod accounts;

/// Every link of a chain, in the order of the numbers.
pub(crate) async fn links_of(domain: &Domain, chain: &Chain, now: Timestamp) -> Vec<Link> {
    let partition = keyspace::of_chain(chain);
    let mut links = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let scanned = domain.store.scan(&partition, keyspace::LINK, after.as_deref(), 100, now);
        let page = scanned.await.unwrap();
        for (id, stored) in page.entries {
            let key = tikti_store::Key::new(&partition, keyspace::LINK, &id);
            links.push(Link::decode(&key, &stored).unwrap());
        }
        match page.next {
            Some(next) => after = Some(next.to_vec()),
            None => return links,
        }
    }
}

/// The ids of the events of a tenant: in its chain, or on their way. Fails where one is in the chain
/// twice, or the chain is not whole.
pub(crate) async fn events_of(
    domain: &Domain,
    tenant: &TenantId,
    now: Timestamp,
) -> BTreeSet<String> {
    let links = links_of(domain, &Chain::Tenant(tenant.clone()), now).await;
    let (mut ids, mut before) = (BTreeSet::new(), (0, chain::NO_HASH.to_owned()));
    for link in links {
        let Link { seq, chained_at, prev_hash, hash, event } = link;
        assert_eq!((seq, &prev_hash), (before.0 + 1, &before.1));
        assert_eq!(hash, chain::hash(seq, chained_at, &prev_hash, &event));
        before = (seq, hash);
        let event: serde_json::Value = serde_json::from_str(&event).unwrap();
        assert!(ids.insert(event["id"].as_str().unwrap().to_owned()), "{event} is there twice");
    }
    let partition = keyspace::of_tenant(tenant);
    let notes = domain.store.scan(&partition, keyspace::NOTE, None, 100, now).await.unwrap();
    ids.extend(notes.entries.iter().map(|(id, _)| String::from_utf8_lossy(id).into_owned()));
    ids
}

pub(super) async fn tenant(fixture: &Fixture) -> (Caller, TenantId) {
    fixture.admin("root@corp.sys").await;
    let tenant = fixture.tenant("root@corp.sys", "acme").await.id;
    (bearing(&fixture.sign_in("root@corp.sys").await.id_token), tenant)
}

pub(super) async fn assert_clean(fixture: &Fixture) {
    let store = &fixture.domain.store;
    let report = crate::integrity::verify(store, fixture.now(), &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (Vec::new(), 0));
}

#[tokio::test]
async fn a_hundred_changes_at_once_are_a_hundred_links_without_a_gap() {
    let fixture = Fixture::new().await;
    let (root, acme) = tenant(&fixture).await;
    let reference = TenantRef::from(&acme);
    let asks: Vec<_> = (0..100)
        .map(|number| PutRole {
            name: RoleName::parse(&format!("R{number}")).unwrap(),
            permissions: ScopeSet::parse("jobs:read").unwrap(),
            precondition: Precondition::None,
        })
        .collect();
    let made = all(asks.iter().map(|ask| create_role(&fixture.domain, &root, &reference, ask)));
    for outcome in made.await {
        outcome.unwrap();
    }
    let chain = Chain::Tenant(acme.clone());
    let links = links_of(&fixture.domain, &chain, fixture.now()).await;
    assert_eq!(links.len(), 100);
    assert_eq!(events_of(&fixture.domain, &acme, fixture.now()).await.len(), 100);
    let key = keyspace::head(&chain);
    let stored = fixture.domain.store.get(&key, fixture.now()).await.unwrap();
    let head = Head::decode_optional(&key, stored.as_ref()).unwrap().unwrap();
    let last = links.last().unwrap();
    assert_eq!((head.seq, &head.hash), (100, &last.hash));
    assert_clean(&fixture).await;
}

/// What the audit says of something that a user did to the deployment.
pub(crate) fn draft_of(action: Action, target: &str) -> Draft {
    let who = Who::User(UserId::parse("u1").unwrap());
    Draft {
        action,
        target: target.to_owned(),
        tenant_id: None,
        actor: Actor { who, session_id: None, ip: None },
        request_id: "r1".to_owned(),
        cross_tenant: false,
        details: BTreeMap::new(),
    }
}

/// A change that was made, and whose process died then.
async fn left_note(fixture: &Fixture, tenant: &TenantId) -> OperationId {
    let (domain, now) = (&fixture.domain, fixture.now());
    let place = NotePlace::Tenant(tenant.clone());
    let operation = intent::begin(domain, Work::Change(Changing { place }), now).await.unwrap();
    let partition = keyspace::of_tenant(tenant);
    let tenant_id = Some(tenant.clone());
    let draft = Draft { tenant_id, ..draft_of(Action::RoleCreate, "CLERK") };
    let chain = Chain::Tenant(tenant.clone());
    let left = domain.store.transact(&partition, &[], now, |txn| {
        note(txn, &partition, &operation, (&chain, &draft), now)
    });
    left.await.unwrap();
    operation
}

#[tokio::test]
async fn an_event_is_delivered_once_however_often_and_by_how_many() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let (place, partition) = (NotePlace::Tenant(acme.clone()), keyspace::of_tenant(&acme));
    for round in 1..=5_usize {
        let operation = left_note(&fixture, &acme).await;
        let settled = all((0..10).map(|_| settle(domain, &operation, &place, now)));
        let delivered = all((0..10).map(|_| deliver(domain, &operation, &partition, now)));
        let (settled, delivered) = tokio::join!(settled, delivered);
        settled.into_iter().chain(delivered).for_each(|outcome| outcome.unwrap());
        settle(domain, &operation, &place, now).await.unwrap();
        deliver(domain, &operation, &partition, now).await.unwrap();
        let links = links_of(domain, &Chain::Tenant(acme.clone()), now).await;
        assert_eq!(links.len(), round);
        assert_eq!(events_of(domain, &acme, now).await.len(), round);
    }
    assert_clean(&fixture).await;
}

/// Whoever has read a note may come with it long after others have added and removed it.
#[tokio::test]
async fn who_comes_late_with_a_note_adds_no_second_link() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let domain = &fixture.domain;
    let operation = left_note(&fixture, &acme).await;
    let key = keyspace::note(&keyspace::of_tenant(&acme), &operation);
    let stored = domain.store.get(&key, fixture.now()).await.unwrap();
    let held = Note::decode_optional(&key, stored.as_ref()).unwrap().unwrap();
    fixture.clock.advance(SWEEP_AFTER_MILLIS);
    let swept = sweep(domain, &mut SweepCursor::default(), fixture.now()).await.unwrap();
    assert_eq!((swept.finished, swept.failed), (1, 0));
    fixture.clock.advance(12 * 3_600_000);
    let now = fixture.now();
    chain::append(domain, &held.chain, (&operation, held.event), now).await.unwrap();
    assert_eq!(links_of(domain, &Chain::Tenant(acme.clone()), now).await.len(), 1);
    assert_clean(&fixture).await;
}

/// Adds events to a tenant's chain, ten seconds apart, by one of two users in turn.
pub(super) async fn fill(fixture: &Fixture, chain: &Chain, count: u64) {
    for number in 1..=count {
        let operation = OperationId::generate(fixture.now(), &fixture.domain.random).unwrap();
        let (action, actor) =
            if number % 100 == 0 { ("role.delete", "u2") } else { ("role.create", "u1") };
        let event = format!(
            r#"{{"id":"{operation}","action":"{action}","actor":{{"type":"user","id":"{actor}"}}}}"#
        );
        let now = fixture.now();
        chain::append(&fixture.domain, chain, (&operation, event), now).await.unwrap();
        fixture.clock.advance(10_000);
    }
}

pub(super) fn query(size: u64) -> AuditQuery {
    let page = PageRequest::new(Some(size), None).unwrap();
    AuditQuery { from: None, to: None, action: None, actor: None, page }
}

/// The numbers of every page, and how many pages there were.
async fn numbers(fixture: &Fixture, root: &Caller, mut ask: AuditQuery) -> (Vec<u64>, usize) {
    let (mut numbers, mut pages) = (Vec::new(), 0);
    loop {
        let acme = TenantRef::parse("acme").unwrap();
        let page = list_events(&fixture.domain, root, (&acme, &ask)).await.unwrap();
        assert!(page.items.len() <= usize::from(ask.page.size));
        numbers.extend(page.items.iter().map(|link| link.seq));
        pages += 1;
        match page.next {
            Some(next) => ask.page.token = Some(next),
            None => return (numbers, pages),
        }
    }
}

#[tokio::test]
async fn events_are_paged_in_order_and_found_by_time_action_and_actor() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let begun = fixture.now();
    fill(&fixture, &Chain::Tenant(acme), 2_500).await;
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let all: Vec<u64> = (1..=2_500).collect();
    assert_eq!(numbers(&fixture, &root, query(200)).await, (all.clone(), 13));
    // Link n was added at n - 1 times ten seconds.
    for (from, to) in
        [(0, 1), (1, 10_000), (9_999, 10_001), (10_000, 20_000), (3_333_333, 9_999_999)]
    {
        let times = (begun.plus_millis(from), begun.plus_millis(to));
        let ask = AuditQuery { from: Some(times.0), to: Some(times.1), ..query(50) };
        let expected = |seq: &&u64| (from..to).contains(&((*seq - 1) * 10_000));
        let expected: Vec<u64> = all.iter().filter(expected).copied().collect();
        assert_eq!(numbers(&fixture, &root, ask).await.0, expected, "{from} {to}");
    }
    let late = AuditQuery { from: Some(fixture.now()), ..query(50) };
    assert_eq!(numbers(&fixture, &root, late).await.0, Vec::<u64>::new());
    let hundreds: Vec<u64> = (1..=25).map(|hundred| hundred * 100).collect();
    let by_action = AuditQuery { action: Some(Action::RoleDelete), ..query(50) };
    assert_eq!(numbers(&fixture, &root, by_action).await, (hundreds.clone(), 3));
    let by_actor = AuditQuery { actor: Some("u2".to_owned()), ..query(1) };
    assert_eq!(numbers(&fixture, &root, by_actor).await.0, hundreds);
    let nobody = AuditQuery { actor: Some("u3".to_owned()), ..query(200) };
    assert_eq!(numbers(&fixture, &root, nobody).await, (vec![], 3));
}

#[tokio::test]
async fn a_page_costs_the_same_in_a_chain_of_any_length() {
    let fixture = Fixture::new().await;
    let (_, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    let mut made = Vec::new();
    for count in [300, 3_000] {
        fill(&fixture, &chain, count).await;
        let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
        let plan = FaultPlan::crash_after(1_000);
        let replica = fixture.replica(count, &plan).await;
        let reference = TenantRef::from(&acme);
        let first = list_events(&replica, &root, (&reference, &query(50))).await.unwrap();
        assert_eq!(first.items.len(), 50);
        made.push(plan.calls());
    }
    assert_eq!(made[0], made[1]);
    assert!(made[0] <= 8, "{made:?}");
}

#[tokio::test]
async fn e5_a_page_token_of_another_chain_is_refused() {
    let fixture = Fixture::new().await;
    let (root, acme) = tenant(&fixture).await;
    let beta = fixture.tenant("root@corp.sys", "beta").await.id;
    for tenant in [&acme, &beta] {
        fill(&fixture, &Chain::Tenant(tenant.clone()), 3).await;
    }
    let domain = &fixture.domain;
    let of = |tenant: &TenantId| TenantRef::from(tenant);
    let first = list_events(domain, &root, (&of(&acme), &query(1))).await.unwrap();
    let mut ask = query(1);
    ask.page.token = first.next;
    let refused = list_events(domain, &root, (&of(&beta), &ask)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = list_deployment_events(domain, &root, &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    list_events(domain, &root, (&of(&acme), &ask)).await.unwrap();
}

/// One tour of all chains; how many heads were signed.
async fn tour(fixture: &Fixture, cursor: &mut HeadsCursor) -> usize {
    let mut signed = 0;
    loop {
        let done = sign_heads(&fixture.domain, cursor, fixture.now()).await.unwrap();
        assert_eq!(done.failed, 0);
        signed += done.signed;
        if !done.more {
            return signed;
        }
    }
}

/// What the published head of the tenant `acme` says, verified by the published keys.
async fn told(fixture: &Fixture) -> tikti_token::AuditHeadClaims {
    let root = bearing(&fixture.sign_in("root@corp.sys").await.id_token);
    let acme = TenantRef::parse("acme").unwrap();
    let head = read_head(&fixture.domain, &root, &acme).await.unwrap();
    let head = head.head;
    let keys = &*fixture.domain.verifiers();
    let told = tikti_token::verify_audit_head(&head.jws, keys).unwrap().into_claims();
    assert_eq!((told.seq, told.iat), (head.seq, clock::seconds(head.signed_at)));
    told
}

#[tokio::test]
async fn heads_of_chains_that_have_grown_are_signed_hourly() {
    let fixture = Fixture::new().await;
    let (root, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    let reference = TenantRef::from(&acme);
    let mut cursor = HeadsCursor::default();
    // That the tenant was made is an event of the deployment; the tenant has none yet.
    assert_eq!(tour(&fixture, &mut cursor).await, 1);
    let none = read_head(&fixture.domain, &root, &reference).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    fill(&fixture, &chain, 3).await;
    // A tour rests; the next one finds what is new.
    assert_eq!(tour(&fixture, &mut cursor).await, 0);
    fixture.clock.advance(5 * 60_000);
    assert_eq!(tour(&fixture, &mut cursor).await, 1);
    let first = told(&fixture).await;
    let links = links_of(&fixture.domain, &chain, fixture.now()).await;
    let last = links.last().unwrap();
    assert_eq!((first.chain.as_str(), first.seq, &first.hash), (acme.as_str(), 3, &last.hash));
    assert_eq!(first.chained_at, clock::rfc3339(last.chained_at));
    // Not again within the hour, and not again where nothing has grown.
    fill(&fixture, &chain, 1).await;
    fixture.clock.advance(SIGN_AFTER_MILLIS - 11_000);
    assert_eq!(tour(&fixture, &mut cursor).await, 0);
    fixture.clock.advance(SIGN_AFTER_MILLIS);
    assert_eq!(tour(&fixture, &mut cursor).await, 1);
    assert_eq!(told(&fixture).await.seq, 4);
    fixture.clock.advance(2 * SIGN_AFTER_MILLIS);
    assert_eq!(tour(&fixture, &mut cursor).await, 0);
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_hides_no_other_and_the_deployment_has_its_own() {
    let fixture = Fixture::new().await;
    let (root, acme) = tenant(&fixture).await;
    let beta = fixture.tenant("root@corp.sys", "beta").await.id;
    for chain in [Chain::Tenant(acme), Chain::Tenant(beta.clone()), Chain::Deployment] {
        fill(&fixture, &chain, 1).await;
    }
    let key = keyspace::head(&Chain::Tenant(beta));
    let broken = Entry::new(b"\x01{}");
    fixture.domain.store.put(&key, broken, fixture.now()).await.unwrap();
    let mut cursor = HeadsCursor::default();
    let done = sign_heads(&fixture.domain, &mut cursor, fixture.now()).await.unwrap();
    assert_eq!(done, HeadsSigned { signed: 2, failed: 1, more: false });
    let head = read_deployment_head(&fixture.domain, &root).await.unwrap();
    let keys = &*fixture.domain.verifiers();
    assert_eq!(tikti_token::verify_audit_head(&head.head.jws, keys).unwrap().chain, "-");
}

#[tokio::test]
async fn a6_a_signed_head_is_no_bearer_token() {
    let fixture = Fixture::new().await;
    let (root, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme.clone());
    fill(&fixture, &chain, 1).await;
    tour(&fixture, &mut HeadsCursor::default()).await;
    let acme = TenantRef::from(&acme);
    let head = read_head(&fixture.domain, &root, &acme).await.unwrap().head.jws;
    let bearer = bearing(&head.into());
    let refused = read_head(&fixture.domain, &bearer, &acme).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = read_deployment_head(&fixture.domain, &bearer).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
