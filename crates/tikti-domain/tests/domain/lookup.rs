//! Looking up the holder of an idToken: what is told, and when a token stops being good.

use secrecy::SecretString;
use tikti_domain::account::{Lookup, lookup};
use tikti_domain::api_key::{ApiKey, KeyScope};
use tikti_domain::error::Code;
use tikti_domain::testing::{FaultPlan, Fixture, keyed};
use tikti_domain::user::{GlobalRole, UserStatus};
use tikti_domain::{Caller, error::Error};

async fn code(fixture: &Fixture, token: &SecretString) -> Option<Code> {
    let ask = Lookup { id_token: token.clone(), memberships: false };
    lookup(&fixture.domain, &keyed(), &ask).await.err().map(|error: Error| error.code())
}

#[tokio::test]
async fn tells_who_the_holder_is() {
    let fixture = Fixture::new().await;
    let root = fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let session = fixture.sign_in("root@corp.sys").await;
    let ask = Lookup { id_token: session.id_token, memberships: true };
    let found = lookup(&fixture.domain, &keyed(), &ask).await.unwrap();
    assert_eq!(found.user_id, root.id);
    assert_eq!(found.email.unwrap().as_str(), "root@corp.sys");
    assert_eq!(found.role, GlobalRole::Admin);
    assert_eq!(found.status, UserStatus::Active);
    assert_eq!(found.tenant_id, Some(acme.id.clone()));
    assert_eq!(found.last_login_at, Some(fixture.now()));
    let memberships = found.memberships.unwrap();
    assert_eq!(memberships.len(), 1);
    assert_eq!(memberships[0].0, acme.id);
    assert_eq!(memberships[0].1.len(), 5);
}

/// Spec, Performance: "lookup costs one round trip". One call of the store is one, see `round_trips.rs`
/// of its tests: the reads of one call go out together.
#[tokio::test]
async fn a_lookup_is_one_round_trip_whatever_the_key_and_the_context() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let without_tenant = fixture.sign_in("ann@example.org").await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    let in_tenant = fixture.sign_in("ann@example.org").await;
    assert_eq!((without_tenant.tenant_id, in_tenant.tenant_id), (None, Some(acme.id.clone())));
    let stored = fixture.api_key("stored", &[KeyScope::Lookup], |_| ()).await;
    let stored = Caller { api_key: Some(stored), ..Caller::default() };
    let of_tenant = |key: &mut ApiKey| key.tenant_id = Some(acme.id.clone());
    let of_tenant = fixture.api_key("acme", &[KeyScope::Lookup], of_tenant).await;
    let of_tenant = Caller { api_key: Some(of_tenant), ..Caller::default() };

    // Nothing fails; the plan counts.
    let plan = FaultPlan::crash_after(u64::MAX - 1);
    let domain = fixture.replica(2, &plan).await;
    let mut calls = plan.calls();
    for (caller, token) in [
        (keyed(), &without_tenant.id_token),
        (keyed(), &in_tenant.id_token),
        (stored, &in_tenant.id_token),
        (of_tenant, &in_tenant.id_token),
    ] {
        let ask = Lookup { id_token: token.clone(), memberships: false };
        lookup(&domain, &caller, &ask).await.unwrap();
        calls += 1;
        assert_eq!(plan.calls(), calls, "{caller:?}");
    }
    // The memberships are read afterwards, and counted.
    let ask = Lookup { id_token: in_tenant.id_token, memberships: true };
    lookup(&domain, &keyed(), &ask).await.unwrap();
    assert!(plan.calls() > calls + 1);
}

#[tokio::test]
async fn a_caller_without_a_key_learns_nothing_of_the_token() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let good = fixture.sign_in("ann@example.org").await.id_token;
    for token in [good, "nonsense".to_owned().into()] {
        let ask = Lookup { id_token: token, memberships: false };
        let refused = lookup(&fixture.domain, &Caller::default(), &ask).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidApiKey);
    }
}

#[tokio::test]
async fn a_token_is_good_until_its_expiry_and_the_skew() {
    let fixture = Fixture::new().await;
    fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let token = fixture.sign_in("ann@example.org").await.id_token;
    assert_eq!(code(&fixture, &token).await, None);
    fixture.clock.advance(3_660_000);
    assert_eq!(code(&fixture, &token).await, None);
    fixture.clock.advance(1_000);
    assert_eq!(code(&fixture, &token).await, Some(Code::TokenExpired));
}

#[tokio::test]
async fn what_changed_since_the_token_was_made_counts_at_once() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let mut ann = fixture.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let mut held = fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    let token = fixture.sign_in("ann@example.org").await.id_token;
    assert_eq!(code(&fixture, &token).await, None);

    held.mver += 1;
    fixture.put_membership(&held).await;
    assert_eq!(code(&fixture, &token).await, Some(Code::TokenRevoked));
    held.mver -= 1;
    fixture.put_membership(&held).await;
    assert_eq!(code(&fixture, &token).await, None);

    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    assert_eq!(code(&fixture, &token).await, Some(Code::UserDisabled));
    ann.status = UserStatus::Active;
    ann.ver += 1;
    fixture.put_user(&ann).await;
    assert_eq!(code(&fixture, &token).await, Some(Code::TokenRevoked));
}

#[tokio::test]
async fn nonsense_and_foreign_tokens_are_refused() {
    let fixture = Fixture::new().await;
    let other = Fixture::with(|settings| settings.issuer = "https://other.test".to_owned()).await;
    other.user("ann@example.org", GlobalRole::CompanyEmployee).await;
    let foreign = other.sign_in("ann@example.org").await.id_token;
    let nonsense: Vec<SecretString> =
        ["", "a.b.c", "..", "x"].iter().map(|text| (*text).to_owned().into()).collect();
    for token in nonsense.into_iter().chain([foreign]) {
        assert_eq!(code(&fixture, &token).await, Some(Code::InvalidIdToken));
    }
}

/// A tenant's key sees tokens of its tenant only, whatever the state of others.
#[tokio::test]
async fn a_tenant_s_key_sees_its_own_tenant_only() {
    let fixture = Fixture::new().await;
    fixture.admin("root@corp.sys").await;
    let acme = fixture.tenant("root@corp.sys", "acme").await;
    let beta = fixture.tenant("root@corp.sys", "beta").await;
    let ann = fixture.user("ann@example.org", GlobalRole::CompanyAdmin).await;
    fixture.member(&acme.id, &ann, &["TENANT_USER"]).await;
    fixture.member(&beta.id, &ann, &["TENANT_USER"]).await;
    let token = fixture.sign_in("ann@example.org").await.id_token;
    let key_of = |id: &'static str, tenant: tikti_domain::id::TenantId| {
        let fixture = &fixture;
        async move {
            let change = |key: &mut ApiKey| key.tenant_id = Some(tenant);
            let key = fixture.api_key(id, &[KeyScope::Lookup], change).await;
            Caller { api_key: Some(key), ..Caller::default() }
        }
    };
    let (own, foreign) = (key_of("acme", acme.id.clone()).await, key_of("beta", beta.id).await);
    let ask = Lookup { id_token: token.clone(), memberships: true };
    let seen = lookup(&fixture.domain, &own, &ask).await.unwrap();
    assert_eq!(seen.role, GlobalRole::CompanyEmployee);
    assert_eq!(seen.memberships.unwrap().len(), 1);
    let refused = lookup(&fixture.domain, &foreign, &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::ApiKeyForbidden);
    let mut ann = fixture.reload(&ann).await;
    ann.status = UserStatus::Suspended;
    fixture.put_user(&ann).await;
    let refused = lookup(&fixture.domain, &foreign, &ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::ApiKeyForbidden);
}
