//! A replica that is behind: what is an acknowledged write worth when its master dies?
//!
//! A ledger is kept beside the journals: of each write how far the log of the master was before it was
//! sent and after it was acknowledged. What the replica had is compared with that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tikti_store::testing::{Direction, SentinelGroup};
use tikti_store::{Entry, Key, Partition, Store};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Scenario, number_after};
use crate::support::{NOW, RECORD, open_url, say, value};

/// How long a write is on its way to the replica, at least.
const LAG: Duration = Duration::from_millis(50);
/// So many writes of the ledger are certain to be under way when the master dies.
const BEHIND: usize = 20;

/// A write that was acknowledged, and the offsets of the master around it.
struct Acknowledged {
    key: Key,
    before: u64,
    after: u64,
}

fn offset(group: &SentinelGroup, server: usize, name: &str) -> u64 {
    number_after(&group.call(server, &["INFO", "replication"]).text(), name)
}

/// Waits until the replica has what the master has now.
async fn wait_for_replica(group: &SentinelGroup) {
    let goal = offset(group, 0, "master_repl_offset:");
    let waiting = async {
        while offset(group, 1, "slave_repl_offset:") < goal {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("the replica follows");
}

/// Writes until it is told to stop, each time another record.
async fn keep_ledger(
    group: Arc<SentinelGroup>,
    store: Store,
    stop: watch::Receiver<bool>,
    written: Arc<AtomicUsize>,
) -> Vec<Acknowledged> {
    let mut ledger = Vec::new();
    let master = || offset(&group, 0, "master_repl_offset:");
    while !*stop.borrow() {
        let partition = Partition::new("ledger", &ledger.len().to_string());
        let (key, before) = (Key::new(&partition, RECORD, ""), master());
        store.put(&key, Entry::new(b"x"), NOW).await.unwrap();
        ledger.push(Acknowledged { key, before, after: master() });
        written.store(ledger.len(), Ordering::Release);
    }
    ledger
}

/// What is left of a scenario whose master has been replaced.
struct Replaced {
    scenario: Scenario,
    ledger: Vec<Acknowledged>,
    /// How much of the log of the old master the new one has.
    had: u64,
    url: String,
    _group: SentinelGroup,
}

/// Lets a replica lag, kills the master and waits until the replica has taken its place. Where nobody
/// waits for the replica, nothing reaches it any more for a while before.
async fn replace_master(name: &'static str, wait_replicas: u32) -> Replaced {
    let group = Arc::new(SentinelGroup::start_with_link().await);
    let url = group.url();
    let mut scenario = Scenario::start(name, &url, wait_replicas).await;
    // What makes it a store of ours is not what is to be lost.
    wait_for_replica(&group).await;
    group.link().delay(Direction::Reply, LAG);
    let (stop, stopped) = watch::channel(false);
    let written = Arc::new(AtomicUsize::new(0));
    let store = scenario.store.clone();
    let ledger = keep_ledger(Arc::clone(&group), store, stopped, Arc::clone(&written));
    let mut tasks = JoinSet::new();
    tasks.spawn(ledger);
    let wait_for_more = async |more: usize| {
        let goal = written.load(Ordering::Acquire) + more;
        let waiting = async {
            while written.load(Ordering::Acquire) < goal {
                tokio::task::yield_now().await;
            }
        };
        // Where the ledger has ended by a panic, nothing comes any more.
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("writes go on");
    };
    wait_for_more(BEHIND).await;
    scenario.let_write().await;
    if wait_replicas == 0 {
        // A part of the ledger is there.
        wait_for_replica(&group).await;
        group.link().hold();
        wait_for_more(BEHIND).await;
    }
    stop.send(true).unwrap();
    let ledger = tasks.join_next().await.unwrap().unwrap();
    let mut group = Arc::into_inner(group).unwrap();
    let at_death = offset(&group, 0, "master_repl_offset:");
    group.kill_first_master();
    group.wait_for_other_master().await;
    // Where the history of the old master ends in that of the new one.
    let had = offset(&group, 1, "second_repl_offset:") - 1;
    say(&format!("faults: {name}: the replica was {} bytes behind", at_death.saturating_sub(had)));
    if wait_replicas > 0 {
        group.add_replica(1);
    }
    scenario.recover().await;
    Replaced { scenario, ledger, had, url, _group: group }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_is_exactly_what_had_not_reached_the_replica() {
    let replaced = replace_master("master killed, replica behind", 0).await;
    let Replaced { scenario, ledger, had, url, _group } = replaced;
    let store = open_url(&url).await;
    let mut lost = 0;
    for Acknowledged { key, before, after } in &ledger {
        let is_there = value(&store, key).await.is_some();
        lost += usize::from(!is_there);
        assert!(is_there || *after > had, "{key} was at {after}, and the replica had {had}");
        assert!(!is_there || *before < had, "{key} was behind {before}, and the replica had {had}");
    }
    let kept = ledger.len() - lost;
    say(&format!("faults: {}: of the ledger {lost} lost, {kept} kept", scenario.name));
    assert!(lost >= BEHIND && kept > 0, "{lost} lost, {kept} kept");
    scenario.end(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_with_a_replica_that_lags_when_it_is_waited_for() {
    let replaced = replace_master("master killed, waiting for a replica behind", 1).await;
    let Replaced { scenario, ledger, had, url, _group } = replaced;
    let store = open_url(&url).await;
    for Acknowledged { key, before, .. } in &ledger {
        assert!(value(&store, key).await.is_some(), "{key} is lost");
        assert!(*before < had, "{key} was acknowledged before the replica had it");
    }
    scenario.end_without_loss(&url).await;
}
