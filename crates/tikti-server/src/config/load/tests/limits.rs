//! Rate limits and trusted proxies, as an operator writes them.

use std::time::Duration;

use tikti_domain::settings::{Limit, Limits};

use super::*;

#[test]
fn without_a_word_limits_are_as_shipped_and_no_proxy_is_trusted() {
    let config = load_text(&smallest(), &[]).unwrap();
    assert_eq!(config.domain.settings.limits, Limits::shipped());
    assert_eq!(config.trusted_proxies, crate::config::TrustedProxies::default());
}

#[test]
fn every_number_can_be_set_and_0_switches_one_off() {
    let yaml = format!(
        "{}
limits:
  enabled: false
  failedSignInsPerNetworkMinute: 1
  failedSignInsPerIpMinute: 2
  failedSignInsPerEmailHour: 3
  longestBackoff: 5m
  knownNetworkTtl: 7d
  codesPerEmailHour: 4
  codesPerIpHour: 5
  redemptionsPerIpMinute: 10
  redemptionsPerEmailMinute: 6
  emailChangesPerUserHour: 7
  exchangesPerUserMinute: 0
  refreshesPerSessionMinute: 8
  unknownMembersPerCallerHour: 9
  lookupsPerKeyMinute: 9
",
        smallest()
    );
    let expected = Limits {
        enabled: false,
        failed_sign_ins_per_network: Limit::per_minute(1),
        failed_sign_ins_per_ip: Limit::per_minute(2),
        failed_sign_ins_per_email: Limit::per_hour(3),
        longest_backoff: Duration::from_mins(5),
        known_network_ttl: Duration::from_hours(7 * 24),
        codes_per_email: Limit::per_hour(4),
        codes_per_ip: Limit::per_hour(5),
        redemptions_per_ip: Limit::per_minute(10),
        redemptions_per_email: Limit::per_minute(6),
        email_changes_per_user: Limit::per_hour(7),
        exchanges_per_user: Limit::per_minute(0),
        refreshes_per_session: Limit::per_minute(8),
        unknown_members_per_caller: Limit::per_hour(9),
        lookups_per_key: Limit::per_minute(9),
    };
    assert_eq!(load_text(&yaml, &[]).unwrap().domain.settings.limits, expected);
}

#[test]
fn the_environment_says_it_as_well() {
    let config = load_text(
        &smallest(),
        &[
            ("TIKTI__LIMITS__ENABLED", "false"),
            ("TIKTI__LIMITS__EXCHANGES_PER_USER_MINUTE", "6000"),
            ("TIKTI__TRUSTED_PROXIES", "[\"192.168.0.0/16\"]"),
        ],
    )
    .unwrap();
    let limits = &config.domain.settings.limits;
    assert_eq!((limits.enabled, limits.exchanges_per_user.most), (false, 6000));
    assert!(config.trusted_proxies.trust([192, 168, 7, 7].into()));
}

#[test]
fn what_is_no_limit_and_no_network_is_named() {
    let yaml = format!(
        "{}
trustedProxies: [10.0.0.0/8, 10.0.0.1/8, all, '::/0']
forwardedHeader: via
limits: {{enabled: 'yes please', codesPerIpHour: -1, longestBackoff: 2d, knownNetworkTtl: 0, perMinute: 5}}
",
        smallest()
    );
    insta::assert_snapshot!(refused(&yaml, &[]).join("\n"), @r"
        trustedProxies[1]: has bits beyond its length: the first address of a network names it
        trustedProxies[2]: must be a network or an address, such as 10.0.0.0/8 or 2001:db8::1
        trustedProxies[3]: is everybody: any client could say from where he comes
        forwardedHeader: must be x-forwarded-for or forwarded
        limits.enabled: must be true or false
        limits.codesPerIpHour: must be a number from 0 to 1000000000
        limits.longestBackoff: must be 1 second to 1 days
        limits.knownNetworkTtl: must be 1 second to 365 days
        limits.perMinute: unknown setting; known here: codesPerEmailHour, codesPerIpHour, emailChangesPerUserHour, enabled, exchangesPerUserMinute, failedSignInsPerEmailHour, failedSignInsPerIpMinute, failedSignInsPerNetworkMinute, knownNetworkTtl, longestBackoff, lookupsPerKeyMinute, redemptionsPerEmailMinute, redemptionsPerIpMinute, refreshesPerSessionMinute, unknownMembersPerCallerHour
    ");
}
