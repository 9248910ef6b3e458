//! `tikti backup`: a whole deployment as one file.
//!
//! Invariant: under the name that was asked for stands a whole backup or nothing; what is being
//! written has `.part` behind it, and both are readable by their owner alone.
//!
//! Spec: Operations, "Backup".

use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tikti_server::maintenance::{BackupReport, Progress, back_up};

use super::store::bytes;
use super::store_args::{KeyArgs, StoreArgs, not_done, note_expired};
use crate::context::Context;
use crate::exit::Failure;
use crate::interrupt::PutBack;

/// Write everything that is stored into one file, beside a running server or without one
///
/// The file holds neither masterKey nor pepper nor HS256 secrets: keep those as well, they are needed
/// to restore it.
#[derive(Args)]
#[command(after_help = "\
Example:
  openssl rand -base64 32 > backup.key
  tikti backup tikti.backup --config /etc/tikti/config.yaml --key-file backup.key")]
pub(crate) struct BackupArgs {
    /// File to write, with mode 0600
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Replace the file where there is one
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    file: String,
    records: u64,
    expired: u64,
    size_bytes: u64,
    sealed: bool,
}

pub(crate) async fn run(context: &Context, args: &BackupArgs) -> Result<(), Failure> {
    let store = args.store.store(context)?;
    let key = args.key.key()?;
    if !args.force && args.file.symlink_metadata().is_ok() {
        let message = format!("{} is there already", args.file.display());
        return Err(Failure::usage(message).next("`--force` replaces it"));
    }
    let part = Part::begin(&args.file)?;
    let (said, path) = (context.output.clone(), part.path.clone());
    let put_back = PutBack::at_signal(move |_| {
        discard(&path);
        said.ended("no backup was written");
    });
    let mut out = BufWriter::new(&part.file);
    let bar = context.output.progress();
    let mut tell = |at: Progress| bar.show("Writing", at.done, at.total);
    let written = back_up(&store, key.as_ref(), &mut out, &mut tell).await;
    drop(bar);
    let kept = written.map_err(not_done).and_then(|report| {
        out.flush().map_err(|cause| Failure::file("writing", &part.path, &cause))?;
        // From here on it stands, or it is seen that it does not.
        drop(put_back);
        Ok((report, part.keep(&args.file)?))
    });
    drop(out);
    let (BackupReport { records, expired, sealed, .. }, size_bytes) = match kept {
        Ok(kept) => kept,
        Err(failure) => {
            discard(&part.path);
            return Err(failure);
        }
    };
    let file = args.file.display().to_string();
    let output = &context.output;
    output.done(&format!("{records} records in {file}, {}", bytes(size_bytes)));
    note_expired(output, expired);
    if !sealed {
        output.note("It is not sealed: who has the file can read it (--key-file seals it)");
    }
    let bare = file.clone();
    output.answer(&Reply { file, records, expired, size_bytes, sealed }, "", &bare)
}

/// The file while it is written.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// Takes the place beside `target` for itself; what an earlier run left there goes.
    fn begin(target: &Path) -> Result<Self, Failure> {
        let Some(name) = target.file_name() else {
            return Err(Failure::usage(format!("{} names no file", target.display())));
        };
        let mut name = name.to_owned();
        name.push(".part");
        let path = target.with_file_name(name);
        let failed = |cause| Failure::file("writing", &path, &cause);
        let busy = || Failure::refused(format!("another backup is writing {}", path.display()));
        if !clear(&path).map_err(failed)? {
            return Err(busy());
        }
        let mut options = OpenOptions::new();
        let created = options.write(true).create_new(true).mode(0o600).open(&path);
        let file = match created {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Err(busy()),
            Err(cause) => return Err(failed(cause)),
        };
        // Another run may have cleared it away before it was locked.
        if file.try_lock().is_err() || !is_at(&file, &path) {
            return Err(busy());
        }
        Ok(Self { path, file })
    }

    /// Puts the file, whole and on the disk, into its place; gives its size in bytes.
    fn keep(&self, target: &Path) -> Result<u64, Failure> {
        let kept = self.file.sync_all().and_then(|()| {
            std::fs::rename(&self.path, target)?;
            let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(self.file.metadata()?.len())
        });
        kept.map_err(|cause| Failure::file("writing", target, &cause))
    }
}

/// Removes what did not become a backup.
fn discard(part: &Path) {
    // Where it cannot be removed, the next run begins over it.
    let _ = std::fs::remove_file(part);
}

/// Removes what an earlier run left, without writing to it: others may have it open, or it is a link.
/// False where a run is still at it, which holds its lock.
fn clear(path: &Path) -> std::io::Result<bool> {
    let left = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => File::open(path).ok(),
        Ok(_) => None,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(true),
        Err(cause) => return Err(cause),
    };
    // Locked until it is gone, so that no two runs remove each other's.
    if let Some(left) = &left
        && (left.try_lock().is_err() || !is_at(left, path))
    {
        return Ok(false);
    }
    std::fs::remove_file(path)?;
    Ok(true)
}

fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |held: Metadata, named: Metadata| (held.dev(), held.ino()) == (named.dev(), named.ino());
    file.metadata().is_ok_and(|held| path.symlink_metadata().is_ok_and(|named| same(held, named)))
}
