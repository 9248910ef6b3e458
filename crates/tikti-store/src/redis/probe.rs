//! What kind of servers are these, and would they keep what they are given?
//!
//! Every master is looked at when the store is opened. Invariant: what would lose or refuse data in
//! silence is refused here, with a sentence that says what to change; what could only be lost in a
//! crash is said in a remark.
//!
//! Spec: Storage, "at start the server checks product, version, persistence, replication settings".

use redis::{Cmd, Value, cmd};
use tokio::time::{Instant, sleep};

use super::all::all;
use super::connection::{CONNECT_LIMIT, Connection, DialError, Dialer, Reply, is_denial};
use super::course::PATIENCE;
use super::examination::{Findings, Wishes, examine_one};
use super::info::{Info, Product, Settings};
use super::sentinel;
use super::topology::{Topology, text};
use super::url::{Address, Layout};
use crate::error::OpenError;
use crate::store::RedisOptions;

/// What was found at the start, the least of all masters.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Of the first master, where they differ.
    pub(super) product: Product,
    /// `CAS` and `CAD` exist.
    pub(super) compare_and_set: bool,
    /// Keys of different partitions may be on different servers.
    pub(super) is_cluster: bool,
    /// What a crash could lose, and other things that an operator should know, a sentence each.
    pub(super) remarks: Vec<String>,
}

/// Connects to the servers that the URL names: at least one has to answer, and to be what the URL
/// says that it is.
pub(super) async fn greet(layout: &Layout, dialer: &Dialer) -> Result<(), OpenError> {
    let dialed = all(layout.addresses().iter().map(|address| dialer.dial(address))).await;
    let connection = match first(dialed) {
        Ok(connection) => connection,
        Err(error) => return Err(refusal_to_connect(layout.to_string(), &error, dialer)),
    };
    let unsuitable = |reason: String| OpenError::Unsuitable { server: layout.to_string(), reason };
    match layout {
        Layout::Single(_) => Ok(()),
        Layout::Cluster(_) => {
            let mut slots = cmd("CLUSTER");
            slots.arg("SLOTS");
            match connection.send(&[slots], CONNECT_LIMIT).await.as_deref() {
                Ok([Err(error)]) if !matches!(error.code(), "LOADING" | "CLUSTERDOWN") => {
                    Err(unsuitable("it is not in cluster mode: use redis: instead".to_owned()))
                }
                _ => Ok(()),
            }
        }
        Layout::Sentinel { master, .. } => {
            let replies = connection.send(&sentinel::questions(master), CONNECT_LIMIT).await;
            match replies.as_deref() {
                Ok([Err(error), _]) if error.details().is_some_and(is_no_sentinel) => {
                    Err(unsuitable("it is not a sentinel: use redis: instead".to_owned()))
                }
                Ok([Err(_), _]) => {
                    Err(unsuitable(format!("the sentinels know no master called {master:?}")))
                }
                _ => Ok(()),
            }
        }
    }
}

fn is_no_sentinel(said: &str) -> bool {
    said.starts_with("unknown command")
}

fn first(dialed: Vec<Result<Connection, DialError>>) -> Result<Connection, DialError> {
    let mut error = DialError::Failed("no server is named".to_owned());
    for result in dialed {
        match result {
            Ok(connection) => return Ok(connection),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

fn refusal_to_connect(server: String, error: &DialError, dialer: &Dialer) -> OpenError {
    let reason = error.reason_at_first(&dialer.security);
    match error {
        DialError::Denied => OpenError::Unsuitable { server, reason },
        _ => OpenError::Unreachable { server, reason },
    }
}

/// Looks at every master.
pub(super) async fn examine(
    layout: &Layout,
    topology: &Topology,
    dialer: &Dialer,
    options: &RedisOptions,
) -> Result<Features, OpenError> {
    let is_cluster = matches!(layout, Layout::Cluster(_));
    let wishes = Wishes {
        is_cluster,
        wait_replicas: options.wait_replicas,
        allow_volatile: options.allow_volatile,
        require_sync: options.require_sync,
    };
    if let Some(slot) = topology.first_unserved() {
        let reason = format!("no node of the cluster serves slot {slot}");
        return Err(OpenError::Unsuitable { server: layout.to_string(), reason });
    }
    let masters = topology.masters();
    let examined = all(masters.iter().map(|master| visit(master, dialer, &wishes))).await;
    let mut features: Option<Features> = None;
    for findings in examined {
        let Findings { product, compare_and_set, remarks } = findings?;
        let features = features.get_or_insert_with(|| {
            let remarks = Vec::new();
            Features { product, compare_and_set: true, is_cluster, remarks }
        });
        features.compare_and_set &= compare_and_set;
        for remark in remarks {
            if !features.remarks.contains(&remark) {
                features.remarks.push(remark);
            }
        }
    }
    features.ok_or_else(|| OpenError::Unsuitable {
        server: layout.to_string(),
        reason: "it names no master".to_owned(),
    })
}

async fn visit(master: &Address, dialer: &Dialer, wishes: &Wishes) -> Result<Findings, OpenError> {
    let server = || master.to_string();
    let dialed = dialer.dial(master).await;
    let connection = dialed.map_err(|error| refusal_to_connect(server(), &error, dialer))?;
    let unsuitable = |reason| OpenError::Unsuitable { server: server(), reason };
    let info = info_when_loaded(&connection).await.map_err(unsuitable)?;
    let replies = ask(&connection, &questions(wishes)).await.map_err(unsuitable)?;
    let [commands, wait, settings @ ..] = replies.as_slice() else {
        return Err(unsuitable(NO_ANSWER.to_owned()));
    };
    let findings =
        examine_one(&info, &Settings::read(settings), has_compare_and_set(commands), wishes);
    let findings = findings.map_err(unsuitable)?;
    if wishes.wait_replicas > 0 && wait.is_err() {
        let reason = "it has no WAIT: leave store.waitReplicas at 0, or use a newer server";
        return Err(unsuitable(reason.to_owned()));
    }
    Ok(findings)
}

const NO_ANSWER: &str = "it does not answer as a Redis does";

/// The names of settings that say what a crash could lose.
const SETTINGS: [&str; 6] = [
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "maxmemory-policy",
    "rocksdb.write_options.sync",
    "rocksdb.write_options.disable_wal",
    "use-rsid-psync",
];

fn questions(wishes: &Wishes) -> Vec<Cmd> {
    let mut commands = cmd("COMMAND");
    commands.arg("INFO").arg("CAS").arg("CAD");
    let mut wait = if wishes.wait_replicas > 0 { cmd("WAIT") } else { cmd("PING") };
    if wishes.wait_replicas > 0 {
        wait.arg(0).arg(1);
    }
    let settings = SETTINGS.into_iter().map(|name| {
        let mut question = cmd("CONFIG");
        question.arg("GET").arg(name);
        question
    });
    [commands, wait].into_iter().chain(settings).collect()
}

fn has_compare_and_set(commands: &Reply) -> bool {
    let is_known = |command: &Value| matches!(command, Value::Array(about) if !about.is_empty());
    matches!(commands, Ok(Value::Array(commands)) if commands.len() == 2 && commands.iter().all(is_known))
}

async fn ask(connection: &Connection, questions: &[Cmd]) -> Result<Vec<Reply>, String> {
    let replies = connection.send(questions, PATIENCE).await;
    let replies = replies.map_err(|_| "the connection broke".to_owned())?;
    if replies.iter().filter_map(|reply| reply.as_ref().err()).any(is_denial) {
        return Err(DialError::Denied.reason());
    }
    Ok(replies)
}

/// A server that loads its data says so, and refuses nearly everything else.
async fn info_when_loaded(connection: &Connection) -> Result<Info, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let replies = ask(connection, &[cmd("INFO")]).await?;
        let is_loading = match replies.first() {
            Some(Ok(reply)) => {
                let info = Info::read(&text(reply).ok_or(NO_ANSWER)?);
                if !info.is_loading() {
                    return Ok(info);
                }
                true
            }
            Some(Err(error)) => error.code() == "LOADING",
            None => false,
        };
        if !is_loading {
            return Err("INFO is refused: allow it in the ACL rules of the user".to_owned());
        }
        if Instant::now() >= deadline {
            return Err("it is still loading its data: try again later".to_owned());
        }
        sleep(CONNECT_LIMIT / 10).await;
    }
}
