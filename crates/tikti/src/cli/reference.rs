//! What is there to know of every command? One page, written from the definitions of the commands.
//!
//! `docs/cli.md` is what the hidden command `tikti __reference` prints, and a test compares the two: an
//! option cannot exist without its line. With `--output json` it prints the examples, which a test runs.
//!
//! Spec: Command line.

use std::fmt::Write as _;

use clap::{Arg, Args, Command};
use serde::Serialize;

use crate::cli::examples::{self, Below};
use crate::context::Context;
use crate::exit::Failure;

/// Write the reference of all commands
#[derive(Args)]
pub(crate) struct ReferenceArgs {}

/// How a command ends.
pub(crate) const EXIT_CODES: [(&str, &str); 6] = [
    ("0", "done"),
    ("1", "the server refused, or something failed"),
    ("2", "authentication: no credential, or one that is not accepted"),
    ("3", "usage or configuration: the command line, the environment, a file"),
    ("4", "drift: a file and the server differ"),
    ("130", "ended by Ctrl-C; by another signal it is 128 and the number of that"),
];

/// What the environment says to the client.
pub(crate) const ENVIRONMENT: [(&str, &str); 8] = [
    ("TIKTI_HOST", "Address of the server, where `--host` names none"),
    ("TIKTI_API_KEY", "API key, where `--api-key` gives none"),
    ("TIKTI_TOKEN", "idToken to ask with, not the profile's session; it is never refreshed"),
    ("TIKTI_TENANT", "Tenant, by id or slug, where `--tenant` names none"),
    ("TIKTI_PROFILE", "Profile, where `--profile` names none"),
    ("HOME", "Where `.tikti` lies"),
    ("NO_COLOR", "No colours, whatever it says"),
    ("TIKTI__…", "Settings of `tikti serve`: `TIKTI__STORE__URL` is `store.url` of its file"),
];

/// What lies where.
pub(crate) const FILES: [(&str, &str); 2] = [
    ("~/.tikti/config.yaml", "Profiles, with their secrets; mode 0600, replaced in one step"),
    ("~/.tikti/dev", "What `tikti dev` keeps; mode 0700"),
];

const HEAD: &str = "# Command line

Written from the definitions of the commands by `tikti __reference`; a test compares this page with it, and
another runs every example. `tikti COMMAND --help` says the same, `tikti man --dir DIR` writes man pages.

Flags come before the environment, and the environment before the profile. Data goes to standard output,
everything said about it to standard error; `--output json` prints one JSON value, which is the server's reply
where a server was asked, and `--quiet` the bare value.
";

/// The examples of one command, for programs.
#[derive(Serialize)]
struct Examples {
    command: String,
    examples: Vec<String>,
}

/// `tree` is the whole command line, not yet built.
pub(crate) fn run(context: &Context, tree: Command) -> Result<(), Failure> {
    let tree = built(tree);
    let mut listed = Vec::new();
    walk(&tree, &mut |command| {
        let Below { examples, .. } = examples::below(command);
        listed.push(Examples { command: full_name(command), examples });
    });
    context.output.answer(&listed, &page(&tree), "")
}

/// The environment and the files, for the help of the program.
pub(crate) fn shared() -> String {
    let rows = |rows: &[(&str, &str)]| {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let lines = rows.iter().map(|(name, about)| {
            let about = about.replace('`', "");
            format!("  {name:width$}  {about}")
        });
        Vec::from_iter(lines).join("\n")
    };
    format!("Environment:\n{}\n\nFiles:\n{}", rows(&ENVIRONMENT), rows(&FILES))
}

/// The tree as it parses: every command with its full name and the global options.
pub(crate) fn built(tree: Command) -> Command {
    let mut tree = tree.disable_help_subcommand(true);
    tree.build();
    tree
}

/// Shows `visit` every command that is not hidden, a group before what lies in it.
pub(crate) fn walk<'c>(command: &'c Command, visit: &mut impl FnMut(&'c Command)) {
    visit(command);
    for child in command.get_subcommands().filter(|child| !child.is_hide_set()) {
        walk(child, visit);
    }
}

/// `tikti tenant create`
pub(crate) fn full_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(tree: &Command) -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "Exit codes", &EXIT_CODES, "code");
    section(&mut page, "Environment", &ENVIRONMENT, "variable");
    section(&mut page, "Files", &FILES, "file");
    page.push_str("\n## Global options\n\nThey may stand anywhere on the line.\n\n");
    options(&mut page, tree.get_arguments().filter(|arg| arg.is_global_set()));
    page.push_str("\n## Commands\n\n| command | |\n|---|---|\n");
    walk(tree, &mut |command| {
        if command.has_subcommands() {
            return;
        }
        let name = full_name(command);
        let anchor = name.replace(' ', "-");
        let _infallible =
            writeln!(page, "| [`{name}`](#{anchor}) | {} |", cell(&first_sentence(command)));
    });
    walk(tree, &mut |command| describe(&mut page, command));
    page
}

fn section(page: &mut String, title: &str, rows: &[(&str, &str)], head: &str) {
    let _infallible = writeln!(page, "\n## {title}\n\n| {head} | |\n|---|---|");
    for (name, about) in rows {
        let _infallible = writeln!(page, "| `{name}` | {about} |");
    }
}

/// A command: what it does, how it is written, its options, its examples.
fn describe(page: &mut String, command: &Command) {
    let name = full_name(command);
    let depth = if name.split(' ').count() > 2 { "###" } else { "##" };
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _infallible = writeln!(page, "\n{depth} {name}\n\n{}", sentence(&about));
    if command.has_subcommands() && command.get_after_help().is_none() {
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _infallible = writeln!(page, "\n```text\n{usage}\n```");
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && !is_of_clap(arg);
    let mut own = command.get_arguments().filter(own).peekable();
    if own.peek().is_some() {
        page.push('\n');
        options(page, own);
    }
    let Below { examples, notes } = examples::below(command);
    if !examples.is_empty() {
        let _infallible = writeln!(page, "\n```sh\n{}\n```", examples.join("\n"));
    }
    if !notes.is_empty() {
        let _infallible = writeln!(page, "\n```text\n{notes}\n```");
    }
}

fn options<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| option | |\n|---|---|\n");
    for arg in arguments {
        let _infallible = writeln!(page, "| `{}` | {} |", cell(&spelled(arg)), cell(&told(arg)));
    }
}

/// `-q, --quiet`, `--slug <SLUG>`, `<REF>`
fn spelled(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(_)) => format!("-{short}, {arg}"),
        _ => arg.to_string(),
    }
}

/// What an option is, which values it takes, what it is without, and how older clients call it.
fn told(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    let mut told = help.unwrap_or_default();
    let values = arg.get_possible_values();
    let values = Vec::from_iter(values.iter().map(|value| value.get_name()));
    if arg.get_action().takes_values() && !values.is_empty() && values != ["true", "false"] {
        let _infallible = write!(told, " [possible values: {}]", values.join(", "));
    }
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let defaults = Vec::from_iter(defaults);
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let _infallible = write!(told, " [default: {}]", defaults.join(", "));
    }
    let aliases = arg.get_all_aliases().unwrap_or_default();
    if !aliases.is_empty() {
        let aliases = Vec::from_iter(aliases.iter().map(|alias| format!("`--{alias}`")));
        let _infallible = write!(told, " [also {}]", aliases.join(", "));
    }
    told
}

/// `--help` and `--version`, which everything has.
fn is_of_clap(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn first_sentence(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// Ends the first paragraph as a sentence ends.
fn sentence(about: &str) -> String {
    let (first, rest) = about.split_once("\n\n").unwrap_or((about, ""));
    let end = if first.ends_with('.') { "" } else { "." };
    if rest.is_empty() { format!("{first}{end}") } else { format!("{first}{end}\n\n{rest}") }
}

/// A text without line ends.
pub(crate) fn one_line(text: &str) -> String {
    Vec::from_iter(text.split_whitespace()).join(" ")
}

/// A text that stays in its cell of a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}
