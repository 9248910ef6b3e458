//! A real Redis for a test.
//!
//! Invariant: it answers from the moment that it is handed out, and keeps its port and its directory
//! over [`RedisServer::kill`] and [`RedisServer::restart`].
//!
//! Spec: Storage, "Redis 7 standalone".

use std::ops::Range;

use tempfile::TempDir;

use super::certificates::Certificates;
use super::ports;
use super::process::Process;
use super::resp::{self, Frame};

/// A Redis on a free port of this machine, in a temporary directory. Dropped, it is killed.
pub struct RedisServer {
    port: u16,
    tls_port: Option<u16>,
    directory: TempDir,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts one that writes its log before it answers, but leaves it to the system when that
    /// reaches the disk: it survives SIGKILL.
    ///
    /// # Panics
    /// If it does not start; where `redis-server` is missing, the message says how to install it.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more options, which win over the usual ones.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_on(&ports::SINGLE, options)
    }

    /// Starts one that speaks TLS as well, on a port of its own, and asks clients for a certificate
    /// unless the options say otherwise. The ports are such that it can be a node of a cluster.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start_with_tls(certificates: &Certificates, options: &[&str]) -> Self {
        Self::try_many(&ports::CLUSTER, options, Some(certificates))
    }

    pub(super) fn start_on(range: &Range<u16>, options: &[&str]) -> Self {
        Self::try_many(range, options, None)
    }

    fn try_many(range: &Range<u16>, options: &[&str], tls: Option<&Certificates>) -> Self {
        const ATTEMPTS: u32 = 20;
        let mut attempts = 1;
        loop {
            let port = ports::free(range);
            let tls_port = tls.map(|_| ports::free(range));
            let mut arguments = server_arguments(port, options);
            if let (Some(tls), Some(port)) = (tls, tls_port) {
                arguments.extend(["--tls-port".to_owned(), port.to_string()]);
                arguments.extend(tls.server_options());
            }
            let directory = TempDir::new().unwrap();
            let mut server = Self { port, tls_port, arguments, directory, process: None };
            match server.try_restart() {
                Ok(()) => return server,
                // Somebody was faster; the log says it in two ways.
                Err(said) if attempts < ATTEMPTS && said.contains("in use") => attempts += 1,
                Err(said) if attempts < ATTEMPTS && said.contains("Failed listening") => {
                    attempts += 1;
                }
                Err(said) => panic!("redis-server did not start: {said}"),
            }
        }
    }

    /// Gives the URL that opens a store on it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Gives the port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives the port on which it speaks TLS.
    ///
    /// # Panics
    /// If it was started without.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("it was started with TLS")
    }

    /// Kills it with SIGKILL, and returns when it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`RedisServer::kill`], on the same port and directory, and returns when
    /// it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        if let Err(said) = self.try_restart() {
            panic!("redis-server did not start again: {said}");
        }
    }

    fn try_restart(&mut self) -> Result<(), String> {
        let directory = self.directory.path().display().to_string();
        let arguments = [self.arguments.as_slice(), &["--dir".to_owned(), directory]].concat();
        let started = Process::start("redis-server", &arguments, "Ready to accept connections")?;
        self.process = Some(started);
        Ok(())
    }

    /// Removes everything that is stored.
    ///
    /// # Panics
    /// If it refuses.
    pub fn flush_all(&self) {
        self.call(&["FLUSHALL"]);
    }

    /// What it has written to its log since the log was last rewritten.
    ///
    /// # Panics
    /// If there is no log.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.path().join("appendonlydir"))
            .expect("it writes a log");
        let mut files = files.map(|entry| entry.expect("a file of the log").path());
        let is_log = |path: &std::path::PathBuf| path.to_string_lossy().ends_with(".incr.aof");
        let path = files.find(is_log).expect("a log");
        std::fs::read(path).expect("a log that can be read")
    }

    /// Asks it anything.
    ///
    /// # Panics
    /// If it does not answer, or with an error.
    pub fn call<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Frame {
        resp::call(self.port, arguments)
    }
}

fn server_arguments(port: u16, options: &[&str]) -> Vec<String> {
    let port = port.to_string();
    let usual = [
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "no",
        // A replica that is waited for gets its copy at once.
        "--repl-diskless-sync-delay",
        "0",
    ];
    usual.iter().chain(options).map(|argument| (*argument).to_owned()).collect()
}
