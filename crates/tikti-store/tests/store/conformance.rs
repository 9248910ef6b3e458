//! The suite, on every engine. One test a topic, so that a failure names it.
//!
//! Each topic has an empty store of its own: a new directory, or a server that was emptied. A
//! KVRocks is not started here. Where `TIKTI_TEST_KVROCKS` names one by its URL (`redis://`, or
//! `redis+cluster://` with any of its nodes), everything that it holds is deleted, again and again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once, Weak};

use tempfile::TempDir;
use tikti_store::testing::{KvrocksStub, RedisCluster, RedisServer, flush_all};
use tikti_store::{Store, conformance};
use tokio::sync::{Mutex, MutexGuard};

use crate::support::{open, open_url, say};

/// What becomes of a topic on an engine.
struct Progress {
    engine: &'static str,
    passed: AtomicUsize,
}

impl Progress {
    const fn new(engine: &'static str) -> Self {
        Self { engine, passed: AtomicUsize::new(0) }
    }

    /// Says so when this was the last topic.
    fn pass(&self) {
        let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if passed == TOPICS.len() {
            say(&format!("conformance on {}: {passed} of {passed} topics passed", self.engine));
        }
    }
}

/// `$fresh` is an expression that sees `$server`, whose value is alive as long as the topic runs.
macro_rules! engine {
    ($engine:ident, $server:ident = $start:expr, $fresh:expr; $($topic:ident)*) => {
        mod $engine {
            use super::*;

            static PROGRESS: Progress = Progress::new(stringify!($engine));

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $topic() {
                    let Some($server) = $start else {
                        return;
                    };
                    conformance::$topic::run(&async || $fresh).await;
                    PROGRESS.pass();
                }
            )*
        }
    };
}

macro_rules! topics {
    ($($topic:ident),*) => {
        const TOPICS: &[&str] = &[$(stringify!($topic)),*];

        engine!(embedded, server = Some(Directories::new()), server.fresh().await; $($topic)*);
        engine!(redis, server = Some(RedisServer::start()), {
            server.flush_all();
            open_url(&server.url()).await
        }; $($topic)*);
        engine!(redis_cluster, server = Some(Cluster::shared().await), {
            server.cluster.flush_all();
            open_url(&server.cluster.url()).await
        }; $($topic)*);
        engine!(kvrocks_stub, server = Some(KvrocksStub::start()), {
            server.flush_all();
            open_url(&server.url()).await
        }; $($topic)*);
        engine!(kvrocks, server = Kvrocks::named().await, server.fresh().await; $($topic)*);
    };
}

topics!(
    basics,
    conditions,
    transactions,
    expiry,
    scans,
    limits,
    races,
    histories,
    walks,
    reclaiming,
    counters,
    cancellation
);

/// A directory for each embedded store of a topic.
struct Directories {
    parent: TempDir,
    opened: AtomicU64,
}

impl Directories {
    fn new() -> Self {
        Self { parent: TempDir::new().unwrap(), opened: AtomicU64::new(0) }
    }

    async fn fresh(&self) -> Store {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        open(&self.parent.path().join(number.to_string())).await
    }
}

/// A cluster takes seconds to start, so topics have one of them, one after another. It ends with the
/// last one that waits for it.
struct Cluster {
    cluster: Arc<RedisCluster>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    async fn shared() -> Self {
        static STARTED: Mutex<Weak<RedisCluster>> = Mutex::const_new(Weak::new());
        static TURN: Mutex<()> = Mutex::const_new(());
        let mut started = STARTED.lock().await;
        let cluster = match started.upgrade() {
            Some(cluster) => cluster,
            None => Arc::new(RedisCluster::start(3, 0).await),
        };
        *started = Arc::downgrade(&cluster);
        drop(started);
        Self { cluster, _turn: TURN.lock().await }
    }
}

/// The KVRocks that was named: there is one, so topics have it one after another.
struct Kvrocks {
    url: String,
    _turn: MutexGuard<'static, ()>,
}

impl Kvrocks {
    async fn named() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        static SKIPPED: Once = Once::new();
        #[expect(clippy::disallowed_methods, reason = "a test finds the server of its machine")]
        let Ok(url) = std::env::var("TIKTI_TEST_KVROCKS") else {
            SKIPPED.call_once(|| {
                say("skipped: conformance on KVRocks: TIKTI_TEST_KVROCKS names none");
            });
            return None;
        };
        Some(Self { url, _turn: TURN.lock().await })
    }

    async fn fresh(&self) -> Store {
        flush_all(&self.url);
        open_url(&self.url).await
    }
}
