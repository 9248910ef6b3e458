//! `tikti man`: what does the reader of man pages find? One page a command, written from its definition.
//!
//! The page of the program holds what all commands share: exit codes, environment, files.
//!
//! Spec: Command line, `man`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use crate::cli::examples::{self, Below};
use crate::cli::reference::{self, ENVIRONMENT, EXIT_CODES, FILES};
use crate::context::Context;
use crate::exit::Failure;

/// Write man pages: that of a command, or all of them into a directory
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti man --dir ~/.local/share/man/man1
  tikti man token exchange > tikti-token-exchange.1")]
pub(crate) struct ManArgs {
    /// Command whose page is printed [default: the program's own page]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Directory to write one page for each command into; made where it is missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    directory: String,
    pages: Vec<String>,
}

/// `tree` is the whole command line, not yet built.
pub(crate) fn run(context: &Context, args: &ManArgs, tree: Command) -> Result<(), Failure> {
    let tree = reference::built(tree);
    match &args.dir {
        Some(directory) => write_all(context, &tree, directory),
        None => {
            let page = page(find(&tree, &args.command)?).map_err(|cause| unwritten(&cause))?;
            context.output.script(&String::from_utf8_lossy(&page)).map(|_| ())
        }
    }
}

fn find<'t>(tree: &'t Command, words: &[String]) -> Result<&'t Command, Failure> {
    let mut found = tree;
    for word in words {
        let child = found.find_subcommand(word).filter(|child| !child.is_hide_set());
        found = child.ok_or_else(|| {
            Failure::usage(format!("there is no command `tikti {}`", words.join(" ")))
                .next("`tikti help` lists them")
        })?;
    }
    Ok(found)
}

fn write_all(context: &Context, tree: &Command, directory: &Path) -> Result<(), Failure> {
    let file_failure = |path: &Path, cause| Failure::file("writing", path, &cause);
    fs::create_dir_all(directory).map_err(|cause| Failure::file("making", directory, &cause))?;
    let mut commands = Vec::new();
    reference::walk(tree, &mut |command| commands.push(command));
    let mut pages = Vec::new();
    for command in commands {
        let name = format!("{}.1", title(command));
        let path = directory.join(&name);
        let text = page(command).map_err(|cause| unwritten(&cause))?;
        fs::write(&path, text).map_err(|cause| file_failure(&path, cause))?;
        pages.push(name);
    }
    context.output.done(&format!("{} man pages written to {}", pages.len(), directory.display()));
    let names = pages.join("\n");
    let written = Written { directory: directory.display().to_string(), pages };
    context.output.answer(&written, "", &names)
}

/// `tikti-tenant-create`
fn title(command: &Command) -> String {
    reference::full_name(command).replace(' ', "-")
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(title(command))
        // Nothing at all would be left out, and the source take its place.
        .date(" ")
        .source(concat!("tikti ", env!("CARGO_PKG_VERSION")))
        .manual("Tikti");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    below(command).to_writer(&mut page)?;
    Ok(page)
}

/// What follows the options: examples, notes, and on the program's page what all commands share.
fn below(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let Below { examples, notes } = examples::below(command);
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        verbatim(&mut roff, &examples.join("\n"));
    }
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        verbatim(&mut roff, &notes);
    }
    if title(command) == "tikti" {
        terms(&mut roff, "EXIT STATUS", &EXIT_CODES);
        terms(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        terms(&mut roff, "FILES", &FILES);
    } else {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold("tikti"), roman("(1): exit status, environment and files")]);
    }
    roff
}

/// Lines that stay as they are.
fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
}

fn terms(roff: &mut Roff, head: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [head]);
    for (name, about) in rows {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(about.replace('`', ""))]);
    }
}

fn unwritten(cause: &io::Error) -> Failure {
    Failure::refused(format!("writing the page: {cause}"))
}
