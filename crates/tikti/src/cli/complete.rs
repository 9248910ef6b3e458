//! What may stand where the cursor is? The hidden command that the scripts of `tikti completions` call.
//!
//! It answers within a second or not at all: names come from the server of the profile under a time limit,
//! nothing is refreshed, asked or warned of, and whatever goes wrong is no completion. A server may be
//! hostile and a shell obeys what it reads, so a name with anything but letters, digits and `._-@+:/` is
//! not offered.
//!
//! Our own walk and not clap_complete's: what that knows of a server is still `unstable-dynamic` in 4.6,
//! wants unstable parts of clap and a variable of the environment that makes every command something else,
//! and its scripts let the shell expand what a candidate holds.
//!
//! Spec: Command line, `completions`.

mod line;
mod names;
mod place;

use std::ffi::OsString;

use clap::{Arg, Args, Command, ValueHint};

use self::place::{Place, Wanted};
use crate::cli::reference;
use crate::context::Context;
use crate::exit::Failure;

/// Complete a command line
#[derive(Args)]
pub(crate) struct CompleteArgs {
    /// The line up to the cursor, where the shell does not split it as the program would
    #[arg(long, allow_hyphen_values = true)]
    line: Option<String>,
    /// Characters at which that shell begins a new word
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    breaks: String,
    /// The words up to the cursor, the program's name first
    #[arg(last = true)]
    words: Vec<OsString>,
}

/// The line that asks the shell for the names of files.
const FILES: &str = ":files";

/// One word that may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    word: String,
    about: String,
}

/// `tree` is the whole command line, not yet built. There is no failure: no completion is one.
pub(crate) fn run(context: &Context, args: &CompleteArgs, tree: Command) -> Result<(), Failure> {
    let mut tree = tree;
    tree.build();
    let given = args.words.iter().map(|word| word.to_string_lossy().into_owned());
    let split = args.line.as_deref().map(line::split);
    let (words, is_quoted) = split.unwrap_or_else(|| (given.collect(), false));
    let Some((current, before)) = words.split_last() else {
        return Ok(());
    };
    let breaks = if is_quoted { "" } else { args.breaks.as_str() };
    let kept = line::replaced_from(current, breaks);
    let found = candidates(context, &place::find(&tree, before, current));
    let mut lines = Vec::new();
    for Candidate { word, about } in found {
        // The shell replaces only what follows the last break.
        let word = if word == FILES { FILES } else { word.get(kept..).unwrap_or_default() };
        lines.push(format!("{word}\t{about}"));
    }
    context.output.script(&lines.join("\n")).map(|_| ())
}

fn candidates(context: &Context, place: &Place<'_>) -> Vec<Candidate> {
    match &place.wanted {
        Wanted::Command => commands(place),
        Wanted::Option => options(place),
        Wanted::Value(arg) => values(context, place, arg),
        Wanted::Nothing => Vec::new(),
    }
}

fn commands(place: &Place<'_>) -> Vec<Candidate> {
    let visible = place.command.get_subcommands().filter(|command| !command.is_hide_set());
    let named = visible.map(|command| Candidate {
        word: command.get_name().to_owned(),
        about: command.get_about().map(|about| first_line(&about.to_string())).unwrap_or_default(),
    });
    named.filter(|candidate| candidate.word.starts_with(place.typed)).collect()
}

fn options(place: &Place<'_>) -> Vec<Candidate> {
    let visible = place.command.get_arguments().filter(|arg| !arg.is_hide_set());
    let named = visible.filter_map(|arg| {
        let word = format!("--{}", arg.get_long()?);
        let about = arg.get_help().map(|help| first_line(&help.to_string())).unwrap_or_default();
        Some(Candidate { word, about })
    });
    named.filter(|candidate| candidate.word.starts_with(place.typed)).collect()
}

/// The values of an argument; of several with commas between them, the last.
fn values(context: &Context, place: &Place<'_>, arg: &Arg) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let visible = possible.iter().filter(|value| !value.is_hide_set());
        let found = visible.map(|value| Candidate {
            word: value.get_name().to_owned(),
            about: value.get_help().map(|help| first_line(&help.to_string())).unwrap_or_default(),
        });
        return fitting(found, place.typed, place.prefix);
    }
    if let Some(kind) = names::kind_of(place.path(), arg) {
        let (listed, last) = match place.typed.rfind([',', ' ']) {
            Some(end) => place.typed.split_at(end + 1),
            None => ("", place.typed),
        };
        let found = names::of(context, kind, place).into_iter();
        let found = found.filter(|word| is_plain(word));
        let found = found.map(|word| Candidate { word, about: String::new() });
        return fitting(found, last, &format!("{}{listed}", place.prefix));
    }
    if names_a_file(arg) {
        return vec![Candidate { word: FILES.to_owned(), about: String::new() }];
    }
    Vec::new()
}

fn fitting(found: impl Iterator<Item = Candidate>, typed: &str, prefix: &str) -> Vec<Candidate> {
    let fitting = found.filter(|candidate| candidate.word.starts_with(typed));
    fitting
        .map(|candidate| Candidate { word: format!("{prefix}{}", candidate.word), ..candidate })
        .collect()
}

fn names_a_file(arg: &Arg) -> bool {
    let is_named = |name: &clap::builder::Str| name.contains("FILE") || name.contains("DIR");
    !matches!(arg.get_value_hint(), ValueHint::Unknown | ValueHint::Other)
        || arg.get_value_names().unwrap_or_default().iter().any(is_named)
}

/// Whether a shell can read it and do nothing but read it.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+:/".contains(c);
    (1..=256).contains(&word.len()) && !word.starts_with('-') && word.chars().all(plain)
}

fn first_line(text: &str) -> String {
    reference::one_line(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_shell_would_obey_is_not_offered() {
        for hostile in [
            "$(touch pwned)",
            "`id`",
            "a;id",
            "a|b",
            "a&b",
            "a>b",
            "a b",
            "a\nb",
            "a\tb",
            "a'b",
            "a\"b",
            "a\\b",
            "*",
            "a?",
            "[a]",
            "{a,b}",
            "~root",
            "!1",
            "#a",
            "-rf",
            "--yes",
            "",
            "a=b",
            "\u{1b}[2J",
            "\u{202e}a",
            "ä",
            "a(b)",
        ] {
            assert!(!is_plain(hostile), "{hostile:?}");
        }
        for name in [
            "codecompany",
            "t-01m80pws9m630v33m52hrbahke",
            "BILLING",
            "worker-01",
            "ann+x@example.org",
            "https://api.example/billing",
            "tikti.admin_1",
        ] {
            assert!(is_plain(name), "{name}");
        }
    }
}
