//! What a shell offers at a tab: commands, options, names of the server; and what it never does, which is to
//! wait, to ask, to renew a session, or to give a shell something to obey.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;

use crate::support::{Dev, Home, Outcome, TIKTI, finish};

/// What a shell with the script of `tikti completions` does with `script`.
fn shell(home: &Home, shell: &str, script: &str) -> Outcome {
    let bin = home.path().join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(TIKTI, bin.join("tikti")).unwrap();
    }
    let bare = match shell {
        "bash" => &["--norc", "--noprofile"][..],
        "zsh" => &["-f"],
        _ => &["--no-config"],
    };
    let mut command = Command::new(shell);
    command
        .args(bare)
        .args(["-c", script])
        .current_dir(home.path())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    finish(&mut command, "")
}

/// What bash offers at the end of `line`: the parts that it would put there.
fn in_bash(home: &Home, line: &str) -> Vec<String> {
    let script = format!(
        "source <(tikti completions bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
         complete -p tikti >/dev/null && _tikti; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let outcome = shell(home, "bash", &script);
    assert_eq!(outcome.stderr, "", "{line}");
    outcome.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Where a shell is not, it is said that nothing was tried in it.
fn is_installed(shell: &str) -> bool {
    let tried = Command::new(shell).args(["-c", "true"]).status();
    let is_installed = tried.is_ok_and(|status| status.success());
    if !is_installed {
        // Not `eprintln!`: of a test that passes that is shown to nobody.
        let line = format!("skipped: completions of {shell}: it is not installed\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    is_installed
}

#[test]
fn bash_offers_commands_options_and_values() {
    let home = Home::new();
    for (line, offered) in [
        ("tikti tok", &["token"][..]),
        ("tikti token ex", &["exchange"]),
        ("tikti token exchange --ev", &["--event-types"]),
        ("tikti --output ", &["table", "json", "yaml"]),
        ("tikti --output=j", &["json"]),
        ("tikti tenant list --output y", &["yaml"]),
        ("tikti completions z", &["zsh"]),
        ("tikti __", &[]),
        ("tikti nonsense ", &[]),
        ("tikti tenant get ", &[]),
    ] {
        assert_eq!(in_bash(&home, line), offered, "{line}");
    }
    // Nothing was written on the way.
    assert!(!home.path().join(".tikti").exists());
}

#[test]
fn names_come_from_the_server_of_the_profile() {
    let home = Home::new();
    let dev = Dev::with_tenant(&home);
    home.run("init --host http://127.0.0.1:9 --profile away").done();
    home.run("profile use dev").done();
    home.run("role create BILLING --permissions bills:read --tenant codecompany").done();
    home.run("worker create worker-01 --clients backend-worker --tenant codecompany").done();
    for (line, offered) in [
        ("tikti tenant get ", &["codecompany"][..]),
        ("tikti tenant delete --yes co", &["codecompany"]),
        ("tikti tenant get x", &[]),
        ("tikti token exchange --tenant=code", &["codecompany"]),
        ("tikti token exchange --tenant codecompany --aud back", &["backend-worker"]),
        ("tikti token exchange --tenant codecompany --aud \"back", &["backend-worker"]),
        ("tikti token exchange --tenant nowhere --aud back", &[]),
        ("tikti role get --tenant codecompany B", &["BILLING"]),
        ("tikti role get --tenant codecompany TENANT_", &["TENANT_ADMIN", "TENANT_USER"]),
        ("tikti role get --tenant codecompany X", &[]),
        ("tikti member add --tenant codecompany --roles TENANT_USER,BI", &["TENANT_USER,BILLING"]),
        ("tikti token exchange --tenant codecompany --sub w", &["worker-01"]),
        ("tikti token exchange --tenant codecompany --sub x", &[]),
        ("tikti worker get --tenant codecompany ", &["worker-01"]),
        ("tikti profile use a", &["away"]),
        ("tikti --profile away tenant get ", &[]),
        ("tikti --host http://127.0.0.1:9 tenant get ", &[]),
    ] {
        assert_eq!(in_bash(&home, line), offered, "{line}");
    }
    drop(dev);
    assert_eq!(in_bash(&home, "tikti tenant get "), Vec::<String>::new());
}

#[test]
fn files_are_left_to_the_shell() {
    let home = Home::new();
    for line in ["serve --config ", "backup ", "restore --data=x", "man --dir "] {
        let words = Vec::from_iter(["tikti"].into_iter().chain(line.split(' ')));
        let mut command = home.command("__complete --");
        assert_eq!(finish(command.args(&words), "").done(), ":files\t\n", "{line}");
    }
}

#[test]
fn zsh_and_fish_offer_the_same() {
    let home = Home::new();
    let _dev = Dev::with_tenant(&home);
    if is_installed("zsh") {
        let zsh = |words: &str, typed: &str| {
            let script = format!(
                "compdef() {{ : }}; _describe() {{ print -rl -- ${{(P)2}} }}; \
                 source <(tikti completions zsh); words=({words}); CURRENT=$#words; \
                 PREFIX='{typed}'; _tikti"
            );
            let outcome = shell(&home, "zsh", &script);
            assert_eq!(outcome.stderr, "");
            outcome.done()
        };
        assert_eq!(zsh("tikti tenant get c", "c"), "codecompany:\n");
        assert!(zsh("tikti tok", "tok").starts_with("token:"));
        assert_eq!(zsh("tikti token exchange --tenant=c", "--tenant=c"), "--tenant=codecompany:\n");
    }
    if is_installed("fish") {
        let fish = |line: &str| {
            let script = format!("tikti completions fish | source; complete -C '{line}'");
            shell(&home, "fish", &script).done()
        };
        assert_eq!(fish("tikti tenant get c").trim_end(), "codecompany");
        assert!(fish("tikti tok").starts_with("token\t"));
    }
}

/// A server that answers every request for tenants with these, and says what was asked.
fn hostile(slugs: &[&str]) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tenants = Vec::from_iter(slugs.iter().map(|slug| {
        json!({ "id": "t-1", "slug": slug, "name": "n", "status": "ACTIVE", "selfSignUp": false,
                "createdAt": "", "updatedAt": "" })
    }));
    let body = json!({ "tenants": tenants }).to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap());
        let mut asked = String::new();
        while head.read_line(&mut asked).unwrap() > 2 {}
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        asked
    });
    (address, server)
}

/// A profile whose session has ended and could be renewed.
fn with_ended_session(home: &Home, host: &str) -> String {
    let part = |value: serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let token = format!(
        "{}.{}.{}",
        part(json!({ "alg": "HS256", "typ": "JWT" })),
        part(json!({ "sub": "u", "exp": 1_000_000_000 })),
        BASE64URL_NOPAD.encode(&[0; 32])
    );
    let text = format!(
        "currentProfile: p\nprofiles:\n  p: {{baseUrl: \"{host}\", idToken: \"{token}\", refreshToken: r}}\n"
    );
    fs::create_dir_all(home.path().join(".tikti")).unwrap();
    fs::write(home.config(), &text).unwrap();
    text
}

#[test]
fn a_hostile_server_gives_the_shell_nothing_to_obey() {
    let home = Home::new();
    let (host, server) = hostile(&[
        "$(touch pwned)",
        "`touch pwned`",
        "a;touch pwned",
        "a\ntouch",
        "*",
        "../x y",
        "--yes",
        "\u{1b}[2Jx",
        ":files\t",
        "honest",
    ]);
    let stored = with_ended_session(&home, &host);
    assert_eq!(in_bash(&home, "tikti tenant get "), ["honest"]);
    // It was asked once, with the session as it is, which stays as it was.
    let asked = server.join().unwrap();
    assert!(asked.starts_with("GET /v1/tenants?pageSize=200 HTTP/1.1"), "{asked}");
    assert_eq!(fs::read_to_string(home.config()).unwrap(), stored);
    assert!(!home.path().join("pwned").exists());
}

#[test]
fn a_credential_does_not_go_where_a_line_is_only_being_typed_to() {
    let home = Home::new();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let host = format!("http://{}", elsewhere.local_addr().unwrap());
    let mut command = home.command("__complete -- tikti tenant --host");
    command.args([&host, "get", ""]).env("TIKTI_TOKEN", "a.b.c");
    assert_eq!(finish(&mut command, "").done(), "");
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    with_ended_session(&home, &format!("http://{}", silent.local_addr().unwrap()));
    let begun = Instant::now();
    assert_eq!(in_bash(&home, "tikti tenant get "), Vec::<String>::new());
    // Other commands wait for 30 s; a machine that has much to do may take some of them.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn what_is_broken_is_no_completion_and_no_noise() {
    let home = Home::new();
    fs::create_dir(home.path().join(".tikti")).unwrap();
    fs::write(home.config(), "nonsense: [").unwrap();
    let mut command = home.command("__complete -- tikti tenant get");
    let outcome = finish(command.arg(""), "");
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), "", ""));
}
