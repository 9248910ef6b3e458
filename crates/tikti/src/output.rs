//! What is shown, where? The only printing of this program.
//!
//! Data goes to standard output and everything said about it to standard error, so that a pipe gets
//! data alone; with `json` or `yaml`, standard output is exactly one value. Text that came from
//! elsewhere never reaches a terminal with control characters in it.
//!
//! Spec: Command line, "Output".

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use crate::exit::Failure;
use crate::progress::Progress;
use crate::yaml::to_yaml;

/// For whom the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: aligned text
    Table,
    /// For programs: one JSON value
    Json,
    /// For programs: one YAML document
    Yaml,
}

/// Whether anything but the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verbosity {
    Normal,
    /// Only the bare value.
    Quiet,
}

/// Whether `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    WhereTerminal,
    Never,
}

/// The two streams, and what the caller wants on them.
#[derive(Clone)]
pub(crate) struct Output {
    format: Format,
    verbosity: Verbosity,
    colored: bool,
}

impl Output {
    pub(crate) fn new(format: Format, verbosity: Verbosity, color: Color) -> Self {
        Self {
            format,
            verbosity,
            colored: color == Color::WhereTerminal && io::stderr().is_terminal(),
        }
    }

    /// Prints the answer of a command: `value` for programs, `people` for people, `bare` for `--quiet`.
    ///
    /// An empty text prints nothing. A reader that has gone away is not an error.
    pub(crate) fn answer<T: Serialize>(
        &self,
        value: &T,
        people: &str,
        bare: &str,
    ) -> Result<(), Failure> {
        match (self.format, self.verbosity) {
            (Format::Json, _) => {
                print(&serde_json::to_string(value).map_err(|cause| unprintable(&cause))?)
            }
            (Format::Yaml, _) => print(&to_yaml(value).map_err(|cause| unprintable(&cause))?),
            (Format::Table, Verbosity::Normal) => print(people),
            (Format::Table, Verbosity::Quiet) => print(bare),
        }
    }

    /// Prints a text that is the same for people and programs: a script, a document.
    pub(crate) fn script(&self, text: &str) -> Result<(), Failure> {
        print(text)
    }

    /// Says that something was done: `✔ Session active.` Only to people.
    pub(crate) fn done(&self, text: &str) {
        if self.talks_to_people() {
            say(&format!("{} {}", self.paint("32", "✔"), printable(text)));
        }
    }

    /// Adds to what was done. Only to people.
    pub(crate) fn note(&self, text: &str) {
        if self.talks_to_people() {
            say(&format!("  {}", printable(text)));
        }
    }

    /// Tells what has happened while a command went on, such as a mail with its link. Only to people; on
    /// standard output, since it may be a secret.
    pub(crate) fn happened(&self, text: &str) {
        if self.talks_to_people() {
            let _nowhere_to_tell = print(&printable(text));
        }
    }

    /// Says what is doubtful, also to programs: it goes to standard error.
    pub(crate) fn warn(&self, text: &str) {
        say(&format!("{}: {}", self.paint("33", "warning"), printable(text)));
    }

    /// Shows how far something is: to people, on a terminal.
    pub(crate) fn progress(&self) -> Progress {
        if self.talks_to_people() { Progress::on_terminal() } else { Progress::hidden() }
    }

    /// Asks a person; the answer is typed on the same line.
    pub(crate) fn prompt(&self, question: &str) {
        let _nowhere_to_tell =
            write!(io::stderr(), "{question}: ").and_then(|()| io::stderr().flush());
    }

    /// Says what failed, the server's code, the request id, and what to do next.
    pub(crate) fn failure(&self, failure: &Failure) {
        let mut text = format!("{}: {}", self.paint("31", "error"), message(failure));
        if let Some(reply) = &failure.reply {
            text.push_str(&format!(" ({})", printable(&reply.code)));
            // A reason that the message has told already is not said twice.
            let untold = |(_, reason): &(_, &String)| !reply.error.contains(reason.as_str());
            for (field, reason) in reply.details.iter().filter(untold) {
                text.push_str(&format!("\n  {}: {}", printable(field), printable(reason)));
            }
            if !reply.request_id.is_empty() {
                text.push_str(&format!("\n  request id: {}", printable(&reply.request_id)));
            }
        }
        if let Some(next) = &failure.next {
            text.push_str(&format!("\n  next: {}", printable(next)));
        }
        say(&text);
    }

    fn talks_to_people(&self) -> bool {
        self.format == Format::Table && self.verbosity == Verbosity::Normal
    }

    fn paint(&self, sgr: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Aligns `rows` under `headers`, two spaces apart.
pub(crate) fn table<const N: usize>(headers: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headers);
    align(table, rows)
}

/// Aligns names and values, one pair a line.
pub(crate) fn fields(pairs: Vec<(&str, String)>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let rows = pairs.into_iter().map(|(name, value)| [name.to_owned(), value]);
    align(table, rows.collect())
}

fn align<const N: usize>(mut table: Table, rows: Vec<[String; N]>) -> String {
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Replaces what a terminal would obey instead of show: control characters, and those that turn the
/// direction of writing (<https://www.unicode.org/reports/tr9/>, table 4).
fn printable(text: &str) -> String {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(obeyed, "\u{fffd}")
}

/// What we say ourselves may take several lines (every problem of a configuration); what a server
/// says is one, so that it cannot write lines that look like ours.
fn message(failure: &Failure) -> String {
    match failure.reply {
        Some(_) => printable(&failure.message),
        None => {
            let lines = failure.message.lines().map(printable);
            Vec::from_iter(lines).join("\n  ")
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::refused(format!("writing to standard output: {cause}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn say(text: &str) {
    let _nowhere_to_tell = writeln!(io::stderr(), "{text}");
}

fn unprintable(cause: &dyn std::error::Error) -> Failure {
    Failure::refused(format!("writing the answer: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_end_without_white_space() {
        let text = table(
            ["SLUG", "STATUS"],
            vec![["codecompany".into(), "ACTIVE".into()], ["日本".into(), "SUSPENDED".into()]],
        );
        assert_eq!(text, "SLUG         STATUS\ncodecompany  ACTIVE\n日本         SUSPENDED");
    }

    #[test]
    fn foreign_text_cannot_command_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c");
    }
}
