//! Is damage to the data file named, or does it end the process?
//!
//! Every damaged file is opened in a child: this test binary, told by an argument to run [`child`],
//! so that a signal shows as one. It opens the store for reading, walks over all of it, and reads
//! every record by its key.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use tempfile::TempDir;
use tikti_store::{Entry, Partition, Store, StoreError};

use crate::support::{self, NOW, key, open, options, try_open, url};

const DIRECTORY: &str = "damage-directory";
const RECORDS: u32 = 2000;
/// What a store of [`RECORDS`] records holds, and no other number of them.
const RIGHT: &str = "right";
const HIDDEN: &str = "hidden";

/// Does nothing when the tests run.
#[tokio::test]
async fn child() {
    let Some(told) = support::told(DIRECTORY) else {
        return;
    };
    let (records, directory) = told.split_once(':').unwrap();
    println!("found: {}.", look(Path::new(directory), records.parse().unwrap()).await);
}

/// Long enough that two records fill a page, and never the same twice.
fn content(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(300)
}

/// Never anything but [`RIGHT`] and [`HIDDEN`] (a record that is there reads as absent) where the
/// damage is not named. Ends the process if a record reads as another.
async fn look(directory: &Path, records: u32) -> String {
    let store = match Store::open_read_only(&url(directory), options("test")).await {
        Ok(store) => store,
        Err(error) => return error.to_string(),
    };
    match walk(&store).await {
        Err(error) => return error.to_string(),
        Ok(found) => assert!(
            (0..records).all(|id| found.get(&id) == Some(&content(id)))
                && found.len() == records as usize,
            "the walk was wrong: {} records",
            found.len()
        ),
    }
    let mut outcome = RIGHT;
    for number in 0..records {
        match store.get(&key(number.to_be_bytes()), NOW).await {
            Err(error) => return error.to_string(),
            Ok(None) => outcome = HIDDEN,
            Ok(Some(record)) => assert_eq!(record.value(), content(number), "{number}"),
        }
    }
    outcome.to_owned()
}

async fn walk(store: &Store) -> Result<BTreeMap<u32, Vec<u8>>, StoreError> {
    let mut walk = store.walk(NOW).await?;
    let mut found = BTreeMap::new();
    while let Some(page) = walk.next().await? {
        assert!(page.foreign.is_empty(), "the walk met a key that nobody wrote");
        for (key, record) in page.records {
            found
                .insert(u32::from_be_bytes(key.id().try_into().unwrap()), record?.value().to_vec());
        }
    }
    Ok(found)
}

async fn fill(directory: &Path, records: u32) {
    let store = open(directory).await;
    let numbers: Vec<_> = (0..records).collect();
    for part in numbers.chunks(1000) {
        let filled: Result<(), StoreError> = store
            .transact(&Partition::global(), &[], NOW, |txn| {
                part.iter().try_for_each(|number| {
                    txn.put(&key(number.to_be_bytes()), Entry::new(&content(*number)))
                })
            })
            .await;
        filled.unwrap();
    }
    store.close().await;
}

/// What the child found, or the signal that ended it.
fn found(directory: &Path, records: u32) -> Result<String, String> {
    let told = format!("{records}:{}", directory.display());
    let output = support::child("damage::child", DIRECTORY, &told, "ulimit -c 0").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => {
            Ok(text.split_once("found: ").unwrap().1.split_once(".\n").unwrap().0.to_owned())
        }
        Some(code) => panic!("{code} {text}{}", String::from_utf8_lossy(&output.stderr)),
        None => Err(output.status.to_string()),
    }
}

/// Where things stand in the two header pages: `MDB_page` (16 bytes) and `MDB_meta` in mdb.c, with
/// addresses of 64 bits.
const MAGIC: u64 = 16;
const VERSION: u64 = 20;
const PAGE_SIZE: u64 = 40;
const RECORDS_FLAGS: u64 = 92;
const RECORDS_DEPTH: u64 = 94;
const RECORDS_COUNT: u64 = 120;
const FREE_OVERFLOW: u64 = 64;
const FREE_ROOT: u64 = 80;
const RECORDS_OVERFLOW: u64 = 112;
const RECORDS_ROOT: u64 = 128;
const LAST_PAGE: u64 = 136;
const TRANSACTION: u64 = 144;

struct DataFile {
    file: File,
    page_size: u64,
}

impl DataFile {
    fn open(directory: &Path) -> Self {
        let file = File::options().read(true).write(true).open(directory.join("data.mdb")).unwrap();
        let mut size = [0; 4];
        file.read_exact_at(&mut size, PAGE_SIZE).unwrap();
        Self { file, page_size: u32::from_ne_bytes(size).into() }
    }

    fn word(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.file.read_exact_at(&mut word, at).unwrap();
        u64::from_ne_bytes(word)
    }

    /// Where the header page of the last commit begins.
    fn newest(&self) -> u64 {
        let second = self.page_size;
        if self.word(TRANSACTION) > self.word(second + TRANSACTION) { 0 } else { second }
    }

    fn flip(&self, at: u64, mask: u8) {
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, at).unwrap();
        self.file.write_all_at(&[byte[0] ^ mask], at).unwrap();
    }
}

type Damage = fn(&DataFile);

/// What is done to the file, and what an operator is told.
const HEADER_DAMAGE: [(&str, Damage, &str); 16] = [
    ("first magic", |file| file.flip(MAGIC, 1), "its first header page is not one"),
    (
        "second magic",
        |file| file.flip(file.page_size + MAGIC, 1),
        "its second header page is not one",
    ),
    ("page size", |file| file.flip(PAGE_SIZE + 1, 1), "its size of a page is not one"),
    (
        "page size of another system",
        |file| file.flip(PAGE_SIZE + 1, 0x30),
        "its second header page is not one",
    ),
    (
        "version",
        |file| file.flip(VERSION, 4),
        "its version of LMDB's format is not the one that this program reads",
    ),
    ("number", |file| file.flip(0, 1), "its header pages do not belong together"),
    (
        "newest transaction",
        |file| file.flip(file.newest() + TRANSACTION, 16),
        "its header pages are not of two commits in a row",
    ),
    (
        "kind of tree",
        |file| file.flip(file.newest() + RECORDS_FLAGS, 4),
        "its trees are of another kind",
    ),
    (
        "depth",
        |file| file.flip(file.newest() + RECORDS_DEPTH, 0x40),
        "its header page points to what cannot be there",
    ),
    (
        "root",
        |file| file.flip(file.newest() + RECORDS_ROOT + 5, 1),
        "its header page points to what cannot be there",
    ),
    (
        "root of something else",
        |file| file.flip(file.newest() + RECORDS_ROOT, 1),
        "a page of a tree is not one",
    ),
    (
        "count",
        |file| file.flip(file.newest() + RECORDS_COUNT, 1),
        "a tree has not as much in it as its header page says",
    ),
    (
        "last page",
        |file| file.file.write_all_at(&2_u64.to_ne_bytes(), file.newest() + LAST_PAGE).unwrap(),
        "its header page points to what cannot be there",
    ),
    (
        "half",
        |file| file.file.set_len(file.file.metadata().unwrap().size() / 2).unwrap(),
        "a page is missing: the file was cut short",
    ),
    (
        "one page",
        |file| file.file.set_len(file.page_size).unwrap(),
        "its second header page is not one",
    ),
    (
        "garbage behind the header",
        |file| {
            let size = file.file.metadata().unwrap().size() - 2 * file.page_size;
            file.file.write_all_at(&vec![0xa5; size as usize], 2 * file.page_size).unwrap();
        },
        "a page of a tree is not one",
    ),
];

/// For reading as for writing, which finds it before LMDB does.
#[tokio::test]
async fn damage_to_the_header_or_the_length_is_named() {
    let whole = TempDir::new().unwrap();
    fill(whole.path(), RECORDS).await;
    assert_eq!(found(whole.path(), RECORDS).unwrap(), RIGHT);
    for (what, damage, expected) in HEADER_DAMAGE {
        let directory = TempDir::new().unwrap();
        for name in ["data.mdb", "lock.mdb", "tikti.lock"] {
            fs::copy(whole.path().join(name), directory.path().join(name)).unwrap();
        }
        damage(&DataFile::open(directory.path()));
        let damaged = fs::read(directory.path().join("data.mdb")).unwrap();
        let path = directory.path().display();
        let expected = format!("data.mdb in {path} is damaged ({expected}): restore a backup");
        assert_eq!(found(directory.path(), RECORDS), Ok(expected.clone()), "{what}");
        let refused = try_open(directory.path(), "test").await.unwrap_err();
        assert_eq!(refused.to_string(), expected, "{what}");
        assert_eq!(fs::read(directory.path().join("data.mdb")).unwrap(), damaged, "{what}");
    }
}

#[tokio::test]
async fn what_is_not_a_data_file_is_refused() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).await.close().await;
    let data_file = directory.path().join("data.mdb");
    fs::write(&data_file, [0xa5; 100]).unwrap();
    let foreign = found(directory.path(), 0).unwrap();
    assert!(foreign.contains("holds data.mdb of another program"), "{foreign}");
    fs::remove_file(&data_file).unwrap();
    fs::create_dir(&data_file).unwrap();
    let refused = found(directory.path(), 0).unwrap();
    assert_eq!(refused, format!("could not open {}", data_file.display()));
    assert!(try_open(directory.path(), "test").await.is_err());
}

/// LMDB does not write free pages, so a file may end before its last page: `mm_last_pg` in mdb.c. A
/// tree of one page has nothing but its root, which says where the pages that are needed end.
#[tokio::test]
async fn a_file_that_lacks_only_free_pages_is_whole() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let (kept, filler) = (key(0_u32.to_be_bytes()), key("filler"));
    store.put(&filler, Entry::new(&[7; 100_000]), NOW).await.unwrap();
    store.delete(&filler).await.unwrap();
    let file = DataFile::open(directory.path());
    let needed = loop {
        store.put(&kept, Entry::new(&content(0)), NOW).await.unwrap();
        let word = |at| file.word(file.newest() + at);
        assert_eq!([FREE_OVERFLOW, RECORDS_OVERFLOW].map(word), [0, 0]);
        let last_root = word(FREE_ROOT).max(word(RECORDS_ROOT));
        if last_root + 10 < word(LAST_PAGE) {
            break last_root + 1;
        }
    };
    store.close().await;
    file.file.set_len(needed * file.page_size).unwrap();
    assert_eq!(found(directory.path(), 1).unwrap(), RIGHT);
    file.file.set_len((needed - 1) * file.page_size).unwrap();
    assert!(found(directory.path(), 1).unwrap().contains("the file was cut short"));
}

/// More than what is checked page by page at the opening.
const LARGE: u32 = 30_000;
const FLIPS: usize = 60;

/// Flips one bit where LMDB keeps its trees: the header of a page, where its entries are, or an
/// entry. It is named at the opening of a small store, and by a walk over a large one.
#[tokio::test]
async fn a_flipped_bit_in_a_tree_is_named_or_harmless() {
    for records in [RECORDS, LARGE] {
        let directory = TempDir::new().unwrap();
        fill(directory.path(), records).await;
        let file = DataFile::open(directory.path());
        let pages = file.file.metadata().unwrap().size() / file.page_size;
        let (mut named, mut right, mut hidden, mut ended) = (0, 0, 0, 0);
        // Numbers that have no order, and are the same every time: splitmix64.
        let mut state = 0_u64;
        let mut random = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
        };
        for _ in 0..FLIPS {
            let at = (2 + random() % (pages - 2)) * file.page_size + random() % 24;
            let mask = 1 << (random() % 8);
            file.flip(at, mask);
            match found(directory.path(), records) {
                Ok(text) if text == RIGHT => right += 1,
                Ok(text) if text == HIDDEN => hidden += 1,
                Ok(_) => named += 1,
                Err(_signal) => ended += 1,
            }
            file.flip(at, mask);
        }
        println!(
            "damage: records {records}, flips {FLIPS}, named {named}, right {right}, \
             hidden {hidden}, ended {ended}"
        );
        assert!(named > 0);
        assert_eq!(found(directory.path(), records).unwrap(), RIGHT);
        assert_eq!((hidden, ended), (0, 0));
    }
}
