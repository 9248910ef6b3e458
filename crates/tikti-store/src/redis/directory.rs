//! Which servers are there, who is the master of a slot now, and how do we learn it?
//!
//! What is known is used until a server is in doubt: a connection to it broke, timed out or could
//! not be made, or it sent us elsewhere. Then everybody who can be reached is asked at the same time,
//! over connections that serve nothing else. Invariant: one asks while the others wait for its
//! answer, at most ten times a second; and what is older than what is known is believed only where
//! `belief` says so.
//!
//! Spec: Storage, "at every reconnect and after every time-out the topology is read again from all
//! reachable nodes and the newest version of it wins".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, cmd};
use tokio::time::{Instant, sleep_until};

use super::all::all;
use super::belief::{Witness, is_credible};
use super::connection::Reply;
use super::node::{Common, Node};
use super::sentinel::{self, Opinion};
use super::slot::Slot;
use super::topology::{Topology, read_epoch};
use super::trouble::Trouble;
use super::url::{Address, Layout};

/// How long a server has to say what it knows.
const ASK_LIMIT: Duration = Duration::from_secs(1);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// All servers of a store.
pub(super) struct Directory {
    layout: Layout,
    common: Arc<Common>,
    /// For questions about the topology.
    asking_common: Arc<Common>,
    known: Mutex<Option<Arc<Topology>>>,
    nodes: Mutex<BTreeMap<Address, Arc<Node>>>,
    /// For questions about the topology only: what goes wrong with them puts nobody in doubt.
    asked: Mutex<BTreeMap<Address, Arc<Node>>>,
    /// A server sent us elsewhere: what is known still works, with a detour.
    has_moved: AtomicBool,
    /// How often it has been asked, successfully or not.
    attempts: AtomicU64,
    asking: tokio::sync::Mutex<LastAttempt>,
}

/// Servers that are in doubt again if nobody can say more, also when the asking call is dropped.
struct Doubts(Vec<Arc<Node>>);

impl Drop for Doubts {
    fn drop(&mut self) {
        self.0.iter().for_each(|node| node.doubt());
    }
}

#[derive(Default)]
struct LastAttempt {
    ended: Option<Instant>,
    trouble: Option<Trouble>,
}

/// What was learned from everybody who answered.
struct Learned {
    newest: Topology,
    witnesses: Vec<Witness>,
}

impl Directory {
    /// `asking` makes the connections for questions about the topology.
    pub(super) fn new(layout: Layout, common: Arc<Common>, asking: Arc<Common>) -> Self {
        let known = match &layout {
            Layout::Single(address) => Some(Arc::new(Topology::single(address.clone(), 0))),
            Layout::Cluster(_) | Layout::Sentinel { .. } => None,
        };
        Self {
            layout,
            common,
            asking_common: asking,
            known: Mutex::new(known),
            nodes: Mutex::default(),
            asked: Mutex::default(),
            has_moved: AtomicBool::new(false),
            attempts: AtomicU64::new(0),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Whether there is one server, whose place nobody takes.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.layout, Layout::Single(_))
    }

    /// The server at an address.
    pub(super) fn node(&self, address: &Address) -> Arc<Node> {
        let mut nodes = lock(&self.nodes);
        let node = nodes.entry(address.clone());
        let node =
            node.or_insert_with(|| Arc::new(Node::new(address.clone(), Arc::clone(&self.common))));
        Arc::clone(node)
    }

    /// Notes that a server sent us elsewhere.
    pub(super) fn note_move(&self) {
        self.has_moved.store(true, Ordering::Release);
    }

    /// The master of a slot, after asking again where that is in doubt.
    pub(super) async fn master_of(&self, slot: Slot) -> Result<Arc<Node>, Trouble> {
        self.learn_of_moves().await;
        if let Some(node) = self.known_master(slot) {
            if !node.is_doubtful() {
                return Ok(node);
            }
            if node.is_resting() && self.asked_just_now() {
                return Err(Trouble::Resting { server: node.address().clone() });
            }
        }
        self.ask_again().await?;
        self.known_master(slot).ok_or(Trouble::NoMaster { slot: slot.number() })
    }

    /// What is known now; every master of it is beyond doubt.
    pub(super) async fn topology(&self) -> Result<Arc<Topology>, Trouble> {
        if let Some(known) = self.known() {
            let is_doubtful = |address: &Address| self.node(address).is_doubtful();
            if !known.masters().iter().any(is_doubtful) {
                return Ok(known);
            }
        }
        self.ask_again().await?;
        self.known().ok_or(Trouble::NoTopology { kind: "server" })
    }

    /// What is so now: asked for, whatever is known.
    pub(super) async fn topology_now(&self) -> Result<Arc<Topology>, Trouble> {
        self.ask_again().await?;
        self.known().ok_or(Trouble::NoTopology { kind: "server" })
    }

    /// Whether a server is, as far as is known, the master of a slot, and not in doubt.
    pub(super) fn is_master_of(&self, slot: Slot, node: &Node) -> bool {
        let master = self.known_master(slot);
        master.is_some_and(|master| master.address() == node.address() && !node.is_doubtful())
    }

    fn known(&self) -> Option<Arc<Topology>> {
        lock(&self.known).clone()
    }

    fn known_master(&self, slot: Slot) -> Option<Arc<Node>> {
        self.known()?.master_of(slot).map(|address| self.node(address))
    }

    /// Somebody is asking, or has asked within the shortest time between two questions.
    fn asked_just_now(&self) -> bool {
        let Ok(last) = self.asking.try_lock() else { return true };
        last.ended.is_some_and(|ended| ended.elapsed() < ASK_AGAIN_AFTER)
    }

    /// After a detour, asks again if nobody has to wait for that.
    async fn learn_of_moves(&self) {
        if self.has_moved.load(Ordering::Acquire) && !self.asked_just_now() {
            // The detour still leads there if nobody answers.
            drop(self.ask_again().await);
        }
    }

    /// Asks who the masters are, unless another call has done so while this one waited.
    async fn ask_again(&self) -> Result<(), Trouble> {
        let attempts = self.attempts.load(Ordering::Acquire);
        let mut last = self.asking.lock().await;
        if self.attempts.load(Ordering::Acquire) > attempts && !self.is_in_doubt() {
            return Ok(());
        }
        if self.attempts.load(Ordering::Acquire) > attempts
            && let Some(trouble) = &last.trouble
        {
            return Err(trouble.clone());
        }
        if let (false, Some(ended)) = (self.is_single(), last.ended) {
            sleep_until(ended + ASK_AGAIN_AFTER).await;
        }
        // Before anybody is asked: a doubt that comes up meanwhile is a new one.
        let nodes: Vec<_> = lock(&self.nodes).values().cloned().collect();
        let doubtful = nodes.into_iter().filter(|node| node.end_doubt()).collect();
        let mut doubts = Doubts(doubtful);
        self.has_moved.store(false, Ordering::Release);
        let asked = self.ask().await;
        last.ended = Some(Instant::now());
        last.trouble = asked.as_ref().err().cloned();
        self.attempts.fetch_add(1, Ordering::AcqRel);
        self.believe(asked?);
        doubts.0.clear();
        Ok(())
    }

    fn is_in_doubt(&self) -> bool {
        let Some(known) = self.known() else { return true };
        known.masters().iter().any(|address| self.node(address).is_doubtful())
    }

    fn believe(&self, learned: Learned) {
        let Learned { newest, witnesses } = learned;
        let mut known = lock(&self.known);
        let is_credible =
            |known: &Arc<Topology>| is_credible(known.epoch(), newest.epoch(), &witnesses);
        if known.as_ref().is_none_or(is_credible) {
            let members: BTreeSet<_> = newest.members().collect();
            *known = Some(Arc::new(newest));
            drop(known);
            lock(&self.nodes).retain(|address, _| members.contains(address));
        }
    }

    async fn ask(&self) -> Result<Learned, Trouble> {
        match &self.layout {
            Layout::Single(address) => {
                let newest = Topology::single(address.clone(), 0);
                Ok(Learned { newest, witnesses: Vec::new() })
            }
            Layout::Cluster(seeds) => self.ask_cluster(seeds).await,
            Layout::Sentinel { sentinels, master } => self.ask_sentinels(sentinels, master).await,
        }
    }

    async fn ask_cluster(&self, seeds: &[Address]) -> Result<Learned, Trouble> {
        let known = self.known();
        let members = known.iter().flat_map(|known| known.members().collect::<Vec<_>>());
        let everybody: BTreeSet<_> = seeds.iter().cloned().chain(members).collect();
        lock(&self.asked).retain(|address, _| everybody.contains(address));
        let mut questions = [cmd("CLUSTER"), cmd("CLUSTER")];
        for (question, about) in questions.iter_mut().zip(["INFO", "SLOTS"]) {
            question.arg(about);
        }
        let answers = all(everybody.iter().map(|address| async {
            let replies = self.ask_one(address, &questions).await?;
            let [Ok(info), Ok(slots)] = replies.as_slice() else { return None };
            Some((read_epoch(info)?, Topology::read(address, info, slots)))
        }));
        let answers: BTreeMap<_, _> = everybody.iter().zip(answers.await).collect();
        // A master may have lost its slots and know it: that it knows no others is an answer as well.
        let masters = known.iter().flat_map(|known| known.masters());
        let witnesses = masters.map(|master| match answers.get(&master) {
            Some(Some((epoch, _))) => Witness::Says(*epoch),
            _ => Witness::Silent,
        });
        let witnesses = witnesses.collect();
        let views: Vec<_> = answers.into_values().flatten().filter_map(|(_, view)| view).collect();
        let newest = Topology::newest(&views);
        let newest = newest.ok_or(Trouble::NoTopology { kind: "node of the cluster" })?;
        Ok(Learned { newest, witnesses })
    }

    async fn ask_sentinels(&self, sentinels: &[Address], master: &str) -> Result<Learned, Trouble> {
        let questions = sentinel::questions(master);
        let opinions = all(sentinels.iter().map(|address| async {
            let replies = self.ask_one(address, &questions).await?;
            sentinel::read(address, &replies)
        }));
        let opinions = opinions.await;
        let word = |opinion: &Option<Opinion>| match opinion {
            Some(opinion) => Witness::Says(opinion.epoch),
            None => Witness::Silent,
        };
        let witnesses = opinions.iter().map(word).collect();
        let opinions: Vec<_> = opinions.into_iter().flatten().collect();
        let newest = sentinel::newest(&opinions).ok_or(Trouble::NoTopology { kind: "sentinel" })?;
        let Opinion { epoch, master } = newest;
        let role = self.ask_one(master, &[cmd("ROLE")]).await;
        if !role.is_some_and(|replies| replies.first().is_some_and(sentinel::is_master)) {
            return Err(Trouble::Demoted { server: master.clone() });
        }
        Ok(Learned { newest: Topology::single(master.clone(), *epoch), witnesses })
    }

    /// Asks once more where the first question met a connection that had been closed meanwhile.
    async fn ask_one(&self, address: &Address, questions: &[Cmd]) -> Option<Vec<Reply>> {
        let node = {
            let mut asked = lock(&self.asked);
            let node = asked.entry(address.clone());
            let common = &self.asking_common;
            let node =
                node.or_insert_with(|| Arc::new(Node::new(address.clone(), Arc::clone(common))));
            Arc::clone(node)
        };
        match node.read(questions, ASK_LIMIT).await {
            Ok(replies) => Some(replies),
            Err(Trouble::Broke { .. }) => node.read(questions, ASK_LIMIT).await.ok(),
            Err(_) => None,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
