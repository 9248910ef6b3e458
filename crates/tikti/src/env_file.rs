//! What does a process need to be a worker? A file of settings, `NAME=value` a line, as Docker, systemd and a
//! shell read it.
//!
//! Lines of others stay as they are. Values that a shell would read otherwise are quoted, so the lists of
//! scopes have commas and no spaces. The file holds a secret: it has no `Debug`, and no error tells a value.
//!
//! Spec: Command line, `worker provision`.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::exit::Failure;
use crate::private_file;

/// More than the settings of any process.
const MAX_BYTES: u64 = 256 * 1024;

/// Settings, line by line.
#[derive(Clone, Default)]
pub(crate) struct EnvFile {
    lines: Vec<String>,
}

impl EnvFile {
    /// Reads the file.
    ///
    /// Errors: exit code 3 where it is not there, and where a line is none of a file of settings.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        Self::find(file)?.ok_or_else(|| {
            let cause = std::io::Error::from(ErrorKind::NotFound);
            Failure::file("reading", file, &cause)
                .next("`tikti worker provision WORKER --write-env FILE` writes one")
        })
    }

    /// As [`Self::read`]; none where there is no file.
    pub(crate) fn find(file: &Path) -> Result<Option<Self>, Failure> {
        let mut text = String::new();
        let read = File::open(file)
            .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_string(&mut text));
        match read {
            Ok(_) if text.len() as u64 > MAX_BYTES => {
                Err(Failure::usage(format!("{} is too long for settings", file.display())))
            }
            Ok(_) => Self::parse(file, &text).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(Failure::file("reading", file, &cause)),
        }
    }

    fn parse(file: &Path, text: &str) -> Result<Self, Failure> {
        let lines = Vec::from_iter(text.lines().map(str::to_owned));
        let is_setting = |line: &str| is_comment(line) || pair(line).is_some();
        match lines.iter().position(|line| !is_setting(line)) {
            Some(index) => Err(Failure::usage(format!(
                "{}, line {}: this is no NAME=value",
                file.display(),
                index + 1
            ))),
            None => Ok(Self { lines }),
        }
    }

    /// The last value of a name; an empty one says nothing.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let pairs = self.lines.iter().rev().filter_map(|line| pair(line));
        let found = pairs.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| unquoted(value)).filter(|value| !value.is_empty())
    }

    /// Sets a name where it stands, or at the end; without a value it is taken out.
    ///
    /// Errors: exit code 1 for a value that would be more than one line, or that no reader takes as it is.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        if value.is_some_and(|value| value.contains(char::is_control)) {
            return Err(Failure::refused(format!("the value of {name} is none of a setting")));
        }
        let is_named = |line: &String| pair(line).is_some_and(|(known, _)| known == name);
        let place = self.lines.iter().position(is_named).unwrap_or(self.lines.len());
        self.lines.retain(|line| !is_named(line));
        if let Some(value) = value {
            self.lines.insert(place.min(self.lines.len()), format!("{name}={}", quoted(value)));
        }
        Ok(())
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    pub(crate) fn add_line(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    pub(crate) fn remove_lines(&mut self, is_meant: impl Fn(&str) -> bool) {
        self.lines.retain(|line| !is_meant(line));
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// Writes the file, which is its owner's alone.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        private_file::replace(file, &self.text())
    }
}

/// Whether others on this machine can read the file.
pub(crate) fn is_open(file: &Path) -> bool {
    let mode = |permissions: Permissions| permissions.mode();
    file.metadata().is_ok_and(|found| mode(found.permissions()) & 0o077 != 0)
}

fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Name and value of a line, as they stand.
fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value.trim()))
}

/// An apostrophe between apostrophes, as a shell reads it.
const APOSTROPHE: &str = r"'\''";

fn unquoted(value: &str) -> String {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let simple = within('\'').map(|value| value.replace(APOSTROPHE, "'"));
    simple.unwrap_or_else(|| within('"').unwrap_or(value).to_owned())
}

/// Quotes what a shell would read otherwise, between apostrophes, where it expands nothing. Docker takes the
/// quotes for a part of the value, so that what needs none gets none.
pub(crate) fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/,@%+=*?[]{}^".contains(c);
    if value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', APOSTROPHE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> EnvFile {
        EnvFile::parse(Path::new("f"), text).unwrap()
    }

    #[test]
    fn what_others_write_is_read() {
        let file = parse("# a\n\nA=1\nexport B = two\nC='x y'\nD=\"z\"\nE=\nA=2\nF='a=b'\n");
        let values = ["A", "B", "C", "D", "E", "F", "G"].map(|name| file.get(name));
        let expected = [Some("2"), Some("two"), Some("x y"), Some("z"), None, Some("a=b"), None];
        assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn what_is_set_is_read_again_and_the_lines_of_others_stay() {
        let mut file = parse("# mine\nOTHER=1\nTIKTI_HOST=old\n  \nLAST=x");
        file.set("TIKTI_HOST", Some("http://127.0.0.1:8080")).unwrap();
        file.set("TIKTI_EVENT_TYPES", Some("a;b,c d")).unwrap();
        file.set("LAST", None).unwrap();
        assert_eq!(
            file.text(),
            "# mine\nOTHER=1\nTIKTI_HOST=http://127.0.0.1:8080\n  \nTIKTI_EVENT_TYPES='a;b,c d'\n"
        );
        for odd in ODD {
            file.set("ODD", Some(odd)).unwrap();
            assert_eq!(parse(&file.text()).get("ODD").unwrap(), odd);
        }
    }

    /// What scopes and ids may hold, and a shell would run.
    const ODD: [&str; 11] = [
        "*",
        "a'b",
        "$(x)",
        "~",
        "a b",
        "x\"y",
        "ws_Az09",
        "'$(echo run)",
        "`echo run`'",
        "a'b'\"$HOME",
        "\\'",
    ];

    #[test]
    fn a_shell_runs_nothing_of_a_value() {
        for odd in ODD {
            let mut file = EnvFile::default();
            file.set("ODD", Some(odd)).unwrap();
            let script = format!("{}printf %s \"$ODD\"", file.text());
            let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), odd);
        }
    }

    #[test]
    fn a_value_never_becomes_a_second_line() {
        for bad in ["x\nLD_PRELOAD=/tmp/e.so", "x\r", "\u{1b}[2J"] {
            let mut file = EnvFile::default();
            let failure = file.set("TIKTI_WORKER_SECRET", Some(bad)).unwrap_err();
            assert_eq!(failure.message, "the value of TIKTI_WORKER_SECRET is none of a setting");
            assert_eq!(file.text(), "");
        }
    }

    #[test]
    fn a_line_that_is_no_setting_is_named_without_its_text() {
        for (text, line) in [("s3cret", 1), ("A=1\n\ns3cret here", 3), ("A-B=s3cret", 1)] {
            let failure = EnvFile::parse(Path::new("f.env"), text).err().unwrap();
            assert_eq!(failure.message, format!("f.env, line {line}: this is no NAME=value"));
        }
    }
}
