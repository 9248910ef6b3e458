//! A real Redis cluster for a test.
//!
//! Nodes are numbered: the masters first, then the replicas of the first master, of the second, and
//! so on. Invariant: it is handed out when every node knows every other one, all slots are served
//! and every replica has its copy.
//!
//! Spec: Storage, "Redis 7 cluster of 3 masters", "slot moved in the cluster, a coordinated `CLUSTER
//! FAILOVER`".

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::ports;
use super::redis_server::RedisServer;
use super::resp::{self, Frame};

const SLOTS: usize = 16_384;

/// Some Redis servers that share 16384 slots among them.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts one. With replicas, a master that does not answer for a second is replaced by one;
    /// without, nobody could, so a node has five seconds before it is called dead.
    ///
    /// # Panics
    /// If it does not come to work within 20 seconds.
    pub async fn start(masters: usize, replicas_each: usize) -> Self {
        let timeout = if replicas_each == 0 { "5000" } else { "1000" };
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            timeout,
            "--cluster-replica-validity-factor",
            "0",
            "--cluster-allow-replica-migration",
            "no",
        ];
        let count = masters * (1 + replicas_each);
        let start = |_| RedisServer::start_on(&ports::CLUSTER, &options);
        let cluster = Self { nodes: (0..count).map(start).collect() };
        give_slots(&cluster.nodes, masters);
        introduce(&cluster.nodes).await;
        for number in masters..count {
            let master = cluster.id((number - masters) / replicas_each);
            cluster.nodes[number].call(&["CLUSTER", "REPLICATE", &master]);
        }
        cluster.wait_until_settled().await;
        cluster
    }

    /// Makes another cluster of the same servers, which knows nothing of the old one: an empty one of
    /// so many masters, while the other servers are left without slots and by themselves.
    ///
    /// # Panics
    /// If a node refuses a step, or it does not come to work within 20 seconds.
    pub async fn make_anew(&self, masters: usize) {
        for node in &self.nodes {
            node.flush_all();
            node.call(&["CLUSTER", "RESET", "HARD"]);
        }
        let nodes = &self.nodes[..masters];
        give_slots(nodes, masters);
        introduce(nodes).await;
        wait_until_settled(nodes).await;
    }

    /// Waits until every node that runs serves, agrees with the others and has its copy.
    ///
    /// # Panics
    /// If that takes more than 20 seconds.
    pub async fn wait_until_settled(&self) {
        wait_until_settled(&self.nodes).await;
    }

    /// Gives the URL that opens a store on it, with every node in it.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Gives the port of each node.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(RedisServer::port).collect()
    }

    /// Removes everything that is stored.
    ///
    /// # Panics
    /// If a master refuses.
    pub fn flush_all(&self) {
        self.nodes.iter().filter(|node| is_master(node.port())).for_each(RedisServer::flush_all);
    }

    /// Kills a node with SIGKILL.
    pub fn kill_node(&mut self, number: usize) {
        self.nodes[number].kill();
    }

    /// Starts a killed node again.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart_node(&mut self, number: usize) {
        self.nodes[number].restart();
    }

    /// Says whether a node calls itself a master; `false` for one that does not answer.
    #[must_use]
    pub fn is_master(&self, number: usize) -> bool {
        is_master(self.nodes[number].port())
    }

    /// Waits until a node calls itself a master.
    ///
    /// # Panics
    /// If that takes more than 20 seconds.
    pub async fn wait_for_master(&self, number: usize) {
        wait_for("a replica to become master", || self.is_master(number)).await;
    }

    /// Moves a slot with all its keys from one master to another, while clients go on.
    ///
    /// # Panics
    /// If a node refuses a step.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.move_keys(slot, from, to);
        let (text, to_id) = (slot.to_string(), self.id(to));
        // The new owner first: between the two a client is sent to the one that knows.
        let masters = (0..self.nodes.len()).filter(|node| self.is_master(*node));
        for node in [to, from].into_iter().chain(masters) {
            self.nodes[node].call(&["CLUSTER", "SETSLOT", &text, "NODE", &to_id]);
        }
    }

    /// Moves the keys of a slot from one master to another, and leaves the slot open at both.
    ///
    /// # Panics
    /// If a node refuses a step.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let (text, port) = (slot.to_string(), self.nodes[to].port().to_string());
        let (from_id, to_id) = (self.id(from), self.id(to));
        self.nodes[to].call(&["CLUSTER", "SETSLOT", &text, "IMPORTING", &from_id]);
        self.nodes[from].call(&["CLUSTER", "SETSLOT", &text, "MIGRATING", &to_id]);
        loop {
            let keys = self.nodes[from].call(&["CLUSTER", "GETKEYSINSLOT", &text, "20"]);
            if keys.items().is_empty() {
                break;
            }
            let command = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            let keys = keys.items().iter().filter_map(|key| match key {
                Frame::Bulk(Some(key)) => Some(key.clone()),
                _ => None,
            });
            let arguments: Vec<_> =
                command.iter().map(|word| word.as_bytes().to_vec()).chain(keys).collect();
            self.nodes[from].call(&arguments);
        }
    }

    /// Makes a replica the master of its slots, with the consent of its master, which becomes its
    /// replica; nothing is lost.
    ///
    /// # Panics
    /// If that takes more than 20 seconds.
    pub async fn failover(&self, replica: usize) {
        self.nodes[replica].call(&["CLUSTER", "FAILOVER"]);
        self.wait_for_master(replica).await;
    }

    fn id(&self, number: usize) -> String {
        self.nodes[number].call(&["CLUSTER", "MYID"]).text()
    }
}

/// Gives every slot to one of the first nodes, and each node an epoch of its own.
fn give_slots(nodes: &[RedisServer], masters: usize) {
    for (number, node) in nodes.iter().enumerate() {
        node.call(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
    }
    for (number, node) in nodes.iter().take(masters).enumerate() {
        let [first, end] = [number, number + 1].map(|part| part * SLOTS / masters);
        let (first, last) = (first.to_string(), (end - 1).to_string());
        node.call(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
    }
}

async fn introduce(nodes: &[RedisServer]) {
    for node in &nodes[1..] {
        nodes[0].call(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string()]);
    }
    wait_for("all nodes to know each other", || {
        nodes.iter().all(|node| {
            let known = node.call(&["CLUSTER", "NODES"]).text();
            known.lines().count() == nodes.len() && !known.contains("handshake")
        })
    })
    .await;
}

async fn wait_until_settled(nodes: &[RedisServer]) {
    wait_for("the cluster to settle", || {
        let views: Vec<_> = nodes.iter().filter_map(view).collect();
        views.len() == nodes.len() && views.iter().all(|view| *view == views[0])
    })
    .await;
}

/// Calls `is_true` every 20 ms until it is, for 20 seconds at most.
pub(super) async fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    const LIMIT: Duration = Duration::from_secs(20);
    const PAUSE: Duration = Duration::from_millis(20);
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < LIMIT, "waited in vain for {what}");
        sleep(PAUSE).await;
    }
}

fn is_master(port: u16) -> bool {
    let role = resp::try_call(port, &["ROLE"]);
    role.is_ok_and(|role| role.items().first().is_some_and(|first| first.text() == "master"))
}

/// Who serves which slots in the eyes of a node, and `None` if it does not serve or has no copy yet.
fn view(node: &RedisServer) -> Option<Vec<String>> {
    let ask = |words: &[&str]| Some(resp::try_call(node.port(), words).ok()?.text());
    let serves = ask(&["CLUSTER", "INFO"])?.contains("cluster_state:ok");
    let has_copy = !ask(&["INFO", "replication"])?.contains("master_link_status:down");
    let nodes = ask(&["CLUSTER", "NODES"])?;
    if !serves || !has_copy || nodes.contains("fail") || nodes.contains("handshake") {
        return None;
    }
    let mut nodes: Vec<_> = nodes.lines().map(who_serves_what).collect();
    nodes.sort();
    Some(nodes)
}

/// Of a line `id address flags master ping pong epoch link slots...`: id, master and slots.
fn who_serves_what(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    format!("{} {} {}", words[0], words[3], words[8..].join(" "))
}
