//! A backup beside a running server, and what becomes of a deployment that is restored from it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Dev, Home};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const OTHER_KEY: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

/// A used server, a sealed backup of it made meanwhile, and a fresh directory with its secrets.
struct World {
    dev: Dev,
    home: Home,
}

impl World {
    fn new() -> Self {
        let home = Home::new();
        let dev = Dev::with_tenant(&home);
        let world = Self { home, dev };
        fs::write(world.path("key"), KEY).unwrap();
        fs::write(world.path("other-key"), OTHER_KEY).unwrap();
        fs::create_dir(world.path("fresh")).unwrap();
        let secrets = format!("{}/secrets.yaml", Dev::data(&world.home));
        fs::copy(secrets, world.path("fresh/secrets.yaml")).unwrap();
        let backup = world.home.run(&world.line("backup", "--key-file KEY"));
        assert!(backup.stderr.starts_with("✔ "), "{backup:?}");
        backup.done();
        world
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// `backup` of the server, or `restore` into the fresh directory, with more options.
    fn line(&self, command: &str, options: &str) -> String {
        let store = match command {
            "backup" => self.home.store_options(),
            _ => format!("--data {}", self.path("fresh")),
        };
        let options =
            options.replace("OTHER", &self.path("other-key")).replace("KEY", &self.path("key"));
        format!("{command} {} {store} {options}", self.path("tikti.backup"))
    }
}

#[test]
fn what_was_backed_up_while_serving_comes_back_without_its_sessions() {
    let world = World::new();
    let World { home, dev } = &world;
    let mode = fs::metadata(world.path("tikti.backup")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::exists(world.path("tikti.backup.part")).unwrap());
    let tenant = home.run("tenant get codecompany --output json").json();
    home.run("tenant create --slug after").done();
    let token = home.run("token show --type id").done();
    let address = dev.address();

    let restored = home.run(&world.line("restore", "--key-file KEY --output json"));
    assert!(restored.stderr.contains("tikti::audit"), "{restored:?}");
    assert_eq!(restored.json()["sessionsKept"], false);
    let fresh = format!("--data {}", world.path("fresh"));
    home.run(&format!("store verify {fresh}")).done();

    assert_eq!(world.dev.terminate().code, Some(0));
    let dev = Dev::start_with(&world.home, &address, &fresh);
    let stderr = world.home.run("tenant list").fails(2);
    assert!(stderr.contains("the token was revoked"), "{stderr}");
    world.home.sign_in(&dev).done();
    assert_ne!(world.home.run("token show --type id").done(), token);
    assert_eq!(world.home.run("tenant get codecompany --output json").json(), tenant);
    let stderr = world.home.run("tenant get after").fails(1);
    assert!(stderr.contains("TENANT_NOT_FOUND"), "{stderr}");
}

#[test]
fn sessions_are_kept_where_that_is_asked_for() {
    let world = World::new();
    let address = world.dev.address();
    world.home.run(&world.line("restore", "--key-file KEY --keep-sessions")).done();
    let fresh = format!("--data {}", world.path("fresh"));
    assert_eq!(world.dev.terminate().code, Some(0));
    let _dev = Dev::start_with(&world.home, &address, &fresh);
    world.home.run("tenant get codecompany").done();
}

#[test]
fn a_backup_replaces_no_file_unless_it_may() {
    let world = World::new();
    let before = fs::read(world.path("tikti.backup")).unwrap();
    let stderr = world.home.run(&world.line("backup", "")).fails(3);
    assert!(stderr.contains("is there already") && stderr.contains("--force"), "{stderr}");
    assert_eq!(fs::read(world.path("tikti.backup")).unwrap(), before);

    // What an interrupted run has left is replaced, too, and not written to.
    fs::write(world.path("held"), vec![7; 1 << 20]).unwrap();
    fs::hard_link(world.path("held"), world.path("tikti.backup.part")).unwrap();
    let outcome = world.home.run(&world.line("backup", "--force"));
    assert!(outcome.stderr.contains("It is not sealed"), "{outcome:?}");
    outcome.done();
    assert!(!fs::exists(world.path("tikti.backup.part")).unwrap());
    assert_eq!(fs::read(world.path("held")).unwrap(), vec![7; 1 << 20]);
    world.home.run(&world.line("restore", "")).done();

    symlink(world.path("held"), world.path("tikti.backup.part")).unwrap();
    world.home.run(&world.line("backup", "--force")).done();
    assert_eq!(fs::read(world.path("held")).unwrap(), vec![7; 1 << 20]);
    let metadata = fs::symlink_metadata(world.path("tikti.backup")).unwrap();
    assert!(metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o600);
}

#[test]
fn two_backups_to_one_file_are_one_at_a_time() {
    let world = World::new();
    let part = fs::File::create(world.path("tikti.backup.part")).unwrap();
    part.lock().unwrap();
    let stderr = world.home.run(&world.line("backup", "--force")).fails(1);
    assert!(stderr.contains("another backup is writing"), "{stderr}");
}

#[test]
fn a_backup_that_is_not_the_right_one_is_refused_in_one_line() {
    let world = World::new();
    let whole = fs::read(world.path("tikti.backup")).unwrap();
    let refused = |options: &str, code: i32, said: &str| {
        let stderr = world.home.run(&world.line("restore", options)).fails(code);
        assert!(stderr.contains(said), "{options}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    };
    refused("--key-file OTHER", 1, "sealed with another key");
    refused("", 1, "give the key");
    refused("--key-file /nonexistent", 3, "/nonexistent");
    fs::write(world.path("key"), "c2hvcnQ=").unwrap();
    refused("--key-file KEY", 3, "must hold 32 bytes as base64");
    fs::write(world.path("key"), KEY).unwrap();

    fs::write(world.path("tikti.backup"), "something else").unwrap();
    refused("--key-file KEY", 1, "no backup of Tikti");
    let names = fs::read_dir(world.path("fresh")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["secrets.yaml"]);
    let mut changed = whole.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    fs::write(world.path("tikti.backup"), changed).unwrap();
    refused("--key-file KEY", 1, "damaged or changed");
    fs::write(world.path("tikti.backup"), &whole[..whole.len() - 1]).unwrap();
    refused("--key-file KEY", 1, "cut short");

    // After all of these the right file restores.
    fs::write(world.path("tikti.backup"), whole).unwrap();
    world.home.run(&world.line("restore", "--key-file KEY")).done();
    refused("--key-file KEY", 1, "not empty");
}

#[test]
fn a_restore_wants_the_secrets_of_its_deployment() {
    let world = World::new();
    fs::remove_file(world.path("fresh/secrets.yaml")).unwrap();
    let stderr = world.home.run(&world.line("restore", "--key-file KEY")).fails(3);
    assert!(stderr.contains("secrets.yaml is not there"), "{stderr}");

    let other = format!("--data {}", world.path("other"));
    assert_eq!(Dev::start_with(&world.home, "127.0.0.1:0", &other).terminate().code, Some(0));
    fs::copy(world.path("other/secrets.yaml"), world.path("fresh/secrets.yaml")).unwrap();
    let stderr = world.home.run(&world.line("restore", "--key-file KEY")).fails(3);
    assert!(stderr.contains("secrets are not those"), "{stderr}");
    assert!(!fs::exists(world.path("fresh/store")).unwrap());
}
