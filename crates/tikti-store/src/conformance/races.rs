//! Does each promise hold for many callers at the same moment?

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;

use super::support::{NOW, key, partition, value};
use crate::{Entry, Expected, Store, StoreError};

const TASKS: u32 = 16;
const ROUNDS: u32 = 8;

/// Runs this topic.
///
/// # Panics
/// At the first promise that the engine does not keep.
pub async fn run(fresh: &impl AsyncFn() -> Store) {
    one_of_many_puts_if_absent(fresh().await).await;
    one_of_many_takes(fresh().await).await;
    counting_in_transactions_loses_nothing(fresh().await).await;
    a_hot_key_starves_nobody(fresh().await).await;
    writes_of_one_key_form_one_chain(fresh().await).await;
    readers_never_see_half_a_transaction(fresh().await).await;
}

/// Runs `task` as many times at once, and gives all results.
async fn at_once<T, F>(task: impl Fn(u32) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    (0..TASKS).map(task).collect::<JoinSet<T>>().join_all().await
}

async fn one_of_many_puts_if_absent(store: Store) {
    for round in 0..ROUNDS {
        let won = at_once(|task| {
            let store = store.clone();
            async move {
                let (key, text) = (key(round.to_string()), task.to_string());
                let entry = Entry::new(text.as_bytes());
                match store.put_if(&key, Expected::Absent, entry, NOW).await {
                    Ok(()) => Some(text),
                    Err(StoreError::Conflict { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let winners: Vec<_> = won.await.into_iter().flatten().collect();
        let stored = value(&store, &key(round.to_string())).await.unwrap();
        assert_eq!(winners, [String::from_utf8(stored).unwrap()]);
    }
}

async fn one_of_many_takes(store: Store) {
    for _ in 0..ROUNDS {
        store.put(&key("code"), Entry::new(b"x"), NOW).await.unwrap();
        let taken = at_once(|_| {
            let store = store.clone();
            async move { store.take(&key("code"), NOW).await.unwrap() }
        });
        assert_eq!(taken.await.into_iter().flatten().count(), 1);
    }
}

async fn counting_in_transactions_loses_nothing(store: Store) {
    at_once(|_| {
        let store = store.clone();
        async move {
            for _ in 0..ROUNDS {
                increment(&store).await.unwrap();
            }
        }
    })
    .await;
    let total = (TASKS * ROUNDS).to_be_bytes();
    assert_eq!(value(&store, &key("counter")).await, Some(total.to_vec()));
}

/// Whoever wins begins again at once, without end, and everybody else gets through all the same.
async fn a_hot_key_starves_nobody(store: Store) {
    const TURNS_EACH: u32 = 25;
    let finished = Arc::new(AtomicU32::new(0));
    at_once(|_| {
        let (store, finished) = (store.clone(), Arc::clone(&finished));
        async move {
            for _ in 0..TURNS_EACH {
                increment(&store).await.unwrap();
            }
            finished.fetch_add(1, Ordering::Relaxed);
            while finished.load(Ordering::Relaxed) < TASKS {
                increment(&store).await.unwrap();
            }
        }
    })
    .await;
}

async fn increment(store: &Store) -> Result<(), StoreError> {
    let counter = [key("counter")];
    store
        .transact(&partition(), &counter, NOW, |txn| {
            let [counter] = &counter;
            let count = match txn.get(counter)? {
                Some(record) => u32::from_be_bytes(record.value().try_into().unwrap()),
                None => 0,
            };
            txn.put(counter, Entry::new(&(count + 1).to_be_bytes()))
        })
        .await
}

/// A write of the register that succeeded, and what a read right after it gave.
struct Step {
    replaced: Vec<u8>,
    written: Vec<u8>,
    seen_after: Vec<u8>,
    primitive: Primitive,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Primitive {
    PutIf,
    Transact,
}

/// Linearizability of one register. Every write replaces a value that was read by a value that
/// nobody else writes. If the register is linearizable, each value is replaced at most once, the
/// successful writes lead from the first value to the last without leaving one out, and who reads
/// after its own write sees that one or one further on.
async fn writes_of_one_key_form_one_chain(store: Store) {
    store.put(&key("register"), Entry::new(b"start"), NOW).await.unwrap();
    let steps = at_once(|task| write_steps(store.clone(), task)).await;
    let steps: Vec<_> = steps.into_iter().flatten().collect();
    // Every task begins with one, and whichever comes first finds what it has read.
    assert!(steps.iter().any(|step| step.primitive == Primitive::PutIf), "every put_if lost");
    let next: HashMap<_, _> = steps.iter().map(|step| (&step.replaced, &step.written)).collect();
    assert_eq!(next.len(), steps.len(), "a value was replaced twice");
    let mut at = &b"start".to_vec();
    let mut place = HashMap::new();
    for number in 0..steps.len() {
        at = next[at];
        place.insert(at, number);
    }
    assert_eq!(value(&store, &key("register")).await.as_ref(), Some(at));
    for step in &steps {
        assert!(place[&step.seen_after] >= place[&step.written], "a read went back in time");
    }
}

async fn write_steps(store: Store, task: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    for round in 0..ROUNDS {
        let written = format!("{task}.{round}").into_bytes();
        let (primitive, replaced) = if round % 2 == 0 {
            (Primitive::PutIf, replace_by_put_if(&store, &written).await)
        } else {
            (Primitive::Transact, Some(replace_by_transact(&store, &written).await))
        };
        if let Some(replaced) = replaced {
            let seen_after = value(&store, &key("register")).await.unwrap();
            steps.push(Step { replaced, written, seen_after, primitive });
        }
    }
    steps
}

async fn replace_by_put_if(store: &Store, mine: &[u8]) -> Option<Vec<u8>> {
    let read = store.get(&key("register"), NOW).await.unwrap().unwrap();
    let expected = Expected::Equals(&read);
    match store.put_if(&key("register"), expected, Entry::new(mine), NOW).await {
        Ok(()) => Some(read.value().to_vec()),
        Err(StoreError::Conflict { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn replace_by_transact(store: &Store, mine: &[u8]) -> Vec<u8> {
    let register = [key("register")];
    let replaced: Result<_, StoreError> = store
        .transact(&partition(), &register, NOW, |txn| {
            let [register] = &register;
            let theirs = txn.get(register)?.unwrap().value().to_vec();
            txn.put(register, Entry::new(mine))?;
            Ok(theirs)
        })
        .await;
    replaced.unwrap()
}

async fn readers_never_see_half_a_transaction(store: Store) {
    let pair = [key("left"), key("right")];
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let (store, pair) = (store.clone(), pair.clone());
        writers.spawn(async move {
            for round in 0..ROUNDS * 4 {
                let text = format!("{writer}.{round}");
                let done: Result<(), StoreError> = store
                    .transact(&partition(), &[], NOW, |txn| {
                        pair.iter().try_for_each(|key| txn.put(key, Entry::new(text.as_bytes())))
                    })
                    .await;
                done.unwrap();
            }
        });
    }
    while !writers.is_empty() {
        let read = store.get_many(&pair, NOW).await.unwrap();
        let [left, right] = [&read[0], &read[1]].map(|read| read.as_ref().map(|read| read.value()));
        assert_eq!(left, right);
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
    }
}
