//! What the program says about itself, and how it ends when it is called wrongly.

use std::fs::File;
use std::io::pipe;

use crate::support::{Dev, Home, finish};

#[test]
fn version_and_help_are_answers() {
    let home = Home::new();
    assert_eq!(home.run("--version").done(), concat!("tikti ", env!("CARGO_PKG_VERSION"), "\n"));
    for line in ["--help", "help token", "token exchange --help", "dev --help"] {
        assert!(home.run(line).done().contains("Usage:"), "{line}");
    }
    assert!(!home.path().join(".tikti").exists());
}

#[test]
fn a_wrong_command_line_is_3() {
    let home = Home::new();
    for line in [
        "",
        "nonsense",
        "--nonsense",
        "token",
        "token exchange",
        "token exchange --aud a --ttl soon",
        "token verify x",
        "token show",
        "tenant create",
        "tenant get ..",
        "init --host",
        "init --host 127.0.0.1:8080",
        "init",
        "auth login --user a@b.c --output xml",
        "completions powershell",
        "dev --host http://127.0.0.1:1",
        "profile list --api-key k",
        "serve",
        "serve --config /nonexistent/config.yaml",
    ] {
        let outcome = home.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""), "{line}");
        assert!(!outcome.stderr.is_empty(), "{line}");
    }
}

#[test]
fn a_url_that_stands_where_none_belongs_is_not_shown() {
    let home = Home::new();
    for line in [
        "store copy redis://:s3cretPW@h redis://h",
        "store copy --from redis://h redis://:s3cretPW@h",
        "store verify redis://:s3cretPW@h",
        "store redis://:s3cretPW@h",
        "redis://:s3cretPW@h",
        "dev me:s3cretPW@h:6379",
        "store verify --sotre=redis://:s3cretPW@h",
        "store verify --redis://:s3cretPW@h",
        "store verify -redis://:s3cretPW@h",
        "backup f redis://:s3cretPW@h",
        "dev --listen redis://:s3cretPW@h",
        "tenant list --host http://me:s3cretPW@h:none",
    ] {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains("error") && !stderr.contains("s3cretPW"), "{line}: {stderr}");
    }
    // Everything else is.
    for (line, shown) in [
        ("store copy nonsense", "'nonsense'"),
        ("store verify --sotre=x", "--store"),
        ("init --host localhost:8080", "localhost:8080"),
    ] {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains(shown), "{line}: {stderr}");
    }
}

#[test]
fn an_address_is_told_how_to_write_it() {
    let home = Home::new();
    for (line, hint) in [
        ("dev --listen 8080", "write 127.0.0.1:8080"),
        ("dev --listen localhost:8080", "write 127.0.0.1:8080"),
        ("init --host localhost:8080", "write http://localhost:8080"),
    ] {
        let stderr = home.run(line).fails(3);
        assert!(stderr.contains(hint), "{line}: {stderr}");
    }
}

#[test]
fn without_a_server_or_session_the_next_step_is_named() {
    let home = Home::new();
    for (line, code, next) in [
        ("tenant list", 3, "tikti init --host URL"),
        ("auth status", 2, "tikti dev"),
        ("keys jwks", 3, "tikti init --host URL"),
        ("tenant list --host http://127.0.0.1:9", 2, "tikti auth login"),
        ("auth status --host http://127.0.0.1:9", 2, "tikti auth login"),
        ("token exchange --aud a --host http://127.0.0.1:9", 2, "tikti auth login"),
        ("token show --type access", 2, "tikti token exchange"),
        ("keys jwks --host http://127.0.0.1:9", 1, "check the address"),
        ("token exchange --aud a --scope , --host http://127.0.0.1:9", 3, "leave --scope out"),
        ("tenant list --profile nowhere", 3, "tikti profile list"),
    ] {
        let stderr = home.run(line).fails(code);
        assert!(stderr.contains(next), "{line}: {stderr}");
    }
}

#[test]
fn a_password_is_never_asked_for_without_a_terminal() {
    let home = Home::new();
    let stderr = home.run("auth login --user root@corp.sys --host http://127.0.0.1:9").fails(3);
    assert!(stderr.contains("--password-stdin"), "{stderr}");
    let stderr = home
        .run_with_input("auth login --user a@b.c --password-stdin --host http://127.0.0.1:9", "\n")
        .fails(3);
    assert!(stderr.contains("no password"), "{stderr}");
}

#[test]
fn completions_are_scripts() {
    let home = Home::new();
    for (shell, part) in
        [("bash", "complete -F"), ("zsh", "#compdef tikti"), ("fish", "complete -c tikti")]
    {
        let script = home.run(&format!("completions {shell}")).done();
        assert!(script.contains(part), "{shell}");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let home = Home::new();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let outcome = finish(home.command("completions bash").stdout(writer), "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error_of_any_answer() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    for line in [
        "--help",
        "token exchange --help",
        "tenant list",
        "tenant get codecompany",
        "keys list",
        "keys jwks",
        "profile list",
        "auth status",
        "audit list --tenant codecompany",
        "audit list --deployment",
        "audit export --deployment",
        "token exchange --aud backend-worker --tenant codecompany",
        "token show --type id",
        "token inspect",
    ] {
        for form in ["", " --output json", " --output yaml", " --quiet"] {
            let (reader, writer) = pipe().unwrap();
            drop(reader);
            let outcome = finish(home.command(&format!("{line}{form}")).stdout(writer), "");
            assert_eq!(outcome.code, Some(0), "{line}{form}: {outcome:?}");
            assert!(!outcome.stderr.contains("error"), "{line}{form}: {outcome:?}");
        }
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let home = Home::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let outcome = finish(home.command("completions bash").stdout(full), "");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("writing to standard output"), "{outcome:?}");
}

#[test]
fn plain_http_to_another_machine_is_warned_of() {
    let home = Home::new();
    // Not a loopback address, yet it is this machine that refuses.
    let stderr = home.run("keys jwks --host http://0.0.0.0:9").fails(1);
    assert!(stderr.contains("not encrypted"), "{stderr}");
}
