//! How is load made, and how is it measured?
//!
//! Threads with one blocking connection each and requests that were written beforehand: a request
//! costs the generator a write, a read and a look at the head, so that what is compared is the servers.
//! Nothing here runs on the runtime, the allocator or the threads of what is measured.
//!
//! A closed loop asks again as soon as it has an answer and shows throughput. An open loop asks at
//! times that were fixed beforehand and counts latency from these, not from when it came to asking:
//! a server that stalls is charged for everything that should have been asked meanwhile.
//!
//! Spec: Performance, "coordinated omission accounted for".

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::Value;

/// Why a measurement cannot go on; there is no result then.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// More than any reply of a measured call.
const MAX_REPLY_BYTES: usize = 16 * 1024;
/// The longest latency that is told from longer ones.
const LONGEST: Duration = Duration::from_secs(60);
/// Time for all threads of an open loop to be there before its first request is due.
const START: Duration = Duration::from_millis(20);

/// Whom to ask, and what.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Whole requests; client `n` of `c` sends the `n`th, the `n + c`th and so on, round and round.
    pub(crate) requests: Vec<Vec<u8>>,
}

impl Target {
    /// The requests of one client.
    fn of(&self, client: usize, clients: usize) -> impl Iterator<Item = &Vec<u8>> {
        self.requests.iter().cycle().skip(client).step_by(clients)
    }
}

/// Writes a request; `api_key` is shown where there is one.
pub(crate) fn post(path: &str, api_key: Option<&str>, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let key = api_key.map(|key| format!("X-API-Key: {key}\r\n")).unwrap_or_default();
    let head = "Host: localhost\r\nContent-Type: application/json\r\n";
    format!("POST {path} HTTP/1.1\r\n{head}{key}Content-Length: {}\r\n\r\n{body}", body.len())
        .into()
}

/// Writes a request that asks for something.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into()
}

/// Writes a request with a body as it is.
pub(crate) fn post_bytes(path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// One connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Ok(Self { stream, buffer: vec![0; MAX_REPLY_BYTES] })
    }

    /// Sends a request and gives the body of its reply. Anything but 200 is a failure: it would be
    /// cheaper than what is measured.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        let body = loop {
            let room = self.buffer.get_mut(filled..).filter(|room| !room.is_empty());
            let read = self.stream.read(room.ok_or("a reply is too long")?)?;
            if read == 0 {
                return Err("the server closed a connection".into());
            }
            filled += read;
            if let Some(body) = body_of(self.buffer.get(..filled).unwrap_or_default())? {
                break body;
            }
        };
        Ok(self.buffer.get(body).unwrap_or_default())
    }
}

/// Where in these bytes the body stands, once all of it is there.
fn body_of(bytes: &[u8]) -> Result<Option<Range<usize>>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = head.parse(bytes)? else { return Ok(None) };
    let length =
        head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize =
        std::str::from_utf8(length.ok_or("a reply without a length")?.value)?.parse()?;
    let body = begin..begin + length;
    let Some(text) = bytes.get(body.clone()) else { return Ok(None) };
    match head.code {
        Some(200) => Ok(Some(body)),
        code => Err(format!("answered {code:?}: {}", text.escape_ascii()).into()),
    }
}

/// What a closed loop did.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
}

impl Done {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.time.as_secs_f64()
    }
}

/// Has so many clients ask one request after the other, each while `goes_on`.
pub(crate) fn closed_loop(
    target: &Target,
    clients: usize,
    goes_on: impl Fn() -> bool + Sync,
) -> Result<Done, Failure> {
    let connections = open_all(target, clients)?;
    let begun = Instant::now();
    let requests = thread::scope(|scope| {
        let goes_on = &goes_on;
        let start = |(client, mut connection): (usize, Connection)| {
            scope.spawn(move || {
                let mut done = 0_u64;
                for request in target.of(client, clients) {
                    if !goes_on() {
                        break;
                    }
                    connection.ask(request)?;
                    done += 1;
                }
                Ok(done)
            })
        };
        let clients: Vec<_> = connections.into_iter().enumerate().map(start).collect();
        clients.into_iter().map(joined).sum::<Result<u64, Failure>>()
    })?;
    Ok(Done { requests, time: begun.elapsed() })
}

/// What an open loop found.
pub(crate) struct Latencies {
    /// From when a request was due to the end of its reply, in nanoseconds.
    whole: Histogram<u64>,
    /// From when it was due to when it was sent: the generator's own part, and the wait for the reply
    /// before.
    late: Histogram<u64>,
}

impl Latencies {
    fn new() -> Result<Self, Failure> {
        let longest = u64::try_from(LONGEST.as_nanos())?;
        Ok(Self {
            whole: Histogram::new_with_max(longest, 3)?,
            late: Histogram::new_with_max(longest, 3)?,
        })
    }

    fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.whole.add(&other.whole)?;
        self.late.add(&other.late)?;
        Ok(())
    }

    /// The latency that this share of the requests did not exceed, in milliseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        self.whole.value_at_quantile(share) as f64 / 1e6
    }

    /// The delay of sending, as [`Latencies::quantile`].
    pub(crate) fn lateness(&self, share: f64) -> f64 {
        self.late.value_at_quantile(share) as f64 / 1e6
    }
}

/// How an open loop asks.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Requests a second, of all clients together.
    pub(crate) rate: f64,
    pub(crate) clients: usize,
    /// What is asked and not counted, before what is counted.
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
}

/// Asks at a fixed rate. The clients take turns, so that one that still waits for its reply delays
/// none of the others.
pub(crate) fn open_loop(target: &Target, pace: Pace) -> Result<Latencies, Failure> {
    let connections = open_all(target, pace.clients)?;
    let start = Instant::now() + START;
    thread::scope(|scope| {
        let begin = |(client, connection)| {
            scope.spawn(move || one_of_open_loop(target, pace, start, (client, connection)))
        };
        let clients: Vec<_> = connections.into_iter().enumerate().map(begin).collect();
        let mut all = Latencies::new()?;
        for client in clients {
            all.add(&joined(client)?)?;
        }
        Ok(all)
    })
}

fn one_of_open_loop(
    target: &Target,
    pace: Pace,
    start: Instant,
    (client, mut connection): (usize, Connection),
) -> Result<Latencies, Failure> {
    be_punctual();
    let mut found = Latencies::new()?;
    let turns = (client..).step_by(pace.clients);
    for (turn, request) in turns.zip(target.of(client, pace.clients)) {
        let due = Duration::from_secs_f64(turn as f64 / pace.rate);
        if due >= pace.warm_up + pace.time {
            break;
        }
        let late = wait_until(start + due);
        connection.ask(request)?;
        if due >= pace.warm_up {
            found.late.saturating_record(u64::try_from(late.as_nanos())?);
            let whole = (start + due).elapsed();
            found.whole.saturating_record(u64::try_from(whole.as_nanos())?);
        }
    }
    Ok(found)
}

/// Waits, and says by how much it is too late.
fn wait_until(due: Instant) -> Duration {
    loop {
        let now = Instant::now();
        let left = due.saturating_duration_since(now);
        if left.is_zero() {
            return now - due;
        }
        thread::park_timeout(left);
    }
}

/// Has the kernel wake this thread when it asks for it and not up to 50 microseconds later, as is
/// its custom to save energy: that would be a good part of a latency.
fn be_punctual() {
    #[cfg(target_os = "linux")]
    {
        // Best effort: without it all latencies are longer by the same.
        let _ = rustix::thread::set_current_timer_slack(Some(std::num::NonZeroU64::MIN));
    }
}

fn open_all(target: &Target, clients: usize) -> Result<Vec<Connection>, Failure> {
    (0..clients).map(|_| Connection::open(target.address)).collect()
}

fn joined<T>(client: ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    client.join().unwrap_or_else(|_| Err("a client panicked".into()))
}
