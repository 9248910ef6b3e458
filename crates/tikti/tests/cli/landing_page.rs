//! The examples that are a session: the landing page's, word for word, whose token a stock library
//! verifies; and the one that goes on from it, where a role is removed.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Outcome, TIKTI, finish};

fn run(example: &str) -> Outcome {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let mut command = Command::new("bash");
    command
        .arg(script)
        .env("TIKTI_BIN", TIKTI)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    finish(&mut command, "")
}

#[test]
fn the_example_runs_and_its_token_verifies_without_tikti() {
    let outcome = run("landing-page.sh");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("✔ Access Token (RS256) minted."), "{outcome:?}");
    assert!(outcome.stdout.ends_with("verified by PyJWT\n"), "{outcome:?}");
}

#[test]
fn whoever_loses_a_role_gets_no_token_by_it_any_more_and_the_trace_says_why() {
    let outcome = run("role-removed.sh");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("✔ Access Token (RS256) minted."), "{outcome:?}");
    let why = " 8  scopes          SCOPE_NOT_PERMITTED  jobs:read of none\n";
    assert!(outcome.stdout.ends_with(&format!("{why}refused, and explained\n")), "{outcome:?}");
}
