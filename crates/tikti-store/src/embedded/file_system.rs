//! Is there another machine between the memory map and the disk?
//!
//! Neither locks nor maps hold on a network file system. Invariant: only what certainly is one is
//! refused. FUSE can be either, so it is remarked upon and not refused.
//!
//! Spec: Storage, "no network file systems" (docs/decisions/0001).

use std::path::Path;

use crate::error::OpenError;

/// Where a directory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSystem {
    Local,
    /// A program serves it: from a local disk or from elsewhere, nobody can tell.
    Fuse,
    Network(&'static str),
}

impl FileSystem {
    /// Asks the system.
    #[cfg(target_os = "linux")]
    pub(super) fn of(directory: &Path) -> Result<Self, OpenError> {
        let found = rustix::fs::statfs(directory).map_err(|errno| {
            super::directory::io_error("examine the file system of", directory)(errno.into())
        })?;
        // Magic numbers have 32 bits; the width and the sign of the field differ between machines.
        Ok(Self::of_magic(found.f_type as u32))
    }

    /// Only Linux says it by a number that is documented.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
    pub(super) fn of(_directory: &Path) -> Result<Self, OpenError> {
        Ok(Self::Local)
    }

    /// Numbers: statfs(2) and linux/magic.h; Lustre's is `LL_SUPER_MAGIC` of its own headers.
    #[cfg(target_os = "linux")]
    fn of_magic(magic: u32) -> Self {
        match magic {
            0x0000_6969 => Self::Network("NFS"),
            0x0000_517b | 0xff53_4d42 | 0xfe53_4d42 => Self::Network("SMB"),
            0x5346_414f | 0x6b41_4653 => Self::Network("AFS"),
            0x00c3_6400 => Self::Network("CephFS"),
            0x0102_1997 => Self::Network("9p"),
            0x0bd0_0bd0 => Self::Network("Lustre"),
            0x6573_5546 => Self::Fuse,
            _ => Self::Local,
        }
    }

    /// Refuses a network file system.
    pub(super) fn check(self, directory: &Path) -> Result<(), OpenError> {
        match self {
            Self::Local | Self::Fuse => Ok(()),
            Self::Network(kind) => {
                Err(OpenError::NetworkFileSystem { directory: directory.to_owned(), kind })
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn refuses_network_file_systems_and_nothing_else() {
        let cases = [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("SMB")),
            (0x0102_1997, Some("9p")),
            (0x0bd0_0bd0, Some("Lustre")),
            // FUSE, ext4, tmpfs, overlay.
            (0x6573_5546, None),
            (0xef53, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
        ];
        for (magic, refused) in cases {
            let found = match FileSystem::of_magic(magic).check(Path::new("/data")) {
                Err(OpenError::NetworkFileSystem { kind, .. }) => Some(kind),
                _ => None,
            };
            assert_eq!(found, refused, "{magic:x}");
        }
        assert_eq!(FileSystem::of_magic(0x6573_5546), FileSystem::Fuse);
    }
}
