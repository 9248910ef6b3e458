//! How does what an older Tikti has stored get into a store?
//!
//! It is read whole, decided upon, and then compared or carried out. Invariant: the old server is only read, and a
//! dry run opens the store for reading, if there is one.
//!
//! Spec: Operations, "migrate legacy"; Real clients, "Older Tikti clients and data".

use tikti_domain::clock::Clock;
use tikti_domain::migrate::{OldLayout, Plan, Report, carry_out, compare, plan, read};
use tikti_domain::random::Random;
use tikti_domain::secret::{ExposeSecret, SecretString};
use tikti_domain::{Domain, Foreign, OpenError, TlsFiles};

use super::{HOLDER, MaintenanceError, MigratedThing, Progress};
use crate::ServeError;
use crate::config::Config;

/// Where an older Tikti has stored what it knew.
#[derive(Debug)]
pub struct MigrationSource {
    /// `redis://` or `rediss://`, with the number of a database where it is not 0.
    pub url: SecretString,
    /// Files for TLS.
    pub tls: TlsFiles,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationPhase {
    /// The old data is read.
    Reading,
    /// It is compared with the store.
    Comparing,
    /// What is missing is made.
    Writing,
}

/// Hears what is being done, and how far it is.
pub(super) type MigrationListener<'a> = &'a mut (dyn FnMut(MigrationPhase, Progress) + Send);

/// Says what a migration would do. Changes nothing; the store may be in use, and may not be there yet.
///
/// # Errors
/// [`MaintenanceError`].
pub async fn plan_migration(
    config: Config,
    source: &MigrationSource,
    listener: MigrationListener<'_>,
) -> Result<Report, MaintenanceError> {
    let plan = make_plan(&config, source, listener).await?;
    let store = match config.store.open_read_only(HOLDER).await {
        Ok(store) => Some(store),
        Err(ServeError::Store(OpenError::Missing { .. })) => None,
        Err(error) => return Err(error.into()),
    };
    let target = (store.as_ref(), Clock::system().now());
    let mut tell = |at| listener(MigrationPhase::Comparing, at);
    let report = compare(target, plan, &mut tell).await;
    if let Some(store) = store {
        store.close().await;
    }
    Ok(report?)
}

/// Takes over what is not there yet into the store of this configuration; an embedded one must not be in use.
///
/// # Errors
/// [`MaintenanceError`]; what was taken over by then stays, and the migration may be repeated.
pub async fn migrate_legacy(
    config: Config,
    source: &MigrationSource,
    listener: MigrationListener<'_>,
) -> Result<Report, MaintenanceError> {
    // The old data may be wrong in many ways, and may be the store itself: nothing is opened or made before.
    let plan = make_plan(&config, source, listener).await?;
    let store = config.store.open(HOLDER).await?;
    let opened =
        Domain::open(store.clone(), config.domain, Clock::system(), Random::system()).await;
    let migrated = match opened {
        Ok(domain) => {
            let mut tell = |at| listener(MigrationPhase::Writing, at);
            carry_out(&domain, plan, &mut tell).await.map_err(MaintenanceError::from)
        }
        Err(error) => Err(error.into()),
    };
    store.close().await;
    let report = migrated?;
    for thing in MigratedThing::ALL {
        let count = report.count(thing);
        tracing::info!(
            target: "tikti::audit",
            kind = thing.as_str(),
            taken = count.taken,
            present = count.present,
            merged = count.merged,
            left = count.left,
            "taken over from an older Tikti"
        );
    }
    Ok(report)
}

async fn make_plan(
    config: &Config,
    source: &MigrationSource,
    listener: MigrationListener<'_>,
) -> Result<Plan, MaintenanceError> {
    let (from, into) = (source.url.expose_secret(), config.store.url.expose_secret());
    if place(from).is_some_and(|from| place(into) == Some(from)) {
        return Err(MaintenanceError::SourceIsStore);
    }
    let server = Foreign::open(from, &source.tls).await;
    let server = server.map_err(MaintenanceError::Source)?;
    let mut tell = |at| listener(MigrationPhase::Reading, at);
    let layout: OldLayout = read(&server, &mut tell).await.map_err(MaintenanceError::SourceRead)?;
    if layout.is_empty() {
        return Err(MaintenanceError::SourceEmpty { server: server.server() });
    }
    Ok(plan(&layout, &config.domain.settings, Clock::system().now()))
}

/// Host, port and database of a single server, by what its URL says: another name of the same host is not found out.
fn place(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://"))?;
    // A password may hold slashes, a host none of these.
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
    let (server, database) = server.split_once('/').unwrap_or((server, ""));
    let has_port = server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let server = if has_port { server.to_owned() } else { format!("{server}:6379") };
    let database = if database.is_empty() { "0" } else { database };
    Some((server.to_ascii_lowercase(), database.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_same_database_of_the_same_server_is_known_however_it_is_written() {
        let same = [
            "redis://host",
            "redis://HOST:6379",
            "rediss://:p/w@host/0",
            "redis://me:p@w@host:6379/",
        ];
        for url in same {
            assert_eq!(place(url), Some(("host:6379".to_owned(), "0".to_owned())), "{url}");
        }
        for url in ["redis://host/1", "redis://host:6380", "redis://other", "embedded:/host"] {
            assert_ne!(place(url), place("redis://host"), "{url}");
        }
    }
}
