//! How is load made, and how is it measured?
//!
//! Threads with one blocking connection each and requests that were written beforehand: a request
//! costs the generator a write, a read and a look at the head, so that what is compared is the servers.
//! Nothing here runs on the runtime of what is measured.
//!
//! A closed loop asks again as soon as it has an answer and shows throughput. An open loop asks at
//! times that were fixed beforehand and counts latency from these, not from when it came to asking:
//! a server that stalls is charged for everything that should have been asked meanwhile.
//!
//! Knows nothing of Tikti: whom to ask, and what, is said by whoever uses it.
//!
//! Spec: Performance, "coordinated omission accounted for".
#![forbid(unsafe_code)]

mod asking;
mod client;
mod connection;
mod median;
mod pace;
mod run;
mod stop;
mod tally;
mod thread;
mod time;

pub use asking::Asking;
pub use client::{Client, Outcome};
pub use connection::{Broken, Connection, Reply, Request};
pub use median::median;
pub use pace::{End, Pace, Turn};
pub use run::{NOT_SENT, Ran, Watch, closed_loop, open_loop};
pub use stop::Stop;
pub use tally::{Failed, Tally};
pub use thread::rank_lower;
