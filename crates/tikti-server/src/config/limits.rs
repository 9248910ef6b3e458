//! What does the operator say about rate limits?
//!
//! Each setting names what is counted, by whom and in which time; 0 switches one off.
//!
//! Spec: Operations, "Rate limits".

use tikti_domain::settings::Limits;

use super::section::Section;

/// More than this in its window is no limit.
const MAX_COUNT: u64 = 1_000_000_000;
const MAX_BACKOFF_SECONDS: u64 = 24 * 3600;
const MAX_KNOWN_SECONDS: u64 = 365 * 24 * 3600;

/// Reads the group `limits`.
pub(super) fn limits(mut section: Section<'_>, limits: &mut Limits) {
    limits.enabled = section.flag("enabled").unwrap_or(limits.enabled);
    for (key, limit) in [
        ("failedSignInsPerNetworkMinute", &mut limits.failed_sign_ins_per_network),
        ("failedSignInsPerIpMinute", &mut limits.failed_sign_ins_per_ip),
        ("failedSignInsPerEmailHour", &mut limits.failed_sign_ins_per_email),
        ("codesPerEmailHour", &mut limits.codes_per_email),
        ("codesPerIpHour", &mut limits.codes_per_ip),
        ("redemptionsPerIpMinute", &mut limits.redemptions_per_ip),
        ("redemptionsPerEmailMinute", &mut limits.redemptions_per_email),
        ("emailChangesPerUserHour", &mut limits.email_changes_per_user),
        ("exchangesPerUserMinute", &mut limits.exchanges_per_user),
        ("refreshesPerSessionMinute", &mut limits.refreshes_per_session),
        ("unknownMembersPerCallerHour", &mut limits.unknown_members_per_caller),
        ("lookupsPerKeyMinute", &mut limits.lookups_per_key),
    ] {
        limit.most = section.number(key, 0, MAX_COUNT).unwrap_or(limit.most);
    }
    for (key, most, setting) in [
        ("longestBackoff", MAX_BACKOFF_SECONDS, &mut limits.longest_backoff),
        ("knownNetworkTtl", MAX_KNOWN_SECONDS, &mut limits.known_network_ttl),
    ] {
        if let Some(duration) = section.duration(key) {
            if !(1..=most).contains(&duration.as_secs()) {
                section.refuse(key, format_args!("must be 1 second to {} days", most / 86_400));
            }
            *setting = duration;
        }
    }
    section.finish();
}
