//! Where does a request go next, and for how much longer?
//!
//! Invariant: it ends. A request is sent on at most eight times and tried for about four seconds.
//!
//! Spec: Storage, "`MOVED`/`ASK`/`TRYAGAIN` followed".

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::directory::Directory;
use super::jitter::Jitter;
use super::node::Node;
use super::slot::Slot;
use super::trouble::Trouble;
use super::url::Address;
use super::verdict::Refusal;

/// How long a call tries to get at a server that says that it executed nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// How often a request is sent on before this is called a circle.
const HOPS: u32 = 8;
/// The longest pause before asking again a server that is busy moving a slot.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The way of one request.
pub(super) struct Course<'a> {
    directory: &'a Directory,
    jitter: &'a Jitter,
    pub(super) deadline: Instant,
    hops: u32,
    pauses: u32,
    /// Where the last server said that it has to go, and whether with `ASKING`.
    detour: Option<(Address, bool)>,
    /// The server that could not be reached the last time, and why.
    unreachable: Option<(Address, Trouble)>,
}

impl<'a> Course<'a> {
    pub(super) fn new(directory: &'a Directory, jitter: &'a Jitter) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let (detour, unreachable) = (None, None);
        Self { directory, jitter, deadline, hops: 0, pauses: 0, detour, unreachable }
    }

    /// The server to send it to. Fails if that is the one that could not be reached.
    pub(super) async fn next(&mut self, slot: Slot) -> Result<Arc<Node>, Trouble> {
        let node = match &self.detour {
            Some((address, _)) => self.directory.node(address),
            None => self.directory.master_of(slot).await?,
        };
        match self.unreachable.take() {
            Some((address, trouble)) if address == *node.address() => Err(trouble),
            _ => Ok(node),
        }
    }

    /// It goes where the directory says, not where a server said.
    pub(super) fn is_by_the_book(&self) -> bool {
        self.detour.is_none()
    }

    /// It goes where a key is being moved to, which has to be said.
    pub(super) fn is_asking(&self) -> bool {
        self.detour.as_ref().is_some_and(|(_, is_asking)| *is_asking)
    }

    /// Counts one more try.
    pub(super) fn count(&mut self) -> Result<(), Trouble> {
        self.hops += 1;
        if self.hops > HOPS { Err(Trouble::Circle) } else { Ok(()) }
    }

    /// Nothing was sent, since it is not certain any more that this is the master: that is asked next.
    /// Who asks goes in no circle, so it is the deadline that counts.
    pub(super) fn ask_again(&self, node: &Node) -> Result<(), Trouble> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(Trouble::Busy { server: node.address().clone() })
    }

    /// The server gave no answer. Another may have taken its place; the same is tried again only if
    /// it had been reached.
    pub(super) fn missed(&mut self, node: &Node, trouble: Trouble) -> Result<(), Trouble> {
        if Instant::now() >= self.deadline {
            return Err(trouble);
        }
        self.detour = None;
        if !trouble.was_sent() {
            self.unreachable = Some((node.address().clone(), trouble));
        }
        self.count()
    }

    /// Decides where to go after a refusal; how long to wait before.
    pub(super) fn follow(&mut self, node: &Node, refusal: Refusal) -> Result<Duration, Trouble> {
        let (detour, code) = match refusal {
            Refusal::Moved(address) => (Some((address, false)), String::new()),
            Refusal::Ask(address) => (Some((address, true)), String::new()),
            Refusal::Final(code) => return Err(Trouble::refused(node.address(), &code)),
            Refusal::Wait(code) => (None, code),
        };
        self.detour = detour;
        if let Some((_, is_asking)) = &self.detour {
            if !is_asking {
                self.directory.note_move();
            }
            return self.count().map(|()| Duration::ZERO);
        }
        if code != "TRYAGAIN" {
            node.doubt();
        }
        let is_hopeless = code == "READONLY" && self.directory.is_single();
        // Who waits goes in no circle: from here on it is the deadline that counts.
        self.hops = 0;
        self.pauses += 1;
        let pause = self.jitter.wait_after(self.pauses).min(LONGEST_PAUSE);
        if is_hopeless || Instant::now() + pause > self.deadline {
            return Err(Trouble::refused(node.address(), &code));
        }
        Ok(pause)
    }
}
