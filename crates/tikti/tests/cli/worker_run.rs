//! `tikti worker run`: a real child, its token, its signals and its end.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::{Dev, Home, Outcome, finish};
use crate::tenant_world::TenantWorld;

/// A worker with its file of settings.
struct Worker {
    world: TenantWorld,
    env_file: PathBuf,
    token_file: PathBuf,
    /// Where nobody is signed in.
    home: Home,
}

impl Worker {
    fn start() -> Self {
        let world = TenantWorld::start();
        let (env_file, token_file) =
            (world.home.path().join("worker.env"), world.home.path().join("token"));
        let line = "worker provision worker-03 --aud backend-worker --scopes jobs:read --write-env";
        world.run(&format!("{line} {}", env_file.display())).done();
        Self { world, env_file, token_file, home: Home::new() }
    }

    /// `worker run` with a script of a shell.
    fn command(&self, options: &str, script: &str) -> Command {
        let line = format!("worker run --env-file {} {options} --", self.env_file.display());
        let mut command = self.home.command(&line);
        // No search path but the shell's own commands.
        command.args(["sh", "-c", script]).env("PATH", "/usr/bin:/bin");
        command
    }

    fn run(&self, options: &str, script: &str) -> Outcome {
        finish(&mut self.command(options, script), "")
    }

    fn with_file(&self) -> String {
        format!("--token-file {}", self.token_file.display())
    }

    /// Starts it, and waits until its child says something.
    fn begin(&self, options: &str, script: &str) -> Running {
        let mut child = self.command(options, script).stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = stdout.next().unwrap().unwrap();
        Running { child, stdin: Some(stdin), stdout, stderr, said }
    }
}

struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    /// The first line of the child.
    said: String,
}

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Goes on until standard error says `text`.
    fn until(&mut self, text: &str) -> String {
        let mut lines = self.stderr.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(text)).unwrap_or_else(|| panic!("never said: {text}"))
    }

    fn next_line(&mut self) -> String {
        self.stdout.next().unwrap().unwrap()
    }

    /// How it ends once nothing more is typed.
    fn code(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().unwrap().code()
    }

    /// How it ends by itself: the end of its input would be another reason.
    fn code_with_open_input(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_child_gets_a_token_and_its_end_is_the_end() {
    let worker = Worker::start();
    let outcome = worker.run(
        "",
        "echo \"$TIKTI_TOKEN\"; echo \"${TIKTI_TOKEN_FILE-none} ${TIKTI_WORKER_SECRET-none}\"; exit 7",
    );
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(7), ""));
    let (token, rest) = outcome.stdout.split_once('\n').unwrap();
    assert_eq!(rest, "none none\n");
    let verified = worker.world.home.run_with_input("token verify --aud backend-worker -", token);
    assert!(verified.done().contains("worker-03"));

    // The file is there while the child is, and its owner's alone; the path is good in every directory.
    let script = "cd /; cat \"$TIKTI_TOKEN_FILE\"; echo \" ${TIKTI_TOKEN-none}\"; stat -c %a \"$TIKTI_TOKEN_FILE\"";
    let mut command = worker.command("--token-file token", script);
    let outcome = finish(command.env("TIKTI_TOKEN", "stale").current_dir(worker.home.path()), "");
    let stdout = outcome.done();
    let (token, rest) = stdout.split_once(' ').unwrap();
    assert_eq!((token.split('.').count(), rest), (3, "none\n600\n"));
    assert!(!worker.home.path().join("token").exists());

    // Ended by a signal, input and output are the child's own, and whatever stands behind the dashes is too.
    assert_eq!(worker.run("", "kill -KILL $$").code, Some(137));
    let line = format!("worker run --env-file {} -- cat - --", worker.env_file.display());
    let mut command = worker.home.command(&line);
    command.env("PATH", "/usr/bin:/bin").stdin(Stdio::piped());
    assert_eq!(finish(&mut command, "").done(), "");
    let line = format!(
        "worker run --env-file {} -- /bin/echo --output json -q",
        worker.env_file.display()
    );
    assert_eq!(worker.home.run(&line).done(), "--output json -q\n");
}

#[test]
fn what_cannot_start_says_why() {
    let worker = Worker::start();
    let env_file = worker.env_file.display();
    for (line, code, says) in [
        ("worker run".to_owned(), 3, "CMD"),
        ("worker run -- /bin/true".to_owned(), 3, "no server is named"),
        (
            format!("worker run --env-file {env_file} -- /nonexistent/program"),
            3,
            "starting /nonexistent",
        ),
        (
            format!("worker run --env-file {env_file} --aud nobody -- /bin/true"),
            1,
            "UNKNOWN_AUDIENCE",
        ),
        (
            format!("worker run --env-file {env_file} --host http://127.0.0.1:9 -- /bin/true"),
            3,
            "is for http",
        ),
    ] {
        let said = worker.home.run(&line).fails(code);
        assert!(said.contains(says), "{line}: {said}");
    }
    // A token file that cannot be written is left as it is: its name has no room for another beside it.
    let long = worker.home.path().join("t".repeat(250));
    fs::write(&long, "").unwrap();
    let said = worker.run(&format!("--token-file {}", long.display()), "echo not reached").fails(3);
    assert!(said.contains("writing ") && long.exists(), "{said}");
    let directory = format!("--token-file {}", worker.home.path().display());
    let said = worker.run(&directory, "echo not reached").fails(3);
    assert!(said.contains("is no file that can be replaced"), "{said}");
    // Others can read it: told, and done.
    fs::set_permissions(&worker.env_file, fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = worker.run("", "true");
    assert!(outcome.stderr.contains("warning: others can read"), "{outcome:?}");
    outcome.done();
}

#[test]
fn the_token_does_not_take_the_place_of_the_settings() {
    let worker = Worker::start();
    let settings = fs::read_to_string(&worker.env_file).unwrap();
    let stderr =
        worker.run(&format!("--token-file {}", worker.env_file.display()), "true").fails(3);
    assert!(stderr.contains("--token-file and --env-file are one file"), "{stderr}");
    assert_eq!(fs::read_to_string(&worker.env_file).unwrap(), settings);
}

#[test]
fn signals_reach_the_child_and_it_is_not_left_behind() {
    let worker = Worker::start();
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        // One that obeys at once, and one that takes leave.
        let running = worker.begin("", "echo $$; read line");
        let child = running.said.clone();
        running.signal(name);
        assert_eq!(running.code_with_open_input(), Some(128 + number), "{name}");
        assert!(!PathBuf::from(format!("/proc/{child}")).exists(), "{name}");

        let script =
            format!("trap 'echo bye; exit 3' {name}; echo ready; read line; echo not reached");
        let mut running = worker.begin(&worker.with_file(), &script);
        running.signal(name);
        assert_eq!(running.next_line(), "bye", "{name}");
        assert_eq!(running.code(), Some(3), "{name}");
        assert!(!worker.token_file.exists());
    }
}

/// Waits until the file holds another token than `first`.
const WAIT_FOR_ANOTHER: &str =
    "while token=$(cat \"$TIKTI_TOKEN_FILE\"); [ \"$token\" = \"$first\" ]; do :; done";

#[test]
fn the_token_in_the_file_is_renewed_also_with_a_rotated_secret() {
    let worker = Worker::start();
    let options = format!("{} --renew-after-ms 100", worker.with_file());
    let script = format!(
        "first=$(cat \"$TIKTI_TOKEN_FILE\"); {WAIT_FOR_ANOTHER}; echo \"$first\"; echo \"$token\"; \
         read line; first=$token; {WAIT_FOR_ANOTHER}; echo \"$token\""
    );
    let mut running = worker.begin(&options, &script);
    let second = running.next_line();
    assert_ne!(running.said, second);
    // The secret of the file is another one from now on, and the old one is not good any more.
    let line =
        "worker provision worker-03 --aud backend-worker --scopes jobs:read --rotate --write-env";
    worker.world.run(&format!("{line} {}", worker.env_file.display())).done();
    worker.world.run("worker rotate-secret worker-03 --revoke 1 --yes").done();
    running.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    let third = running.next_line();
    assert_ne!(second, third);
    let verify = "token verify --aud backend-worker --output json -";
    for token in [&second, &third] {
        let verified = worker.world.home.run_with_input(verify, token).json();
        assert_eq!(verified["claims"]["sub"], "worker-03");
    }
    assert_eq!(running.code(), Some(0));
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let worker = Worker::start();
    let options = format!("{} --renew-after-ms 100", worker.with_file());
    let script = "echo ready; read line; cat \"$TIKTI_TOKEN_FILE\"";
    let mut running = worker.begin(&options, script);
    let Worker { world, home, .. } = &worker;
    let address = world.dev.address();
    let stopped = Command::new("kill").args(["-KILL", &world.dev.pid().to_string()]).status();
    assert!(stopped.unwrap().success());
    let warned = running.until("the token is not renewed");
    assert!(warned.contains("it is good for 89") && warned.contains("cannot reach"), "{warned}");
    let _again = Dev::start_at(&world.home, &address);
    assert!(running.until("renewed again").starts_with('✔'));
    running.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    let token = running.next_line();
    let verified = world.home.run_with_input("token verify --aud backend-worker -", &token);
    verified.done();
    assert_eq!(running.code(), Some(0));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_token_in_the_environment_is_warned_of_when_it_grows_old() {
    let worker = Worker::start();
    let mut running = worker.begin("--renew-after-ms 1", "echo ready; read line");
    let warned = running.until("the token is not renewed");
    assert!(warned.contains("give --token-file FILE"), "{warned}");
    assert_eq!(running.code(), Some(1));
}
