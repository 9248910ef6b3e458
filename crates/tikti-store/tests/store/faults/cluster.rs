//! A cluster: slots that move, masters that hand over, and masters that die.

use tikti_store::Partition;
use tikti_store::testing::{RedisCluster, ask};

use super::{Scenario, number_after};
use crate::support::say;

const SLOTS: u16 = 16_384;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_during_writes_loses_nothing() {
    let cluster = RedisCluster::start(3, 0).await;
    let mut scenario = Scenario::start("slot moved", &cluster.url(), 0).await;
    for primitive in ["counter", "chain", "register", "claims", "codes"] {
        let slot = slot_of(&cluster, &Partition::new(primitive, "0"));
        let first = usize::from(slot) * 3 / usize::from(SLOTS);
        for (from, to) in [(first, (first + 1) % 3), ((first + 1) % 3, first)] {
            scenario.let_write().await;
            cluster.move_slot(slot, from, to);
            scenario.recover().await;
        }
    }
    scenario.end_without_loss(&cluster.url()).await;
}

fn slot_of(cluster: &RedisCluster, partition: &Partition) -> u16 {
    let slot = ask(cluster.ports()[0], &["CLUSTER", "KEYSLOT", partition.as_str()]);
    slot.text().parse().unwrap()
}

/// Nodes 3 to 5 are the replicas of nodes 0 to 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinated_failover_loses_nothing() {
    let cluster = RedisCluster::start(3, 1).await;
    let mut scenario = Scenario::start("CLUSTER FAILOVER", &cluster.url(), 0).await;
    for replica in [3, 0, 4] {
        scenario.let_write().await;
        cluster.failover(replica).await;
        scenario.recover().await;
        cluster.wait_until_settled().await;
    }
    scenario.end_without_loss(&cluster.url()).await;
}

/// Bytes that the master of a replica has written and its replica has not acknowledged.
fn lag(cluster: &RedisCluster, master: usize) -> u64 {
    let info = ask(cluster.ports()[master], &["INFO", "replication"]).text();
    let number_after = |name| number_after(&info, name);
    number_after("master_repl_offset:").saturating_sub(number_after(",offset="))
}

/// Kills each of two masters under writes; its replica takes over, and it comes back as a replica.
async fn kill_masters(name: &'static str, wait_replicas: u32) -> (Scenario, RedisCluster) {
    let mut cluster = RedisCluster::start(3, 1).await;
    let mut scenario = Scenario::start(name, &cluster.url(), wait_replicas).await;
    for master in [0, 1] {
        scenario.let_write().await;
        let lag = lag(&cluster, master);
        cluster.kill_node(master);
        cluster.wait_for_master(master + 3).await;
        if wait_replicas == 0 {
            scenario.recover().await;
        }
        say(&format!("faults: {name}: replication lag before the kill {lag} bytes"));
        cluster.restart_node(master);
        cluster.wait_until_settled().await;
        // Only now the new master has a replica again that can be waited for.
        scenario.recover().await;
    }
    (scenario, cluster)
}

/// What had not reached the replica is gone: counted, and told. The contract promises no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_takes_along_only_what_was_not_replicated() {
    let (scenario, cluster) = kill_masters("master killed", 0).await;
    let tally = scenario.end(&cluster.url()).await;
    // A replica on the same machine is a few milliseconds behind.
    assert!(tally.lost < tally.acknowledged / 10, "{:#?}", tally.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_takes_nothing_along_when_a_replica_is_waited_for() {
    let (scenario, cluster) = kill_masters("master killed, waiting for 1 replica", 1).await;
    scenario.end_without_loss(&cluster.url()).await;
}
