//! What does a person type, or a pipe hand over?
//!
//! Questions are asked on a terminal and nowhere else: a script never hangs on one. What is read is
//! bounded, and a password is taken exactly as given but for one line end.
//!
//! Spec: Command line, `init`, `auth` and `store`.

use std::fs::File;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use tokio::signal::unix::SignalKind;

use crate::exit::Failure;
use crate::interrupt::PutBack;
use crate::output::{self, Output};

/// More than any token (8 KiB) or password (72 bytes) may have.
const MAX_INPUT_BYTES: u64 = 64 * 1024;
/// More than the URL of any store may have, with all the hosts of a cluster.
const MAX_URL_BYTES: u64 = 8 * 1024;
/// More than any password or API key may have.
const MAX_SECRET_BYTES: usize = 4 * 1024;

/// Whether somebody is there to be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for one line; white space around it is dropped.
pub(crate) fn ask(output: &Output, question: &str) -> Result<String, Failure> {
    let _put_back = PutBack::at_signal(|_| output::line_end());
    output.prompt(question);
    let mut line = String::new();
    let read = io::stdin().lock().take(MAX_INPUT_BYTES).read_line(&mut line);
    if !line.ends_with('\n') {
        output::line_end();
    }
    match read {
        Ok(0) => Err(Failure::usage("nothing was typed")),
        Ok(_) => Ok(line.trim().to_owned()),
        Err(cause) => Err(unread(&cause)),
    }
}

/// Asks for a secret, without echo.
pub(crate) fn ask_secret(question: &str) -> Result<SecretString, Failure> {
    // From before the question is seen: what answers it at once is not shown either.
    let _silent = Silent::begin();
    rpassword::prompt_password(format!("{question}: ")).map(SecretString::from).map_err(|cause| {
        match cause.kind() {
            ErrorKind::Interrupted => Failure::interrupted(),
            ErrorKind::UnexpectedEof => {
                output::line_end();
                Failure::usage("nothing was typed")
            }
            _ => unread(&cause),
        }
    })
}

/// A terminal that does not echo, as long as this lives and no signal ends the program: the library that reads
/// passwords stops the echo after its question, and raises the signal of Ctrl-C before it lets it begin again.
struct Silent {
    terminal: File,
    modes: Termios,
    _put_back: PutBack,
}

impl Silent {
    /// None where there is no terminal to be silent.
    fn begin() -> Option<Self> {
        let terminal = File::open("/dev/tty").ok()?;
        let modes = tcgetattr(&terminal).ok()?;
        let (left, before) = (terminal.try_clone().ok()?, modes.clone());
        let put_back = PutBack::at_signal(move |came| {
            set_modes(&left, &before);
            // At Ctrl-C the line has been ended.
            if came != SignalKind::interrupt() {
                output::line_end();
            }
        });
        let mut silent = modes.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        set_modes(&terminal, &silent);
        Some(Self { terminal, modes, _put_back: put_back })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        set_modes(&self.terminal, &self.modes);
    }
}

fn set_modes(terminal: &File, modes: &Termios) {
    let _gone_where_it_fails = tcsetattr(terminal, OptionalActions::Now, modes);
}

fn unread(cause: &io::Error) -> Failure {
    Failure::usage(format!("reading the answer: {cause}"))
}

/// Asks for a `yes` where somebody is there to be asked; everywhere else the answer stands on the command line.
pub(crate) fn confirm(output: &Output, question: &str) -> Result<(), Failure> {
    if !is_interactive() {
        return Err(Failure::usage("nobody is there to be asked whether this is meant")
            .next("say so with --yes"));
    }
    match ask(output, &format!("{question} [yes/no]"))?.as_str() {
        "yes" | "y" => Ok(()),
        _ => Err(Failure::refused("nothing was done")),
    }
}

/// Asks before `what` is deleted, unless the command line says `--yes`.
pub(crate) fn confirm_deletion(output: &Output, what: &str, is_meant: bool) -> Result<(), Failure> {
    confirm_end(output, (what, "deleted", "Delete?"), is_meant)
}

/// Asks before `what` is revoked, unless the command line says `--yes`.
pub(crate) fn confirm_revocation(
    output: &Output,
    what: &str,
    is_meant: bool,
) -> Result<(), Failure> {
    confirm_end(output, (what, "revoked", "Revoke?"), is_meant)
}

fn confirm_end(
    output: &Output,
    (what, becomes, question): (&str, &str, &str),
    is_meant: bool,
) -> Result<(), Failure> {
    if is_meant {
        return Ok(());
    }
    output.warn(&format!("{what} will be {becomes}; that cannot be undone"));
    confirm(output, question)
}

/// Reads a file, or standard input where it is `-`, as it is: at most one byte more than `most`.
pub(crate) fn secret_bytes(file: &Path, most: usize) -> Result<SecretSlice<u8>, Failure> {
    let read = if file == Path::new("-") {
        bounded(io::stdin().lock(), most)
    } else {
        File::open(file).and_then(|opened| bounded(opened, most))
    };
    read.map_err(|cause| Failure::file("reading", file, &cause))
}

fn bounded(source: impl Read, most: usize) -> io::Result<SecretSlice<u8>> {
    // Made as large as it may become: what grows leaves its bytes behind.
    let mut bytes = Vec::with_capacity(most + 1);
    let read = source.take(most as u64 + 1).read_to_end(&mut bytes);
    let bytes = SecretSlice::from(bytes);
    read.map(|_| bytes)
}

/// Reads a file that holds one secret, but for one line end; what is wrong with it continues a sentence that names
/// the file.
pub(crate) fn secret_line(file: &Path) -> Result<SecretString, String> {
    let bytes = File::open(file).and_then(|opened| bounded(opened, MAX_SECRET_BYTES));
    let bytes = bytes.map_err(|cause| format!("cannot be read: {cause}"))?;
    let text = str::from_utf8(bytes.expose_secret()).map_err(|_| "is not UTF-8")?;
    match without_line_end(text) {
        _ if text.len() > MAX_SECRET_BYTES => Err("is longer than any secret".to_owned()),
        "" => Err("is empty".to_owned()),
        secret => Ok(SecretString::from(secret)),
    }
}

/// Reads a password from standard input.
pub(crate) fn piped_password() -> Result<SecretString, Failure> {
    let text = piped()?;
    let password = without_line_end(&text);
    if password.is_empty() {
        return Err(Failure::usage("no password on standard input"));
    }
    Ok(SecretString::from(password))
}

/// Reads a token from standard input; white space around it is dropped, a token has none.
pub(crate) fn piped_token() -> Result<String, Failure> {
    Ok(piped()?.trim().to_owned())
}

/// Reads the URL of a store as it stands on the command line: itself, or `@FILE` for one that holds a
/// password, since others can see the arguments of a process.
pub(crate) fn store_url(argument: &str) -> Result<SecretString, Failure> {
    let Some(file) = argument.strip_prefix('@') else {
        return Ok(SecretString::from(argument));
    };
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_URL_BYTES + 1).read_to_string(&mut text))
        .map_err(|cause| Failure::file("reading", Path::new(file), &cause))?;
    match text.trim() {
        _ if text.len() as u64 > MAX_URL_BYTES => {
            Err(Failure::usage(format!("{file} is longer than the URL of any store")))
        }
        "" => Err(Failure::usage(format!("{file} holds no URL of a store"))),
        url => Ok(SecretString::from(url)),
    }
}

fn piped() -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .map_err(|cause| Failure::usage(format!("reading standard input: {cause}")))?;
    Ok(text)
}

/// Strips exactly one line end: a password may itself end in one.
fn without_line_end(text: &str) -> &str {
    match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_url_is_read_up_to_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("url");
        let argument = format!("@{}", file.display());
        let url = format!("redis://{}", "h".repeat(8 * 1024 - 9));
        std::fs::write(&file, format!("{url}\n")).unwrap();
        assert_eq!(store_url(&argument).unwrap().expose_secret(), url);
        std::fs::write(&file, format!("{url}h\n")).unwrap();
        assert!(store_url(&argument).unwrap_err().message.contains("longer than"));
        let endless = store_url("@/dev/zero").unwrap_err();
        assert!(endless.message.contains("longer than"), "{}", endless.message);
    }

    #[test]
    fn one_line_end_is_stripped_and_no_more() {
        for (given, password) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\r", "secret\r"),
            ("secret\n\n", "secret\n"),
            (" secret \n", " secret "),
            ("\n", ""),
        ] {
            assert_eq!(without_line_end(given), password, "{given:?}");
        }
    }
}
