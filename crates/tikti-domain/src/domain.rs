//! What every operation is given: the store, time, randomness, pools, keys and settings, as one
//! value; and who asks.
//!
//! There is no global state: two domains in one process know nothing of each other.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tikti_store::Store;
use tikti_token::{Audience, HmacKey, HmacKeys, KeySet, Policy, SigningKey};

use crate::api_key::{AcceptedKey, ApiKeys, ConfiguredApiKey, KeyScope, PresentedKey};
use crate::api_keys::KeyUses;
use crate::clock::{Clock, Timestamp};
use crate::deployment::{self, StartError};
use crate::error::{Code, Error, InternalError};
use crate::id::TenantRef;
use crate::idempotency::Repeatable;
use crate::keyspace;
use crate::legacy::LegacyKeys;
use crate::mail::MailQueue;
use crate::password::Passwords;
use crate::pool::Pool;
use crate::random::Random;
use crate::rate_limit::Buckets;
use crate::reads::Reads;
use crate::secret::{Peppers, Secrets};
use crate::settings::Settings;
use crate::signing_key::{JwksDocument, KeyRing};
use crate::tenancy::NameCache;

/// What a domain is opened with.
#[derive(Debug)]
pub struct DomainConfig {
    /// The rules' settings.
    pub settings: Settings,
    /// The deployment's secrets.
    pub secrets: Secrets,
    /// The deployment's own API key, if any.
    pub api_key: Option<ConfiguredApiKey>,
}

/// The rules, ready to be asked.
#[derive(Debug)]
pub struct Domain {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) settings: Settings,
    pub(crate) passwords: Passwords,
    pub(crate) signing: Pool,
    pub(crate) key_ring: KeyRing,
    pub(crate) hs256: HmacKeys,
    /// What verifies idTokens of an older Tikti, if such are taken.
    pub(crate) legacy: Option<LegacyKeys>,
    pub(crate) peppers: Peppers,
    pub(crate) api_keys: ApiKeys,
    /// Which API keys were accepted lately.
    pub(crate) key_uses: Box<KeyUses>,
    pub(crate) names: NameCache,
    /// Who is far over a limit; shared with tries that wait for bcrypt.
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) mail_queue: MailQueue,
    /// Tokens issued before are dead.
    pub(crate) not_before: Option<Timestamp>,
}

/// Who asks: what the transport knows of the request, nothing of it believed yet.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The request's id, for the log.
    pub request_id: String,
    /// The address that the request came from.
    pub ip: Option<IpAddr>,
    /// The browser or program, as it names itself.
    pub user_agent: Option<String>,
    /// The API key that it showed.
    pub api_key: Option<SecretString>,
    /// The bearer token that it showed.
    pub bearer: Option<SecretString>,
    /// The tenant that its header `X-Tenant-Id` names, on routes whose path names one.
    pub tenant: Option<TenantRef>,
    /// By what name the request may come again, where it shows a secret and has one.
    pub repeatable: Option<Repeatable>,
    /// Through which door it came, for the log: nothing is decided by it.
    pub door: Door,
}

/// The doors that lead to the same operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Tikti's own endpoints.
    #[default]
    Tikti,
    /// The endpoints that OAuth has shaped.
    OAuth,
}

impl Door {
    /// The name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tikti => "tikti",
            Self::OAuth => "oauth2",
        }
    }
}

impl Domain {
    /// Opens the rules over a store; makes the deployment's record and first signing key where
    /// there are none.
    ///
    /// # Errors
    /// [`StartError`]: each a line that an operator can act on.
    pub async fn open(
        store: Store,
        config: DomainConfig,
        clock: Clock,
        random: Random,
    ) -> Result<Self, StartError> {
        let DomainConfig { settings, secrets, api_key } = config;
        settings.check()?;
        let (now, running) = (clock.now(), clock.running());
        let deployment = deployment::open(&store, &settings, &secrets, now).await?;
        let legacy = LegacyKeys::open(&secrets, deployment.created_at)?;
        let (keys_of, read_at) = ((&store, deployment.not_before), (now, running));
        let key_ring =
            KeyRing::open(keys_of, &secrets.master_key, &settings, read_at, &random).await?;
        let peppers = Peppers::new(&secrets.pepper).map_err(Error::from)?;
        check_api_key(api_key.as_ref(), &peppers)?;
        let passwords =
            Passwords::start(settings.password_pool, settings.password_cost, random.clone())
                .map_err(Error::from)?;
        let signing = Pool::start("signing", settings.signing_pool).map_err(Error::from)?;
        Ok(Self {
            hs256: hs256_keys(&secrets)?,
            legacy,
            api_keys: ApiKeys::new(api_key.as_ref(), &peppers).map_err(Error::from)?,
            key_uses: Box::default(),
            names: NameCache::default(),
            buckets: Arc::default(),
            mail_queue: MailQueue::new(secrets.master_key),
            not_before: deployment.not_before,
            store,
            clock,
            random,
            settings,
            passwords,
            signing,
            key_ring,
            peppers,
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The published keys, from memory.
    #[must_use]
    pub fn jwks(&self) -> Arc<JwksDocument> {
        self.key_ring.document(self.clock.now())
    }

    /// For how long verifiers may hold the published keys: the less, the longer they could not be read. To be
    /// asked before the keys are, so that a read in between makes it too short and not too long.
    #[must_use]
    pub fn keys_may_be_held(&self) -> Duration {
        self.key_ring.may_be_held((self.clock.now(), self.clock.running()))
    }

    /// The key that signs at `now`, from memory.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` where the keys could not be read for `key_view_max_age`; `INTERNAL` where no
    /// configured master key opens the one that signs.
    pub(crate) fn signer(&self, now: Timestamp) -> Result<Arc<SigningKey>, Error> {
        self.key_ring.signer((now, self.clock.running()))
    }

    /// The keys that tokens of RS256 are verified with, from memory, however old that is.
    pub(crate) fn verifiers(&self) -> Arc<KeySet> {
        self.key_ring.verifiers(self.clock.now())
    }

    /// What is expected of every token of this deployment that is for `audience`.
    pub(crate) fn policy<'a>(&'a self, audience: Audience<'a>) -> Policy<'a> {
        Policy {
            issuer: &self.settings.issuer,
            audience,
            required_scopes: &[],
            skew_seconds: self.settings.skew.as_secs(),
        }
    }

    /// The keys that signed heads of the audit are verified with, from memory: those that are published,
    /// and those that were before.
    #[must_use]
    pub fn audit_keys(&self) -> Arc<JwksDocument> {
        self.key_ring.audit_document()
    }

    /// Reads one record, to say whether the store answers.
    ///
    /// # Errors
    /// The store's.
    pub async fn check_store(&self) -> Result<(), Error> {
        self.store.get(&keyspace::deployment(), self.clock.now()).await?;
        Ok(())
    }

    /// Recognises the API key of a request; see [`Domain::judge_key`].
    pub(crate) fn present_key(&self, caller: &Caller) -> PresentedKey {
        self.api_keys.recognise(caller.api_key.as_ref(), &self.peppers)
    }

    /// Judges the API key of a request from its record, for one use.
    pub(crate) fn judge_key(
        &self,
        presented: &PresentedKey,
        reads: &Reads,
        scope: KeyScope,
        now: Timestamp,
    ) -> Result<Result<AcceptedKey, Code>, InternalError> {
        let judged = presented.judge(reads, &self.peppers, now)?;
        let accepted = judged.and_then(|key| key.require(scope).map(|()| key));
        if let (Ok(_), Some(id)) = (&accepted, presented.id()) {
            self.key_uses.note(id, now);
        }
        Ok(accepted)
    }

    /// Reads and judges the API key of a request, for calls that have nothing else to read with it.
    pub(crate) async fn require_key(
        &self,
        caller: &Caller,
        scope: KeyScope,
        now: Timestamp,
    ) -> Result<AcceptedKey, Error> {
        let presented = self.present_key(caller);
        let keys = presented.key().cloned().into_iter().collect();
        let reads = Reads::load(&self.store, keys, now).await?;
        Ok(self.judge_key(&presented, &reads, scope, now)??)
    }
}

/// A hash under a pepper that is not configured would match no key, silently.
fn check_api_key(
    configured: Option<&ConfiguredApiKey>,
    peppers: &Peppers,
) -> Result<(), StartError> {
    match configured {
        Some(ConfiguredApiKey::Hash(hash)) if !peppers.knows(&hash.pepper) => {
            let reason = format!("there is no pepper {}", hash.pepper);
            Err(StartError::Setting { setting: "apiKeyHash", reason })
        }
        _ => Ok(()),
    }
}

fn hs256_keys(secrets: &Secrets) -> Result<HmacKeys, StartError> {
    let refuse = |error: &tikti_token::KeyError| StartError::OtherSecret {
        list: "hs256",
        reason: error.to_string(),
    };
    let keys = secrets
        .hs256
        .iter()
        .map(|named| HmacKey::new(&named.kid, named.secret.expose()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refuse(&error))?;
    HmacKeys::new(keys).map_err(|error| refuse(&error))
}
