//! Changing and deleting one's own account.

use tikti_domain::Caller;
use tikti_domain::account::{
    Lookup, Refresh, SignedIn, UpdateAccount, UpdatedAccount, delete_account, lookup, refresh,
    update_account,
};
use tikti_domain::api_key::KeyScope;
use tikti_domain::email::Email;
use tikti_domain::error::Code;
use tikti_domain::id::TenantRef;
use tikti_domain::secret::{ExposeSecret, SecretString};
use tikti_domain::testing::{Fixture, PASSWORD, all, keyed};
use tikti_domain::user::{GlobalRole, User};

const ANN: &str = "ann@example.org";
const NEW_PASSWORD: &str = "a staple that is correct";
const MINUTES: u64 = 60_000;

fn ask(id_token: &SecretString) -> UpdateAccount {
    UpdateAccount {
        id_token: id_token.clone(),
        email: None,
        password: None,
        display_name: None,
        default_tenant: None,
    }
}

fn to_email(id_token: &SecretString, email: &str) -> UpdateAccount {
    UpdateAccount { email: Some(Email::parse(email).unwrap()), ..ask(id_token) }
}

fn to_password(id_token: &SecretString, password: &str) -> UpdateAccount {
    UpdateAccount { password: Some(password.to_owned().into()), ..ask(id_token) }
}

fn to_name(id_token: &SecretString, name: &str) -> UpdateAccount {
    UpdateAccount { display_name: Some(name.to_owned()), ..ask(id_token) }
}

fn to_tenant(id_token: &SecretString, tenant: &str) -> UpdateAccount {
    UpdateAccount { default_tenant: Some(TenantRef::parse(tenant).unwrap()), ..ask(id_token) }
}

async fn update(fixture: &Fixture, ask: UpdateAccount) -> Result<UpdatedAccount, Code> {
    update_account(&fixture.domain, &keyed(), &ask).await.map_err(|error| error.code())
}

async fn looks_up(fixture: &Fixture, id_token: &SecretString) -> Result<(), Code> {
    let ask = Lookup { id_token: id_token.clone(), memberships: false };
    lookup(&fixture.domain, &keyed(), &ask).await.map(|_| ()).map_err(|error| error.code())
}

async fn refreshes(fixture: &Fixture, token: &SecretString) -> Result<SecretString, Code> {
    let ask = Refresh { token: token.clone(), tenant: None };
    let done = refresh(&fixture.domain, &ask).await;
    done.map(|done| done.refresh_token).map_err(|error| error.code())
}

async fn signed_in() -> (Fixture, User, SignedIn) {
    let fixture = Fixture::new().await;
    let ann = fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    let session = fixture.sign_in(ANN).await;
    (fixture, ann, session)
}

#[tokio::test]
async fn a_new_password_keeps_this_session_and_ends_all_others() {
    let (fixture, ann, session) = signed_in().await;
    let other = fixture.sign_in(ANN).await;
    fixture.clock.advance(1);
    let done = update(&fixture, to_password(&session.id_token, NEW_PASSWORD)).await.unwrap();
    assert_eq!((done.user_id, done.email), (ann.id.clone(), ann.email.clone()));
    assert!(fixture.reload(&ann).await.ver > ann.ver);

    // Everything of before is over, that of this session too: it was given anew.
    for id_token in [&session.id_token, &other.id_token] {
        assert_eq!(looks_up(&fixture, id_token).await, Err(Code::TokenRevoked));
    }
    for token in [&session.refresh_token, &other.refresh_token] {
        let refused = refreshes(&fixture, token.as_ref().unwrap()).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidRefreshToken);
    }
    assert_eq!(looks_up(&fixture, &done.id_token).await, Ok(()));
    let next = refreshes(&fixture, done.refresh_token.as_ref().unwrap()).await.unwrap();
    refreshes(&fixture, &next).await.unwrap();

    let old = fixture.try_sign_in(ANN, PASSWORD).await.unwrap_err();
    assert_eq!(old.code(), Code::InvalidLoginCredentials);
    fixture.try_sign_in(ANN, NEW_PASSWORD).await.unwrap();
}

/// An old token is no proof that somebody has copied one: it was the update that made it old.
#[tokio::test]
async fn a_refresh_token_from_before_an_update_is_refused_and_ends_nothing() {
    let (fixture, _, session) = signed_in().await;
    let done = update(&fixture, to_email(&session.id_token, "ann@new.example")).await.unwrap();
    for seconds in [0, 11] {
        fixture.clock.advance(seconds * 1000);
        let refused = refreshes(&fixture, session.refresh_token.as_ref().unwrap()).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidRefreshToken);
    }
    refreshes(&fixture, done.refresh_token.as_ref().unwrap()).await.unwrap();
    // The idToken of before stays what it was: nothing was revoked.
    assert_eq!(looks_up(&fixture, &session.id_token).await, Ok(()));
}

#[tokio::test]
async fn a_new_address_signs_in_the_old_one_does_not_and_it_is_not_verified() {
    let (fixture, ann, session) = signed_in().await;
    let mut verified = fixture.reload(&ann).await;
    verified.email_verified = true;
    fixture.put_user(&verified).await;
    let done = update(&fixture, to_email(&session.id_token, "ann@new.example")).await.unwrap();
    let new = Email::parse("ann@new.example").unwrap();
    assert_eq!(done.email.as_ref(), Some(&new));
    let stored = fixture.reload(&ann).await;
    assert_eq!((stored.email.as_ref(), stored.email_verified), (Some(&new), false));
    fixture.sign_in("ann@new.example").await;
    assert!(fixture.try_sign_in(ANN, PASSWORD).await.is_err());
    assert_eq!(looks_up(&fixture, &session.id_token).await, Ok(()));
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let (fixture, ann, session) = signed_in().await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let before = fixture.reload(&ann).await;
    let id_token = &session.id_token;
    let both = |email: &str, password: &str| UpdateAccount {
        display_name: Some("Ann".to_owned()),
        ..UpdateAccount { password: Some(password.to_owned().into()), ..to_email(id_token, email) }
    };
    for (ask, code) in [
        (ask(id_token), Code::InvalidArgument),
        (to_name(id_token, " "), Code::InvalidArgument),
        (to_name(id_token, "a\u{202e}b"), Code::InvalidArgument),
        (both("bob@example.org", NEW_PASSWORD), Code::EmailExists),
        (both("ann@new.example", "short"), Code::WeakPassword),
        (both("ann@new.example", "ann@new.example"), Code::WeakPassword),
        (both("ann@new.example", &"x".repeat(73)), Code::PasswordTooLong),
        (to_password(id_token, ANN), Code::WeakPassword),
        (to_tenant(id_token, "nowhere"), Code::MembershipRequired),
    ] {
        let said = format!("{ask:?}");
        assert_eq!(update(&fixture, ask).await.err(), Some(code), "{said}");
        assert!(!said.contains(NEW_PASSWORD) && !said.contains(id_token.expose_secret()));
    }
    assert_eq!(fixture.reload(&ann).await, before);
    refreshes(&fixture, session.refresh_token.as_ref().unwrap()).await.unwrap();
}

#[tokio::test]
async fn address_and_password_need_a_sign_in_of_the_last_quarter_of_an_hour_and_a_name_none() {
    let (fixture, _, session) = signed_in().await;
    let id_token = &session.id_token;
    fixture.clock.advance(15 * MINUTES + 1000);
    for ask in [to_email(id_token, "ann@new.example"), to_password(id_token, NEW_PASSWORD)] {
        assert_eq!(update(&fixture, ask).await.err(), Some(Code::CredentialTooOld));
    }
    let refused = delete_account(&fixture.domain, &keyed(), id_token).await.unwrap_err();
    assert_eq!(refused.code(), Code::CredentialTooOld);
    let done = update(&fixture, to_name(id_token, "Ann")).await.unwrap();
    // A fresh token is not a fresh sign-in.
    let late = update(&fixture, to_password(&done.id_token, NEW_PASSWORD)).await;
    assert_eq!(late.err(), Some(Code::CredentialTooOld));
    let again = fixture.sign_in(ANN).await.id_token;
    fixture.clock.advance(15 * MINUTES);
    update(&fixture, to_password(&again, NEW_PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn the_default_tenant_is_one_that_the_user_belongs_to() {
    let (fixture, ann, session) = signed_in().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await.id;
    let beta = fixture.tenant("root@corp.sys", "beta").await.id;
    fixture.tenant("root@corp.sys", "gamma").await;
    for tenant in [&acme, &beta] {
        fixture.member(tenant, &ann, &["TENANT_USER"]).await;
    }
    assert_eq!(fixture.reload(&ann).await.default_tenant, Some(acme.clone()));
    update(&fixture, to_tenant(&session.id_token, "beta")).await.unwrap();
    assert_eq!(fixture.reload(&ann).await.default_tenant, Some(beta.clone()));
    assert_eq!(fixture.sign_in(ANN).await.tenant_id, Some(beta.clone()));
    // T4: no member, suspended, and not there at all look the same.
    let mut suspended = fixture.tenant("root@corp.sys", "delta").await;
    fixture.member(&suspended.id, &ann, &["TENANT_USER"]).await;
    suspended.status = tikti_domain::tenant::TenantStatus::Suspended;
    fixture.put_tenant(&suspended).await;
    for tenant in ["gamma", "delta", "nowhere"] {
        let refused = update(&fixture, to_tenant(&session.id_token, tenant)).await;
        assert_eq!(refused.err(), Some(Code::MembershipRequired), "{tenant}");
    }
    assert_eq!(fixture.reload(&ann).await.default_tenant, Some(beta));
}

#[tokio::test]
async fn a_key_without_the_scope_or_none_changes_nothing() {
    let (fixture, _, session) = signed_in().await;
    let update_only = fixture.api_key("updates", &[KeyScope::Update], |_| ()).await;
    let delete_only = fixture.api_key("deletes", &[KeyScope::Delete], |_| ()).await;
    let with = |key: &SecretString| Caller { api_key: Some(key.clone()), ..Caller::default() };
    let ask = to_name(&session.id_token, "Ann");
    let nobody = update_account(&fixture.domain, &Caller::default(), &ask).await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidApiKey);
    let refused = update_account(&fixture.domain, &with(&delete_only), &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::ApiKeyForbidden);
    let refused = delete_account(&fixture.domain, &with(&update_only), &ask.id_token).await;
    assert_eq!(refused.unwrap_err().code(), Code::ApiKeyForbidden);
    update_account(&fixture.domain, &with(&update_only), &ask).await.unwrap();
    delete_account(&fixture.domain, &with(&delete_only), &ask.id_token).await.unwrap();
}

#[tokio::test]
async fn an_account_that_is_deleted_is_gone_and_the_last_administrator_stays() {
    let (fixture, ann, session) = signed_in().await;
    let other = fixture.sign_in(ANN).await;
    let gone = delete_account(&fixture.domain, &keyed(), &session.id_token).await.unwrap();
    assert_eq!(gone, ann.id);
    for session in [&session, &other] {
        assert_eq!(looks_up(&fixture, &session.id_token).await, Err(Code::TokenRevoked));
    }
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    fixture.admin("root@corp.sys").await;
    let root = fixture.sign_in("root@corp.sys").await.id_token;
    let refused = delete_account(&fixture.domain, &keyed(), &root).await.unwrap_err();
    assert_eq!(refused.code(), Code::LastAdmin);
    fixture.sign_in("root@corp.sys").await;
}

#[tokio::test]
async fn l6_of_a_hundred_users_who_want_one_address_exactly_one_gets_it() {
    let fixture = Fixture::new().await;
    let mut tokens = Vec::new();
    for number in 0..100 {
        let email = format!("user{number}@example.org");
        fixture.user(&email, GlobalRole::CompanyEmployee).await;
        tokens.push(fixture.sign_in(&email).await.id_token);
    }
    let asks = tokens.iter().map(|token| update(&fixture, to_email(token, "one@example.org")));
    let outcomes = all(asks).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    // On a busy machine one of them may be told to come again: it has tried sixteen times to be the one.
    let is_lost = |code: &&Code| matches!(code, Code::EmailExists | Code::Conflict);
    let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).filter(is_lost).count();
    assert_eq!((won, lost), (1, 99));
    let owner = fixture.sign_in("one@example.org").await.user_id;
    let winner = outcomes.into_iter().find_map(Result::ok).unwrap();
    assert_eq!(winner.user_id, owner);
}

#[tokio::test]
async fn two_new_passwords_at_once_leave_one_session_that_goes_on() {
    let (fixture, _, first) = signed_in().await;
    let second = fixture.sign_in(ANN).await;
    fixture.clock.advance(1);
    let asks = [(&first, "first of two passwords"), (&second, "second of two passwords")]
        .map(|(session, password)| update(&fixture, to_password(&session.id_token, password)));
    let outcomes = all(asks).await;
    let codes: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(codes, [&Code::TokenRevoked]);
    let done = outcomes.into_iter().find_map(Result::ok).unwrap();
    assert_eq!(looks_up(&fixture, &done.id_token).await, Ok(()));
}
