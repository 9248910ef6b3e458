//! Does the request come from this machine, and nowhere else?
//!
//! Three things must hold. The other end of the connection is this machine; nobody forwarded the request, or
//! it would be somebody else's; and it names this machine as its host, since a page of the web can make its own
//! name lead here and would be asking in a browser of this machine (DNS rebinding).
//!
//! Spec: Command line, `tikti dev`. Why: docs/decisions/0048.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::header::{FORWARDED, HOST, VIA};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use tikti_domain::error::Code;

use super::client_ip::{Peer, X_FORWARDED_FOR};
use crate::error::ApiError;

/// What proxies add to what they pass on.
const OF_PROXIES: [HeaderName; 5] = [
    FORWARDED,
    VIA,
    X_FORWARDED_FOR,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// The request was made on this machine; by anybody else what he asks for is not found.
pub(crate) struct ThisMachine;

impl<S: Send + Sync> FromRequestParts<S> for ThisMachine {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<Peer>();
        let is_near = peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        let headers = &parts.headers;
        let is_direct = !OF_PROXIES.iter().any(|name| headers.contains_key(name));
        let mut hosts = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let is_named = hosts.next().is_some_and(is_this_machine) && hosts.next().is_none();
        // A target that names a host means that one (RFC 9112, section 3.2.2).
        let is_meant = parts.uri.authority().is_none_or(|host| is_this_machine(host.as_str()));
        (is_near && is_direct && is_named && is_meant)
            .then_some(Self)
            .ok_or_else(|| Code::NotFound.into())
    }
}

/// Whether a `Host` names this machine by what can lead nowhere else.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_here = match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    };
    is_here && !host.contains('@')
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::Request;

    use super::*;

    #[test]
    fn only_names_that_cannot_lead_elsewhere_are_this_machine() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:1"] {
            assert!(is_this_machine(host), "{host}");
        }
        let others = [
            "",
            ":8080",
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1:8080",
            "0.0.0.0",
            "[::2]",
            "evil.example@localhost",
            "localhost/evil",
            "127.0.0.1.nip.io",
            "localhost evil",
        ];
        for host in others {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    async fn comes_from_here(peer: &str, headers: &[(&str, &str)]) -> bool {
        is_let_in(peer, "/dev/mailbox", headers).await
    }

    async fn is_let_in(peer: &str, target: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(Peer(peer.parse::<SocketAddr>().unwrap()));
        ThisMachine::from_request_parts(&mut parts, &()).await.is_ok()
    }

    #[tokio::test]
    async fn a_request_from_elsewhere_or_for_somebody_else_finds_nothing() {
        let host = ("host", "127.0.0.1:8080");
        assert!(comes_from_here("127.0.0.1:5", &[host]).await);
        assert!(comes_from_here("[::ffff:127.0.0.1]:5", &[host]).await);
        assert!(comes_from_here("[::1]:5", &[("host", "localhost")]).await);
        assert!(!comes_from_here("10.0.0.1:5", &[host]).await);
        assert!(!comes_from_here("127.0.0.1:5", &[]).await);
        assert!(!comes_from_here("127.0.0.1:5", &[("host", "rebound.example:8080")]).await);
        assert!(!comes_from_here("127.0.0.1:5", &[host, ("host", "rebound.example")]).await);
        let target = |host: &str| format!("http://{host}/dev/mailbox");
        assert!(is_let_in("127.0.0.1:5", &target("127.0.0.1:8080"), &[host]).await);
        assert!(!is_let_in("127.0.0.1:5", &target("rebound.example"), &[host]).await);
        for of_a_proxy in OF_PROXIES {
            let passed_on = [host, (of_a_proxy.as_str(), "127.0.0.1")];
            assert!(!comes_from_here("127.0.0.1:5", &passed_on).await, "{of_a_proxy}");
        }
    }
}
