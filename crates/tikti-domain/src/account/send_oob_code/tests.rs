//! Who gets a code, who is sent one, and what strangers learn.

use secrecy::ExposeSecret;

use super::*;
use crate::account::{ResetPassword, SignInWithOobCode, reset_password, sign_in_with_oob_code};
use crate::api_key::{ApiKey, ApiKeyStatus};
use crate::testing::{FaultPlan, Fixture, ISSUER, keyed};
use crate::user::{GlobalRole, UserStatus};

const ANN: &str = "ann@example.org";
const NOBODY: &str = "nobody@example.org";

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn ask(request: OobRequest) -> SendOobCode {
    SendOobCode { request, continue_url: None, language: None }
}

fn reset(address: &str) -> SendOobCode {
    ask(OobRequest::PasswordReset(email(address)))
}

fn with(key: &SecretString) -> Caller {
    Caller { api_key: Some(key.clone()), ..Caller::default() }
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    fixture
}

/// Whether the code of a reply sets a password.
async fn resets(fixture: &Fixture, code: &SecretString) -> bool {
    let ask = ResetPassword { code: code.clone(), new_password: None };
    reset_password(&fixture.domain, &keyed(), &ask).await.is_ok()
}

#[tokio::test]
async fn e3_e8_only_a_key_of_the_deployment_with_oob_return_sees_a_code() {
    let fixture = fixture().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let ann = fixture.user("member@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["TENANT_ADMIN"]).await;
    let returning = [KeyScope::OobSend, KeyScope::OobReturn];
    let browser = fixture.api_key("browser", &KeyScope::BROWSER, |_| ()).await;
    let sending = fixture.api_key("sending", &[KeyScope::OobSend], |_| ()).await;
    let of_acme = Some(acme.id.clone());
    // No such record is ever made; it would give nothing away if there were one.
    let tenants =
        fixture.api_key("tenants", &returning, |key: &mut ApiKey| key.tenant_id = of_acme).await;
    let deployment = fixture.api_key("deployment", &returning, |_| ()).await;
    for (caller, sees) in [
        (with(&browser), false),
        (with(&sending), false),
        (with(&tenants), false),
        (with(&deployment), true),
        (keyed(), true),
    ] {
        for address in [ANN, "member@example.org", "root@corp.sys", NOBODY] {
            let sent = send_oob_code(&fixture.domain, &caller, &reset(address)).await.unwrap();
            assert_eq!((sent.email, sent.code.is_some()), (email(address), sees), "{address}");
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_has_nothing_sent() {
    let fixture = fixture().await;
    let lookup = fixture.api_key("lookup", &[KeyScope::Lookup, KeyScope::OobReturn], |_| ()).await;
    let disabled = fixture
        .api_key("disabled", &[KeyScope::OobSend], |key| key.status = ApiKeyStatus::Disabled)
        .await;
    for (caller, code) in [
        (with(&lookup), Code::ApiKeyForbidden),
        (with(&disabled), Code::InvalidApiKey),
        (Caller::default(), Code::InvalidApiKey),
    ] {
        let refused = send_oob_code(&fixture.domain, &caller, &reset(ANN)).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
}

#[tokio::test]
async fn e6_a_stranger_gets_the_same_answer_and_a_code_that_opens_nothing() {
    let fixture = fixture().await;
    let mut gone = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    gone.status = UserStatus::Suspended;
    fixture.put_user(&gone).await;
    for (address, opens) in [(ANN, true), (NOBODY, false), ("bob@example.org", false)] {
        let sent = send_oob_code(&fixture.domain, &keyed(), &reset(address)).await.unwrap();
        let code = sent.code.unwrap();
        assert_eq!((sent.email, code.expose_secret().len()), (email(address), 32));
        assert_eq!(resets(&fixture, &code).await, opens, "{address}");
        let request = ask(OobRequest::EmailSignIn(email(address)));
        let sent = send_oob_code(&fixture.domain, &keyed(), &request).await.unwrap();
        let ask = SignInWithOobCode {
            email: email(address),
            code: sent.code.unwrap(),
            return_secure_token: false,
        };
        let session = sign_in_with_oob_code(&fixture.domain, &Caller::default(), &ask).await;
        assert_eq!(session.is_ok(), opens, "{address}");
    }
}

/// The store is asked as often; queueing a mail may be one call more or less than what stands for it.
#[tokio::test]
async fn e6_a_stranger_costs_the_store_what_a_user_costs() {
    let fixture = fixture().await;
    let mut calls = Vec::new();
    for (seed, address) in [(2, ANN), (3, NOBODY)] {
        let plan = FaultPlan::crash_after(u64::MAX - 1);
        let replica = fixture.replica(seed, &plan).await;
        send_oob_code(&replica, &keyed(), &reset(address)).await.unwrap();
        calls.push(plan.calls());
    }
    assert!(calls[0].abs_diff(calls[1]) <= 1, "{calls:?}");
}

#[tokio::test]
async fn t6_to_a_tenants_key_whoever_is_no_member_is_a_stranger() {
    let fixture = fixture().await;
    let root = fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let member = fixture.user("member@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &member, &["TENANT_USER"]).await;
    let key = AcceptedKey { scopes: [KeyScope::OobSend].into(), tenant_id: Some(acme.id.clone()) };
    let sign_in = OobType::EmailSignIn;
    for (kind, address, sent) in [
        (OobType::PasswordReset, "member@example.org", true),
        (sign_in, "member@example.org", true),
        (OobType::PasswordReset, ANN, false),
        (sign_in, ANN, false),
        (sign_in, NOBODY, false),
        // A member, and an administrator of the deployment.
        (sign_in, "root@corp.sys", false),
    ] {
        let about = (kind, &email(address), None);
        let plan = by_address(&fixture.domain, &key, about, fixture.now()).await.unwrap();
        assert_eq!(matches!(plan.mail, Mail::To(_)), sent, "{kind:?} {address}");
        assert_eq!(plan.code.tenant_id.as_ref(), Some(&acme.id));
        let is_real = [&member.id, &root.id].contains(&&plan.code.user_id);
        assert_eq!(is_real, sent, "{kind:?} {address}");
    }
    let mut suspended = acme.clone();
    suspended.status = crate::tenant::TenantStatus::Suspended;
    fixture.put_tenant(&suspended).await;
    let about = (sign_in, &email("member@example.org"), None);
    let plan = by_address(&fixture.domain, &key, about, fixture.now()).await.unwrap();
    assert!(matches!(plan.mail, Mail::Nobody));
}

#[tokio::test]
async fn e1_the_link_is_the_issuers_and_goes_on_only_where_it_may() {
    let fixture = Fixture::with(|settings| {
        settings.allowed_origins = vec!["https://app.example.org".to_owned()];
    })
    .await;
    fixture.user(ANN, GlobalRole::CompanyEmployee).await;
    for (url, is_allowed) in [
        ("https://app.example.org/done", true),
        (ISSUER, false),
        ("https://evil.example/", false),
        ("https://app.example.org.evil.example/", false),
    ] {
        for address in [ANN, NOBODY] {
            let ask = SendOobCode { continue_url: Some(url.to_owned()), ..reset(address) };
            let sent = send_oob_code(&fixture.domain, &keyed(), &ask).await;
            let code = sent.map(|_| ()).map_err(|error| error.code());
            assert_eq!(code.err(), (!is_allowed).then_some(Code::InvalidArgument), "{url}");
        }
    }
}

#[tokio::test]
async fn a_token_has_its_users_address_confirmed_and_a_recent_one_changes_it() {
    let fixture = fixture().await;
    let token = fixture.sign_in(ANN).await.id_token;
    let key = AcceptedKey { scopes: [KeyScope::OobSend].into(), tenant_id: None };
    let new = email("new@example.org");
    let plan = by_token(&fixture.domain, &key, (&token, None, None), fixture.now()).await.unwrap();
    assert!(matches!(&plan.mail, Mail::To(to) if *to == email(ANN)));
    assert_eq!((plan.code.kind, plan.code.new_email), (OobType::VerifyEmail, None));
    let plan =
        by_token(&fixture.domain, &key, (&token, Some(&new), None), fixture.now()).await.unwrap();
    assert!(matches!(&plan.mail, Mail::To(to) if *to == new));
    assert_eq!((plan.email, plan.code.email), (email(ANN), Some(email(ANN))));
    assert_eq!(plan.code.new_email, Some(new.clone()));

    let own = email(ANN);
    let refused = by_token(&fixture.domain, &key, (&token, Some(&own), None), fixture.now()).await;
    assert_eq!(refused.err().unwrap().code(), Code::InvalidArgument);
    fixture.clock.advance(15 * 60 * 1000);
    assert!(
        by_token(&fixture.domain, &key, (&token, Some(&new), None), fixture.now()).await.is_ok()
    );
    fixture.clock.advance(1000);
    let refused = by_token(&fixture.domain, &key, (&token, Some(&new), None), fixture.now()).await;
    assert_eq!(refused.err().unwrap().code(), Code::CredentialTooOld);
    assert!(by_token(&fixture.domain, &key, (&token, None, None), fixture.now()).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_not_good_or_another_tenants_has_nothing_sent() {
    let fixture = fixture().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let token = fixture.sign_in(ANN).await.id_token;
    let of_acme = AcceptedKey { scopes: [KeyScope::OobSend].into(), tenant_id: Some(acme.id) };
    let any = AcceptedKey { scopes: [KeyScope::OobSend].into(), tenant_id: None };
    let made_up = SecretString::from("a.b.c".to_owned());
    for (key, token, code) in
        [(&of_acme, &token, Code::ApiKeyForbidden), (&any, &made_up, Code::InvalidIdToken)]
    {
        let refused = by_token(&fixture.domain, key, (token, None, None), fixture.now()).await;
        assert_eq!(refused.err().unwrap().code(), code);
    }
    let user = crate::account::find_by_email(&fixture.domain, &email(ANN), fixture.now()).await;
    let mut ann = user.unwrap().unwrap();
    ann.ver += 1;
    fixture.put_user(&ann).await;
    let refused = by_token(&fixture.domain, &any, (&token, None, None), fixture.now()).await;
    assert_eq!(refused.err().unwrap().code(), Code::TokenRevoked);
}
