//! Which port can a server of a test have?
//!
//! Invariant: no port of the range that the system gives to clients, which begins at 32768, and
//! not the same one twice in a process. Two processes begin at different places; where they meet
//! all the same, the server says that the port is taken and the caller asks for another.
//!
//! Spec: Storage, "started by the suite on free ports".

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// For servers that listen on one port.
pub(super) const SINGLE: Range<u16> = 20_000..25_000;
/// For cluster nodes, which also listen 10000 higher.
pub(super) const CLUSTER: Range<u16> = 10_000..19_000;
/// How far the port on which cluster nodes talk to each other is from the one for clients.
const BUS_OFFSET: u16 = 10_000;

/// Gives a port of `range` on which nobody listens now.
pub(super) fn free(range: &Range<u16>) -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let size = u32::from(range.end - range.start);
    for _ in 0..size {
        let number = TRIED.fetch_add(1, Ordering::Relaxed);
        // A prime stride, so that processes with neighbouring numbers are far apart.
        let place = std::process::id().wrapping_mul(787).wrapping_add(number) % size;
        let port = range.start + u16::try_from(place).unwrap();
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free(port) && (*range != CLUSTER || is_free(port + BUS_OFFSET)) {
            return port;
        }
    }
    panic!("no port of {range:?} is free");
}
