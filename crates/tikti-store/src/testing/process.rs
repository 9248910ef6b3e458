//! How does a server of a test start, and how does it surely end?
//!
//! A shell stands between: it starts the server and then waits for the end of its own input, which
//! comes when [`Process`] is dropped and also when the test process dies, whatever kills it; then it
//! sends SIGKILL. Invariant: a server never outlives the process that started it.
//!
//! Spec: Storage, "started by the suite".

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(20);
/// The shell lets go of the output, so that it ends with the server.
const SCRIPT: &str = r#"
"$@" 2>&1 & server=$!
exec >/dev/null 2>&1
trap '' INT TERM HUP
read -r _
kill -9 "$server"
wait "$server"
"#;

/// A running server.
pub(super) struct Process {
    shell: Child,
}

impl Process {
    /// Starts `program` and waits until a line of its output contains `ready`. What it said instead
    /// when it ended before that, or took more than 20 seconds.
    pub(super) fn start(
        program: &str,
        arguments: &[String],
        ready: &'static str,
    ) -> Result<Self, String> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let output = BufReader::new(shell.stdout.take().unwrap());
        let process = Self { shell };
        let (line_sender, lines) = mpsc::channel();
        // Reads on when nobody listens any more: a full pipe would stop the server.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = line_sender.send(line);
            }
        });
        let (begin, mut said) = (Instant::now(), String::new());
        loop {
            let left = START_LIMIT.saturating_sub(begin.elapsed());
            let Ok(line) = lines.recv_timeout(left) else {
                let missing = said.contains(&format!("{program}: not found"));
                assert!(!missing, "{program} is missing: apt-get install {program}");
                return Err(said);
            };
            said.push_str(&line);
            said.push('\n');
            if line.contains(ready) {
                return Ok(process);
            }
        }
    }
}

impl Drop for Process {
    /// Kills the server with SIGKILL and returns when it is gone.
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
