//! How is one server asked, as cheaply as can be? One connection that is kept, and whole requests.
//!
//! A reply without a length is not understood: what is measured here has one.

use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

/// More than any reply of a measured call.
const MAX_REPLY_BYTES: usize = 64 * 1024;
/// The longest that a reply is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_HEADERS: usize = 64;

/// Why there is no reply, in words that are the same each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl Broken {
    fn of(what: &str, kind: ErrorKind) -> Self {
        Self(match kind {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{what}: timed out"),
            kind => format!("{what}: {kind}"),
        })
    }
}

/// A request that is written once and sent often.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// What stands behind it, such as `/v1/accounts/lookup`.
    pub path: &'a str,
    /// Name and port of the server.
    pub host: &'a str,
    /// Further headers: names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The bytes of it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { method, path, host, headers, body } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in *headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            let length = body.len();
            head.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            ));
        }
        [head.as_bytes(), b"\r\n", body].concat()
    }
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The status of HTTP.
    pub status: u16,
    /// All of the body.
    pub body: &'a [u8],
}

/// One connection that is kept as long as the server keeps it.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Broken`] where nobody listens.
    pub fn open(address: SocketAddr) -> Result<Self, Broken> {
        let mut connection = Self::later(address);
        connection.stream = Some(connect(address)?);
        Ok(connection)
    }

    /// Connects at the first request.
    #[must_use]
    pub fn later(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: vec![0; MAX_REPLY_BYTES] }
    }

    /// Sends a request and hears its whole reply. The next request after a [`Broken`] one connects anew.
    ///
    /// # Errors
    /// [`Broken`] where there is no reply, or none that is understood.
    pub fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>, Broken> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        stream.write_all(request).map_err(|cause| Broken::of("sending", cause.kind()))?;
        let mut filled = 0;
        let parsed = loop {
            let room = self.buffer.get_mut(filled..).filter(|room| !room.is_empty());
            let room = room.ok_or_else(|| Broken("a reply is too long".to_owned()))?;
            let read = stream.read(room).map_err(|cause| Broken::of("receiving", cause.kind()))?;
            if read == 0 {
                return Err(Broken("the server closed the connection".to_owned()));
            }
            filled += read;
            if let Some(parsed) = parse(self.buffer.get(..filled).unwrap_or_default())? {
                break parsed;
            }
        };
        if !parsed.is_last {
            self.stream = Some(stream);
        }
        let body = self.buffer.get(parsed.body).unwrap_or_default();
        Ok(Reply { status: parsed.status, body })
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream, Broken> {
    let failed = |cause: std::io::Error| Broken::of("connecting", cause.kind());
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    Ok(stream)
}

/// A reply that is there as a whole.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    status: u16,
    /// Where its body stands.
    body: Range<usize>,
    /// Whether the server closes the connection behind it.
    is_last: bool,
}

/// What these bytes are; nothing as long as some are missing.
fn parse(bytes: &[u8]) -> Result<Option<Parsed>, Broken> {
    let unknown = |what: &str| Broken(what.to_owned());
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|_| unknown("a reply is not HTTP"))?;
    let httparse::Status::Complete(begin) = parsed else { return Ok(None) };
    let status = head.code.ok_or_else(|| unknown("a reply is not HTTP"))?;
    let value = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| str::from_utf8(header.value).ok())
    };
    let length = value("content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| unknown("a reply has no length"))?;
    let body = begin..begin.saturating_add(length);
    let is_last = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok((bytes.len() >= body.end).then_some(Parsed { status, body, is_last }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_what_http_says() {
        let request = Request {
            method: "POST",
            path: "/v1/a",
            host: "h:1",
            headers: &[("X-API-Key", "k")],
            body: b"{}",
        };
        assert_eq!(
            String::from_utf8(request.to_bytes()).unwrap(),
            "POST /v1/a HTTP/1.1\r\nHost: h:1\r\nX-API-Key: k\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
        let bare = Request { method: "GET", headers: &[], body: b"", ..request };
        assert_eq!(bare.to_bytes(), b"GET /v1/a HTTP/1.1\r\nHost: h:1\r\n\r\n");
    }

    #[test]
    fn a_reply_is_understood_when_all_of_it_is_there_and_not_before() {
        let whole = b"HTTP/1.1 429 Too Many\r\ncontent-length: 4\r\nConnection: close\r\n\r\nbusy";
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]).unwrap(), None, "{length}");
        }
        let body = whole.len() - 4..whole.len();
        assert_eq!(parse(whole).unwrap(), Some(Parsed { status: 429, body, is_last: true }));
    }

    #[test]
    fn what_is_no_reply_with_a_length_is_named() {
        for (bytes, why) in [
            (&b"SSH-2.0-OpenSSH\r\n"[..], "a reply is not HTTP"),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "a reply has no length"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "a reply has no length"),
        ] {
            assert_eq!(parse(bytes).unwrap_err(), Broken(why.to_owned()));
        }
        let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n";
        assert_eq!(parse(endless).unwrap(), None);
    }
}
