//! `tikti audit tail` on a running server: the last events, and those that come.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::mpsc;

use serde_json::Value;

use crate::foreign_server::serve;
use crate::support::{Dev, Home};

fn world() -> (Home, Dev) {
    let home = Home::new();
    let dev = Dev::signed_in(&home);
    for slug in ["codecompany", "second", "third"] {
        home.run(&format!("tenant create --slug {slug}")).done();
    }
    (home, dev)
}

/// An event without what differs: its time, the ids of target and actor.
fn masked(line: &str) -> String {
    let words = line.split_whitespace().map(|word| match word {
        time if time.starts_with("20") && time.ends_with('Z') => "TIME",
        id if id.starts_with("t-") || id.matches('-').count() == 4 => "ID",
        other => other,
    });
    Vec::from_iter(words).join(" ")
}

#[test]
fn the_last_events_are_one_line_each() {
    let (home, _dev) = world();
    let shown = home.run("audit tail --deployment").done();
    let lines = Vec::from_iter(shown.lines().map(masked));
    assert_eq!(lines, ["TIME tenant.create ID by user ID"; 3]);
    let shown = home.run("audit tail --deployment --lines 2 --quiet").done();
    assert_eq!(shown, "2\n3\n");
    assert_eq!(home.run("audit tail --deployment --action role.create").done(), "");

    // Byte for byte as they are exported: their hash is over this text.
    let exported = home.run("audit export --deployment").done();
    assert_eq!(home.run("audit tail --deployment --output json").done(), exported);
    let yaml = home.run("audit tail --deployment -n 1 --output yaml").done();
    assert!(yaml.starts_with("---\n") && yaml.contains("action: tenant.create\n"), "{yaml}");

    let stderr = home.run("audit tail").fails(3);
    assert!(stderr.contains("next: name one: `--tenant REF`, or `--deployment`"), "{stderr}");
}

#[test]
fn who_follows_sees_what_comes_until_ctrl_c() {
    let (home, _dev) = world();
    let mut tail =
        home.command("audit tail --deployment --follow --lines 1 --output json").spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || {
        let link: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (link["seq"].as_u64().unwrap(), link["event"]["action"].as_str().unwrap().to_owned())
    };
    assert_eq!(next(), (3, "tenant.create".to_owned()));
    home.run("tenant delete third --yes").done();
    assert_eq!(next(), (4, "tenant.delete".to_owned()));
    home.run("tenant create --slug fourth").done();
    assert_eq!(next(), (5, "tenant.create".to_owned()));

    let pid = tail.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = tail.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn who_follows_ends_when_nobody_reads() {
    let (home, _dev) = world();
    let mut tail = home.command("audit tail --deployment --follow").spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().is_ok());
    drop(lines);
    home.run("tenant create --slug fourth").done();
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}

#[test]
fn who_follows_goes_by_the_time_of_the_server() {
    let (asks, asked) = mpsc::channel();
    let url = serve(move |path| {
        // Whoever listened may be done.
        let _unheard = asks.send(path.to_owned());
        let body = r#"{"events":[]}"#;
        let length = body.len();
        let head =
            "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nconnection: close\r\n";
        format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
    });
    let home = Home::new();
    let mut command = home.command("audit tail --tenant codecompany --follow");
    command.envs([("TIKTI_TOKEN", "a.b.c"), ("TIKTI_HOST", url.as_str())]);
    let mut tail = command.spawn().unwrap();
    // The whole log has been looked through, and then it is asked for what is new, twice.
    while asked.recv().unwrap().contains("from=") {}
    for _ in 0..2 {
        let path = asked.recv().unwrap();
        assert!(path.contains("from=1994-11-06T08%3A39%3A37Z"), "{path}");
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
}
