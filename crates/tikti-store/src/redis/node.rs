//! Which connections are there to one server, and is it worth using them?
//!
//! A write has a connection for itself while it runs: nothing that goes wrong with it, and no late
//! reply to it, can meet another. There are several, made on demand, since a server works on one
//! connection at a time. Reads share two. Invariant: a connection that had an error or a time-out is
//! dropped; and when one broke, the others are asked for a sign of life before a write is trusted
//! to them, so a restart of the server does not cost one lost write a connection.
//!
//! Spec: Storage, "writes are spread over several connections", "reads are pipelined on multiplexed
//! ones".

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, cmd};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::breaker::{Breaker, Permit};
use super::connection::{Broken, CONNECT_LIMIT, Connection, DialError, Dialer, Reply};
use super::jitter::Jitter;
use super::trouble::Trouble;
use super::url::Address;

/// The most connections for writes. A KVRocks works on as many at once as it has workers, 8 unless
/// it is told otherwise; 16 writers with 16 workers were measured to share fsyncs well.
const WRITERS: usize = 16;
const READERS: usize = 2;
/// A connection that rested for longer may have been closed on the way.
const RESTED: Duration = Duration::from_millis(500);

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
    idle: Mutex<Vec<Idle>>,
    writers: Semaphore,
    readers: [tokio::sync::Mutex<Option<Reader>>; READERS],
    next_reader: AtomicUsize,
    /// How many connections have broken so far.
    broken: AtomicU64,
    /// Set when a connection broke or could not be made: whether this is still the master has to be
    /// asked before anything is sent over a new one.
    is_doubtful: AtomicBool,
}

struct Idle {
    connection: Connection,
    since: Instant,
    broken: u64,
}

#[derive(Clone)]
struct Reader {
    connection: Connection,
    number: u64,
}

/// A connection for one write. Dropped, it is closed; see [`Lease::give_back`].
pub(super) struct Lease<'a> {
    node: &'a Node,
    connection: Connection,
    _permit: SemaphorePermit<'a>,
}

impl Node {
    pub(super) fn new(address: Address, common: Arc<Common>) -> Self {
        Self {
            address,
            common,
            breaker: Mutex::default(),
            idle: Mutex::default(),
            writers: Semaphore::new(WRITERS),
            readers: Default::default(),
            next_reader: AtomicUsize::new(0),
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
    pub(super) async fn lease(&self, deadline: Instant) -> Result<Lease<'_>, Trouble> {
        let busy = || Trouble::Busy { server: self.address.clone() };
        let permit = timeout_at(deadline, self.writers.acquire()).await.map_err(|_| busy())?;
        let permit = permit.map_err(|_| busy())?;
        let connection = match self.permit()? {
            Permit::Pass => match self.idle_connection().await {
                Some(connection) => connection,
                None => self.dial().await?,
            },
            Permit::Trial | Permit::Refuse => self.dial().await?,
        };
        Ok(Lease { node: self, connection, _permit: permit })
    }

    /// Sends commands that only read over a shared connection.
    pub(super) async fn read(
        &self,
        commands: &[Cmd],
        limit: Duration,
    ) -> Result<Vec<Reply>, Trouble> {
        let number = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let Some(place) = self.readers.get(number) else {
            return Err(Trouble::Busy { server: self.address.clone() });
        };
        let reader = self.reader(place).await?;
        match reader.connection.send(commands, limit).await {
            Ok(replies) => {
                self.answered();
                Ok(replies)
            }
            Err(broken) => {
                let trouble = self.broke(broken);
                let mut held = place.lock().await;
                if held.as_ref().is_some_and(|held| held.number == reader.number) {
                    *held = None;
                }
                Err(trouble)
            }
        }
    }

    /// The shared connection; one caller makes it, and the others wait for that.
    async fn reader(&self, place: &tokio::sync::Mutex<Option<Reader>>) -> Result<Reader, Trouble> {
        let mut held = place.lock().await;
        if self.permit()? == Permit::Trial {
            *held = None;
        }
        if let Some(reader) = held.as_ref() {
            return Ok(reader.clone());
        }
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let connection = self.dial().await?;
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let reader = Reader { connection, number };
        *held = Some(reader.clone());
        Ok(reader)
    }

    fn permit(&self) -> Result<Permit, Trouble> {
        match self.breaker().permit(Instant::now()) {
            Permit::Refuse => Err(Trouble::Resting { server: self.address.clone() }),
            permit => Ok(permit),
        }
    }

    /// The connection that was used last and works, if any.
    async fn idle_connection(&self) -> Option<Connection> {
        loop {
            let idle = lock(&self.idle).pop()?;
            let is_fresh =
                idle.since.elapsed() < RESTED && idle.broken == self.broken.load(Ordering::Acquire);
            if is_fresh {
                return Some(idle.connection);
            }
            match idle.connection.send(&[cmd("PING")], CONNECT_LIMIT).await {
                Ok(_) => return Some(idle.connection),
                Err(broken) => drop(self.broke(broken)),
            }
        }
    }

    async fn dial(&self) -> Result<Connection, Trouble> {
        let dialed = self.common.dialer.dial(&self.address).await;
        let mut breaker = self.breaker();
        match dialed {
            Ok(connection) => {
                breaker.succeeded();
                Ok(connection)
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

    /// Notes that a connection broke, and says it.
    fn broke(&self, broken: Broken) -> Trouble {
        self.broken.fetch_add(1, Ordering::AcqRel);
        self.breaker().lost(Instant::now(), &self.common.jitter);
        self.doubt();
        let server = self.address.clone();
        match broken {
            Broken::TimedOut => Trouble::TimedOut { server },
            Broken::Closed => Trouble::Broke { server },
        }
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
        let sent = self.connection.send(commands, limit).await;
        let replies = sent.map_err(|broken| self.node.broke(broken))?;
        self.node.answered();
        Ok(replies)
    }

    /// Notes that what came back belongs to something else: whatever else is open may be no better.
    pub(super) fn distrust(self) -> Trouble {
        drop(self.node.broke(Broken::Closed));
        Trouble::Nonsense { server: self.node.address.clone() }
    }

    /// Keeps the connection for the next write, after all replies to this one have come.
    pub(super) fn give_back(self) {
        let broken = self.node.broken.load(Ordering::Acquire);
        let idle = Idle { connection: self.connection, since: Instant::now(), broken };
        lock(&self.node.idle).push(idle);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
