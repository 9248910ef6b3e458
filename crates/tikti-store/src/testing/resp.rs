//! What do a client and a server say to each other? The Redis protocol, version 2, for tests.
//!
//! Invariant: what was parsed is written back as the same bytes. Written apart from the library that
//! the engine uses, so that it is a second opinion.
//!
//! Spec: Storage, "Engine B"; the protocol is <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// One value of the protocol. A request is an array of bulk strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `+OK`
    Simple(String),
    /// `-ERR text`
    Error(String),
    /// `:1`
    Integer(i64),
    /// A string of any bytes, or none.
    Bulk(Option<Vec<u8>>),
    /// Several values, or none.
    Array(Option<Vec<Self>>),
}

impl Frame {
    /// Makes a bulk string.
    #[must_use]
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Some(bytes.as_ref().to_vec()))
    }

    /// Gives what is in a string, an error or a number, as text; empty for anything else.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Bulk(None) | Self::Array(_) => String::new(),
        }
    }

    /// Gives the values of an array; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::Array(Some(items)) = self { items } else { &[] }
    }

    /// Reads the value at the beginning of `bytes` and how long it is; `None` where more is needed.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let [kind, rest @ ..] = &bytes[..end] else {
            return Err(broken());
        };
        let line = std::str::from_utf8(rest).map_err(|_| broken())?;
        let number = || line.parse::<i64>().map_err(|_| broken());
        let after = end + 2;
        match kind {
            b'+' => Ok(Some((Self::Simple(line.to_owned()), after))),
            b'-' => Ok(Some((Self::Error(line.to_owned()), after))),
            b':' => Ok(Some((Self::Integer(number()?), after))),
            b'$' => Self::parse_bulk(bytes, after, number()?),
            b'*' => Self::parse_array(bytes, after, number()?),
            _ => Err(broken()),
        }
    }

    fn parse_bulk(bytes: &[u8], start: usize, length: i64) -> io::Result<Option<(Self, usize)>> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(Some((Self::Bulk(None), start)));
        };
        let (end, after) = (start + length, start + length + 2);
        if bytes.len() < after {
            return Ok(None);
        }
        Ok(Some((Self::Bulk(Some(bytes[start..end].to_vec())), after)))
    }

    fn parse_array(bytes: &[u8], start: usize, count: i64) -> io::Result<Option<(Self, usize)>> {
        let Ok(count) = usize::try_from(count) else {
            return Ok(Some((Self::Array(None), start)));
        };
        let (mut items, mut at) = (Vec::new(), start);
        for _ in 0..count {
            let Some((item, length)) = Self::parse(&bytes[at..])? else {
                return Ok(None);
            };
            items.push(item);
            at += length;
        }
        Ok(Some((Self::Array(Some(items)), at)))
    }

    /// Writes the value behind what is in `out`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, '+', text),
            Self::Error(text) => line(out, '-', text),
            Self::Integer(number) => line(out, ':', number),
            Self::Bulk(None) => line(out, '$', -1),
            Self::Bulk(Some(bytes)) => {
                line(out, '$', bytes.len());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Array(None) => line(out, '*', -1),
            Self::Array(Some(items)) => {
                line(out, '*', items.len());
                items.iter().for_each(|item| item.encode(out));
            }
        }
    }
}

fn line(out: &mut Vec<u8>, kind: char, text: impl std::fmt::Display) {
    write!(out, "{kind}{text}\r\n").unwrap();
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not the Redis protocol")
}

/// A connection that waits for each reply, ten seconds at most.
pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) fn open(address: impl ToSocketAddrs) -> io::Result<Self> {
        const LIMIT: Option<Duration> = Some(Duration::from_secs(10));
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(LIMIT)?;
        stream.set_write_timeout(LIMIT)?;
        Ok(Self(stream))
    }

    /// Asks; an error reply is a [`Frame::Error`].
    pub(super) fn try_call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Frame> {
        let (mut bytes, mut reply, mut chunk) = (Vec::new(), Vec::new(), [0; 16 * 1024]);
        Frame::Array(Some(arguments.iter().map(Frame::bulk).collect())).encode(&mut bytes);
        self.0.write_all(&bytes)?;
        loop {
            if let Some((frame, _)) = Frame::parse(&reply)? {
                return Ok(frame);
            }
            let length = self.0.read(&mut chunk)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            reply.extend_from_slice(&chunk[..length]);
        }
    }

    /// Asks a server that has to answer, and not with an error.
    pub(super) fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Frame {
        let command = arguments.first().map_or(&b""[..], AsRef::as_ref).escape_ascii();
        match self.try_call(arguments) {
            Ok(Frame::Error(error)) => panic!("a server refused {command}: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("a server did not answer {command}: {error}"),
        }
    }
}

/// Asks the server on `port` of this machine, on a connection of its own.
pub(super) fn try_call<A: AsRef<[u8]>>(port: u16, arguments: &[A]) -> io::Result<Frame> {
    Connection::open((Ipv4Addr::LOCALHOST, port))?.try_call(arguments)
}

/// As [`try_call`], of a server that has to answer, and not with an error.
pub(super) fn call<A: AsRef<[u8]>>(port: u16, arguments: &[A]) -> Frame {
    match Connection::open((Ipv4Addr::LOCALHOST, port)) {
        Ok(mut connection) => connection.call(arguments),
        Err(error) => panic!("nobody listens on port {port}: {error}"),
    }
}

/// Asks the server or proxy on `port` of this machine; an error is a reply as well.
///
/// # Panics
/// If nobody answers.
#[must_use]
pub fn ask<A: AsRef<[u8]>>(port: u16, arguments: &[A]) -> Frame {
    try_call(port, arguments).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read_as_it_was_written_and_not_before_it_is_whole() {
        let whole = b"*7\r\n+OK\r\n-ERR no\r\n:-7\r\n$4\r\na\r\n\0\r\n$-1\r\n*-1\r\n*0\r\n";
        let expected = Frame::Array(Some(vec![
            Frame::Simple("OK".to_owned()),
            Frame::Error("ERR no".to_owned()),
            Frame::Integer(-7),
            Frame::bulk(b"a\r\n\0"),
            Frame::Bulk(None),
            Frame::Array(None),
            Frame::Array(Some(Vec::new())),
        ]));
        for length in 0..whole.len() {
            assert_eq!(Frame::parse(&whole[..length]).unwrap(), None);
        }
        let more = [whole, &b"+more"[..]].concat();
        assert_eq!(Frame::parse(&more).unwrap(), Some((expected.clone(), whole.len())));
        let mut written = Vec::new();
        expected.encode(&mut written);
        assert_eq!(written, whole);
    }

    #[test]
    fn refuses_what_is_not_the_protocol() {
        for bytes in [&b"\r\n"[..], b"GET a\r\n", b":x\r\n", b"*1\r\nx\r\n"] {
            assert!(Frame::parse(bytes).is_err());
        }
    }
}
