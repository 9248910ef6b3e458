//! Codes that are handed in, as the limits see them: who guesses is locked out, and locks out nobody.

use std::net::IpAddr;

use tikti_domain::Caller;
use tikti_domain::account::{
    OobRequest, SignInWithOobCode, reset_password_by_link, show_code, sign_in_with_oob_code,
};
use tikti_domain::error::Code;
use tikti_domain::oob_code::OobType;
use tikti_domain::secret::SecretString;
use tikti_domain::testing::{Fixture, PASSWORD};
use tikti_domain::user::{GlobalRole, UserStatus};

use crate::limits::{ANN, INVALID, WRONG, email, fixture, fixture_with, ip, try_at, v4};

/// Attacks, row E2, seen from the host: what it hands in is counted whatever it is, and uses up nobody
/// else's tries.
#[tokio::test]
async fn e2_a_host_that_hands_in_too_many_codes_is_refused_and_nobody_else() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let code = fixture.oob_code(OobRequest::EmailSignIn(email(ANN))).await;
    let wrong = || SecretString::from("A".repeat(32));
    let host = ip("2001:db8:1:2::1");
    for number in 0..100 {
        let tried = hand_in(&fixture, host, &format!("u{number}@x"), wrong()).await;
        assert_eq!(tried.unwrap_err(), Code::InvalidOobCode);
    }
    let same = ip("2001:db8:1:2::9");
    let refused = hand_in(&fixture, same, ANN, code.clone()).await.unwrap_err();
    assert_eq!(refused, Code::RateLimited);
    hand_in(&fixture, ip("2001:db8:1:3::1"), ANN, code).await.unwrap();
}

/// Attacks, rows E2 and E10: whoever guesses is locked out by the address, from however many hosts, and
/// locks no owner of a good code out.
#[tokio::test]
async fn e2_e10_wrong_codes_of_an_address_are_locked_and_a_good_one_passes() {
    let fixture = fixture().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let sign_in = fixture.oob_code(OobRequest::EmailSignIn(email(ANN))).await;
    let reset = fixture.oob_code(OobRequest::PasswordReset(email(ANN))).await;
    for number in 0..30 {
        let guess = SecretString::from("A".repeat(32));
        let tried = hand_in(&fixture, v4(51, 100, number), ANN, guess).await.unwrap_err();
        let expected = if number < 10 { Code::InvalidOobCode } else { Code::RateLimited };
        assert_eq!(tried, expected, "{number}");
    }
    let visitor = Caller { ip: v4(7, 7, 7), ..Caller::default() };
    let link = (OobType::PasswordReset, &reset);
    show_code(&fixture.domain, &visitor, link).await.unwrap();
    // The code of another type is no good one here.
    let tried = hand_in(&fixture, v4(7, 7, 7), ANN, reset.clone()).await.unwrap_err();
    assert_eq!(tried, Code::RateLimited);
    hand_in(&fixture, v4(7, 7, 7), ANN, sign_in).await.unwrap();
    reset_password_by_link(
        &fixture.domain,
        &visitor,
        &reset,
        &"a staple that is new".to_owned().into(),
    )
    .await
    .unwrap();
}

/// A code that stands and is no good any more counts by its address as well, at every call.
#[tokio::test]
async fn e2_codes_that_are_over_are_counted_by_their_address() {
    let fixture = fixture().await;
    let mut ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let reset = fixture.oob_code(OobRequest::PasswordReset(email(ANN))).await;
    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    for number in 0..20 {
        let visitor = Caller { ip: v4(51, 100, number), ..Caller::default() };
        let link = (OobType::PasswordReset, &reset);
        let tried = show_code(&fixture.domain, &visitor, link).await.unwrap_err().code();
        let expected = if number < 10 { Code::InvalidOobCode } else { Code::RateLimited };
        assert_eq!(tried, expected, "{number}");
    }
    ann.status = UserStatus::Active;
    fixture.put_user(&ann).await;
    show_code(&fixture.domain, &Caller::default(), (OobType::PasswordReset, &reset)).await.unwrap();
}

/// Attacks, row E10: also for who never signs in with a password from there.
#[tokio::test]
async fn e10_a_network_is_known_once_a_mailed_code_was_handed_in_from_it() {
    let fixture = fixture_with(|limits| limits.failed_sign_ins_per_email.most = 5).await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let domain = &fixture.domain;
    let (home, away) = (ip("203.0.113.7"), ip("192.0.2.7"));
    let code = fixture.oob_code(OobRequest::EmailSignIn(email(ANN))).await;
    hand_in(&fixture, home, ANN, code).await.unwrap();
    for number in 0..5 {
        let from = Some(IpAddr::from([198, 51, number, 1]));
        assert_eq!(try_at(domain, (ANN, WRONG), from).await, INVALID);
    }
    let refused = try_at(domain, (ANN, PASSWORD), away).await;
    assert_eq!(refused.map(|(code, _)| code), Some(Code::RateLimited));
    assert_eq!(try_at(domain, (ANN, PASSWORD), home).await, None);
}

async fn hand_in(
    fixture: &Fixture,
    ip: Option<IpAddr>,
    address: &str,
    code: SecretString,
) -> Result<(), Code> {
    let caller = Caller { ip, ..Caller::default() };
    let ask = SignInWithOobCode { email: email(address), code, return_secure_token: false };
    let done = sign_in_with_oob_code(&fixture.domain, &caller, &ask).await;
    done.map(drop).map_err(|error| error.code())
}
