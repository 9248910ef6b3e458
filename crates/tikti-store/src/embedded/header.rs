//! Does the data file begin as LMDB's do, and do its two header pages agree?
//!
//! LMDB looks at the magic number and the version only, trusts the rest, and maps the file: a bad
//! page size or root would end the process. So this is read before, with `pread`. Invariant: nothing
//! is refused that LMDB writes, whenever it was killed.
//!
//! Facts, all from `mdb.c` of LMDB 0.9.70: `MDB_page`, `MDB_meta` and `MDB_db` are the layout;
//! "Transaction N writes meta page #(N % 2)" and "Only committed write transactions increment the
//! ID" are at `MDB_meta` and `MDB_txn`; "the file may be shorter if the freeDB lists the final
//! pages" at `mm_last_pg`.
//!
//! Spec: Storage, "damage is named, never returned".

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// `MDB_MAGIC`.
const MAGIC: u32 = 0xBEEF_C0DE;
/// `MDB_DATA_VERSION`.
const DATA_VERSION: u32 = 1;
/// `P_META`.
const META_FLAG: u16 = 0x08;
/// `MDB_INTEGERKEY`: the only flag of the tree of free pages.
const INTEGER_KEY: u16 = 0x08;
/// `P_INVALID`: the root of an empty tree.
const NO_ROOT: usize = usize::MAX;
/// `CURSOR_STACK`.
const MAX_DEPTH: u16 = 32;
/// The sizes that a page can have: from 256 bytes on two records fit, `MAX_PAGESIZE` is 32 KiB.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=32 * 1024;
/// `NUM_METAS`.
pub(super) const HEADER_PAGES: usize = 2;

/// How often a pair is read until it is twice the same: a writer may be at it.
const READS: u32 = 100;

const WORD: usize = size_of::<usize>();
/// `PAGEHDRSZ`: number, padding, flags, and two bounds or a count.
pub(super) const PAGE_HEADER_BYTES: usize = WORD + 8;
/// Magic, version, address, map size, two trees, last page, transaction.
const META_BYTES: usize = 8 + 2 * WORD + 2 * TREE_BYTES + 2 * WORD;
const TREE_BYTES: usize = 8 + 5 * WORD;

/// What is wrong with a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing in it is LMDB's.
    Foreign,
    /// It was LMDB's, of this version.
    Damaged(&'static str),
}

/// Why a look into the data file did not end well.
pub(super) enum Failure {
    Fault(Fault),
    Io(io::Error),
    Lmdb(heed::Error),
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        Self::Lmdb(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// `MDB_db`: where a tree begins and how much there is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) depth: u16,
    pub(super) branch_pages: usize,
    pub(super) leaf_pages: usize,
    pub(super) overflow_pages: usize,
    pub(super) entries: usize,
    /// `None`: it is empty.
    pub(super) root: Option<usize>,
    flags: u16,
}

impl Tree {
    fn pages(&self) -> usize {
        self.branch_pages.saturating_add(self.leaf_pages).saturating_add(self.overflow_pages)
    }

    fn is_plausible(&self, last_page: usize) -> bool {
        match self.root {
            None => self.depth == 0 && self.pages() == 0 && self.entries == 0,
            Some(root) => {
                (HEADER_PAGES..=last_page).contains(&root)
                    && (1..=MAX_DEPTH).contains(&self.depth)
                    && self.leaf_pages >= 1
                    && self.entries >= 1
            }
        }
    }
}

/// What the newer of the two header pages says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) page_size: usize,
    pub(super) last_page: usize,
    /// Which commit wrote it.
    pub(super) transaction: usize,
    pub(super) free: Tree,
    pub(super) records: Tree,
}

impl Header {
    /// Reads both header pages and gives the newer; `None` where the file is empty.
    pub(super) fn read(file: &File) -> Result<Option<Self>, Failure> {
        let Some((first, second)) = read_pair(file)? else {
            return Ok(None);
        };
        let newer = if second.transaction > first.transaction { second } else { first };
        Ok(Some(newer.check(first, second)?))
    }

    /// Reads both header pages and gives the one of this commit; `None` where it is neither.
    ///
    /// LMDB lets readers see a commit only after its header is on the disk (`mdb_env_write_meta`),
    /// so while one is being written, the newer page is ahead of what a new snapshot sees.
    pub(super) fn of_commit(file: &File, transaction: usize) -> Result<Option<Self>, Failure> {
        let Some((first, second)) = read_pair(file)? else {
            return Ok(None);
        };
        let of_commit = [first, second].into_iter().find(|meta| meta.transaction == transaction);
        Ok(of_commit.map(|meta| meta.check(first, second)).transpose()?)
    }

    /// How long the file is if it ends with its last page, in bytes.
    pub(super) fn full_bytes(&self) -> u64 {
        let pages = u64::try_from(self.last_page).unwrap_or(u64::MAX).saturating_add(1);
        pages.saturating_mul(self.page_size as u64)
    }
}

/// `MDB_meta`, as it stands in one header page.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Meta {
    number: usize,
    version: u32,
    page_size: u32,
    free: Tree,
    records: Tree,
    last_page: usize,
    transaction: usize,
}

impl Meta {
    /// Judges the newer of the two.
    fn check(self, first: Self, second: Self) -> Result<Header, Fault> {
        let damaged = |what| Err(Fault::Damaged(what));
        if (first.number, second.number) != (0, 1) || first.page_size != second.page_size {
            return damaged("its header pages do not belong together");
        }
        if (first.version, second.version) != (DATA_VERSION, DATA_VERSION) {
            return damaged("its version of LMDB's format is not the one that this program reads");
        }
        let (even, odd) = (first.transaction, second.transaction);
        let in_turn = even % 2 == 0 && odd % 2 == 1 && even.abs_diff(odd) == 1;
        if !in_turn && (even, odd) != (0, 0) {
            return damaged("its header pages are not of two commits in a row");
        }
        if self.free.flags != INTEGER_KEY || self.records.flags != 0 {
            return damaged("its trees are of another kind");
        }
        let used = self.free.pages().saturating_add(self.records.pages());
        let plausible = self.last_page >= HEADER_PAGES - 1
            && self.free.is_plausible(self.last_page)
            && self.records.is_plausible(self.last_page)
            && used < self.last_page;
        if !plausible {
            return damaged("its header page points to what cannot be there");
        }
        Ok(Header {
            page_size: self.page_size as usize,
            last_page: self.last_page,
            transaction: self.transaction,
            free: self.free,
            records: self.records,
        })
    }
}

/// Both header pages, as they were at one moment; nothing where the file is empty.
fn read_pair(file: &File) -> Result<Option<(Meta, Meta)>, Failure> {
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    let Some(first) = read_meta(file, 0)? else {
        return Err(first_page_fault(file)?.into());
    };
    let page_size = first.page_size;
    if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
        return Err(Fault::Damaged("its size of a page is not one").into());
    }
    let mut pair = (Some(first), read_meta(file, u64::from(page_size))?);
    for _ in 0..READS {
        let again = (read_meta(file, 0)?, read_meta(file, u64::from(page_size))?);
        if again == pair {
            break;
        }
        pair = again;
    }
    let (Some(first), Some(second)) = pair else {
        return Err(Fault::Damaged("its second header page is not one").into());
    };
    Ok(Some((first, second)))
}

/// `None` where there is no header page.
fn read_meta(file: &File, at: u64) -> io::Result<Option<Meta>> {
    let mut bytes = [0; PAGE_HEADER_BYTES + META_BYTES];
    match file.read_exact_at(&mut bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    Ok(parse_meta(&bytes))
}

fn parse_meta(bytes: &[u8]) -> Option<Meta> {
    let mut fields = Fields(bytes);
    let (number, _padding, flags) = (fields.word()?, fields.u16()?, fields.u16()?);
    let _bounds = fields.u32()?;
    let magic = fields.u32()?;
    if flags != META_FLAG || magic != MAGIC {
        return None;
    }
    let version = fields.u32()?;
    let (_address, _map_size) = (fields.word()?, fields.word()?);
    let (page_size, free) = fields.tree()?;
    let (_no_size, records) = fields.tree()?;
    let (last_page, transaction) = (fields.word()?, fields.word()?);
    Some(Meta { number, version, page_size, free, records, last_page, transaction })
}

/// Tells a file of another program from ours with its first page gone: then there is a second.
fn first_page_fault(file: &File) -> io::Result<Fault> {
    let mut page_size = *PAGE_SIZES.start();
    while page_size <= *PAGE_SIZES.end() {
        if read_meta(file, u64::from(page_size))?.is_some() {
            return Ok(Fault::Damaged("its first header page is not one"));
        }
        page_size *= 2;
    }
    Ok(Fault::Foreign)
}

/// Numbers of the machine's own byte order, one behind the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    pub(super) fn word(&mut self) -> Option<usize> {
        self.take().map(usize::from_ne_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// With the first field, which has a meaning of its own in each of the two.
    fn tree(&mut self) -> Option<(u32, Tree)> {
        let (pad, flags, depth) = (self.u32()?, self.u16()?, self.u16()?);
        let (branch_pages, leaf_pages, overflow_pages) = (self.word()?, self.word()?, self.word()?);
        let (entries, root) = (self.word()?, self.word()?);
        let root = (root != NO_ROOT).then_some(root);
        let tree = Tree { depth, branch_pages, leaf_pages, overflow_pages, entries, root, flags };
        Some((pad, tree))
    }
}
