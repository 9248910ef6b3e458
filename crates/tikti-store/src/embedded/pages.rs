//! Is every page that the newest commit needs in the file, and is it what it has to be?
//!
//! LMDB trusts the numbers in its tree pages and would read outside its map, or hand out a page that
//! is in use, on a damaged one. This reads the tree of the records and the list of free pages with
//! `pread`, without mapping anything. Invariants that it checks: a page is where its own number says
//! and of the kind that its level asks for; entries lie inside their page, in order and within the
//! bounds that the level above gives; what is counted is what the header says; and no page is used
//! twice, or used and free. It reads no value: those have checksums.
//!
//! Facts from `mdb.c` of LMDB 0.9.70: `MDB_page`, `MDB_node`, `OVPAGES`; "Each non-metapage up to
//! mm_last_pg is reachable exactly once in the snapshot" at `MDB_page`. A page that is not reachable
//! at all is a leak and harms nobody.
//!
//! Spec: Storage, "damage is named, never returned".

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::header::{Failure, Fault, Fields, HEADER_PAGES, Header, PAGE_HEADER_BYTES, Tree};

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// `F_BIGDATA`: the value stands on pages of its own.
const BIG_DATA: u16 = 0x01;
/// `NODESIZE`.
const NODE_HEADER_BYTES: usize = 8;
/// `MDB_MAXKEYSIZE`.
const MAX_KEY_BYTES: usize = 511;

const WORD: usize = size_of::<usize>();

/// How the keys of a tree are sorted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Bytes,
    /// `MDB_INTEGERKEY`: numbers of the machine's own byte order.
    Numbers,
}

impl Order {
    fn is_less(self, left: &[u8], right: &[u8]) -> bool {
        match self {
            Self::Bytes => left < right,
            Self::Numbers => Fields(left).word() < Fields(right).word(),
        }
    }
}

/// A check under way. The pages of its commit have to stay as they are until it ends.
pub(super) struct Check {
    file: File,
    header: Header,
    /// By the number of the page: whether something uses it.
    taken: Vec<bool>,
    /// What the list of free pages names.
    free: Vec<usize>,
    /// Which tree it is at, how much of it was found, and what is still to be looked at.
    order: Order,
    found: Tree,
    visits: Vec<Visit>,
}

/// A page to be looked at, and what the page above says of it.
struct Visit {
    page: usize,
    /// 1 for a leaf.
    level: u16,
    lower: Option<Vec<u8>>,
    upper: Option<Vec<u8>>,
}

/// An entry of a page.
struct Node<'a> {
    /// Size of the value, or the lower part of a page number.
    low: u32,
    flags: u16,
    key: &'a [u8],
    /// What stands behind the key, to the end of the page.
    rest: &'a [u8],
}

impl Check {
    pub(super) fn begin(file: File, header: Header) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let pages_in_file = usize::try_from(length / header.page_size as u64).unwrap_or(usize::MAX);
        let taken = vec![false; pages_in_file.min(header.last_page + 1)];
        let (free, order) = (Vec::new(), Order::Bytes);
        let (found, visits) = start(&header.records);
        Ok(Self { file, header, taken, free, order, found, visits })
    }

    /// Checks everything.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        while !self.step(usize::MAX)? {}
        Ok(())
    }

    /// Looks at up to `pages` pages; says whether that was the end, and all is well.
    pub(super) fn step(&mut self, pages: usize) -> Result<bool, Failure> {
        for _ in 0..pages {
            let Some(visit) = self.visits.pop() else {
                return self.end_tree();
            };
            self.visit(&visit)?;
        }
        Ok(false)
    }

    fn visit(&mut self, visit: &Visit) -> Result<(), Failure> {
        let bytes = self.read_page(visit.page)?;
        self.take(visit.page, 1)?;
        let nodes = nodes(&bytes, visit, self.order)?;
        if visit.level > 1 {
            self.found.branch_pages += 1;
            self.visits.extend(children(&nodes, visit));
            return Ok(());
        }
        self.found.leaf_pages += 1;
        self.found.entries += nodes.len();
        for node in &nodes {
            self.found.overflow_pages += self.value(node)?;
        }
        Ok(())
    }

    /// After the tree of the records comes that of the free pages, and then their list is whole.
    fn end_tree(&mut self) -> Result<bool, Failure> {
        let expected = match self.order {
            Order::Bytes => self.header.records,
            Order::Numbers => self.header.free,
        };
        if self.found != expected {
            return Err(damaged("a tree has not as much in it as its header page says"));
        }
        if self.order == Order::Numbers {
            self.free_pages()?;
            return Ok(true);
        }
        self.order = Order::Numbers;
        (self.found, self.visits) = start(&self.header.free);
        Ok(false)
    }

    fn read_page(&self, page: usize) -> Result<Vec<u8>, Failure> {
        if page >= self.taken.len() {
            return Err(damaged("a page is missing: the file was cut short"));
        }
        let mut bytes = vec![0; self.header.page_size];
        self.file.read_exact_at(&mut bytes, self.offset(page))?;
        Ok(bytes)
    }

    fn offset(&self, page: usize) -> u64 {
        (page as u64).saturating_mul(self.header.page_size as u64)
    }

    /// Notes that `count` pages are used from `first` on.
    fn take(&mut self, first: usize, count: usize) -> Result<(), Fault> {
        let pages = first.checked_add(count).and_then(|end| self.taken.get_mut(first..end));
        let Some(pages) = pages.filter(|_| first >= HEADER_PAGES) else {
            return Err(Fault::Damaged("a page is missing: the file was cut short"));
        };
        if pages.iter().any(|taken| *taken) {
            return Err(Fault::Damaged("a page is used twice"));
        }
        pages.fill(true);
        Ok(())
    }

    /// Looks at the place of a value, gives how many pages it has of its own, and reads those of the
    /// list of free pages.
    fn value(&mut self, node: &Node<'_>) -> Result<usize, Failure> {
        let outside = || damaged("an entry does not fit into its page");
        let size = usize::try_from(node.low).unwrap_or(usize::MAX);
        if node.flags != BIG_DATA {
            let value = node.rest.get(..size).ok_or_else(outside)?;
            if self.order == Order::Numbers {
                self.list(value)?;
            }
            return Ok(0);
        }
        let first = Fields(node.rest).word().ok_or_else(outside)?;
        let pages = self.overflow(first, size)?;
        if self.order == Order::Numbers {
            let mut value = vec![0; size];
            let start = self.offset(first).saturating_add(PAGE_HEADER_BYTES as u64);
            self.file.read_exact_at(&mut value, start)?;
            self.list(&value)?;
        }
        Ok(pages)
    }

    /// Gives how many pages a value of `size` has.
    fn overflow(&mut self, first: usize, size: usize) -> Result<usize, Failure> {
        let page = self.read_page(first)?;
        let mut fields = Fields(&page);
        let (number, _padding, flags) = (fields.word(), fields.u16(), fields.u16());
        let count = fields.u32().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let needed = PAGE_HEADER_BYTES.saturating_add(size).div_ceil(self.header.page_size);
        if (number, flags) != (Some(first), Some(OVERFLOW)) || count < needed {
            return Err(damaged("a page of a value is not one"));
        }
        self.take(first, count)?;
        Ok(count)
    }

    /// An entry of the list of free pages: how many, and which.
    fn list(&mut self, value: &[u8]) -> Result<(), Fault> {
        let mut fields = Fields(value);
        let count = fields.word().unwrap_or(usize::MAX);
        if count > value.len() / WORD {
            return Err(Fault::Damaged("the list of free pages is not one"));
        }
        for _ in 0..count {
            let page = fields.word().unwrap_or(usize::MAX);
            if !(HEADER_PAGES..=self.header.last_page).contains(&page) {
                return Err(Fault::Damaged("the list of free pages is not one"));
            }
            self.free.push(page);
        }
        Ok(())
    }

    /// No page is free twice, or free and used.
    fn free_pages(&mut self) -> Result<(), Failure> {
        self.free.sort_unstable();
        let twice = self.free.windows(2).any(|pair| pair.first() == pair.last());
        let used = |page: &usize| self.taken.get(*page).copied().unwrap_or(false);
        if twice || self.free.iter().any(used) {
            return Err(damaged("a page is used twice"));
        }
        Ok(())
    }
}

/// The first visit of a tree, and nothing found yet.
fn start(tree: &Tree) -> (Tree, Vec<Visit>) {
    let mut found = *tree;
    (found.branch_pages, found.leaf_pages) = (0, 0);
    (found.overflow_pages, found.entries) = (0, 0);
    let level = tree.depth;
    let first = tree.root.map(|page| Visit { page, level, lower: None, upper: None });
    (found, first.into_iter().collect())
}

fn damaged(what: &'static str) -> Failure {
    Failure::Fault(Fault::Damaged(what))
}

/// Reads the entries of a page and judges all that can be said of them without reading another.
fn nodes<'a>(bytes: &'a [u8], visit: &Visit, order: Order) -> Result<Vec<Node<'a>>, Failure> {
    let mut fields = Fields(bytes);
    let (number, _padding, flags) = (fields.word(), fields.u16(), fields.u16());
    let kind = if visit.level > 1 { BRANCH } else { LEAF };
    if (number, flags) != (Some(visit.page), Some(kind)) {
        return Err(damaged("a page of a tree is not one"));
    }
    let bounds = fields.u16().zip(fields.u16());
    let (lower, upper) = bounds.map_or((0, 0), |(l, u)| (usize::from(l), usize::from(u)));
    let count = lower.saturating_sub(PAGE_HEADER_BYTES) / 2;
    if count == 0 || lower > upper || upper > bytes.len() {
        return Err(damaged("the bounds in a page are not right"));
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let at = fields.u16().map(usize::from).filter(|at| *at >= upper);
        let node = at.and_then(|at| bytes.get(at..)).and_then(node);
        nodes.push(node.ok_or_else(|| damaged("an entry does not fit into its page"))?);
    }
    check_order(&nodes, visit, order)?;
    Ok(nodes)
}

fn node(bytes: &[u8]) -> Option<Node<'_>> {
    let mut fields = Fields(bytes);
    // `mn_lo` is the lower half in either byte order.
    let halves = (fields.u16()?, fields.u16()?);
    let (lo, hi) = if cfg!(target_endian = "little") { halves } else { (halves.1, halves.0) };
    let (flags, key_bytes) = (fields.u16()?, usize::from(fields.u16()?));
    let (key, rest) = bytes.get(NODE_HEADER_BYTES..)?.split_at_checked(key_bytes)?;
    (key_bytes <= MAX_KEY_BYTES).then_some(Node {
        low: u32::from(lo) | u32::from(hi) << 16,
        flags,
        key,
        rest,
    })
}

fn check_order(nodes: &[Node<'_>], visit: &Visit, order: Order) -> Result<(), Failure> {
    // The first key of a branch stands for everything below the second, and may be empty.
    let first = usize::from(visit.level > 1);
    let keys: Vec<_> = nodes.iter().skip(first).map(|node| node.key).collect();
    let is_less = |left: &[u8], right: &[u8]| order.is_less(left, right);
    let in_order = keys.iter().zip(keys.iter().skip(1)).all(|(left, right)| is_less(left, right));
    let above = visit.lower.as_deref().zip(keys.first());
    let below = visit.upper.as_deref().zip(keys.last());
    let within = above.is_none_or(|(lower, first)| !is_less(first, lower))
        && below.is_none_or(|(upper, last)| is_less(last, upper));
    let leaf_flags =
        visit.level > 1 || nodes.iter().all(|node| node.flags == 0 || node.flags == BIG_DATA);
    if in_order && within && leaf_flags {
        Ok(())
    } else {
        Err(damaged("the entries of a page are not in order"))
    }
}

/// The pages that a branch points to, each with its bounds.
fn children(nodes: &[Node<'_>], parent: &Visit) -> Vec<Visit> {
    let key = |index: usize| nodes.get(index).map(|node| node.key.to_vec());
    let child = |(index, node): (usize, &Node<'_>)| {
        // `NODEPGNO`: where words have 64 bits, the flags are the top of a page number.
        let top = if WORD > 4 { u64::from(node.flags) << 32 } else { 0 };
        let page = usize::try_from(u64::from(node.low) | top).unwrap_or(usize::MAX);
        let lower = if index == 0 { parent.lower.clone() } else { key(index) };
        let upper = key(index + 1).or_else(|| parent.upper.clone());
        Visit { page, level: parent.level - 1, lower, upper }
    };
    nodes.iter().enumerate().map(child).collect()
}
