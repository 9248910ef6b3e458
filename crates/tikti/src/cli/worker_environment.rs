//! Which settings does the process of a worker get, and does a file hold them already?
//!
//! A file is the environment of one worker at one server; that of another one is never overwritten, since
//! its secret would be lost. A mark in it says that the secret of a worker is on its way.
//!
//! Spec: Command line, `worker provision`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::worker_plan::Plan;
use super::worker_provision::ProvisionArgs;
use super::worker_token::{AUDIENCE, EVENT_TYPES, HOST, SCOPES, TENANT, WORKER_ID, WORKER_SECRET};
use crate::base_url::BaseUrl;
use crate::clock;
use crate::env_file::EnvFile;
use crate::exit::Failure;
use crate::session::Session;

/// Stands in the file from before a secret is made until it is there: with the number of the last secret before
/// it, and the time, between the three. 0 before the first.
const MARK: (&str, &str, &str) = (
    "# A secret of this worker after number ",
    " is being made since ",
    ": say `tikti worker provision` again",
);
/// The mark of earlier versions, which told no time.
const MARK_WITHOUT_TIME: (&str, &str) =
    (MARK.0, " is being made: say `tikti worker provision` again");

/// Says which of the worker's secrets the file holds.
const NUMBER: (&str, &str) = ("# The secret is number ", " of this worker's");

/// All settings, in the order in which they are written.
const NAMES: [&str; 7] = [HOST, TENANT, WORKER_ID, WORKER_SECRET, AUDIENCE, SCOPES, EVENT_TYPES];

/// Says that a secret was on its way when an earlier run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Number of the last secret before it; 0 before the first.
    pub(super) after: u32,
    /// When it was asked for, in seconds since 1970 by the clock of this machine.
    pub(super) at: Option<u64>,
}

/// The settings of one worker's process. No `Debug`: they hold the secret.
pub(super) struct Environment {
    place: Option<PathBuf>,
    /// What the file held before; none where there was no file.
    found: Option<EnvFile>,
    settings: EnvFile,
}

impl Environment {
    /// The settings as far as they are known: who the worker is, and what the file says.
    ///
    /// Errors: exit code 3 where the file is another worker's, or cannot be read.
    pub(super) fn find(
        session: &Session<'_>,
        args: &ProvisionArgs,
        tenant_id: &str,
    ) -> Result<Self, Failure> {
        let place = args.write_env.clone();
        let found = place.as_deref().map(EnvFile::find).transpose()?.flatten();
        let mut settings = found.clone().unwrap_or_default();
        let (host, worker) = (&session.target.host, &args.reference.worker);
        let says = |name: &str, own: &str| settings.get(name).is_none_or(|held| held == own);
        let is_of_host = |held: String| BaseUrl::parse(&held).is_ok_and(|held| held == *host);
        let is_own = settings.get(HOST).is_none_or(is_of_host)
            && says(TENANT, tenant_id)
            && says(WORKER_ID, worker);
        // A secret of which nobody says whose it is may be that of another one, too.
        let is_told = [HOST, TENANT, WORKER_ID].iter().all(|name| settings.get(name).is_some());
        let is_free = settings.get(WORKER_SECRET).is_none() || is_told;
        if let Some(file) = place.as_deref().filter(|_| !is_own || !is_free) {
            return Err(another(file, &settings));
        }
        settings.set(HOST, Some(&host.to_string()))?;
        settings.set(TENANT, Some(tenant_id))?;
        settings.set(WORKER_ID, Some(worker))?;
        Ok(Self { place, found, settings })
    }

    /// Adds what its tokens are to be.
    pub(super) fn with(mut self, plan: &Plan, audience: &str) -> Result<Self, Failure> {
        // Commas: a value with spaces would have to be quoted, which Docker does not understand.
        let listed = |words: &[String]| Some(words.join(",")).filter(|words| !words.is_empty());
        let (scopes, event_types) = (listed(&plan.scopes), listed(&plan.event_types));
        self.settings.set(AUDIENCE, Some(audience))?;
        self.settings.set(SCOPES, scopes.as_deref())?;
        self.settings.set(EVENT_TYPES, event_types.as_deref())?;
        Ok(self)
    }

    /// Whether a secret was on its way when an earlier run ended.
    pub(super) fn marked(&self) -> Option<Mark> {
        self.settings.lines().find_map(mark)
    }

    /// The number of the secret that the file held before, where it says so.
    pub(super) fn secret_number(&self) -> Option<u32> {
        let _held = self.secret()?;
        self.settings.lines().find_map(number)
    }

    /// Makes sure that the file of a worker that is there holds its secret, or that one is being made.
    ///
    /// Errors: exit code 1.
    pub(super) fn require_secret(&self) -> Result<(), Failure> {
        let Some(file) = &self.place else {
            return Ok(());
        };
        if self.marked().is_some() || self.secret().is_some() {
            return Ok(());
        }
        let worker = self.settings.get(WORKER_ID).unwrap_or_default();
        let file = file.display();
        Err(Failure::refused(format!(
            "worker {worker} is there, and {file} does not hold its secret, which was shown once"
        ))
        .next("--rotate makes a new one; the one before stays good"))
    }

    pub(super) fn secret(&self) -> Option<String> {
        self.settings.get(WORKER_SECRET)
    }

    pub(super) fn set_secret(&mut self, (n, secret): (u32, Option<&str>)) -> Result<(), Failure> {
        self.settings.set(WORKER_SECRET, secret)?;
        self.settings.remove_lines(|line| mark(line).is_some() || number(line).is_some());
        let (before, behind) = NUMBER;
        self.settings.add_line(&format!("{before}{n}{behind}"));
        Ok(())
    }

    /// Writes the file before there is another secret than that of number `last`, with the mark. A secret that
    /// it holds stays in it.
    pub(super) fn mark(&mut self, last: u32) -> Result<(), Failure> {
        let Some(file) = &self.place else {
            return Ok(());
        };
        self.settings.remove_lines(|line| mark(line).is_some());
        let (before, between, behind) = MARK;
        let now = clock::rfc3339(clock::now_seconds());
        self.settings.add_line(&format!("{before}{last}{between}{now}{behind}"));
        self.settings.write(file)
    }

    /// Puts the file as it was before it was marked.
    pub(super) fn unmark(&self) -> Result<(), Failure> {
        match (&self.place, &self.found) {
            (None, _) => Ok(()),
            (Some(file), Some(found)) => found.write(file),
            (Some(file), None) => {
                fs::remove_file(file).map_err(|cause| Failure::file("removing", file, &cause))
            }
        }
    }

    /// Takes the mark out of the file, which could not be written with the secret.
    pub(super) fn forget_mark(&self) -> Result<(), Failure> {
        match (&self.place, self.found.clone()) {
            (None, _) => Ok(()),
            (Some(file), Some(mut found)) => {
                found.remove_lines(|line| mark(line).is_some());
                found.write(file)
            }
            (Some(file), None) => match fs::remove_file(file) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => {
                    Err(Failure::file("removing", file, &cause))
                }
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    /// Writes the file, where one is wanted and it says anything else.
    pub(super) fn write(&self) -> Result<Option<&Path>, Failure> {
        let Some(file) = &self.place else {
            return Ok(None);
        };
        self.settings.write(file)?;
        Ok(Some(file))
    }

    /// Gives up the file, which could not be written: what is known is shown instead.
    pub(super) fn give_up_file(&mut self) {
        self.place = None;
    }

    /// Whether the settings go into a file.
    pub(super) fn has_file(&self) -> bool {
        self.place.is_some()
    }

    /// The settings by name; with the secret only where no file holds it.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let names = NAMES.iter().filter(|name| self.place.is_none() || **name != WORKER_SECRET);
        names.filter_map(|name| Some(((*name).to_owned(), self.settings.get(name)?))).collect()
    }

    /// The settings as a file.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let mut ordered = EnvFile::default();
        for name in NAMES {
            ordered.set(name, self.settings.get(name).as_deref())?;
        }
        Ok(ordered.text())
    }
}

fn mark(line: &str) -> Option<Mark> {
    let (before, behind) = MARK_WITHOUT_TIME;
    let rest = line.strip_prefix(before)?;
    if let Some(after) = rest.strip_suffix(behind) {
        return Some(Mark { after: after.parse().ok()?, at: None });
    }
    let (_, between, behind) = MARK;
    let (after, at) = rest.strip_suffix(behind)?.split_once(between)?;
    Some(Mark { after: after.parse().ok()?, at: clock::seconds(at) })
}

fn number(line: &str) -> Option<u32> {
    let (before, behind) = NUMBER;
    line.strip_prefix(before)?.strip_suffix(behind)?.parse().ok()
}

fn another(file: &Path, settings: &EnvFile) -> Failure {
    let held = |name| settings.get(name).unwrap_or_else(|| "-".to_owned());
    let (worker, tenant, host) = (held(WORKER_ID), held(TENANT), held(HOST));
    Failure::usage(format!(
        "{} is for another worker: {worker} of tenant {tenant} at {host}",
        file.display()
    ))
    .next("name another file, or move that one away")
}
