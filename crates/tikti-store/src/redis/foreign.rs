//! What does a Redis hold that another program filled? A reader of hashes, sets and strings.
//!
//! Invariant: it sends `SCAN`, `HSCAN`, `GET`, `SMEMBERS`, `HLEN` and `SELECT`, and nothing that writes or that
//! keeps a server from its other work: what may be large is read in pages. It knows nothing of what the
//! bytes mean. What it reads is as it was at some moment while it was read.
//!
//! Spec: Operations, "migrate legacy".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use super::connection::{Broken, Connection, Dialer, Reply};
use super::replies;
use super::tls::Security;
use super::trouble::Trouble;
use super::url::{Address, Layout, ServerUrl};
use crate::error::{OpenError, StoreError};
use crate::store::TlsFiles;

const DOING: &str = "reading from the server";
/// How many are asked for in one page.
const PAGE: usize = 500;
/// How many small values are asked for in one piece.
const AT_ONCE: usize = 250;
/// How long an answer may take: a server that is busy with others, and a page of large values.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Redis, Valkey or KVRocks that another program filled, for reading.
pub struct Foreign {
    connection: Connection,
    server: Address,
}

/// What is under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// What was asked for; empty where there is nothing of this name.
    Is(T),
    /// Something of another type.
    OtherType,
}

/// The fields of a hash, each with its value.
pub type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

impl Foreign {
    /// Connects to the one server that `url` names: `redis://` or `rediss://`, `[user]:password@` before the host,
    /// and behind it `/` and the number of a database other than 0.
    ///
    /// # Errors
    /// `UnknownUrl`, `BadUrl` for a URL that names no single server; `Unreachable`, `Unsuitable`, `Denied` by
    /// what the server is; `Io` for files of TLS.
    pub async fn open(url: &str, tls: &TlsFiles) -> Result<Self, OpenError> {
        let (url, database) = database(url);
        let ServerUrl { uses_tls, credentials, layout } = ServerUrl::parse(&url)?;
        let Layout::Single(server) = layout else {
            let scheme = url.split(':').next().unwrap_or_default().to_owned();
            let reason = "one server is read, the master: redis://host or rediss://host";
            return Err(OpenError::BadUrl { scheme, reason });
        };
        let security = if uses_tls { Security::tls(tls)? } else { Security::Plain };
        let dialer = Dialer { security: security.clone(), credentials, are_optional: false };
        let connection = dialer.dial(&server).await.map_err(|error| OpenError::Unreachable {
            server: server.to_string(),
            reason: error.reason_at_first(&security),
        })?;
        let foreign = Self { connection, server };
        if let Some(number) = database {
            let mut select = cmd("SELECT");
            select.arg(number);
            foreign.only(select).await.map_err(|_| OpenError::Unsuitable {
                server: foreign.server.to_string(),
                reason: format!("it has no database {number}"),
            })?;
        }
        // A server that loads, or that lets this user read nothing, says so at the first question.
        let mut first = cmd("SCAN");
        first.arg(0).arg("COUNT").arg(1);
        foreign.only(first).await.map_err(|error| OpenError::Unsuitable {
            server: foreign.server.to_string(),
            reason: reason(&error),
        })?;
        Ok(foreign)
    }

    /// Host and port.
    #[must_use]
    pub fn server(&self) -> String {
        self.server.to_string()
    }

    /// The names that begin with `prefix`, which holds none of `*?[\`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn names(&self, prefix: &str) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let mut names = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(PAGE);
            let (next, page) = page(self.only(scan).await?)?;
            // A server matches as it likes; what a name begins with is seen here.
            names.extend(page.into_iter().filter(|name| name.starts_with(prefix.as_bytes())));
            if next == b"0" {
                return Ok(names);
            }
            cursor = next;
        }
    }

    /// All fields of a hash, page by page.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn hash(&self, name: &[u8]) -> Result<Found<Fields>, StoreError> {
        let mut fields = Fields::new();
        let mut cursor = b"0".to_vec();
        loop {
            let mut scan = cmd("HSCAN");
            scan.arg(name).arg(&cursor).arg("COUNT").arg(PAGE);
            let Found::Is(value) = typed(self.send(&[scan]).await?.pop())? else {
                return Ok(Found::OtherType);
            };
            let (next, page) = page(value)?;
            // A field that is there throughout may come twice.
            let mut page = page.into_iter();
            while let (Some(field), Some(value)) = (page.next(), page.next()) {
                fields.insert(field, value);
            }
            if next == b"0" {
                return Ok(Found::Is(fields));
            }
            cursor = next;
        }
    }

    /// The strings of these names, in their order; `None` where there is nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn strings(
        &self,
        names: &[Vec<u8>],
    ) -> Result<Vec<Found<Option<Vec<u8>>>>, StoreError> {
        self.each(names, "GET", |value| replies::string(DOING, value)).await
    }

    /// The members of these small sets, in the order of the names.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sets(&self, names: &[Vec<u8>]) -> Result<Vec<Found<Vec<Vec<u8>>>>, StoreError> {
        self.each(names, "SMEMBERS", |value| replies::strings(DOING, value)).await
    }

    /// How many fields a hash has.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn size(&self, name: &[u8]) -> Result<Found<u64>, StoreError> {
        let mut ask = cmd("HLEN");
        ask.arg(name);
        Ok(match typed(self.send(&[ask]).await?.pop())? {
            Found::Is(value) => {
                Found::Is(u64::try_from(replies::integer(DOING, &value)?).unwrap_or_default())
            }
            Found::OtherType => Found::OtherType,
        })
    }

    async fn each<T>(
        &self,
        names: &[Vec<u8>],
        command: &str,
        read: impl Fn(Value) -> Result<T, StoreError>,
    ) -> Result<Vec<Found<T>>, StoreError> {
        let mut found = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let commands: Vec<Cmd> = some
                .iter()
                .map(|name| {
                    let mut ask = cmd(command);
                    ask.arg(name);
                    ask
                })
                .collect();
            for reply in self.send(&commands).await? {
                found.push(match typed(Some(reply))? {
                    Found::Is(value) => Found::Is(read(value)?),
                    Found::OtherType => Found::OtherType,
                });
            }
        }
        Ok(found)
    }

    async fn only(&self, command: Cmd) -> Result<Value, StoreError> {
        replies::only(DOING, self.send(&[command]).await?)
    }

    async fn send(&self, commands: &[Cmd]) -> Result<Vec<Reply>, StoreError> {
        let server = self.server.clone();
        self.connection.send(commands, PATIENCE).await.map_err(|broken| {
            let trouble = match broken {
                Broken::TimedOut => Trouble::TimedOut { server },
                Broken::Closed => Trouble::Broke { server },
            };
            trouble.while_doing(DOING)
        })
    }
}

impl std::fmt::Debug for Foreign {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Foreign({})", self.server)
    }
}

/// Takes the number of a database other than 0 off a URL: a store has none.
fn database(url: &str) -> (String, Option<u32>) {
    let number = url.rsplit_once('/').filter(|(before, _)| {
        let is_single = before.starts_with("redis://") || before.starts_with("rediss://");
        // The slashes of the scheme are none, and what an @ follows may be a part of a password.
        is_single && !before.ends_with('/')
    });
    match number.and_then(|(before, number)| Some((before, number.parse::<u32>().ok()?))) {
        Some((before, 0)) => (before.to_owned(), None),
        Some((before, number)) => (before.to_owned(), Some(number)),
        None => (url.to_owned(), None),
    }
}

/// What a server says of a value of another type is no trouble with the server.
fn typed(reply: Option<Reply>) -> Result<Found<Value>, StoreError> {
    match reply.ok_or_else(|| replies::unknown_shape(DOING))? {
        Err(error) if is_other_type(&error) => Ok(Found::OtherType),
        reply => Ok(Found::Is(replies::value(DOING, reply)?)),
    }
}

/// Redis says so by its code, KVRocks in a sentence.
fn is_other_type(error: &redis::ServerError) -> bool {
    let details = error.details().unwrap_or_default();
    error.code() == "WRONGTYPE" || details.contains("WRONGTYPE")
}

/// A page of `SCAN` and its kin: where it goes on, and what was found.
fn page(value: Value) -> Result<(Vec<u8>, Vec<Vec<u8>>), StoreError> {
    let mut parts = replies::array(DOING, value)?.into_iter();
    let (Some(cursor), Some(found)) = (parts.next(), parts.next()) else {
        return Err(replies::unknown_shape(DOING));
    };
    let cursor = replies::string(DOING, cursor)?.ok_or_else(|| replies::unknown_shape(DOING))?;
    Ok((cursor, replies::strings(DOING, found)?))
}

fn reason(error: &StoreError) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_database_stands_behind_the_host() {
        for (url, bare, number) in [
            ("redis://a", "redis://a", None),
            ("redis://a/", "redis://a/", None),
            ("redis://a/0", "redis://a", None),
            ("redis://a:1/3", "redis://a:1", Some(3)),
            ("rediss://:p@[::1]:1/12", "rediss://:p@[::1]:1", Some(12)),
            ("redis://a/x", "redis://a/x", None),
            ("redis://a/-1", "redis://a/-1", None),
            ("redis://3", "redis://3", None),
            ("redis+cluster://a/3", "redis+cluster://a/3", None),
        ] {
            assert_eq!(database(url), (bare.to_owned(), number), "{url}");
        }
    }
}
