//! Where does the link in a mail lead, and where does its page go on to?
//!
//! A link begins with what the configuration says and with nothing else: no header of any request has
//! a part in it. What a caller may add is a `continueUrl`, and only to an origin that the operator
//! named; it is compared byte by byte, before anything could read it otherwise than we do.
//!
//! Spec: HTTP API, "Identity"; attacks, row E1.

use std::fmt::Write as _;

use data_encoding::HEXLOWER_PERMISSIVE;
use secrecy::{ExposeSecret, SecretString};

use crate::error::Refusal;
use crate::oob_code::OobType;
use crate::settings::Settings;

/// Longest `continueUrl` in bytes.
pub const MAX_CONTINUE_URL_BYTES: usize = 2048;

/// A place that a mail's link may go on to: at an origin that the operator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContinueUrl(String);

impl ContinueUrl {
    /// Checks what a caller gives.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` that names `continueUrl`.
    pub fn parse(settings: &Settings, text: &str) -> Result<Self, Refusal> {
        let refuse = |reason: &'static str| Err(Refusal::invalid("continueUrl", reason));
        if text.len() > MAX_CONTINUE_URL_BYTES {
            return refuse("is longer than 2048 bytes");
        }
        // Browsers read a backslash as a slash and pass over white space and control characters.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>`'".contains(&byte);
        if !text.bytes().all(is_plain) {
            return refuse("holds a character that has to be percent-encoded");
        }
        // The page adds both; of two an application may read the first.
        if query_names(text).any(|name| ["mode", "oobCode"].contains(&name.as_str())) {
            return refuse("already holds mode or oobCode in its query");
        }
        if settings.allowed_origins.iter().any(|origin| is_at(origin, text)) {
            Ok(Self(text.to_owned()))
        } else {
            refuse("is not at an origin that this deployment allows")
        }
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL that hands a code on: with `mode` and `oobCode` in its query, and no token ever.
    #[must_use]
    pub fn with_code(&self, kind: OobType, code: &SecretString) -> SecretString {
        let (place, fragment) = match self.0.split_once('#') {
            Some((place, fragment)) => (place, Some(fragment)),
            None => (self.0.as_str(), None),
        };
        let mut url = with_query(place, kind, code);
        if let Some(fragment) = fragment {
            url.push('#');
            url.push_str(fragment);
        }
        url.into()
    }
}

/// The names of the members of a URL's query, decoded.
fn query_names(url: &str) -> impl Iterator<Item = String> {
    let place = url.split('#').next().unwrap_or_default();
    let query = place.split_once('?').map_or("", |(_, query)| query);
    query.split('&').map(|pair| decoded(pair.split('=').next().unwrap_or_default()))
}

/// Undoes percent-encoding; what is none stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        match digits.and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a URL is at an origin: behind the origin nothing may follow that belongs to the host.
fn is_at(origin: &str, url: &str) -> bool {
    let origin = origin.trim_end_matches('/');
    let is_origin = origin.starts_with("https://") || origin.starts_with("http://");
    let rest = url.strip_prefix(origin).filter(|_| is_origin);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

/// The link of a mail: the page of the deployment, with what it needs in its query.
pub(crate) fn action_link(
    settings: &Settings,
    kind: OobType,
    code: &SecretString,
    continue_url: Option<&ContinueUrl>,
) -> SecretString {
    let own = format!("{}/action", settings.issuer);
    let mut url = with_query(settings.mail_action_url.as_ref().unwrap_or(&own), kind, code);
    if let Some(continue_url) = continue_url {
        url.push_str("&continueUrl=");
        url.push_str(&percent_encoded(continue_url.as_str()));
    }
    url.into()
}

fn with_query(place: &str, kind: OobType, code: &SecretString) -> String {
    let separator = if place.contains('?') { '&' } else { '?' };
    let code = percent_encoded(code.expose_secret());
    format!("{place}{separator}mode={}&oobCode={code}", kind.mode())
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ISSUER;

    fn settings() -> Settings {
        let mut settings = Settings::shipped(ISSUER).unwrap();
        settings.allowed_origins =
            vec!["https://app.example.org".to_owned(), "http://localhost:3000".to_owned()];
        settings
    }

    #[test]
    fn a_link_goes_on_only_to_an_origin_that_is_allowed() {
        let settings = settings();
        for good in [
            "https://app.example.org",
            "https://app.example.org/done?a=b#c",
            "https://app.example.org?x=https://evil.example",
            "https://app.example.org#top",
            "http://localhost:3000/",
        ] {
            assert_eq!(ContinueUrl::parse(&settings, good).unwrap().as_str(), good);
        }
        let long = format!("https://app.example.org/{}", "a".repeat(MAX_CONTINUE_URL_BYTES));
        for bad in [
            "",
            "/done",
            "//app.example.org/",
            "app.example.org",
            "http://app.example.org/",
            "https://app.example.org.evil.example/",
            "https://app.example.org:8443/",
            "https://app.example.org@evil.example/",
            "https://app.example.org\\@evil.example/",
            "https://app.example.org\t.evil.example/",
            "https://user@app.example.org/",
            "https://evil.example/https://app.example.org/",
            "https://app.example.org/?oobCode=AAAA",
            "https://app.example.org/?a=b&mode=signIn#c",
            "https://app.example.org/?a&%6fob%43ode",
            "HTTPS://app.example.org/",
            " https://app.example.org/",
            "https://app.example.org/\"><script>",
            "https://app.example.org/a b",
            "https://app.example.org/\r\nSet-Cookie: a=b",
            "https://app.example.org/ä",
            "javascript:alert(1)//https://app.example.org",
            "http://localhost:30001/",
            &long,
        ] {
            let refused = ContinueUrl::parse(&settings, bad).unwrap_err();
            assert_eq!(refused.code, crate::error::Code::InvalidArgument, "{bad:?}");
            assert!(refused.details.contains_key("continueUrl"), "{bad:?}");
        }
        let shipped = Settings::shipped(ISSUER).unwrap();
        assert!(ContinueUrl::parse(&shipped, "https://app.example.org").is_err());
    }

    #[test]
    fn an_allowed_origin_that_is_none_allows_nothing() {
        let mut settings = settings();
        settings.allowed_origins = vec![String::new(), "/".to_owned(), "https:".to_owned()];
        for url in ["https://evil.example/", "//evil.example", "/x"] {
            assert!(ContinueUrl::parse(&settings, url).is_err(), "{url}");
        }
    }

    #[test]
    fn e1_a_link_begins_with_the_issuer_or_the_configured_page() {
        let code = SecretString::from("ABC234".to_owned());
        let mut settings = settings();
        let link = |settings: &Settings, on: Option<&str>| {
            let on = on.map(|on| ContinueUrl::parse(settings, on).unwrap());
            let link = action_link(settings, OobType::PasswordReset, &code, on.as_ref());
            link.expose_secret().to_owned()
        };
        assert_eq!(
            link(&settings, None),
            "https://api.tikti.test/action?mode=resetPassword&oobCode=ABC234"
        );
        settings.mail_action_url = Some("https://app.example.org/account?lang=pt".to_owned());
        assert_eq!(
            link(&settings, Some("https://app.example.org/done?a=b&c=d#e")),
            "https://app.example.org/account?lang=pt&mode=resetPassword&oobCode=ABC234\
             &continueUrl=https%3A%2F%2Fapp.example.org%2Fdone%3Fa%3Db%26c%3Dd%23e"
        );
    }

    #[test]
    fn a_code_is_handed_on_in_the_query_before_the_fragment() {
        let code = SecretString::from("ABC234".to_owned());
        for (url, expected) in [
            ("https://app.example.org", "https://app.example.org?mode=signIn&oobCode=ABC234"),
            (
                "https://app.example.org/?a=b#c?d",
                "https://app.example.org/?a=b&mode=signIn&oobCode=ABC234#c?d",
            ),
        ] {
            let url = ContinueUrl::parse(&settings(), url).unwrap();
            assert_eq!(url.with_code(OobType::EmailSignIn, &code).expose_secret(), expected);
        }
    }
}
