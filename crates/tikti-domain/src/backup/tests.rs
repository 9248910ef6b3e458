//! What went into a file comes out of it, or nothing does.

use std::collections::BTreeMap;

use secrecy::SecretString;
use tempfile::TempDir;
use tikti_store::copy::Tally;
use tikti_store::{Entry, Key, Kind, OpenOptions, Partition};

use super::format::{Frame, FrameReader};
use super::*;
use crate::account::{Lookup, SignIn, SignInCall, lookup, sign_in};
use crate::clock::Clock;
use crate::deployment::Deployment;
use crate::domain::{Caller, Domain};
use crate::email::Email;
use crate::error::{Code, Error};
use crate::integrity;
use crate::record::Record;
use crate::secret::Secrets;
use crate::testing::{Fixture, PASSWORD, START, config, keyed, new_directory, redis_is_chosen};
use crate::user::GlobalRole;

mod half;

/// In the same second as everything before, and later.
const LATER: Timestamp = START.plus_millis(500);

fn key(byte: u8) -> BackupKey {
    BackupKey::new(SecretBytes::new(vec![byte; BackupKey::BYTES])).unwrap()
}

fn random() -> Random {
    Random::seeded(5)
}

struct Target {
    store: Store,
    _directory: TempDir,
}

/// A file goes from either engine into an embedded store.
async fn target() -> Target {
    let directory = new_directory();
    let url = format!("embedded:{}", directory.path().display());
    let store = Store::open(&url, OpenOptions::new([8; 16], "test")).await.unwrap();
    Target { store, _directory: directory }
}

async fn deployment() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    fixture
}

async fn back_up(store: &Store, key: Option<&BackupKey>) -> Vec<u8> {
    let mut file = Vec::new();
    let random = random();
    let options = BackupOptions { key, random: &random, now: START };
    let report = write(store, options, &mut file, &mut |_| ()).await.unwrap();
    assert_eq!(report.sealed, key.is_some());
    assert_eq!(report.records, u64::try_from(contents(store).await.len()).unwrap());
    file
}

async fn restore_with(
    store: &Store,
    file: &[u8],
    key: Option<&BackupKey>,
    (secrets, keep_sessions): (&Secrets, bool),
) -> Result<RestoreReport, BackupError> {
    let options = RestoreOptions { secrets, key, keep_sessions, now: LATER };
    check(options, &mut &*file)?.restore(store, &mut |_| ()).await
}

async fn restored(
    store: &Store,
    file: &[u8],
    key: Option<&BackupKey>,
) -> Result<RestoreReport, BackupError> {
    restore_with(store, file, key, (&config().secrets, false)).await
}

async fn contents(store: &Store) -> BTreeMap<Key, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut walk = store.walk(START).await.unwrap();
    while let Some(page) = walk.next().await.unwrap() {
        for (key, record) in page.records {
            found.insert(key, record.unwrap().as_bytes().to_vec());
        }
    }
    found
}

/// What the store holds, and of the deployment what it says: it is written anew.
async fn copied(store: &Store) -> (BTreeMap<Key, Vec<u8>>, Deployment) {
    let key = keyspace::deployment();
    let stored = store.get(&key, START).await.unwrap().unwrap();
    let mut contents = contents(store).await;
    contents.remove(&key).unwrap();
    (contents, Deployment::decode(&key, &stored).unwrap())
}

async fn open(store: &Store) -> Result<Domain, StartError> {
    Domain::open(store.clone(), config(), Clock::manual(LATER), Random::seeded(2)).await
}

async fn look_up(domain: &Domain, token: &SecretString) -> Result<(), Code> {
    let ask = Lookup { id_token: token.clone(), memberships: false };
    lookup(domain, &keyed(), &ask).await.map(|_| ()).map_err(|error: Error| error.code())
}

async fn sign_in_again(domain: &Domain) -> SecretString {
    let ask = SignIn {
        call: SignInCall::Open,
        email: Email::parse("ann@example.org").unwrap(),
        password: PASSWORD.to_owned().into(),
        tenant: None,
        client: None,
        return_secure_token: true,
    };
    sign_in(domain, &Caller::default(), &ask).await.unwrap().id_token
}

#[tokio::test]
async fn a_restored_deployment_is_the_one_that_was_backed_up_and_its_sessions_are_dead() {
    for key in [None, Some(&key(1))] {
        let fixture = deployment().await;
        let token = fixture.sign_in("ann@example.org").await.id_token;
        look_up(&fixture.domain, &token).await.unwrap();
        let mut source = contents(&fixture.domain.store).await;
        let file = back_up(&fixture.domain.store, key).await;

        let target = target().await;
        let report = restored(&target.store, &file, key).await.unwrap();
        assert_eq!(report.records, u64::try_from(source.len()).unwrap());
        assert_eq!((report.expired, report.created), (0, START));
        assert_eq!(report.engine, if redis_is_chosen() { "redis" } else { "embedded" });
        let mut copy = contents(&target.store).await;
        let record = keyspace::deployment();
        assert_ne!(copy.remove(&record), source.remove(&record));
        assert_eq!(copy, source);
        let verified = integrity::verify(&target.store, LATER, &mut |_| ()).await.unwrap();
        assert_eq!((verified.findings, verified.records), (Vec::new(), report.records));

        let domain = open(&target.store).await.unwrap();
        assert_eq!(look_up(&domain, &token).await, Err(Code::TokenRevoked));
        let fresh = sign_in_again(&domain).await;
        assert_eq!(look_up(&domain, &fresh).await, Ok(()));
    }
}

#[tokio::test]
async fn sessions_live_on_where_the_operator_says_so() {
    let fixture = deployment().await;
    let token = fixture.sign_in("ann@example.org").await.id_token;
    let file = back_up(&fixture.domain.store, None).await;
    let target = target().await;
    restore_with(&target.store, &file, None, (&config().secrets, true)).await.unwrap();
    assert_eq!(copied(&target.store).await, copied(&fixture.domain.store).await);
    assert_eq!(look_up(&open(&target.store).await.unwrap(), &token).await, Ok(()));
}

#[tokio::test]
async fn a_later_restore_moves_the_moment_on_also_by_a_clock_that_is_behind() {
    let fixture = deployment().await;
    let file = back_up(&fixture.domain.store, None).await;
    let first = target().await;
    restored(&first.store, &file, None).await.unwrap();
    let again = back_up(&first.store, None).await;
    let second = target().await;
    let secrets = config().secrets;
    let options = RestoreOptions { secrets: &secrets, key: None, keep_sessions: false, now: START };
    let mut input = &*again;
    check(options, &mut input).unwrap().restore(&second.store, &mut |_| ()).await.unwrap();
    // The keys of the second backup are revoked for this.
    assert_eq!(open(&second.store).await.unwrap().not_before, Some(LATER.plus_millis(1)));
}

#[tokio::test]
async fn a_machine_whose_clock_is_behind_leaves_no_session_of_the_backup_alive() {
    let fixture = deployment().await;
    let token = fixture.sign_in("ann@example.org").await.id_token;
    let file = {
        let (mut file, random) = (Vec::new(), random());
        let options = BackupOptions { key: None, random: &random, now: LATER };
        write(&fixture.domain.store, options, &mut file, &mut |_| ()).await.unwrap();
        file
    };
    let target = target().await;
    let secrets = config().secrets;
    let hour_ago = Timestamp::from_millis(START.as_millis() - 3_600_000);
    let options =
        RestoreOptions { secrets: &secrets, key: None, keep_sessions: false, now: hour_ago };
    check(options, &mut &*file).unwrap().restore(&target.store, &mut |_| ()).await.unwrap();
    let domain = open(&target.store).await.unwrap();
    assert_eq!(domain.not_before, Some(LATER));
    assert_eq!(look_up(&domain, &token).await, Err(Code::TokenRevoked));
}

#[tokio::test]
async fn what_has_expired_since_the_backup_is_left_out() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let brief = Key::new(&Partition::new("u", "x"), Kind::new("denied"), "j");
    store.put(&brief, Entry::new(b"\x01{}").expires_at(LATER), START).await.unwrap();
    let file = back_up(store, None).await;
    let target = target().await;
    let report = restored(&target.store, &file, None).await.unwrap();
    assert_eq!(report.expired, 1);
    assert!(!contents(&target.store).await.contains_key(&brief));

    // By then, a backup leaves it out as well, and says so.
    let random = random();
    let options = BackupOptions { key: None, random: &random, now: LATER };
    let mut file = Vec::new();
    let written = write(store, options, &mut file, &mut |_| ()).await.unwrap();
    assert_eq!((written.expired, written.records), (1, report.records));
    assert_eq!(read_through(&file, None).unwrap().records, report.records);
}

#[tokio::test]
async fn many_records_and_the_largest_come_back() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let value = vec![7; tikti_store::MAX_VALUE_BYTES];
    for number in 0..5 {
        let large = Key::new(&Partition::new("x", "large"), Kind::new("x"), [number]);
        store.put(&large, Entry::new(&value), START).await.unwrap();
    }
    let small = |number: u32| {
        let key = Key::new(&Partition::new("x", "small"), Kind::new("x"), number.to_le_bytes());
        async move { store.put(&key, Entry::new(b"s"), START).await.unwrap() }
    };
    crate::testing::all((0..2_500).map(small)).await;
    for key in [None, Some(&key(1))] {
        let file = back_up(store, key).await;
        let target = target().await;
        restore_with(&target.store, &file, key, (&config().secrets, true)).await.unwrap();
        assert!(copied(&target.store).await == copied(store).await);
    }
}

#[tokio::test]
async fn a_file_holds_no_secret_of_the_configuration_and_a_sealed_one_nothing_readable() {
    let fixture = deployment().await;
    let plain = back_up(&fixture.domain.store, None).await;
    let sealed = back_up(&fixture.domain.store, Some(&key(1))).await;
    let holds = |file: &[u8], text: &[u8]| file.windows(text.len()).any(|part| part == text);
    for byte in 1..=3 {
        let secret = [byte; 32];
        let spellings = [secret.to_vec(), data_encoding::BASE64.encode(&secret).into_bytes()];
        assert!(spellings.iter().all(|spelling| !holds(&plain, &spelling[..30])));
    }
    for text in ["ann@example.org", "acme", "fingerprints", "passwordHash"] {
        assert!(holds(&plain, text.as_bytes()), "{text}");
        assert!(!holds(&sealed, text.as_bytes()), "{text}");
    }
    assert!(!holds(&sealed, &[1; 32]));
}

/// Reads a file to its end without a store.
fn read_through(file: &[u8], key: Option<&BackupKey>) -> Result<Tally, BackupError> {
    let mut input = file;
    let mut frames = FrameReader::begin(&mut input, key)?;
    frames.deployment(&keyspace::deployment())?;
    let mut read = Tally::default();
    loop {
        match frames.next()? {
            Frame::Records(records) => {
                records.iter().for_each(|(key, record)| read.add(key, record))
            }
            Frame::End(written) => {
                assert_eq!(written, read);
                return Ok(read);
            }
        }
    }
}

#[tokio::test]
async fn every_changed_byte_and_every_missing_end_is_found() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    for key in [None, Some(&key(1))] {
        let file = back_up(&fixture.domain.store, key).await;
        let whole = read_through(&file, key).unwrap();
        assert!(whole.records >= 4);
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(read_through(&changed, key).is_err(), "{at}");
        }
        for length in 0..file.len() {
            let refused = read_through(&file[..length], key).unwrap_err();
            match refused {
                BackupError::Truncated => assert!(length >= 15, "{length}"),
                BackupError::NotABackup => assert!(length < 15, "{length}"),
                other => panic!("{length}: {other}"),
            }
        }
        let more = [&file[..], b"x"].concat();
        assert!(matches!(read_through(&more, key), Err(BackupError::Damaged { .. })));
    }
}

/// Where the frames of a file begin and end.
fn frames_of(file: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let number =
        |bytes: &[u8]| usize::try_from(u32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap();
    let (header, mut rest) = file.split_at(19 + number(&file[15..]));
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, more) = rest.split_at(4 + 1 + number(rest) + 16);
        frames.push(frame);
        rest = more;
    }
    (header, frames)
}

#[tokio::test]
async fn frames_that_were_moved_left_out_or_doubled_are_found() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let value = vec![7; tikti_store::MAX_VALUE_BYTES];
    for number in 0..3 {
        let large = Key::new(&Partition::new("x", "large"), Kind::new("x"), [number]);
        store.put(&large, Entry::new(&value), START).await.unwrap();
    }
    for key in [None, Some(&key(1))] {
        let file = back_up(store, key).await;
        let (header, frames) = frames_of(&file);
        assert!(frames.len() >= 5, "{}", frames.len());
        let last = frames.len() - 1;
        for (what, order) in [
            ("moved", [0, 2, 1].into_iter().chain(3..=last).collect::<Vec<_>>()),
            ("left out", [0].into_iter().chain(2..=last).collect()),
            ("doubled", [0, 1, 1].into_iter().chain(2..=last).collect()),
            ("without an end", (0..last).collect()),
            ("only an end", vec![0, last]),
        ] {
            let parts: Vec<&[u8]> = order.iter().map(|at| frames[*at]).collect();
            let changed = [header, &parts.concat()].concat();
            assert!(read_through(&changed, key).is_err(), "{what}");
        }
        // Of another file under the same key.
        let other = {
            let random = Random::seeded(6);
            let options = BackupOptions { key, random: &random, now: START.plus_millis(1) };
            let mut file = Vec::new();
            write(store, options, &mut file, &mut |_| ()).await.unwrap();
            file
        };
        let parts = [header, frames[0], frames_of(&other).1[1], &frames[2..].concat()];
        assert!(read_through(&parts.concat(), key).is_err());
    }
}

#[tokio::test]
async fn each_wrong_file_and_key_is_told_and_nothing_is_written() {
    let fixture = deployment().await;
    let plain = back_up(&fixture.domain.store, None).await;
    let sealed = back_up(&fixture.domain.store, Some(&key(1))).await;
    let newer = [b"tikti backup 2\n", &plain[15..]].concat();
    let target = target().await;
    for (file, key, expected) in [
        (&sealed[..], None, "this backup is sealed: give the key that it was made with"),
        (&sealed, Some(&key(2)), "this backup was sealed with another key"),
        (
            &plain,
            Some(&key(1)),
            "a key was given and this backup is not sealed: it may not be the file that you mean; \
             restore it without a key if it is",
        ),
        (
            &newer,
            None,
            "this backup has format 2 and this version reads format 1: use the version that made it",
        ),
        (b"something else entirely", None, "this file is no backup of Tikti"),
        (b"", None, "this file is no backup of Tikti"),
        (
            &plain[..200],
            None,
            "this backup is cut short: its end is missing; use a whole copy of the file",
        ),
    ] {
        let refused = restored(&target.store, file, key).await.unwrap_err();
        assert_eq!(refused.to_string(), expected);
        assert_eq!(contents(&target.store).await.len(), 0, "{expected}");
    }
    assert!(matches!(
        BackupKey::new(SecretBytes::new(vec![1; 31])),
        Err(BackupError::KeyLength { found: 31 })
    ));
}

#[tokio::test]
async fn other_secrets_and_a_store_that_is_not_empty_are_refused() {
    let fixture = deployment().await;
    let file = back_up(&fixture.domain.store, None).await;
    let target = target().await;
    let mut secrets = config().secrets;
    secrets.pepper[0].secret = SecretBytes::new(vec![9; 32]);
    let refused = restore_with(&target.store, &file, None, (&secrets, false)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the configured secrets are not those that this backup was made with: secrets.pepper: p1 is \
         not the secret that the store knows by this id. Configure the secret that this store was \
         made with (rotate by putting a new one before it)"
    );
    assert_eq!(contents(&target.store).await.len(), 0);

    let refused = restored(&fixture.domain.store, &file, None).await.unwrap_err();
    assert!(matches!(refused, BackupError::Target(copy::CopyError::NotEmpty { .. })));
}

#[tokio::test]
async fn a_damaged_record_stops_a_backup_and_an_empty_store_has_none() {
    let fixture = deployment().await;
    let store = &fixture.domain.store;
    let other = store.get(&keyspace::admins(), START).await.unwrap().unwrap();
    store.load(&[(keyspace::name_claim("zz"), other)], START).await.unwrap();
    let random = random();
    let options = BackupOptions { key: None, random: &random, now: START };
    let refused = write(store, options, &mut Vec::new(), &mut |_| ()).await.unwrap_err();
    assert!(matches!(refused, BackupError::DamagedRecord { key } if key == "s:zz/claim/"));
    let empty = target().await;
    let refused = write(&empty.store, options, &mut Vec::new(), &mut |_| ()).await.unwrap_err();
    assert!(matches!(refused, BackupError::NoDeployment { place: "store" }));
}
