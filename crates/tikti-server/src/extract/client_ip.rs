//! From which address does the request come? The peer's: no header is believed.
//!
//! Spec: Operations, "Rate limits".

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;

/// The other end of the connection, put into each request by the connection that read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The caller's address; an IPv4 address that arrived on an IPv6 socket is given as IPv4.
pub(super) fn client_ip(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical())
}
