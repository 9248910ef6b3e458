//! A server of one's own for a test, and a plain HTTP client that can also send what no decent
//! client would.

mod client;
mod good_requests;
mod leaks;
mod log;
mod ranks;
mod server;

pub(crate) use client::{Reply, Request};
pub(crate) use good_requests::{COMPANY, GoodRequest, claims, public_key};
pub(crate) use leaks::{Hidden, find_private_member, find_shown};
pub(crate) use log::LOG;
pub(crate) use ranks::compare;
pub(crate) use server::{JOBS, PASSWORD, Place, Server};

/// Compares a whole reply with an inline snapshot; what differs from run to run is masked.
macro_rules! assert_reply {
    ($reply:expr, @$snapshot:literal) => {
        insta::assert_snapshot!($reply.masked(), @$snapshot)
    };
}
pub(crate) use assert_reply;
