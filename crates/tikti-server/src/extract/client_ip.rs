//! From which address does the request come?
//!
//! The peer's, unless the peer is a trusted proxy: then whom it names, and if that is one as well, whom
//! that one names, and so on. Each proxy writes whom it saw behind what it was sent, so hops are read
//! from the right, and what stands left of the first untrusted one is what a client likes to claim.
//! Invariant: no header of an untrusted peer is believed, and what cannot be read is not skipped: it
//! ends the search, since whatever is left of it may be made up.
//!
//! Only the header that the proxies write is read, `X-Forwarded-For` or `Forwarded` (RFC 7239): the other
//! one they pass on as the client sent it.
//!
//! Spec: Operations, "Rate limits".

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::header::FORWARDED;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::forwarded;
use crate::config::{ForwardedHeader, TrustedProxies};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection, put into each request by the connection that read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Reads the hops of a header's lines, which are one list.
type Read = fn(&[u8]) -> Vec<Option<IpAddr>>;

/// Finds the caller's address.
#[derive(Debug, Default)]
pub(crate) struct ClientIp {
    proxies: TrustedProxies,
    header: ForwardedHeader,
    /// Whether it was said already that a header was not believed.
    has_warned: AtomicBool,
}

impl ClientIp {
    pub(crate) fn new(proxies: TrustedProxies, header: ForwardedHeader) -> Self {
        Self { proxies, header, has_warned: AtomicBool::new(false) }
    }

    /// The caller's address; an IPv4 address that arrived as an IPv6 one is given as IPv4.
    pub(super) fn of(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
        let headers = &parts.headers;
        if !headers.contains_key(FORWARDED) && !headers.contains_key(X_FORWARDED_FOR) {
            return Some(peer);
        }
        if !self.proxies.trust(peer) {
            self.warn();
            return Some(peer);
        }
        Some(self.behind(peer, headers))
    }

    /// The address behind a proxy.
    fn behind(&self, proxy: IpAddr, headers: &HeaderMap) -> IpAddr {
        let (name, read): (_, Read) = match self.header {
            ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, forwarded::list),
            ForwardedHeader::Forwarded => (FORWARDED, forwarded::rfc_7239),
        };
        let lines: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        if lines.is_empty() {
            self.warn();
        }
        self.client(proxy, &read(&lines.join(&b',')))
    }

    /// The right-most hop that is no trusted proxy; where all are, the left-most one.
    fn client(&self, proxy: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut nearest = proxy;
        for hop in hops.iter().rev() {
            let Some(hop) = hop else { break };
            nearest = hop.to_canonical();
            if !self.proxies.trust(nearest) {
                break;
            }
        }
        nearest
    }

    /// Says once that a header is not believed: behind a proxy that nobody named, or that writes another
    /// header, all callers share the limits of one.
    fn warn(&self) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a request says for whom it was forwarded and is not believed: it comes from no trusted \
                 proxy, or in the other header; if that is a proxy of yours, name it in trustedProxies, \
                 and what it writes in forwardedHeader"
            );
        }
    }
}

#[cfg(test)]
mod tests;
