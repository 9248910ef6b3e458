//! What does the operator say about signing keys: their size, and the times that their lives follow from?
//!
//! Spec: Tokens and keys, "Signing keys: a pure function of time".

use std::time::Duration;

use tikti_domain::RsaSize;
use tikti_domain::settings::{LEAST_KEY_ROTATION, Settings};

use super::section::{Problems, Section};

/// A new key waits for as long before it signs, and a revoked one is believed for as long.
const MAX_JWKS_SECONDS: u64 = 24 * 3600;
/// A revoked key signs for as long on a replica that has not heard of it.
const MAX_REFRESH_SECONDS: u64 = 3600;
const MAX_VIEW_SECONDS: u64 = 24 * 3600;
const MAX_ROTATION_SECONDS: u64 = 3650 * 24 * 3600;
/// What `rotateEvery` says where keys are followed only when somebody asks for it.
const NEVER: &str = "never";

/// Reads the group `keys`.
pub(super) fn keys(mut section: Section<'_>, settings: &mut Settings) {
    match section.number("rsaBits", 2048, 4096) {
        None => {}
        Some(2048) => settings.rsa_size = RsaSize::Bits2048,
        Some(3072) => settings.rsa_size = RsaSize::Bits3072,
        Some(4096) => settings.rsa_size = RsaSize::Bits4096,
        Some(_) => section.refuse("rsaBits", "must be 2048, 3072 or 4096"),
    }
    for (key, most, setting) in [
        ("jwksMaxAge", MAX_JWKS_SECONDS, &mut settings.jwks_max_age),
        ("refreshInterval", MAX_REFRESH_SECONDS, &mut settings.key_refresh_interval),
        ("viewMaxAge", MAX_VIEW_SECONDS, &mut settings.key_view_max_age),
    ] {
        if let Some(duration) = section.duration(key) {
            if !(1..=most).contains(&duration.as_secs()) {
                section.refuse(key, format_args!("must be 1 second to {} hours", most / 3600));
            }
            *setting = duration;
        }
    }
    if let Some(every) = section.duration_or("rotateEvery", NEVER) {
        if let Some(every) = every {
            let fits = LEAST_KEY_ROTATION.as_secs()..=MAX_ROTATION_SECONDS;
            if !fits.contains(&every.as_secs()) {
                section.refuse("rotateEvery", "must be 1 to 3650 days, or never");
            }
        }
        settings.keys_rotate_every = every;
    }
    section.finish();
}

/// Refuses times that leave a replica no second try, or a key no turn.
pub(super) fn contradictions(settings: &Settings, problems: &Problems) {
    if settings.key_refresh_interval * 2 > settings.key_view_max_age {
        problems.add(
            "keys.refreshInterval",
            "must be at most half of keys.viewMaxAge: one refresh may fail, and signing goes on",
        );
    }
    let waits = settings.jwks_max_age + settings.key_refresh_interval + 2 * settings.skew;
    if settings.keys_rotate_every.is_some_and(|every: Duration| every <= waits) {
        problems.add(
            "keys.rotateEvery",
            "must be longer than a new key waits before it signs: keys.jwksMaxAge, keys.refreshInterval \
             and twice tokens.skew",
        );
    }
}
