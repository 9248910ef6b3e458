//! How do users of another system get into a store?
//!
//! Some at a time, so that an engine that commits in groups does; in the order of the file otherwise.
//! Invariant: a repeated import changes nothing of who is there, so an import that stopped anywhere is
//! simply run again.
//!
//! Spec: Command line, `user import`; Domain, "User".

use tikti_domain::Domain;
use tikti_domain::account::{Imported, ImportedUser, import_user};
use tikti_domain::clock::Clock;
use tikti_domain::error::Error;
use tikti_domain::random::Random;
use tikti_domain::together::side_by_side;

use super::user_file::UserRow;
use super::{HOLDER, Listener, MaintenanceError, Progress};
use crate::config::Config;

/// Users under way at once.
const AT_ONCE: usize = 64;

/// What an import has done.
#[derive(Debug, Default)]
pub struct ImportReport {
    /// Users that are new.
    pub made: u64,
    /// Users who were there with this id and this address.
    pub already_there: u64,
    /// Users that were not taken, in the order of the file.
    pub refused: Vec<RefusedUser>,
}

/// A user that was not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct RefusedUser {
    /// As in [`UserRow`].
    pub number: u64,
    /// Why, without anything of the user.
    pub reason: String,
}

/// Says which rows could not be imported into any store. Opens none.
#[must_use]
pub fn examine_users(rows: Vec<UserRow>) -> ImportReport {
    let mut report = ImportReport::default();
    for UserRow { number, user } in rows {
        match user {
            Ok(_) => report.made += 1,
            Err(reason) => report.refused.push(RefusedUser { number, reason }),
        }
    }
    report
}

/// Makes the users that are not there yet, in the store of this configuration; an embedded one must not
/// be in use.
///
/// # Errors
/// [`MaintenanceError`]; who was imported by then stays, and the import may be repeated.
pub async fn import_users(
    config: Config,
    rows: Vec<UserRow>,
    listener: Listener<'_>,
) -> Result<ImportReport, MaintenanceError> {
    let store = config.store.open(HOLDER).await?;
    let opened = Domain::open(store.clone(), config.domain, Clock::system(), Random::system());
    let domain = opened.await?;
    let imported = import_all(&domain, rows, listener).await;
    store.close().await;
    let report = imported?;
    let (made, already_there) = (report.made, report.already_there);
    let refused = report.refused.len();
    tracing::info!(target: "tikti::audit", made, already_there, refused, "users imported");
    Ok(report)
}

async fn import_all(
    domain: &Domain,
    rows: Vec<UserRow>,
    listener: Listener<'_>,
) -> Result<ImportReport, MaintenanceError> {
    let (mut report, mut done) = (ImportReport::default(), 0);
    let total = Some(rows.len() as u64);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let batch = rows.by_ref().take(AT_ONCE).map(|row| import_one(domain, row));
        for (number, outcome) in side_by_side(batch).await {
            match outcome {
                Ok(Ok(Imported::Made(_))) => report.made += 1,
                Ok(Ok(Imported::AlreadyThere(_))) => report.already_there += 1,
                Ok(Err(reason)) => report.refused.push(RefusedUser { number, reason }),
                Err(source) => return Err(MaintenanceError::ImportStopped { done, source }),
            }
            done += 1;
        }
        listener(Progress { done, total });
    }
    Ok(report)
}

/// Imports one; a refusal is a reason, and so is a row that could not be read.
async fn import_one(
    domain: &Domain,
    row: UserRow,
) -> (u64, Result<Result<Imported, String>, Error>) {
    let UserRow { number, user } = row;
    let user: ImportedUser = match user {
        Ok(user) => user,
        Err(reason) => return (number, Ok(Err(reason))),
    };
    let outcome = match import_user(domain, user, Clock::system().now()).await {
        Ok(imported) => Ok(Ok(imported)),
        Err(Error::Refused(refusal)) => Ok(Err(refusal.message.into_owned())),
        Err(error) => Err(error),
    };
    (number, outcome)
}
