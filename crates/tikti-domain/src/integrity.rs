//! Does everything that is stored fit together? `store verify`.
//!
//! Every record is read once, parsed by its key, and compared with the few others that it speaks of,
//! in both directions: a claim with its user and the user with his claim. Invariant: nothing is
//! written, a page of records is held at a time, and the cost is in proportion to the records.
//!
//! The store may be in use, and two records are not read at one moment. What looks broken is a finding
//! once three looks in a row, with a list of the intents between each and the next, found the same
//! writes: same records, same records missing. While records stay the same, what is missing beside
//! them can come once and go once, and no more: users and tenants leave tombstones, and who takes a
//! membership or a name again writes a new entry or claim. So two of the three looks saw one and the
//! same state, which lasted while the intents between them were listed, and an operation that was to
//! blame for it would have been in that list.
//!
//! Spec: Operations, "Backup" (`store verify`); Domain, "Rules that always hold".

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tikti_store::{Key, Partition, Store, StoreError, Stored};

use crate::clock::Timestamp;
use crate::id::UserId;
use crate::intent;
use crate::keyspace;
use crate::sweep::SWEEP_AFTER_MILLIS;
use fact::{Fact, read};
use judge::{Sight, Sights, judge, needs, subjects};

pub use rule::Rule;

mod fact;
mod judge;
mod rule;

#[cfg(test)]
mod tests;

/// How many findings are given in full; all are counted.
const MOST_FINDINGS: usize = 1000;
/// How many records are looked up at a time: each may be as large as a tenant's roles.
const LOOKUP: usize = 128;
/// How many further looks in a row must find what the look before them found.
const LOOKS_ALIKE: u32 = 2;
/// How many further looks are taken while records change between them. What was broken at each is a
/// finding then: nothing real is missed because it is in use.
const MOST_LOOKS: u32 = 100;
/// How many intents are held at a time.
const INTENTS: usize = 1000;
/// How old an operation is that nobody finishes, in milliseconds: ten times the age at which a sweep
/// takes it for dead. A server sweeps twice a minute, so it has failed some twenty times by then, or
/// nobody sweeps. It explains nothing any more.
const OVERDUE_MILLIS: u64 = 10 * SWEEP_AFTER_MILLIS;

/// What `store verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrityReport {
    /// How many live records there are.
    pub records: u64,
    /// How many of each kind, by `<prefix of the partition>/<kind>`.
    pub kinds: BTreeMap<String, u64>,
    /// How many operations are under way: what one of them explains is no finding, unless it began more
    /// than ten minutes ago; then it is a finding itself.
    pub pending: u64,
    /// How many rules are broken.
    pub findings_total: u64,
    /// The first 1000 of them; an unfinished copy stands before all others.
    pub findings: Vec<Finding>,
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The key of the record that breaks it, printable.
    pub key: String,
    /// More, such as the id of the other record. No secret and no address.
    pub detail: String,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records looked at.
    pub done: u64,
    /// About how many there are, where the engine knows.
    pub total: Option<u64>,
}

/// Something that looks broken.
struct Suspect {
    key: Key,
    rule: Rule,
    detail: String,
    /// Whom it is about.
    subjects: Vec<Partition>,
    /// The writes that it was judged by.
    evidence: Evidence,
    /// How many looks in a row have found the same since.
    looks_alike: u32,
}

/// A hash over the envelopes of the records that something was judged by, or their absence. Two
/// writes differ in their ids, so the same evidence is the same writes but for a chance of 2^-64.
type Evidence = u64;

/// A record, or what is wrong with it.
type Read = (Key, Result<Stored, StoreError>);

/// Compares all records that are live at `now` with the rules. Writes nothing; the store may be in
/// use meanwhile.
///
/// # Errors
/// `Unavailable`. A damaged record is a finding.
pub async fn verify(
    store: &Store,
    now: Timestamp,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<IntegrityReport, StoreError> {
    let total = store.status().await?.entries;
    let mut report = IntegrityReport::default();
    let mut walk = store.walk(now).await?;
    while let Some(page) = walk.next().await? {
        for foreign in &page.foreign {
            let key = foreign.escape_ascii().to_string();
            report.add(Finding { rule: Rule::ForeignKey, key, detail: String::new() });
        }
        report.count(&page.records);
        let suspects = examine(store, page.records, now).await?;
        for finding in confirm(store, suspects, now).await? {
            report.add(finding);
        }
        progress(Progress { done: report.records, total });
    }
    let required = [
        (keyspace::deployment(), Rule::NoDeployment),
        (keyspace::signing_keys(), Rule::NoSigningKeys),
    ];
    for (key, rule) in required {
        if let Some(Ok(None)) = look_up(store, std::slice::from_ref(&key), now).await?.pop() {
            report.add(Finding { rule, key: key.to_string(), detail: String::new() });
        }
    }
    Ok(report)
}

impl IntegrityReport {
    fn add(&mut self, finding: Finding) {
        self.findings_total += 1;
        // It explains all the others, so it comes first and is never left out.
        if finding.rule == Rule::UnfinishedCopy {
            self.findings.insert(0, finding);
            self.findings.truncate(MOST_FINDINGS);
            return;
        }
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }

    fn count(&mut self, records: &[Read]) {
        for (key, _) in records {
            self.records += 1;
            let partition = key.partition().as_str();
            let prefix = partition.split_once(':').map_or(partition, |(prefix, _)| prefix);
            *self.kinds.entry(format!("{prefix}/{}", key.kind())).or_default() += 1;
            if (prefix, key.kind()) == ("i", keyspace::INTENT.as_str()) {
                self.pending += 1;
            }
        }
    }
}

/// Everything that looks broken in a page.
async fn examine(
    store: &Store,
    records: Vec<Read>,
    now: Timestamp,
) -> Result<Vec<Suspect>, StoreError> {
    let mut suspects = Vec::new();
    let mut facts = Vec::with_capacity(records.len());
    for (key, stored) in records {
        let evidence = evidence_of(&stored.as_ref().ok().map(Stored::as_bytes));
        let broken = match stored {
            Ok(stored) => match read(&key, &stored) {
                Ok(fact) => {
                    facts.push((key, fact, evidence));
                    continue;
                }
                Err(broken) => broken,
            },
            Err(error) => (Rule::Damaged, damage(error)?),
        };
        let (rule, detail) = broken;
        let subjects = Vec::new();
        suspects.push(Suspect { key, rule, detail, subjects, evidence, looks_alike: 0 });
    }
    let (seen, evidence_at) = see(store, &facts, now).await?;
    for (key, fact, own) in facts {
        // What hangs on a record that cannot be read is not judged.
        for (rule, detail) in judge((&key, &fact), &seen, now).unwrap_or_default() {
            let subjects = subjects_of(rule, &fact, &detail);
            let others: Vec<_> = needs(&fact).iter().map(|key| evidence_at.get(key)).collect();
            let evidence = evidence_of(&(own, others));
            let key = key.clone();
            suspects.push(Suspect { key, rule, detail, subjects, evidence, looks_alike: 0 });
        }
    }
    Ok(suspects)
}

fn evidence_of(what: &impl Hash) -> Evidence {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Of a set of administrators, only the one who is broken counts.
fn subjects_of(rule: Rule, fact: &Fact, detail: &str) -> Vec<Partition> {
    match (rule, UserId::parse(detail)) {
        (Rule::GhostAdmin, Ok(ghost)) => vec![keyspace::of_user(&ghost)],
        (Rule::GhostTenantAdmin, Ok(ghost)) => {
            subjects(fact).into_iter().chain([keyspace::of_user(&ghost)]).collect()
        }
        _ => subjects(fact),
    }
}

/// What is wrong with a damaged record; any other error stops the verification.
fn damage(error: StoreError) -> Result<String, StoreError> {
    match error {
        StoreError::Corrupt { what, .. } => Ok(what.to_owned()),
        other => Err(other),
    }
}

/// Reads what the facts of a page have to be compared with.
async fn see(
    store: &Store,
    facts: &[(Key, Fact, Evidence)],
    now: Timestamp,
) -> Result<(Sights, HashMap<Key, Evidence>), StoreError> {
    let wanted: HashSet<Key> = facts.iter().flat_map(|(_, fact, _)| needs(fact)).collect();
    let wanted: Vec<Key> = wanted.into_iter().collect();
    let mut seen = HashMap::with_capacity(wanted.len());
    let mut evidence = HashMap::new();
    for keys in wanted.chunks(LOOKUP) {
        let found = look_up(store, keys, now).await?;
        for (key, stored) in keys.iter().zip(found) {
            if let Ok(Some(stored)) = &stored {
                evidence.insert(key.clone(), evidence_of(&stored.as_bytes()));
            }
            let sight = match stored {
                Ok(None) => Sight::Absent,
                Ok(Some(stored)) => read(key, &stored).map_or(Sight::Unreadable, Sight::Present),
                Err(error) => damage(error).map(|_| Sight::Unreadable)?,
            };
            seen.insert(key.clone(), sight);
        }
    }
    Ok((Sights(seen), evidence))
}

/// Reads some records; a damaged one does not hide the others.
async fn look_up(
    store: &Store,
    keys: &[Key],
    now: Timestamp,
) -> Result<Vec<Result<Option<Stored>, StoreError>>, StoreError> {
    match store.get_many(keys, now).await {
        Ok(found) => return Ok(found.into_iter().map(Ok).collect()),
        Err(StoreError::Corrupt { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        found.push(store.get(key, now).await);
    }
    Ok(found)
}

/// What is still broken at every further look and is not explained by an operation under way.
async fn confirm(
    store: &Store,
    mut suspects: Vec<Suspect>,
    now: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    let mut confirmed = Vec::new();
    for _ in 0..MOST_LOOKS {
        if suspects.is_empty() {
            break;
        }
        excuse(store, &mut suspects, now).await?;
        let broken = look_again(store, &suspects, now).await?;
        suspects.retain(|suspect| broken.contains_key(&suspect.what()));
        for suspect in &mut suspects {
            if let Some(evidence) = broken.get(&suspect.what()) {
                suspect.take(*evidence);
            }
        }
        confirmed.extend(suspects.extract_if(.., |suspect| suspect.looks_alike == LOOKS_ALIKE));
    }
    let found = |Suspect { key, rule, detail, .. }| Finding { rule, key: key.to_string(), detail };
    Ok(confirmed.into_iter().chain(suspects).map(found).collect())
}

/// What is broken now of the records that looked broken before.
async fn look_again(
    store: &Store,
    suspects: &[Suspect],
    now: Timestamp,
) -> Result<HashMap<(Key, Rule, String), Evidence>, StoreError> {
    let keys: BTreeSet<Key> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let mut broken = HashMap::new();
    for keys in keys.chunks(LOOKUP) {
        let found = look_up(store, keys, now).await?;
        let records = keys.iter().cloned().zip(found);
        let present =
            |(key, found): (Key, Result<Option<Stored>, _>)| Some((key, found.transpose()?));
        let suspects = examine(store, records.filter_map(present).collect(), now).await?;
        broken.extend(suspects.iter().map(|suspect| (suspect.what(), suspect.evidence)));
    }
    Ok(broken)
}

/// Whether an operation that began at `since` should have been finished long ago.
fn is_overdue(since: Timestamp, now: Timestamp) -> bool {
    now >= since.plus_millis(OVERDUE_MILLIS)
}

/// Drops every suspect that an operation under way explains: one on nobody but whom it is about.
async fn excuse(
    store: &Store,
    suspects: &mut Vec<Suspect>,
    now: Timestamp,
) -> Result<(), StoreError> {
    for shard in 0..keyspace::INTENT_SHARDS {
        let mut after = None;
        loop {
            let page = intent::page(store, (shard, INTENTS), after.as_deref(), now).await?;
            for (id, stored) in &page.entries {
                let key = Key::new(&keyspace::of_intents(shard), keyspace::INTENT, id);
                // A damaged one explains nothing.
                if let Ok(stored) = stored
                    && let Ok(Fact::Intent { on, since }) = read(&key, stored)
                    && !is_overdue(since, now)
                {
                    suspects.retain(|suspect| !suspect.is_explained_by(&on));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

impl Suspect {
    fn what(&self) -> (Key, Rule, String) {
        (self.key.clone(), self.rule, self.detail.clone())
    }

    /// Takes note of what a further look was judged by.
    fn take(&mut self, evidence: Evidence) {
        self.looks_alike = if evidence == self.evidence { self.looks_alike + 1 } else { 0 };
        self.evidence = evidence;
    }

    fn is_explained_by(&self, on: &[Partition]) -> bool {
        !on.is_empty() && on.iter().all(|one| self.subjects.contains(one))
    }
}
