//! How does a thread of the generator stand to the others of the machine?
//!
//! Best effort: where the system has no such thing, everything takes as long as it takes.

/// Has the kernel wake this thread when it asks for it and not up to 50 microseconds later, as is
/// its custom to save energy: that would be a good part of a latency.
pub(crate) fn be_punctual() {
    #[cfg(target_os = "linux")]
    {
        // Without it all latencies are longer by the same.
        let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
    }
}

/// Has this thread yield to others, as those do whose work is compared with its own.
pub fn rank_lower(niceness: i32) {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::nice(niceness);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}
