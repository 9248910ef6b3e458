//! An import is made once, repeated at will, and given up by whoever wants its address.

use super::*;
use crate::account::{NewUser, change_email, create_user, delete_user};
use crate::testing::{Fixture, PASSWORD, START};

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn imported(id: &str, address: &str) -> ImportedUser {
    ImportedUser {
        email_verified: true,
        display_name: Some("Ann".to_owned()),
        created_at: Some(Timestamp::from_millis(1_500_000_000_000)),
        last_login_at: Some(Timestamp::from_millis(1_600_000_000_000)),
        ..ImportedUser::new(UserId::parse(id).unwrap(), email(address))
    }
}

async fn import_into(fixture: &Fixture, user: ImportedUser) -> Result<Imported, Error> {
    import_user(&fixture.domain, user, fixture.now()).await
}

fn made(outcome: Result<Imported, Error>) -> User {
    match outcome {
        Ok(Imported::Made(user)) => *user,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Imported, Error>) -> Box<Refusal> {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

async fn assert_clean(fixture: &Fixture) {
    let store = &fixture.domain.store;
    let report = crate::integrity::verify(store, fixture.now(), &mut |_| ()).await.unwrap();
    assert_eq!((report.findings, report.pending), (Vec::new(), 0));
}

#[tokio::test]
async fn a_user_keeps_id_name_and_times_and_gets_a_new_token_version() {
    let fixture = Fixture::new().await;
    let user = made(import_into(&fixture, imported("8Firebase_uid-1", "Ann@Example.org")).await);
    assert_eq!(fixture.reload(&user).await, user);
    let expected = User {
        email_claim: user.email_claim.clone(),
        email_verified: true,
        display_name: Some("Ann".to_owned()),
        created_at: Timestamp::from_millis(1_500_000_000_000),
        last_login_at: Some(Timestamp::from_millis(1_600_000_000_000)),
        ..User::new(
            UserId::parse("8Firebase_uid-1").unwrap(),
            email("ann@example.org"),
            GlobalRole::CompanyEmployee,
            START,
        )
    };
    assert_eq!(user, expected);
    assert_eq!(user.ver, START.as_millis());
    assert_clean(&fixture).await;
}

/// RFC 6070 with SHA-256: one iteration, `password`.
const FOREIGN: &str = "$pbkdf2-sha256$i=1,l=32$c2FsdA$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs";

#[tokio::test]
async fn the_first_sign_in_replaces_a_foreign_hash() {
    let fixture = Fixture::new().await;
    let hash = PasswordHash::parse(FOREIGN).unwrap();
    let with_hash =
        ImportedUser { password_hash: Some(hash.clone()), ..imported("uid", "ann@example.org") };
    let user = made(import_into(&fixture, with_hash.clone()).await);
    let wrong = fixture.try_sign_in("ann@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidLoginCredentials);
    assert_eq!(fixture.reload(&user).await.password_hash, Some(hash));

    for _ in 0..2 {
        fixture.try_sign_in("ann@example.org", "password").await.unwrap();
        let stored = fixture.reload(&user).await;
        assert_eq!(stored.password_hash.unwrap().cost(), Some(crate::password::LOWEST_COST));
    }

    // To repeat the import does not bring the old hash back.
    let again = import_into(&fixture, with_hash).await.unwrap();
    let stored = fixture.reload(&user).await;
    assert!(matches!(again, Imported::AlreadyThere(found) if *found == stored));
}

#[tokio::test]
async fn a_disabled_user_is_told_so_after_the_right_password() {
    let fixture = Fixture::new().await;
    let user = ImportedUser {
        password_hash: Some(PasswordHash::parse(FOREIGN).unwrap()),
        status: UserStatus::Inactive,
        ..imported("uid", "ann@example.org")
    };
    made(import_into(&fixture, user).await);
    let wrong = fixture.try_sign_in("ann@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidLoginCredentials);
    let right = fixture.try_sign_in("ann@example.org", "password").await.unwrap_err();
    assert_eq!(right.code(), Code::UserDisabled);
}

#[tokio::test]
async fn an_address_or_an_id_that_is_anothers_is_refused() {
    let fixture = Fixture::new().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let taken = refused(import_into(&fixture, imported("uid", "ann@example.org")).await);
    assert_eq!(taken.code, Code::EmailExists);

    let bob = made(import_into(&fixture, imported("uid", "bob@example.org")).await);
    let taken = refused(import_into(&fixture, imported("uid", "cid@example.org")).await);
    assert_eq!((taken.code, taken.details.contains_key("userId")), (Code::Conflict, true));

    change_email(domain, &bob.id, &email("bo@example.org"), now).await.unwrap();
    let taken = refused(import_into(&fixture, imported("uid", "bob@example.org")).await);
    assert!(taken.details.contains_key("userId"));
    assert_clean(&fixture).await;
    // The address that he has left is free once he cannot take it back any more.
    let taken = refused(import_into(&fixture, imported("uid-2", "bob@example.org")).await);
    assert_eq!(taken.code, Code::EmailExists);
    assert_clean(&fixture).await;
    fixture.clock.advance(7 * 24 * 60 * 60 * 1000);
    made(import_into(&fixture, imported("uid-2", "bob@example.org")).await);
    assert_clean(&fixture).await;
}

/// Row A10: an id that is used again brings old rights back.
#[tokio::test]
async fn a10_the_id_of_a_deleted_user_is_taken_for_ever_and_his_address_is_free() {
    let fixture = Fixture::new().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let ann = made(import_into(&fixture, imported("uid", "ann@example.org")).await);
    delete_user(domain, &ann.id, now).await.unwrap();
    assert_clean(&fixture).await;
    let taken = refused(import_into(&fixture, imported("uid", "ann@example.org")).await);
    assert_eq!((taken.code, taken.details.contains_key("userId")), (Code::Conflict, true));
    made(import_into(&fixture, imported("uid-2", "ann@example.org")).await);
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_named() {
    let fixture = Fixture::new().await;
    let later = fixture.now().plus_millis(1);
    let plain = || imported("uid", "ann@example.org");
    for (member, user) in [
        ("createdAt", ImportedUser { created_at: Some(later), ..plain() }),
        ("lastLoginAt", ImportedUser { last_login_at: Some(later), ..plain() }),
        ("displayName", ImportedUser { display_name: Some("a\u{202e}b".to_owned()), ..plain() }),
    ] {
        let refusal = refused(import_into(&fixture, user).await);
        assert_eq!(refusal.code, Code::InvalidArgument);
        assert!(refusal.details.contains_key(member), "{member}");
    }
    let made = made(import_into(&fixture, ImportedUser { created_at: None, ..plain() }).await);
    assert_eq!(made.created_at, fixture.now());
}

#[tokio::test]
async fn of_many_at_once_one_is_made() {
    let fixture = Fixture::new().await;
    let tries = (0..20).map(|_| import_into(&fixture, imported("uid", "ann@example.org")));
    let mut number = 0;
    for outcome in crate::testing::all(tries).await {
        match outcome {
            Ok(Imported::Made(_)) => number += 1,
            Ok(Imported::AlreadyThere(_)) => {}
            Err(error) => {
                assert!([Code::EmailExists, Code::Conflict].contains(&error.code()), "{error:?}");
            }
        }
    }
    assert_eq!(number, 1);
    assert_clean(&fixture).await;
}

#[tokio::test]
async fn an_import_whose_address_was_taken_over_never_finishes_and_buries_no_id() {
    let fixture = Fixture::new().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    // Everything of an import but its last step; then its process sleeps.
    let user = user_of(imported("uid", "ann@example.org"), now).unwrap();
    let work = ImportingUser { user_id: user.id.clone(), email: email("ann@example.org") };
    let operation = intent::begin(domain, Work::ImportUser(work.clone()), now).await.unwrap();
    let claim = EmailClaim { given_id: true, ..EmailClaim::new(&work.user_id, &operation) };
    claim_email(domain, &work.email, &claim, now).await.unwrap();

    let role = GlobalRole::CompanyEmployee;
    let new = NewUser { email: work.email.clone(), password_hash: None, role };
    let ann = create_user(domain, new, now).await.unwrap();

    let late = import(domain, &operation, (&work, user), now).await.unwrap_err();
    assert_eq!(late.code(), Code::EmailExists);
    settle(domain, &operation, &work, now).await.unwrap();
    let found = find_by_email(domain, &work.email, now).await.unwrap().unwrap();
    assert_eq!(found, ann);
    made(import_into(&fixture, imported("uid", "bob@example.org")).await);
    assert_clean(&fixture).await;
}
