//! What is put where something good belongs?

use serde_json::{Value, json};

/// As long as a field of a body that still fits into 64 KiB.
const NEARLY_A_BODY: usize = 60 * 1024;

/// Values for a member of a JSON body.
pub(super) fn json_values() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        json!(7),
        json!(-1),
        // One more than fits into a signed number of 64 bits, and one more than into an unsigned one.
        json!(9_223_372_036_854_775_808_u64),
        json!(18_446_744_073_709_551_616.0),
        json!(1.5),
        json!(true),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"a": 1}),
    ];
    values.extend(texts().into_iter().map(Value::String));
    values
}

/// Texts that no field is made for.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "x",
        "a\0b",
        "a\nb",
        "a\u{7f}b",
        "a\u{85}b",
        // Marks that turn the direction of writing.
        "a\u{202e}b",
        "\u{200f}",
        // Combining characters with nothing to combine with.
        "\u{301}",
        "\u{20dd}\u{301}",
        "../..",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(["a", "\u{301}"].map(|text| text.repeat(10_000)));
    texts.push("a".repeat(NEARLY_A_BODY));
    texts
}

/// Values for a field of a form, a query or a path, as they are written there.
pub(super) fn written_values() -> Vec<String> {
    let texts = texts().into_iter().filter(|text| text.len() <= 20_000 || text.is_ascii());
    let mut values: Vec<String> = texts.map(|text| escaped(&text)).collect();
    let written = [
        "7.",
        "-1",
        "9223372036854775808",
        "1.5",
        "null",
        "%5B%5D",
        "%7B%7D",
        // What is no escape, and what is not UTF-8 behind one.
        "%",
        "%2",
        "%zz",
        "%ff",
        "%C3%28",
        "%ED%A0%80",
        "a%2Fb",
        "%2e%2e",
        "%252e",
        "+",
    ];
    values.extend(written.map(str::to_owned));
    values
}

/// The text with an escape for every byte that is no letter or digit.
fn escaped(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    bytes.collect()
}

/// Names as they are written in a form or a query.
pub(super) fn written(text: &str) -> String {
    escaped(text)
}
