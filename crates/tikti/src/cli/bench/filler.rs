//! What does the echo hear and say instead of what the server does? As many bytes, and nobody's secret.
//!
//! The echo listens on a port of this machine, where everybody on it may ask: no token, password, key or address of
//! a person goes there, neither in a request nor in what it answers.

/// In the place of each byte.
const FILLER: u8 = b'x';
/// Headers whose values say how the rest is read, and nothing of anybody.
const KEPT: [&str; 4] = ["host", "user-agent", "content-type", "content-length"];

/// A body of the same length.
pub(super) fn body(body: &[u8]) -> Vec<u8> {
    vec![FILLER; body.len()]
}

/// The same request with filler for its body and for every header's value that is not [`KEPT`].
pub(super) fn request(request: &[u8]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(request.len());
    let mut rest = request;
    let mut is_first = true;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, after) = rest.split_at(end + 2);
        rest = after;
        filled.extend(if is_first { line.to_vec() } else { header(line) });
        is_first = false;
        if end == 0 {
            break;
        }
    }
    filled.extend(body(rest));
    filled
}

/// One line of the head, with its end.
fn header(line: &[u8]) -> Vec<u8> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return line.to_vec() };
    let (name, value) = line.split_at(colon);
    let is_kept = KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept.as_bytes()));
    let fill = |byte: &u8| match byte {
        b':' | b' ' | b'\r' | b'\n' => *byte,
        _ => FILLER,
    };
    let value = if is_kept { value.to_vec() } else { value.iter().map(fill).collect() };
    [name, &value].concat()
}

#[cfg(test)]
mod tests {
    use tikti_load::Request;

    use super::*;

    #[test]
    fn what_the_echo_is_asked_is_as_long_and_holds_no_secret() {
        let whole = Request {
            method: "POST",
            path: "/v1/accounts/lookup",
            host: "localhost:8080",
            headers: &[
                ("User-Agent", "tikti-bench/1"),
                ("X-API-Key", "tk_key"),
                ("Authorization", "Bearer a:b"),
            ],
            body: br#"{"idToken":"ey.J.hbG"}"#,
        };
        let filled = String::from_utf8(request(&whole.to_bytes())).unwrap();
        assert_eq!(
            filled,
            "POST /v1/accounts/lookup HTTP/1.1\r\nHost: localhost:8080\r\n\
             User-Agent: tikti-bench/1\r\nX-API-Key: xxxxxx\r\nAuthorization: xxxxxx x:x\r\n\
             Content-Type: application/json\r\nContent-Length: 22\r\n\r\nxxxxxxxxxxxxxxxxxxxxxx"
        );
        let bare = Request { method: "GET", headers: &[], body: b"", ..whole }.to_bytes();
        assert_eq!(request(&bare), bare);
    }

    #[test]
    fn what_the_echo_answers_is_as_long_and_holds_no_secret() {
        let reply = br#"{"idToken":"ey.J.hbG","email":"ann@example.org"}"#;
        assert_eq!(body(reply), vec![b'x'; reply.len()]);
    }

    #[test]
    fn what_is_no_request_is_filled_as_a_whole() {
        assert_eq!(request(b"secret"), b"xxxxxx");
        assert_eq!(request(b""), b"");
    }
}
