//! Does reading leave everything alone, beside a writer too?
//!
//! LMDB cannot be opened twice in one process, so the reader is a child: this test binary, told by
//! an argument to run [`child`]. It does what the lines of its input say and answers each with one.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use tempfile::TempDir;
use tikti_store::{Entry, Expected, OpenError, Partition, Store, StoreError};

use crate::support::{self, NOW, RECORD, key, open, options, try_open, url, value};

const DIRECTORY: &str = "reader-directory";
const ANSWER: &str = "answer: ";

/// Does nothing when the tests run.
#[tokio::test]
async fn child() {
    let Some(directory) = support::told(DIRECTORY) else {
        return;
    };
    let store = match Store::open_read_only(&url(Path::new(&directory)), options("reader")).await {
        Ok(store) => store,
        Err(error) => return println!("{ANSWER}{error}"),
    };
    println!("{ANSWER}open");
    let mut walks = Vec::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        if line == "walk" {
            walks.push(store.walk(NOW).await.unwrap());
            println!("{ANSWER}walking");
        } else {
            let found = value(&store, &key(line)).await.unwrap_or_default();
            println!("{ANSWER}{}", String::from_utf8(found).unwrap());
        }
    }
}

/// A reader in a process of its own, which ends with this value.
struct Reader {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reader {
    fn start(directory: &Path) -> Self {
        let path = directory.to_str().unwrap();
        let mut process = support::child("read_only::child", DIRECTORY, path, "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // The harness writes the name of the test in front of the first.
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.trim_end().to_owned();
            }
            line.clear();
        }
        panic!("the reader ended without an answer");
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        self.answer()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        // LMDB's own table of readers is there to be written.
        .filter(|file| !file.ends_with("lock.mdb"))
        .map(|file| (file.display().to_string(), fs::read(&file).unwrap()))
        .collect();
    files.sort();
    files
}

async fn open_read_only(directory: &Path) -> Result<Store, OpenError> {
    Store::open_read_only(&url(directory), options("test")).await
}

#[tokio::test]
async fn refuses_every_write_and_changes_no_file() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let written = key("written");
    store.put(&written, Entry::new(b"before"), NOW).await.unwrap();
    store.close().await;
    let before = files(directory.path());

    let store = open_read_only(directory.path()).await.unwrap();
    assert_eq!(value(&store, &written).await, Some(b"before".to_vec()));
    assert_eq!(
        store.scan(&Partition::global(), RECORD, None, 9, NOW).await.unwrap().entries.len(),
        1
    );
    let read = store.get(&written, NOW).await.unwrap().unwrap();
    let entry = Entry::new(b"after");
    let in_transaction =
        store.transact(&Partition::global(), &[], NOW, |txn| txn.put(&written, entry)).await;
    let refusals = [
        store.put(&written, entry, NOW).await,
        store.put_if(&written, Expected::Equals(&read), entry, NOW).await,
        store.put_if(&key("new"), Expected::Absent, entry, NOW).await,
        store.delete(&written).await,
        store.take(&written, NOW).await.map(|_| ()),
        store.load(&[(written.clone(), read.clone())], NOW).await,
        store.reclaim(None, 10, NOW).await.map(|_| ()),
        store.count_in_window(&written, 1000, NOW).await.map(|_| ()),
        in_transaction,
    ];
    for (number, refused) in refusals.into_iter().enumerate() {
        assert!(matches!(refused, Err(StoreError::Misuse { .. })), "{number}: {refused:?}");
    }
    assert_eq!(store.statistics().writes, 0);
    drop(store);
    assert_eq!(files(directory.path()), before);
}

#[tokio::test]
async fn creates_nothing_where_there_is_no_store() {
    let parent = TempDir::new().unwrap();
    let [absent, empty, unwritten] =
        ["absent", "empty", "unwritten"].map(|name| parent.path().join(name));
    fs::create_dir(&empty).unwrap();
    fs::create_dir(&unwritten).unwrap();
    fs::write(unwritten.join("data.mdb"), "").unwrap();
    for directory in [&absent, &empty, &unwritten] {
        let refused = open_read_only(directory).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("{} holds no store: check the path", directory.display())
        );
    }
    assert!(!absent.exists());
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&unwritten).unwrap().count(), 1);
}

/// A loop of links stands for every error that is not an absence, since permissions bind no root.
#[tokio::test]
async fn a_directory_that_cannot_be_looked_into_is_not_taken_for_none() {
    let directory = tempfile::tempdir().unwrap();
    let looped = directory.path().join("looped");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    let compacted = Store::compact(&url(&looped), &options("tool")).map(|_| ());
    let read = open_read_only(&looped).await.map(|_| ());
    for refused in [read, compacted] {
        let error = refused.unwrap_err();
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
        assert_eq!(error.to_string(), format!("could not look for {}/data.mdb", looped.display()));
    }
}

#[tokio::test]
async fn reads_beside_a_writer_what_it_has_acknowledged() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    store.put(&key("first"), Entry::new(b"1"), NOW).await.unwrap();
    let mut reader = Reader::start(directory.path());
    assert_eq!(reader.answer(), "open");
    assert_eq!(reader.ask("first"), "1");
    for number in 0..20 {
        let (id, text) = (number.to_string(), format!("value {number}"));
        store.put(&key(&id), Entry::new(text.as_bytes()), NOW).await.unwrap();
        assert_eq!(reader.ask(&id), text);
    }
}

/// A reader is in nobody's way, but for the one who would replace the file.
#[tokio::test]
async fn a_writer_opens_beside_a_reader_and_nobody_compacts() {
    let directory = TempDir::new().unwrap();
    open(directory.path()).await.close().await;
    let mut reader = Reader::start(directory.path());
    assert_eq!(reader.answer(), "open");
    let store = open(directory.path()).await;
    store.put(&key("new"), Entry::new(b"2"), NOW).await.unwrap();
    assert_eq!(reader.ask("new"), "2");
    store.close().await;
    let refused = Store::compact(&url(directory.path()), &options("test")).unwrap_err();
    let expected = format!(
        "{} is in use by a process that reads it: stop it, or use another directory",
        directory.path().display()
    );
    assert_eq!(refused.to_string(), expected);
    reader.kill();
    Store::compact(&url(directory.path()), &options("test")).unwrap();
}

/// As on a read-only file system: LMDB's table of readers is out of reach.
#[tokio::test]
async fn without_a_table_of_readers_it_keeps_writers_out() {
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    store.put(&key("a"), Entry::new(b"1"), NOW).await.unwrap();
    store.close().await;
    fs::remove_file(directory.path().join("lock.mdb")).unwrap();
    let mut reader = Reader::start(directory.path());
    assert_eq!(reader.answer(), "open");
    assert_eq!(reader.ask("a"), "1");
    assert!(!directory.path().join("lock.mdb").exists());
    let refused = try_open(directory.path(), "test").await;
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    reader.kill();

    let store = open(directory.path()).await;
    fs::remove_file(directory.path().join("lock.mdb")).unwrap();
    let mut reader = Reader::start(directory.path());
    let refused = reader.answer();
    assert!(refused.contains(&format!("in use by pid {} (test)", std::process::id())), "{refused}");
    store.close().await;

    for name in ["lock.mdb", "tikti.lock"] {
        let _ = fs::remove_file(directory.path().join(name));
    }
    let mut reader = Reader::start(directory.path());
    let refused = reader.answer();
    assert!(refused.contains("cannot be read safely"), "{refused}");
    assert_eq!(files(directory.path()).len(), 1);
}

/// How much the file grows when a record of 100 kB is written anew many times.
async fn growth(store: &Store) -> u64 {
    let size = async || store.status().await.unwrap().size_bytes.unwrap();
    let before = size().await;
    for number in 0..50 {
        store.put(&key("rewritten"), Entry::new(&vec![number; 100_000]), NOW).await.unwrap();
    }
    size().await - before
}

/// A reader that is alive keeps the pages of its walk; one that was killed must not.
#[tokio::test]
async fn a_killed_reader_keeps_no_pages_once_the_store_is_opened_or_swept() {
    const LITTLE: u64 = 1_000_000;
    let directory = TempDir::new().unwrap();
    let store = open(directory.path()).await;
    let mut killed = Reader::start(directory.path());
    assert_eq!(killed.answer(), "open");
    assert_eq!(killed.ask("walk"), "walking");
    killed.kill();
    store.reclaim(None, 10, NOW).await.unwrap();
    assert!(growth(&store).await < LITTLE);

    // The other one keeps LMDB from beginning with an empty table.
    let mut alive = Reader::start(directory.path());
    let mut killed = Reader::start(directory.path());
    assert_eq!((alive.answer(), killed.answer()), ("open".to_owned(), "open".to_owned()));
    assert_eq!(killed.ask("walk"), "walking");
    killed.kill();
    store.close().await;
    let store = open(directory.path()).await;
    assert!(growth(&store).await < LITTLE);
    assert_eq!(alive.ask("walk"), "walking");
    assert!(growth(&store).await > LITTLE);
}
