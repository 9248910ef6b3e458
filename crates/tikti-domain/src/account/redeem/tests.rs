//! What the codes of `update` change, and what becomes of an account that somebody has taken.

use secrecy::ExposeSecret;

use super::*;
use crate::account::{OobRequest, change_email};
use crate::mail::MailKind;
use crate::testing::{Fixture, PASSWORD, all, keyed};
use crate::user::{GlobalRole, UserStatus};

const ANN: &str = "ann@example.org";
const NEW: &str = "new@example.org";

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

async fn fixture() -> (Fixture, User) {
    let fixture = Fixture::new().await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    (fixture, ann)
}

async fn code(fixture: &Fixture, to: Option<&str>) -> SecretString {
    let token = fixture.sign_in(ANN).await.id_token;
    let request = match to {
        None => OobRequest::VerifyEmail(token),
        Some(to) => OobRequest::VerifyAndChangeEmail(token, email(to)),
    };
    fixture.oob_code(request).await
}

async fn use_up(fixture: &Fixture, code: &SecretString) -> Result<Redeemed, Code> {
    redeem_code(&fixture.domain, &keyed(), code).await.map_err(|error| error.code())
}

/// Somebody with the account gives it another address; the code that the old address gets.
async fn taken(fixture: &Fixture, user: &User, from: &str, to: &str) -> SecretString {
    let (domain, now) = (&fixture.domain, fixture.now());
    change_email(domain, &user.id, &email(to), now).await.unwrap();
    let mails = fixture.mails().await;
    let mut told = mails.iter().filter(|mail| mail.kind == MailKind::RecoverEmail);
    let mail = told.next().unwrap();
    assert_eq!((&mail.to, told.count()), (&email(from), 0));
    mail.code.clone()
}

#[tokio::test]
async fn a_code_confirms_the_address_once() {
    let (fixture, ann) = fixture().await;
    let code = code(&fixture, None).await;
    let shown = show_code(&fixture.domain, &Caller::default(), (OobType::VerifyEmail, &code))
        .await
        .unwrap();
    assert_eq!(shown, ShownCode { email: Some(email(ANN)), new_email: None });
    let done = use_up(&fixture, &code).await.unwrap();
    let expected =
        Redeemed { kind: OobType::VerifyEmail, user_id: ann.id.clone(), email: Some(email(ANN)) };
    assert_eq!(done, expected);
    assert!(fixture.reload(&ann).await.email_verified);
    assert_eq!(use_up(&fixture, &code).await, Err(Code::InvalidOobCode));
}

#[tokio::test]
async fn a_code_gives_the_new_address_verified_and_ends_the_codes_of_the_old_one() {
    let (fixture, ann) = fixture().await;
    let to_the_old = fixture.oob_code(OobRequest::PasswordReset(email(ANN))).await;
    let code = code(&fixture, Some(NEW)).await;
    let done = use_up(&fixture, &code).await.unwrap();
    assert_eq!(done.email, Some(email(NEW)));
    assert!(fixture.reload(&ann).await.email_verified);
    let old = find(&fixture.domain, &[OobType::PasswordReset], &to_the_old, fixture.now()).await;
    assert_eq!(old.unwrap_err().code(), Code::InvalidOobCode);
    fixture.try_sign_in(NEW, PASSWORD).await.unwrap();
    assert!(fixture.try_sign_in(ANN, PASSWORD).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_the_code_usable() {
    let (fixture, _) = fixture().await;
    let bob = fixture.user(NEW, GlobalRole::CompanyEmployee).await;
    let code = code(&fixture, Some(NEW)).await;
    assert_eq!(use_up(&fixture, &code).await, Err(Code::EmailExists));
    crate::account::delete_user(&fixture.domain, &bob.id, fixture.now()).await.unwrap();
    use_up(&fixture, &code).await.unwrap();
}

#[tokio::test]
async fn l6_of_100_uses_at_once_one_changes_the_address() {
    let (fixture, _) = fixture().await;
    for to in [None, Some(NEW)] {
        let code = code(&fixture, to).await;
        let outcomes = all((0..100).map(|_| use_up(&fixture, &code))).await;
        let mut done = 0;
        for outcome in outcomes {
            match outcome {
                Ok(_) => done += 1,
                Err(code) => assert_eq!(code, Code::InvalidOobCode),
            }
        }
        assert_eq!(done, 1, "{to:?}");
    }
}

#[tokio::test]
async fn l4_update_and_its_pages_take_no_other_codes() {
    let (fixture, _) = fixture().await;
    let reset = fixture.oob_code(OobRequest::PasswordReset(email(ANN))).await;
    let sign_in = fixture.oob_code(OobRequest::EmailSignIn(email(ANN))).await;
    let verify = code(&fixture, None).await;
    for code in [&reset, &sign_in] {
        assert_eq!(use_up(&fixture, code).await, Err(Code::InvalidOobCode));
        for kind in OobType::ALL {
            let refused =
                redeem_link(&fixture.domain, &Caller::default(), (kind, code)).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidOobCode, "{kind:?}");
        }
    }
    for kind in OobType::ALL.into_iter().filter(|kind| *kind != OobType::VerifyEmail) {
        let refused =
            redeem_link(&fixture.domain, &Caller::default(), (kind, &verify)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOobCode, "{kind:?}");
    }
    // Not one of them was used up by the wrong door.
    redeem_link(&fixture.domain, &Caller::default(), (OobType::VerifyEmail, &verify))
        .await
        .unwrap();
    show_code(&fixture.domain, &Caller::default(), (OobType::PasswordReset, &reset)).await.unwrap();
    show_code(&fixture.domain, &Caller::default(), (OobType::EmailSignIn, &sign_in)).await.unwrap();
}

#[tokio::test]
async fn a_key_needs_the_scope_of_update() {
    let (fixture, _) = fixture().await;
    let code = code(&fixture, None).await;
    let key = fixture.api_key("sending", &[KeyScope::OobSend], |_| ()).await;
    let caller = Caller { api_key: Some(key), ..Caller::default() };
    for (caller, expected) in
        [(caller, Code::ApiKeyForbidden), (Caller::default(), Code::InvalidApiKey)]
    {
        let refused = redeem_code(&fixture.domain, &caller, &code).await.unwrap_err();
        assert_eq!(refused.code(), expected);
    }
}

#[tokio::test]
async fn the_owner_of_the_old_address_gets_the_account_back_and_the_thief_is_out() {
    let (fixture, ann) = fixture().await;
    let to_ann = taken(&fixture, &ann, ANN, "thief@example.org").await;
    fixture.clock.advance(1);
    // The thief signs everybody out and moves on: neither takes the way back.
    crate::account::sign_out::revoke_everything(&fixture.domain, &ann.id, fixture.now())
        .await
        .unwrap();
    let to_thief = taken(&fixture, &ann, "thief@example.org", "thief2@example.org").await;
    fixture.clock.advance(6 * 24 * 60 * 60 * 1000);
    let session = fixture.try_sign_in("thief2@example.org", PASSWORD).await.unwrap();

    let done = use_up(&fixture, &to_ann).await.unwrap();
    assert_eq!((done.kind, done.email), (OobType::RecoverEmail, Some(email(ANN))));
    let now = fixture.reload(&ann).await;
    assert!(now.email_verified);
    let ask = crate::account::Lookup { id_token: session.id_token, memberships: false };
    let refused = crate::account::lookup(&fixture.domain, &keyed(), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::TokenRevoked);
    let ask = crate::account::Refresh { token: session.refresh_token.unwrap(), tenant: None };
    let refused = crate::account::refresh(&fixture.domain, &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidRefreshToken);
    // What the thief was told at his own address brings nothing back.
    assert_eq!(use_up(&fixture, &to_thief).await, Err(Code::InvalidOobCode));
    assert_eq!(use_up(&fixture, &to_ann).await, Err(Code::InvalidOobCode));
    assert_eq!(fixture.reload(&ann).await.email, Some(email(ANN)));
    assert_eq!(to_ann.expose_secret().len(), 32);
}

#[tokio::test]
async fn the_way_back_ends_after_seven_days_and_not_a_millisecond_before() {
    let (fixture, ann) = fixture().await;
    let week = 7 * 24 * 60 * 60 * 1000;
    let code = taken(&fixture, &ann, ANN, NEW).await;
    fixture.clock.advance(week - 1);
    show_code(&fixture.domain, &Caller::default(), (OobType::RecoverEmail, &code)).await.unwrap();
    fixture.clock.advance(1);
    assert_eq!(use_up(&fixture, &code).await, Err(Code::InvalidOobCode));
}

#[tokio::test]
async fn nobody_gets_an_address_back_that_is_anothers_by_now_nor_a_suspended_account() {
    let (fixture, ann) = fixture().await;
    // One that she said was hers, and nothing more: it is not kept for her.
    let said = "said@example.org";
    taken(&fixture, &ann, ANN, said).await;
    let code = taken(&fixture, &ann, said, NEW).await;
    let bob = fixture.user(said, GlobalRole::CompanyEmployee).await;
    assert_eq!(use_up(&fixture, &code).await, Err(Code::EmailExists));
    crate::account::delete_user(&fixture.domain, &bob.id, fixture.now()).await.unwrap();
    let mut suspended = fixture.reload(&ann).await;
    suspended.status = UserStatus::Suspended;
    fixture.put_user(&suspended).await;
    assert_eq!(use_up(&fixture, &code).await, Err(Code::InvalidOobCode));
}

#[tokio::test]
async fn a_user_who_was_revoked_while_the_code_was_taken_keeps_his_address() {
    let (fixture, ann) = fixture().await;
    let code = code(&fixture, Some(NEW)).await;
    let kinds = [OobType::VerifyAndChangeEmail];
    let found = find(&fixture.domain, &kinds, &code, fixture.now()).await.unwrap();
    let mut revoked = fixture.reload(&ann).await;
    revoked.ver += 1;
    fixture.put_user(&revoked).await;
    let refused = redeem(&fixture.domain, found, fixture.now()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidOobCode);
    assert_eq!(fixture.reload(&ann).await.email, Some(email(ANN)));
    // The address that was claimed for it is free.
    fixture.user(NEW, GlobalRole::CompanyEmployee).await;
}

/// However he does it: first, at the same millisecond, or by going round and round.
#[tokio::test]
async fn a_thief_who_recovers_addresses_of_his_own_first_does_not_end_the_owners_way_back() {
    for rounds in [1, 2, 12] {
        let (fixture, ann) = fixture().await;
        let to_ann = taken(&fixture, &ann, ANN, "thief0@example.org").await;
        let (mut at, mut earlier) = ("thief0@example.org".to_owned(), Vec::new());
        for round in 1..=rounds {
            let next = format!("thief{round}@example.org");
            let to_thief = taken(&fixture, &ann, &at, &next).await;
            earlier.push(to_thief.clone());
            if round % 2 == 1 {
                use_up(&fixture, &to_thief).await.unwrap();
            } else {
                at = next;
            }
        }
        use_up(&fixture, &to_ann).await.unwrap();
        assert_eq!(fixture.reload(&ann).await.email, Some(email(ANN)));
        for code in earlier.iter().chain([&to_ann]) {
            assert_eq!(use_up(&fixture, code).await, Err(Code::InvalidOobCode), "{rounds}");
        }
        // The next theft is undone as the first one was.
        let to_ann = taken(&fixture, &ann, ANN, "thief@example.org").await;
        use_up(&fixture, &to_ann).await.unwrap();
    }
}

#[tokio::test]
async fn a_recovery_ends_the_password_and_has_the_owner_set_another_one() {
    let (fixture, ann) = fixture().await;
    let to_ann = taken(&fixture, &ann, ANN, "thief@example.org").await;
    use_up(&fixture, &to_ann).await.unwrap();
    // The thief may have set it, or known it before.
    let refused = fixture.try_sign_in(ANN, PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidLoginCredentials);
    let mails = fixture.mails().await;
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((mail.kind, &mail.to), (MailKind::PasswordReset, &email(ANN)));
    let password: SecretString = "a staple that is correct".to_owned().into();
    let ask = crate::account::ResetPassword {
        code: mail.code.clone(),
        new_password: Some(password.clone()),
    };
    crate::account::reset_password(&fixture.domain, &keyed(), &ask).await.unwrap();
    fixture.try_sign_in(ANN, password.expose_secret()).await.unwrap();
}

/// Whether a new user may have an address.
async fn is_free(fixture: &Fixture, address: &str) -> bool {
    let (email, role) = (email(address), GlobalRole::CompanyEmployee);
    let new = crate::account::NewUser { email, password_hash: None, role };
    match crate::account::create_user(&fixture.domain, new, fixture.now()).await {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused.code(), Code::EmailExists);
            false
        }
    }
}

#[tokio::test]
async fn nobody_takes_the_old_address_while_its_owner_can_take_it_back() {
    let (fixture, ann) = fixture().await;
    let bob = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let to_ann = taken(&fixture, &ann, ANN, "thief@example.org").await;
    fixture.clock.advance(7 * 24 * 60 * 60 * 1000 - 1);
    assert!(!is_free(&fixture, ANN).await);
    let (domain, now) = (&fixture.domain, fixture.now());
    let refused = change_email(domain, &bob.id, &email(ANN), now).await.unwrap_err();
    assert_eq!(refused.code(), Code::EmailExists);
    use_up(&fixture, &to_ann).await.unwrap();
    fixture.clock.advance(60 * 24 * 60 * 60 * 1000);
    assert_eq!(fixture.reload(&ann).await.email, Some(email(ANN)));
    assert!(!is_free(&fixture, ANN).await, "hers again, and for good");
    assert!(is_free(&fixture, "thief@example.org").await, "kept for no thief");
}

#[tokio::test]
async fn an_address_is_kept_for_seven_days_for_its_user_alone_and_while_he_lives() {
    let week = 7 * 24 * 60 * 60 * 1000;
    let (fixture, ann) = fixture().await;
    taken(&fixture, &ann, ANN, NEW).await;
    fixture.clock.advance(week);
    assert!(is_free(&fixture, ANN).await);

    let bob = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    taken(&fixture, &bob, "bob@example.org", "bob2@example.org").await;
    assert!(!is_free(&fixture, "bob@example.org").await);
    crate::account::delete_user(&fixture.domain, &bob.id, fixture.now()).await.unwrap();
    assert!(is_free(&fixture, "bob@example.org").await);
}

/// Or one account would keep any number of people from their addresses, each for seven days.
#[tokio::test]
async fn an_address_that_somebody_only_says_is_his_is_not_kept_for_him() {
    let (fixture, ann) = fixture().await;
    taken(&fixture, &ann, ANN, "v0@example.org").await;
    for round in 0..4 {
        let (from, to) = (format!("v{round}@example.org"), format!("v{}@example.org", round + 1));
        taken(&fixture, &ann, &from, &to).await;
        assert!(is_free(&fixture, &from).await, "{from}");
    }
    // One at which mail has reached her is.
    let mut verified = fixture.reload(&ann).await;
    verified.email_verified = true;
    fixture.put_user(&verified).await;
    taken(&fixture, &ann, "v4@example.org", "v5@example.org").await;
    assert!(!is_free(&fixture, "v4@example.org").await);
}

/// A thief who takes the old address once more leaves it as it was kept before, also where he fails.
#[tokio::test]
async fn an_address_that_was_kept_is_kept_again_however_often_it_is_left() {
    let (fixture, ann) = fixture().await;
    let to_ann = taken(&fixture, &ann, ANN, "t1@example.org").await;
    for _ in 0..3 {
        taken(&fixture, &ann, "t1@example.org", "t2@example.org").await;
        taken(&fixture, &ann, "t2@example.org", ANN).await;
        assert!(!is_free(&fixture, ANN).await);
        taken(&fixture, &ann, ANN, "t1@example.org").await;
        assert!(!is_free(&fixture, ANN).await);
    }
    // Claimed, and refused by a code that fits no more.
    let mut code = OobCode::about(&ann, OobType::VerifyAndChangeEmail, fixture.now());
    code.ver = 0;
    let (domain, now) = (&fixture.domain, fixture.now());
    let address = email(ANN);
    let to = NewAddress::by(&code, &address);
    let refused = change_email_to(domain, &ann.id, &to, now).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidOobCode);
    assert!(!is_free(&fixture, ANN).await);
    use_up(&fixture, &to_ann).await.unwrap();
}

#[tokio::test]
async fn a_change_under_way_does_not_use_up_the_owners_way_back() {
    let (fixture, ann) = fixture().await;
    let to_ann = taken(&fixture, &ann, ANN, "thief@example.org").await;
    let settled = fixture.reload(&ann).await;
    let mut under_way = settled.clone();
    under_way.untold = Some(crate::user::Untold::Left(email("thief0@example.org")));
    fixture.put_user(&under_way).await;
    assert_eq!(use_up(&fixture, &to_ann).await, Err(Code::Conflict));
    fixture.put_user(&settled).await;
    use_up(&fixture, &to_ann).await.unwrap();
}
