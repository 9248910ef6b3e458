//! A master, its replicas, and the sentinels that replace it when it is gone.
//!
//! Invariant: it is handed out when every sentinel knows every other one and every replica, so that
//! a failover can happen from then on.
//!
//! Spec: Storage, `redis+sentinel://`.

use std::fs;

use tempfile::TempDir;

use super::ports;
use super::process::Process;
use super::proxy::Proxy;
use super::redis_cluster::wait_for;
use super::redis_server::RedisServer;
use super::resp;

/// How the sentinels call the master.
const NAME: &str = "main";

/// A running group. Dropped, all of it is killed.
pub struct SentinelGroup {
    /// The first is the master in the beginning.
    servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
    /// Between the first master and its replica.
    link: Option<Proxy>,
}

struct Sentinel {
    port: u16,
    _process: Process,
    _directory: TempDir,
}

impl SentinelGroup {
    /// Starts a master with replicas and so many sentinels, more than half of which have to agree.
    /// A master that does not answer for half a second is replaced.
    ///
    /// # Panics
    /// If it does not come to work within 20 seconds.
    pub async fn start(replicas: usize, sentinels: usize) -> Self {
        let master = RedisServer::start();
        let port = master.port().to_string();
        let replicas = (0..replicas)
            .map(|_| RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]));
        let servers: Vec<_> = std::iter::once(master).chain(replicas).collect();
        wait_for("the replicas to have their copies", || {
            let state = servers[0].call(&["INFO", "replication"]).text();
            state.matches("state=online").count() == servers.len() - 1
        })
        .await;
        let quorum = sentinels / 2 + 1;
        let start = |_| start_sentinel(servers[0].port(), quorum, "3000");
        let sentinels = (0..sentinels).map(start).collect();
        let group = Self { servers, sentinels, link: None };
        group.wait_until_acquainted().await;
        group
    }

    /// Starts a master, a replica that hears of its writes through [`SentinelGroup::link`], and one
    /// sentinel. For a minute that lets the replica name the link as its master.
    ///
    /// # Panics
    /// As [`SentinelGroup::start`].
    pub async fn start_with_link() -> Self {
        let master = RedisServer::start();
        let link = Proxy::start_for_replica(master.port());
        let port = link.port().to_string();
        let replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]);
        wait_for("the replica to have its copy", || {
            master.call(&["INFO", "replication"]).text().contains("state=online")
        })
        .await;
        let sentinels = vec![start_sentinel(master.port(), 1, "60000")];
        let group = Self { servers: vec![master, replica], sentinels, link: Some(link) };
        group.wait_until_acquainted().await;
        group
    }

    /// Gives what is between the first master and its replica.
    ///
    /// # Panics
    /// If it was started without.
    #[must_use]
    pub fn link(&self) -> &Proxy {
        self.link.as_ref().expect("it was started with a link")
    }

    /// Asks a server anything: 0 is the first master, and the replicas follow.
    ///
    /// # Panics
    /// If it does not answer, or with an error.
    pub fn call(&self, server: usize, words: &[&str]) -> resp::Frame {
        self.servers[server].call(words)
    }

    /// Adds a replica to a server, for writes that wait for one.
    ///
    /// # Panics
    /// If it does not start.
    pub fn add_replica(&mut self, of: usize) {
        let port = self.servers[of].port().to_string();
        let of = format!("127.0.0.1 {port}");
        self.servers.push(RedisServer::start_with(&["--replicaof", &of]));
    }

    async fn wait_until_acquainted(&self) {
        let expected = [
            ("num-slaves", self.servers.len() - 1),
            ("num-other-sentinels", self.sentinels.len() - 1),
        ];
        wait_for("the sentinels to know everybody", || {
            self.sentinels.iter().all(|sentinel| {
                let master = resp::call(sentinel.port, &["SENTINEL", "MASTER", NAME]);
                let words: Vec<_> = master.items().iter().map(resp::Frame::text).collect();
                let is = |(name, count): &(&str, usize)| {
                    words.windows(2).any(|pair| pair[0] == *name && pair[1] == count.to_string())
                };
                expected.iter().all(is)
            })
        })
        .await;
    }

    /// Gives the URL that opens a store on it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// Kills the server that is master in the beginning, with SIGKILL.
    pub fn kill_first_master(&mut self) {
        self.servers[0].kill();
    }

    /// Starts the first master again: it takes itself for a master until a sentinel tells it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_first_master(&mut self) {
        self.servers[0].restart();
    }

    /// Waits until every sentinel names another master than the first.
    ///
    /// # Panics
    /// If that takes more than 20 seconds.
    pub async fn wait_for_other_master(&self) {
        let first = self.servers[0].port().to_string();
        wait_for("the sentinels to replace the master", || {
            self.sentinels.iter().all(|sentinel| {
                let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
                let address = resp::call(sentinel.port, &command);
                address.items().get(1).is_some_and(|port| port.text() != first)
            })
        })
        .await;
    }
}

fn start_sentinel(master: u16, quorum: usize, failover_millis: &str) -> Sentinel {
    const ATTEMPTS: u32 = 20;
    let mut attempts = 1;
    loop {
        let (port, directory) = (ports::free(&ports::SINGLE), TempDir::new().unwrap());
        let file = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {NAME} 127.0.0.1 {master} {quorum}\n\
             sentinel down-after-milliseconds {NAME} 500\n\
             sentinel failover-timeout {NAME} {failover_millis}\n",
            directory.path().display()
        );
        fs::write(&file, text).unwrap();
        let arguments = [file.display().to_string(), "--sentinel".to_owned()];
        match Process::start("redis-server", &arguments, "+monitor master") {
            Ok(process) => {
                return Sentinel { port, _process: process, _directory: directory };
            }
            Err(said) if attempts < ATTEMPTS && said.contains("in use") => attempts += 1,
            Err(said) => panic!("the sentinel did not start: {said}"),
        }
    }
}
