//! `tikti bootstrap`: a new deployment gets its first administrator once, whoever asks how often.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::serve::SECRETS;
use crate::support::{Home, Outcome, finish, redis_is_chosen};

const PASSWORD: &str = "bootstrap-password-1";
const KEY: &str = "tk_bootstrap00_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

struct Deployment {
    home: Home,
    config: String,
}

impl Deployment {
    fn new() -> Self {
        let home = Home::new();
        let file = home.path().join("server.yaml");
        // The first administrator is the matter of the rules, not of the engine.
        let volatile = if redis_is_chosen() { ", allowVolatile: true" } else { "" };
        let store = home.store_url();
        let yaml = format!(
            "issuer: http://127.0.0.1:8080\nlisten: 127.0.0.1:0\nstore: {{url: '{store}'{volatile}}}\n{SECRETS}"
        );
        fs::write(&file, yaml).unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        Self { config: file.display().to_string(), home }
    }

    fn command(&self, admin: &str) -> Command {
        let line = format!("bootstrap --config {} --admin {admin} --output json", self.config);
        let mut command = self.home.command(&line);
        command.env("TIKTI_BOOTSTRAP_PASSWORD", PASSWORD).env("TIKTI_BOOTSTRAP_API_KEY", KEY);
        command
    }

    fn run(&self, admin: &str) -> Outcome {
        finish(&mut self.command(admin), "")
    }

    fn serve(&self) -> Server {
        let mut command = self.home.command(&format!("serve --config {}", self.config));
        // Ended when it is dropped, also where it never says that it serves.
        let mut server = Server { child: command.spawn().unwrap(), url: String::new() };
        let mut lines = BufReader::new(server.child.stderr.take().unwrap()).lines();
        while server.url.is_empty() {
            let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if event["message"] == "serving" {
                server.url = format!("http://{}", event["address"].as_str().unwrap());
            }
        }
        // What it says later has to go somewhere.
        std::thread::spawn(move || lines.count());
        server
    }
}

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_administrator_and_key_are_made_once_and_printed_never() {
    let deployment = Deployment::new();
    let first = deployment.run("root@example.org");
    for secret in [PASSWORD, KEY, "ABCDEFGH"] {
        assert!(!first.stderr.contains(secret) && !first.stdout.contains(secret), "{first:?}");
    }
    assert_eq!(first.json(), json!({ "made": true, "adminEmail": "root@example.org" }));
    for admin in ["root@example.org", "other@example.org"] {
        assert_eq!(deployment.run(admin).json(), json!({ "made": false, "adminEmail": admin }));
    }

    let home = &deployment.home;
    let server = deployment.serve();
    home.run(&format!("init --host {} --api-key {KEY}", server.url)).done();
    let sign_in = |user: &str| {
        home.run_with_input(&format!("auth login --user {user} --password-stdin"), PASSWORD)
    };
    sign_in("other@example.org").fails(2);
    sign_in("root@example.org").done();
    home.run("tenant create --slug codecompany").done();
    home.run("token exchange --aud backend-worker --tenant codecompany").done();
}

#[test]
fn people_are_told_what_was_done_and_quiet_gives_the_address() {
    let deployment = Deployment::new();
    let line = format!("bootstrap --config {} --email root@example.org", deployment.config);
    let run = |more: &str| {
        let mut command = deployment.home.command(&format!("{line}{more}"));
        finish(command.env("TIKTI_BOOTSTRAP_PASSWORD", PASSWORD), "")
    };
    let first = run("");
    // What is audited is a line of JSON among what is said to people.
    let said = first.stderr.lines().filter(|line| !line.starts_with('{'));
    assert_eq!(
        Vec::from_iter(said),
        [
            "✔ The administrator root@example.org can be used",
            "  Sign in: `tikti auth login --user root@example.org`"
        ]
    );
    let audited = first.stderr.lines().filter(|line| line.contains("user.create"));
    assert_eq!(audited.count(), 1, "{first:?}");
    assert_eq!(first.done(), "");
    let again = run("");
    assert_eq!(again.stderr, "✔ There is an administrator: nothing was done\n");
    assert_eq!(again.done(), "");
    assert_eq!(run(" --quiet").done(), "root@example.org\n");
}

#[test]
fn what_is_missing_or_wrong_is_told_and_nothing_is_made() {
    let deployment = Deployment::new();
    let admin = "root@example.org";
    // What the environment says otherwise; an empty variable says nothing.
    let told = |admin: &str, environment: &[(&str, &str)], said: &str| {
        let mut command = deployment.command(admin);
        let stderr = finish(command.envs(environment.iter().copied()), "").fails(3);
        assert!(stderr.contains(said), "{said}: {stderr}");
        assert!(!stderr.contains(PASSWORD) && !stderr.contains("ABCDEFGH"), "{stderr}");
    };
    let (password, in_file) = ("TIKTI_BOOTSTRAP_PASSWORD", "TIKTI_BOOTSTRAP_PASSWORD_FILE");
    told(admin, &[(password, "")], "no password is given");
    told(admin, &[(password, "")], "set TIKTI_BOOTSTRAP_PASSWORD, or");
    told(admin, &[(in_file, "f")], "are both set");
    // Whoever forgot what the suffix means wrote the secret itself.
    told(admin, &[(password, ""), (in_file, PASSWORD)], "_FILE cannot be read: No such file");
    told(admin, &[(password, ""), (in_file, "/dev/zero")], "_FILE is longer than any secret");
    told(admin, &[(password, ""), (in_file, "/dev/null")], "_FILE is empty");
    told(admin, &[(password, "short")], "choose a longer password");
    told("nobody", &[], "give an address such as");
    told(admin, &[("TIKTI_BOOTSTRAP_API_KEY", "ABCDEFGH")], "look at TIKTI_BOOTSTRAP_API_KEY");
    let nowhere = deployment.home.run("bootstrap --config nowhere.yaml --admin root@example.org");
    assert!(nowhere.fails(3).contains("nowhere.yaml"));

    let file = deployment.home.path().join("password");
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let mut command = deployment.command(admin);
    command.env(password, "").env(in_file, &file);
    assert_eq!(finish(&mut command, "").json()["made"], true);
    let server = deployment.serve();
    // A server that runs holds an embedded store.
    if !redis_is_chosen() {
        let stderr = deployment.run(admin).fails(3);
        assert!(stderr.contains("in use"), "{stderr}");
    }
    deployment.home.run(&format!("init --host {} --api-key {KEY}", server.url)).done();
    let line = format!("auth login --user {admin} --password-stdin");
    deployment.home.run_with_input(&line, PASSWORD).done();
}
