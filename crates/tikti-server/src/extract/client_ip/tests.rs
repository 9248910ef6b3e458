//! Whom a chain of proxies makes a request come from.

use axum::http::{HeaderValue, Request};

use super::*;
use crate::config::Cidr;

const TRUSTED: [&str; 3] = ["10.0.0.0/8", "2001:db8:ffff::/48", "::1"];

fn client_ip() -> ClientIp {
    let networks = TRUSTED.map(|network| Cidr::parse(network).unwrap());
    ClientIp::new(TrustedProxies::new(networks.into()), ForwardedHeader::default())
}

fn by_forwarded() -> ClientIp {
    ClientIp { header: ForwardedHeader::Forwarded, ..client_ip() }
}

fn of(client_ip: &ClientIp, peer: &str, headers: &[(&str, &str)]) -> String {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    of_bytes(client_ip, peer, &headers)
}

fn of_bytes(client_ip: &ClientIp, peer: &str, headers: &[(&str, &[u8])]) -> String {
    let mut request = Request::new(());
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().append(name, value);
    }
    let peer: IpAddr = peer.parse().unwrap();
    request.extensions_mut().insert(Peer(SocketAddr::from((peer, 4711))));
    let (parts, ()) = request.into_parts();
    client_ip.of(&parts).unwrap().to_string()
}

const XFF: &str = "X-Forwarded-For";

#[test]
fn the_right_most_untrusted_hop_is_the_client() {
    let client_ip = client_ip();
    for (peer, header, client) in [
        // Nobody is believed but a trusted proxy.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("11.0.0.1", "198.51.100.1", "11.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:ffff::5", "198.51.100.1", "198.51.100.1"),
        // What the client claims stands left of what the proxy saw.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.9, 198.51.100.1", "198.51.100.1"),
        // Through several proxies.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::1", "1.1.1.1,198.51.100.1,[2001:db8:ffff::1]:80,10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        // Other forms.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "\"2001:db8::7\"", "2001:db8::7"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", " , 198.51.100.1 ,, ", "198.51.100.1"),
        // What nobody can read is the end.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "\u{e4}\u{f6}", "10.0.0.1"),
    ] {
        assert_eq!(of(&client_ip, peer, &[(XFF, header)]), client, "{peer} {header}");
    }
    assert_eq!(of(&client_ip, "10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(of(&client_ip, "::ffff:203.0.113.7", &[]), "203.0.113.7");
    assert_eq!(of(&ClientIp::default(), "127.0.0.1", &[(XFF, "198.51.100.1")]), "127.0.0.1");
}

#[test]
fn forwarded_says_the_same_in_its_own_words() {
    let client_ip = by_forwarded();
    for (header, client) in [
        ("for=198.51.100.1", "198.51.100.1"),
        ("for=1.1.1.1, for=198.51.100.1;proto=https, for=\"10.0.0.2:80\"", "198.51.100.1"),
        ("For=\"[2001:db8::7]:4711\";by=10.0.0.1", "2001:db8::7"),
        ("for=1.1.1.1, for=_hidden", "10.0.0.1"),
        ("for=1.1.1.1, proto=https", "10.0.0.1"),
        // What a client left open takes in nothing that a proxy wrote.
        ("for=\"1.1.1.1, for=198.51.100.1", "198.51.100.1"),
        ("nonsense", "10.0.0.1"),
    ] {
        assert_eq!(of(&client_ip, "10.0.0.1", &[("Forwarded", header)]), client, "{header}");
        let untrusted = of(&client_ip, "203.0.113.7", &[("Forwarded", header)]);
        assert_eq!(untrusted, "203.0.113.7", "{header}");
    }
}

#[test]
fn several_lines_are_one_list() {
    let client_ip = client_ip();
    let lines = [(XFF, "1.1.1.1"), (XFF, "198.51.100.1, 10.0.0.3"), (XFF, "10.0.0.2")];
    assert_eq!(of(&client_ip, "10.0.0.1", &lines), "198.51.100.1");
    let lines = [("Forwarded", "for=\"1.1.1.1"), ("Forwarded", "for=198.51.100.1")];
    assert_eq!(of(&by_forwarded(), "10.0.0.1", &lines), "198.51.100.1");
}

#[test]
fn bytes_that_are_no_text_hide_nobody_who_stands_right_of_them() {
    let line: &[u8] = b"1.1.1.1, \xff, 198.51.100.1";
    assert_eq!(of_bytes(&client_ip(), "10.0.0.1", &[(XFF, line)]), "198.51.100.1");
    let line: &[u8] = b"for=\xff, for=198.51.100.1";
    assert_eq!(of_bytes(&by_forwarded(), "10.0.0.1", &[("Forwarded", line)]), "198.51.100.1");
    let line: &[u8] = b"198.51.100.1, \xff";
    assert_eq!(of_bytes(&client_ip(), "10.0.0.1", &[(XFF, line)]), "10.0.0.1");
}

#[test]
fn only_the_header_that_the_proxies_write_is_read() {
    let headers = [(XFF, "198.51.100.1"), ("Forwarded", "for=1.1.1.1")];
    assert_eq!(of(&client_ip(), "10.0.0.1", &headers), "198.51.100.1");
    assert_eq!(of(&by_forwarded(), "10.0.0.1", &headers), "1.1.1.1");
    // A client sends the other one: it counts as what it is, nothing.
    assert_eq!(of(&client_ip(), "10.0.0.1", &[("Forwarded", "for=1.1.1.1")]), "10.0.0.1");
    assert_eq!(of(&by_forwarded(), "10.0.0.1", &[(XFF, "1.1.1.1")]), "10.0.0.1");
}
