//! Which connections are there to one server, and is it worth using them?
//!
//! A transaction, and whatever waits for replicas, has a connection for itself while it runs. Other
//! writes share some, pipelined, and reads share two (`shared`). All are made on demand. Invariant: a
//! connection that had an error or a time-out is given to no later request, so no late reply can meet
//! another; what was under way on it is lost, or still answered in its turn. When one broke, the
//! others are asked for a sign of life before a write is trusted to them, so a restart of the server
//! does not cost one lost write a connection.
//!
//! Spec: Storage, "writes are spread over several connections", "reads are pipelined on multiplexed
//! ones".

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, cmd};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::breaker::{Breaker, Permit};
use super::connection::{Broken, DialError, Dialer, Reply};
use super::jitter::Jitter;
use super::package::ANSWER_LIMIT;
use super::shared::{Line, Seat, Shared};
use super::trouble::Trouble;
use super::url::Address;

/// The most connections that writes share, and the most that are for one write each. A KVRocks works
/// on as many at once as it has workers, 8 unless it is told otherwise; 16 writers with 16 workers were
/// measured to share fsyncs well.
const WRITERS: usize = 16;
/// The most writes under way on a shared connection, where each may wait for the disk in its turn: at
/// 50 ms a write the last is still answered in time, and whoever comes later has not been sent.
const SHARING: usize = 32;
const READERS: usize = 2;

/// What all nodes have in common.
pub(super) struct Common {
    pub(super) dialer: Dialer,
    pub(super) jitter: Jitter,
}

/// One server.
pub(super) struct Node {
    address: Address,
    common: Arc<Common>,
    breaker: Mutex<Breaker>,
    /// For one write each.
    idle: Mutex<Vec<Arc<Line>>>,
    alone: Semaphore,
    writers: Shared,
    sharing: Semaphore,
    readers: Shared,
    /// How many connections have broken so far.
    broken: AtomicU64,
    /// Set when a connection broke or could not be made: whether this is still the master has to be
    /// asked before anything is sent over a new one.
    is_doubtful: AtomicBool,
}

/// Whether a write needs a connection for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Company {
    Alone,
    Shared,
}

#[derive(Clone, Copy)]
enum Use {
    Read,
    Write,
}

/// A connection for one write, or a share of one. Dropped, the former is closed; see
/// [`Lease::give_back`].
pub(super) struct Lease<'a> {
    node: &'a Node,
    line: Arc<Line>,
    /// How many connections had broken before.
    broken: u64,
    seat: Option<Seat<'a>>,
    _permit: SemaphorePermit<'a>,
}

impl Node {
    pub(super) fn new(address: Address, common: Arc<Common>) -> Self {
        Self {
            address,
            common,
            breaker: Mutex::default(),
            idle: Mutex::default(),
            alone: Semaphore::new(WRITERS),
            writers: Shared::new(WRITERS),
            sharing: Semaphore::new(WRITERS * SHARING),
            readers: Shared::new(READERS),
            broken: AtomicU64::new(0),
            is_doubtful: AtomicBool::new(false),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it has to be asked again who the master is, before this server is trusted to be it.
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::Acquire)
    }

    pub(super) fn doubt(&self) {
        self.is_doubtful.store(true, Ordering::Release);
    }

    /// It is being asked now; whether it was in doubt.
    pub(super) fn end_doubt(&self) -> bool {
        self.is_doubtful.swap(false, Ordering::AcqRel)
    }

    /// Whether a call would fail at once.
    pub(super) fn is_resting(&self) -> bool {
        self.breaker().is_resting(Instant::now())
    }

    /// Gives a connection for a write. Nothing has been sent when it fails.
    pub(super) async fn lease(
        &self,
        company: Company,
        deadline: Instant,
    ) -> Result<Lease<'_>, Trouble> {
        let places = if company == Company::Alone { &self.alone } else { &self.sharing };
        let permit = timeout_at(deadline, places.acquire()).await.map_err(|_| self.busy())?;
        let permit = permit.map_err(|_| self.busy())?;
        let broken = self.broken();
        let (line, seat) = match company {
            Company::Alone => (self.line_alone().await?, None),
            Company::Shared => {
                let seat = self.writers.seat().ok_or_else(|| self.busy())?;
                (self.line_at(&seat, Use::Write).await?, Some(seat))
            }
        };
        Ok(Lease { node: self, line, broken, seat, _permit: permit })
    }

    async fn line_alone(&self) -> Result<Arc<Line>, Trouble> {
        if self.permit()? == Permit::Pass {
            loop {
                // The one that was used last.
                let Some(line) = lock(&self.idle).pop() else { break };
                if self.is_alive(&line).await {
                    return Ok(line);
                }
            }
        }
        Ok(Arc::new(self.dial().await?))
    }

    /// Sends commands that only read over a shared connection.
    pub(super) async fn read(
        &self,
        commands: &[Cmd],
        limit: Duration,
    ) -> Result<Vec<Reply>, Trouble> {
        let seat = self.readers.seat().ok_or_else(|| self.busy())?;
        let line = self.line_at(&seat, Use::Read).await?;
        let sent = line.connection.send(commands, limit).await;
        let replies = sent.map_err(|broken| self.broke(&line, broken))?;
        self.answered();
        Ok(replies)
    }

    /// The connection of a place; one caller makes it, and the others wait for that.
    async fn line_at(&self, seat: &Seat<'_>, for_what: Use) -> Result<Arc<Line>, Trouble> {
        let mut held = seat.line().await;
        if self.permit()? == Permit::Pass
            && let Some(line) = held.as_ref()
        {
            let is_alive = match for_what {
                // Whatever a read meets, it is repeated.
                Use::Read => !line.has_ended(),
                Use::Write => self.is_alive(line).await,
            };
            if is_alive {
                return Ok(Arc::clone(line));
            }
        }
        let line = Arc::new(self.dial().await?);
        *held = Some(Arc::clone(&line));
        Ok(line)
    }

    fn permit(&self) -> Result<Permit, Trouble> {
        match self.breaker().permit(Instant::now()) {
            Permit::Refuse => Err(Trouble::Resting { server: self.address.clone() }),
            permit => Ok(permit),
        }
    }

    /// Whether a write can be trusted to it; where that is not certain, it is asked.
    async fn is_alive(&self, line: &Line) -> bool {
        let broken = self.broken();
        if line.has_ended() || line.is_fresh(broken) {
            return !line.has_ended();
        }
        match line.connection.send(&[cmd("PING")], ANSWER_LIMIT).await {
            Ok(_) => {
                line.gave_sign(broken);
                true
            }
            Err(error) => {
                drop(self.broke(line, error));
                false
            }
        }
    }

    async fn dial(&self) -> Result<Line, Trouble> {
        let broken = self.broken();
        let dialed = self.common.dialer.dial(&self.address).await;
        let mut breaker = self.breaker();
        match dialed {
            Ok(connection) => {
                breaker.succeeded();
                Ok(Line::new(connection, broken))
            }
            Err(error) => {
                breaker.could_not_connect(Instant::now(), &self.common.jitter);
                drop(breaker);
                self.doubt();
                Err(match error {
                    DialError::Denied => Trouble::refused(&self.address, "NOAUTH"),
                    error => {
                        let (server, reason) = (self.address.clone(), error.reason());
                        Trouble::Unreachable { server, reason }
                    }
                })
            }
        }
    }

    fn answered(&self) {
        self.breaker().succeeded();
    }

    /// Notes once that a connection broke, and says it to everybody whose request was on it.
    fn broke(&self, line: &Line, broken: Broken) -> Trouble {
        if !line.has_ended() {
            // Before anybody can see that it has ended, and makes another.
            self.doubt();
            if line.end() {
                self.broken.fetch_add(1, Ordering::AcqRel);
                self.breaker().lost(Instant::now(), &self.common.jitter);
            }
        }
        let server = self.address.clone();
        match broken {
            Broken::TimedOut => Trouble::TimedOut { server },
            Broken::Closed => Trouble::Broke { server },
        }
    }

    fn broken(&self) -> u64 {
        self.broken.load(Ordering::Acquire)
    }

    fn busy(&self) -> Trouble {
        Trouble::Busy { server: self.address.clone() }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        lock(&self.breaker)
    }
}

impl Lease<'_> {
    /// Sends a request; after an error it may have been executed.
    pub(super) async fn send(
        &self,
        commands: &[Cmd],
        limit: Duration,
    ) -> Result<Vec<Reply>, Trouble> {
        let sent = self.line.connection.send(commands, limit).await;
        let replies = sent.map_err(|broken| self.node.broke(&self.line, broken))?;
        self.line.gave_sign(self.broken);
        self.node.answered();
        Ok(replies)
    }

    /// Notes that what came back belongs to something else: whatever else is open may be no better.
    pub(super) fn distrust(self) -> Trouble {
        drop(self.node.broke(&self.line, Broken::Closed));
        Trouble::Nonsense { server: self.node.address.clone() }
    }

    /// Keeps the connection for the next write, after all replies to this one have come.
    pub(super) fn give_back(self) {
        if self.seat.is_none() {
            lock(&self.node.idle).push(self.line);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
