//! The deployment's own record: which issuer and which secrets this store belongs to.
//!
//! Written at the first start, checked at every other one: a server with another issuer or other
//! secrets must not begin to write into a store whose tokens it could not honour. Secrets are known
//! by a public fingerprint only.
//!
//! Spec: Operations, "Configuration" (refusals at start) and "Deployment" (fingerprints).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tikti_store::{Entry, Expected, Store, StoreError, Stored, copy};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::keyspace;
use crate::legacy;
use crate::record::Record;
use crate::secret::{MIN_SECRET_BYTES, NamedSecret, Secrets, fingerprint};
use crate::settings::Settings;

/// Why the rules cannot start on this store with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store belongs to another issuer.
    #[error(
        "this store was made for the issuer {stored}, not {configured}: tokens of the old issuer would \
         stop verifying. To change it on purpose, set issuerChangeFrom: {stored}"
    )]
    OtherIssuer {
        /// The issuer of the first start.
        stored: String,
        /// The configured one.
        configured: String,
    },
    /// A secret is not the one that the store was made with.
    #[error(
        "secrets.{list}: {reason}. Configure the secret that this store was made with \
         (rotate by putting a new one before it)"
    )]
    OtherSecret {
        /// `masterKey`, `pepper` or `hs256`.
        list: &'static str,
        /// What does not fit, without the secret.
        reason: String,
    },
    /// A setting is out of its bounds.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting's path in the configuration.
        setting: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Half of the records may be missing.
    #[error(
        "this store holds {found} that was not finished, and records may be missing: run it again, or \
         use another store"
    )]
    Unfinished {
        /// What is filling the store.
        found: String,
    },
    /// The store cannot be read or a record in it is damaged.
    #[error("the store cannot be used")]
    Store(#[source] Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// What the store knows of the deployment that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    pub(crate) issuer: String,
    pub(crate) created_at: Timestamp,
    /// Tokens issued before are dead: set when a copy of the store was restored.
    #[serde(default)]
    pub(crate) not_before: Option<Timestamp>,
    /// Fingerprint of each secret ever used, by list and `kid`.
    pub(crate) fingerprints: BTreeMap<String, BTreeMap<String, String>>,
}

impl Record for Deployment {}

/// Reads the deployment's record, makes it at the first start, and refuses to go on with another's.
pub(crate) async fn open(
    store: &Store,
    settings: &Settings,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Deployment, StartError> {
    check_secrets(secrets)?;
    if let Some(found) = copy::unfinished(store, now).await? {
        return Err(StartError::Unfinished { found });
    }
    let key = keyspace::deployment();
    // Two rounds suffice: the second one reads what another replica wrote between read and write.
    for _ in 0..2 {
        let stored = store.get(&key, now).await?;
        let known = Deployment::decode_optional(&key, stored.as_ref()).map_err(Error::from)?;
        let next = reconcile(known.as_ref(), settings, secrets, now)?;
        if known.as_ref() == Some(&next) {
            return Ok(next);
        }
        let bytes = next.encode().map_err(Error::from)?;
        let expected =
            stored.as_ref().map_or(Expected::Absent, |stored: &Stored| Expected::Equals(stored));
        match store.put_if(&key, expected, Entry::new(&bytes), now).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict { key }.into())
}

/// What the record should say, from what it says and what is configured.
fn reconcile(
    known: Option<&Deployment>,
    settings: &Settings,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Deployment, StartError> {
    let mut next = known.cloned().unwrap_or_else(|| Deployment {
        issuer: settings.issuer.clone(),
        created_at: now,
        not_before: None,
        fingerprints: BTreeMap::new(),
    });
    if next.issuer != settings.issuer {
        let on_purpose = settings.issuer_may_change
            || settings.issuer_change_from.as_deref() == Some(next.issuer.as_str());
        if !on_purpose {
            let configured = settings.issuer.clone();
            return Err(StartError::OtherIssuer { stored: next.issuer, configured });
        }
        next.issuer.clone_from(&settings.issuer);
    }
    reconcile_secrets(&mut next, secrets)?;
    Ok(next)
}

/// Refuses secrets that are not those of a deployment.
pub(crate) fn check_owner(deployment: &Deployment, secrets: &Secrets) -> Result<(), StartError> {
    check_secrets(secrets)?;
    reconcile_secrets(&mut deployment.clone(), secrets)
}

fn reconcile_secrets(next: &mut Deployment, secrets: &Secrets) -> Result<(), StartError> {
    for (list, named) in lists(secrets) {
        let fingerprints = next.fingerprints.entry(list.to_owned()).or_default();
        reconcile_list(list, named, fingerprints)?;
    }
    Ok(())
}

fn lists(secrets: &Secrets) -> [(&'static str, &[NamedSecret]); 3] {
    [("masterKey", &secrets.master_key), ("pepper", &secrets.pepper), ("hs256", &secrets.hs256)]
}

fn reconcile_list(
    list: &'static str,
    named: &[NamedSecret],
    fingerprints: &mut BTreeMap<String, String>,
) -> Result<(), StartError> {
    let known = !fingerprints.is_empty();
    let mut shared = false;
    for secret in named {
        let print = fingerprint(&secret.secret);
        match fingerprints.get(&secret.kid) {
            Some(stored) if *stored == print => shared = true,
            Some(_) => {
                let reason =
                    format!("{} is not the secret that the store knows by this id", secret.kid);
                return Err(StartError::OtherSecret { list, reason });
            }
            None => {}
        }
    }
    if known && !shared {
        let reason = "none of the configured secrets is one that the store knows".to_owned();
        return Err(StartError::OtherSecret { list, reason });
    }
    for secret in named {
        fingerprints.insert(secret.kid.clone(), fingerprint(&secret.secret));
    }
    Ok(())
}

/// Each list has a secret, each secret its length, and no id stands twice.
fn check_secrets(secrets: &Secrets) -> Result<(), StartError> {
    for (list, named) in lists(secrets) {
        let refuse = |reason: String| Err(StartError::OtherSecret { list, reason });
        if named.is_empty() {
            return refuse("there is none".to_owned());
        }
        let mut kids: Vec<_> = named.iter().map(|secret| &secret.kid).collect();
        kids.sort();
        kids.dedup();
        if kids.len() != named.len() {
            return refuse("an id stands twice".to_owned());
        }
        for secret in named {
            let length = secret.secret.expose().len();
            let exact = list == "masterKey";
            if length < MIN_SECRET_BYTES || (exact && length != MIN_SECRET_BYTES) {
                let bound = if exact { "exactly" } else { "at least" };
                return refuse(format!("{} must be {bound} 32 bytes, not {length}", secret.kid));
            }
        }
    }
    check_legacy(secrets)
}

/// A secret of an older Tikti is long enough, and none of this deployment's own: whoever else knows it
/// could make every idToken.
fn check_legacy(secrets: &Secrets) -> Result<(), StartError> {
    let Some(legacy) = &secrets.hs256_legacy else {
        return Ok(());
    };
    let refuse = |reason: &str| {
        Err(StartError::Setting { setting: legacy::SETTING, reason: reason.to_owned() })
    };
    if legacy.secrets.is_empty() {
        return refuse("there is no secret");
    }
    for secret in &legacy.secrets {
        if secret.expose().len() < MIN_SECRET_BYTES {
            return refuse("a secret must be at least 32 bytes");
        }
        let mut own = lists(secrets).into_iter().flat_map(|(_, named)| named);
        if own.any(|named| named.secret.expose() == secret.expose()) {
            return refuse("a secret is one that this deployment has for itself");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legacy::LegacyKeys;
    use crate::secret::LegacySecrets;
    use crate::secret::SecretBytes;

    fn named(kid: &str, byte: u8) -> Vec<NamedSecret> {
        vec![NamedSecret { kid: kid.to_owned(), secret: SecretBytes::new(vec![byte; 32]) }]
    }

    fn secrets() -> Secrets {
        Secrets {
            master_key: named("m1", 1),
            pepper: named("p1", 2),
            hs256: named("h1", 3),
            hs256_legacy: None,
        }
    }

    fn settings(issuer: &str) -> Settings {
        Settings::shipped(issuer).unwrap()
    }

    fn first() -> Deployment {
        let now = Timestamp::from_millis(1);
        reconcile(None, &settings("https://a"), &secrets(), now).unwrap()
    }

    fn next(
        known: &Deployment,
        settings: &Settings,
        secrets: &Secrets,
    ) -> Result<Deployment, StartError> {
        reconcile(Some(known), settings, secrets, Timestamp::from_millis(2))
    }

    #[test]
    fn the_same_configuration_changes_nothing() {
        let known = first();
        assert_eq!(next(&known, &settings("https://a"), &secrets()).unwrap(), known);
    }

    #[test]
    fn another_issuer_is_refused_unless_changed_on_purpose() {
        let known = first();
        let mut other = settings("https://b");
        assert!(matches!(next(&known, &other, &secrets()), Err(StartError::OtherIssuer { .. })));
        other.issuer_change_from = Some("https://c".to_owned());
        assert!(matches!(next(&known, &other, &secrets()), Err(StartError::OtherIssuer { .. })));
        other.issuer_change_from = Some("https://a".to_owned());
        assert_eq!(next(&known, &other, &secrets()).unwrap().issuer, "https://b");
    }

    #[test]
    fn secrets_rotate_by_adding_and_nothing_else() {
        let known = first();
        let issuer = settings("https://a");
        let mut rotated = secrets();
        rotated.pepper = [named("p2", 9), named("p1", 2)].concat();
        let after = next(&known, &issuer, &rotated).unwrap();
        assert_eq!(after.fingerprints["pepper"].len(), 2);
        let mut changed = secrets();
        changed.pepper = named("p1", 9);
        assert!(matches!(next(&known, &issuer, &changed), Err(StartError::OtherSecret { .. })));
        let mut replaced = secrets();
        replaced.pepper = named("p2", 9);
        assert!(matches!(next(&known, &issuer, &replaced), Err(StartError::OtherSecret { .. })));
    }

    #[test]
    fn short_missing_and_doubled_secrets_are_named() {
        let mut short = secrets();
        short.hs256[0].secret = SecretBytes::new(vec![1; 31]);
        assert_eq!(
            check_secrets(&short).unwrap_err().to_string(),
            "secrets.hs256: h1 must be at least 32 bytes, not 31. Configure the secret that this \
             store was made with (rotate by putting a new one before it)"
        );
        let mut none = secrets();
        none.pepper.clear();
        assert!(check_secrets(&none).is_err());
        let mut twice = secrets();
        twice.pepper = [named("p1", 1), named("p1", 2)].concat();
        assert!(check_secrets(&twice).is_err());
    }

    fn with_legacy(secret: &[u8], accept_until: u64) -> Secrets {
        let legacy = LegacySecrets {
            secrets: vec![SecretBytes::new(secret.to_vec())],
            accept_until: Timestamp::from_millis(accept_until),
            issuers: Vec::new(),
        };
        Secrets { hs256_legacy: Some(legacy), ..secrets() }
    }

    #[test]
    fn secrets_of_an_older_tikti_are_long_and_nobodys_here() {
        check_secrets(&with_legacy(&[9; 32], 1)).unwrap();
        for secret in [&[9; 31][..], &[], &[1; 32], &[2; 32], &[3; 32]] {
            let refused = check_secrets(&with_legacy(secret, 1)).unwrap_err();
            assert!(matches!(refused, StartError::Setting { setting: legacy::SETTING, .. }));
        }
        let mut none = with_legacy(&[9; 32], 1);
        none.hs256_legacy.as_mut().unwrap().secrets.clear();
        assert!(check_secrets(&none).is_err());
        assert!(
            !format!("{:?}", with_legacy(b"hush-hush-hush-hush-hush-hush-hush", 1))
                .contains("hush")
        );
    }

    #[test]
    fn tokens_of_an_older_tikti_are_taken_for_a_day_after_the_first_start() {
        let (started, day) = (Timestamp::from_millis(5_000), 24 * 3600 * 1000);
        assert!(LegacyKeys::open(&secrets(), started).unwrap().is_none());
        assert!(LegacyKeys::open(&with_legacy(&[9; 32], day + 5_000), started).unwrap().is_some());
        let refused = LegacyKeys::open(&with_legacy(&[9; 32], day + 5_001), started).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "secrets.hs256Legacy: acceptUntil must be at most 24 hours after the first start: until \
             1970-01-02T00:00:05.000Z"
        );
    }
}
