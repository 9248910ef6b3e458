//! Which hops does a forwarding header name?
//!
//! Invariant: the hops come in the order of the header, and what is not understood is a hop that is
//! nobody's address (`None`) instead of being left out.
//!
//! Spec: RFC 7239, section 4; RFC 9110, section 5.6.1 (empty elements of a list count for nothing).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Longest element of a `Forwarded` in bytes.
const LONGEST_ELEMENT: usize = 1024;

/// The hops of an `X-Forwarded-For`: addresses between commas. What is no text is a hop of its own, and
/// spoils no other.
pub(super) fn list(line: &[u8]) -> Vec<Option<IpAddr>> {
    let texts = line.split(|byte| *byte == b',').map(|bytes| std::str::from_utf8(bytes));
    let elements = texts.map(|text| text.map_or(Some("?"), |text| Some(text.trim())));
    let elements = elements.flatten().filter(|element| !element.is_empty());
    elements.map(|element| node(unquoted(element)?)).collect()
}

/// The hops of a `Forwarded`: the `for` of each element.
///
/// Read from the right, where the nearest proxy has written: an element ends at the comma with which what
/// follows is well-formed by itself, so that a quote that a client left open takes in nothing that a proxy
/// wrote. What is not well-formed is nobody's address and the end: what stands left of it is not looked at.
pub(super) fn rfc_7239(line: &[u8]) -> Vec<Option<IpAddr>> {
    let mut hops = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let (before, element) = last_element(text);
        match element {
            Some(element) if element.trim().is_empty() => {}
            Some(element) => hops.push(hop(element)),
            None => hops.push(None),
        }
        rest = before.filter(|_| element.is_some());
    }
    hops.reverse();
    hops
}

/// Takes the last element off; `None` for one that is not well-formed.
fn last_element(line: &[u8]) -> (Option<&[u8]>, Option<&str>) {
    let commas = line.iter().enumerate().rev().filter(|(_, byte)| **byte == b',');
    let starts = commas.map(|(place, _)| place + 1).chain([0]);
    for start in starts.take_while(|start| line.len() - start <= LONGEST_ELEMENT) {
        let element = line.get(start..).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if let Some(element) = element.filter(|element| split(element, ';').is_some()) {
            return (start.checked_sub(1).and_then(|end| line.get(..end)), Some(element));
        }
    }
    (None, None)
}

/// The address in one element.
fn hop(element: &str) -> Option<IpAddr> {
    let mut node_of = None;
    for pair in split(element, ';')? {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            // Each parameter stands at most once in an element.
            if node_of.replace(unquoted(value.trim())?).is_some() {
                return None;
            }
        }
    }
    node_of.and_then(node)
}

/// The parts between separators that stand in no quoted text; `None` where a quote stays open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                parts.push(text.get(start..place)?);
                start = place + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!is_quoted).then_some(parts)
}

/// A text without the quotes around it; `None` where there is a quote or an escape inside, which no
/// address has.
fn unquoted(text: &str) -> Option<&str> {
    let inside = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    (!inside.contains(['"', '\\'])).then_some(inside)
}

/// The address of a node: bare, with a port, and an IPv6 address in brackets or not. Names such as
/// `unknown` and `_hidden` are none.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return address.parse::<Ipv6Addr>().ok().filter(|_| is_port).map(IpAddr::V6);
    }
    text.parse::<IpAddr>().ok().or_else(|| match text.parse::<SocketAddr>() {
        Ok(socket) => Some(socket.ip()),
        // RFC 7239, section 6.3: a port may be a made-up name.
        Err(_) => text.split_once(':').filter(|(_, port)| is_port(port))?.0.parse().ok(),
    })
}

/// A number, or a made-up name that begins with `_`.
fn is_port(text: &str) -> bool {
    let is_name = text.strip_prefix('_').is_some_and(|name| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !name.is_empty() && name.bytes().all(fits)
    });
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_name || (is_number && text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hops: &[Option<IpAddr>]) -> String {
        let hops = hops.iter().map(|hop| hop.map_or("-".to_owned(), |hop| hop.to_string()));
        hops.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_a_list_of_addresses() {
        for (text, hops) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7, 198.51.100.1", "203.0.113.7 198.51.100.1"),
            (" 203.0.113.7 ,,\t198.51.100.1,", "203.0.113.7 198.51.100.1"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443, \"[2001:db8::8]:443\"", "2001:db8::7 2001:db8::8"),
            ("\"203.0.113.7\"", "203.0.113.7"),
            ("unknown, 203.0.113.7", "- 203.0.113.7"),
            ("203.0.113.7, nonsense", "203.0.113.7 -"),
            ("203.0.113.7:99999", "-"),
            ("203.0.113.7:+80", "-"),
            ("[203.0.113.7]", "-"),
            ("[2001:db8::7]x", "-"),
            ("[2001:db8::7", "-"),
            ("\"203.0.113.7", "-"),
            ("203.0.113.007", "-"),
            ("1, 0x7f.1, 203.0.113", "- - -"),
            ("", ""),
        ] {
            assert_eq!(shown(&list(text.as_bytes())), hops, "{text}");
        }
    }

    #[test]
    fn reads_the_nodes_of_rfc_7239() {
        for (text, hops) in [
            ("for=192.0.2.43", "192.0.2.43"),
            ("for=192.0.2.43, for=198.51.100.17", "192.0.2.43 198.51.100.17"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("proto=https; FOR=\"192.0.2.60:80\" ;host=\"a,b;c\"", "192.0.2.60"),
            ("for=\"192.0.2.60:_hidden\"", "192.0.2.60"),
            ("for=\"[2001:db8::1]:_hidden\"", "2001:db8::1"),
            ("for=unknown, for=_SEVKISEK", "- -"),
            ("proto=http, for=192.0.2.43", "- 192.0.2.43"),
            (", for=192.0.2.43,,;", "192.0.2.43 -"),
            // What is not well-formed names nobody.
            ("for=192.0.2.43, for=\"198.51.100.17", "-"),
            ("for=\", for=198.51.100.17", "- 198.51.100.17"),
            ("for=\"x, for=\"[2001:db8::1]\"", "- 2001:db8::1"),
            ("for=\"\\\", for=\"[2001:db8::1]\"", "- 2001:db8::1"),
            ("for=\"a, for=9.9.9.9\", for=192.0.2.43", "- 192.0.2.43"),
            ("for=192.0.2.43;host=\"a,b\"", "192.0.2.43"),
            ("for=192.0.2.43;for=198.51.100.17", "-"),
            ("for=192.0.2.43 198.51.100.17", "-"),
            ("192.0.2.43", "-"),
            ("for=\"192.0.2\\.43\"", "-"),
            ("", ""),
        ] {
            assert_eq!(shown(&rfc_7239(text.as_bytes())), hops, "{text}");
        }
    }
}
