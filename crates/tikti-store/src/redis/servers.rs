//! The servers behind one URL: a request goes in, and what became of it comes out.
//!
//! Invariant: a write is sent again only after a reply that says that nothing of it was executed.
//! When the reply is missing, it is [`Failure::Lost`], and what to make of that is the caller's
//! business. Reads are sent again as they please. Every call ends within some seconds.
//!
//! Spec: Storage, "retries only of what is idempotent; `MOVED`/`ASK`/`TRYAGAIN` followed".

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;
use tokio::time::{Instant, sleep};

use super::connection::Dialer;
use super::course::{Course, LONGEST_PAUSE, PATIENCE};
use super::directory::Directory;
use super::jitter::Jitter;
use super::marker;
use super::node::{Common, Company, Node};
use super::package::{Delivered, LONG_ANSWER_LIMIT, Package};
use super::probe;
use super::reads;
use super::tls::Security;
use super::topology::Topology;
use super::trouble::Trouble;
use super::url::{Address, Layout, ServerUrl};
use super::verdict::{self, Refusal};
use crate::error::{OpenError, StoreError};
use crate::store::{Access, OpenOptions};

pub(super) use super::connection::Reply;
pub(super) use super::probe::Features;
pub(super) use super::slot::Slot;

const WRITING: &str = "writing to the server";
const READING: &str = "reading from the server";

/// All servers of a store. A clone is another handle.
#[derive(Clone)]
pub(super) struct Servers(Arc<Shared>);

struct Shared {
    directory: Directory,
    common: Arc<Common>,
    features: Features,
    wait_replicas: u32,
}

/// Commands for one slot, sent in one piece, in order.
pub(super) struct Request {
    pub(super) commands: Vec<Cmd>,
    /// Whether replicas are waited for, where that is asked for.
    pub(super) is_write: bool,
}

/// Why there is no answer to use.
#[derive(Debug)]
pub(super) enum Failure {
    /// Certainly nothing was executed, and trying for a while did not help.
    NotExecuted(StoreError),
    /// It was sent, or may have been, and no whole answer came: it may have been executed, or may
    /// still be. Or it was, and too few replicas have it.
    Lost(StoreError),
}

impl Failure {
    /// Nothing was executed, for this reason.
    pub(super) fn not_executed(trouble: Trouble) -> Self {
        Self::NotExecuted(trouble.while_doing(WRITING))
    }

    /// Nobody knows, for this reason.
    pub(super) fn lost(trouble: Trouble) -> Self {
        Self::Lost(trouble.while_doing(WRITING))
    }
}

/// A server that serves some of the slots.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Master(pub(super) Address);

impl Servers {
    /// Connects to all masters, looks at what they are, and refuses what would lose data.
    pub(super) async fn connect(
        url: &str,
        options: &OpenOptions,
        access: Access,
    ) -> Result<Self, OpenError> {
        let ServerUrl { uses_tls, credentials, layout } = ServerUrl::parse(url)?;
        let security = if uses_tls { Security::tls(&options.redis.tls)? } else { Security::Plain };
        let common = |are_optional| {
            let (security, credentials) = (security.clone(), credentials.clone());
            let dialer = Dialer { security, credentials, are_optional };
            Arc::new(Common { dialer, jitter: Jitter::new(options.write_id_seed) })
        };
        let (plain, asking) = (common(false), common(matches!(layout, Layout::Sentinel { .. })));
        probe::greet(&layout, &asking.dialer).await?;
        let directory = Directory::new(layout.clone(), Arc::clone(&plain), asking);
        let topology = directory.topology().await.map_err(|trouble| OpenError::Unsuitable {
            server: layout.to_string(),
            reason: trouble.to_string(),
        })?;
        let features = probe::examine(&layout, &topology, &plain.dialer, &options.redis).await?;
        let wait_replicas = options.redis.wait_replicas;
        let servers = Self(Arc::new(Shared { directory, common: plain, features, wait_replicas }));
        marker::check(&servers, &layout, access).await?;
        Ok(servers)
    }

    /// What was found at the start.
    pub(super) fn features(&self) -> &Features {
        &self.0.features
    }

    /// Sends a request to the master of a slot and gives a reply to each command, server errors of
    /// single commands in their place. Where the server refused all of it, it is sent to whoever the
    /// server named, or again a little later.
    pub(super) async fn write(&self, slot: Slot, request: &Request) -> Result<Vec<Reply>, Failure> {
        let package = Package::new(request, self.0.wait_replicas);
        let mut course = self.course();
        loop {
            let node = course.next(slot).await.map_err(Failure::not_executed)?;
            let company = package.company(course.is_asking());
            let lease = match node.lease(company, course.deadline).await {
                Ok(lease) => lease,
                Err(trouble) => {
                    course.missed(&node, trouble).map_err(Failure::not_executed)?;
                    continue;
                }
            };
            // The connection that was there is broken, and this is another: who the master is has to
            // be asked first. Or another call has asked while this one waited for a connection.
            if course.is_by_the_book() && !self.0.directory.is_master_of(slot, &node) {
                lease.give_back();
                course.ask_again(&node).map_err(Failure::not_executed)?;
                continue;
            }
            match package.deliver(lease, node.address(), course.is_asking()).await? {
                Delivered::Answered(replies) => return Ok(replies),
                Delivered::Refused(refusal) => {
                    let pause = course.follow(&node, refusal).map_err(Failure::not_executed)?;
                    if !pause.is_zero() {
                        sleep(pause).await;
                    }
                }
            }
        }
    }

    /// Sends reads, each to the master of its slot: those of one server in one piece, to all servers
    /// at the same time. Replies in the order asked.
    pub(super) async fn read(&self, requests: Vec<(Slot, Cmd)>) -> Result<Vec<Reply>, StoreError> {
        let read = reads::read(requests, || self.course()).await;
        read.map_err(|trouble| trouble.while_doing(READING))
    }

    /// How long to wait before a call that failed so often is tried again.
    pub(super) fn pause_after(&self, failures: u32) -> Duration {
        self.0.common.jitter.wait_after(failures).min(LONGEST_PAUSE)
    }

    fn course(&self) -> Course<'_> {
        Course::new(&self.0.directory, &self.0.common.jitter)
    }

    /// All masters as far as is known, every slot served.
    pub(super) async fn masters(&self) -> Result<Vec<Master>, StoreError> {
        masters_of(self.0.directory.topology().await)
    }

    /// All masters, asked for now, every slot served.
    pub(super) async fn masters_now(&self) -> Result<Vec<Master>, StoreError> {
        masters_of(self.0.directory.topology_now().await)
    }

    /// Sends commands that may be repeated, in one piece, to one server; again for a while where it
    /// cannot be reached or says that it is not ready.
    pub(super) async fn ask(
        &self,
        master: &Master,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Reply>, StoreError> {
        let node = self.0.directory.node(&master.0);
        let deadline = Instant::now() + PATIENCE;
        let mut failures = 0;
        loop {
            let trouble = match ask_once(&node, &commands, deadline).await {
                Ok(replies) => return Ok(replies),
                Err(trouble) => trouble,
            };
            failures += 1;
            let pause = self.pause_after(failures);
            if !trouble.may_pass() || Instant::now() + pause > deadline {
                return Err(trouble.while_doing(READING));
            }
            sleep(pause).await;
        }
    }
}

fn masters_of(topology: Result<Arc<Topology>, Trouble>) -> Result<Vec<Master>, StoreError> {
    let topology = topology.map_err(|trouble| trouble.while_doing(READING))?;
    if let Some(slot) = topology.first_unserved() {
        return Err(Trouble::NoMaster { slot }.while_doing(READING));
    }
    Ok(topology.masters().into_iter().map(Master).collect())
}

async fn ask_once(node: &Node, commands: &[Cmd], deadline: Instant) -> Result<Vec<Reply>, Trouble> {
    let lease = node.lease(Company::Alone, deadline).await?;
    let replies = lease.send(commands, LONG_ANSWER_LIMIT).await?;
    lease.give_back();
    let errors = replies.iter().filter_map(|reply| reply.as_ref().err());
    match errors.filter_map(|error| verdict::refusal(node.address(), error)).next() {
        Some(Refusal::Wait(code)) => Err(Trouble::refused(node.address(), &code)),
        _ => Ok(replies),
    }
}
