//! Profiles whose secrets lie in the keyring of the system. This machine has none: `secret-tool` is played by a
//! script that keeps them in files, found on the PATH of the commands.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Dev, Home, Outcome, finish};

struct World {
    home: Home,
    keyring: PathBuf,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let keyring = home.path().join("keyring");
        fs::create_dir(&keyring).unwrap();
        Self { home, keyring }
    }

    fn run(&self, line: &str, input: &str) -> Outcome {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keyring:/usr/bin:/bin");
        let mut command = self.home.command(line);
        command.env("PATH", path).env("KEYRING", &self.keyring).stdin(Stdio::piped());
        finish(&mut command, input)
    }

    fn sign_in(&self, dev: &Dev, options: &str) -> Outcome {
        let line = format!("auth login --user root@corp.sys --password-stdin {options}");
        self.run(&line, dev.text("adminPassword"))
    }

    fn config(&self) -> String {
        fs::read_to_string(self.home.config()).unwrap()
    }

    /// All that the keyring holds.
    fn kept(&self) -> String {
        let files = fs::read_dir(&self.keyring).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        Vec::from_iter(texts).concat()
    }
}

const SECRETS: [&str; 5] = ["apiKey", "idToken", "refreshToken", "accessToken", "workerToken"];

#[test]
fn a_whole_session_leaves_no_secret_in_the_file() {
    let world = World::new();
    let dev = Dev::start(&world.home);
    assert!(world.config().contains(dev.text("apiKey")), "as dev writes it");
    let url = dev.text("url");
    let initialized = world.run(&format!("init --host {url} --keyring --output json"), "").json();
    assert_eq!(initialized["hasApiKey"], true);
    world.sign_in(&dev, "").done();
    world.run("tenant create --slug codecompany", "").done();
    let exchange = "token exchange --aud backend-worker --tenant codecompany --quiet";
    let token = world.run(exchange, "").done();
    let line = "token exchange --aud codeq-worker --tenant codecompany --event-types render_video";
    world.run(line, "").done();

    let (config, kept) = (world.config(), world.kept());
    assert!(config.contains("    keyring: true\n"), "{config}");
    for secret in SECRETS {
        assert!(!config.contains(secret), "{secret}: {config}");
        assert!(kept.contains(&format!("\"{secret}\":")), "{secret}");
    }
    assert!(kept.contains(dev.text("apiKey")) && kept.contains(token.trim_end()));
    assert_eq!(world.run("token show --type access", "").done(), token);
    assert_eq!(world.run("auth status --quiet", "").done(), "root@corp.sys\n");
    let listed = world.run("profile list --output json", "").json();
    assert_eq!((&listed[0]["hasApiKey"], &listed[0]["hasSession"]), (&json!(true), &json!(true)));
    assert_eq!(listed[0]["keyring"], true);

    world.run("auth logout", "").done();
    let kept = world.kept();
    assert!(kept.contains("apiKey") && !kept.contains("Token"), "{kept}");
    world.run("profile delete dev --yes", "").done();
    assert_eq!(world.kept(), "");
}

#[test]
fn without_a_keyring_nothing_is_lost() {
    let world = World::new();
    let dev = Dev::start(&world.home);
    let before = world.config();
    // No such program on this PATH.
    let line = format!("init --host {} --keyring", dev.text("url"));
    let stderr = world.home.run(&line).fails(3);
    assert!(
        stderr.contains("the keyring of this system cannot be used: secret-tool: "),
        "{stderr}"
    );
    assert!(stderr.contains("\n  next: install secret-tool"), "{stderr}");
    assert_eq!(world.config(), before);
    let line = "auth login --user root@corp.sys --password-stdin --keyring";
    world.home.run_with_input(line, dev.text("adminPassword")).fails(3);
    assert_eq!(world.config(), before);

    world.sign_in(&dev, "--keyring").done();
    let (config, kept) = (world.config(), world.kept());
    assert!(!config.contains(dev.text("apiKey")), "{config}");
    // It is there, and stays locked.
    fs::write(world.keyring.join("locked"), "").unwrap();
    for line in ["tenant list", "auth logout", "token show --type id"] {
        let stderr = world.run(line, "").fails(3);
        assert!(stderr.contains("locked collection"), "{line}: {stderr}");
        assert_eq!(world.config(), config, "{line}");
    }
    // Other profiles do not need it.
    world.run("init --host http://127.0.0.1:9 --profile other --api-key tk_o", "").done();
    assert!(world.config().contains("tk_o"));
    world.run("profile use dev", "").done();
    fs::remove_file(world.keyring.join("locked")).unwrap();
    assert_eq!(world.kept(), kept);
    world.run("tenant list", "").done();
    // Whoever has lost the keyring gets rid of the profile.
    let stderr = world.home.run("profile delete dev --yes").fails(3);
    assert!(stderr.contains("profile `dev` is gone, its secrets are not: "), "{stderr}");
    assert!(!world.config().contains("dev:"), "{}", world.config());
}

#[test]
fn a_completion_does_not_wait_for_a_keyring() {
    let world = World::new();
    let dev = Dev::start(&world.home);
    world.sign_in(&dev, "--keyring").done();
    world.run("tenant create --slug codecompany", "").done();
    // The word that is completed is an empty one.
    let completed = || {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keyring:/usr/bin:/bin");
        let mut command = world.home.command("__complete -- tikti tenant get");
        command.arg("").env("PATH", path).env("KEYRING", &world.keyring);
        let outcome = finish(&mut command, "");
        assert_eq!(outcome.stderr, "");
        outcome.done()
    };
    // The limit is one of people: a machine with much to do may miss it now and then.
    assert!((0..50).any(|_| completed() == "codecompany\t\n"));
    // As long as that is there it waits.
    fs::write(world.keyring.join("waiting"), "").unwrap();
    assert_eq!(completed(), "");
    fs::remove_file(world.keyring.join("waiting")).unwrap();
}
