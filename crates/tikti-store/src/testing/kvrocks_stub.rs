//! A Redis that looks like a `KVRocks` 2.10, for machines without one.
//!
//! A proxy in front of a real Redis that says what `KVRocks` would say about itself, offers `CAS` and
//! `CAD`, and refuses what `KVRocks` does not know. Invariant: it promises no more than `KVRocks` does.
//! It does not stand for it in what only the real one has: its locks, its fsyncs, its batches, its
//! crashes.
//!
//! Spec: Storage, "Engine B". What `KVRocks` answers was measured on 2.10.1.

use super::proxy::{Proxy, Rewrite, command_name};
use super::redis_server::RedisServer;
use super::resp::{self, Frame};

/// What the stub says when it is asked for its configuration.
#[derive(Clone, Copy, Debug)]
pub struct KvrocksSettings {
    /// `rocksdb.write_options.sync`
    pub sync: &'static str,
    /// `use-rsid-psync`
    pub use_rsid_psync: &'static str,
}

/// A Redis behind a proxy that dresses it up.
pub struct KvrocksStub {
    server: RedisServer,
    proxy: Proxy,
}

impl KvrocksStub {
    /// Starts one that says that it is set up well.
    ///
    /// # Panics
    /// If the Redis does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(KvrocksSettings { sync: "yes", use_rsid_psync: "yes" })
    }

    /// Starts one that says what it is told about its configuration.
    ///
    /// # Panics
    /// As [`KvrocksStub::start`].
    #[must_use]
    pub fn start_with(settings: KvrocksSettings) -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::start_rewriting(server.port(), settings);
        Self { server, proxy }
    }

    /// Gives the URL that opens a store on it.
    #[must_use]
    pub fn url(&self) -> String {
        self.proxy.url()
    }

    /// Gives the proxy, to count what goes through.
    #[must_use]
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Asks it anything, as a client would; an error is a reply as well.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn call<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Frame {
        resp::ask(self.proxy.port(), arguments)
    }

    /// Removes everything that is stored.
    ///
    /// # Panics
    /// If the Redis refuses.
    pub fn flush_all(&self) {
        self.server.flush_all();
    }
}

const CAS: &str = r"
local found = redis.call('GET', KEYS[1])
if not found then return -1 end
if found ~= ARGV[1] then return 0 end
if #ARGV == 2 then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], ARGV[3], ARGV[4])
end
return 1";
const CAD: &str = r"
local found = redis.call('GET', KEYS[1])
if not found then return -1 end
if found ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1";

/// What 2.10 answers with an error.
const UNKNOWN: [&str; 11] = [
    "ACL",
    "BGREWRITEAOF",
    "FAILOVER",
    "LATENCY",
    "REPLICAOF",
    "SAVE",
    "SPUBLISH",
    "SWAPDB",
    "TOUCH",
    "WAIT",
    "WAITAOF",
];
const CLIENT_KNOWN: [&str; 6] = ["LIST", "INFO", "KILL", "GETNAME", "SETNAME", "ID"];

impl Rewrite for KvrocksSettings {
    fn request(&self, request: Frame) -> Frame {
        let words = request.items();
        let word = |place: usize| {
            words.get(place).map(Frame::text).unwrap_or_default().to_ascii_uppercase()
        };
        let name = command_name(&request);
        match name.as_str() {
            "CAS" if matches!(words.len(), 4 | 6) => eval(CAS, &words[1..]),
            "CAD" if words.len() == 3 => eval(CAD, &words[1..]),
            // A database number means nothing to it.
            "SELECT" => array(["SELECT", "0"]),
            "AUTH" if words.len() > 2 => unknown(&name),
            "CLIENT" if !CLIENT_KNOWN.contains(&word(1).as_str()) => unknown(&name),
            "SCAN" if !is_prefix_scan(words) => unknown(&name),
            name if UNKNOWN.contains(&name) => unknown(name),
            _ => request,
        }
    }

    fn reply(&self, request: &Frame, reply: Frame) -> Frame {
        let words: Vec<_> = request.items().iter().map(Frame::text).collect();
        let starts = |wanted: [&str; 2]| {
            words.len() > 1
                && words.iter().zip(wanted).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted))
        };
        match reply {
            Frame::Bulk(Some(text)) if command_name(request) == "INFO" => info(&text),
            Frame::Array(Some(known)) if starts(["COMMAND", "INFO"]) => {
                Frame::Array(Some(known.into_iter().zip(&words[2..]).map(command_info).collect()))
            }
            Frame::Array(Some(_)) if starts(["CONFIG", "GET"]) => self.config(&words[2..]),
            other => wrong_type(other),
        }
    }
}

impl KvrocksSettings {
    /// It has none of the names that Redis has, but for a few that do not matter here.
    fn config(&self, names: &[String]) -> Frame {
        let known =
            [("rocksdb.write_options.sync", self.sync), ("use-rsid-psync", self.use_rsid_psync)];
        let asked = known.into_iter().filter(|(name, _)| names.iter().any(|asked| asked == name));
        array(asked.flat_map(|(name, value)| [name, value]))
    }
}

fn array<'a>(words: impl IntoIterator<Item = &'a str>) -> Frame {
    Frame::Array(Some(words.into_iter().map(Frame::bulk).collect()))
}

/// `words` is the key and what follows it.
fn eval(script: &str, words: &[Frame]) -> Frame {
    let call = ["EVAL", script, "1"].map(Frame::bulk);
    Frame::Array(Some(call.iter().chain(words).cloned().collect()))
}

/// A name that no server knows: an error, and the end of a transaction that it is in.
fn unknown(name: &str) -> Frame {
    array([format!("{name}-OF-ANOTHER-VERSION").as_str()])
}

/// `MATCH` takes one `*`, at the end.
fn is_prefix_scan(words: &[Frame]) -> bool {
    let texts: Vec<_> = words.iter().map(Frame::text).collect();
    let pattern = texts.windows(2).find(|pair| pair[0].eq_ignore_ascii_case("MATCH"));
    pattern.is_none_or(|pair| {
        pair[1].strip_suffix('*').is_some_and(|prefix| !prefix.contains(['*', '?', '[', '\\']))
    })
}

fn info(text: &[u8]) -> Frame {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(|line| {
        if line.starts_with("redis_version:") {
            "version:2.10.1\r\nkvrocks_version:2.10.1\r\nredis_version:4.0.0\r\n".to_owned()
        } else {
            format!("{line}\r\n")
        }
    });
    Frame::bulk(lines.filter(|line| !line.starts_with("aof_")).collect::<String>())
}

fn command_info((known, name): (Frame, &String)) -> Frame {
    if !matches!(name.to_ascii_uppercase().as_str(), "CAS" | "CAD") {
        return known;
    }
    let flags = Frame::Array(Some(vec![Frame::Simple("write".to_owned())]));
    let numbers = [1, 1, 1].map(Frame::Integer);
    let mut info = vec![Frame::bulk(name.to_ascii_lowercase()), Frame::Integer(-3), flags];
    info.extend(numbers);
    Frame::Array(Some(info))
}

fn wrong_type(reply: Frame) -> Frame {
    match reply {
        Frame::Error(text) if text.starts_with("WRONGTYPE") => {
            Frame::Error(format!("ERR Invalid argument: {text}"))
        }
        Frame::Array(Some(items)) => {
            Frame::Array(Some(items.into_iter().map(wrong_type).collect()))
        }
        other => other,
    }
}
