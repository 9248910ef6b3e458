//! Which secrets of the profiles lie in the keyring of the system, and not in the file?
//!
//! All or none of a profile's. They are stored in the keyring before the file leaves them out, and a profile
//! whose keyring cannot be used is left as it is: nothing is lost between the two.
//!
//! Spec: Command line, "Profiles". Why: docs/decisions/0044.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Profile, ProfileFile, Profiles};
use crate::exit::Failure;
use crate::keyring::{Item, Keyring};

/// What a keyring keeps of a profile, as JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Secrets {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_token: Option<String>,
}

/// The profiles of a keyring as they were before a change, by name.
pub(super) struct Unsealed(BTreeMap<String, (Profile, Option<Failure>)>);

/// Names of the profiles that need their place in the keyring no more.
pub(super) struct Left(Vec<String>);

impl ProfileFile {
    /// The profile with its secrets, wherever they lie.
    ///
    /// Errors: exit code 3 where they lie in a keyring that cannot be used.
    pub(crate) fn with_secrets(
        &self,
        name: &str,
        mut profile: Profile,
    ) -> Result<Profile, Failure> {
        if profile.keyring {
            let path = self.path();
            let item = Item { file: &path, profile: name };
            if let Some(found) = Keyring::of_this_system().find(&item)? {
                put_back(&mut profile, found.expose_secret())?;
            }
        }
        Ok(profile)
    }

    /// Gives the profiles of a keyring their secrets; those whose keyring cannot be used stay without.
    pub(super) fn unseal(&self, profiles: &mut Profiles) -> Unsealed {
        let mut before = BTreeMap::new();
        for (name, profile) in &mut profiles.profiles {
            if !profile.keyring {
                continue;
            }
            let failure = match self.with_secrets(name, profile.clone()) {
                Ok(whole) => {
                    *profile = whole;
                    None
                }
                Err(failure) => Some(failure),
            };
            before.insert(name.clone(), (profile.clone(), failure));
        }
        Unsealed(before)
    }

    /// Stores what was changed in the keyring, and takes all that lies there out of `profiles`.
    ///
    /// Errors: exit code 3 where a profile was changed whose keyring cannot be used.
    pub(super) fn seal(&self, profiles: &mut Profiles, before: Unsealed) -> Result<Left, Failure> {
        let Unsealed(mut before) = before;
        let path = self.path();
        for (name, profile) in profiles.profiles.iter_mut().filter(|(_, profile)| profile.keyring) {
            match before.remove(name) {
                Some((old, _)) if old == *profile => {
                    // Nothing was read of a keyring that cannot be used, and the file has nothing to lose.
                }
                Some((_, Some(failure))) => return Err(failure),
                Some((_, None)) | None => {
                    let item = Item { file: &path, profile: name };
                    Keyring::of_this_system().store(&item, &taken(&mut profile.clone())?)?;
                }
            }
            let _in_the_keyring = taken(profile)?;
        }
        Ok(Left(before.into_keys().collect()))
    }

    /// Takes the secrets of profiles that are gone out of the keyring.
    pub(super) fn forget(&self, left: &Left) -> Result<(), Failure> {
        let path = self.path();
        for name in &left.0 {
            let item = Item { file: &path, profile: name };
            Keyring::of_this_system().clear(&item).map_err(|failure| {
                let message = &failure.message;
                Failure::usage(format!("profile `{name}` is gone, its secrets are not: {message}"))
            })?;
        }
        Ok(())
    }
}

fn put_back(profile: &mut Profile, text: &str) -> Result<(), Failure> {
    // What is wrong in it is not said: it would be shown.
    let secrets: Secrets = serde_json::from_str(text).map_err(|_| {
        Failure::usage("the keyring holds something else under the name of the profile")
    })?;
    let Secrets { api_key, id_token, refresh_token, access_token, worker_token } = secrets;
    profile.api_key = api_key;
    profile.id_token = id_token;
    profile.refresh_token = refresh_token;
    profile.access_token = access_token;
    profile.worker_token = worker_token;
    Ok(())
}

/// Takes the secrets out of a profile.
fn taken(profile: &mut Profile) -> Result<SecretString, Failure> {
    let secrets = Secrets {
        api_key: profile.api_key.take(),
        id_token: profile.id_token.take(),
        refresh_token: profile.refresh_token.take(),
        access_token: profile.access_token.take(),
        worker_token: profile.worker_token.take(),
    };
    let text = serde_json::to_string(&secrets);
    text.map(SecretString::from)
        .map_err(|cause| Failure::usage(format!("writing the secrets of a profile: {cause}")))
}
