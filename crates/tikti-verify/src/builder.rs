//! What must a token have, and how are the issuer's keys fetched?
//!
//! Everything is checked in [`VerifierBuilder::build`], before a token is: an audience that is
//! missing, or keys over plain HTTP, would take tokens of anybody.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use tikti_token::DEFAULT_SKEW_SECONDS;

use crate::clock::now_seconds;
use crate::error::BuildError;
use crate::fetch::client;
use crate::keys::{Keys, Place, Source};
use crate::plan::Times;
use crate::verifier::{Expected, Verifier};

/// What asks the issuer again and again does so at most once a second.
const SHORTEST: Duration = Duration::from_secs(1);
/// Instants are added to these, and what cannot be told panics there.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Sets up a [`Verifier`]. The defaults are Tikti's own times.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifierBuilder {
    issuer: String,
    audiences: Vec<String>,
    tenant: Option<String>,
    scopes: Vec<String>,
    skew: Duration,
    times: Times,
    connect_timeout: Duration,
    time_limit: Duration,
    allows_http: bool,
    keys_at: Option<String>,
    now_seconds: fn() -> u64,
}

impl VerifierBuilder {
    pub(crate) fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audiences: Vec::new(),
            tenant: None,
            scopes: Vec::new(),
            skew: Duration::from_secs(DEFAULT_SKEW_SECONDS),
            times: Times {
                shortest_life: Duration::from_secs(1),
                longest_life: Duration::from_hours(1),
                longest_outage: Duration::from_hours(24),
                refetch_interval: Duration::from_secs(10),
            },
            connect_timeout: Duration::from_secs(2),
            time_limit: Duration::from_secs(5),
            allows_http: false,
            keys_at: None,
            now_seconds,
        }
    }

    /// Adds an audience: the client id of this resource server. A token must be for one of them.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// Takes tokens of this tenant only. Without it, whoever handles a request must look at
    /// [`Caller::tenant`](crate::Caller::tenant).
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// Adds a scope that every token must have.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scopes.push(scope.to_owned());
        self
    }

    /// Tolerates this difference of clocks; 60 s by default.
    pub fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Bounds how long keys are used before the issuer is asked again, whatever its `Cache-Control`
    /// says; 1 s to 1 h by default, 1 s to 366 days at the most. A Tikti that is cut off from its store names
    /// short times: a floor above them takes a key that was revoked meanwhile for longer.
    pub fn cache_times(mut self, shortest: Duration, longest: Duration) -> Self {
        self.times.shortest_life = shortest;
        self.times.longest_life = longest;
        self
    }

    /// Goes on with the keys that are held for so long while the issuer is away; 24 h by default.
    /// A key that was revoked meanwhile is good until then. At most 366 days.
    pub fn longest_outage(mut self, longest: Duration) -> Self {
        self.times.longest_outage = longest;
        self
    }

    /// Asks for unknown key ids at most once in this time; 10 s by default, at least 1 s.
    pub fn refetch_interval(mut self, interval: Duration) -> Self {
        self.times.refetch_interval = interval;
        self
    }

    /// Gives up connecting after the first and a whole fetch after the second; 2 s and 5 s by
    /// default.
    pub fn timeouts(mut self, connect: Duration, whole: Duration) -> Self {
        self.connect_timeout = connect;
        self.time_limit = whole;
        self
    }

    /// Fetches keys from machines elsewhere over plain HTTP: only in a network in which nobody else
    /// can answer.
    pub fn allow_http(mut self) -> Self {
        self.allows_http = true;
        self
    }

    /// Takes the keys from this address, and asks for no discovery document: where the issuer is
    /// reached by another name than the one in its tokens.
    pub fn keys_at(mut self, url: &str) -> Self {
        self.keys_at = Some(url.to_owned());
        self
    }

    /// Reads the time, in seconds since 1970, from `clock` instead of the system's.
    pub fn clock(mut self, clock: fn() -> u64) -> Self {
        self.now_seconds = clock;
        self
    }

    /// Builds the verifier. Asks nobody yet: the first token does, or
    /// [`Verifier::refresh`].
    ///
    /// # Errors
    /// [`BuildError`] for what would make the verifier unsafe or useless.
    pub fn build(self) -> Result<Verifier, BuildError> {
        self.check()?;
        let place = self.place()?;
        let (Place::Discovery(url) | Place::Keys(url)) = &place;
        let keys = Keys::new(Source {
            client: client(url, self.connect_timeout)?,
            issuer: self.issuer.clone(),
            place,
            times: self.times,
            time_limit: self.time_limit,
        });
        let expected = Expected {
            issuer: self.issuer,
            audiences: self.audiences,
            tenant: self.tenant,
            scopes: self.scopes,
            skew_seconds: self.skew.as_secs(),
            now_seconds: self.now_seconds,
        };
        Ok(Verifier::new(keys, expected))
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(BuildError::Audience);
        }
        if self.tenant.as_deref() == Some("") {
            return Err(BuildError::Tenant);
        }
        if !self.scopes.iter().all(|scope| is_scope_token(scope)) {
            return Err(BuildError::Scope);
        }
        if self.times.shortest_life > self.times.longest_life {
            return Err(BuildError::CacheTimes);
        }
        self.check_times()
    }

    fn check_times(&self) -> Result<(), BuildError> {
        let (none, millisecond) = (Duration::ZERO, Duration::from_millis(1));
        for (name, time, (least, told)) in [
            ("the shortest cache time", self.times.shortest_life, (SHORTEST, "1 s")),
            ("the longest cache time", self.times.longest_life, (SHORTEST, "1 s")),
            ("the refetch interval", self.times.refetch_interval, (SHORTEST, "1 s")),
            ("the longest outage", self.times.longest_outage, (none, "0 s")),
            ("the time to connect", self.connect_timeout, (millisecond, "1 ms")),
            ("the time of a fetch", self.time_limit, (millisecond, "1 ms")),
            ("the skew", self.skew, (none, "0 s")),
        ] {
            if time < least || time > LONGEST {
                return Err(BuildError::Time(name, told));
            }
        }
        Ok(())
    }

    fn place(&self) -> Result<Place, BuildError> {
        if let Some(url) = &self.keys_at {
            return self.url(url, "the address of the keys").map(Place::Keys);
        }
        self.url(&self.issuer, "the issuer")?;
        // OpenID Connect Discovery section 4: a slash at the end is removed first.
        let issuer = self.issuer.trim_end_matches('/');
        let address = format!("{issuer}/.well-known/openid-configuration");
        self.url(&address, "the issuer").map(Place::Discovery)
    }

    fn url(&self, text: &str, name: &'static str) -> Result<Url, BuildError> {
        let url = Url::parse(text).map_err(|_| BuildError::Url(name))?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !is_plain || url.query().is_some() || url.fragment().is_some() {
            return Err(BuildError::Url(name));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.allows_http || is_loopback(&url) => Ok(url),
            "http" => Err(BuildError::NotHttps(name)),
            _ => Err(BuildError::Url(name)),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// RFC 6749 section 3.3.
pub(crate) fn is_scope_token(scope: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !scope.is_empty() && scope.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(issuer: &str) -> Result<(), BuildError> {
        VerifierBuilder::new(issuer).audience("jobs").build().map(drop)
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for issuer in ["https://id.test", "https://id.test/a/", "http://localhost:8080"] {
            assert_eq!(build(issuer), Ok(()), "{issuer}");
        }
        for issuer in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1"] {
            assert_eq!(build(issuer), Ok(()), "{issuer}");
        }
        let refused = Err(BuildError::NotHttps("the issuer"));
        for issuer in ["http://id.test", "http://10.0.0.1", "http://localhost.evil.test"] {
            assert_eq!(build(issuer), refused, "{issuer}");
            let allowed = VerifierBuilder::new(issuer).audience("jobs").allow_http().build();
            assert!(allowed.is_ok(), "{issuer}");
        }
        let elsewhere = VerifierBuilder::new("https://id.test").audience("jobs");
        let elsewhere = elsewhere.keys_at("http://tikti:8080/jwks.json");
        assert!(elsewhere.clone().build().is_err());
        assert!(elsewhere.allow_http().build().is_ok());
    }

    #[test]
    fn an_issuer_is_a_plain_url() {
        for issuer in [
            "",
            "id.test",
            "file:///etc/passwd",
            "ftp://id.test",
            "https://user:pw@id.test",
            "https://id.test?a=b",
            "https://id.test#a",
        ] {
            assert_eq!(build(issuer), Err(BuildError::Url("the issuer")), "{issuer}");
        }
    }

    #[test]
    fn what_would_take_anything_is_not_built() {
        let builder = || VerifierBuilder::new("https://id.test");
        let error = |builder: VerifierBuilder| builder.build().err();
        assert_eq!(error(builder()), Some(BuildError::Audience));
        assert_eq!(error(builder().audience("")), Some(BuildError::Audience));
        let builder = || builder().audience("jobs");
        assert_eq!(error(builder().tenant("")), Some(BuildError::Tenant));
        for scope in ["", "a b", "a\"", "ä"] {
            assert_eq!(error(builder().scope(scope)), Some(BuildError::Scope), "{scope}");
        }
        let times = builder().cache_times(Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(error(times), Some(BuildError::CacheTimes));
        assert_eq!(error(builder().scope("a:b").tenant("acme")), None);
    }

    #[test]
    fn times_that_would_spin_or_overflow_are_not_built() {
        let builder = || VerifierBuilder::new("https://id.test").audience("jobs");
        let name = |builder: VerifierBuilder| match builder.build().err() {
            Some(BuildError::Time(name, _)) => name,
            other => panic!("{other:?}"),
        };
        let (zero, second, ever) = (Duration::ZERO, Duration::from_secs(1), Duration::MAX);
        // With `no-store` this would ask the issuer without a pause.
        assert_eq!(name(builder().cache_times(zero, zero)), "the shortest cache time");
        let almost = second - Duration::from_nanos(1);
        assert_eq!(name(builder().cache_times(almost, second)), "the shortest cache time");
        assert_eq!(name(builder().cache_times(ever, ever)), "the shortest cache time");
        assert_eq!(name(builder().cache_times(second, ever)), "the longest cache time");
        assert_eq!(name(builder().refetch_interval(zero)), "the refetch interval");
        assert_eq!(name(builder().refetch_interval(ever)), "the refetch interval");
        assert_eq!(name(builder().longest_outage(ever)), "the longest outage");
        assert_eq!(name(builder().timeouts(zero, second)), "the time to connect");
        assert_eq!(name(builder().timeouts(ever, second)), "the time to connect");
        assert_eq!(name(builder().timeouts(second, zero)), "the time of a fetch");
        assert_eq!(name(builder().timeouts(second, ever)), "the time of a fetch");
        assert_eq!(name(builder().skew(ever)), "the skew");
        let shortest = builder().cache_times(second, second).refetch_interval(second);
        assert!(shortest.longest_outage(zero).skew(zero).build().is_ok());
        let longest = builder().cache_times(second, LONGEST).refetch_interval(LONGEST);
        let longest = longest.longest_outage(LONGEST).timeouts(LONGEST, LONGEST).skew(LONGEST);
        assert!(longest.build().is_ok());
    }
}
