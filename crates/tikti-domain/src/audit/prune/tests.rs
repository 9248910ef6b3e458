//! Pruning: what is old goes behind a signed checkpoint, never without it, whoever dies or comes at the
//! same time; and what is left is a chain that is whole.

use std::time::Duration;

use tikti_token::verify_audit_head;

use super::super::chain::Link;
use super::super::tests::{assert_clean, fill, links_of, query, tenant};
use super::super::{AuditQuery, HeadsCursor, list_events, read_head, sign_heads};
use super::*;
use crate::clock;
use crate::domain::Caller;
use crate::id::TenantRef;
use crate::testing::{FaultPlan, Fixture, all, bearing};

/// Thirty-two days: older than what is kept here, whatever the hour.
const OLD_MILLIS: u64 = 32 * DAY_MILLIS;

/// A deployment that keeps events for thirty days, and the chain of a tenant with so many of them.
async fn filled(count: u64) -> (Fixture, Chain) {
    let fixture =
        Fixture::with(|settings| settings.audit_retention = Duration::from_hours(30 * 24)).await;
    let (_, acme) = tenant(&fixture).await;
    let chain = Chain::Tenant(acme);
    fill(&fixture, &chain, count).await;
    (fixture, chain)
}

/// As [`filled`]; those are old then, and so many others are not.
async fn aged(old: u64, young: u64) -> (Fixture, Chain) {
    let (fixture, chain) = filled(old).await;
    fixture.clock.advance(OLD_MILLIS);
    fill(&fixture, &chain, young).await;
    (fixture, chain)
}

async fn root(fixture: &Fixture) -> Caller {
    bearing(&fixture.sign_in("root@corp.sys").await.id_token)
}

/// One tour; what it did.
async fn tour(domain: &Domain, now: Timestamp) -> Result<Pruned, Error> {
    let (mut cursor, mut sum) = (PruneCursor::default(), Pruned::default());
    loop {
        let done = prune(domain, &mut cursor, now).await?;
        sum.checkpoints += done.checkpoints;
        sum.removed += done.removed;
        sum.failed += done.failed;
        if !done.more {
            return Ok(sum);
        }
    }
}

/// Tours with their pauses, until one finds nothing to do.
async fn settle(fixture: &Fixture) {
    loop {
        let done = tour(&fixture.domain, fixture.now()).await.unwrap();
        assert_eq!(done.failed, 0);
        if done == Pruned::default() {
            return;
        }
        fixture.clock.advance(REMOVE_AFTER_MILLIS);
    }
}

async fn checkpoint_of(fixture: &Fixture, chain: &Chain) -> Option<Checkpoint> {
    find(&fixture.domain, chain, fixture.now()).await.unwrap()
}

/// The links are one chain that ends with its head and begins with the first event or behind the
/// checkpoint, or with one that the checkpoint names.
async fn assert_whole(fixture: &Fixture, chain: &Chain) -> Vec<Link> {
    let links = links_of(&fixture.domain, chain, fixture.now()).await;
    let ends = ends(&fixture.domain, chain, fixture.now()).await.unwrap().unwrap();
    let begin = begin_of(ends.checkpoint.as_ref());
    let first = links.first().map_or(begin.seq + 1, |link| link.seq);
    assert!(first <= begin.seq + 1, "{first} {}", begin.seq);
    let left = links.iter().filter(|link| link.seq > begin.seq).cloned().map(Some);
    assert_eq!(verify(left, Some(&begin), Some(&ends.head)).unwrap(), ends.head);
    if let Some(checkpoint) = ends.checkpoint {
        let keys = &*fixture.domain.verifiers();
        let told = verify_audit_head(&checkpoint.jws, keys).unwrap().into_claims();
        assert_eq!((told.seq, told.pruned), (checkpoint.seq, Some(checkpoint.seq)));
        assert_eq!((told.hash, told.iat), (checkpoint.hash, clock::seconds(checkpoint.signed_at)));
        assert_eq!(told.chained_at, clock::rfc3339(checkpoint.chained_at));
    }
    assert_clean(fixture).await;
    links
}

#[tokio::test]
async fn old_events_go_behind_a_signed_checkpoint_and_others_stay() {
    let (fixture, chain) = aged(2_500, 30).await;
    let now = fixture.now();
    let done = tour(&fixture.domain, now).await.unwrap();
    // One of this tenant and one of the deployment, of a thousand events at most.
    assert_eq!(done, Pruned { checkpoints: 2, ..Pruned::default() });
    assert_eq!(checkpoint_of(&fixture, &chain).await.unwrap().seq, 1_000);
    assert_eq!(assert_whole(&fixture, &chain).await.len(), 2_530);
    // Whoever began to read before is given time.
    fixture.clock.advance(REMOVE_AFTER_MILLIS - 1);
    assert_eq!(tour(&fixture.domain, fixture.now()).await.unwrap(), Pruned::default());
    fixture.clock.advance(1);
    assert_eq!(tour(&fixture.domain, fixture.now()).await.unwrap().removed, 1_001);
    assert_eq!(assert_whole(&fixture, &chain).await.len(), 1_530);
    settle(&fixture).await;
    let left: Vec<u64> = assert_whole(&fixture, &chain).await.iter().map(|link| link.seq).collect();
    assert_eq!(left, (2_501..=2_530).collect::<Vec<_>>());
    // It grows on, and goes when its time has come.
    fill(&fixture, &chain, 5).await;
    fixture.clock.advance(OLD_MILLIS);
    settle(&fixture).await;
    assert_eq!(assert_whole(&fixture, &chain).await.len(), 0);
    fill(&fixture, &chain, 1).await;
    assert_eq!(assert_whole(&fixture, &chain).await[0].seq, 2_536);
}

#[tokio::test]
async fn nothing_goes_before_its_time() {
    let (fixture, chain) = filled(100).await;
    fixture.clock.advance(30 * DAY_MILLIS - 1_001_000);
    settle(&fixture).await;
    assert_eq!(checkpoint_of(&fixture, &chain).await, None);
    assert_eq!(assert_whole(&fixture, &chain).await.len(), 100);
}

#[tokio::test]
async fn a_crash_at_any_call_leaves_chain_and_checkpoint_together() {
    let mut ended = false;
    for calls in 0.. {
        let (fixture, chain) = aged(120, 3).await;
        for seed in [2, 3] {
            sign_heads(&fixture.domain, &mut HeadsCursor::default(), fixture.now()).await.unwrap();
            let plan = FaultPlan::crash_after(calls);
            let replica = fixture.replica(seed, &plan).await;
            let outcome = tour(&replica, fixture.now()).await;
            assert_whole(&fixture, &chain).await;
            ended = outcome.is_ok();
            fixture.clock.advance(REMOVE_AFTER_MILLIS);
        }
        settle(&fixture).await;
        assert_eq!(assert_whole(&fixture, &chain).await.len(), 3);
        if ended {
            assert!(calls > 10, "{calls}");
            return;
        }
    }
}

#[tokio::test]
async fn replicas_that_prune_at_once_leave_one_checkpoint() {
    let (fixture, chain) = aged(300, 3).await;
    let mut replicas = Vec::new();
    for seed in 2..6 {
        replicas.push(fixture.replica(seed, &FaultPlan::crash_after(100_000)).await);
    }
    let (mut checkpoints, mut before) = (0, 0);
    for _ in 0..3 {
        let now = fixture.now();
        for done in all(replicas.iter().map(|replica| tour(replica, now))).await {
            checkpoints += done.unwrap().checkpoints;
        }
        let seq = checkpoint_of(&fixture, &chain).await.unwrap().seq;
        assert!(seq >= before);
        before = seq;
        assert_whole(&fixture, &chain).await;
        fixture.clock.advance(REMOVE_AFTER_MILLIS);
    }
    // The tenant's and the deployment's.
    assert_eq!((checkpoints, before), (2, 300));
    assert_eq!(assert_whole(&fixture, &chain).await.len(), 3);
}

#[tokio::test]
async fn a_slower_replica_takes_no_checkpoint_back() {
    let (fixture, chain) = aged(30, 0).await;
    let links = links_of(&fixture.domain, &chain, fixture.now()).await;
    let at = |seq: usize| {
        let Link { seq, chained_at, hash, .. } = links[seq - 1].clone();
        Head { seq, chained_at, hash }
    };
    assert!(put(&fixture.domain, &chain, at(20), fixture.now()).await.unwrap());
    assert!(!put(&fixture.domain, &chain, at(10), fixture.now()).await.unwrap());
    assert!(!put(&fixture.domain, &chain, at(20), fixture.now()).await.unwrap());
    assert_eq!(checkpoint_of(&fixture, &chain).await.unwrap().seq, 20);
}

#[tokio::test]
async fn what_is_not_whole_is_not_pruned_and_hides_no_other_chain() {
    let (fixture, chain) = aged(30, 3).await;
    fixture.domain.store.delete(&keyspace::link(&chain, 7)).await.unwrap();
    let done = tour(&fixture.domain, fixture.now()).await.unwrap();
    assert_eq!((done.checkpoints, done.failed), (2, 0));
    assert_eq!(checkpoint_of(&fixture, &chain).await.unwrap().seq, 6);
    for _ in 0..3 {
        fixture.clock.advance(REMOVE_AFTER_MILLIS);
        tour(&fixture.domain, fixture.now()).await.unwrap();
    }
    let done = tour(&fixture.domain, fixture.now()).await.unwrap();
    assert_eq!(done, Pruned { failed: 1, ..Pruned::default() });
    assert_eq!(checkpoint_of(&fixture, &chain).await.unwrap().seq, 6);
    assert_eq!(links_of(&fixture.domain, &chain, fixture.now()).await[0].seq, 8);
    let of_deployment = links_of(&fixture.domain, &Chain::Deployment, fixture.now()).await;
    assert_eq!(of_deployment.len(), 0);
}

#[tokio::test]
async fn signed_heads_go_with_the_events_that_they_are_over() {
    let (fixture, chain) = filled(10).await;
    let sign = async || {
        sign_heads(&fixture.domain, &mut HeadsCursor::default(), fixture.now()).await.unwrap();
    };
    sign().await;
    fixture.clock.advance(OLD_MILLIS);
    fill(&fixture, &chain, 5).await;
    sign().await;
    settle(&fixture).await;
    let partition = keyspace::of_chain(&chain);
    let kept = fixture.domain.store.scan(&partition, keyspace::SIGNED, None, 10, fixture.now());
    let ids: Vec<String> = kept
        .await
        .unwrap()
        .entries
        .iter()
        .map(|(id, _)| String::from_utf8_lossy(id).into_owned())
        .collect();
    assert_eq!(ids, ["000000000000000f"]);
    let acme = TenantRef::parse("acme").unwrap();
    let ends = read_head(&fixture.domain, &root(&fixture).await, &acme).await.unwrap();
    assert_eq!((ends.head.seq, ends.checkpoint.unwrap().seq), (15, 10));
}

#[tokio::test]
async fn reading_begins_behind_the_checkpoint_and_a_token_of_a_pruned_part_is_refused() {
    let (fixture, chain) = aged(30, 20).await;
    let acme = TenantRef::parse("acme").unwrap();
    let caller = root(&fixture).await;
    let read = async |ask: AuditQuery| list_events(&fixture.domain, &caller, (&acme, &ask)).await;
    let of = |token: Option<String>| {
        let mut ask = query(10);
        ask.page.token = token;
        ask
    };
    // Tokens that go on behind events 10, 20 and 30.
    let mut tokens = vec![None];
    for _ in 0..3 {
        let next = read(of(tokens.last().unwrap().clone())).await.unwrap().next;
        tokens.push(next);
    }
    assert_eq!(tour(&fixture.domain, fixture.now()).await.unwrap().checkpoints, 2);
    // Already before anything is removed.
    for token in &tokens[1..=2] {
        let refused = read(of(token.clone())).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let first = |page: &super::super::EventPage| page.items[0].seq;
    let on = read(of(tokens[3].clone())).await.unwrap();
    assert_eq!(first(&on), 31);
    let anew = read(query(10)).await.unwrap();
    assert_eq!((first(&anew), anew.checkpoint.unwrap().seq), (31, 30));
    let since = read(AuditQuery { from: Some(crate::testing::START), ..query(10) }).await.unwrap();
    assert_eq!(first(&since), 31);
    let none = links_of(&fixture.domain, &chain, fixture.now()).await;
    assert_eq!(none.len(), 50);
}
