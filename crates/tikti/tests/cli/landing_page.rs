//! The landing page's session, word for word, and its token verified by a stock library.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{TIKTI, finish};

#[test]
fn the_example_runs_and_its_token_verifies_without_tikti() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/landing-page.sh");
    let mut command = Command::new("bash");
    command
        .arg(script)
        .env("TIKTI_BIN", TIKTI)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let outcome = finish(&mut command, "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("✔ Access Token (RS256) minted."), "{outcome:?}");
    assert!(outcome.stdout.ends_with("verified by PyJWT\n"), "{outcome:?}");
}
