//! Signing in: who gets a session, in which tenant, and what others learn of it.

use tikti_domain::account::{SignIn, SignInCall, sign_in};
use tikti_domain::api_key::{ApiKey, ApiKeyStatus, KeyScope};
use tikti_domain::email::Email;
use tikti_domain::error::Code;
use tikti_domain::id::{ClientId, TenantRef};
use tikti_domain::settings::Tenantless;
use tikti_domain::testing::{Fixture, PASSWORD, keyed};
use tikti_domain::user::{GlobalRole, UserStatus};
use tikti_domain::{Caller, client::ClientType};
use tikti_token::peek;

fn ask(email: &str, password: &str) -> SignIn {
    SignIn {
        call: SignInCall::Open,
        email: Email::parse(email).unwrap(),
        password: password.to_owned().into(),
        tenant: None,
        client: None,
        return_secure_token: false,
    }
}

fn claim(token: &secrecy::SecretString, name: &str) -> serde_json::Value {
    let token = secrecy::ExposeSecret::expose_secret(token);
    peek(token).unwrap().claims().get(name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn strangers_wrong_passwords_and_suspended_users_get_one_answer() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let mut gone = fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    gone.status = UserStatus::Suspended;
    fixture.put_user(&gone).await;
    for (email, password) in [
        ("nobody@example.org", PASSWORD),
        ("ann@example.org", "wrong password"),
        ("bob@example.org", "wrong password"),
    ] {
        let refused = fixture.try_sign_in(email, password).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidLoginCredentials, "{email}");
    }
    let refused = fixture.try_sign_in("bob@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Code::UserDisabled);
}

#[tokio::test]
async fn the_keyed_door_needs_a_key() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let ask = SignIn { call: SignInCall::Keyed, ..ask("ann@example.org", PASSWORD) };
    for key in [None, Some("tk_test_wrong"), Some(""), Some("nonsense")] {
        let caller = Caller { api_key: key.map(|key| key.to_owned().into()), ..Caller::default() };
        let refused = sign_in(&fixture.domain, &caller, &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidApiKey, "{key:?}");
    }
    assert!(sign_in(&fixture.domain, &keyed(), &ask).await.is_ok());
}

#[tokio::test]
async fn the_tenant_is_the_one_asked_for_else_the_default_else_the_only_one() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    assert_eq!(fixture.sign_in("ann@example.org").await.tenant_id, None);

    let acme = fixture.tenant("root@corp.sys", "acme").await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    let only = fixture.sign_in("ann@example.org").await;
    assert_eq!(only.tenant_id.as_ref(), Some(&acme.id));
    assert_eq!(claim(&only.id_token, "tid"), acme.id.as_str());

    // Being added elsewhere changes nobody's sign-in: the first membership is the default.
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    fixture.member(&beta.id, &ann, &["TENANT_USER"]).await;
    assert_eq!(fixture.sign_in("ann@example.org").await.tenant_id.as_ref(), Some(&acme.id));
    assert_eq!(fixture.sign_in("root@corp.sys").await.tenant_id.as_ref(), Some(&acme.id));

    let asked = SignIn {
        tenant: Some(TenantRef::parse("beta").unwrap()),
        ..ask("ann@example.org", PASSWORD)
    };
    let asked = sign_in(&fixture.domain, &Caller::default(), &asked).await.unwrap();
    assert_eq!(asked.tenant_id.as_ref(), Some(&beta.id));

    // Without a default and with two to choose from there is none.
    let mut torn = fixture.reload(&ann).await;
    torn.default_tenant = None;
    fixture.put_user(&torn).await;
    assert_eq!(fixture.sign_in("ann@example.org").await.tenant_id, None);
    torn.default_tenant = Some(beta.id.clone());
    fixture.put_user(&torn).await;
    assert_eq!(fixture.sign_in("ann@example.org").await.tenant_id, Some(beta.id));
}

#[tokio::test]
async fn a_tenant_that_one_is_no_member_of_is_refused_after_the_right_password_only() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    fixture.tenant("root@corp.sys", "acme").await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    for tenant in ["acme", "nowhere"] {
        let tenant = Some(TenantRef::parse(tenant).unwrap());
        let right = SignIn { tenant: tenant.clone(), ..ask("ann@example.org", PASSWORD) };
        let refused = sign_in(&fixture.domain, &Caller::default(), &right).await.unwrap_err();
        assert_eq!(refused.code(), Code::MembershipRequired);
        let wrong = SignIn { tenant, ..ask("ann@example.org", "wrong password") };
        let refused = sign_in(&fixture.domain, &Caller::default(), &wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidLoginCredentials);
    }
}

#[tokio::test]
async fn an_application_must_be_one_of_the_tenant() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let with = |client: &str| SignIn {
        client: Some(ClientId::parse(client).unwrap()),
        ..ask("root@corp.sys", PASSWORD)
    };
    for client in ["backend-worker", "web"] {
        let refused =
            sign_in(&fixture.domain, &Caller::default(), &with(client)).await.unwrap_err();
        assert_eq!(refused.code(), Code::UnknownAudience, "{client}");
    }
    let mut web = fixture.client(&acme.id, "backend-worker").await;
    web.id = ClientId::parse("web").unwrap();
    web.kind = ClientType::Application;
    fixture.put_client(&acme.id, &web).await;
    let session = sign_in(&fixture.domain, &Caller::default(), &with("web")).await.unwrap();
    assert_eq!(claim(&session.id_token, "aud"), "web");
}

#[tokio::test]
async fn where_only_administrators_go_without_a_tenant_others_are_refused() {
    let fixture = Fixture::with(|settings| settings.tenantless = Tenantless::Admin).await;
    fixture.admin("root@corp.sys").await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    assert_eq!(fixture.sign_in("root@corp.sys").await.tenant_id, None);
    let refused = fixture.try_sign_in("ann@example.org", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Code::MembershipRequired);
}

#[tokio::test]
async fn a_refresh_token_is_given_only_where_one_was_asked_for() {
    let fixture = Fixture::new().await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let without = ask("ann@example.org", PASSWORD);
    let session = sign_in(&fixture.domain, &Caller::default(), &without).await.unwrap();
    assert!(session.refresh_token.is_none());
    let with = fixture.sign_in("ann@example.org").await.refresh_token.unwrap();
    let with = secrecy::ExposeSecret::expose_secret(&with);
    let sid = with.split('.').nth(1).unwrap();
    assert!(with.starts_with(&format!("rt_{}.{sid}.0.", ann.id)));
    assert_eq!(with.rsplit('.').next().unwrap().len(), 43);
}

/// A tenant's key: for members a sign-in in that tenant; everybody else gets the stranger's answer.
#[tokio::test]
async fn a_tenant_s_key_tells_nothing_of_those_who_are_no_members() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    fixture.tenant("root@corp.sys", "beta").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    fixture.user("bob@example.org", GlobalRole::CompanyEmployee).await;
    let mut gone = fixture.user("eve@example.org", GlobalRole::CompanyEmployee).await;
    gone.status = UserStatus::Suspended;
    fixture.put_user(&gone).await;
    let of_acme = |key: &mut ApiKey| key.tenant_id = Some(acme.id.clone());
    let key = fixture.api_key("acme", &[KeyScope::SignIn], of_acme).await;
    let caller = Caller { api_key: Some(key), ..Caller::default() };
    let try_it = |email: &'static str, tenant: Option<&'static str>| {
        let (domain, caller) = (&fixture.domain, &caller);
        async move {
            let tenant = tenant.map(|tenant| TenantRef::parse(tenant).unwrap());
            let ask = SignIn { call: SignInCall::Keyed, tenant, ..ask(email, PASSWORD) };
            sign_in(domain, caller, &ask).await
        }
    };
    for tenant in [None, Some("acme")] {
        let session = try_it("ann@example.org", tenant).await.unwrap();
        assert_eq!(session.tenant_id.as_ref(), Some(&acme.id));
        for stranger in ["bob@example.org", "eve@example.org", "nobody@example.org"] {
            let refused = try_it(stranger, tenant).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidLoginCredentials, "{stranger}");
        }
    }
    for tenant in ["beta", "nowhere"] {
        for email in ["ann@example.org", "bob@example.org", "nobody@example.org"] {
            let refused = try_it(email, Some(tenant)).await.unwrap_err();
            assert_eq!(refused.code(), Code::TenantConflict, "{email}");
        }
    }
}

#[tokio::test]
async fn keys_that_are_wrong_disabled_expired_or_for_something_else_are_refused() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let now = fixture.now();
    let scopes = [KeyScope::SignIn];
    let good = fixture.api_key("good", &scopes, |_| ()).await;
    let off = |key: &mut ApiKey| key.status = ApiKeyStatus::Disabled;
    let disabled = fixture.api_key("disabled", &scopes, off).await;
    let expired = fixture.api_key("expired", &scopes, |key| key.expires_at = Some(now)).await;
    let other = fixture.api_key("other", &[KeyScope::Lookup], |_| ()).await;
    let wrong = "tk_good_zbcdefghijklmnopqrstuvwxyz012345".to_owned().into();
    for (key, expected) in [
        (good, None),
        (disabled, Some(Code::InvalidApiKey)),
        (expired, Some(Code::InvalidApiKey)),
        (wrong, Some(Code::InvalidApiKey)),
        (other, Some(Code::ApiKeyForbidden)),
    ] {
        let caller = Caller { api_key: Some(key), ..Caller::default() };
        let ask = SignIn { call: SignInCall::Keyed, ..ask("ann@example.org", PASSWORD) };
        let code = sign_in(&fixture.domain, &caller, &ask).await.err().map(|error| error.code());
        assert_eq!(code, expected);
    }
}
