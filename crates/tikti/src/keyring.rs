//! Where do secrets lie that are not to lie in a file? In the keyring of the system, by its own program:
//! `secret-tool` of libsecret, or `security` of macOS.
//!
//! A secret is handed over on standard input, never as an argument, which every user of the machine could read.
//! What was stored is read back before anybody relies on it, and what was stored before goes only then.
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
const FORGETFUL: &str = "it does not give back what was stored";
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

/// The two places of parts in a keychain: what is new is written to the one that is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    A,
    B,
}

/// Which parts in a keychain are the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    turn: Turn,
    parts: usize,
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
            Kind::Security => return self.store_parts(item, secret),
        }
        let kept = self.find(item)?;
        if kept.is_none_or(|kept| kept.expose_secret() != secret.expose_secret()) {
            return Err(unusable(FORGETFUL));
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
                let Some(head) = self.head(item)? else {
                    return Ok(None);
                };
                match self.joined(item, head)? {
                    Some(secret) => Ok(Some(secret)),
                    // Another program has stored something meanwhile.
                    None => match self.head(item)?.filter(|now| *now != head) {
                        Some(now) => self.joined(item, now),
                        None => Err(unusable("a part of it is not there")),
                    },
                }
            }
        }
    }

    /// Forgets what is kept; done also where nothing is.
    pub(crate) fn clear(&self, item: &Item<'_>) -> Result<(), Failure> {
        match self.kind {
            Kind::SecretTool => {
                // Asked for first: a failure without a word does not say that there is nothing, and one that
                // is locked is passed over.
                if self.find(item)?.is_none() {
                    return Ok(());
                }
                let mut args: Vec<OsString> = vec!["clear".into()];
                args.extend(item.attributes());
                self.done("clearing", &self.run(&args, "")?)
            }
            Kind::Security => {
                self.delete(&item.head())?;
                self.clear_parts(item, Turn::A, 0)?;
                self.clear_parts(item, Turn::B, 0)?;
                self.clear_former(item)
            }
        }
    }

    /// Stores the parts beside those that are there, and lets the head name them when all of them are.
    fn store_parts(&self, item: &Item<'_>, secret: &SecretString) -> Result<(), Failure> {
        let encoded = BASE64.encode(secret.expose_secret().as_bytes());
        let parts =
            Vec::from_iter(encoded.as_bytes().chunks(PART_BYTES).map(String::from_utf8_lossy));
        if parts.len() > MOST_PARTS {
            return Err(unusable("the secrets of the profile are too long for it"));
        }
        // A head that nobody understands names no parts that anybody would miss.
        let old = self.get(&item.head())?;
        let old = old.and_then(|text| Head::parse(text.expose_secret().trim_end()));
        let turn = if old.is_some_and(|old| old.turn == Turn::A) { Turn::B } else { Turn::A };
        let new = Head { turn, parts: parts.len() };
        for (number, part) in parts.iter().enumerate() {
            self.put(&item.part(turn, number), part)?;
        }
        let is_there = |kept: Option<SecretString>| {
            kept.is_some_and(|kept| kept.expose_secret() == secret.expose_secret())
        };
        if !is_there(self.joined(item, new)?) {
            return Err(unusable(FORGETFUL));
        }
        self.put(&item.head(), &new.text())?;
        if self.head(item)? != Some(new) {
            return Err(unusable(FORGETFUL));
        }
        self.clear_parts(item, turn, new.parts)?;
        self.clear_parts(item, turn.other(), 0)?;
        self.clear_former(item)
    }

    fn head(&self, item: &Item<'_>) -> Result<Option<Head>, Failure> {
        let Some(text) = self.get(&item.head())? else {
            return Ok(None);
        };
        let head = Head::parse(text.expose_secret().trim_end());
        head.map(Some).ok_or_else(|| unusable("it holds something else"))
    }

    /// What the parts of `head` make; none where one is not there.
    fn joined(&self, item: &Item<'_>, head: Head) -> Result<Option<SecretString>, Failure> {
        let mut encoded = String::new();
        for number in 0..head.parts {
            let Some(part) = self.get(&item.part(head.turn, number))? else {
                return Ok(None);
            };
            encoded.push_str(part.expose_secret().trim_end());
        }
        let bytes = BASE64.decode(encoded.as_bytes());
        text(bytes.map_err(|_| unusable("it holds something else"))?).map(Some)
    }

    /// Deletes parts from number `from` on, the last first: whatever ends that, the first that is not there
    /// has none behind it.
    fn clear_parts(&self, item: &Item<'_>, turn: Turn, from: usize) -> Result<(), Failure> {
        self.clear_numbered(from, |number| item.part(turn, number))
    }

    /// Deletes what an earlier version has stored, under other names.
    fn clear_former(&self, item: &Item<'_>) -> Result<(), Failure> {
        self.clear_numbered(0, |number| item.former_part(number))
    }

    fn clear_numbered(&self, from: usize, name: impl Fn(usize) -> String) -> Result<(), Failure> {
        let mut end = from;
        while self.get(&name(end))?.is_some() {
            end += 1;
        }
        (from..end).rev().try_for_each(|number| self.delete(&name(number)))
    }

    fn put(&self, account: &str, word: &str) -> Result<(), Failure> {
        let line = format!("add-generic-password -U -s {SERVICE} -a {account} -w {word}\n");
        self.done("storing", &self.run(&["-i".into()], &line)?)
    }

    fn get(&self, account: &str) -> Result<Option<SecretString>, Failure> {
        let mut args = of_security("find-generic-password", account);
        args.push("-w".into());
        let found = self.run(&args, "")?;
        if found.status.code() == Some(NO_ITEM) {
            return Ok(None);
        }
        self.done("reading", &found)?;
        text(found.stdout).map(Some)
    }

    fn delete(&self, account: &str) -> Result<(), Failure> {
        let deleted = self.run(&of_security("delete-generic-password", account), "")?;
        if deleted.status.code() == Some(NO_ITEM) {
            return Ok(());
        }
        self.done("clearing", &deleted)
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
        let said = match said.lines().next() {
            Some(said) => said.to_owned(),
            None => format!("it failed without a word ({})", output.status),
        };
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

    /// The account of the head, as `security` is given it.
    fn head(&self) -> String {
        self.account("")
    }

    /// The account of one part.
    fn part(&self, turn: Turn, number: usize) -> String {
        self.account(&format!("#{}{number}", turn.letter()))
    }

    /// The account of one part as an earlier version named it, which knew neither heads nor turns.
    fn former_part(&self, number: usize) -> String {
        self.account(&format!("#{number}"))
    }

    fn account(&self, which: &str) -> String {
        let plain = format!("{}{which} {}", self.profile, self.file.display());
        BASE64.encode(plain.as_bytes())
    }
}

impl Turn {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn letter(self) -> char {
        match self {
            Self::A => 'a',
            Self::B => 'b',
        }
    }
}

impl Head {
    fn text(self) -> String {
        format!("{}{}", self.turn.letter(), self.parts)
    }

    fn parse(text: &str) -> Option<Self> {
        let (turn, parts) = match (text.strip_prefix('a'), text.strip_prefix('b')) {
            (Some(parts), _) => (Turn::A, parts),
            (None, Some(parts)) => (Turn::B, parts),
            (None, None) => return None,
        };
        let parts = parts.parse().ok().filter(|parts| *parts <= MOST_PARTS)?;
        Some(Self { turn, parts })
    }
}

fn of_security(verb: &str, account: &str) -> Vec<OsString> {
    vec![verb.into(), "-s".into(), SERVICE.into(), "-a".into(), account.into()]
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
