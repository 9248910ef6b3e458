//! Which keys has the issuer now, and how do they get here?
//!
//! Keys are in memory; a fetch runs in a task of its own, so that a request that is given up does
//! not end what others wait for. The task is owned by [`Keys`] and ends with it. Whatever a fetch
//! brings, the keys that are held are replaced by a whole valid set or not at all.
//!
//! Spec: Tokens and keys, "Signing keys". Why: docs/decisions/0040.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Url};
use tikti_token::KeySet;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::document::{read_discovery, read_keys};
use crate::error::RefreshError;
use crate::fetch::{Reply, get};
use crate::plan::{Book, Confirmed, Freshness, Plan, Times};

/// Where the documents are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The discovery document names the address of the keys.
    Discovery(Url),
    /// Configured.
    Keys(Url),
}

/// What a fetch needs to know.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) issuer: String,
    pub(crate) place: Place,
    pub(crate) times: Times,
    /// For all that one fetch does.
    pub(crate) time_limit: Duration,
}

/// The keys of one issuer, kept fresh.
pub(crate) struct Keys {
    shared: Arc<Shared>,
    /// Dropping it ends the fetch that runs.
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    source: Source,
    held: RwLock<Option<Arc<Held>>>,
    book: Mutex<Book>,
    last: Mutex<Last>,
    landings: watch::Sender<u64>,
}

struct Held {
    keys: Arc<KeySet>,
    etag: Option<HeaderValue>,
    confirmed: Confirmed,
    /// Where they came from, and since when that is known.
    url: Url,
    located_at: Instant,
}

/// For [`Status`].
#[derive(Clone, Copy, Default)]
struct Last {
    fetches: u64,
    failure: Option<RefreshError>,
}

/// How a verifier's keys are, for a metric or a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How far they can be relied on.
    pub freshness: Freshness,
    /// How many there are.
    pub keys: usize,
    /// Since the issuer last confirmed them.
    pub age: Option<Duration>,
    /// Fetches since the verifier was built.
    pub fetches: u64,
    /// Fetches in a row that did not succeed.
    pub failures: u32,
    /// Why the last one of those did not.
    pub last_failure: Option<RefreshError>,
    /// Requests with an unknown key id for which the issuer was not asked again.
    pub held_back: u64,
}

/// A look at what is held.
pub(crate) struct View {
    /// Empty where there are none.
    pub(crate) keys: Arc<KeySet>,
    pub(crate) freshness: Freshness,
}

impl Keys {
    pub(crate) fn new(source: Source) -> Self {
        let shared = Shared {
            source,
            held: RwLock::default(),
            book: Mutex::default(),
            last: Mutex::default(),
            landings: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// Returns the keys to verify with. Starts a fetch where one is due, and waits for it only where
    /// nothing may be relied on before.
    pub(crate) async fn current(&self) -> View {
        let view = self.shared.view();
        if view.freshness == Freshness::Fresh {
            return view;
        }
        // Judged once more under the lock, so that nobody fetches what has just come.
        self.act(|book, now| book.plan(self.shared.view().freshness, now)).await;
        self.shared.view()
    }

    /// Asks the issuer for a key that is not held, unless it was asked just now.
    pub(crate) async fn look_for(&self, kid: &str) -> Sought {
        let times = &self.shared.source.times;
        let plan = self.act(|book, now| book.plan_for_unknown(kid, times, now)).await;
        let view = self.shared.view();
        let mut book = self.shared.book();
        if view.keys.get(kid).is_some() {
            return Sought::Found(view.keys);
        }
        if book.failures() > 0 || view.freshness == Freshness::Missing {
            return Sought::Untold;
        }
        if plan.starts {
            book.remember_stranger(kid, times, Instant::now());
        }
        Sought::Stranger
    }

    /// Fetches now, or joins the fetch that runs.
    pub(crate) async fn refresh(&self) -> Result<(), RefreshError> {
        self.act(|book, _| Plan { starts: !book.is_in_flight(), waits: true }).await;
        let failures = self.shared.book().failures();
        let failure = lock(&self.shared.last).failure;
        match failure {
            Some(failure) if failures > 0 => Err(failure),
            _ => Ok(()),
        }
    }

    /// Waits until a fetch is due, then for its end.
    pub(crate) async fn refresh_when_due(&self) {
        tokio::time::sleep_until(self.shared.next_fetch()).await;
        self.act(|book, now| {
            let plan = book.plan(self.shared.view().freshness, now);
            Plan { waits: plan.starts || book.is_in_flight(), ..plan }
        })
        .await;
    }

    pub(crate) fn status(&self) -> Status {
        let (held, book, last) = (self.shared.held(), self.shared.book(), *lock(&self.shared.last));
        let confirmed = held.as_ref().map(|held| held.confirmed);
        let now = Instant::now();
        Status {
            freshness: Freshness::of(confirmed, &self.shared.source.times, now),
            keys: held.as_ref().map_or(0, |held| held.keys.len()),
            age: confirmed.map(|confirmed| now.saturating_duration_since(confirmed.at)),
            fetches: last.fetches,
            failures: book.failures(),
            last_failure: last.failure,
            held_back: book.held_back(),
        }
    }

    /// Does what `plan` says, in one step with planning it.
    async fn act(&self, plan: impl FnOnce(&mut Book, Instant) -> Plan) -> Plan {
        let now = Instant::now();
        let (plan, mut landings) = {
            let mut book = self.shared.book();
            let plan = plan(&mut book, now);
            if plan.starts {
                book.started(now);
            }
            // Under the same lock as a landing: one that follows is seen, one before is not.
            (plan, self.shared.landings.subscribe())
        };
        if plan.starts {
            let mut tasks = lock(&self.tasks);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(fetch(Landing { shared: Arc::clone(&self.shared), result: None }));
        }
        if plan.waits {
            // An error would say that the sender is gone, which `self` holds.
            let _ = landings.changed().await;
        }
        plan
    }
}

/// What came of looking for a key.
pub(crate) enum Sought {
    /// It is among these.
    Found(Arc<KeySet>),
    /// The issuer does not publish it.
    Stranger,
    /// The issuer could not be asked.
    Untold,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn view(&self) -> View {
        let held = self.held();
        let confirmed = held.as_ref().map(|held| held.confirmed);
        let freshness = Freshness::of(confirmed, &self.source.times, Instant::now());
        let keys = held.filter(|_| freshness != Freshness::Missing);
        let keys = keys.map_or_else(Arc::default, |held| Arc::clone(&held.keys));
        View { keys, freshness }
    }

    fn next_fetch(&self) -> Instant {
        let due = self.held().map(|held| held.confirmed.due_at());
        let not_before = self.book().not_before();
        due.max(not_before).unwrap_or_else(Instant::now)
    }

    /// Asks the issuer for its keys, and for their address where it is not known.
    async fn ask(&self) -> Result<Held, RefreshError> {
        let held = self.held();
        let (url, located_at) = self.locate(held.as_deref()).await?;
        let known = held.filter(|held| held.url == url);
        let etag = known.as_ref().and_then(|held| held.etag.clone());
        let reply = get(&self.source.client, url.clone(), etag).await?;
        let confirmed = |lifetime: Duration| {
            let times = &self.source.times;
            let life = lifetime.clamp(times.shortest_life, times.longest_life);
            Confirmed { at: Instant::now(), life }
        };
        match (reply, known) {
            (Reply::Document { body, etag, lifetime }, _) => {
                let keys = Arc::new(read_keys(&body)?);
                Ok(Held { keys, etag, confirmed: confirmed(lifetime), url, located_at })
            }
            (Reply::NotModified { lifetime }, Some(held)) => Ok(Held {
                keys: Arc::clone(&held.keys),
                etag: held.etag.clone(),
                confirmed: confirmed(lifetime),
                url,
                located_at,
            }),
            (Reply::NotModified { .. }, None) => Err(RefreshError::Status(304)),
        }
    }

    async fn locate(&self, held: Option<&Held>) -> Result<(Url, Instant), RefreshError> {
        let now = Instant::now();
        // What failed may have moved, and an address is not held for longer than keys are.
        let is_steady = self.book().failures() == 0;
        let still_good = |held: &&Held| {
            let age = now.saturating_duration_since(held.located_at);
            is_steady && age < self.source.times.longest_life
        };
        match (&self.source.place, held.filter(still_good)) {
            (Place::Keys(url), _) => Ok((url.clone(), now)),
            (Place::Discovery(_), Some(held)) => Ok((held.url.clone(), held.located_at)),
            (Place::Discovery(url), None) => Ok((self.discover(url).await?, now)),
        }
    }

    async fn discover(&self, url: &Url) -> Result<Url, RefreshError> {
        match get(&self.source.client, url.clone(), None).await? {
            Reply::Document { body, .. } => read_discovery(&body, &self.source.issuer, url),
            Reply::NotModified { .. } => Err(RefreshError::Status(304)),
        }
    }

    fn land(&self, result: Result<Held, RefreshError>) {
        let mut book = self.book();
        let mut last = lock(&self.last);
        last.fetches = last.fetches.saturating_add(1);
        match result {
            Ok(held) => {
                let mut place = self.held.write().unwrap_or_else(PoisonError::into_inner);
                *place = Some(Arc::new(held));
                book.succeeded();
            }
            Err(error) => {
                last.failure = Some(error);
                book.failed(Instant::now());
            }
        }
        drop(last);
        self.landings.send_modify(|landings| *landings = landings.wrapping_add(1));
    }
}

/// Lets those who wait go on when a fetch ends, however it does.
struct Landing {
    shared: Arc<Shared>,
    result: Option<Result<Held, RefreshError>>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or(Err(RefreshError::Aborted));
        self.shared.land(result);
    }
}

async fn fetch(mut landing: Landing) {
    let limit = landing.shared.source.time_limit;
    let result = timeout(limit, landing.shared.ask()).await;
    landing.result = Some(result.unwrap_or(Err(RefreshError::TimedOut)));
}

/// No code panics under these locks, and what they hold is valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
