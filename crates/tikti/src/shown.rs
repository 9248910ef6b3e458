//! How is one thing shown, and how are many? The form that every command gives what a server answers.
//!
//! A command says which columns a thing has and what names it; how that is printed, for people and for
//! programs, is decided here and in [`crate::output`].
//!
//! Spec: Command line, "Output".

use serde::Serialize;

use crate::exit::Failure;
use crate::output::{self, Output, Reader};

/// What can be shown: a tenant, a role, a worker.
pub(crate) trait Shown: Serialize {
    /// Heads of the columns, in capitals.
    const COLUMNS: &'static [&'static str];

    /// What names it in the next command; the bare value of `--quiet`.
    fn name(&self) -> String;

    /// One cell a column.
    fn cells(&self) -> Vec<String>;
}

/// Shows one thing: a name and a value a line for people, itself for programs.
pub(crate) fn one<T: Shown>(output: &Output, thing: &T) -> Result<(), Failure> {
    let names = T::COLUMNS.iter().map(|name| name.to_lowercase());
    let pairs = names.zip(thing.cells());
    output.answer(thing, &output::fields(pairs), &thing.name())
}

/// Shows what was made or changed: `said` to people, itself to programs.
pub(crate) fn done<T: Shown>(output: &Output, said: &str, thing: &T) -> Result<(), Failure> {
    output.done(said);
    output.answer(thing, "", &thing.name())
}

/// Shows what was made together with the secret that its reply alone holds: the bare secret is the answer.
/// A reply that has none says so.
///
/// Errors: as [`once`].
pub(crate) fn secret(
    output: &Output,
    said: &str,
    reply: &impl Serialize,
    secret: Option<&str>,
) -> Result<(), Failure> {
    output.done(said);
    let Some(secret) = secret else {
        return output.answer(reply, "", "");
    };
    output.note("It is shown this once: keep it now, nobody can show it again");
    once(output, reply, (secret, secret))
}

/// Shows an answer with a secret that nobody can show again: `people` and `bare` as [`Output::answer`].
///
/// Errors: exit code 1 where nobody has read it.
pub(crate) fn once(
    output: &Output,
    answer: &impl Serialize,
    (people, bare): (&str, &str),
) -> Result<(), Failure> {
    match output.answer_to(answer, people, bare)? {
        Reader::There => Ok(()),
        Reader::Gone => {
            let lost = "the secret that was made is lost: nobody reads standard output any more";
            Err(Failure::refused(lost).next("make another one, and see to it that it is read"))
        }
    }
}

/// Shows many things: a table for people, `reply` for programs. `none` is said to people where there is
/// nothing: how the first one is made.
pub(crate) fn many<T: Shown>(
    output: &Output,
    reply: &impl Serialize,
    things: &[T],
    none: &str,
) -> Result<(), Failure> {
    let names = Vec::from_iter(things.iter().map(Shown::name)).join("\n");
    if things.is_empty() {
        return output.answer(reply, none, "");
    }
    let rows = things.iter().map(Shown::cells);
    output.answer(reply, &output::table(T::COLUMNS, rows), &names)
}

/// A value that may be absent.
pub(crate) fn or_none(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// A list in one cell.
pub(crate) fn listed(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(" ") }
}

/// Yes or no, in one cell.
pub(crate) fn yes(is: bool) -> String {
    if is { "yes" } else { "-" }.to_owned()
}
