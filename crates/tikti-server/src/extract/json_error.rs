//! Which member of a body is wrong, and why, in words that never repeat what the caller sent?
//!
//! The JSON reader's own messages quote the value that did not fit ("invalid type: string
//! \"hunter2\""): a password in the wrong place would come back in a reply and stand in a log. Only
//! what was expected, which comes from our types, is taken over.
//!
//! Spec: HTTP API, first paragraph.

use serde_json::error::Category;
use tikti_domain::error::Refusal;

/// Turns the reader's `error` at `path` into a refusal that names the member.
pub(super) fn explain(path: &str, error: &serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => Refusal::invalid(
            "body",
            format!("is not valid JSON (line {}, column {})", error.line(), error.column()),
        ),
        Category::Data => explain_data(path, &error.to_string()),
    }
}

fn explain_data(path: &str, text: &str) -> Refusal {
    if let Some(member) = quoted_after(text, "missing field `") {
        return Refusal::invalid(&join(path, member), "is missing");
    }
    if let Some(member) = quoted_after(text, "duplicate field `") {
        return Refusal::invalid(&join(path, member), "is given twice");
    }
    let member = if path == "." { "body" } else { path };
    Refusal::invalid(member, format!("must be {}", expected(text)))
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.split('`').next()
}

fn join(path: &str, member: &str) -> String {
    // The path of a repeated member names it already, the path of a missing one ends at its object.
    if path == "." || path == member { member.to_owned() } else { format!("{path}.{member}") }
}

/// What the reader expected. The last ", expected " is the reader's own: a value may hold the same
/// words, but stands before it.
fn expected(text: &str) -> &str {
    let Some((_, tail)) = text.rsplit_once(", expected ") else {
        return "of another form";
    };
    let words = tail.rsplit_once(" at line ").map_or(tail, |(words, _)| words);
    match words {
        "a sequence" => "an array",
        "i64" | "u64" | "u16" | "u32" => "an integer",
        words if words.starts_with("struct ") => "an object",
        words => words,
    }
}
