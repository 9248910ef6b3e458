//! Is everything that was acknowledged there after `kill -9`, and nothing in half?
//!
//! The child is this test binary, told by an argument to run [`child`] on a directory. It writes
//! without end and prints each number after its write was acknowledged. Its parent kills it after
//! a random number of lines or at a random moment, opens the store again, and compares. The rounds
//! share one directory, so each but the first also begins with what a killed process left behind.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tikti_store::{Entry, Key, Partition, Store, StoreError};
use tokio::task::JoinSet;

use crate::support::{self, NOW, RECORD, open, value};

const ROUNDS: u64 = 100;
const WRITERS: u64 = 8;
const DIRECTORY: &str = "crash-directory";

/// Does nothing when the tests run. In the process that [`run_and_kill`] starts, writes for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(directory) = support::told(DIRECTORY) else {
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

/// When a round ends.
#[derive(Clone, Copy)]
enum Moment {
    Lines(u64),
    After(Duration),
}

impl Moment {
    fn random(round: u64) -> Self {
        let random = RandomState::new().hash_one(round);
        if round.is_multiple_of(2) {
            Self::Lines(1 + random % 300)
        } else {
            Self::After(Duration::from_micros(random % 200_000))
        }
    }
}

/// Adds to what each writer was told to be durable: the last number, and how many there were.
fn run_and_kill(directory: &Path, moment: Moment, told: &mut HashMap<u64, u64>) -> u64 {
    let path = directory.to_str().unwrap();
    let mut child =
        support::child("crash::child", DIRECTORY, path, "").stdout(Stdio::piped()).spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let (sender, lines) = mpsc::channel();
    // Reads on after the kill: what the pipe still holds was acknowledged as well.
    let reader = std::thread::spawn(move || read_lines(output, &sender));
    let mut acknowledged = 0;
    let mut note = |(writer, number)| {
        acknowledged += 1;
        told.insert(writer, number);
    };
    match moment {
        Moment::Lines(count) => (0..count).for_each(|_| note(lines.recv().unwrap())),
        Moment::After(time) => {
            let end = Instant::now() + time;
            loop {
                match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(line) => note(line),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => panic!("the child ended by itself"),
                }
            }
        }
    }
    child.kill().unwrap();
    lines.iter().for_each(note);
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the child ended by itself: {status}");
    reader.join().unwrap();
    acknowledged
}

fn read_lines(output: impl Read, sender: &mpsc::Sender<(u64, u64)>) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some(acknowledged) = parse(&line) {
            sender.send(acknowledged).unwrap();
        }
        line.clear();
    }
}

/// A line that the kill cut short does not end, and was not a whole acknowledgement.
fn parse(line: &str) -> Option<(u64, u64)> {
    let (writer, number) = line.strip_prefix("ack ")?.strip_suffix('\n')?.split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

#[derive(Default)]
struct Damage {
    lost: u64,
    torn: u64,
}

/// Compares what each writer left, from the record behind `checked` on.
async fn check(
    store: &Store,
    told: &HashMap<u64, u64>,
    checked: &mut HashMap<u64, u64>,
    damage: &mut Damage,
) {
    for writer in 0..WRITERS {
        let (partition, [left, right]) = keys(writer);
        let (left, right) = (value(store, &left).await, value(store, &right).await);
        let last = left.as_deref().map_or(0, |left| u64::from_be_bytes(left.try_into().unwrap()));
        damage.torn += u64::from(left != right);
        damage.lost += told.get(&writer).map_or(0, |told| told.saturating_sub(last));
        let from = checked.insert(writer, last).unwrap_or(0);
        for number in from + 1..=last {
            let record = value(store, &log_key(&partition, number)).await;
            damage.lost += u64::from(record != Some(b"written".to_vec()));
        }
        let ahead = value(store, &log_key(&partition, last + 1)).await;
        damage.torn += u64::from(ahead.is_some());
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let directory = TempDir::new().unwrap();
    let (mut acknowledged, mut damage) = (0, Damage::default());
    let (mut told, mut checked) = (HashMap::new(), HashMap::new());
    for round in 0..ROUNDS {
        acknowledged += run_and_kill(directory.path(), Moment::random(round), &mut told);
        let store = open(directory.path()).await;
        check(&store, &told, &mut checked, &mut damage).await;
        store.close().await;
    }
    // And once more from the beginning: a later round must not have cost an earlier one.
    let store = open(directory.path()).await;
    check(&store, &told, &mut HashMap::new(), &mut damage).await;
    let Damage { lost, torn } = damage;
    println!("crash: rounds {ROUNDS}, acknowledged {acknowledged}, lost {lost}, torn {torn}");
    assert!(acknowledged > 0);
    assert_eq!((lost, torn), (0, 0));
}
