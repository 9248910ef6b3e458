//! How is a resource server asked, and what does its answer mean?
//!
//! A status says whether a token was accepted; nothing else of an answer is believed. No redirect is
//! followed, and a server that is neither on this machine nor in a private network is asked only if
//! somebody said so.
//!
//! Spec: Command line, `rs-check`. RFC 6750 section 3.

use clap::Args;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use url::{Host, Url};

use crate::context::Context;
use crate::exit::Failure;
use crate::http_client::{bare_client, root_cause};
use crate::input;

/// More is not read, the status has been.
const MAX_BODY_BYTES: usize = 64 * 1024;

#[derive(Args)]
pub(crate) struct TargetArgs {
    /// A route of the resource server that wants a token; asked about a hundred times, so take one that
    /// changes nothing
    url: String,
    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// Further header, as `Name: value`; may be repeated
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// Status that means accepted, beside 200 to 299; may be repeated
    #[arg(long, value_name = "STATUS")]
    accepted_status: Vec<u16>,
    /// Do not ask before firing at a server that is neither here nor in a private network
    #[arg(long)]
    yes: bool,
}

/// A route, and how to ask it.
pub(super) struct Target {
    client: Client,
    pub(super) url: Url,
    method: Method,
    headers: HeaderMap,
    accepted: Vec<u16>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    /// None where there was no answer at all.
    pub(super) status: Option<u16>,
    /// Why there was none.
    pub(super) silence: Option<String>,
    /// The server's clock, in seconds since 1970.
    pub(super) date: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// 5xx, or no answer: not accepted, and not as it should be.
    Broke,
    /// 429: it was not looked at.
    Throttled,
}

impl Target {
    /// Reads the options, and asks for leave where that is due.
    pub(super) fn new(context: &Context, args: &TargetArgs) -> Result<Self, Failure> {
        let url = route(&args.url)?;
        let method = Method::from_bytes(args.method.as_bytes())
            .map_err(|_| Failure::usage(format!("`{}` is no method", args.method)))?;
        let mut headers = HeaderMap::new();
        for header in &args.header {
            let (name, value) = parse_header(header)?;
            headers.append(name, value);
        }
        ask_for_leave(context, &url, args.yes)?;
        let client = bare_client(url.scheme() == "https")
            .map_err(|cause| Failure::refused(format!("preparing to ask {url}: {cause}")))?;
        let accepted = args.accepted_status.clone();
        Ok(Self { client, url, method, headers, accepted })
    }

    /// Asks with `token`, or with none.
    pub(super) async fn fire(&self, token: Option<&str>) -> Result<Answer, Failure> {
        let mut headers = self.headers.clone();
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Failure::refused("a token of the catalogue fits no header"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let request = self.client.request(self.method.clone(), self.url.clone()).headers(headers);
        Ok(match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(cause) => {
                let silence = if cause.is_timeout() {
                    "no answer in time".to_owned()
                } else {
                    root_cause(&cause)
                };
                let verdict = Verdict::Broke;
                Answer { verdict, status: None, silence: Some(silence), date: None }
            }
        })
    }

    async fn judge(&self, mut response: Response) -> Answer {
        let status = response.status().as_u16();
        let verdict = match status {
            200..300 => Verdict::Accepted,
            status if self.accepted.contains(&status) => Verdict::Accepted,
            429 => Verdict::Throttled,
            500.. => Verdict::Broke,
            _ => Verdict::Refused,
        };
        let date = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        // Read, so that the connection serves again; what it says does not matter.
        let mut read = 0;
        while read < MAX_BODY_BYTES
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read += chunk.len();
        }
        Answer { verdict, status: Some(status), silence: None, date }
    }
}

impl Answer {
    /// For people.
    pub(super) fn told(&self) -> String {
        match (self.status, &self.silence) {
            (Some(status), _) => format!("HTTP {status}"),
            (None, Some(silence)) => silence.clone(),
            (None, None) => "nothing".to_owned(),
        }
    }
}

fn route(text: &str) -> Result<Url, Failure> {
    // Before an `@` a password can stand.
    let shown = text.rsplit('@').next().unwrap_or_default();
    let wrong = |why: &str| Failure::usage(format!("`{shown}` is no address of a route: {why}"));
    let url = Url::parse(text).map_err(|_| wrong("write it with its scheme"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("http and https are asked"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds no user and no password"));
    }
    Ok(url)
}

fn parse_header(header: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    // Its value may be a secret.
    let wrong = || Failure::usage("--header is `Name: value`");
    let (name, value) = header.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    if name == AUTHORIZATION {
        return Err(Failure::usage("the header Authorization carries the tokens of the check"));
    }
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?))
}

fn ask_for_leave(context: &Context, url: &Url, is_given: bool) -> Result<(), Failure> {
    if is_near(url) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    context.output.warn(&format!(
        "{host} is neither this machine nor in a private network: fire at servers of yours alone"
    ));
    if is_given {
        return Ok(());
    }
    let wanted = || {
        Failure::usage(format!("nothing was sent to {host}"))
            .next("give --yes if that server is yours")
    };
    if !input::is_interactive() {
        return Err(wanted());
    }
    let answer = input::ask(&context.output, &format!("Fire hostile tokens at {host}? [y/N]"))?;
    if matches!(answer.as_str(), "y" | "yes") { Ok(()) } else { Err(wanted()) }
}

/// Whether a server is on this machine or in a private network. A name may be anybody's.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The time of a `Date` header (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    u64::try_from(time.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_here_or_private_is_near() {
        for (url, near) in [
            ("http://127.0.0.1:9000/jobs", true),
            ("http://[::1]/", true),
            ("http://localhost:1", true),
            ("http://10.1.2.3/", true),
            ("http://192.168.0.1/", true),
            ("http://[fd00::1]/", true),
            ("https://93.184.215.14/", false),
            ("https://api.example/", false),
            ("https://localhost.example/", false),
        ] {
            assert_eq!(is_near(&Url::parse(url).unwrap()), near, "{url}");
        }
    }

    #[test]
    fn a_date_of_http_is_understood() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn the_token_stands_in_its_header_and_nowhere_else() {
        assert!(parse_header("authorization: Bearer x").is_err());
        assert!(parse_header("no colon").unwrap_err().message.contains("Name: value"));
        let (name, value) = parse_header("X-Tenant:  t-one ").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-tenant", "t-one"));
    }

    #[test]
    fn what_is_no_route_is_refused_without_its_password() {
        for text in ["jobs", "ftp://a/", "http://user:secret@a/"] {
            let failure = route(text).unwrap_err();
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
    }
}
