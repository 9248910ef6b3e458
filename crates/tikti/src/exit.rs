//! How does a command end? The exit codes, and the one error type that carries them.
//!
//! A [`Failure`] always knows its exit code: a new way to fail cannot be written without choosing one.
//!
//! Spec: Command line, "Exit codes".

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use tikti_server::api::ErrorReply;

use crate::next_step;

/// The exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    /// The server said no, or something broke.
    Refused = 1,
    /// Who is asking is not settled: no credential, or one that is not accepted.
    Authentication = 2,
    /// The command line, the environment, a file or the directory of a server is at fault.
    Usage = 3,
    /// A server is not as a file says, or has not taken all that there was.
    Drift = 4,
    /// A person ended it with Ctrl-C; the number that a shell gives for that.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command was not done, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// What the server answered, where it was the server that refused.
    pub(crate) reply: Option<Box<ErrorReply>>,
    pub(crate) next: Option<String>,
    /// Whether no server has got the request, since there was no connection.
    pub(crate) is_unsent: bool,
}

impl Failure {
    fn new(exit: Exit, message: String) -> Self {
        Self { exit, message, reply: None, next: None, is_unsent: false }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message.into())
    }

    pub(crate) fn authentication(message: impl Into<String>) -> Self {
        Self::new(Exit::Authentication, message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message.into())
    }

    /// A person ended the command, and needs not be told.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, String::new())
    }

    /// A file or directory that could not be used; `doing` is a verb in -ing.
    pub(crate) fn file(doing: &str, path: &Path, cause: &std::io::Error) -> Self {
        Self::usage(format!("{doing} {}: {cause}", path.display()))
    }

    /// An error and its causes, outermost first; one that its outer error already told is left out.
    pub(crate) fn chain(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let told = inner.to_string();
            if !text.contains(&told) {
                text = format!("{text}: {told}");
            }
            cause = inner.source();
        }
        text
    }

    /// A refusal of the server: 401 is about who asks, everything else is a refusal.
    pub(crate) fn from_reply(status: u16, reply: ErrorReply) -> Self {
        let exit = match status {
            401 => Exit::Authentication,
            _ => Exit::Refused,
        };
        Self {
            exit,
            message: reply.error.clone(),
            next: next_step::for_code(&reply.code).map(str::to_owned),
            reply: Some(Box::new(reply)),
            is_unsent: false,
        }
    }

    /// Adds what to do next; a later hint replaces an earlier one.
    pub(crate) fn next(mut self, hint: impl Into<String>) -> Self {
        self.next = Some(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: &str) -> ErrorReply {
        ErrorReply {
            error: "no".into(),
            code: code.into(),
            details: Default::default(),
            request_id: "01J".into(),
        }
    }

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let all = [Exit::Done, Exit::Refused, Exit::Authentication, Exit::Usage, Exit::Drift];
        assert_eq!(all.map(|exit| exit as u8), [0, 1, 2, 3, 4]);
        assert_eq!(Exit::Interrupted as u8, 130);
    }

    #[test]
    fn unauthorized_is_2_and_every_other_refusal_is_1() {
        for (status, code, exit) in [
            (401, "TOKEN_EXPIRED", Exit::Authentication),
            (401, "INVALID_API_KEY", Exit::Authentication),
            (403, "SCOPE_NOT_PERMITTED", Exit::Refused),
            (404, "TENANT_NOT_FOUND", Exit::Refused),
            (503, "STORE_UNAVAILABLE", Exit::Refused),
        ] {
            assert_eq!(Failure::from_reply(status, reply(code)).exit, exit, "{code}");
        }
    }
}
