//! How does a link of a chain stand in an exported log, and is such a log whole?
//!
//! A log has one link a line, as the API gives it. Invariant: a link has one spelling but for white space
//! between its members and their order, so that every other byte that is changed is seen.
//!
//! Spec: Authorization, "Audit"; HTTP API, audit.

use serde::Deserialize;
use serde_json::value::RawValue;
pub use tikti_domain::audit::chain::{Head, Link, NO_HASH, hash};
pub use tikti_domain::audit::{Tampering, verify};
use tikti_domain::clock::{parse_rfc3339, rfc3339};

use crate::api::AuditLinkReply;

/// A line, read strictly: a member that is not known was not written by us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    seq: u64,
    chained_at: String,
    prev_hash: String,
    hash: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// A link as the API gives it.
///
/// # Errors
/// Where the event is no JSON, which is not stored.
pub fn shown(link: Link) -> Result<AuditLinkReply, serde_json::Error> {
    let Link { seq, chained_at, prev_hash, hash, event } = link;
    let event = RawValue::from_string(event)?;
    Ok(AuditLinkReply { seq, chained_at: rfc3339(chained_at), prev_hash, hash, event })
}

/// Reads a line of a log; `None` where it is no link.
#[must_use]
pub fn read_line(line: &str) -> Option<Link> {
    let Line { seq, chained_at: time, prev_hash, hash, event } = serde_json::from_str(line).ok()?;
    let chained_at = parse_rfc3339(&time).filter(|parsed| rfc3339(*parsed) == time)?;
    Some(Link { seq, chained_at, prev_hash, hash, event: event.get().to_owned() })
}

/// Where a chain ended, as a signed head tells it; `None` where that time is not as we write it.
#[must_use]
pub fn read_head(seq: u64, chained_at: &str, hash: &str) -> Option<Head> {
    let time = parse_rfc3339(chained_at).filter(|parsed| rfc3339(*parsed) == chained_at)?;
    Some(Head { seq, chained_at: time, hash: hash.to_owned() })
}

#[cfg(test)]
mod tests {
    use tikti_domain::clock::Timestamp;

    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_in_no_other_spelling() {
        let link = Link {
            seq: 7,
            chained_at: Timestamp::from_millis(1_769_532_214_005),
            prev_hash: NO_HASH.to_owned(),
            hash: NO_HASH.to_owned(),
            // Not as our serializer would write it.
            event: r#"{ "b":1.50,"a":"\u0041"}"#.to_owned(),
        };
        let line = serde_json::to_string(&shown(link.clone()).unwrap()).unwrap();
        assert!(line.contains(&link.event), "{line}");
        assert_eq!(read_line(&line), Some(link));
        for (from, to) in [
            (".005Z", ".0050Z"),
            (".005Z", ".005+00:00"),
            ("\"seq\":7", "\"seq\":7,\"note\":1"),
            ("\"seq\":7", "\"seq\":7,\"seq\":7"),
            ("\"seq\":7", "\"seq\":7.0"),
        ] {
            assert_ne!(line, line.replace(from, to), "{from}");
            assert_eq!(read_line(&line.replace(from, to)), None, "{to}");
        }
    }
}
