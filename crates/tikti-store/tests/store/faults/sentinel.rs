//! Sentinels: a master that dies is replaced, and is no master when it comes back.

use tikti_store::testing::SentinelGroup;

use super::Scenario;

/// With two replicas, one is left to be waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_goes_on_at_the_replica_that_replaces_the_master() {
    let mut group = SentinelGroup::start(2, 3).await;
    let url = group.url();
    let mut scenario = Scenario::start("sentinel failover", &url, 1).await;
    scenario.let_write().await;
    group.kill_first_master();
    group.wait_for_other_master().await;
    scenario.recover().await;
    scenario.let_write().await;
    group.restart_first_master();
    scenario.recover().await;
    scenario.let_write().await;
    scenario.end_without_loss(&url).await;
}
