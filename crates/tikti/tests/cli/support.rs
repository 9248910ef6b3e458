//! A home, the program run in it, and a server that is there until it is dropped. Servers have their
//! store in a directory, or on a Redis of the home's where `TIKTI_TEST_STORE` is `redis`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tempfile::TempDir;
use tikti_store::testing::RedisServer;

/// The program under test.
pub(crate) const TIKTI: &str = env!("CARGO_BIN_EXE_tikti");

/// Whether this run of tests is one on Redis. A value that means nothing is refused: it would be a run
/// on the embedded store again.
pub(crate) fn redis_is_chosen() -> bool {
    #[expect(clippy::disallowed_methods, reason = "chooses the store of a whole run of tests")]
    let chosen = std::env::var_os("TIKTI_TEST_STORE");
    let is = |name: &str| chosen.as_deref().is_some_and(|chosen| chosen == name);
    let is_known = chosen.is_none() || is("embedded") || is("redis");
    assert!(is_known, "TIKTI_TEST_STORE is neither embedded nor redis: {chosen:?}");
    is("redis")
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output of a command that was done.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one JSON value of a command that was done.
    pub(crate) fn json(self) -> Value {
        let stdout = self.done();
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no JSON value: {stdout:?}"))
    }

    /// Standard error of a command that ended with `code`; standard output must be empty then.
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        self.stderr
    }
}

/// A home directory with nothing in it, and the Redis of whoever lives there.
pub(crate) struct Home {
    directory: TempDir,
    redis: OnceLock<RedisServer>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), redis: OnceLock::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The options that name the store of this home's server.
    pub(crate) fn store_options(&self) -> String {
        let data = format!("--data {}", Dev::data(self));
        match self.store_on_redis() {
            Some(url) => format!("{data} --store {url}"),
            None => data,
        }
    }

    /// The URL of that store.
    pub(crate) fn store_url(&self) -> String {
        let embedded = || format!("embedded:{}/store", Dev::data(self));
        self.store_on_redis().unwrap_or_else(embedded)
    }

    fn store_on_redis(&self) -> Option<String> {
        redis_is_chosen().then(|| self.redis.get_or_init(RedisServer::start).url())
    }

    /// Signs the administrator of a server in.
    pub(crate) fn sign_in(&self, dev: &Dev) -> Outcome {
        let line = format!("auth login --user {} --password-stdin", dev.text("adminEmail"));
        self.run_with_input(&line, dev.text("adminPassword"))
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join(".tikti/config.yaml")
    }

    /// The program with `line`, split at spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(TIKTI);
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("HOME", self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Outcome {
        finish(&mut self.command(line), "")
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Outcome {
        finish(self.command(line).stdin(Stdio::piped()), input)
    }
}

/// Runs `command` to its end.
pub(crate) fn finish(command: &mut Command, input: &str) -> Outcome {
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends without reading closes the pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends one request over a connection of its own: its head without `Host` and what says how long it is, each line
/// with its end. Gives status and JSON of the reply.
pub(crate) fn ask(address: &str, head: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let rest = format!("Host: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{rest}{body}").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// A running `tikti dev`, killed when dropped.
pub(crate) struct Dev {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// Reads its log as it comes: a server whose log nobody reads stands still once the pipe is full.
    stderr: Option<JoinHandle<String>>,
    /// What the ready line says.
    pub(crate) ready: Value,
    /// The line itself.
    pub(crate) line: String,
}

impl Dev {
    /// Starts a server on a free port and waits for its ready line.
    pub(crate) fn start(home: &Home) -> Self {
        Self::start_at(home, "127.0.0.1:0")
    }

    /// Starts one, and signs its administrator in.
    pub(crate) fn signed_in(home: &Home) -> Self {
        let dev = Self::start(home);
        home.sign_in(&dev).done();
        dev
    }

    /// The same, with the tenant `codecompany`, which commands have to name.
    pub(crate) fn with_tenant(home: &Home) -> Self {
        let dev = Self::signed_in(home);
        home.run("tenant create --slug codecompany").done();
        dev
    }

    pub(crate) fn start_at(home: &Home, listen: &str) -> Self {
        Self::start_with(home, listen, &home.store_options())
    }

    /// Starts a server with the data and the store that `options` name.
    pub(crate) fn start_with(home: &Home, listen: &str, options: &str) -> Self {
        let line = format!("dev --output json --listen {listen} {options}");
        let mut child = home.command(&line).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = child.wait_with_output().unwrap();
            panic!("dev ended: {}", String::from_utf8_lossy(&output.stderr));
        }
        let ready = serde_json::from_str(&line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut log = Vec::new();
            stderr.read_to_end(&mut log).unwrap();
            String::from_utf8(log).unwrap()
        });
        Self { child, stdout, stderr: Some(stderr), ready, line }
    }

    pub(crate) fn data(home: &Home) -> String {
        home.path().join("data").display().to_string()
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }

    /// The address that it listens on, for another to take its place.
    pub(crate) fn address(&self) -> String {
        self.text("url").trim_start_matches("http://").to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks politely, and gives how it ended with all that it wrote after the ready line.
    pub(crate) fn terminate(mut self) -> Outcome {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        let mut outcome = Outcome { code: None, stdout: String::new(), stderr: String::new() };
        self.stdout.read_to_string(&mut outcome.stdout).unwrap();
        outcome.code = self.child.wait().unwrap().code();
        outcome.stderr = self.stderr.take().unwrap().join().unwrap();
        outcome
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Already gone where the test ended it itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
