//! What does the help of a command show below its options? Its examples, and what else there is to say.
//!
//! Each command has examples, and each example is a script of `sh` that runs: a line, or several that end in
//! a `\`. They stand in the `after_help` of the command below a line `Example:`, indented by two spaces. What
//! an example is followed by behind a `#` is a comment, for the shell and for the reader.
//!
//! Spec: Command line.

use clap::Command;

/// The lines that examples stand below.
const HEADS: [&str; 3] = ["Example:", "Examples:", "Get started:"];

const INDENT: &str = "  ";

/// What stands below the options of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Below {
    /// Each a script, without the indentation.
    pub(crate) examples: Vec<String>,
    /// Everything else, as it stands there.
    pub(crate) notes: String,
}

/// Reads the `after_help` of `command`.
pub(crate) fn below(command: &Command) -> Below {
    let text = command.get_after_long_help().or(command.get_after_help());
    text.map_or_else(Below::default, |text| read(&text.to_string()))
}

fn read(text: &str) -> Below {
    let mut found = Below::default();
    let mut is_among_examples = false;
    let mut continues = false;
    for line in text.lines() {
        match line.strip_prefix(INDENT) {
            _ if HEADS.contains(&line) => is_among_examples = true,
            Some(script) if is_among_examples => {
                match found.examples.last_mut().filter(|_| continues) {
                    Some(begun) => {
                        begun.push('\n');
                        begun.push_str(script);
                    }
                    None => found.examples.push(script.to_owned()),
                }
                continues = script.ends_with('\\');
            }
            _ => {
                is_among_examples = false;
                found.notes.push_str(line);
                found.notes.push('\n');
            }
        }
    }
    found.notes = found.notes.trim_matches('\n').to_owned();
    found
}

/// The tree with two forms of help: `-h` ends with the examples, `--help` has the notes as well.
pub(crate) fn in_two_forms(command: Command) -> Command {
    let command = command.mut_subcommands(in_two_forms);
    let found = below(&command);
    if found.notes.is_empty() || found.examples.is_empty() {
        return command;
    }
    let whole = command.get_after_help().cloned().unwrap_or_default();
    let head = if found.examples.len() > 1 { "Examples:" } else { "Example:" };
    let mut short = head.to_owned();
    for line in found.examples.iter().flat_map(|example| example.lines()) {
        short.push('\n');
        short.push_str(INDENT);
        short.push_str(line);
    }
    command.after_help(short).after_long_help(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Examples:
  openssl rand -base64 32 > backup.key
  tikti token exchange --aud a \\
      --tenant b

A line:
  {\"id\":1}";

    #[test]
    fn examples_are_told_from_what_else_is_said() {
        let examples = [
            "openssl rand -base64 32 > backup.key",
            "tikti token exchange --aud a \\\n    --tenant b",
        ];
        let found = read(TEXT);
        assert_eq!(found.examples, examples);
        assert_eq!(found.notes, "A line:\n  {\"id\":1}");
        assert_eq!(
            read("Exit codes: none."),
            Below { examples: Vec::new(), notes: "Exit codes: none.".to_owned() }
        );
    }

    #[test]
    fn the_short_form_ends_with_the_examples() {
        let command = in_two_forms(Command::new("a").after_help(TEXT));
        let short = command.clone().render_help().to_string();
        let long = command.clone().render_long_help().to_string();
        assert!(short.trim_end().ends_with("--tenant b"), "{short}");
        assert!(long.trim_end().ends_with("{\"id\":1}"), "{long}");
        assert_eq!(below(&command), read(TEXT));
    }
}
