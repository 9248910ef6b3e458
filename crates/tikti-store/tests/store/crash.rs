//! Is everything that was acknowledged there after `kill -9`, and nothing in half?
//!
//! The child is this test binary, told by an argument to run [`child`] on a directory. It writes
//! without end and prints each number after its write was acknowledged. Its parent kills it after
//! a random number of lines, opens the store again, and compares. The rounds share one directory,
//! so each but the first also begins with what a killed process left behind.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tikti_store::{Entry, Key, Partition, Store, StoreError};
use tokio::task::JoinSet;

use crate::support::{NOW, RECORD, open, value};

const ROUNDS: u64 = 5;
const WRITERS: u64 = 8;
const DIRECTORY_ARGUMENT: &str = "crash-directory=";

/// Does nothing when the tests run. In the process that [`run_and_kill`] starts, writes for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let argument = std::env::args()
        .find_map(|argument| argument.strip_prefix(DIRECTORY_ARGUMENT).map(str::to_owned));
    let Some(directory) = argument else {
        return;
    };
    let store = open(Path::new(&directory)).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            loop {
                let number = write_next(&store, writer).await.unwrap();
                // One call, so that the lines of two writers do not mix.
                let line = format!("ack {writer} {number}\n");
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

fn keys(writer: u64) -> (Partition, [Key; 2]) {
    let partition = Partition::new("writer", &writer.to_string());
    let pair = ["left", "right"].map(|id| Key::new(&partition, RECORD, id));
    (partition, pair)
}

fn log_key(partition: &Partition, number: u64) -> Key {
    Key::new(partition, RECORD, format!("log {number}"))
}

/// Counts both keys of the writer up by one, and leaves a record of it, in one transaction.
async fn write_next(store: &Store, writer: u64) -> Result<u64, StoreError> {
    let (partition, pair) = keys(writer);
    store
        .transact(&partition, &pair, NOW, |txn| {
            let last = match txn.get(&pair[0])? {
                Some(record) => u64::from_be_bytes(record.value().try_into().unwrap()),
                None => 0,
            };
            let number = last + 1;
            for key in &pair {
                txn.put(key, Entry::new(&number.to_be_bytes()))?;
            }
            txn.put(&log_key(&partition, number), Entry::new(b"written"))?;
            Ok(number)
        })
        .await
}

/// The last number that each writer was told to be durable.
fn run_and_kill(directory: &Path, lines_to_read: u64) -> HashMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .arg(format!("{DIRECTORY_ARGUMENT}{}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = HashMap::new();
    let mut read = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // Reads on after the kill: what the pipe still holds was acknowledged as well.
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some((writer, number)) = parse(&line) {
            acknowledged.insert(writer, number);
            read += 1;
        }
        if read == lines_to_read {
            child.kill().unwrap();
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the child ended by itself: {status}");
    acknowledged
}

/// A line that the kill cut short does not end, and was not a whole acknowledgement.
fn parse(line: &str) -> Option<(u64, u64)> {
    let (writer, number) = line.strip_prefix("ack ")?.strip_suffix('\n')?.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

async fn check(store: &Store, acknowledged: &HashMap<u64, u64>) {
    for writer in 0..WRITERS {
        let (partition, [left, right]) = keys(writer);
        let (left, right) = (value(store, &left).await, value(store, &right).await);
        assert_eq!(left, right, "a torn transaction of writer {writer}");
        let last = left.map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let told = acknowledged.get(&writer).copied().unwrap_or(0);
        assert!(last >= told, "writer {writer} was told {told}, and {last} is there");
        for number in 1..=last {
            let record = value(store, &log_key(&partition, number)).await;
            assert_eq!(record, Some(b"written".to_vec()), "{number} of writer {writer} is lost");
        }
        let ahead = value(store, &log_key(&partition, last + 1)).await;
        assert_eq!(ahead, None, "a torn transaction of writer {writer}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let directory = TempDir::new().unwrap();
    for round in 0..ROUNDS {
        let lines = 1 + RandomState::new().hash_one(round) % 400;
        let acknowledged = run_and_kill(directory.path(), lines);
        assert!(!acknowledged.is_empty());
        check(&open(directory.path()).await, &acknowledged).await;
    }
}
