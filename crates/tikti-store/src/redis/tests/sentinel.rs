//! A master that sentinels watch over.

use super::support::{bulk, connect, get, options, recovers, refusal, set};
use crate::testing::SentinelGroup;

#[tokio::test]
async fn follows_the_sentinels_to_another_master_and_not_back() {
    let mut group = SentinelGroup::start(1, 3).await;
    let servers = connect(&group.url()).await;
    set(&servers, "{a}/k/1", "x").await.unwrap();
    group.kill_first_master();
    assert!(set(&servers, "{a}/k/1", "lost").await.is_err());
    group.wait_for_other_master().await;
    recovers(|| set(&servers, "{a}/k/1", "y")).await;
    group.restart_first_master();
    for _ in 0..100 {
        assert_eq!(get(&servers, "{a}/k/1").await, bulk("y"));
    }
    // A store that is opened now finds the right one as well.
    let anew = connect(&group.url()).await;
    assert_eq!(get(&anew, "{a}/k/1").await, bulk("y"));
}

#[tokio::test]
async fn refuses_a_master_that_the_sentinels_do_not_know() {
    let group = SentinelGroup::start(1, 1).await;
    let said = refusal(&group.url().replace("/main", "/other"), &options()).await;
    assert!(said.contains("know no master called \"other\""), "{said}");
    // A password for the servers is no reason for a sentinel to turn us away.
    let said = refusal(&group.url().replace("://", "://:secret@"), &options()).await;
    assert!(said.contains("the password is wrong, missing, or not wanted"), "{said}");
}
