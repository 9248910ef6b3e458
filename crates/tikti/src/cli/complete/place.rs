//! Where in the command tree is the cursor, and what has been given before it?
//!
//! Pure: a walk over the words, which believes nothing that it cannot find in the tree.

use clap::{Arg, ArgAction, Command};

/// Where the cursor is.
pub(super) struct Place<'t> {
    pub(super) command: &'t Command,
    pub(super) wanted: Wanted<'t>,
    /// What has been typed of it.
    pub(super) typed: &'t str,
    /// What stands before it in the same word: `--tenant=`.
    pub(super) prefix: &'t str,
    /// Names of the command and of those above it, without the program's.
    path: Vec<&'t str>,
    /// The options that were given with a value, by name.
    given: Vec<(&'t str, &'t str)>,
}

/// What may stand there.
#[derive(Debug, PartialEq)]
pub(super) enum Wanted<'t> {
    Command,
    Option,
    Value(&'t Arg),
    Nothing,
}

impl<'t> Place<'t> {
    pub(super) fn path(&self) -> &[&'t str] {
        &self.path
    }

    /// The value that the option `long` was given last.
    pub(super) fn given(&self, long: &str) -> Option<&'t str> {
        let of_it = self.given.iter().rev().find(|(name, _)| *name == long);
        of_it.map(|(_, value)| *value)
    }
}

/// Finds the place after the words `before`, the program's name first, in the word `current`.
///
/// `tree` is built, so that every command knows the global options.
pub(super) fn find<'t>(tree: &'t Command, before: &'t [String], current: &'t str) -> Place<'t> {
    let mut walk = Walk {
        command: tree,
        path: Vec::new(),
        given: Vec::new(),
        positionals: 0,
        pending: None,
        only_positionals: false,
    };
    for word in before.iter().skip(1) {
        walk.pass(word);
    }
    let (wanted, prefix, typed) = walk.wanted(current);
    Place { command: walk.command, wanted, typed, prefix, path: walk.path, given: walk.given }
}

struct Walk<'t> {
    command: &'t Command,
    path: Vec<&'t str>,
    given: Vec<(&'t str, &'t str)>,
    positionals: usize,
    /// The option whose value comes next.
    pending: Option<&'t Arg>,
    /// After `--`.
    only_positionals: bool,
}

impl<'t> Walk<'t> {
    fn pass(&mut self, word: &'t str) {
        if let Some(arg) = self.pending.take() {
            self.take(arg, word);
        } else if self.only_positionals || !word.starts_with('-') || word == "-" {
            self.pass_positional(word);
        } else if word == "--" {
            self.only_positionals = true;
        } else {
            let (name, value) = split_value(word);
            match (self.option(name).filter(|arg| takes_value(arg)), value) {
                (Some(arg), Some(value)) => self.take(arg, value),
                (Some(arg), None) => self.pending = Some(arg),
                (None, _) => {}
            }
        }
    }

    fn pass_positional(&mut self, word: &'t str) {
        let child = self.command.find_subcommand(word).filter(|_| self.positionals == 0);
        match child.filter(|_| !self.only_positionals) {
            Some(child) => {
                self.command = child;
                self.path.push(child.get_name());
            }
            None => self.positionals += 1,
        }
    }

    fn take(&mut self, arg: &'t Arg, value: &'t str) {
        if let Some(long) = arg.get_long() {
            self.given.push((long, value));
        }
    }

    fn wanted(&self, current: &'t str) -> (Wanted<'t>, &'t str, &'t str) {
        if let Some(arg) = self.pending {
            return (Wanted::Value(arg), "", current);
        }
        if self.only_positionals || !current.starts_with('-') {
            return (self.positional(), "", current);
        }
        let (name, value) = split_value(current);
        let (Some(value), Some(arg)) = (value, self.option(name)) else {
            return (Wanted::Option, "", current);
        };
        let prefix = current.strip_suffix(value).unwrap_or_default();
        (Wanted::Value(arg), prefix, value)
    }

    /// A command where there are some, or the next positional argument; the last may stand often.
    fn positional(&self) -> Wanted<'t> {
        if self.command.has_subcommands() && self.positionals == 0 && !self.only_positionals {
            return Wanted::Command;
        }
        let all = Vec::from_iter(self.command.get_positionals());
        let often = |arg: &&&Arg| arg.get_num_args().is_some_and(|many| many.max_values() > 1);
        let next = all.get(self.positionals).or(all.last().filter(often));
        next.map_or(Wanted::Nothing, |arg| Wanted::Value(arg))
    }

    /// The option that `name` is, with its dashes; of several short ones in one word, the last.
    fn option(&self, name: &str) -> Option<&'t Arg> {
        let Some(long) = name.strip_prefix("--") else {
            let short = name.chars().next_back();
            return self.command.get_arguments().find(|arg| arg.get_short() == short);
        };
        let is_it = |arg: &&Arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long() == Some(long) || aliases.contains(&long)
        };
        self.command.get_arguments().find(is_it)
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// `--tenant` and its value, where that stands in the same word.
fn split_value(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) if word.starts_with("--") => (name, Some(value)),
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Command {
        let option = |name: &'static str| Arg::new(name).long(name);
        let mut tree = Command::new("tikti")
            .arg(option("profile").global(true))
            .arg(option("quiet").short('q').action(ArgAction::SetTrue).global(true))
            .subcommand(
                Command::new("role").alias("rolle").subcommand(
                    Command::new("get")
                        .arg(option("tenant").alias("mandant"))
                        .arg(Arg::new("name"))
                        .arg(Arg::new("more").num_args(1..)),
                ),
            );
        tree.build();
        tree
    }

    fn told(line: &str) -> String {
        let tree = tree();
        let words = Vec::from_iter(line.split(' ').map(str::to_owned));
        let (current, before) = words.split_last().unwrap();
        let place = find(&tree, before, current);
        let wanted = match &place.wanted {
            Wanted::Value(arg) => format!("value of {}", arg.get_id()),
            other => format!("{other:?}"),
        };
        let tenant = place.given("tenant").unwrap_or("-");
        format!("{} {wanted} {}|{} {tenant}", place.path().join("/"), place.prefix, place.typed)
    }

    #[test]
    fn the_place_of_the_cursor_is_found() {
        for (line, place) in [
            ("tikti ", " Command | -"),
            ("tikti ro", " Command |ro -"),
            ("tikti --", " Option |-- -"),
            ("tikti --profile ", " value of profile | -"),
            ("tikti --profile role", " value of profile |role -"),
            ("tikti -q rolle ", "role Command | -"),
            ("tikti role get ", "role/get value of name | -"),
            ("tikti role get --tenant co", "role/get value of tenant |co -"),
            ("tikti role get --mandant=co", "role/get value of tenant --mandant=|co -"),
            ("tikti role get --tenant a B", "role/get value of name |B a"),
            ("tikti role get --mandant=a --tenant=b B", "role/get value of name |B b"),
            ("tikti role get a b c", "role/get value of more |c -"),
            ("tikti role get -- --x", "role/get value of name |--x -"),
            ("tikti role get --nonsense x ", "role/get value of more | -"),
            ("tikti nonsense ", " Nothing | -"),
        ] {
            assert_eq!(told(line), place, "{line}");
        }
    }
}
