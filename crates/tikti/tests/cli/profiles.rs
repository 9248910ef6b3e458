//! The profile file, as commands leave it; no server answers in any of these.

use std::fs;
use std::os::unix::fs::PermissionsExt;

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
        json!({ "profile": "default", "hadSession": false })
    );
}
