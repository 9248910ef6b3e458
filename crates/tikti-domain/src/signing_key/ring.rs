//! Which signing keys does this replica have in memory, and which of them signs now?
//!
//! The record is read at the start, and again by a task of the server (`refresh`); in between everything
//! is answered from memory, also while the store is away. Which key signs is chosen by the clock at each use, so
//! that a key begins its turn on all replicas at one moment, without a read.
//!
//! Invariants: what is in memory is replaced as a whole; nobody waits for the store to use it; each private key
//! is opened once. Where the record was not read for `key_view_max_age`, nothing is signed any more, since the
//! key may be revoked; what verifies goes on.
//!
//! Spec: Tokens and keys, "Signing keys: a pure function of time".

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tikti_store::{Store, Stored};
use tikti_token::{KeySet, PublicKey, RsaSize, SigningKey};
use tokio::sync::{Mutex, MutexGuard};

use super::life::{KeyTimes, Lives, millis};
use super::make::{NewKey, unseal};
use super::start::Start;
use super::{JwksDocument, SigningKeys, unusable};
use crate::clock::Timestamp;
use crate::domain::Domain;
use crate::error::{Code, Error, InternalError, Refusal};
use crate::keyspace;
use crate::pool::{Pool, PoolSize};
use crate::random::Random;
use crate::record::Record;
use crate::secret::NamedSecret;
use crate::settings::Settings;

/// What a refresh tells of a view that has become too old: the next one is about to come.
const RETRY_AFTER_SECONDS: u64 = 5;

/// The keys of this replica.
#[derive(Debug)]
pub(crate) struct KeyRing {
    /// Locked to be copied or replaced, never while anything is awaited.
    view: RwLock<Arc<View>>,
    /// When the record was last read, in milliseconds: as the clock said, and as time goes on.
    read_at: (AtomicU64, AtomicU64),
    max_age: Duration,
    master_keys: Vec<NamedSecret>,
    times: KeyTimes,
    /// One refresh at a time: of two, the one that read earlier must not come later.
    refreshing: Mutex<()>,
    /// One new key at a time: it takes a processor for long, and most of several are not needed.
    making: Mutex<()>,
    maker: Pool,
    size: RsaSize,
}

/// All keys of one record, parsed.
#[derive(Debug)]
struct Loaded {
    stored: Option<Stored>,
    keys: Vec<LoadedKey>,
    lives: Lives,
    audit_document: Arc<JwksDocument>,
}

#[derive(Debug)]
struct LoadedKey {
    public: PublicKey,
    /// The public part as it is published.
    text: String,
    private: Private,
    /// Whether there is a private part at all.
    has_private: bool,
}

#[derive(Clone, Debug)]
enum Private {
    Open(Arc<SigningKey>),
    /// Why it cannot be used.
    Shut(String),
}

/// What the keys are good for in one span of time in which no state changes.
#[derive(Debug)]
struct View {
    loaded: Arc<Loaded>,
    /// The first moment of the span, and the first one after it.
    span: (Timestamp, Timestamp),
    signer: Option<Signer>,
    verifiers: Arc<KeySet>,
    document: Arc<JwksDocument>,
}

#[derive(Debug)]
struct Signer {
    kid: String,
    private: Private,
}

impl View {
    fn at(loaded: Arc<Loaded>, now: Timestamp) -> Self {
        let published = loaded.lives.published(now);
        let published = || published.iter().filter_map(|key| loaded.keys.get(*key));
        let signer = loaded.lives.signer(now).and_then(|key| loaded.keys.get(key));
        Self {
            span: loaded.lives.span(now),
            signer: signer.map(|key| Signer {
                kid: key.public.kid().to_owned(),
                private: key.private.clone(),
            }),
            verifiers: Arc::new(KeySet::new(published().map(|key| key.public.clone()))),
            document: JwksDocument::of(published().map(|key| key.text.as_str())),
            loaded,
        }
    }

    fn signer(&self) -> Result<Arc<SigningKey>, InternalError> {
        match &self.signer {
            Some(Signer { private: Private::Open(key), .. }) => Ok(Arc::clone(key)),
            Some(Signer { kid, private: Private::Shut(reason) }) => {
                Err(unusable(kid, reason.as_str()))
            }
            None => Err(unusable("-", "no key is left that may sign")),
        }
    }

    fn covers(&self, now: Timestamp) -> bool {
        let (from, until) = self.span;
        from <= now && now < until
    }
}

impl Loaded {
    /// Parses a record; what `before` has of it already is taken over.
    fn of(
        stored: Option<Stored>,
        (master_keys, times): (&[NamedSecret], KeyTimes),
        before: Option<&Self>,
    ) -> Result<Self, InternalError> {
        let records = SigningKeys::decode_optional(&keyspace::signing_keys(), stored.as_ref())?
            .unwrap_or_default();
        let keys = records
            .keys
            .iter()
            .map(|record| {
                let public = PublicKey::from_jwk(&record.public)
                    .map_err(|error| unusable(&record.kid, error.to_string()))?;
                let text = serde_json::to_string(&record.public)
                    .map_err(|error| unusable(&record.kid, error.to_string()))?;
                let known = before.and_then(|before| before.open(&text));
                let private = match (known, &record.private, record.revoked_at) {
                    (Some(known), Some(_), None) => Private::Open(known),
                    (_, _, Some(_)) => Private::Shut("it was revoked".to_owned()),
                    (_, _, None) => match unseal(record, master_keys) {
                        Ok(key) => Private::Open(Arc::new(key)),
                        Err(error) => Private::Shut(reason(error)),
                    },
                };
                let has_private = record.private.is_some();
                Ok(LoadedKey { public, text, private, has_private })
            })
            .collect::<Result<Vec<_>, InternalError>>()?;
        let lives = records.lives(times);
        let witnesses = lives.witnesses();
        let witnesses = witnesses.iter().filter_map(|key| keys.get(*key));
        let audit_document = JwksDocument::of(witnesses.map(|key| key.text.as_str()));
        Ok(Self { stored, keys, lives, audit_document })
    }

    /// The private key whose public part is this one, where it was opened.
    fn open(&self, text: &str) -> Option<Arc<SigningKey>> {
        let key = self.keys.iter().find(|key| key.text == text)?;
        match &key.private {
            Private::Open(private) => Some(Arc::clone(private)),
            Private::Shut(_) => None,
        }
    }

    /// The keys that may sign from `now` on and cannot be opened, and why.
    fn shut(&self, now: Timestamp) -> impl Iterator<Item = Shut<'_>> {
        let keys = self.lives.to_sign(now).filter_map(|key| Some((key, self.keys.get(key)?)));
        keys.filter_map(move |(place, key)| match &key.private {
            Private::Open(_) => None,
            Private::Shut(reason) => Some(Shut {
                kid: key.public.kid(),
                reason,
                is_needed: self.lives.is_needed(place, now),
            }),
        })
    }

    /// Refuses keys that sign at `now` or are the next to, and cannot be opened, naming each. One that a wrong
    /// clock has dated years ahead is told of, and stops nobody.
    fn check_open(&self, now: Timestamp) -> Result<(), InternalError> {
        self.shut(now).filter(|key| !key.is_needed).for_each(|key| key.report());
        let mut needed = self.shut(now).filter(|key| key.is_needed);
        let Some(Shut { kid, reason, .. }) = needed.next() else { return Ok(()) };
        let others = needed.map(|key| format!("; nor can {}: {}", key.kid, key.reason));
        Err(unusable(kid, format!("{reason}{}", others.collect::<String>())))
    }

    fn opens(&self, key: usize) -> bool {
        self.keys.get(key).is_some_and(|key| matches!(key.private, Private::Open(_)))
    }
}

/// A key that cannot be opened, and why.
struct Shut<'a> {
    kid: &'a str,
    reason: &'a str,
    /// Whether a server cannot do without it.
    is_needed: bool,
}

impl Shut<'_> {
    fn report(&self) {
        let Self { kid, reason, .. } = self;
        tracing::error!(
            kid,
            reason,
            "a signing key cannot be used here: its tokens are verified, and this server signs nothing in its turn"
        );
    }
}

fn reason(error: InternalError) -> String {
    match error {
        InternalError::SigningKey { reason, .. } => reason,
        other => other.to_string(),
    }
}

impl KeyRing {
    /// Loads the keys; makes the first one where there is none, or none is left by a restore.
    ///
    /// # Errors
    /// [`InternalError::SigningKey`] where a key that signs now, or is the next to, cannot be opened; the store's.
    pub(crate) async fn open(
        (store, not_before): (&Store, Option<Timestamp>),
        master_keys: &[NamedSecret],
        settings: &Settings,
        (now, running): (Timestamp, Duration),
        random: &Random,
    ) -> Result<Self, Error> {
        let size = settings.rsa_size;
        let times = KeyTimes::of(settings);
        let start = Start { not_before, master_keys, size, times };
        let stored = start.load_or_make(store, now, random).await?;
        let loaded = Loaded::of(stored, (master_keys, times), None)?;
        let view = View::at(Arc::new(loaded), now);
        // Without the key of now nothing works, and without the next one nothing will: by then the master key
        // that is missing may be gone for good, or nobody is there.
        view.loaded.check_open(now)?;
        view.signer()?;
        let maker =
            PoolSize { threads: 1, queue: 16, longest_wait: Duration::from_secs(60), niceness: 10 };
        Ok(Self {
            view: RwLock::new(Arc::new(view)),
            read_at: (AtomicU64::new(now.as_millis()), AtomicU64::new(millis(running))),
            max_age: settings.key_view_max_age,
            master_keys: master_keys.to_vec(),
            times,
            refreshing: Mutex::default(),
            making: Mutex::default(),
            maker: Pool::start("keys", maker)?,
            size,
        })
    }

    /// What the keys are good for at `now`.
    fn view(&self, now: Timestamp) -> Arc<View> {
        let held = self.held();
        if held.covers(now) {
            return held;
        }
        let next = Arc::new(View::at(Arc::clone(&held.loaded), now));
        let mut place = self.view.write().unwrap_or_else(PoisonError::into_inner);
        // A refresh that came between is not undone; the answer is that of the moment before.
        if Arc::ptr_eq(&place.loaded, &held.loaded) {
            *place = Arc::clone(&next);
        }
        next
    }

    fn held(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How old what is in memory is at least: as time goes on, which a machine may not have counted in its sleep,
    /// or as the clock says, which may have been set since. Either way on the clock: what was read by one that was
    /// ahead would look new for long.
    fn age(&self, (now, running): (Timestamp, Duration)) -> Duration {
        let (read_at, read_running) = &self.read_at;
        let by_clock = now.as_millis().abs_diff(read_at.load(Ordering::Acquire));
        let by_time = millis(running).saturating_sub(read_running.load(Ordering::Acquire));
        Duration::from_millis(by_clock.max(by_time))
    }

    /// The key that signs at `now`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` where the record was not read for too long, or the clock has jumped.
    /// [`InternalError::SigningKey`] where the key cannot be opened here.
    pub(crate) fn signer(
        &self,
        (now, running): (Timestamp, Duration),
    ) -> Result<Arc<SigningKey>, Error> {
        if self.age((now, running)) > self.max_age {
            let message = "the signing keys could not be read for too long";
            let refusal = Refusal::new(Code::StoreUnavailable, message);
            return Err(refusal.retry_after(RETRY_AFTER_SECONDS).into());
        }
        Ok(self.view(now).signer()?)
    }

    /// For how long a verifier may hold what is published at this moment.
    pub(crate) fn may_be_held(&self, read_at: (Timestamp, Duration)) -> Duration {
        self.times.may_be_held(self.age(read_at))
    }

    /// The keys that verify tokens at `now`.
    pub(crate) fn verifiers(&self, now: Timestamp) -> Arc<KeySet> {
        Arc::clone(&self.view(now).verifiers)
    }

    /// The keys that are published at `now`.
    pub(crate) fn document(&self, now: Timestamp) -> Arc<JwksDocument> {
        Arc::clone(&self.view(now).document)
    }

    /// The keys that heads of the audit are verified with.
    pub(crate) fn audit_document(&self) -> Arc<JwksDocument> {
        Arc::clone(&self.held().loaded.audit_document)
    }

    pub(super) fn times(&self) -> KeyTimes {
        self.times
    }

    pub(super) fn master_keys(&self) -> &[NamedSecret] {
        &self.master_keys
    }

    /// Whether, as far as is known in memory, the next key is to be made at `now`.
    pub(super) fn is_rotation_due(&self, now: Timestamp) -> bool {
        let loaded = &self.held().loaded;
        loaded.lives.is_rotation_due(now, |key| loaded.opens(key))
    }

    /// Tells of each of these keys whether it can be opened here.
    pub(super) fn opens<'a>(&'a self, keys: &'a SigningKeys) -> impl Fn(usize) -> bool + 'a {
        |key| keys.keys.get(key).is_some_and(|key| unseal(key, &self.master_keys).is_ok())
    }

    /// Whether a key that was removed long before `now` has its private part still.
    pub(super) fn has_removed(&self, now: Timestamp) -> bool {
        let loaded = &self.held().loaded;
        let removed = |key| loaded.lives.is_long_removed(key, now);
        loaded.keys.iter().enumerate().any(|(key, loaded)| loaded.has_private && removed(key))
    }

    /// Waits until nobody else here makes a key.
    pub(super) async fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().await
    }

    /// Makes a private key, on a thread of its own.
    pub(super) async fn new_key(&self) -> Result<NewKey, Error> {
        let size = self.size;
        Ok(self.maker.run(move || NewKey::generate(size)).await??)
    }

    /// Reads the record, and takes it over where it has changed.
    async fn refresh(
        &self,
        store: &Store,
        (now, running): (Timestamp, Duration),
    ) -> Result<bool, Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let stored = store.get(&keyspace::signing_keys(), now).await?;
        let held = self.held();
        let has_changed = stored != held.loaded.stored;
        if has_changed {
            let known = (&self.master_keys[..], self.times);
            let loaded = Loaded::of(stored, known, Some(&held.loaded))?;
            for key in loaded.shut(now) {
                if held.loaded.shut(now).all(|known| known.kid != key.kid) {
                    key.report();
                }
            }
            let next = Arc::new(View::at(Arc::new(loaded), now));
            *self.view.write().unwrap_or_else(PoisonError::into_inner) = next;
        }
        let (read_at, read_running) = &self.read_at;
        read_at.store(now.as_millis(), Ordering::Release);
        read_running.store(millis(running), Ordering::Release);
        Ok(has_changed)
    }
}

/// Reads the keys again, and says whether they have changed. What is in memory stays where that fails.
///
/// # Errors
/// The store's; [`InternalError::SigningKey`] and [`InternalError::Record`] for a record that cannot be read.
pub async fn refresh(domain: &Domain) -> Result<bool, Error> {
    // Before the read: what is in memory is as old as that, not as its answer.
    let read_at = (domain.clock.now(), domain.clock.running());
    domain.key_ring.refresh(&domain.store, read_at).await
}
