//! Which servers does a store URL name, and how are they spoken to?
//!
//! ```text
//! redis://    host[:port][/0]            one server
//! redis+cluster://  host[:port],...      any of the nodes; the others are learnt from them
//! redis+sentinel:// host[:port],.../name the sentinels, and how they call the master
//! ```
//!
//! `rediss` instead of `redis` is TLS; `[user]:password@` stands before the hosts, percent-encoded.
//! Invariant: nothing of a URL but its scheme is ever shown; hosts are, once they are taken apart.
//!
//! Spec: Storage, "Engine B".

use std::fmt;

use crate::error::OpenError;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;

/// A server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Address {
    /// A name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// What kind of deployment the URL names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    Single(Address),
    Cluster(Vec<Address>),
    Sentinel { sentinels: Vec<Address>, master: String },
}

impl Layout {
    /// What the URL names; of a cluster, that is not all there is.
    pub(super) fn addresses(&self) -> &[Address] {
        match self {
            Self::Single(address) => std::slice::from_ref(address),
            Self::Cluster(addresses) | Self::Sentinel { sentinels: addresses, .. } => addresses,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, address) in self.addresses().iter().enumerate() {
            write!(f, "{}{address}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Who we are to the servers. No `Debug`: it holds the password.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// A store URL, taken apart.
#[derive(Clone)]
pub(super) struct ServerUrl {
    pub(super) uses_tls: bool,
    pub(super) credentials: Credentials,
    pub(super) layout: Layout,
}

impl ServerUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// `UnknownUrl` for a scheme that is not ours, `BadUrl` with what is wrong for everything else.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once(':').unwrap_or_default();
        let kind = Kind::of(scheme);
        let kind = kind.ok_or_else(|| OpenError::unknown_url(url))?;
        let bad = |reason| OpenError::BadUrl { scheme: scheme.to_owned(), reason };
        let rest = rest.strip_prefix("//").ok_or_else(|| bad("\"//\" and a host follow it"))?;
        if rest.contains(['?', '#']) {
            return Err(bad("it has no parameters; in a password, write %3F for ? and %23 for #"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // Of a password with a slash in it, the beginning would be taken for a host and shown.
        if path.contains('@') {
            return Err(bad(
                "no @ follows the hosts; in a password, write %2F for /, and in a name %40",
            ));
        }
        let (user_info, hosts) = match authority.rsplit_once('@') {
            Some((user_info, hosts)) => (Some(user_info), hosts),
            None => (None, authority),
        };
        let credentials = user_info.map_or(Ok(Credentials::default()), credentials).map_err(bad)?;
        let layout = kind.layout(hosts, path).map_err(bad)?;
        Ok(Self { uses_tls: scheme.starts_with("rediss"), credentials, layout })
    }
}

/// Whether URLs of this scheme are for this engine.
pub(crate) fn serves(scheme: &str) -> bool {
    Kind::of(scheme).is_some()
}

#[derive(Clone, Copy)]
enum Kind {
    Single,
    Cluster,
    Sentinel,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "redis" | "rediss" => Some(Self::Single),
            "redis+cluster" | "rediss+cluster" => Some(Self::Cluster),
            "redis+sentinel" | "rediss+sentinel" => Some(Self::Sentinel),
            _ => None,
        }
    }

    fn layout(self, hosts: &str, path: &str) -> Result<Layout, &'static str> {
        let port = if matches!(self, Self::Sentinel) { SENTINEL_PORT } else { REDIS_PORT };
        let addresses: Result<Vec<_>, _> =
            hosts.split(',').map(|host| address(host, port)).collect();
        let addresses = addresses?;
        match self {
            Self::Single => {
                if !matches!(path, "" | "0") {
                    return Err("only database 0 can be used: leave the number out");
                }
                let [address] = <[Address; 1]>::try_from(addresses)
                    .map_err(|_| "one host is named; several need redis+cluster:")?;
                Ok(Layout::Single(address))
            }
            Self::Cluster if !path.is_empty() => Err("nothing follows the hosts of a cluster"),
            Self::Cluster => Ok(Layout::Cluster(addresses)),
            Self::Sentinel if path.is_empty() || path.contains('/') => {
                Err("the name of the master follows the sentinels: .../name")
            }
            Self::Sentinel => {
                let master = decode(path)?;
                Ok(Layout::Sentinel { sentinels: addresses, master })
            }
        }
    }
}

fn credentials(user_info: &str) -> Result<Credentials, &'static str> {
    let Some((user, password)) = user_info.split_once(':') else {
        return Err("a colon stands before the password: redis://:password@host");
    };
    let part = |text: &str| if text.is_empty() { Ok(None) } else { decode(text).map(Some) };
    let (user, password) = (part(user)?, part(password)?);
    if user.is_some() && password.is_none() {
        return Err("a user has a password");
    }
    Ok(Credentials { user, password })
}

/// Takes `host`, `host:port`, `[v6]` or `[v6]:port`.
fn address(text: &str, default_port: u16) -> Result<Address, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or("a bracket is not closed")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("an IPv6 address stands in brackets");
            }
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err("a colon and a port follow the bracket");
            }
            (host, port)
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets");
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_name) {
        return Err("a host is a name or an address, and hosts are separated by commas");
    }
    let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port > 0));
    let port = port.ok_or("a port is a number from 1 to 65535")?;
    Ok(Address { host: host.to_owned(), port })
}

/// Undoes the percent-encoding of RFC 3986, section 2.1.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "two hexadecimal digits follow a percent sign; write %25 for one itself";
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(WRONG) };
        decoded.push(high << 4 | low);
    }
    String::from_utf8(decoded).map_err(|_| "user and password are UTF-8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn layout(url: &str) -> Layout {
        ServerUrl::parse(url).expect(url).layout
    }

    fn refusal(url: &str) -> String {
        ServerUrl::parse(url).err().expect(url).to_string()
    }

    #[test]
    fn names_one_server() {
        assert_eq!(layout("redis://localhost"), Layout::Single(at("localhost", 6379)));
        assert_eq!(layout("redis://10.0.0.1:7000/0"), Layout::Single(at("10.0.0.1", 7000)));
        assert_eq!(layout("redis://[::1]/"), Layout::Single(at("::1", 6379)));
        assert_eq!(layout("rediss://[fe80::1]:6380"), Layout::Single(at("fe80::1", 6380)));
    }

    #[test]
    fn names_the_nodes_of_a_cluster() {
        let nodes = vec![at("a", 1), at("b", 6379), at("::2", 3)];
        assert_eq!(layout("redis+cluster://a:1,b,[::2]:3"), Layout::Cluster(nodes));
    }

    #[test]
    fn names_sentinels_and_what_they_call_the_master() {
        let sentinels = vec![at("a", 26379), at("b", 5)];
        let master = "my master".to_owned();
        let expected = Layout::Sentinel { sentinels, master };
        assert_eq!(layout("rediss+sentinel://:p@a,b:5/my%20master"), expected);
    }

    #[test]
    fn an_s_is_tls() {
        for (url, uses_tls) in [
            ("redis://a", false),
            ("rediss://a", true),
            ("redis+cluster://a", false),
            ("rediss+cluster://a", true),
            ("redis+sentinel://a/m", false),
            ("rediss+sentinel://a/m", true),
        ] {
            assert_eq!(ServerUrl::parse(url).ok().unwrap().uses_tls, uses_tls, "{url}");
        }
    }

    #[test]
    fn takes_user_and_password_apart() {
        for (url, user, password) in [
            ("redis://a", None, None),
            ("redis://:secret@a", None, Some("secret")),
            ("redis://me:secret@a", Some("me"), Some("secret")),
            ("redis://:a:b@c@a", None, Some("a:b@c")),
            ("redis://:@@@a", None, Some("@@")),
            ("redis+cluster://:a@b,c@[::1]:7,d", None, Some("a@b,c")),
            ("redis+sentinel://me:p%40%2F%3A@a/na%40me", Some("me"), Some("p@/:")),
            ("redis://m%3Ae:%25%2f%40@a", Some("m:e"), Some("%/@")),
            ("redis://:@a", None, None),
        ] {
            let found = ServerUrl::parse(url).expect(url).credentials;
            assert_eq!(found.user.as_deref(), user, "{url}");
            assert_eq!(found.password.as_deref(), password, "{url}");
        }
    }

    #[test]
    fn refuses_and_says_why() {
        for (url, why) in [
            ("redis:a", "\"//\""),
            ("redis://", "a host is a name"),
            ("redis://a/1", "only database 0"),
            ("redis://a/0/0", "only database 0"),
            ("redis://a,b", "several need redis+cluster:"),
            ("redis://a:b", "a port is a number"),
            ("redis://a:0", "a port is a number"),
            ("redis://a:65536", "a port is a number"),
            ("redis://::1", "stands in brackets"),
            ("redis://[a]", "stands in brackets"),
            ("redis://[::1", "not closed"),
            ("redis://[::1]6379", "follow the bracket"),
            ("redis://secret@a", "a colon stands before the password"),
            ("redis://me:@a", "a user has a password"),
            ("redis://:%2@a", "hexadecimal"),
            ("redis://:%ff@a", "UTF-8"),
            ("redis://a?x=1", "no parameters"),
            ("redis+cluster://a,", "a host is a name"),
            ("redis+cluster://a/0", "nothing follows"),
            ("redis+sentinel://a", "the name of the master"),
            ("redis+sentinel://a/", "the name of the master"),
            ("redis+sentinel://a/b/c", "the name of the master"),
            ("redis+sentinel://a,b/na@me", "in a name %40"),
            ("redis+sentinel://me:1234/56@a/name", "in a password, write %2F"),
            ("redis://:pass/word@a", "in a password, write %2F"),
        ] {
            let refused = refusal(url);
            assert!(refused.contains(why), "{url}: {refused}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_told_which_there_are() {
        let refused = refusal("redis+cluser://:secret@a");
        assert!(refused.contains("\"redis+cluser:\""), "{refused}");
        for known in ["embedded:", "redis:", "rediss:", "redis+cluster:", "redis+sentinel:"] {
            assert!(refused.contains(known), "{refused}");
        }
    }

    #[test]
    fn what_may_be_no_scheme_is_not_shown() {
        for url in ["s3cret@host:6379", "s3cret:6379", "s3cret", "", "s3cret://", "me:s3cret@host"]
        {
            let refused = refusal(url);
            assert_eq!(refused.contains("s3cret"), url.ends_with("://"), "{refused}");
            assert_eq!(refused.contains("for this URL:"), !url.ends_with("://"), "{refused}");
        }
        for odd in ["s3cret@host://a", "1s3cret://a", "my s3cret://a", "://s3cret", "s3cret/a://b"]
        {
            assert!(refusal(odd).contains("for this URL:"), "{odd}");
        }
    }

    #[test]
    fn shows_an_address_as_it_is_written() {
        assert_eq!(at("a", 1).to_string(), "a:1");
        assert_eq!(at("::1", 1).to_string(), "[::1]:1");
    }

    fn encode(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    proptest! {
        #[test]
        fn every_password_can_be_written(user in "\\PC{1,8}", password in "\\PC{1,20}") {
            let url = format!("redis://{}:{}@a", encode(&user), encode(&password));
            let found = ServerUrl::parse(&url).ok().unwrap().credentials;
            prop_assert_eq!(found.user, Some(user));
            prop_assert_eq!(found.password, Some(password));
        }

        #[test]
        fn no_refusal_shows_the_password(
            scheme in "((redis|rediss|redis\\+cluster|redis\\+sentinel|mysql)?:?(//)?)?",
            user in "(me|)[:/@]{0,2}",
            junk in "[/:@,%a\\[\\]0-9?#]{0,12}",
        ) {
            // A host that stands where a host stands is one, whatever it looks like.
            let url = format!("{scheme}{user}pA55w0rd@{junk}");
            if let Err(refused) = ServerUrl::parse(&url) {
                let shown = format!("{refused} {refused:?}");
                prop_assert!(!shown.contains("pA55w0rd"), "{}", shown);
            }
        }
    }
}
