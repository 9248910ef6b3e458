//! What a command printed, word for word, where a run differs from the next in nothing but ids, times and the
//! address of its server: these stand as `ID`, `TIME` and `HOST`, and columns are two spaces apart.

use crate::support::Home;

/// Runs a command that is done, and compares what it printed on standard output and standard error.
#[track_caller]
pub(crate) fn prints(home: &Home, line: &str, stdout: &str, stderr: &str) {
    let outcome = home.run(line);
    let printed = (outcome.code, exact(&outcome.stdout), exact(&outcome.stderr));
    assert_eq!(printed, (Some(0), stdout.to_owned(), stderr.to_owned()), "{line}");
}

/// Runs a command that fails, and compares what it said.
#[track_caller]
pub(crate) fn fails(home: &Home, line: &str, code: i32, stderr: &str) {
    let outcome = home.run(line);
    let said = (outcome.code, outcome.stdout.as_str(), exact(&outcome.stderr));
    assert_eq!(said, (Some(code), "", stderr.to_owned()), "{line}");
}

/// The text with everything replaced that is of one run alone.
pub(crate) fn exact(text: &str) -> String {
    let mut replaced = String::new();
    let mut word = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | ':' | '.') {
            word.push(character);
            continue;
        }
        replaced.push_str(&named(&word));
        word.clear();
        // The widths of columns are those of the ids.
        let is_padding = character == ' ' && replaced.ends_with("  ");
        if !is_padding {
            replaced.push(character);
        }
    }
    replaced.push_str(&named(&word));
    replaced
}

fn named(word: &str) -> String {
    // The end of a sentence, or what introduces the next one.
    let bare = word.trim_end_matches([':', '.']);
    let end = word.strip_prefix(bare).unwrap_or_default();
    let name = match bare {
        _ if is_id(bare) => "ID",
        _ if is_time(bare) => "TIME",
        _ if is_host(bare) => "HOST",
        _ => return word.to_owned(),
    };
    format!("{name}{end}")
}

/// A UUID, 26 letters and digits as of a ULID, or the id of a tenant, which has `t-` before them.
fn is_id(word: &str) -> bool {
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts = Vec::from_iter(word.split('-'));
    let is_uuid = parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(p, n)| is_hex(p, n));
    let ulid = word.strip_prefix("t-").unwrap_or(word);
    let is_ulid = ulid.len() == 26
        && ulid.bytes().any(|byte| byte.is_ascii_digit())
        && ulid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_uuid || is_ulid
}

/// RFC 3339 in UTC.
fn is_time(word: &str) -> bool {
    let digits = Vec::from_iter(word.split(|c: char| !c.is_ascii_digit()).map(str::len));
    digits.starts_with(&[4, 2, 2, 2, 2, 2]) && word.ends_with('Z')
}

fn is_host(word: &str) -> bool {
    let port = word.strip_prefix("127.0.0.1:").unwrap_or_default();
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn only_what_is_of_one_run_is_replaced() {
    for (text, told) in [
        ("(019ac0de-2f6b-7c11-8a5e-0123456789ab)", "(ID)"),
        ("t-01kah6t4zq8r5n2v7c3x9y1b0d is", "ID is"),
        ("request id: RGJ3D2PN6R39ZS4VD0ZGDBVZX1", "request id: ID"),
        ("\"2026-01-31T12:00:00.000Z\"", "\"TIME\""),
        ("at 2026-01-31T12:00:00Z.", "at TIME."),
        ("http://127.0.0.1:8080: no", "http://HOST: no"),
        ("ID      EMAIL\n-  a", "ID  EMAIL\n-  a"),
        ("127.0.0.1 t-short 2026-01-31", "127.0.0.1 t-short 2026-01-31"),
    ] {
        assert_eq!(exact(text), told);
    }
}
