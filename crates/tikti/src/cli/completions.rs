//! `tikti completions`: what a shell needs to complete a command line.

use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

use crate::context::Context;
use crate::exit::Failure;

/// Print the completions of a shell
#[derive(Args)]
#[command(after_help = "\
Example:
  tikti completions bash > ~/.local/share/bash-completion/completions/tikti
  tikti completions zsh > ~/.zfunc/_tikti
  tikti completions fish > ~/.config/fish/completions/tikti.fish")]
pub(crate) struct CompletionsArgs {
    /// Shell to complete in
    shell: SupportedShell,
}

#[derive(Clone, Copy, ValueEnum)]
enum SupportedShell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(
    context: &Context,
    args: &CompletionsArgs,
    mut tree: Command,
) -> Result<(), Failure> {
    let shell = match args.shell {
        SupportedShell::Bash => Shell::Bash,
        SupportedShell::Zsh => Shell::Zsh,
        SupportedShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut tree, "tikti", &mut script);
    context.output.script(&String::from_utf8_lossy(&script))
}
