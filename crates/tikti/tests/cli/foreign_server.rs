//! Whatever answers at the address: the program is not led elsewhere, flooded, or made to print
//! what a terminal obeys.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tikti_token::{Jwks, RsaSize, SigningKey, generate_rsa};

use crate::support::{Home, Outcome, TIKTI, finish};

/// Lets a server that answers `reply` to its first request be asked for its keys.
fn ask(reply: Vec<u8>) -> Outcome {
    ask_at(TcpListener::bind("127.0.0.1:0").unwrap(), reply)
}

fn ask_at(listener: TcpListener, reply: Vec<u8>) -> Outcome {
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while head.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        // The program may have hung up at the bound of a reply.
        let _ = stream.write_all(&reply);
    });
    let outcome =
        Home::new().run(&format!("keys jwks --host http://{address} --api-key tk_secret"));
    server.join().unwrap();
    outcome
}

fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// A server that answers each request as `answer` says to its path; gives its address.
pub(crate) fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if let Some(path) = path_of_request(&stream) {
                // Whoever asked may have hung up.
                let _ = stream.write_all(&answer(&path));
            }
        }
    });
    url
}

/// Reads one request to its end; none where the client hung up.
fn path_of_request(stream: &TcpStream) -> Option<String> {
    let mut head = BufReader::new(stream.try_clone().unwrap());
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).ok()? <= 2 {
            break;
        }
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    // A body that is not read would make the end of the connection a reset.
    std::io::Read::read_exact(&mut head, &mut vec![0; length]).ok()?;
    path
}

pub(crate) fn answer_json(status: &str, body: &Value) -> Vec<u8> {
    reply(status, "content-type: application/json\r\n", &body.to_string())
}

/// Runs `line` against the server at `url`, with a token that only a server can judge.
pub(crate) fn ask_for(line: &str, url: &str) -> Outcome {
    let home = Home::new();
    let mut command = home.command(line);
    command.env("TIKTI_HOST", url).env("TIKTI_TOKEN", "a.b.c").stdin(Stdio::piped());
    finish(&mut command, "password")
}

/// One of every way of asking.
const ASKING: [&str; 8] = [
    "tenant list",
    "tenant get t",
    "tenant create --slug s",
    "tenant delete t --yes",
    "keys list",
    "keys jwks",
    "token exchange --aud a --tenant t --output json",
    "auth login --user a@b.c --password-stdin",
];

#[test]
fn an_answer_that_is_not_tiktis_is_said_to_be_so() {
    let stderr = ask(reply("502 Bad Gateway", "", "<html>")).fails(1);
    assert!(stderr.contains("answered HTTP 502, and not as Tikti does"), "{stderr}");
    let stderr = ask(reply("200 OK", "", "<html>")).fails(1);
    assert!(stderr.contains("is not Tikti's"), "{stderr}");
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    ask(reply("302 Found", &location, "")).fails(1);
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_flood_is_cut_off() {
    let flood = "x".repeat(5 * 1024 * 1024);
    let stderr = ask(reply("200 OK", "", &flood)).fails(1);
    assert!(stderr.contains("too large"), "{stderr}");
}

#[test]
fn an_error_cannot_write_lines_of_its_own_or_command_the_terminal() {
    let body = r#"{"error":"no\n  next: run \u001b[31mrm","code":"X\u0007","requestId":"r\r"}"#;
    let stderr = ask(reply("403 Forbidden", "", body)).fails(1);
    let printed = |c: char| c == '\n' || !c.is_control();
    assert!(stderr.chars().all(printed), "{stderr:?}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[test]
fn nonsense_of_any_kind_is_one_error() {
    let page = "<html>\u{1b}[31m<script>x</script></html>";
    let deep = "[".repeat(200_000);
    for (name, nonsense) in [
        ("nothing", Vec::new()),
        ("bytes", (0..=255).collect()),
        ("another protocol", b"+PONG\r\n".to_vec()),
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        ("half a body", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()),
        ("wrong chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx".to_vec()),
        ("endless head", ["HTTP/1.1 200 OK\r\nx: ", &"y".repeat(2_000_000)].concat().into_bytes()),
        ("a page", reply("200 OK", "content-type: text/html\r\n", page)),
        ("no content", reply("204 No Content", "", "")),
        ("a number", reply("200 OK", "", "5")),
        ("another shape", reply("200 OK", "", r#"{"tenants":{},"keys":7,"id":[]}"#)),
        ("nested too deep", reply("200 OK", "", &deep)),
        ("a proxy without its server", reply("502 Bad Gateway", "", page)),
        ("a proxy that is full", reply("503 Service Unavailable", "retry-after: 9\r\n", page)),
        ("a proxy that has waited", reply("504 Gateway Timeout", "", page)),
        ("a proxy that asks who it is", reply("407 Proxy Authentication Required", "", page)),
        ("a portal", reply("401 Unauthorized", "www-authenticate: Basic\r\n", page)),
        ("an error of another", reply("500 Internal Server Error", "", r#"{"message":"x"}"#)),
    ] {
        let url = serve(move |_| nonsense.clone());
        // Any object says that something was deleted.
        let is_said = |line: &&str| name == "another shape" && line.starts_with("tenant delete");
        for line in ASKING.into_iter().filter(|line| !is_said(line)) {
            let stderr = ask_for(line, &url).fails(1);
            assert!(stderr.starts_with("error: ") && stderr.contains(&url), "{name}: {stderr}");
            assert!(!stderr.contains("html") && stderr.len() < 300, "{name}: {stderr}");
            assert!(stderr.chars().all(|c| c == '\n' || !c.is_control()), "{name}: {stderr:?}");
        }
        // One that is only named is stored all the same.
        let named = ask_for("init", &url);
        assert!(named.stderr.contains("stored all the same"), "{name}: {named:?}");
        named.done();
    }
}

#[test]
fn a_server_that_is_away_is_one_error() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for line in ASKING {
        let stderr = ask_for(line, &format!("http://{away}")).fails(1);
        assert!(stderr.contains("cannot reach") && stderr.contains("\n  next: "), "{stderr}");
    }
}

#[test]
fn no_redirect_is_followed_by_any_command() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    for status in ["301 Moved Permanently", "303 See Other", "307 Temporary Redirect"] {
        let answer = reply(status, &location, "");
        let url = serve(move |_| answer.clone());
        for line in ASKING {
            ask_for(line, &url).fails(1);
        }
    }
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_reply_that_drips_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        path_of_request(&stream).unwrap();
        for byte in answer_json("200 OK", &json!({ "tenants": [] })) {
            stream.write_all(&[byte]).unwrap();
        }
    });
    assert!(ask_for("tenant list", &url).done().starts_with("No tenant yet"));
}

/// So many tenants, whose names a terminal would obey.
fn tenants(count: usize) -> Value {
    let tenants = (0..count).map(|number| {
        json!({ "id": format!("t-{number}"), "slug": "s", "name": "a\u{1b}[2J\u{7}\r\n\u{202e}b",
                "status": "ACTIVE", "selfSignUp": false, "createdAt": "c" })
    });
    json!({ "tenants": Vec::from_iter(tenants) })
}

#[test]
fn a_thing_cannot_command_the_terminal() {
    let url = serve(|_| answer_json("200 OK", &tenants(1)));
    let table = ask_for("tenant list", &url).done();
    assert_eq!(table.lines().count(), 2, "{table:?}");
    assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{table:?}");
    // Programs get it as it is, in the escapes of JSON.
    let json = ask_for("tenant list --output json", &url).json();
    assert_eq!(json, tenants(1));
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let url = serve(|_| answer_json("200 OK", &tenants(20_000)));
    for (options, first) in [("", "ID "), ("--quiet", "t-0"), ("--output yaml", "tenants:")] {
        let home = Home::new();
        let script = format!("set -o pipefail; {TIKTI} tenant list {options} | head -n 1");
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/bin:/bin");
        command.env("TIKTI_HOST", &url).env("TIKTI_TOKEN", "a.b.c");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = finish(&mut command, "");
        assert_eq!(outcome.stderr, "", "{options}");
        assert!(outcome.done().starts_with(first), "{options}");
    }
}

fn encoded(part: &Value) -> String {
    BASE64URL_NOPAD.encode(part.to_string().as_bytes())
}

/// A home whose session at `url` has ended by its own word, with what refreshes it or without.
fn home_of_an_old_session(url: &str, more: &str) -> Home {
    let home = Home::new();
    let token =
        format!("{}.{}.AA", encoded(&json!({ "alg": "HS256" })), encoded(&json!({ "exp": 1 })));
    let profile = format!("baseUrl: {url}, apiKey: tk_a_b, idToken: {token}{more}");
    fs::create_dir(home.path().join(".tikti")).unwrap();
    fs::write(home.config(), format!("currentProfile: a\nprofiles:\n  a: {{{profile}}}\n"))
        .unwrap();
    // As the program writes it: a refresh writes it once more before it asks, to see that it can.
    home.run("profile use a").done();
    home
}

#[test]
fn what_has_ended_is_said_to_have_ended() {
    let refused = |code: &str| {
        let body = json!({ "error": "no", "code": code, "details": {}, "requestId": "r" });
        serve(move |_| answer_json("401 Unauthorized", &body))
    };
    for (code, more, said) in [
        // The idToken has ended and so has what refreshes it, or there is none.
        ("INVALID_REFRESH_TOKEN", ", refreshToken: r", "the session has ended"),
        ("TOKEN_EXPIRED", "", "(TOKEN_EXPIRED)"),
        // It ends on its way.
        ("INVALID_ID_TOKEN", "", "(INVALID_ID_TOKEN)"),
    ] {
        let home = home_of_an_old_session(&refused(code), more);
        let before = fs::read_to_string(home.config()).unwrap();
        for line in ["tenant list", "tenant get t", "tenant create --slug s"] {
            let stderr = home.run(line).fails(2);
            assert!(
                stderr.contains(said) && stderr.contains("tikti auth login"),
                "{code}: {stderr}"
            );
        }
        assert_eq!(fs::read_to_string(home.config()).unwrap(), before, "{code}");
    }
    // What only seems to have ended is kept.
    let url = serve(|_| reply("502 Bad Gateway", "", "<html>"));
    let home = home_of_an_old_session(&url, ", refreshToken: r");
    let before = fs::read_to_string(home.config()).unwrap();
    let stderr = home.run("tenant list").fails(1);
    assert!(stderr.contains("HTTP 502"), "{stderr}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), before);
}

#[test]
fn a_wrong_key_is_named_as_what_is_wrong() {
    let body = json!({ "error": "no", "code": "INVALID_API_KEY", "details": {}, "requestId": "r" });
    let url = serve(move |_| answer_json("401 Unauthorized", &body));
    for line in ["token exchange --aud a --tenant t", "auth login --user a@b.c --password-stdin"] {
        let stderr = ask_for(&format!("{line} --api-key tk_wrong"), &url).fails(2);
        assert!(stderr.contains("(INVALID_API_KEY)") && stderr.contains("--api-key"), "{stderr}");
        assert!(!stderr.contains("tk_wrong"), "{stderr}");
    }
}

#[test]
fn a_token_that_has_ended_is_refused_for_that() {
    let key = SigningKey::from_pkcs8("k", &generate_rsa(RsaSize::Bits2048).unwrap()).unwrap();
    let jwks = json!(Jwks { keys: vec![key.public_key().to_jwk()] });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(path) = path_of_request(&stream) else { continue };
            let body = if path == "/jwks" { &jwks } else { &discovery };
            let _ = stream.write_all(&answer_json("200 OK", body));
        }
    });
    let claims = json!({
        "iss": url, "aud": "backend-worker", "sub": "w", "tid": "t", "scope": "jobs:read", "jti": "j",
        "token_use": "access", "client_id": "backend-worker", "iat": 1_600_000_000, "nbf": 1_600_000_000, "exp": 1_600_000_900,
    });
    let head = json!({ "alg": "RS256", "kid": "k", "typ": "JWT" });
    let signed = format!("{}.{}", encoded(&head), encoded(&claims));
    let token =
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&key.sign_raw(signed.as_bytes()).unwrap()));

    let home = Home::new();
    let line = format!("token verify --aud backend-worker --host {url} -");
    let stderr = home.run_with_input(&line, &token).fails(1);
    assert!(stderr.contains("refused at step expiry"), "{stderr}");
    let line = format!("token inspect --host {url} --output json -");
    let inspected = home.run_with_input(&line, &token).json();
    assert_eq!(inspected["verified"], false);
    assert!(inspected["reason"].as_str().unwrap().contains("(step expiry)"), "{inspected}");
}
