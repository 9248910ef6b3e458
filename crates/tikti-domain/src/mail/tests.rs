//! The queue over a real store: who gets a mail, what a death leaves behind, and what can be read.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use tikti_store::{Entry, Key, OpenOptions, RECLAIM_AFTER_MILLIS, Store, StoreError};

use super::lease::pause_millis;
use super::*;
use crate::clock::Clock;
use crate::integrity::verify;
use crate::random::Random;
use crate::sweep::{SweepCursor, sweep};
use crate::testing::{FaultPlan, Fixture, START, all, config, new_directory};

const ADDRESS: &str = "ann.who.waits@example.org";
const CODE: &str = "K7QX2M5ZB4T3VJ6HW2NDRAYC5EUFLGSP";
/// How long the codes of these tests last.
const LIFE_MILLIS: u64 = 15 * 60_000;

fn mail() -> NewMail {
    NewMail {
        kind: MailKind::PasswordReset,
        to: Email::parse(ADDRESS).unwrap(),
        link: format!("https://id.example.org/action?a=\"b\"&oobCode={CODE}").into(),
        code: CODE.to_owned().into(),
        expires_at: START.plus_millis(LIFE_MILLIS),
        language: Some(Language::Portuguese),
    }
}

async fn queue(domain: &Domain) {
    enqueue(domain, &mail(), domain.clock.now()).await.unwrap();
}

/// Takes everything that is due.
async fn take_all(domain: &Domain) -> Vec<DueMail> {
    let (mut cursor, mut taken) = (MailCursor::default(), Vec::new());
    loop {
        match next_due(domain, &mut cursor, domain.clock.now()).await.unwrap() {
            NextMail::Due(mail) => taken.push(*mail),
            NextMail::More => {}
            NextMail::End => return taken,
        }
    }
}

async fn take_one(domain: &Domain) -> DueMail {
    let mut taken = take_all(domain).await;
    assert_eq!(taken.len(), 1);
    taken.remove(0)
}

/// Every key and envelope that is live now.
async fn stored(store: &Store, now: Timestamp) -> Vec<(Key, Result<Vec<u8>, StoreError>)> {
    let (mut walk, mut found) = (store.walk(now).await.unwrap(), Vec::new());
    while let Some(page) = walk.next().await.unwrap() {
        let bytes = |record: Result<_, _>| record.map(|r: tikti_store::Stored| r.as_bytes().into());
        found.extend(page.records.into_iter().map(|(key, record)| (key, bytes(record))));
    }
    found
}

/// How many mails wait.
async fn waiting(fixture: &Fixture) -> usize {
    let records = stored(fixture.store(), fixture.now()).await;
    records.iter().filter(|(key, _)| key.kind() == "mail").count()
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[tokio::test]
async fn what_was_queued_is_what_is_delivered_and_then_it_is_gone() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    queued(&fixture.domain).await;
    let taken = take_one(&fixture.domain).await;
    let asked = mail();
    assert_eq!((taken.kind, &taken.to, taken.attempts), (asked.kind, &asked.to, 1));
    assert_eq!(taken.link.expose_secret(), asked.link.expose_secret());
    assert_eq!(taken.code.expose_secret(), asked.code.expose_secret());
    assert_eq!((taken.expires_at, taken.language), (asked.expires_at, asked.language));
    assert_eq!(waiting(&fixture).await, 1);
    delivered(&fixture.domain, &taken).await.unwrap();
    assert_eq!(waiting(&fixture).await, 0);
    delivered(&fixture.domain, &taken).await.unwrap();
}

#[tokio::test]
async fn neither_an_address_nor_a_code_can_be_read_in_the_store() {
    let directory = new_directory();
    let url = format!("embedded:{}", directory.path().display());
    let store = Store::open(&url, OpenOptions::new([5; 16], "test")).await.unwrap();
    let clock = Clock::manual(START);
    let opened = Domain::open(store.clone(), config(), clock.clone(), Random::seeded(4)).await;
    let domain = opened.unwrap();
    queue(&domain).await;
    let taken = take_one(&domain).await;
    failed(&domain, &taken, Undelivered::Temporary, START).await.unwrap();
    assert!(stored(&store, START).await.iter().any(|(key, _)| key.kind() == "mail"));
    drop((domain, store));
    let encoded = data_encoding::BASE64URL_NOPAD.encode(CODE.as_bytes());
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [ADDRESS, CODE, &encoded, "ann.who", "id.example.org", "PASSWORD_RESET"] {
            assert!(!holds(&bytes, secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn no_debug_output_shows_an_address_or_a_code() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let mail = take_one(&fixture.domain).await;
    let expected = format!("Due(DueMail({}, PASSWORD_RESET, attempt 1))", mail.id);
    assert_eq!(format!("{:?}", NextMail::Due(Box::new(mail))), expected);
}

#[tokio::test]
async fn of_two_replicas_one_gets_each_mail() {
    let fixture = Fixture::new().await;
    for _ in 0..40 {
        queue(&fixture.domain).await;
    }
    let other = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
    let both = all([take_all(&fixture.domain), take_all(&other)]).await;
    let taken: Vec<_> = both.into_iter().flatten().collect();
    let ids: BTreeSet<_> = taken.iter().map(|mail| mail.id.as_str().to_owned()).collect();
    assert_eq!((taken.len(), ids.len()), (40, 40));
    assert_eq!(take_all(&other).await.len(), 0);
}

#[tokio::test]
async fn who_dies_between_lease_and_delivery_leaves_the_mail_to_the_next() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let first = take_one(&fixture.domain).await;
    let other = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
    fixture.clock.advance(LEASE_MILLIS - 1);
    assert_eq!(take_all(&other).await.len(), 0);
    fixture.clock.advance(1);
    let second = take_one(&other).await;
    assert_eq!((&second.id, second.attempts), (&first.id, 2));
    // The first was only slow: it says nothing about the mail that another has now.
    let how = failed(&fixture.domain, &first, Undelivered::Temporary, fixture.now()).await;
    assert_eq!(how.unwrap(), Outcome::Later(fixture.now().plus_millis(LEASE_MILLIS)));
    assert_eq!(take_all(&fixture.domain).await.len(), 0);
    delivered(&other, &second).await.unwrap();
    assert_eq!(waiting(&fixture).await, 0);
}

/// Every call to the store fails once, and every process dies once before each call: what was answered
/// is delivered, and nothing but a death after the delivery makes a second copy.
#[tokio::test]
async fn a_store_that_fails_anywhere_loses_no_mail_that_was_queued() {
    for step in 0..24 {
        for plan in [FaultPlan::fail_once_after(step), FaultPlan::crash_after(step)] {
            let fixture = Fixture::new().await;
            let failing = fixture.replica(2, &plan).await;
            let answered = enqueue(&failing, &mail(), START).await.is_ok();
            let sent = deliver_once(&failing).await;
            fixture.clock.advance(LEASE_MILLIS);
            let again = take_all(&fixture.domain).await.len();
            assert!(sent + again >= usize::from(answered), "{step}");
            assert!(sent + again <= 2, "{step}");
        }
    }
}

/// Delivers what a failing store hands out; gives how many.
async fn deliver_once(domain: &Domain) -> usize {
    let (mut cursor, mut sent) = (MailCursor::default(), 0);
    for _ in 0..40 {
        match next_due(domain, &mut cursor, START).await {
            Ok(NextMail::Due(mail)) => {
                sent += 1;
                let _may_fail = delivered(domain, &mail).await;
            }
            Ok(NextMail::More) => {}
            Ok(NextMail::End) | Err(_) => break,
        }
    }
    sent
}

#[tokio::test]
async fn what_failed_for_now_is_tried_again_later_and_later_until_its_code_ends() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let mut pauses = Vec::new();
    loop {
        let taken = take_one(&fixture.domain).await;
        assert_eq!(usize::try_from(taken.attempts).unwrap(), pauses.len() + 1);
        let now = fixture.now();
        let how = failed(&fixture.domain, &taken, Undelivered::Temporary, now).await.unwrap();
        let Outcome::Later(at) = how else { break };
        assert_eq!(take_all(&fixture.domain).await.len(), 0);
        pauses.push(at.as_millis() - now.as_millis());
        fixture.clock.set(at);
    }
    assert_eq!(waiting(&fixture).await, 0);
    assert!(fixture.now() < mail().expires_at);
    // 15 minutes hold at least 10+20+40+80+160+320 s, and at most twice as many pauses of half of it.
    assert!((6..=8).contains(&pauses.len()), "{pauses:?}");
    for (pause, doublings) in pauses.iter().zip(0..) {
        let longest = 10_000 << doublings;
        assert!((longest / 2..=longest).contains(pause), "{pauses:?}");
    }
}

#[test]
fn pauses_double_up_to_a_quarter_of_an_hour_and_are_drawn() {
    for (attempts, draw, millis) in [
        (1, [0, 0], 5000),
        (1, [255, 255], 10_000),
        (2, [0, 0], 10_000),
        (3, [128, 0], 30_000),
        (7, [255, 255], 640_000),
        (8, [255, 255], 900_000),
        (8, [0, 0], 450_000),
        (u32::MAX, [255, 255], 900_000),
    ] {
        assert_eq!(pause_millis(attempts, draw), millis, "{attempts} {draw:?}");
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_erased_at_once() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let taken = take_one(&fixture.domain).await;
    let how = failed(&fixture.domain, &taken, Undelivered::Permanent, fixture.now()).await;
    assert_eq!(how.unwrap(), Outcome::GivenUp);
    assert_eq!(waiting(&fixture).await, 0);
}

/// Its lease was over, and what one mail server refuses another may take.
#[tokio::test]
async fn who_comes_too_late_erases_no_mail_that_another_has_taken() {
    let fixture = Fixture::new().await;
    let domain = &fixture.domain;
    queue(domain).await;
    let late = take_one(domain).await;
    fixture.clock.advance(LEASE_MILLIS);
    let other = take_one(domain).await;
    let how = failed(domain, &late, Undelivered::Permanent, fixture.now()).await.unwrap();
    assert!(matches!(how, Outcome::Later(_)));
    assert_eq!(waiting(&fixture).await, 1);
    let how = failed(domain, &other, Undelivered::Permanent, fixture.now()).await.unwrap();
    assert_eq!((how, waiting(&fixture).await), (Outcome::GivenUp, 0));
}

#[tokio::test]
async fn a_mail_ends_with_its_code_also_while_somebody_holds_it() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    fixture.clock.set(mail().expires_at);
    assert_eq!(take_all(&fixture.domain).await.len(), 0);
    assert_eq!(waiting(&fixture).await, 0);

    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let taken = take_one(&fixture.domain).await;
    fixture.clock.set(mail().expires_at);
    assert_eq!(waiting(&fixture).await, 0);
    let how = failed(&fixture.domain, &taken, Undelivered::Temporary, fixture.now()).await;
    assert_eq!(how.unwrap(), Outcome::GivenUp);
    delivered(&fixture.domain, &taken).await.unwrap();
}

/// A server of the Redis protocol erases by itself; the embedded store when it is swept.
#[tokio::test]
async fn a_mail_that_nobody_delivered_is_swept_away() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    fixture.clock.set(mail().expires_at.plus_millis(RECLAIM_AFTER_MILLIS));
    let swept = sweep(&fixture.domain, &mut SweepCursor::default(), fixture.now()).await.unwrap();
    assert_eq!(waiting(&fixture).await, 0);
    if fixture.store().engine_name() == "embedded" {
        assert_eq!(swept.reclaimed, 1);
        // Also for who would look with a clock of before.
        assert_eq!(stored(fixture.store(), START).await.iter().filter(is_mail).count(), 0);
    }
}

fn is_mail<T>(record: &&(Key, T)) -> bool {
    record.0.kind() == "mail"
}

#[tokio::test]
async fn a_mail_whose_code_has_ended_is_not_queued() {
    let fixture = Fixture::new().await;
    enqueue(&fixture.domain, &mail(), mail().expires_at).await.unwrap();
    assert_eq!(waiting(&fixture).await, 0);
}

#[tokio::test]
async fn a_mail_from_before_a_restore_is_erased_as_its_code_is_dead() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let mut restored = fixture.replica(2, &FaultPlan::crash_after(u64::MAX - 1)).await;
    restored.not_before = Some(START.plus_millis(1));
    assert_eq!(take_all(&restored).await.len(), 0);
    assert_eq!(waiting(&fixture).await, 0);
    fixture.clock.advance(1);
    queue(&restored).await;
    assert_eq!(take_all(&restored).await.len(), 1);
}

#[tokio::test]
async fn content_under_another_id_and_damage_are_passed_over_and_hide_nothing() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let store = fixture.store();
    let (good, _) = stored(store, START).await.into_iter().find(|record| is_mail(&record)).unwrap();
    let shard = good.partition().clone();
    let moved = |id: &str| Key::new(&shard, keyspace::MAIL, id);
    let record = store.get(&good, START).await.unwrap().unwrap();
    // The same bytes, stored anew under an id before and one behind it.
    let last = good.id().last().copied().map(char::from).unwrap();
    let (before, behind) =
        (format!("0{}{last}", "0".repeat(24)), format!("7{}{last}", "Z".repeat(24)));
    for id in [&before, &behind] {
        store.put(&moved(id), Entry::new(record.value()), START).await.unwrap();
    }
    // And an envelope of another key, which is damage.
    let damaged = format!("1{}{last}", "0".repeat(24));
    store.load(&[(moved(&damaged), record)], START).await.unwrap();
    let taken = take_one(&fixture.domain).await;
    assert_eq!(taken.id.as_str().as_bytes(), good.id());
}

#[tokio::test]
async fn a_master_key_that_is_put_before_the_old_one_loses_no_mail() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let mut rotated = config();
    let newest =
        NamedSecret { kid: "m2".to_owned(), secret: crate::secret::SecretBytes::new(vec![9; 32]) };
    rotated.secrets.master_key.insert(0, newest);
    let store = fixture.store().clone();
    let opened = Domain::open(store, rotated, fixture.clock.clone(), Random::seeded(3)).await;
    let rotated = opened.unwrap();
    queue(&rotated).await;
    assert_eq!(take_all(&rotated).await.len(), 2);
}

#[tokio::test]
async fn a_waiting_mail_breaks_no_rule_of_the_store() {
    let fixture = Fixture::new().await;
    queue(&fixture.domain).await;
    let report = verify(fixture.store(), fixture.now(), &mut |_| ()).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.kinds.get("m/mail"), Some(&1));
}

#[tokio::test]
async fn many_mails_are_all_taken_a_page_at_a_time() {
    let fixture = Fixture::new().await;
    for _ in 0..300 {
        queue(&fixture.domain).await;
    }
    assert_eq!(take_all(&fixture.domain).await.len(), 300);
    assert_eq!(take_all(&fixture.domain).await.len(), 0);
}

#[test]
fn names_are_those_of_the_api() {
    for kind in MailKind::ALL {
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(json, format!("\"{}\"", kind.as_str()));
    }
    for language in Language::ALL {
        assert_eq!(serde_json::to_string(&language).unwrap(), format!("\"{}\"", language.tag()));
    }
}
