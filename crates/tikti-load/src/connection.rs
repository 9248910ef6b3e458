//! How is one server asked, as cheaply as can be? One connection that is kept, and whole requests.
//!
//! A call has one deadline, from its beginning to the last byte of its reply, and is given up within a fraction of
//! a second when that is asked. A server may close a connection that was idle: the request is then sent once more,
//! within the same call.
//!
//! A reply without a length is not understood: what is measured here has one.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// Of a call that was not wanted any more: that says nothing of the server.
pub(crate) const GIVEN_UP: &str = "given up";
/// More than any reply of a measured call.
const MAX_REPLY_BYTES: usize = 64 * 1024;
/// The longest that a call takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a call goes on without a look at its deadline, and at whether it is still wanted.
const LOOKS_EVERY: Duration = Duration::from_millis(200);
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

    fn given_up() -> Self {
        Self(GIVEN_UP.to_owned())
    }

    fn closed() -> Self {
        Self("the server closed the connection".to_owned())
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
    patience: Duration,
    stop: Stop,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Broken`] where nobody listens.
    pub fn open(address: SocketAddr) -> Result<Self, Broken> {
        let mut connection = Self::later(address);
        connection.stream = Some(connect(address, PATIENCE)?);
        Ok(connection)
    }

    /// Connects at the first request.
    #[must_use]
    pub fn later(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: vec![0; MAX_REPLY_BYTES],
            patience: PATIENCE,
            stop: Stop::default(),
        }
    }

    /// The same, that gives a call up when this is asked.
    #[must_use]
    pub fn until(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// From here on calls take no longer than this.
    pub fn waits(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends a request and hears its whole reply. The next request after a [`Broken`] one connects anew.
    ///
    /// # Errors
    /// [`Broken`] where there is no reply, or none that is understood.
    pub fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>, Broken> {
        let wait = Wait { begun: Instant::now(), patience: self.patience, stop: self.stop.clone() };
        let kept = self.stream.take();
        let heard = match kept {
            Some(stream) => match hear(stream, request, (&mut self.buffer, &wait)) {
                // It was idle for too long: that says nothing of the call.
                Err(Unheard { is_before_any: true, .. }) => self.hear_anew(request, &wait),
                heard => heard,
            },
            None => self.hear_anew(request, &wait),
        };
        let (parsed, stream) = heard.map_err(|unheard| unheard.why)?;
        if !parsed.is_last {
            self.stream = Some(stream);
        }
        let body = self.buffer.get(parsed.body).unwrap_or_default();
        Ok(Reply { status: parsed.status, body })
    }

    fn hear_anew(&mut self, request: &[u8], wait: &Wait) -> Result<(Parsed, TcpStream), Unheard> {
        if wait.stop.is_asked() {
            return Err(Broken::given_up().into());
        }
        let stream = connect(self.address, wait.left())?;
        hear(stream, request, (&mut self.buffer, wait))
    }
}

fn connect(address: SocketAddr, left: Duration) -> Result<TcpStream, Broken> {
    let failed = |cause: std::io::Error| Broken::of("connecting", cause.kind());
    // None at all is no timeout.
    let timeout = left.clamp(Duration::from_millis(1), CONNECT_TIMEOUT);
    let stream = TcpStream::connect_timeout(&address, timeout).map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_read_timeout(Some(LOOKS_EVERY)).map_err(failed)?;
    stream.set_write_timeout(Some(LOOKS_EVERY)).map_err(failed)?;
    Ok(stream)
}

/// How long a call is waited for.
struct Wait {
    begun: Instant,
    patience: Duration,
    stop: Stop,
}

impl Wait {
    fn left(&self) -> Duration {
        self.patience.saturating_sub(self.begun.elapsed())
    }

    /// Does a part of a call until it is done or fails, in turns of [`LOOKS_EVERY`].
    fn out(
        &self,
        what: &str,
        mut part: impl FnMut() -> io::Result<usize>,
    ) -> Result<usize, Unheard> {
        loop {
            match part() {
                Ok(count) => return Ok(count),
                Err(cause) => match cause.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if self.stop.is_asked() => {
                        return Err(Broken::given_up().into());
                    }
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if !self.left().is_zero() => {}
                    kind @ (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                        let why = Broken::of(what, kind);
                        return Err(Unheard { why, is_before_any: true });
                    }
                    kind => return Err(Broken::of(what, kind).into()),
                },
            }
        }
    }
}

/// Why a reply was not heard.
struct Unheard {
    why: Broken,
    /// Whether the server hung up before its first byte.
    is_before_any: bool,
}

impl From<Broken> for Unheard {
    fn from(why: Broken) -> Self {
        Self { why, is_before_any: false }
    }
}

/// Sends a request and hears its reply into a buffer.
fn hear(
    mut stream: TcpStream,
    request: &[u8],
    (buffer, wait): (&mut [u8], &Wait),
) -> Result<(Parsed, TcpStream), Unheard> {
    let mut rest = request;
    while !rest.is_empty() {
        match wait.out("sending", || stream.write(rest))? {
            0 => return Err(Broken::closed().into()),
            sent => rest = rest.get(sent..).unwrap_or_default(),
        }
    }
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).filter(|room| !room.is_empty());
        let room = room.ok_or_else(|| Broken("a reply is too long".to_owned()))?;
        let read = wait.out("receiving", || stream.read(room));
        let is_first = filled == 0;
        let read = read.map_err(|unheard| Unheard {
            is_before_any: unheard.is_before_any && is_first,
            ..unheard
        })?;
        if read == 0 {
            return Err(Unheard { why: Broken::closed(), is_before_any: is_first });
        }
        filled += read;
        if let Some(parsed) = parse(buffer.get(..filled).unwrap_or_default())? {
            return Ok((parsed, stream));
        }
    }
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

    const BARE: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    /// Reads the head of a request.
    fn read_head(stream: &mut TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
    }

    #[test]
    fn a_kept_connection_that_the_server_has_closed_is_made_anew_within_the_call_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            // Two calls on two connections, each closed behind its reply; then one that is hung up on.
            for reply in [DONE, DONE, b""] {
                let (mut stream, _) = listener.accept().unwrap();
                read_head(&mut stream);
                stream.write_all(reply).unwrap();
            }
        });
        let mut connection = Connection::later(address);
        let status = |connection: &mut Connection| connection.ask(BARE).map(|reply| reply.status);
        assert_eq!(status(&mut connection), Ok(200));
        assert_eq!(status(&mut connection), Ok(200));
        // The third goes over the kept connection in vain, then over a new one, and no further.
        assert_eq!(status(&mut connection), Err(Broken::closed()));
        server.join().unwrap();
    }

    #[test]
    fn a_call_of_a_silent_server_has_a_deadline_and_is_given_up_when_that_is_asked() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut hurried = Connection::later(address);
        hurried.waits(Duration::from_millis(1));
        let why = hurried.ask(BARE).unwrap_err();
        assert!(why.0.ends_with("timed out"), "{why}");

        let stop = Stop::default();
        let mut connection = Connection::open(address).unwrap().until(&stop);
        stop.ask();
        assert_eq!(connection.ask(BARE).unwrap_err(), Broken::given_up());
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
