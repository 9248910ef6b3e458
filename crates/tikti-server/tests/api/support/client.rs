//! One request over one connection, byte by byte as the test wants it.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Server;
use super::leaks::{find_private_member, find_shown};
use super::log::holds;

/// Headers whose values differ from run to run.
const VOLATILE: [&str; 4] = ["date", "x-request-id", "content-length", "etag"];
/// Headers that every reply has: shown only where a test asks for them.
const USUAL: [(&str, &str); 7] = [
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
    ("connection", "close"),
];

pub(crate) struct Request<'a> {
    server: &'a Server,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    is_chunked: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(server: &'a Server, method: &str, path: &str) -> Self {
        Self {
            server,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: vec![],
            body: vec![],
            is_chunked: false,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shows the deployment's API key.
    pub(crate) fn keyed(self) -> Self {
        let key = self.server.setup.api_key.clone();
        self.header("X-API-Key", &key)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Sends the members of an object as JSON, or as the form that OAuth endpoints take: for whoever goes
    /// through all routes. See [`Self::json_everywhere`].
    pub(crate) fn json(self, body: Value) -> Self {
        // Also where the path is written with its host before it.
        if self.path.contains("/oauth2/") {
            return self.form(&body);
        }
        self.json_everywhere(&body)
    }

    /// Sends JSON, also to an OAuth endpoint, which takes none.
    pub(crate) fn json_everywhere(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// Sends the members of an object as a form: an array as a repeated parameter, null not at all.
    pub(crate) fn form(self, members: &Value) -> Self {
        let mut pairs = Vec::new();
        for (name, value) in members.as_object().unwrap() {
            let one = std::slice::from_ref(value);
            for value in value.as_array().map_or(one, Vec::as_slice) {
                match value {
                    Value::Null => {}
                    Value::String(text) => {
                        pairs.push(format!("{}={}", escaped(name), escaped(text)))
                    }
                    other => {
                        pairs.push(format!("{}={}", escaped(name), escaped(&other.to_string())))
                    }
                }
            }
        }
        self.header("Content-Type", "application/x-www-form-urlencoded").body(pairs.join("&"))
    }

    /// Shows an id and a secret by HTTP Basic.
    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        let credentials = data_encoding::BASE64.encode(format!("{id}:{secret}").as_bytes());
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks, without saying how long it is.
    pub(crate) fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }

    pub(crate) async fn send(self) -> Reply {
        let server = self.server;
        let mut stream = server.connect().await;
        stream.write_all(&self.bytes()).await.unwrap();
        let reply = Reply::parse(&server.read_raw(&mut stream).await);
        server.check(Some((&self.method, &self.path)), &reply);
        if self.path.starts_with("/v1/keys/") {
            server.learn_private_keys().await;
        }
        reply
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { method, path, .. } = self;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head.push_str("Host: t\r\n");
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.is_chunked {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            let mut bytes = head.into_bytes();
            for chunk in self.body.chunks(1000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            return bytes;
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The text with an escape for every byte that could mean something in a form.
fn escaped(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    bytes.collect()
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(header, _)| header == name);
        header.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Everything that is not the request's own id, its time, or the length of these.
    pub(crate) fn shape(&self) -> String {
        let id = self.header("x-request-id").unwrap_or_default();
        let headers = self.headers.iter().filter(|(name, _)| name != "date");
        let headers: Vec<_> =
            headers.map(|(name, value)| format!("{name}: {value}").replace(id, "[id]")).collect();
        format!("{}\n{}\n{}", self.status, headers.join("\n"), self.text().replace(id, "[id]"))
    }

    /// Replaces what a snapshot could not know.
    pub(crate) fn replace(&mut self, volatile: &str, fixed: &str) {
        self.body = self.text().replace(volatile, fixed).into_bytes();
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// Checks that this is a refusal of the shape of RFC 6749, section 5.2.
    pub(crate) fn assert_oauth_refusal(&self, status: u16, error: &str, code: &str) {
        let body = self.json();
        let found = (self.status, body["error"].as_str(), body["code"].as_str());
        assert_eq!(found, (status, Some(error), Some(code)), "{body}");
        self.assert_oauth_shape();
    }

    /// What every refusal at an OAuth endpoint has, and no more.
    fn assert_oauth_shape(&self) {
        let body = self.json();
        let known = ["code", "details", "error", "error_description", "requestId"];
        let mut names = body.as_object().unwrap().keys();
        assert!(names.all(|name| known.contains(&name.as_str())), "{body}");
        let description = body["error_description"].as_str().unwrap();
        let fits = |byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        assert!(!description.is_empty() && description.bytes().all(fits), "{body}");
        assert_eq!(body["requestId"].as_str(), self.header("x-request-id"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("pragma"), Some("no-cache"));
        let challenge = (self.status == 401).then_some("Basic realm=\"tikti\"");
        assert_eq!(self.header("www-authenticate"), challenge);
        assert_eq!(body["error"] == "invalid_client", self.status == 401);
    }

    /// Checks that this is a refusal of the one shape, or where it answers an OAuth endpoint of the one there;
    /// its status is then what that makes of `status`.
    pub(crate) fn assert_refusal(&self, status: u16, code: &str) {
        let body = self.json();
        if body.get("error_description").is_some() {
            assert_eq!(body["code"].as_str(), Some(code), "{body}");
            return self.assert_oauth_shape();
        }
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{body}");
        let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "details", "error", "requestId"]);
        assert!(!body["error"].as_str().unwrap().is_empty());
        assert!(body["details"].is_object());
        assert_eq!(body["requestId"].as_str(), self.header("x-request-id"));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        // RFC 9110, section 15.5.2.
        assert_eq!(self.header("www-authenticate").is_some(), status == 401);
    }

    /// The same on one line, of a reply that nobody on the way may keep.
    pub(crate) fn line(&self) -> String {
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let mut text = self.status.to_string();
        for (name, value) in self.special_headers() {
            text.push_str(&format!(" {name}={value}"));
        }
        let mut body = self.json();
        mask("", &mut body);
        format!("{text} {body}")
    }

    fn special_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(|header| !USUAL.contains(header) && !VOLATILE.contains(&header.0))
    }

    /// The whole reply as text: status, the headers that are special, the body; what differs from
    /// run to run is masked.
    pub(crate) fn masked(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for (name, value) in self.special_headers() {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            mask("", &mut body);
            text.push_str(&serde_json::to_string_pretty(&body).unwrap());
        }
        text
    }
}

fn mask(name: &str, value: &mut Value) {
    match value {
        Value::Object(members) => {
            // What `details` says of a member is not the member.
            for (name, value) in members.iter_mut().filter(|(name, _)| *name != "details") {
                mask(name, value);
            }
        }
        Value::Array(items) => {
            for item in items {
                mask(name, item);
            }
        }
        Value::String(text) => {
            let masked = match name {
                "idToken" | "accessToken" | "refreshToken" | "id_token" | "refresh_token"
                | "access_token" => "[token]",
                "oobCode" => "[code]",
                "requestId" => "[request id]",
                "jti" => "[token id]",
                "sub" => "[user id]",
                "localId" | "user_id" | "userId" => "[user id]",
                "sid" => "[session id]",
                "createdAt" | "lastLoginAt" | "lastRefreshedAt" | "revokedAt" | "removedAt"
                | "expiresAt" => "[time]",
                "id" | "tenantId" | "tenant_id" | "defaultTenantId" | "tid"
                    if text.starts_with("t-") =>
                {
                    "[tenant id]"
                }
                // A UUID: the id of a user, also where it names his membership.
                "id" if text.len() == 36 => "[user id]",
                "nextPageToken" => "[page token]",
                _ => return,
            };
            masked.clone_into(text);
        }
        Value::Number(_) => match name {
            "tokenVersion" | "ver" | "mver" => *value = "[version]".into(),
            "auth_time" | "exp" | "iat" => *value = "[seconds]".into(),
            _ => {}
        },
        Value::Null | Value::Bool(_) => {}
    }
}

impl Server {
    /// Reads until the connection ends, however it ends, and looks for secrets.
    pub(crate) async fn read_raw(&self, stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A connection that the server broke off gave what it gave.
        let _ = stream.read_to_end(&mut bytes).await;
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!holds(&bytes, secret), "a secret came back: {}", bytes.escape_ascii());
        }
        if let Some(what) = self.hidden.lock().unwrap().find(&bytes) {
            panic!("{what} came back: {}", bytes.escape_ascii());
        }
        bytes
    }

    /// Reads one reply, until the server closes the connection, and checks it.
    pub(crate) async fn read_reply(&self, stream: &mut TcpStream) -> Reply {
        let reply = Reply::parse(&self.read_raw(stream).await);
        self.check(None, &reply);
        reply
    }

    /// What holds for every reply of the whole suite: an id, the security headers, no private key, and no
    /// credential but those that the call is there to give. These are secrets from here on.
    fn check(&self, call: Option<(&str, &str)>, reply: &Reply) {
        for (name, value) in &USUAL[1..4] {
            assert_eq!(reply.header(name), Some(*value), "{reply:?}");
        }
        assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()));
        let body = String::from_utf8_lossy(&reply.body);
        if let Some(member) = find_private_member(&body) {
            panic!("{member}, a member of a private key, in {body}");
        }
        let headers = reply.headers.iter().map(|(_, value)| value.as_str());
        let texts = headers.chain([&*body]);
        if let Some(leak) = texts.filter_map(|text| find_shown(call, reply.status, text)).next() {
            panic!(
                "{call:?} shows what `SHOWS` of support/leaks.rs does not say: {leak} in {reply:?}"
            );
        }
        if let Ok(Value::Object(members)) = serde_json::from_slice(&reply.body) {
            let names = [
                "idToken",
                "accessToken",
                "refreshToken",
                "id_token",
                "refresh_token",
                "access_token",
                "secret",
            ];
            let tokens = names.into_iter();
            let tokens = tokens.filter_map(|name| members.get(name)?.as_str()).map(Vec::from);
            self.secrets.lock().unwrap().extend(tokens);
        }
    }
}
