//! The server of a deployment: what keeps it from starting, and how it lives and ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Dev, Home, ask, finish};

/// The group that every configuration must have.
pub(crate) const SECRETS: &str = "
secrets:
  masterKey: [{kid: m1, secret: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}]
  pepper: [{kid: p1, secret: pepper-pepper-pepper-pepper-pepper}]
  hs256: [{kid: h1, secret: hmac-hmac-hmac-hmac-hmac-hmac-hmac}]
";

fn configured(home: &Home, yaml: &str) -> String {
    let file = home.path().join("server.yaml");
    fs::write(&file, yaml).unwrap();
    format!("serve --config {}", file.display())
}

/// Killed when a test ends early.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone where the test ended it itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_problem_of_a_configuration_is_one_line() {
    let home = Home::new();
    let line = configured(&home, "issuer: https://id.example.org/\nnonsense: 1\nlog: {level: 7}\n");
    let stderr = home.run(&line).fails(3);
    for setting in ["issuer", "nonsense", "secrets.masterKey", "secrets.pepper", "secrets.hs256"] {
        let lines = stderr.lines().filter(|line| line.contains(&format!(": {setting}")));
        assert_eq!(lines.count(), 1, "{setting}: {stderr}");
    }
}

#[test]
fn a_configured_server_serves_until_it_is_asked_to_stop() {
    let home = Home::new();
    let store = home.path().join("store");
    let line = configured(
        &home,
        &format!(
            "issuer: https://id.example.org\nlisten: 127.0.0.1:0\nstore: {{url: embedded:{}}}\n{SECRETS}",
            store.display()
        ),
    );
    let mut server = Server(home.command(&line).spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut warnings = Vec::new();
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the server ended");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["message"] == "serving" {
            break event["address"].as_str().unwrap().to_owned();
        }
        if event["level"] == "WARN" {
            warnings.push(event["message"].as_str().unwrap().to_owned());
        }
    };
    assert_eq!(warnings, ["no mail is sent: neither mail.smtp nor mail.webhook is configured"]);

    let jwks = home.run(&format!("keys jwks --output json --host http://{address}")).json();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);

    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_a_wrong_configuration() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!(
        "dev --listen {} --data {}",
        taken.local_addr().unwrap(),
        home.path().join("data").display()
    );
    let stderr = home.run(&line).fails(3);
    assert!(stderr.contains("next: `--listen 127.0.0.1:0`"), "{stderr}");
}

#[test]
fn dev_keeps_the_profile_of_a_server_elsewhere_and_warns_of_other_machines() {
    let home = Home::new();
    let elsewhere =
        "currentProfile: dev\nprofiles: {dev: {baseUrl: 'https://id.example.org', apiKey: k}}";
    fs::create_dir(home.path().join(".tikti")).unwrap();
    fs::write(home.config(), elsewhere).unwrap();
    let ended = Dev::start_at(&home, "0.0.0.0:0").terminate();
    assert!(ended.stderr.contains("this one is `dev-2`"), "{ended:?}");
    assert!(ended.stderr.contains("can be reached from other machines"), "{ended:?}");
    let listed = home.run("profile list --output json").json();
    assert_eq!(listed[0]["baseUrl"], "https://id.example.org");
    assert_eq!((&listed[1]["name"], &listed[1]["current"]), (&"dev-2".into(), &true.into()));
}

#[test]
fn dev_wants_a_directory_and_no_file() {
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let line = format!("dev --listen 127.0.0.1:0 --data {}", file.display());
    let stderr = home.run(&line).fails(3);
    assert!(stderr.contains("file: is not a directory"), "{stderr}");
}

#[test]
fn without_a_home_dev_wants_a_directory() {
    let home = Home::new();
    let mut command = home.command("dev --listen 127.0.0.1:0");
    let stderr = finish(command.env_remove("HOME"), "").fails(3);
    assert!(stderr.contains("HOME is not set"), "{stderr}");
}

#[test]
fn a_server_whose_log_nobody_can_write_or_read_goes_on() {
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let hung_up = || Stdio::from(std::io::pipe().unwrap().1);
    for unheard in [&full as &dyn Fn() -> Stdio, &hung_up] {
        let home = Home::new();
        let line = format!("dev --output json --listen 127.0.0.1:0 {}", home.store_options());
        let mut server = Server(home.command(&line).stderr(unheard()).spawn().unwrap());
        let mut ready = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let address = ready["url"].as_str().unwrap().trim_start_matches("http://");
        for path in ["/healthz", "/.well-known/jwks.json", "/v1/tenants"] {
            let (status, _) = ask(address, &format!("GET {path} HTTP/1.1\r\n"), "");
            assert_eq!(status, if path == "/v1/tenants" { 401 } else { 200 }, "{path}");
        }
        assert!(server.0.try_wait().unwrap().is_none());
    }
}
