//! What time is it, and how is a time shown? The only reading of the clock in this program.
//!
//! The server has a clock of its own; this one only judges tokens that were fetched and talks to people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tikti_store::Timestamp;

/// Seconds since 1970, as in the `exp` of a token.
pub(crate) fn now_seconds() -> u64 {
    since_1970().as_secs()
}

/// The time by which a store judges what is expired.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(since_1970().as_millis().try_into().unwrap_or(u64::MAX))
}

fn since_1970() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client's one clock; the domain's belongs to the server"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// RFC 3339 in UTC; a number that is no time is shown as it is.
pub(crate) fn rfc3339(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| seconds.to_string(), |time| time.to_string())
}

/// Seconds since 1970 of a time as RFC 3339 writes it.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// Seconds since 1970 of a time as the header `Date` writes it.
pub(crate) fn seconds_of_header(text: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(time.as_second()).ok()
}

/// RFC 3339 and the distance from `now`, for people: `2026-01-01T00:00:00Z (in 59 min)`.
pub(crate) fn readable(seconds: u64, now: u64) -> String {
    let time = rfc3339(seconds);
    if seconds >= now {
        format!("{time} (in {})", span(seconds - now))
    } else {
        format!("{time} ({} ago)", span(now - seconds))
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_past_and_future_in_the_unit_that_fits() {
        assert_eq!(readable(3_599, 0), "1970-01-01T00:59:59Z (in 59 min)");
        assert_eq!(readable(0, 86_400), "1970-01-01T00:00:00Z (24 h ago)");
        assert_eq!(readable(60, 60), "1970-01-01T00:01:00Z (in 0 s)");
    }

    #[test]
    fn a_time_is_read_as_the_server_writes_it() {
        assert_eq!(seconds("1970-01-01T00:01:00.5Z"), Some(60));
        assert_eq!(seconds_of_header("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!((seconds("soon"), seconds_of_header("soon")), (None, None));
    }

    #[test]
    fn a_number_that_is_no_time_stays_a_number() {
        assert_eq!(rfc3339(u64::MAX), u64::MAX.to_string());
    }
}
