//! `tikti user`: the users of a deployment.
//!
//! Spec: Command line, `user`.

use clap::Subcommand;

use super::user_import;
use crate::context::Context;
use crate::exit::Failure;

/// Import users of another system
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    Import(user_import::ImportArgs),
}

pub(crate) async fn run(context: &Context, command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Import(args) => {
            context.refuse_server_options("user import")?;
            user_import::run(context, args).await
        }
    }
}
