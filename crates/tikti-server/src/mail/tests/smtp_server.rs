//! A real mail server in a process of its own, that ends with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};
use tikti_domain::testing::Certificates;

use super::python::python;
use crate::config::{Security, SmtpConfig};
use crate::mail::tests::GENEROUS;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/tests/smtp_server.py");

pub(super) const USER: &str = "tikti";
pub(super) const PASSWORD: &str = "a password of the mail server";

/// One authority for all servers of the tests.
static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

pub(super) struct SmtpServer {
    process: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
    security: Security,
}

impl SmtpServer {
    /// Starts one that asks for user and password, and takes every mail.
    pub(super) fn start(security: Security) -> Self {
        Self::answering(security, &[])
    }

    /// Starts one that gives these answers to the first recipients, and takes the others.
    pub(super) fn answering(security: Security, answers: &[&str]) -> Self {
        Self::showing("server", security, answers)
    }

    /// Starts one that shows the certificate of that name.
    pub(super) fn showing(certificate: &str, security: Security, answers: &[&str]) -> Self {
        let directory = CERTIFICATES.directory();
        let level = match security {
            Security::Tls => "tls",
            Security::StartTls => "starttls",
            Security::None => "none",
        };
        let settings = json!({
            "security": level,
            "certificate": directory.join(format!("{certificate}.pem")),
            "key": directory.join(format!("{certificate}.key")),
            "credentials": [USER, PASSWORD],
            "answers": answers,
        });
        let mut process = Command::new(python())
            .arg(SCRIPT)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, lines, port: 0, security };
        let port = server.next_line()["port"].as_u64().unwrap();
        server.port = u16::try_from(port).unwrap();
        server
    }

    fn next_line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The next mail that it took.
    pub(super) fn mail(&mut self) -> Value {
        self.next_line()
    }

    /// Ends it, and says which mails it took that nobody has asked for.
    pub(super) fn rest(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let mut rest = Vec::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return rest;
            }
            rest.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// How it is reached.
    pub(super) fn config(&self) -> SmtpConfig {
        let encrypted = self.security != Security::None;
        SmtpConfig {
            host: "localhost".to_owned(),
            port: self.port,
            security: self.security,
            credentials: Some((USER.to_owned(), PASSWORD.to_owned().into())),
            ca_file: encrypted.then(|| authority().to_owned()),
            connect_timeout: GENEROUS,
        }
    }
}

/// What a client has to trust.
pub(super) fn authority() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| CERTIFICATES.trusted().ca.unwrap());
    &FILE
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
