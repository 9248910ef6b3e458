//! Does a restore that broke off, or that another one overtook, ever look like a whole one?
//!
//! Spec: Operations, "Backup".

use tikti_store::FaultPlan;

use super::*;

#[tokio::test]
async fn half_a_restore_does_not_start_and_the_whole_file_finishes_it() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let file = back_up(store, None).await;
    let target = target().await;
    let (header, frames) = frames_of(&file);
    let half = [header, frames[0], frames[1]].concat();
    let refused = restored(&target.store, &half, None).await.unwrap_err();
    assert!(matches!(refused, BackupError::Truncated));
    assert!(contents(&target.store).await.len() > 1);
    assert_eq!(
        open(&target.store).await.unwrap_err().to_string(),
        "this store holds a restore that was not finished, and records may be missing: run it again, \
         or use another store"
    );
    let random = random();
    let options = BackupOptions { key: None, random: &random, now: START };
    let refused = write(&target.store, options, &mut Vec::new(), &mut |_| ()).await.unwrap_err();
    assert!(matches!(refused, BackupError::UnfinishedSource { .. }));

    restored(&target.store, &file, None).await.unwrap();
    open(&target.store).await.unwrap();
}

#[tokio::test]
async fn half_a_restore_of_another_backup_is_not_mixed_with_this_one() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let target = target().await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let file = back_up(store, None).await;
    let (header, frames) = frames_of(&file);
    let half = [header, frames[0], frames[1]].concat();
    restored(&target.store, &half, None).await.unwrap_err();
    let other = back_up(&deployment().await.domain.store, None).await;
    let refused = restored(&target.store, &other, None).await.unwrap_err();
    assert!(matches!(refused, BackupError::Mixed { .. }));
    open(&target.store).await.unwrap_err();
}

/// A run that is slow: the next one overtakes it, ends, and the store is served meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_overtaken_writes_nothing_any_more() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let value = vec![7; tikti_store::MAX_VALUE_BYTES];
    for number in 0..3 {
        let large = Key::new(&Partition::new("x", "large"), Kind::new("x"), [number]);
        store.put(&large, Entry::new(&value), START).await.unwrap();
    }
    let file = back_up(store, None).await;
    let frames = frames_of(&file).1.len() - 2;
    assert!(frames >= 3, "{frames}");
    // After each frame, the last one included: then only the deployment is missing.
    for overtaken_after in 1..=frames {
        let target = target().await;
        let (mut heard, mut served) = (0, None);
        let secrets = config().secrets;
        // It would leave everything alive.
        let options =
            RestoreOptions { secrets: &secrets, key: None, keep_sessions: true, now: LATER };
        let mut input = &*file;
        let slow = check(options, &mut input).unwrap();
        let refused = slow
            .restore(&target.store, &mut |_| {
                heard += 1;
                if heard == overtaken_after {
                    served = Some(tokio::task::block_in_place(|| {
                        tokio::runtime::Handle::current().block_on(async {
                            restored(&target.store, &file, None).await.unwrap();
                            open(&target.store).await.unwrap();
                            contents(&target.store).await
                        })
                    }));
                }
            })
            .await
            .unwrap_err();
        assert!(
            matches!(refused, BackupError::Target(copy::CopyError::TakenOver)),
            "{overtaken_after}: {refused}"
        );
        assert!(contents(&target.store).await == served.unwrap(), "{overtaken_after}");
        assert_eq!(open(&target.store).await.unwrap().not_before, Some(LATER));
    }
}

#[tokio::test]
async fn a_restore_that_died_anywhere_is_finished_by_the_next() {
    let fixture = deployment().await;
    let file = back_up(&fixture.domain.store, None).await;
    let whole = {
        let target = target().await;
        restored(&target.store, &file, None).await.unwrap();
        contents(&target.store).await.len()
    };
    for calls in 0.. {
        let target = target().await;
        let faulty = target.store.with_faults(FaultPlan::crash_after(calls));
        if restored(&faulty, &file, None).await.is_ok() {
            assert!(calls > 6, "{calls}");
            break;
        }
        // Empty, or marked.
        let begun = contents(&target.store).await;
        assert!(begun.is_empty() || begun.contains_key(&copy::mark()), "{calls}");
        restored(&target.store, &file, None).await.unwrap();
        assert_eq!(contents(&target.store).await.len(), whole);
        open(&target.store).await.unwrap();
    }
}
