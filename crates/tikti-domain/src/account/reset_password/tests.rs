//! What a reset changes, what leaves the code usable, and that it is good once.

use super::*;
use crate::account::{Lookup, OobRequest, Refresh, lookup, refresh};
use crate::oob_code::OobCode;
use crate::record::Record;
use crate::testing::{Fixture, PASSWORD, all, keyed};
use crate::user::{GlobalRole, UserStatus};

const ANN: &str = "ann@example.org";
const NEW: &str = "a new password of hers";

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    fixture
}

async fn code(fixture: &Fixture) -> SecretString {
    fixture.oob_code(OobRequest::PasswordReset(Email::parse(ANN).unwrap())).await
}

async fn reset(
    fixture: &Fixture,
    code: &SecretString,
    password: Option<&str>,
) -> Result<PasswordReset, Code> {
    let new_password = password.map(|password| password.to_owned().into());
    let ask = ResetPassword { code: code.clone(), new_password };
    reset_password(&fixture.domain, &keyed(), &ask).await.map_err(|error| error.code())
}

#[tokio::test]
async fn a_reset_sets_the_password_verifies_the_address_and_ends_all_sessions() {
    let fixture = fixture().await;
    let before = [fixture.sign_in(ANN).await, fixture.sign_in(ANN).await];
    let code = code(&fixture).await;
    let done = reset(&fixture, &code, Some(NEW)).await.unwrap();
    assert_eq!(done.email, Some(Email::parse(ANN).unwrap()));
    for session in before {
        let ask = Lookup { id_token: session.id_token, memberships: false };
        let refused = lookup(&fixture.domain, &keyed(), &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::TokenRevoked);
        let ask = Refresh { token: session.refresh_token.unwrap(), tenant: None };
        let refused = refresh(&fixture.domain, &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidRefreshToken);
    }
    let partition = crate::keyspace::of_user(&done.user_id);
    let kind = crate::keyspace::SESSION;
    let left = fixture.store().scan(&partition, kind, None, 10, fixture.now()).await.unwrap();
    assert!(left.entries.is_empty());
    assert!(fixture.try_sign_in(ANN, PASSWORD).await.is_err());
    let again = fixture.try_sign_in(ANN, NEW).await.unwrap();
    let ask = Lookup { id_token: again.id_token, memberships: false };
    assert!(lookup(&fixture.domain, &keyed(), &ask).await.unwrap().email_verified);
    assert_eq!(reset(&fixture, &code, Some(NEW)).await, Err(Code::InvalidOobCode));
}

#[tokio::test]
async fn a_reset_ends_every_other_code_as_well() {
    let fixture = fixture().await;
    let (one, other) = (code(&fixture).await, code(&fixture).await);
    reset(&fixture, &one, Some(NEW)).await.unwrap();
    assert_eq!(reset(&fixture, &other, None).await, Err(Code::InvalidOobCode));
}

#[tokio::test]
async fn a_refused_password_and_a_check_leave_the_code_usable() {
    let fixture = fixture().await;
    let code = code(&fixture).await;
    let long = "x".repeat(73);
    for (password, refusal) in [
        (None, None),
        (Some("short"), Some(Code::WeakPassword)),
        (Some("12345678"), Some(Code::WeakPassword)),
        (Some(ANN), Some(Code::WeakPassword)),
        (Some(long.as_str()), Some(Code::PasswordTooLong)),
        (Some("12345678\0"), Some(Code::InvalidArgument)),
    ] {
        assert_eq!(reset(&fixture, &code, password).await.err(), refusal, "{password:?}");
    }
    assert!(fixture.try_sign_in(ANN, PASSWORD).await.is_ok());
    reset(&fixture, &code, Some(NEW)).await.unwrap();
}

#[tokio::test]
async fn l6_of_100_uses_at_once_one_sets_the_password() {
    let fixture = fixture().await;
    let code = code(&fixture).await;
    let passwords: Vec<_> = (0..100).map(|number| format!("password number {number}")).collect();
    let uses = passwords.iter().map(|password| reset(&fixture, &code, Some(password)));
    let outcomes = all(uses).await;
    let mut won = None;
    for (password, outcome) in passwords.iter().zip(outcomes) {
        match outcome {
            Ok(_) => assert_eq!(won.replace(password), None),
            Err(code) => assert_eq!(code, Code::InvalidOobCode),
        }
    }
    fixture.try_sign_in(ANN, won.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_code_ends_to_the_millisecond_also_while_the_password_is_given() {
    let fixture = fixture().await;
    let code = code(&fixture).await;
    fixture.clock.advance(15 * 60 * 1000 - 1);
    reset(&fixture, &code, None).await.unwrap();
    fixture.clock.advance(1);
    assert_eq!(reset(&fixture, &code, None).await, Err(Code::InvalidOobCode));
    assert_eq!(reset(&fixture, &code, Some(NEW)).await, Err(Code::InvalidOobCode));
    let again = self::code(&fixture).await;
    let found = find(&fixture.domain, &[OobType::PasswordReset], &again, fixture.now()).await;
    let found = found.unwrap();
    fixture.clock.advance(15 * 60 * 1000);
    assert_eq!(found.take(&fixture.domain).await.unwrap_err().code(), Code::InvalidOobCode);
}

#[tokio::test]
async fn what_happens_to_the_user_while_the_password_is_hashed_counts() {
    let fixture = fixture().await;
    for suspended in [true, false] {
        let code = code(&fixture).await;
        let found = find(&fixture.domain, &[OobType::PasswordReset], &code, fixture.now()).await;
        let found = found.unwrap();
        let before = found.user.clone();
        let mut changed = before.clone();
        if suspended {
            changed.status = UserStatus::Suspended;
        } else {
            changed.ver += 1;
        }
        fixture.put_user(&changed).await;
        let refused = set(&fixture.domain, &found, &NEW.to_owned().into()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidOobCode);
        assert_eq!(fixture.reload(&before).await.password_hash, before.password_hash);
        fixture.put_user(&before).await;
    }
}

#[tokio::test]
async fn a_suspended_user_resets_nothing() {
    let fixture = fixture().await;
    let code = code(&fixture).await;
    let email = Email::parse(ANN).unwrap();
    let user = crate::account::find_by_email(&fixture.domain, &email, fixture.now());
    let mut ann = user.await.unwrap().unwrap();
    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    assert_eq!(reset(&fixture, &code, Some(NEW)).await, Err(Code::InvalidOobCode));
    ann.status = UserStatus::Active;
    fixture.put_user(&ann).await;
    reset(&fixture, &code, Some(NEW)).await.unwrap();
}

#[tokio::test]
async fn t6_a_tenants_key_hands_in_only_what_was_sent_for_its_tenant() {
    let fixture = fixture().await;
    fixture.admin("root@corp.sys").await;
    let mut tenants = Vec::new();
    for slug in ["acme", "beta"] {
        let tenant = fixture.tenant("root@corp.sys", slug).await;
        let of_tenant = Some(tenant.id.clone());
        let key = fixture.api_key(slug, &[KeyScope::OobSend], |key| key.tenant_id = of_tenant);
        let key = key.await;
        tenants.push((tenant, Caller { api_key: Some(key), ..Caller::default() }));
    }
    let now = fixture.now();
    let email = Email::parse(ANN).unwrap();
    let ann = crate::account::find_by_email(&fixture.domain, &email, now).await.unwrap().unwrap();
    fixture.member(&tenants[0].0.id, &ann, &["TENANT_USER"]).await;
    let ann = fixture.reload(&ann).await;
    let mut record = OobCode::about(&ann, OobType::PasswordReset, now);
    record.tenant_id = Some(tenants[0].0.id.clone());
    let of_acme = crate::oob_code::put(&fixture.domain, record, now).await.unwrap();
    let of_nobody = code(&fixture).await;
    for (code, caller, is_good) in [
        (&of_acme, &tenants[1].1, false),
        (&of_nobody, &tenants[0].1, false),
        (&of_nobody, &tenants[1].1, false),
        (&of_acme, &tenants[0].1, true),
    ] {
        let ask = ResetPassword { code: code.clone(), new_password: None };
        let checked = reset_password(&fixture.domain, caller, &ask).await;
        let expected = if is_good { None } else { Some(Code::InvalidOobCode) };
        assert_eq!(checked.err().map(|error| error.code()), expected);
    }
    // Whoever is no member any more has nothing of the tenant's.
    crate::tenancy::remove_member(&fixture.domain, &tenants[0].0.id, &ann.id, now).await.unwrap();
    let ask = ResetPassword { code: of_acme, new_password: None };
    assert!(reset_password(&fixture.domain, &tenants[0].1, &ask).await.is_err());
}

#[tokio::test]
async fn l4_a_code_of_another_type_sets_no_password_even_where_its_bytes_were_moved() {
    let fixture = fixture().await;
    let (domain, now) = (&fixture.domain, fixture.now());
    let email = Email::parse(ANN).unwrap();
    let other = fixture.oob_code(OobRequest::EmailSignIn(email)).await;
    assert_eq!(reset(&fixture, &other, Some(NEW)).await, Err(Code::InvalidOobCode));
    let from = &crate::oob_code::keys(&domain.peppers, OobType::EmailSignIn, &other)[0];
    let to = &crate::oob_code::keys(&domain.peppers, OobType::PasswordReset, &other)[0];
    let stored = domain.store.get(from, now).await.unwrap().unwrap();
    let entry = tikti_store::Entry::new(stored.value());
    domain.store.put(to, entry, now).await.unwrap();
    assert_eq!(OobCode::decode(to, &stored).unwrap().kind, OobType::EmailSignIn);
    assert_eq!(reset(&fixture, &other, Some(NEW)).await, Err(Code::InvalidOobCode));
    assert!(fixture.try_sign_in(ANN, PASSWORD).await.is_ok());
}
