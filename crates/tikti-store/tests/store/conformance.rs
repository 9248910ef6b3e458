//! The suite, one test a topic so that a failure names it and topics run at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tikti_store::conformance;

use crate::support::open;

macro_rules! topics {
    ($($topic:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $topic() {
            let (directory, opened) = (TempDir::new().unwrap(), AtomicU64::new(0));
            let fresh = async || {
                let number = opened.fetch_add(1, Ordering::Relaxed);
                open(&directory.path().join(number.to_string())).await
            };
            conformance::$topic::run(&fresh).await;
        }
    )*};
}

topics!(basics, conditions, transactions, expiry, scans, limits, races, histories);
