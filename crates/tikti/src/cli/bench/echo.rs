//! What does HTTP cost by itself? A bare echo on the stack of the server, in a process of its own.
//!
//! In the process of the generator both would wait for each other; with the server it is not that way either.
//! The process is this program once more: it prints its address, and ends when its standard input does, also
//! where its parent died.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use clap::Args;
use tikti_load::{Connection, Request};
use tikti_server::baseline::Echo;

use super::filler;
use crate::cli::serve::server_runtime;
use crate::context::Context;
use crate::exit::Failure;

/// The name of the command.
const ROLE: &str = "__echo";

/// Be the echo that a bench measures beside the server
#[derive(Args)]
pub(crate) struct EchoArgs {
    /// Paths that are answered
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

/// Is the echo, until standard input ends.
pub(crate) fn run(context: &Context, args: &EchoArgs) -> Result<(), Failure> {
    let runtime = server_runtime()?;
    let paths = Vec::from_iter(args.paths.iter().map(String::as_str));
    let echo = runtime.block_on(Echo::bind(&paths)).map_err(|cause| broken(&cause))?;
    context.output.script(&echo.address.to_string())?;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn_on(echo.serve(), runtime.handle());
    io::stdin().read_to_end(&mut Vec::new()).map_err(|cause| broken(&cause))?;
    Ok(())
}

fn broken(cause: &io::Error) -> Failure {
    Failure::refused(format!("running the echo that the server is measured beside: {cause}"))
}

/// The echo, seen from the bench; dropping it stops it.
pub(super) struct EchoProcess {
    child: Child,
    pub(super) address: SocketAddr,
}

impl EchoProcess {
    /// Starts it, and tells it how much each path answers.
    pub(super) fn start(payloads: &[(String, Vec<u8>)]) -> Result<Self, Failure> {
        let failed = |cause: io::Error| broken(&cause);
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .arg(ROLE)
            .args(payloads.iter().map(|(path, _)| path))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        let silent = || io::Error::other("it does not start");
        let output = child.stdout.take().ok_or_else(|| failed(silent()))?;
        let read = BufReader::new(output).read_line(&mut line);
        let address = line.trim().parse::<SocketAddr>();
        // From here on it is stopped whatever happens.
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let echo = Self { child, address: address.clone().unwrap_or(unknown) };
        read.map_err(failed)?;
        address.map_err(|_| failed(silent()))?;
        for (path, payload) in payloads {
            echo.tell(path, &filler::body(payload))?;
        }
        Ok(echo)
    }

    fn tell(&self, path: &str, payload: &[u8]) -> Result<(), Failure> {
        let request = Request { method: "PUT", path, host: "echo", headers: &[], body: payload };
        let mut connection =
            Connection::open(self.address).map_err(|cause| broken(&io::Error::other(cause)))?;
        let told = connection.ask(&request.to_bytes());
        told.map(|_| ()).map_err(|cause| broken(&io::Error::other(cause)))
    }
}

impl Drop for EchoProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
