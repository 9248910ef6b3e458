//! Writers that know what they were told, each of another primitive.
//!
//! Invariant: a journal is as exact as the answers. `Ok` is acknowledged, `Conflict` is certainly not
//! written, `Unavailable` may be there or not, now or later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tikti_store::{Entry, Expected, Key, Kind, Partition, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::{NOW, RECORD, value};

const TOKEN: Kind = Kind::new("token");
/// Each primitive writes to so many partitions at once.
const PARTITIONS_EACH: u32 = 3;

/// What the journals and the store say of each other.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    /// Acknowledged and not there.
    pub(super) lost: u64,
    /// There twice in effect: applied again, given out again, or old over new.
    pub(super) doubled: u64,
    pub(super) findings: Vec<String>,
}

impl Tally {
    fn lose(&mut self, finding: String) {
        self.lost += 1;
        self.findings.push(finding);
    }

    fn double(&mut self, finding: String) {
        self.doubled += 1;
        self.findings.push(finding);
    }
}

/// What a writer was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Written,
    Refused,
    /// Nobody knows.
    Nothing,
}

fn told(answer: &Result<(), StoreError>) -> Told {
    match answer {
        Ok(()) => Told::Written,
        Err(StoreError::Conflict { .. }) => Told::Refused,
        Err(StoreError::Unavailable { .. }) => Told::Nothing,
        Err(error) => panic!("{error}"),
    }
}

/// Shared by all writers of a scenario.
#[derive(Default)]
struct Work {
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    progress: Notify,
}

impl Work {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Counts an acknowledgement. Where nobody answers, does not ask again at once.
    async fn note(&self, told: Told) {
        const PAUSE: Duration = Duration::from_millis(5);
        match told {
            Told::Written => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.progress.notify_waiters();
            }
            Told::Refused => {}
            Told::Nothing => sleep(PAUSE).await,
        }
    }
}

/// Running writers.
pub(super) struct Writers {
    work: Arc<Work>,
    tasks: JoinSet<Journal>,
}

impl Writers {
    pub(super) fn start(store: &Store) -> Self {
        let (work, mut tasks) = (Arc::new(Work::default()), JoinSet::new());
        for number in 0..PARTITIONS_EACH {
            let place = |primitive: &'static str| Place {
                store: store.clone(),
                work: Arc::clone(&work),
                partition: Partition::new(primitive, &number.to_string()),
            };
            tasks.spawn(count_up(place("counter")));
            tasks.spawn(extend_a_chain(place("chain")));
            tasks.spawn(overwrite(place("register")));
            tasks.spawn(claim(place("claims")));
            tasks.spawn(hand_out_codes(place("codes")));
        }
        Self { work, tasks }
    }

    /// Waits until `more` writes are acknowledged.
    pub(super) async fn wait_for(&self, more: u64) {
        const LIMIT: Duration = Duration::from_secs(30);
        let goal = self.work.acknowledged.load(Ordering::Relaxed) + more;
        let reached = async {
            loop {
                let progress = self.work.progress.notified();
                if self.work.acknowledged.load(Ordering::Relaxed) >= goal {
                    return;
                }
                progress.await;
            }
        };
        timeout(LIMIT, reached).await.expect("writing goes on");
    }

    pub(super) async fn stop(self) -> Vec<Journal> {
        self.work.is_over.store(true, Ordering::Relaxed);
        self.tasks.join_all().await
    }
}

/// Where a writer writes.
struct Place {
    store: Store,
    work: Arc<Work>,
    partition: Partition,
}

impl Place {
    /// The record that is alone in its partition.
    fn alone(&self) -> Key {
        Key::new(&self.partition, RECORD, "")
    }

    fn token(&self, token: u64) -> Key {
        Key::new(&self.partition, TOKEN, token.to_be_bytes())
    }
}

/// What a writer was told, and where.
pub(super) struct Journal {
    partition: Partition,
    /// Of each number that it wrote, in the order of writing.
    written: Vec<(u64, Told)>,
    kind: JournalKind,
    /// What it saw itself.
    seen: Tally,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JournalKind {
    /// A count, and a token for each time that it was counted up.
    Counter,
    /// One record; a write that was overwritten cannot come back.
    Chain,
    /// One record; a write that nobody acknowledged may come late.
    Register,
    /// Records that belong to whoever was first.
    Claims,
    /// Everything was seen by the writer.
    Codes,
}

impl Journal {
    fn new(place: &Place, kind: JournalKind) -> Self {
        let (partition, seen) = (place.partition.clone(), Tally::default());
        Self { partition, written: Vec::new(), kind, seen }
    }

    async fn note(&mut self, place: &Place, number: u64, answer: &Result<(), StoreError>) -> Told {
        let told = told(answer);
        self.written.push((number, told));
        place.work.note(told).await;
        told
    }

    pub(super) async fn check(mut self, store: &Store, tally: &mut Tally) {
        let all = self.written.iter().filter(|(_, told)| *told == Told::Written);
        tally.acknowledged += all.count() as u64;
        match self.kind {
            JournalKind::Counter => self.check_counter(store).await,
            JournalKind::Chain | JournalKind::Register => {
                let alone = Key::new(&self.partition, RECORD, "");
                let last = value(store, &alone).await.map(|bytes| number(&bytes));
                self.check_last(last);
            }
            JournalKind::Claims => self.check_claims(store).await,
            JournalKind::Codes => {}
        }
        tally.lost += self.seen.lost;
        tally.doubled += self.seen.doubled;
        let partition = &self.partition;
        let findings = self.seen.findings.iter().map(|finding| format!("{partition}: {finding}"));
        tally.findings.extend(findings);
    }

    async fn check_counter(&mut self, store: &Store) {
        let count = value(store, &Key::new(&self.partition, RECORD, "")).await;
        let count = count.map_or(0, |bytes| number(&bytes));
        let mut there = 0;
        for (token, told) in &self.written {
            let key = Key::new(&self.partition, TOKEN, token.to_be_bytes());
            let is_there = value(store, &key).await.is_some();
            there += u64::from(is_there);
            match told {
                Told::Written if !is_there => self.seen.lose(format!("token {token}")),
                Told::Refused if is_there => self.seen.double(format!("refused token {token}")),
                Told::Written | Told::Refused | Told::Nothing => {}
            }
        }
        for _ in there..count {
            self.seen.double(format!("counted to {count} with {there} tokens"));
        }
        for _ in count..there {
            self.seen.lose(format!("counted to {count} with {there} tokens"));
        }
        let listed = list(store, &self.partition).await;
        assert_eq!(listed, there, "{}: the listing is not what is there", self.partition);
    }

    /// Whether `found` is what the last acknowledged write left, or one whose end nobody knows.
    fn check_last(&mut self, found: Option<u64>) {
        let is_written = |(_, told): &(u64, Told)| *told == Told::Written;
        let last = self.written.iter().rposition(is_written);
        let since = last.map_or(&self.written[..], |last| &self.written[last..]);
        let may_come_late = if self.kind == JournalKind::Register { &self.written } else { since };
        let is_open = |number| may_come_late.contains(&(number, Told::Nothing));
        let expected = last.map(|last| self.written[last].0);
        match found {
            found if found == expected => {}
            Some(found) if is_open(found) => {}
            Some(found) if self.written.contains(&(found, Told::Refused)) => {
                self.seen.double(format!("{found}, which was refused"));
            }
            found if self.kind == JournalKind::Chain => {
                self.seen.lose(format!("{found:?} instead of {expected:?}"));
            }
            Some(found) => self.seen.double(format!("{found} over {expected:?}")),
            None => self.seen.lose(format!("nothing instead of {expected:?}")),
        }
    }

    async fn check_claims(&mut self, store: &Store) {
        for (claim, told) in &self.written {
            let (id, claimant) = (claim / CLAIMANTS, claim % CLAIMANTS);
            let key = Key::new(&self.partition, TOKEN, id.to_be_bytes());
            let owner = value(store, &key).await.map(|bytes| number(&bytes));
            match told {
                Told::Written if owner != Some(claimant) => {
                    self.seen.lose(format!("{id} of {claimant} is that of {owner:?}"));
                }
                Told::Refused if owner == Some(claimant) => {
                    self.seen.double(format!("{id} was refused to {claimant}, who has it"));
                }
                Told::Written | Told::Refused | Told::Nothing => {}
            }
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

/// How many tokens a whole listing gives.
async fn list(store: &Store, partition: &Partition) -> u64 {
    let (mut listed, mut after) = (0, None);
    loop {
        let page = store.scan(partition, TOKEN, after.as_deref(), 100, NOW).await.unwrap();
        listed += page.entries.len() as u64;
        after = page.next;
        if after.is_none() {
            return listed;
        }
    }
}

/// Two at a time count up, each with a token of its own in the same transaction.
async fn count_up(place: Place) -> Journal {
    let mut journal = Journal::new(&place, JournalKind::Counter);
    let mut next = 0;
    while place.work.goes_on() {
        let answers = tokio::join!(count_once(&place, next), count_once(&place, next + 1));
        for (answer, token) in [answers.0, answers.1].iter().zip(next..) {
            journal.note(&place, token, answer).await;
        }
        next += 2;
    }
    journal
}

async fn count_once(place: &Place, token: u64) -> Result<(), StoreError> {
    let count = [place.alone()];
    place
        .store
        .transact(&place.partition, &count, NOW, |txn| {
            let [count] = &count;
            let before = txn.get(count)?.map_or(0, |record| number(record.value()));
            txn.put(count, Entry::new(&(before + 1).to_be_bytes()))?;
            txn.put(&place.token(token), Entry::new(b"counted"))
        })
        .await
}

/// Replaces what it has read by the next number.
async fn extend_a_chain(place: Place) -> Journal {
    let mut journal = Journal::new(&place, JournalKind::Chain);
    let alone = place.alone();
    let mut next = 0;
    while place.work.goes_on() {
        let Ok(before) = place.store.get(&alone, NOW).await else {
            place.work.note(Told::Nothing).await;
            continue;
        };
        journal.check_last(before.as_ref().map(|before| number(before.value())));
        let expected = before.as_ref().map_or(Expected::Absent, Expected::Equals);
        let bytes = u64::to_be_bytes(next);
        let answer = place.store.put_if(&alone, expected, Entry::new(&bytes), NOW).await;
        journal.note(&place, next, &answer).await;
        next += 1;
    }
    journal
}

/// Writes the next number over whatever is there.
async fn overwrite(place: Place) -> Journal {
    let mut journal = Journal::new(&place, JournalKind::Register);
    let alone = place.alone();
    let mut next = 0_u64;
    while place.work.goes_on() {
        let answer = place.store.put(&alone, Entry::new(&next.to_be_bytes()), NOW).await;
        journal.note(&place, next, &answer).await;
        if let Ok(found) = place.store.get(&alone, NOW).await {
            journal.check_last(found.map(|found| number(found.value())));
        }
        next += 1;
    }
    journal
}

const CLAIMANTS: u64 = 3;

/// Three at a time claim the same name.
async fn claim(place: Place) -> Journal {
    let mut journal = Journal::new(&place, JournalKind::Claims);
    let mut next = 0;
    while place.work.goes_on() {
        let key = place.token(next);
        let claim = |claimant: u64| {
            let (place, key) = (&place, &key);
            async move {
                let bytes = claimant.to_be_bytes();
                place.store.put_if(key, Expected::Absent, Entry::new(&bytes), NOW).await
            }
        };
        let answers = tokio::join!(claim(0), claim(1), claim(2));
        let answers = [answers.0, answers.1, answers.2];
        let all_told = answers.each_ref().map(told);
        for (claimant, answer) in (0..).zip(&answers) {
            journal.note(&place, next * CLAIMANTS + claimant, answer).await;
        }
        let winners = all_told.iter().filter(|told| **told == Told::Written).count();
        if winners > 1 {
            journal.seen.double(format!("{next} was given to {winners} claimants"));
        }
        if all_told == [Told::Refused; 3] {
            journal.seen.double(format!("{next} was refused to everybody"));
        }
        next += 1;
    }
    journal
}

/// Puts a code, and lets three at a time take it.
async fn hand_out_codes(place: Place) -> Journal {
    let mut journal = Journal::new(&place, JournalKind::Codes);
    let mut next = 0;
    while place.work.goes_on() {
        let own = Partition::new("code", &format!("{} {next}", place.partition));
        // One that is listed, and one that is alone.
        for key in [&place.token(next), &Key::new(&own, RECORD, "")] {
            let put = place.store.put(key, Entry::new(b"code"), NOW).await;
            let put = journal.note(&place, next, &put).await;
            let take = || place.store.take(key, NOW);
            let taken = tokio::join!(take(), take(), take());
            let taken = [taken.0, taken.1, taken.2];
            let given = taken.iter().flatten().flatten().count();
            if given > 1 {
                journal.seen.double(format!("{key} was given to {given} takers"));
            }
            let all_answered = taken.iter().all(Result::is_ok);
            if put == Told::Written && all_answered && given == 0 {
                journal.seen.lose(format!("{key} was given to nobody"));
            }
        }
        next += 1;
    }
    journal
}
