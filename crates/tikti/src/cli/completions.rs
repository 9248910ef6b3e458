//! `tikti completions`: what a shell needs to complete a command line.
//!
//! The scripts know nothing themselves: they ask `tikti __complete`, so that they need not be made again
//! when a command is new, and names of the server can be completed. They run the `tikti` of the PATH, never
//! the file that is named on the line.

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::exit::Failure;

/// Print the completions of a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti completions bash > ~/.local/share/bash-completion/completions/tikti
  tikti completions zsh > ~/.zfunc/_tikti
  tikti completions fish > ~/.config/fish/completions/tikti.fish

Or, for this shell alone: source <(tikti completions bash). In zsh, ~/.zfunc must be in fpath.
Names of tenants, clients, roles, workers, members and sessions come from the server of the
profile, as long as the session holds; a server that does not answer within a second is not
waited for.")]
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

pub(crate) fn run(context: &Context, args: &CompletionsArgs) -> Result<(), Failure> {
    let script = match args.shell {
        SupportedShell::Bash => include_str!("completions/tikti.bash"),
        SupportedShell::Zsh => include_str!("completions/tikti.zsh"),
        SupportedShell::Fish => include_str!("completions/tikti.fish"),
    };
    context.output.script(script).map(|_| ())
}
