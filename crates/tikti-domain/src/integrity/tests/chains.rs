//! Chains of audit events: what does not fit is named, whether or not the chain was pruned.

use super::*;
use crate::audit::Chain;
use crate::audit::chain::{Head, Link, NO_HASH};

impl World {
    pub(super) fn chain(&self) -> Chain {
        Chain::Tenant(self.acme.id.clone())
    }

    async fn put_link(&self, seq: u64, prev_hash: &str, hash: &str) {
        let (prev_hash, hash) = (prev_hash.to_owned(), hash.to_owned());
        let link = Link { seq, chained_at: START, prev_hash, hash, event: "{}".to_owned() };
        self.put(&keyspace::link(&self.chain(), seq), &link).await;
    }

    async fn put_head(&self, seq: u64, hash: &str) {
        let head = Head { seq, chained_at: START, hash: hash.to_owned() };
        self.put(&keyspace::head(&self.chain()), &head).await;
    }

    async fn put_checkpoint(&self, seq: u64, hash: &str) {
        let json =
            format!(r#"{{"seq":{seq},"chainedAt":1,"hash":"{hash}","signedAt":2,"jws":""}}"#);
        self.put_raw(&keyspace::checkpoint(&self.chain()), &json).await;
    }

    pub(super) async fn break_a_chain(&self, rule: Rule) {
        match rule {
            Rule::AuditLinkDiffers => self.put_link(5, "d", "e").await,
            Rule::AuditHeadDiffers => self.put_head(5, "e").await,
            _ => self.put_checkpoint(5, "e").await,
        }
    }

    /// Four links, of which each is named by its hash.
    async fn put_chain(&self) {
        for (seq, prev_hash, hash) in
            [(1, NO_HASH, "a"), (2, "a", "b"), (3, "b", "c"), (4, "c", "d")]
        {
            self.put_link(seq, prev_hash, hash).await;
        }
        self.put_head(4, "d").await;
    }
}

#[tokio::test]
async fn a_chain_fits_at_every_step_of_its_pruning() {
    let world = World::new().await;
    world.put_chain().await;
    assert_eq!(world.broken().await, BTreeSet::new());
    for (seq, hash) in [(2, "b"), (4, "d")] {
        world.put_checkpoint(seq, hash).await;
        assert_eq!(world.broken().await, BTreeSet::new(), "{seq}");
        for gone in 1..=seq {
            world.delete(&keyspace::link(&world.chain(), gone)).await;
            assert_eq!(world.broken().await, BTreeSet::new(), "{seq} {gone}");
        }
    }
}

#[tokio::test]
async fn an_event_that_went_without_a_checkpoint_is_named() {
    let (link, head) = (Rule::AuditLinkDiffers, Rule::AuditHeadDiffers);
    let checkpoint = Rule::AuditCheckpointDiffers;
    for (gone, pruned, expected) in [
        (1, 0, vec![link]),
        (2, 0, vec![link]),
        (4, 0, vec![head]),
        (2, 1, vec![link, checkpoint]),
        (3, 1, vec![link]),
        (4, 1, vec![head]),
        (4, 3, vec![head, checkpoint]),
    ] {
        let world = World::new().await;
        world.put_chain().await;
        if pruned > 0 {
            world.put_checkpoint(pruned, ["a", "b", "c"][pruned as usize - 1]).await;
        }
        world.delete(&keyspace::link(&world.chain(), gone)).await;
        let expected: BTreeSet<_> = expected.into_iter().collect();
        assert_eq!(world.broken().await, expected, "{gone} {pruned}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_hash_is_named_by_the_event_behind_it() {
    let world = World::new().await;
    world.put_chain().await;
    world.put_checkpoint(2, "x").await;
    for seq in 1..=2 {
        world.delete(&keyspace::link(&world.chain(), seq)).await;
    }
    assert_eq!(world.broken().await, [Rule::AuditLinkDiffers].into());
}
