//! The profile file, as commands leave it; no server answers in any of these.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Home, finish};

/// Nothing listens there (the discard port).
const AWAY: &str = "http://127.0.0.1:9";

#[test]
fn init_stores_a_server_that_is_away_and_says_so() {
    let home = Home::new();
    let outcome = home.run(&format!("init --host {AWAY}/ --api-key tk_a_b --output json"));
    assert!(outcome.stderr.contains("stored all the same"), "{outcome:?}");
    assert_eq!(
        outcome.json(),
        json!({ "profile": "default", "baseUrl": AWAY, "version": null, "hasApiKey": true })
    );
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.config()), 0o600);
    assert_eq!(mode(home.path().join(".tikti")), 0o700);
}

#[test]
fn init_keeps_the_key_of_the_same_server_and_drops_it_for_another() {
    let home = Home::new();
    home.run(&format!("init --host {AWAY} --api-key tk_a_b --tenant acme")).done();
    home.run("init --host HTTP://127.0.0.1:9//").done();
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.contains("tk_a_b") && config.contains("acme"), "{config}");

    home.run("init --host http://127.0.0.1:7 --profile default").done();
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(!config.contains("tk_a_b") && !config.contains("acme"), "{config}");
}

#[test]
fn profiles_are_listed_without_secrets_and_chosen_by_name() {
    let home = Home::new();
    home.run(&format!("init --host {AWAY} --api-key tk_secret")).done();
    home.run("init --host http://localhost:7").done();
    let listed = home.run("profile list --output json").json();
    assert_eq!(
        listed,
        json!([
            { "name": "default", "current": false, "baseUrl": AWAY, "tenantId": null,
              "hasApiKey": true, "hasSession": false },
            { "name": "localhost", "current": true, "baseUrl": "http://localhost:7",
              "tenantId": null, "hasApiKey": false, "hasSession": false },
        ])
    );
    home.run("profile use default").done();
    let table = home.run("profile list").done();
    assert!(table.contains("*  default"), "{table}");
    assert!(!table.contains("tk_secret"), "{table}");
    assert_eq!(home.run("profile list --quiet").done(), "default\nlocalhost\n");

    let stderr = home.run("profile use nowhere").fails(3);
    assert!(stderr.contains("there is no profile `nowhere`"), "{stderr}");
}

#[test]
fn a_broken_file_is_named_and_never_overwritten() {
    let home = Home::new();
    fs::create_dir(home.path().join(".tikti")).unwrap();
    let broken = "currentProfile: a\nprofiles: {a: tk_secret\n";
    fs::write(home.config(), broken).unwrap();
    for line in ["profile list", "init --host http://127.0.0.1:9", "auth logout"] {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains("config.yaml, line "), "{line}: {stderr}");
        assert!(!stderr.contains("tk_secret"), "{line}: {stderr}");
    }
    assert_eq!(fs::read_to_string(home.config()).unwrap(), broken);
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    // Not even for root: no directory can be made there, and below a file neither.
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    let below = |name: &str| home.path().join(name);
    for directory in ["/proc".into(), below("file"), below("file/\u{1b}[31m")] {
        let at_home = |line: &str, input: &str| {
            let mut command = home.command(line);
            command.env("HOME", &directory).stdin(Stdio::piped());
            finish(&mut command, input)
        };
        let login = format!("auth login --user a@b.c --password-stdin --host {AWAY}");
        for line in [format!("init --host {AWAY}"), "profile use a".to_owned(), login] {
            let stderr = at_home(&line, "password").fails(3);
            let shown = directory.display().to_string().replace('\u{1b}', "\u{fffd}");
            assert!(stderr.contains(&format!("{shown}/.tikti")), "{line}: {stderr}");
            // It is found out before anything is sent.
            assert!(!stderr.contains("reach"), "{line}: {stderr}");
        }
        // What is only read needs no home.
        let stderr = at_home(&format!("keys jwks --host {AWAY}"), "").fails(1);
        assert!(stderr.contains("cannot reach"), "{stderr}");
    }
}

#[test]
fn a_profile_file_that_is_marked_as_read_only_is_not_replaced() {
    let home = Home::new();
    home.run(&format!("init --host {AWAY} --api-key tk_a_b")).done();
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o400)).unwrap();
    let before = fs::read_to_string(home.config()).unwrap();
    for line in [
        "init --host http://127.0.0.1:7 --profile other".to_owned(),
        "profile use default".to_owned(),
        "auth logout".to_owned(),
        format!("auth login --user a@b.c --password-stdin --host {AWAY}"),
    ] {
        let stderr = home.run_with_input(&line, "password").fails(3);
        assert!(stderr.contains("config.yaml is read-only"), "{line}: {stderr}");
        assert!(stderr.contains("\n  next: ") && !stderr.contains("reach"), "{line}: {stderr}");
    }
    assert_eq!(fs::read_to_string(home.config()).unwrap(), before);
    assert_eq!(home.run("profile list --quiet").done(), "default\n");
}

#[test]
fn flags_come_before_the_environment_before_the_profile() {
    let home = Home::new();
    home.run("init --host http://127.0.0.1:7").done();
    let reached = |line: &str, host: Option<&str>| {
        let mut command = home.command(line);
        command.envs(host.map(|host| ("TIKTI_HOST", host)));
        finish(&mut command, "").fails(1)
    };
    let from_profile = reached("keys jwks", None);
    assert!(from_profile.contains("http://127.0.0.1:7:"), "{from_profile}");
    let from_environment = reached("keys jwks", Some("http://127.0.0.1:9"));
    assert!(from_environment.contains("http://127.0.0.1:9:"), "{from_environment}");
    let from_flag = reached("keys jwks --host http://127.0.0.1:5", Some("http://127.0.0.1:9"));
    assert!(from_flag.contains("http://127.0.0.1:5:"), "{from_flag}");
}

#[test]
fn a_session_is_not_kept_under_the_name_of_another_server() {
    let home = Home::new();
    home.run("init --host http://127.0.0.1:7").done();
    let line = format!("auth login --user a@b.c --password-stdin --host {AWAY}");
    let stderr = home.run_with_input(&line, "password").fails(3);
    assert!(stderr.contains("is of http://127.0.0.1:7"), "{stderr}");
}

#[test]
fn signing_out_without_a_session_is_done() {
    let home = Home::new();
    assert_eq!(
        home.run("auth logout --output json").json(),
        json!({ "profile": "default", "hadSession": false, "endedAtServer": false })
    );
}

#[test]
fn twenty_commands_at_once_lose_no_profile() {
    let home = Home::new();
    let init = |n| format!("init --host http://127.0.0.1:9/{n} --api-key tk_{n}_x --profile p{n}");
    let commands = (0..20).map(|n| home.command(&init(n)).spawn().unwrap());
    for command in Vec::from_iter(commands) {
        let output = command.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let listed = home.run("profile list --output json").json();
    let hosts = listed.as_array().unwrap().iter().map(|profile| profile["baseUrl"].to_string());
    let mut hosts = Vec::from_iter(hosts);
    hosts.sort();
    let mut expected = Vec::from_iter((0..20).map(|n| format!("\"http://127.0.0.1:9/{n}\"")));
    expected.sort();
    assert_eq!(hosts, expected);
    let config = fs::read_to_string(home.config()).unwrap();
    assert!((0..20).all(|n| config.contains(&format!("tk_{n}_x"))), "{config}");
}

#[test]
fn a_file_that_others_could_read_is_the_owners_alone_after_the_next_change() {
    let home = Home::new();
    home.run(&format!("init --host {AWAY} --api-key tk_a_b")).done();
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(home.path().join(".tikti"), fs::Permissions::from_mode(0o755)).unwrap();
    home.run("profile use default").done();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(home.config()), mode(home.path().join(".tikti"))), (0o600, 0o700));
}

#[test]
fn a_file_in_the_place_of_the_directory_is_named() {
    let home = Home::new();
    // Also root cannot make a directory in the place of a file.
    fs::write(home.path().join(".tikti"), "").unwrap();
    for line in ["init --host http://127.0.0.1:9", "profile use a"] {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains("/.tikti"), "{line}: {stderr}");
    }
    let mut command = home.command("init --host http://127.0.0.1:9");
    let stderr = finish(command.env_remove("HOME"), "").fails(3);
    assert!(stderr.contains("HOME is not set"), "{stderr}");
}

#[test]
fn a_profile_is_deleted_when_that_is_meant() {
    let home = Home::new();
    home.run(&format!("init --host {AWAY} --api-key tk_secret")).done();
    home.run("init --host http://localhost:7").done();

    let stderr = home.run("profile delete default").fails(3);
    assert!(stderr.contains("warning: profile `default` of http://127.0.0.1:9 with"), "{stderr}");
    assert!(stderr.contains("next: say so with --yes"), "{stderr}");
    let outcome = home.run("profile delete default --yes");
    assert_eq!(outcome.stderr, "✔ Profile `default` deleted.\n");
    assert_eq!(outcome.done(), "");
    assert!(!fs::read_to_string(home.config()).unwrap().contains("tk_secret"));
    let again = home.run("profile delete default --yes").fails(3);
    assert!(again.contains("there is no profile `default`"), "{again}");

    assert_eq!(
        home.run("profile delete localhost --yes --output json").json(),
        json!({ "profile": "localhost", "currentProfile": null })
    );
    assert_eq!(home.run("profile list --output json").json(), json!([]));
    let stderr = home.run("tenant list").fails(3);
    assert!(stderr.contains("no server is named"), "{stderr}");
}

#[test]
fn every_command_takes_the_profile_that_is_named() {
    let home = Home::new();
    home.run("init --host http://127.0.0.1:7 --profile seven").done();
    home.run(&format!("init --host {AWAY} --profile nine")).done();
    let reached = |line: &str, variable: Option<&str>| {
        let mut command = home.command(line);
        command.env("TIKTI_TOKEN", "a.b.c").envs(variable.map(|name| ("TIKTI_PROFILE", name)));
        finish(&mut command, "").fails(1)
    };
    for line in [
        "tenant list",
        "keys list",
        "keys jwks",
        "audit list --deployment",
        "token exchange --aud a",
        "authz explain --user a@b.c --aud a --tenant t",
    ] {
        let seven = |stderr: String| assert!(stderr.contains("http://127.0.0.1:7"), "{stderr}");
        seven(reached(&format!("{line} --profile seven"), None));
        seven(reached(&format!("--profile seven {line}"), Some("nine")));
        seven(reached(line, Some("seven")));
    }
    let stderr = home.run("tenant list --profile eight").fails(3);
    assert!(stderr.contains("there is no profile `eight`"), "{stderr}");
}
