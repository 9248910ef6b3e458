//! The group `keys`.

use std::time::Duration;

use tikti_domain::RsaSize;

use super::{load_text, refused, smallest};

fn with(keys: &str) -> String {
    format!("{}\nkeys: {keys}\n", smallest())
}

#[test]
fn keys_have_the_shipped_times_or_those_that_are_set() {
    let shipped = load_text(&smallest(), &[]).unwrap().domain.settings;
    assert_eq!(shipped.rsa_size, RsaSize::Bits2048);
    assert_eq!(shipped.jwks_max_age.as_secs(), 300);
    assert_eq!(shipped.key_refresh_interval.as_secs(), 30);
    assert_eq!(shipped.key_view_max_age.as_secs(), 300);
    assert_eq!(shipped.keys_rotate_every, Some(Duration::from_hours(90 * 24)));

    let all =
        "{rsaBits: 4096, jwksMaxAge: 10m, refreshInterval: 5, viewMaxAge: 1m, rotateEvery: 30d}";
    let set = load_text(&with(all), &[]).unwrap().domain.settings;
    assert_eq!(set.rsa_size, RsaSize::Bits4096);
    let times = [set.jwks_max_age, set.key_refresh_interval, set.key_view_max_age];
    assert_eq!(times.map(|time| time.as_secs()), [600, 5, 60]);
    assert_eq!(set.keys_rotate_every, Some(Duration::from_hours(30 * 24)));
}

#[test]
fn keys_that_are_never_followed_by_themselves_say_so() {
    let never = load_text(&with("{rotateEvery: never}"), &[]).unwrap();
    assert_eq!(never.domain.settings.keys_rotate_every, None);
    let never = load_text(&smallest(), &[("TIKTI__KEYS__ROTATE_EVERY", "never")]).unwrap();
    assert_eq!(never.domain.settings.keys_rotate_every, None);
    // Left out, it is as shipped.
    let shipped = load_text(&with("{rotateEvery: null}"), &[]).unwrap();
    assert!(shipped.domain.settings.keys_rotate_every.is_some());
}

#[test]
fn times_at_their_bounds_are_taken() {
    for keys in [
        "{jwksMaxAge: 1, refreshInterval: 1, viewMaxAge: 2, rotateEvery: 1d}",
        "{jwksMaxAge: 12h, refreshInterval: 1h, viewMaxAge: 24h, rotateEvery: 3650d}",
        "{refreshInterval: 150}",
    ] {
        load_text(&with(keys), &[]).unwrap();
    }
}

#[test]
fn times_beyond_their_bounds_are_named() {
    let low = "{rsaBits: 1024, jwksMaxAge: 0, refreshInterval: 0, viewMaxAge: 0, rotateEvery: 23h}";
    insta::assert_snapshot!(refused(&with(low), &[]).join("\n"), @"
    keys.rsaBits: must be a number from 2048 to 4096
    keys.jwksMaxAge: must be 1 second to 24 hours
    keys.refreshInterval: must be 1 second to 1 hours
    keys.viewMaxAge: must be 1 second to 24 hours
    keys.rotateEvery: must be 1 to 3650 days, or never
    ");
    let high = "{rsaBits: 2049, jwksMaxAge: 25h, refreshInterval: 61m, viewMaxAge: 25h, rotateEvery: 3651d}";
    insta::assert_snapshot!(refused(&with(high), &[]).join("\n"), @"
    keys.rsaBits: must be 2048, 3072 or 4096
    keys.jwksMaxAge: must be 1 second to 24 hours
    keys.refreshInterval: must be 1 second to 1 hours
    keys.viewMaxAge: must be 1 second to 24 hours
    keys.rotateEvery: must be 1 to 3650 days, or never
    ");
    let odd = "{jwksMaxAge: never, rotateEvery: sometimes, rotate: 1d}";
    insta::assert_snapshot!(refused(&with(odd), &[]).join("\n"), @"
    keys.jwksMaxAge: must be seconds, or a number with s, m, h or d, such as 15m
    keys.rotateEvery: must be seconds, or a number with s, m, h or d, such as 15m, or never
    keys.rotate: unknown setting; known here: jwksMaxAge, refreshInterval, rotateEvery, rsaBits, viewMaxAge
    ");
}

#[test]
fn times_that_contradict_each_other_are_named() {
    insta::assert_snapshot!(refused(&with("{refreshInterval: 151}"), &[]).join("\n"), @"keys.refreshInterval: must be at most half of keys.viewMaxAge: one refresh may fail, and signing goes on");
    insta::assert_snapshot!(refused(&with("{jwksMaxAge: 24h, rotateEvery: 1d}"), &[]).join("\n"), @"keys.rotateEvery: must be longer than a new key waits before it signs: keys.jwksMaxAge, keys.refreshInterval and twice tokens.skew");
}
