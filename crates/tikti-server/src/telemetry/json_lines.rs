//! How does an event become a line of JSON? Straight into the line, as
//! `{"timestamp","level",…fields…,"target","span":{…fields…,"name"}}`.
//!
//! The same lines as `tracing_subscriber`'s own, which is the oracle of the tests, for a third of its cost: a
//! request is a line, and served from memory it cost less than its line did. What a span says is text from its
//! beginning on, and is not read again for every event in it.
//!
//! Spec: Operations, "Seeing what happens"; performance, "JWKS". Why: docs/decisions/0049.

use std::fmt::{self, Debug, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Room for the line of a request.
const USUAL_BYTES: usize = 384;

/// Writes events, and keeps the fields of spans, as JSON.
pub(super) struct JsonLines;

// Only with the fields that are kept below: others would be no JSON.
impl<S> FormatEvent<S, JsonLines> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonLines>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        let mut line = String::with_capacity(USUAL_BYTES);
        line.push_str("{\"timestamp\":\"");
        SystemTime.format_time(&mut Writer::new(&mut line))?;
        line.push_str("\",\"level\":\"");
        line.push_str(about.level().as_str());
        line.push('"');
        let mut members = Members { text: &mut line, is_first: false };
        event.record(&mut members);
        members.string("target", about.target());
        let parent = event.parent().and_then(|id| context.span(id));
        if let Some(span) = parent.or_else(|| context.lookup_current()) {
            line.push_str(",\"span\":{");
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonLines>>();
            let fields = fields.map_or("", |fields| fields.fields.as_str());
            line.push_str(fields);
            let mut members = Members { text: &mut line, is_first: fields.is_empty() };
            members.string("name", span.name());
            line.push('}');
        }
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

/// The fields of a span are the members of an object, without its braces.
impl<'w> FormatFields<'w> for JsonLines {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        writer.write_str(&members_of(fields))
    }

    fn add_fields(&self, kept: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        // A field that was said before is said anew, and no name is twice in an object.
        let object = |members: &str| {
            serde_json::from_str::<Map<String, Value>>(&format!("{{{members}}}"))
                .map_err(|_| fmt::Error)
        };
        let mut all = object(&kept.fields)?;
        all.extend(object(&members_of(fields))?);
        let text = Value::Object(all).to_string();
        let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        kept.fields = members.unwrap_or_default().to_owned();
        Ok(())
    }
}

fn members_of(fields: impl RecordFields) -> String {
    let mut text = String::new();
    fields.record(&mut Members { text: &mut text, is_first: true });
    text
}

/// Writes members of an object.
struct Members<'a> {
    text: &'a mut String,
    /// Whether the object has none yet.
    is_first: bool,
}

impl Members<'_> {
    /// Writes the name of a member, and lets its value follow.
    fn named(&mut self, name: &str) -> &mut String {
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.push(',');
        }
        string(self.text, name);
        self.text.push(':');
        self.text
    }

    fn string(&mut self, name: &str, value: &str) {
        string(self.named(name), value);
    }

    /// A value that JSON writes as Rust does.
    fn plain(&mut self, name: &str, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.named(name).write_fmt(value);
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.string(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            // Other than `Display`, with a fraction also where the number is whole.
            self.plain(field.name(), format_args!("{value:?}"));
        } else {
            self.plain(field.name(), format_args!("null"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.named(field.name());
        text.push('"');
        let _ = write!(Escaped(text), "{value:?}");
        text.push('"');
    }
}

/// A string of JSON.
fn string(line: &mut String, text: &str) {
    line.push('"');
    escaped(line, text);
    line.push('"');
}

/// Writes what stands between the quotes of a string of JSON (RFC 8259, section 7).
fn escaped(line: &mut String, text: &str) {
    if !must_be_escaped(text.as_bytes()) {
        line.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(line, "\\u{:04x}", u32::from(control));
            }
            other => line.push(other),
        }
    }
}

/// Whether there is a byte that no string of JSON has as it is.
fn must_be_escaped(bytes: &[u8]) -> bool {
    let is_one = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // Eight together, without a look at each: most texts are short, and none of theirs is one.
    let (eights, rest) = bytes.as_chunks::<8>();
    let has_one = |eight: &[u8; 8]| eight.iter().fold(false, |found, byte| found | is_one(byte));
    eights.iter().any(has_one) || rest.iter().any(is_one)
}

/// What is written to it is escaped.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escaped(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tikti_domain::clock::parse_rfc3339;
    use tracing::subscriber::with_default;

    use super::*;
    use crate::telemetry::testing::Lines;

    fn ours(events: impl FnOnce()) -> String {
        let kept = Lines::default();
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let lines = lines.with_writer(kept.clone()).with_ansi(false);
        with_default(lines.fmt_fields(JsonLines).event_format(JsonLines).finish(), events);
        kept.take()
    }

    fn of_the_library(events: impl FnOnce()) -> String {
        let kept = Lines::default();
        let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let lines = lines.with_writer(kept.clone()).json().flatten_event(true);
        let lines = lines.with_current_span(true).with_span_list(false);
        with_default(lines.finish(), events);
        kept.take()
    }

    /// Each line without its time, which must have been one.
    fn timeless(lines: &str) -> Vec<Value> {
        let timeless = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            parse_rfc3339(time.as_str().unwrap()).unwrap();
            line
        };
        lines.lines().map(timeless).collect()
    }

    /// Every kind of value, of field and of span.
    fn events() {
        let odd = "a \"quote\", a \\ and\nlines\r\t\u{0}\u{1f}\u{7f} é 🦀 \u{2028}";
        tracing::info!("nothing but a message");
        tracing::error!(text = odd, empty = "", "{odd}");
        tracing::warn!(small = 0_u8, large = u64::MAX, below = i64::MIN, yes = true, r#type = "t");
        tracing::debug!(whole = 1.0, part = 1.957, tiny = 1e-7, huge = 1e300, none = f64::NAN);
        tracing::trace!(debug = ?Some(odd), display = %odd, absent = None::<&str>, there = Some(3));
        tracing::info!(target: "tikti::audit", count = 1, http.status = 2, "of another target");
        let span =
            tracing::info_span!("request", request.id = "r-1", user.id = tracing::field::Empty);
        span.in_scope(|| tracing::info!("before"));
        span.record("user.id", odd);
        span.in_scope(|| tracing::info!("after"));
        span.record("user.id", "another");
        span.in_scope(|| {
            tracing::info!("anew");
            tracing::info_span!("inner").in_scope(|| tracing::info!("without fields"));
            tracing::info!(parent: &span, "by name");
        });
        tracing::info!(parent: None, "no parent");
    }

    #[test]
    fn the_lines_are_those_of_the_library() {
        let (found, expected) = (timeless(&ours(events)), timeless(&of_the_library(events)));
        assert_eq!(expected.len(), 12);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_byte_that_must_be_escaped_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let is_one = byte < b' ' || [b'"', b'\\'].contains(&byte);
            for length in 1..20 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    assert_eq!(must_be_escaped(&bytes), is_one, "{byte} at {place} of {length}");
                }
            }
        }
        assert!(!must_be_escaped(b""));
    }

    #[test]
    fn what_a_span_says_anew_stands_in_its_lines_once() {
        let lines = ours(events);
        let anew = lines.lines().find(|line| line.contains("\"anew\"")).unwrap();
        assert_eq!(anew.matches("\"user.id\":").count(), 1, "{anew}");
    }

    #[test]
    fn the_members_of_a_line_come_in_their_order() {
        let span = || tracing::info_span!("request", request.id = "r-1");
        let line = ours(|| span().in_scope(|| tracing::info!(http.status = 200, "request")));
        let (_, behind) = line.split_once("\",\"level\"").unwrap();
        assert_eq!(
            behind,
            concat!(
                ":\"INFO\",\"message\":\"request\",\"http.status\":200,",
                "\"target\":\"tikti_server::telemetry::json_lines::tests\",",
                "\"span\":{\"request.id\":\"r-1\",\"name\":\"request\"}}\n"
            )
        );
    }
}
