//! Who publishes the keys of a check? A listener of its own, while the check goes on.
//!
//! As the issuer it serves what a verifier discovers; under `/stranger/NAME` lies the other key, which a
//! verifier fetches only if the token of that name can make it. A few small documents, one request a
//! connection.
//!
//! Spec: Command line, `rs-check`; Tokens and keys, "Signing keys". RFC 8414, RFC 9112.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::der;
use super::keys::FreshKey;
use crate::exit::Failure;

const MAX_HEAD_BYTES: u64 = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 64;
/// The stranger's documents are here, each beneath the name of a token.
const STRANGER: &str = "/stranger";
const STRANGER_JWKS: &str = "/stranger/*/jwks.json";
const STRANGER_CERTIFICATE: &str = "/stranger/*/certificate.pem";
/// Of a name that somebody asks for; those of the catalogue are shorter.
const MAX_NAME_BYTES: usize = 64;
/// Far more than there are; whoever asks for names of his own fills no memory.
const MAX_NAMES: usize = 1024;
/// Short: whoever checks again has another key.
const MAX_AGE: u64 = 5;

pub(super) struct Publisher {
    listener: TcpListener,
    address: SocketAddr,
}

/// What is published, by path.
pub(super) struct Documents {
    by_path: Vec<(String, &'static str, String)>,
    /// The tokens whose address at the stranger's somebody has asked.
    believed: Mutex<BTreeSet<String>>,
}

impl Publisher {
    pub(super) async fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let failed =
            |cause: std::io::Error| Failure::usage(format!("cannot listen on {address}: {cause}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it is reached from this machine.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers until it is dropped.
    pub(super) async fn serve(self, documents: Arc<Documents>) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                        connections.spawn(answer(stream, Arc::clone(&documents)));
                    }
                    Ok(_) => {}
                    // No descriptor is free, most likely: it passes.
                    Err(_) => sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Documents {
    /// The stranger's alone.
    pub(super) fn of_stranger(stranger: &FreshKey) -> Result<Self, Failure> {
        let certificate = der::pem("CERTIFICATE", &stranger.certificate()?);
        let jwks = text(&stranger.jwks())?;
        Ok(Self {
            by_path: vec![
                (STRANGER_JWKS.to_owned(), "application/json", jwks),
                (STRANGER_CERTIFICATE.to_owned(), "application/x-pem-file", certificate),
            ],
            believed: Mutex::default(),
        })
    }

    /// The issuer's as well, who calls himself `issuer`.
    pub(super) fn with_issuer(mut self, issuer: &str, key: &FreshKey) -> Result<Self, Failure> {
        let base = issuer.trim_end_matches('/');
        let discovery = text(&json!({
            "issuer": issuer,
            "jwks_uri": format!("{base}/.well-known/jwks.json"),
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/oauth2/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }))?;
        let jwks = text(&key.jwks())?;
        for (path, document) in [
            ("/.well-known/openid-configuration", &discovery),
            ("/.well-known/oauth-authorization-server", &discovery),
            ("/.well-known/jwks.json", &jwks),
            ("/v1/.well-known/jwks.json", &jwks),
        ] {
            self.by_path.push((path.to_owned(), "application/json", document.clone()));
        }
        Ok(self)
    }

    /// Whether somebody has asked the address that stands in the token of this name.
    pub(super) fn was_believed(&self, name: &str) -> bool {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn believe(&self, name: &str) {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if name.len() <= MAX_NAME_BYTES && believed.len() < MAX_NAMES {
            believed.insert(name.to_owned());
        }
    }

    fn reply(&self, head: &[u8]) -> String {
        let head = String::from_utf8_lossy(head);
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        let beneath = path.strip_prefix(STRANGER).and_then(|rest| rest.strip_prefix('/'));
        let path = match beneath.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) {
            Some((name, document)) => {
                self.believe(name);
                format!("{STRANGER}/*/{document}")
            }
            None => path.to_owned(),
        };
        let found = self.by_path.iter().find(|(at, ..)| *at == path);
        match found {
            Some((_, kind, document)) if method == Some("GET") => {
                let max_age = format!("Cache-Control: public, max-age={MAX_AGE}\r\n");
                http("200 OK", &format!("Content-Type: {kind}\r\n{max_age}"), document)
            }
            Some(_) => http("405 Method Not Allowed", "Allow: GET\r\n", ""),
            None => http("404 Not Found", "", ""),
        }
    }
}

/// Where the stranger publishes, seen from whoever reaches the publisher at `url`.
pub(super) fn stranger_url(url: &str) -> String {
    format!("{}{STRANGER}", url.trim_end_matches('/'))
}

async fn answer(stream: TcpStream, documents: Arc<Documents>) {
    // Whoever hangs up or is too slow gets no answer.
    let _unanswered = timeout(PATIENCE, exchange(stream, &documents)).await;
}

async fn exchange(mut stream: TcpStream, documents: &Documents) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut reader = (&mut stream).take(MAX_HEAD_BYTES);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if reader.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(documents.reply(&head).as_bytes()).await?;
    stream.shutdown().await
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn text(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|cause| Failure::refused(format!("writing what the check publishes: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Documents {
        let key = FreshKey::generate("k").unwrap();
        let stranger = FreshKey::generate("s").unwrap();
        let documents = Documents::of_stranger(&stranger).unwrap();
        documents.with_issuer("http://127.0.0.1:9", &key).unwrap()
    }

    #[test]
    fn the_issuer_is_discovered_at_every_path_that_verifiers_know() {
        let documents = documents();
        for path in [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/.well-known/jwks.json",
            "/v1/.well-known/jwks.json",
        ] {
            let reply = documents.reply(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
            assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {reply}");
        }
        assert_eq!(documents.believed.lock().unwrap().len(), 0);
    }

    #[test]
    fn whoever_asks_the_stranger_tells_which_token_he_believed() {
        let documents = documents();
        let reply = documents.reply(b"GET /stranger/jku/jwks.json?x HTTP/1.1\r\n\r\n");
        assert!(reply.contains("\"kid\":\"s\""), "{reply}");
        let reply = documents.reply(b"HEAD /stranger/x5u/certificate.pem HTTP/1.1\r\n\r\n");
        assert!(reply.starts_with("HTTP/1.1 405 "), "{reply}");
        // Also at another path than the token says.
        documents.reply(b"GET /stranger/kid-is-a-url HTTP/1.1\r\n\r\n");
        for name in ["jku", "x5u", "kid-is-a-url"] {
            assert!(documents.was_believed(name), "{name}");
        }
        assert!(!documents.was_believed("jwk-embedded"));
    }

    #[test]
    fn names_that_no_token_has_fill_no_memory() {
        let documents = documents();
        for number in 0..2 * MAX_NAMES {
            documents.reply(format!("GET /stranger/{number}/ HTTP/1.1\r\n\r\n").as_bytes());
        }
        assert_eq!(documents.believed.lock().unwrap().len(), MAX_NAMES);
        assert!(!documents.was_believed(&"x".repeat(MAX_NAME_BYTES + 1)));
    }

    #[test]
    fn nothing_else_is_there() {
        let documents = documents();
        for (head, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("POST /.well-known/jwks.json HTTP/1.1\r\n\r\n", "405"),
            ("GET /stranger/jwks.json HTTP/1.1\r\n\r\n", "404"),
            ("GET /stranger HTTP/1.1\r\n\r\n", "404"),
            ("\r\n\r\n", "404"),
        ] {
            assert_eq!(documents.reply(head.as_bytes()).split(' ').nth(1), Some(status));
        }
    }
}
