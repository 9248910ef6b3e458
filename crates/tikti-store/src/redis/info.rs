//! What does a server say about itself?
//!
//! Pure: the text of `INFO` and the pairs of `CONFIG GET`. Invariant: what is missing is missing, and
//! never taken for a value.
//!
//! Spec: Storage, "at start the server checks product, version, persistence, replication settings".

use std::collections::BTreeMap;
use std::fmt;

use redis::Value;

use super::connection::Reply;
use super::topology::text;

/// Which server it is, with its version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Product {
    Redis(String),
    Valkey(String),
    KvRocks(String),
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redis(version) => write!(f, "Redis {version}"),
            Self::Valkey(version) => write!(f, "Valkey {version}"),
            Self::KvRocks(version) => write!(f, "KVRocks {version}"),
        }
    }
}

/// The text of `INFO`.
#[derive(Default)]
pub(super) struct Info(BTreeMap<String, String>);

impl Info {
    pub(super) fn read(info: &str) -> Self {
        let fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn is_loading(&self) -> bool {
        self.field("loading") == Some("1")
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.field("cluster_enabled") == Some("1") || self.field("redis_mode") == Some("cluster")
    }

    pub(super) fn product(&self) -> Product {
        let version = |name| self.field(name).unwrap_or("of an unknown version").to_owned();
        if self.field("kvrocks_version").is_some() {
            Product::KvRocks(version("kvrocks_version"))
        } else if self.field("valkey_version").is_some() {
            Product::Valkey(version("valkey_version"))
        } else {
            Product::Redis(version("redis_version"))
        }
    }
}

/// What `CONFIG GET` gave.
#[derive(Default)]
pub(super) struct Settings {
    /// The server does not let us ask.
    pub(super) are_hidden: bool,
    values: BTreeMap<String, String>,
}

impl Settings {
    pub(super) fn read(replies: &[Reply]) -> Self {
        let mut settings = Self::default();
        for reply in replies {
            match reply {
                Ok(Value::Array(words)) => {
                    for pair in words.chunks(2) {
                        if let [name, value] = pair
                            && let (Some(name), Some(value)) = (text(name), text(value))
                        {
                            settings.values.insert(name, value);
                        }
                    }
                }
                _ => settings.are_hidden = true,
            }
        }
        settings
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_products_apart() {
        for (info, product, shown) in [
            ("redis_version:7.0.15\r\n", Product::Redis("7.0.15".to_owned()), "Redis 7.0.15"),
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n",
                Product::Valkey("8.0.1".to_owned()),
                "Valkey 8.0.1",
            ),
            (
                "# Server\r\nversion:2.10.1\r\nkvrocks_version:2.10.1\r\nredis_version:4.0.0\r\n",
                Product::KvRocks("2.10.1".to_owned()),
                "KVRocks 2.10.1",
            ),
        ] {
            let found = Info::read(info).product();
            assert_eq!(found.to_string(), shown);
            assert_eq!(found, product);
        }
    }

    #[test]
    fn reads_pairs_and_notices_what_is_hidden() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let known = Ok(Value::Array(vec![bulk("appendfsync"), bulk("always")]));
        let settings = Settings::read(&[known, Ok(Value::Array(Vec::new()))]);
        assert_eq!(settings.value("appendfsync"), Some("always"));
        assert_eq!(settings.value("use-rsid-psync"), None);
        assert!(!settings.are_hidden);
        assert!(Settings::read(&[Ok(Value::Nil)]).are_hidden);
    }
}
