//! What does a test need that wants real servers, or faults on purpose?
//!
//! Servers are started from the machine's `redis-server` (7.0 or newer; `apt-get install
//! redis-server`) on free ports below 30000, each in a temporary directory. Invariant: whatever a
//! test starts ends with it, also when the test process is killed, and nothing of another process
//! is ever touched.
//!
//! `redis_server`, `redis_cluster` and `sentinel` start servers; `proxy` stands between them and a
//! client, breaks what the test says and counts what goes through; `kvrocks_stub` makes a Redis look
//! like a `KVRocks`; `certificates` makes what TLS needs (`apt-get install openssl`); `flush` empties
//! a server that was there before; `faults` fails calls of a store without any server.
//!
//! Spec: Storage, "Both must pass the same conformance suite".
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is test code: a panic is how it fails"
)]

mod certificates;
mod faults;
mod flush;
mod kvrocks_stub;
mod ports;
mod process;
mod proxy;
mod redis_cluster;
mod redis_server;
mod resp;
mod sentinel;

pub use certificates::Certificates;
pub use faults::FaultPlan;
pub(crate) use faults::{Call, Step};
pub use flush::flush_all;
pub use kvrocks_stub::{KvrocksSettings, KvrocksStub};
pub use proxy::{Direction, Proxy};
pub use redis_cluster::RedisCluster;
pub use redis_server::RedisServer;
pub use resp::{Frame, ask};
pub use sentinel::SentinelGroup;
