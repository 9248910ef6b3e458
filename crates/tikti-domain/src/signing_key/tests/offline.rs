//! What is done to the keys of a store without a server: a key comes in, a master key goes out.

use data_encoding::BASE64;
use tikti_store::OpenOptions;

use super::*;
use crate::clock::Clock;
use crate::deployment::StartError;
use crate::domain::DomainConfig;
use crate::email::Email;
use crate::mail::{self, MailCursor, MailKind, NewMail, NextMail};
use crate::testing::new_directory;

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn new_pem() -> String {
    pem("PRIVATE KEY", &tikti_token::generate_rsa(tikti_token::RsaSize::Bits2048).unwrap())
}

async fn import_into(
    (store, config): (&Store, &DomainConfig),
    (file, kid): (&str, Option<&str>),
    seed: u64,
) -> Result<Rotated, OfflineError> {
    let DomainConfig { settings, secrets, .. } = config;
    let random = &Random::seeded(seed);
    let kid = kid.map(|kid| KeyId::parse(kid).unwrap());
    let offline = Offline { store, settings, secrets, random };
    import(offline, (file.as_bytes(), kid.as_ref()), START).await
}

#[tokio::test]
async fn a_key_that_is_imported_into_an_empty_store_signs_at_once() {
    let directory = new_directory();
    let url = format!("embedded:{}", directory.path().join("store").display());
    let store = Store::open(&url, OpenOptions::new([1; 16], "test")).await.unwrap();
    let made = import_into((&store, &config()), (&new_pem(), Some("mine")), 1).await.unwrap();
    assert_eq!((made.kid.as_str(), made.state), ("mine", KeyState::Active));
    let clock = Clock::manual(START);
    let domain = Domain::open(store, config(), clock, Random::seeded(2)).await.unwrap();
    assert_eq!(
        (signs(&domain), kids(&domain.jwks())),
        ("mine".to_owned(), vec!["mine".to_owned()])
    );
    assert!(takes(&domain, &domain));
}

#[tokio::test]
async fn a_key_that_is_imported_beside_another_waits_for_its_turn() {
    let fixture = Fixture::new().await;
    let root = root(&fixture).await;
    let (store, config, file) = (fixture.store(), config(), new_pem());
    let old = signs(&fixture.domain);
    let made = import_into((store, &config), (&file, None), 3).await.unwrap();
    assert_eq!((made.state, made.activates_at), (KeyState::Published, START.plus_millis(LEAD)));
    refresh(&fixture.domain).await.unwrap();
    assert_eq!(kids(&fixture.domain.jwks()), [made.kid.clone(), old]);
    assert!(list(&fixture.domain, &root).await.unwrap()[0].imported);
    // It is the next one: a rotation makes no other.
    assert_eq!(rotate(&fixture.domain, &root, &Rotate::default()).await.unwrap(), made);
    fixture.clock.advance(LEAD);
    assert_eq!(signs(&fixture.domain), made.kid);

    let before = stored(store).await;
    for (file, kid, code) in [
        (file.clone(), None, Code::Conflict),
        (file.clone(), Some("other"), Code::Conflict),
        (new_pem(), Some(made.kid.as_str()), Code::Conflict),
        (pem("PUBLIC KEY", b"0"), None, Code::InvalidArgument),
        (String::new(), None, Code::InvalidArgument),
    ] {
        let refused = import_into((store, &config), (&file, kid), 4).await.unwrap_err();
        assert!(matches!(&refused, OfflineError::Refused(refusal) if refusal.code == code));
    }
    assert_eq!(stored(store).await, before);
    // A revoked key does not come back.
    rotate(&fixture.domain, &root, &emergency()).await.unwrap();
    import_into((store, &config), (&file, Some("again")), 5).await.unwrap_err();
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn a_key_is_imported_into_its_own_deployment_alone() {
    let fixture = Fixture::new().await;
    let mut other = config();
    other.secrets.master_key = vec![named("m9", 9)];
    let refused = import_into((fixture.store(), &other), (&new_pem(), None), 1).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, OfflineError::Start(StartError::OtherSecret { .. })));
    assert_eq!(stored(fixture.store()).await.keys.len(), 1);
}

async fn rewrap_with(store: &Store, keys: &[NamedSecret]) -> Result<Rewrapped, OfflineError> {
    let mut config = config();
    config.secrets.master_key = keys.to_vec();
    let DomainConfig { settings, secrets, .. } = &config;
    let random = &Random::seeded(11);
    rewrap(Offline { store, settings, secrets, random }, START).await
}

async fn start_with(fixture: &Fixture, keys: &[NamedSecret]) -> Result<Domain, StartError> {
    let mut config = config();
    config.secrets.master_key = keys.to_vec();
    let store = fixture.store().clone();
    Domain::open(store, config, fixture.clock.clone(), Random::seeded(12)).await
}

#[tokio::test]
async fn after_a_rewrap_the_old_master_key_is_needed_no_more() {
    let fixture = Fixture::new().await;
    let waiting = NewMail {
        kind: MailKind::RecoverEmail,
        to: Email::parse("ann@example.org").unwrap(),
        link: "https://id.example.org/action".into(),
        code: "code".into(),
        expires_at: START.plus_millis(7 * 24 * 3_600_000),
        language: None,
    };
    mail::enqueue(&fixture.domain, &waiting, START).await.unwrap();
    let signer = signs(&fixture.domain);
    let (old, new) = (named("m1", 1), named("m2", 2));
    let both = [new.clone(), old.clone()];
    start_with(&fixture, &both).await.unwrap();
    // The start says which master key is missing.
    let refused = start_with(&fixture, std::slice::from_ref(&new)).await.unwrap_err();
    let StartError::Store(Error::Internal(missing)) = refused else { panic!("{refused:?}") };
    assert!(missing.to_string().contains("the master key m1, which is not configured"));
    let refused = rewrap_with(fixture.store(), std::slice::from_ref(&new)).await.unwrap_err();
    assert!(refused.to_string().contains("the master key m1"), "{refused}");

    // Stopped anywhere, it is simply run again.
    let mut stopped = 0;
    loop {
        let store = fixture.store().with_faults(FaultPlan::crash_after(stopped));
        match rewrap_with(&store, &both).await {
            Ok(_) => break,
            Err(_) => stopped += 1,
        }
    }
    assert!(stopped > 2);
    let again = rewrap_with(fixture.store(), &both).await.unwrap();
    assert_eq!(again, Rewrapped { rewrapped: 0, already: 2, lost: 0 });
    let domain = start_with(&fixture, &[new]).await.unwrap();
    assert_eq!(signs(&domain), signer);
    assert!(takes(&fixture.domain, &domain));
    let mut cursor = MailCursor::default();
    loop {
        match mail::next_due(&domain, &mut cursor, fixture.now()).await.unwrap() {
            NextMail::Due(due) => break assert_eq!(due.to, waiting.to),
            NextMail::More => {}
            NextMail::End => panic!("the mail is lost"),
        }
    }
    assert_clean(&fixture).await;
}
