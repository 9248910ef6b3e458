//! Where do secrets lie that are not to lie in a file? In the keyring of the system, by its own program:
//! `secret-tool` of libsecret, or `security` of macOS.
//!
//! A secret is handed over on standard input, never as an argument, which every user of the machine could read.
//! What was stored is read back before anybody relies on it.
//!
//! Spec: Command line, "Profiles". Why programs: docs/decisions/0044.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};

use crate::exit::Failure;

/// The name under which a keyring shows what is ours.
const SERVICE: &str = "tikti";

/// `security -i` takes lines of up to 4,096 bytes.
const PART_BYTES: usize = 3_000;
/// More parts than all tokens of a profile have.
const MOST_PARTS: usize = 32;
/// `security` says so that there is no such item.
const NO_ITEM: i32 = 44;

/// The keyring of the person who is signed in at this machine.
#[derive(Clone)]
pub(crate) struct Keyring {
    program: OsString,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Secret Service: GNOME Keyring, KWallet, KeePassXC.
    SecretTool,
    /// Keychain.
    Security,
}

/// What is kept for one profile of one file.
pub(crate) struct Item<'a> {
    pub(crate) file: &'a Path,
    pub(crate) profile: &'a str,
}

impl Keyring {
    pub(crate) fn of_this_system() -> Self {
        if cfg!(target_os = "macos") {
            Self { program: "/usr/bin/security".into(), kind: Kind::Security }
        } else {
            Self { program: "secret-tool".into(), kind: Kind::SecretTool }
        }
    }

    /// Keeps `secret`, in the place of what was kept.
    ///
    /// Errors: exit code 3 where there is no keyring, or what it gives back is something else.
    pub(crate) fn store(&self, item: &Item<'_>, secret: &SecretString) -> Result<(), Failure> {
        match self.kind {
            Kind::SecretTool => {
                let label = format!("--label=Tikti: {}", item.profile);
                let mut args: Vec<OsString> = vec!["store".into(), label.into()];
                args.extend(item.attributes());
                self.done("storing", &self.run(&args, secret.expose_secret())?)?;
            }
            Kind::Security => {
                self.clear(item)?;
                let encoded = BASE64.encode(secret.expose_secret().as_bytes());
                let parts = encoded.as_bytes().chunks(PART_BYTES).map(String::from_utf8_lossy);
                for (number, part) in parts.enumerate() {
                    let account = BASE64.encode(item.account(number).as_bytes());
                    let line =
                        format!("add-generic-password -U -s {SERVICE} -a {account} -w {part}\n");
                    self.done("storing", &self.run(&["-i".into()], &line)?)?;
                }
            }
        }
        let kept = self.find(item)?;
        if kept.is_none_or(|kept| kept.expose_secret() != secret.expose_secret()) {
            return Err(unusable("it does not give back what was stored"));
        }
        Ok(())
    }

    /// What is kept; none where nothing is.
    ///
    /// Errors: exit code 3 where there is no keyring, or it stays locked.
    pub(crate) fn find(&self, item: &Item<'_>) -> Result<Option<SecretString>, Failure> {
        match self.kind {
            Kind::SecretTool => {
                let mut args: Vec<OsString> = vec!["lookup".into()];
                args.extend(item.attributes());
                let found = self.run(&args, "")?;
                // It fails without a word where there is no such secret.
                if found.status.code() == Some(1) && found.stderr.is_empty() {
                    return Ok(None);
                }
                self.done("reading", &found)?;
                text(found.stdout).map(Some)
            }
            Kind::Security => {
                let mut encoded = String::new();
                for number in 0..MOST_PARTS {
                    let Some(part) = self.part(item, number)? else { break };
                    encoded.push_str(part.expose_secret().trim_end());
                }
                if encoded.is_empty() {
                    return Ok(None);
                }
                let bytes = BASE64.decode(encoded.as_bytes());
                text(bytes.map_err(|_| unusable("it holds something else"))?).map(Some)
            }
        }
    }

    /// Forgets what is kept; done also where nothing is.
    pub(crate) fn clear(&self, item: &Item<'_>) -> Result<(), Failure> {
        match self.kind {
            Kind::SecretTool => {
                let mut args: Vec<OsString> = vec!["clear".into()];
                args.extend(item.attributes());
                let cleared = self.run(&args, "")?;
                if cleared.status.code() == Some(1) && cleared.stderr.is_empty() {
                    return Ok(());
                }
                self.done("clearing", &cleared)
            }
            Kind::Security => {
                for number in 0..MOST_PARTS {
                    let cleared =
                        self.run(&item.of_security("delete-generic-password", number), "")?;
                    if cleared.status.code() == Some(NO_ITEM) {
                        break;
                    }
                    self.done("clearing", &cleared)?;
                }
                Ok(())
            }
        }
    }

    fn part(&self, item: &Item<'_>, number: usize) -> Result<Option<SecretString>, Failure> {
        let mut args = item.of_security("find-generic-password", number);
        args.push("-w".into());
        let found = self.run(&args, "")?;
        if found.status.code() == Some(NO_ITEM) {
            return Ok(None);
        }
        self.done("reading", &found)?;
        text(found.stdout).map(Some)
    }

    fn run(&self, args: &[OsString], input: &str) -> Result<Output, Failure> {
        let run = || {
            let mut child = Command::new(&self.program)
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // One that ends without reading says itself why.
                let _unread = stdin.write_all(input.as_bytes());
            }
            child.wait_with_output()
        };
        let name = self.program.to_string_lossy();
        run().map_err(|cause| {
            let failure = unusable(&format!("{name}: {cause}"));
            match self.kind {
                Kind::SecretTool => failure.next(
                    "install secret-tool (libsecret-tools in Debian and Ubuntu), or keep the profile in \
                     the file: `tikti init` without --keyring",
                ),
                Kind::Security => failure,
            }
        })
    }

    fn done(&self, doing: &str, output: &Output) -> Result<(), Failure> {
        if output.status.success() {
            return Ok(());
        }
        let name = self.program.to_string_lossy();
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("it failed without a word");
        Err(unusable(&format!("{doing}: {name}: {said}")))
    }
}

impl Item<'_> {
    fn attributes(&self) -> [OsString; 6] {
        [
            "application".into(),
            SERVICE.into(),
            "profile".into(),
            self.profile.into(),
            "file".into(),
            self.file.into(),
        ]
    }

    fn account(&self, number: usize) -> String {
        format!("{}#{number} {}", self.profile, self.file.display())
    }

    fn of_security(&self, verb: &str, number: usize) -> Vec<OsString> {
        let account = BASE64.encode(self.account(number).as_bytes());
        vec![verb.into(), "-s".into(), SERVICE.into(), "-a".into(), account.into()]
    }
}

fn text(bytes: Vec<u8>) -> Result<SecretString, Failure> {
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| unusable("it holds no text"))
}

fn unusable(why: &str) -> Failure {
    Failure::usage(format!("the keyring of this system cannot be used: {why}"))
        .next("unlock it, or keep the profile in the file: `tikti init` without --keyring")
}

#[cfg(test)]
#[path = "keyring/tests.rs"]
mod tests;
