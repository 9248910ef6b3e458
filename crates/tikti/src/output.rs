//! What is shown, where? The only printing of this program.
//!
//! Data goes to standard output and everything said about it to standard error, so that a pipe gets
//! data alone; with `json` or `yaml`, standard output is exactly one value. Text that came from
//! elsewhere never reaches a terminal with control characters in it. A pipe gets a table as wide as it is; a
//! terminal that is narrower gets names and values below each other (docs/decisions/0045).
//!
//! Spec: Command line, "Output".

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use rustix::termios::tcgetwinsize;
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::yaml::to_yaml;

/// Spaces between two columns.
const GAP: u16 = 2;

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

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    There,
    Gone,
}

/// Whether `NO_COLOR` is set (<https://no-color.org>), or `TERM` is `dumb`.
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
        self.answer_to(value, people, bare).map(|_| ())
    }

    /// As [`Self::answer`], and says whether somebody has read it: for what cannot be shown again.
    pub(crate) fn answer_to<T: Serialize>(
        &self,
        value: &T,
        people: &str,
        bare: &str,
    ) -> Result<Reader, Failure> {
        match (self.format, self.verbosity) {
            (Format::Json, _) => {
                print(&serde_json::to_string(value).map_err(|cause| unprintable(&cause))?)
            }
            (Format::Yaml, _) => print(&to_yaml(value).map_err(|cause| unprintable(&cause))?),
            (Format::Table, Verbosity::Normal) => print(&shown(people)),
            (Format::Table, Verbosity::Quiet) => print(&shown(bare)),
        }
    }

    /// Prints one of many answers, as it comes: a line for people, `json` as it is, a document of YAML.
    pub(crate) fn event(&self, json: &str, people: &str, bare: &str) -> Result<Reader, Failure> {
        let text = match (self.format, self.verbosity) {
            (Format::Json, _) => json.to_owned(),
            (Format::Yaml, _) => {
                let value: Value = serde_json::from_str(json).map_err(|c| unprintable(&c))?;
                format!("---\n{}", to_yaml(&value).map_err(|c| unprintable(&c))?)
            }
            (Format::Table, Verbosity::Normal) => printable(people),
            (Format::Table, Verbosity::Quiet) => bare.to_owned(),
        };
        write(&text)
    }

    /// Prints a text that is the same for people and programs: a script, a document, a part of a long list.
    pub(crate) fn script(&self, text: &str) -> Result<Reader, Failure> {
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
        self.progress_of("records")
    }

    /// As [`Self::progress`], where not records are counted.
    pub(crate) fn progress_of(&self, counted: &str) -> Progress {
        if self.talks_to_people() { Progress::on_terminal(counted) } else { Progress::hidden() }
    }

    /// Says to whoever ended a command by a signal what that leaves behind.
    pub(crate) fn ended(&self, text: &str) {
        say(&format!("{}: {}", self.paint("33", "interrupted"), printable(text)));
    }

    /// Asks a person; the answer is typed on the same line.
    pub(crate) fn prompt(&self, question: &str) {
        let _nowhere_to_tell =
            write!(io::stderr(), "{question}: ").and_then(|()| io::stderr().flush());
    }

    /// Says what failed, the server's code, the request id, and what to do next.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.exit == Exit::Interrupted {
            return;
        }
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

    /// Whether more than the answer is wanted.
    pub(crate) fn talks_to_people(&self) -> bool {
        self.format == Format::Table && self.verbosity == Verbosity::Normal
    }

    /// Whether only the bare value is wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    fn paint(&self, sgr: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Ends the line of a question that nobody answered.
pub(crate) fn line_end() {
    say("");
}

/// Aligns `rows` under `headers`, two spaces apart; below each other where a terminal is narrower than that.
pub(crate) fn table<R>(headers: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    laid_out(headers, rows.into_iter().map(Vec::from_iter).collect(), columns_of_terminal())
}

/// How many columns the terminal has that standard output is; none where it is something else.
fn columns_of_terminal() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    // A terminal that nobody looks at has none.
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn laid_out(headers: &[&str], rows: Vec<Vec<String>>, columns: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headers);
    let text = align(&mut table, &rows);
    let widths = table.column_max_content_widths();
    let width = widths.iter().map(|width| usize::from(width + GAP)).sum::<usize>();
    if columns.is_none_or(|columns| width <= columns + usize::from(GAP)) {
        return text;
    }
    Vec::from_iter(rows.into_iter().map(|row| block(headers, row))).join("\n\n")
}

/// One row as names and values. A column without a name holds marks: one stands alone, none is left out.
fn block(headers: &[&str], row: Vec<String>) -> String {
    let pairs =
        headers.iter().zip(row).filter(|(name, value)| !(name.is_empty() && value.is_empty()));
    fields(pairs.map(|(name, value)| match name.is_empty() {
        true => (value, String::new()),
        false => (name.to_lowercase(), value),
    }))
}

/// Aligns names and values, one pair a line.
pub(crate) fn fields<N: Into<String>>(pairs: impl IntoIterator<Item = (N, String)>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let rows = pairs.into_iter().map(|(name, value)| [name.into(), value].to_vec());
    align(&mut table, &Vec::from_iter(rows))
}

fn align(table: &mut Table, rows: &[Vec<String>]) -> String {
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.trim_fmt()
}

/// The text as it goes to standard output: to a terminal without anything that it would obey, line by line.
fn shown(text: &str) -> Cow<'_, str> {
    if io::stdout().is_terminal() {
        Cow::Owned(Vec::from_iter(text.lines().map(printable)).join("\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Replaces what a terminal would obey instead of show: control characters, and those that turn the
/// direction of writing (<https://www.unicode.org/reports/tr9/>, table 4).
pub(crate) fn printable(text: &str) -> String {
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

fn print(text: &str) -> Result<Reader, Failure> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(Reader::There);
    }
    write(text)
}

fn write(text: &str) -> Result<Reader, Failure> {
    let mut stdout = io::stdout().lock();
    let line = text.trim_end_matches('\n');
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(cause) => Err(Failure::refused(format!("writing to standard output: {cause}"))),
    }
}

fn say(text: &str) {
    // One write: a server in this process logs to the same place.
    let _nowhere_to_tell = io::stderr().write_all(format!("{text}\n").as_bytes());
}

fn unprintable(cause: &dyn std::error::Error) -> Failure {
    Failure::refused(format!("writing the answer: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_end_without_white_space() {
        let rows = [["codecompany", "ACTIVE"], ["日本", "SUSPENDED"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let text = laid_out(&["SLUG", "STATUS"], rows.to_vec(), None);
        assert_eq!(text, "SLUG         STATUS\ncodecompany  ACTIVE\n日本         SUSPENDED");
    }

    #[test]
    fn a_table_wider_than_the_terminal_becomes_names_and_values() {
        let headers = ["", "SLUG", "STATUS"];
        let rows = [["*", "codecompany", "ACTIVE"], ["", "日本", "SUSPENDED"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let wide = "   SLUG         STATUS\n*  codecompany  ACTIVE\n   日本         SUSPENDED";
        for columns in [None, Some(300), Some(25)] {
            assert_eq!(laid_out(&headers, rows.to_vec(), columns), wide, "{columns:?}");
        }
        let narrow = "*\nslug    codecompany\nstatus  ACTIVE\n\nslug    日本\nstatus  SUSPENDED";
        for columns in [24, 1] {
            assert_eq!(laid_out(&headers, rows.to_vec(), Some(columns)), narrow, "{columns}");
        }
    }

    #[test]
    fn foreign_text_cannot_command_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c");
    }
}
