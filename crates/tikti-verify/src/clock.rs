//! What time is it, as the `exp` of a token counts? The one reading of the clock in this crate.
//!
//! Ages of keys are measured on the runtime's monotonic clock instead, so that setting the time of
//! a machine neither ages keys nor keeps them young.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub(crate) fn now_seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a resource server has no clock of ours; a builder may bring another"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
