//! How is a store opened other than for serving: to read it, to compact it, and how is it closed?
//!
//! Invariant: none of these creates a store, and what was opened for reading never writes.
//!
//! Spec: Storage; Operations, "Backup".

use crate::embedded::{self, Embedded};
use crate::error::OpenError;
use crate::maintenance::Compacted;
use crate::redis;
use crate::store::{Access, Engine, OpenOptions, Store};

impl Store {
    /// Opens the store at `url` for reading: for tools, beside a running server or without one.
    ///
    /// Creates and changes nothing. Every call that would write is refused as `Misuse`. An embedded
    /// store cannot be compacted meanwhile; where LMDB's table of readers cannot be written, such as
    /// on a read-only file system, no server can open it for writing meanwhile either.
    ///
    /// # Errors
    /// `Missing` where there is no store, `Unprotected` where nothing would keep a server from
    /// writing; see [`OpenError`].
    pub async fn open_read_only(url: &str, options: OpenOptions) -> Result<Self, OpenError> {
        match embedded_directory(url) {
            Some(directory) => {
                let engine = Embedded::open_read_only(directory.as_ref(), &options)?;
                Ok(Self::new(Engine::Embedded(engine), Access::Read, options.write_id_seed))
            }
            None => Self::open_for(url, &options, Access::Read).await,
        }
    }

    /// Copies the embedded store at `url` without its free space, and puts the copy in its place.
    ///
    /// Nobody else may have it open, not even for reading. A crash leaves the old file or the new
    /// one, whole. Needs room for the copy, and blocks the calling thread until it is on the disk.
    ///
    /// # Errors
    /// `Missing`, `Locked`, `DiskFull`; `CompactsItself` for another engine; see [`OpenError`]. The
    /// store is then as it was.
    pub fn compact(url: &str, options: &OpenOptions) -> Result<Compacted, OpenError> {
        match embedded_directory(url) {
            Some(directory) => embedded::compact(directory.as_ref(), options),
            None => Err(match url.split_once(':') {
                Some((scheme, _)) if redis::serves(scheme) => {
                    OpenError::CompactsItself { scheme: scheme.to_owned() }
                }
                _ => OpenError::unknown_url(url),
            }),
        }
    }

    /// Gives up this handle. If it is the last, returns when everything is written and closed;
    /// other calls of the same thread go on meanwhile, which a mere drop would keep waiting.
    pub async fn close(self) {
        match self.engine {
            Engine::Embedded(engine) => engine.close().await,
            // Its connections end with the last handle, and nothing waits in them.
            Engine::Redis(_) => {}
        }
    }
}

fn embedded_directory(url: &str) -> Option<&str> {
    url.strip_prefix("embedded:").filter(|directory| !directory.is_empty())
}
