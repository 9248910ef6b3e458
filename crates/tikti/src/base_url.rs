//! Which server is meant? Addresses in one normal form, so that two spellings of a server are equal.
//!
//! Equality decides whether a stored credential may be sent, so it is never by prefix and never on
//! the text as typed.
//!
//! Spec: Command line, "Profiles".

use std::fmt;

use url::{Host, Url};

use crate::exit::Failure;

/// Scheme, host, port and path prefix of a server: no query, no fragment, no user, no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        // Before an `@` a password can stand.
        let shown = text.rsplit('@').next().unwrap_or_default();
        let wrong = |why: &str| Failure::usage(format!("`{shown}` is not a server address: {why}"));
        let mut url = Url::parse(text.trim()).map_err(|_| wrong(&with_scheme(text)))?;
        if !matches!(url.scheme(), "http" | "https") {
            // `localhost:8080` is a URL of the scheme `localhost`.
            return Err(wrong(&with_scheme(text)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::usage("a server address holds no user and no password"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Reads an address that has its scheme and names nobody.
    fn parse_known(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        (url.has_host() && url.username().is_empty()).then_some(Self(url))
    }

    /// The address of a call: `segments` are encoded one by one, so that none can leave its place.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The host's name, for naming a profile after it.
    pub(crate) fn host_name(&self) -> &str {
        self.0.host_str().unwrap_or("server")
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }

    /// Whether others on the way can read what is sent.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.is_https() && !self.is_loopback()
    }
}

/// Says how an address without a scheme is written, as far as that can be guessed.
fn with_scheme(text: &str) -> String {
    let rest = text.trim();
    let guess = ["http", "https"].into_iter().find_map(|scheme| {
        let url = BaseUrl::parse_known(&format!("{scheme}://{rest}"))?;
        (url.is_loopback() == (scheme == "http")).then_some(url)
    });
    match guess.filter(|_| !rest.contains("//")) {
        Some(url) => format!("write {url}"),
        None => "write it with its scheme, like https://api.tikti.io".to_owned(),
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> BaseUrl {
        BaseUrl::parse(text).unwrap()
    }

    #[test]
    fn spellings_of_one_server_are_equal() {
        for spelling in [
            "https://api.tikti.io/",
            "HTTPS://API.Tikti.io",
            "https://api.tikti.io:443",
            " https://api.tikti.io// ",
        ] {
            assert_eq!(parse(spelling), parse("https://api.tikti.io"));
        }
        assert_eq!(parse("https://api.tikti.io/").to_string(), "https://api.tikti.io");
        assert_eq!(parse("https://a.io/tikti/").to_string(), "https://a.io/tikti");
    }

    #[test]
    fn another_scheme_port_path_or_longer_name_is_another_server() {
        for other in [
            "http://api.tikti.io",
            "https://api.tikti.io:8443",
            "https://api.tikti.io/tikti",
            "https://api.tikti.io.evil.example",
        ] {
            assert_ne!(parse(other), parse("https://api.tikti.io"));
        }
    }

    #[test]
    fn what_is_no_server_address_is_refused() {
        for text in [
            "",
            "api.tikti.io",
            "127.0.0.1:8080",
            "localhost:8080",
            "ftp://a.io",
            "https://a.io/?key=1",
            "https://a.io/#x",
            "https://user:secret@a.io",
            "user:secret@a.io",
        ] {
            let failure = BaseUrl::parse(text).unwrap_err();
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_told_how_to_write_it() {
        for (text, hint) in [
            ("localhost:8080", "write http://localhost:8080"),
            ("127.0.0.1:8080", "write http://127.0.0.1:8080"),
            ("api.tikti.io", "write https://api.tikti.io"),
            ("api.tikti.io:8443", "write https://api.tikti.io:8443"),
            ("ftp://a.io", "write it with its scheme"),
            ("", "write it with its scheme"),
        ] {
            let failure = BaseUrl::parse(text).unwrap_err();
            assert!(failure.message.contains(hint), "{}", failure.message);
        }
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        let url = parse("http://[::1]:80/p").join(&["v1", "tenants", "../a?b#c/d"]);
        assert_eq!(url.as_str(), "http://[::1]/p/v1/tenants/..%2Fa%3Fb%23c%2Fd");
    }

    #[test]
    fn only_plain_http_to_another_machine_is_exposed() {
        for (text, exposed) in [
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://localhost", false),
            ("https://a.io", false),
            ("http://a.io", true),
            ("http://10.0.0.1", true),
        ] {
            assert_eq!(parse(text).is_exposed(), exposed, "{text}");
        }
    }
}
