//! Does every example of the help run, and is `docs/cli.md` what the definitions of the commands say?
//!
//! The examples are those of the program itself, so that a new command is tried by itself. Each runs in `sh`,
//! in a home that has everything that examples speak of (`fixture`): it is made anew before each, whatever
//! the one before has done to it.

mod fixture;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use self::fixture::World;
use crate::support::Home;

/// Examples that cannot be done here, and why; they are run all the same, and must fail as they should.
const NOT_DONE: [(&str, i32, &str); 6] = [
    (
        "tikti audit verify audit.jsonl --head head.jws --jwks audit-keys.json",
        1,
        "no head of this log is signed yet; the one of the fixture names another event",
    ),
    ("tikti auth login --user root@corp.sys", 3, "asks for the password on a terminal"),
    ("tikti keys rotate --emergency", 3, "asks on a terminal whether it is meant"),
    ("tikti audit head --tenant codecompany > head.jws", 1, "is signed minutes later"),
    ("tikti audit head --tenant codecompany --checkpoint > begin.jws", 1, "no event is old enough"),
    (
        "tikti audit verify audit.jsonl --begin checkpoint.jws --head head.jws",
        1,
        "no event is old enough to be removed, so no checkpoint is signed by this server",
    ),
];

/// Whether it goes on until it is asked to stop.
fn stays(example: &str) -> bool {
    ["tikti dev", "tikti serve", "--follow"].iter().any(|part| example.contains(part))
}

/// What the program says of its commands: name and examples.
fn commands() -> Vec<(String, Vec<String>)> {
    let told = Home::new().run("__reference --output json").json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = told.as_array().unwrap().iter();
    told.map(|command| {
        let examples = command["examples"].as_array().unwrap();
        (text(&command["command"]), examples.iter().map(text).collect())
    })
    .collect()
}

/// The exit code of an example that is listed.
fn not_done(example: &str) -> Option<i32> {
    let (command, _comment) = example.split_once(" #").unwrap_or((example, ""));
    let listed = NOT_DONE.iter().find(|(listed, ..)| *listed == command.trim_end());
    listed.map(|(_, code, _)| *code)
}

/// Runs `example` in a fresh world: alone, or where that fails after those that stand before it, as a reader
/// would go through them.
fn try_it(world: &mut World, before: &[String], example: &str) -> Result<(), String> {
    let wanted = not_done(example).unwrap_or(0);
    world.restore(example);
    let alone = if stays(example) { world.run_and_stop(example) } else { world.run(example) };
    if alone.code == Some(wanted) {
        return Ok(());
    }
    let others = before.iter().filter(|other| !stays(other) && not_done(other).is_none());
    let script = Vec::from_iter(others.chain([&example.to_owned()]).cloned()).join("\n");
    if script == example || stays(example) {
        return Err(format!("{example}\n=> {alone:?}, not {wanted}"));
    }
    world.restore(example);
    let after = world.run(&script);
    match after.code == Some(wanted) {
        true => Ok(()),
        false => Err(format!("{example}\n=> {alone:?}\n=> with those before {after:?}")),
    }
}

#[test]
fn every_example_runs() {
    let all = commands();
    let each = all.iter().flat_map(|(_, examples)| {
        (0..examples.len()).map(move |at| (&examples[..at], &examples[at]))
    });
    // One that stands in two places is tried where it stands first.
    let mut seen = BTreeSet::new();
    let each = each.filter(|(_, example)| seen.insert(example.as_str()));
    // What becomes possible in minutes is tried at once.
    let (refused, done): (Vec<_>, Vec<_>) =
        each.partition(|(_, example)| not_done(example).is_some());
    // An entry that no example answers to says nothing.
    assert_eq!(refused.len(), NOT_DONE.len(), "{NOT_DONE:?}");
    let mut world = World::new();
    let tried = refused.into_iter().chain(done);
    let wrong = tried.filter_map(|(before, example)| try_it(&mut world, before, example).err());
    let wrong = Vec::from_iter(wrong);
    assert!(wrong.is_empty(), "{} examples\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn the_committed_reference_is_current() {
    let fresh = Home::new().run("__reference").done();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::fs::read_to_string(&committed).unwrap_or_default() != fresh {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli.md");
        std::fs::write(&copy, fresh).unwrap();
        let copy = copy.display();
        panic!("the commands have changed: compare and copy {copy} to docs/cli.md");
    }
}

#[test]
fn a_page_of_the_manual_is_written_for_every_command() {
    let home = Home::new();
    let directory = home.path().join("man1");
    let line = format!("man --dir {} --output json", directory.display());
    let written = home.run(&line).json();
    let pages = written["pages"].as_array().unwrap();
    let names: Vec<_> =
        commands().into_iter().map(|(name, _)| format!("{}.1", name.replace(' ', "-"))).collect();
    assert_eq!(*pages, names);
    for name in &names {
        let page = std::fs::read_to_string(directory.join(name)).unwrap();
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(page.contains(part), "{name}: {part}");
        }
    }
    let top = home.run("man").done();
    for part in [".SH EXAMPLES", ".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".SH FILES"] {
        assert!(top.contains(part), "{part}: {top}");
    }
    assert_eq!(std::fs::read_to_string(directory.join("tikti.1")).unwrap(), top);
    let stderr = home.run("man token nonsense").fails(3);
    assert!(stderr.contains("there is no command `tikti token nonsense`"), "{stderr}");
    home.run(&format!("man --dir {}/x", home.path().join("man1/tikti.1").display())).fails(3);
}
